//! The domain's command line: the kernel's own file, as it depends on nothing of Xen's.

#[path = "../../kernel/src/options.rs"]
mod options;

use drivers::hda::controller::Transport;
use options::{BadOption, Options};
use ring_backend::control::DEVICES;

#[test]
fn an_empty_line_asks_for_what_is_usual() {
    let options = Options::parse("  ").expect("nothing is nothing bad");
    assert!(options.card.is_some() && !options.dither && !options.limiter);
    assert_eq!(options.devices, DEVICES);
}

#[test]
fn dither_and_limiter_are_each_its_own_word() {
    let both = Options::parse("dither=tpdf limiter=soft").expect("both are known");
    assert!(both.dither && both.limiter);
    let dither = Options::parse("dither=tpdf").expect("known");
    assert!(dither.dither && !dither.limiter);
    let limiter = Options::parse(" limiter=soft ").expect("known");
    assert!(!limiter.dither && limiter.limiter);
    // Neither depends on a card.
    let none = Options::parse("card=none limiter=soft dither=tpdf").expect("known");
    assert!(none.card.is_none() && none.dither && none.limiter);
}

#[test]
fn a_word_that_is_none_is_named() {
    for word in [
        "dither",
        "dither=",
        "dither=on",
        "dither=TPDF",
        "limiter=hard",
        "limiter=soft=2",
        "limiter",
        "dither=tpdf,limiter=soft",
        "ring=1",
        "ring=33",
        "ring=x",
        "devices=0",
        "devices=121",
        "devices=+4",
        "volume=9",
        "card=all",
    ] {
        let line = format!("card=none {word} limiter=soft");
        assert_eq!(Options::parse(&line).unwrap_err(), BadOption(word));
    }
    let said = BadOption("dither=on").to_string();
    assert_eq!(said, "bad option `dither=on`");
    let left = Options::without_card();
    assert!(left.card.is_none() && !left.dither && !left.limiter);
    assert_eq!(left.devices, DEVICES);
}

#[test]
fn numbers_and_transports_are_read() {
    let options = Options::parse("ring=32 devices=120 verbs=immediate").expect("known");
    let card = options.card.expect("a card");
    assert_eq!((card.ring_pages, options.devices), (32, 120));
    assert_eq!(card.transport, Transport::Immediate);
}
