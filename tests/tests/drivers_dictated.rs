//! What dom0 says of the codec is read beside the first thing that start-up reads.

use drivers::hda::dictated::{Dictated, NODE};
use drivers::hda::overrides::{Override, Overrides};
use drivers::pci::handshake::{Offer, connect};
use drivers::pci::{EachNode, Store, StoreError};
use tests::hda_sim::pciback::{Function, Manners, Pciback};

const OFFER: Offer = Offer { page: 9, port: 3 };

/// A store that counts its turns.
struct Counted {
    backend: Pciback,
    turns: u32,
}

impl Store for Counted {
    fn read_all(&mut self, paths: &[&str], each: &mut EachNode<'_>) -> Result<(), StoreError> {
        assert!(paths.len() <= 4);
        self.turns += 1;
        self.backend.read_all(paths, each)
    }
    fn begin_writes(&mut self, nodes: &[(&str, &str)]) -> Result<(), StoreError> {
        self.backend.begin_writes(nodes)
    }
    fn watch(&mut self, path: &str) -> Result<(), StoreError> {
        self.backend.watch(path)
    }
    fn unwatch(&mut self, path: &str) -> Result<(), StoreError> {
        self.backend.unwatch(path)
    }
    fn wait_for_change(&mut self) -> Result<(), StoreError> {
        self.turns += 1;
        self.backend.wait_for_change()
    }
}

fn store(words: Option<&str>) -> Counted {
    let card = Function::new(0x2668_8086, 0x0403_0001, 0xFEBF_0000);
    let backend = Pciback::new(Manners::default(), vec![card]);
    backend.set_node(NODE, words);
    Counted { backend, turns: 0 }
}

/// Connects; the words that there are then, and the turns that it took.
fn met(words: Option<&str>, before: Overrides) -> (Result<Vec<Override>, String>, u32) {
    let mut store = store(words);
    let clock = store.backend.clone();
    let mut dictated = Dictated::new(&mut store, before);
    connect(&mut dictated, &clock, OFFER).expect("a backend");
    let overrides = dictated.overrides();
    let overrides = overrides.map(|all| all.iter().copied().collect());
    (overrides.map_err(|bad| bad.to_string()), store.turns)
}

fn read(words: &str) -> Overrides {
    let mut overrides = Overrides::default();
    overrides.read(words).expect("words");
    overrides
}

#[test]
fn dom0_s_words_are_read_and_cost_no_turn_of_the_store() {
    let mut plain = store(None);
    let clock = plain.backend.clone();
    connect(&mut plain, &clock, OFFER).expect("a backend");
    let text = "pin=17:90170112  gpio=0x01:01\n coef=20:07:0020/0020 path=02:0c:14";
    let (words, turns) = met(Some(text), Overrides::default());
    let expected: Vec<Override> = read(text).iter().copied().collect();
    assert_eq!((words, turns), (Ok(expected), plain.turns));
    assert_eq!(met(None, Overrides::default()), (Ok(vec![]), plain.turns));
}

#[test]
fn they_come_after_those_of_the_command_line() {
    let (words, _) = met(Some("gpio=2:2"), read("gpio=1:1"));
    let words: Vec<String> = words
        .expect("words")
        .iter()
        .map(Override::to_string)
        .collect();
    assert_eq!(words, ["gpio=01:01", "gpio=02:02"]);
}

#[test]
fn a_bad_word_is_named_with_its_node() {
    let many = "gpio=1:1 ".repeat(13);
    for (text, bad) in [
        ("gpio=1:1 pin=17", "pin=17"),
        ("loud", "loud"),
        (&many, "gpio=1:1"),
        (&"é".repeat(1000), &"é".repeat(24)),
    ] {
        let (words, _) = met(Some(text), Overrides::default());
        let expected = format!("control/card/overrides: bad word `{bad}`");
        assert_eq!(words, Err(expected));
    }
}

#[test]
fn a_domain_without_a_card_reads_them_in_vain() {
    let mut store = store(Some("gpio=1:1"));
    store.backend.set_node("device/pci/0/backend", None);
    let clock = store.backend.clone();
    let mut dictated = Dictated::new(&mut store, Overrides::default());
    assert!(connect(&mut dictated, &clock, OFFER).is_err());
    assert!(dictated.overrides().is_ok());
}
