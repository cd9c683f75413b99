//! Codecs may say anything: graphs and paths stay bounded and true.

use drivers::Clock;
use drivers::Micros;
use drivers::hda::codec::Codec;
use drivers::hda::configuration::Configuration;
use drivers::hda::graph::CONNECTIONS;
use drivers::hda::verb::{CodecAddress, Nid, Verb, VerbFault, Verbs};
use std::cell::Cell;
use tests::codec_paths::check;

const GRAPHS: u32 = 120_000;
/// Most verbs that reading one codec may take: for each of 256 nodes its parameters and a
/// connection list of 64 answers, and some more for power.
const VERBS: u32 = 256 * 72 + 60_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.next() % limit
    }
}

/// A codec that makes up its answers; sane enough in places to be read further.
struct Liar {
    random: Random,
    widgets: u32,
    lists: u32,
    asked: u32,
}

impl Liar {
    fn new(seed: u32) -> Self {
        let mut random = Random(u64::from(seed) << 20 | 0x9E37_79B9);
        // One in a hundred claims everything there can be.
        let (widgets, lists) = if seed.is_multiple_of(100) {
            (256, 128)
        } else {
            (2 + random.below(24), 1 + random.below(6))
        };
        Self {
            random,
            widgets,
            lists,
            asked: 0,
        }
    }

    fn widget(&mut self) -> u32 {
        // Every kind, and connection lists on all but the converters.
        let kind = [0, 1, 2, 3, 4, 4, self.random.below(16)][self.random.below(7) as usize];
        let list = u32::from(kind != 0) << 8;
        kind << 20 | list | self.random.next() & 0x0F
    }

    fn answer(&mut self, node: u8, verb: u32) -> u32 {
        match (node, verb) {
            (0, 0xF_0004) => 0x1_0001,
            (1, 0xF_0004) => 2 << 16 | self.widgets,
            (1, 0xF_0005) => 1,
            (_, 0xF_0009) => self.widget(),
            (_, 0xF_000A) => 0x001E_0560,
            (_, 0xF_000C) => self.random.next() | 0x10 << self.random.below(2),
            (_, 0xF_000E) => self.random.below(self.lists) | self.random.next() & 0x80,
            // Power: on, mostly.
            (_, 0xF_0500) => self.random.below(20) << 4,
            (_, 0xF_1C00) => self.random.next() & 0x803F_FFFF,
            (_, verb) if verb >> 8 == 0xF02 => {
                let entry = |random: &mut Random, widgets| (1 + random.below(widgets + 2)) & 0x7F;
                let mut list = [0; 4].map(|_| entry(&mut self.random, self.widgets));
                if self.random.below(4) == 0 {
                    list[self.random.below(4) as usize] |= 0x80;
                }
                u32::from_le_bytes(list.map(|entry| entry as u8))
            }
            _ => self.random.next(),
        }
    }
}

impl Verbs for Liar {
    fn ask(&mut self, _: CodecAddress, node: Nid, verb: Verb) -> Result<u32, VerbFault> {
        self.asked += 1;
        assert!(self.asked < VERBS);
        Ok(self.answer(node.0, verb.bits()))
    }
}

#[derive(Default)]
struct Ticks(Cell<u64>);

impl Clock for Ticks {
    fn now(&self) -> Micros {
        Micros(self.0.get())
    }
    fn pause(&self, span: Micros) {
        self.0.set(self.0.get() + span.0);
    }
}

#[test]
fn graphs_of_lying_codecs_are_bounded_and_their_paths_are_true() {
    let address = CodecAddress::new(0).expect("an address");
    let (mut paths, mut inputs, mut odd, mut long) = (0, 0, 0, 0);
    for seed in 1..=GRAPHS {
        let mut liar = Liar::new(seed);
        let mut codec = Codec::new(address);
        codec
            .read(&mut liar, &Ticks::default())
            .expect("it answers");
        let all: usize = codec
            .graph
            .widgets()
            .map(|(node, _)| codec.graph.inputs(node).len())
            .sum();
        assert!(all <= CONNECTIONS);
        odd += u32::from(codec.graph.oddities() > 0);
        let configuration = Configuration::of(&codec.graph);
        check(&codec.graph, &configuration);
        for output in configuration.outputs() {
            paths += 1;
            long += u32::from(output.path.hops().len() > 3);
        }
        inputs += configuration.inputs().len();
    }
    // Codecs that are refused at the door would show nothing.
    assert!(paths > GRAPHS / 10, "{paths}");
    assert!(odd > GRAPHS / 10, "{odd}");
    assert!(long > GRAPHS / 100, "{long}");
    assert!(inputs > GRAPHS as usize / 10, "{inputs}");
    println!("{paths} output paths, {long} of them long, {odd} odd graphs of {GRAPHS}");
}
