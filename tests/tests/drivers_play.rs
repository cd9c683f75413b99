//! A card plays: what is written comes out of the right pin, octet for octet.

use std::collections::BTreeSet;

use drivers::Clock;
use drivers::hda::card::{Card, Options};
use drivers::hda::controller::{self, Transport};
use tests::hda_sim::codecs::{self, Known};
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const MODELS: [Model; 2] = [Model::Qemu, Model::Chip];

fn bring_up(machine: &Machine, options: &Options) -> SimCard {
    Card::bring_up(
        machine.regs(),
        &mut machine.memory(),
        machine.clock(),
        options,
    )
    .expect("the card comes up")
}

/// Every known codec on every model of controller.
fn each(mut test: impl FnMut(&Known, Machine)) {
    for model in MODELS {
        for known in codecs::all() {
            let machine = Machine::new(model, [(0, known.codec.clone())]);
            test(&known, machine);
        }
    }
}

/// Frame `n` of a signal in which no two frames of a ring are alike.
fn frames(card: &SimCard, from: u64, count: u64) -> Vec<u8> {
    let octets = card.format().frame_octets() as u64;
    (from * octets..(from + count) * octets)
        .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8 | 1)
        .collect()
}

/// Keeps the card fed for `millis`, some frames ahead of its position; how many were written.
fn play(card: &mut SimCard, machine: &Machine, millis: u64) -> u64 {
    let ahead = card.ring_frames() as u64 / 2;
    let mut written = 0;
    for _ in 0..millis {
        let position = card.position(machine.clock().now()).expect("a position");
        if position + ahead > written {
            let more = frames(card, written, position + ahead - written);
            card.write(written, &more);
            written = position + ahead;
        }
        machine.pass(1000);
    }
    written
}

#[test]
fn every_codec_plays_what_is_written_octet_for_octet_at_0_db() {
    each(|known, machine| {
        let mut card = bring_up(&machine, &Options::default());
        let before = frames(&card, 0, card.ring_frames() as u64 / 2);
        card.start().expect("it starts");
        card.write(0, &before);
        let written = play(&mut card, &machine, 400);
        for &pin in known.pins {
            check_heard(&machine, &card, known, pin, written);
        }
        check(&machine, known);
    });
}

fn check_heard(machine: &Machine, card: &SimCard, known: &Known, pin: u8, written: u64) {
    let heard = machine.heard(0, pin);
    let expected = frames(card, 0, written);
    assert!(heard.samples.len() > 48 * 390 * card.format().frame_octets());
    // The first frames were fetched before they could be written.
    let first = expected
        .iter()
        .zip(&heard.samples)
        .position(|(a, b)| a == b);
    let first = first.expect("something is heard");
    assert!(first <= 96 * card.format().frame_octets(), "{}", known.name);
    assert!(heard.samples[..first].iter().all(|&octet| octet == 0));
    let end = heard.samples.len();
    assert!(
        heard.samples[first..] == expected[first..end],
        "{}",
        known.name
    );
    assert_eq!(heard.gains, BTreeSet::from([0]), "{}", known.name);
}

fn check(machine: &Machine, known: &Known) {
    let state = machine.state();
    assert!(
        state.stray().is_empty(),
        "{}: {:x?}",
        known.name,
        state.stray()
    );
    assert_eq!(state.violations(), [""; 0], "{}", known.name);
    let blind = state.codec(0).expect("a codec").blind_sets();
    assert_eq!(blind, 0, "{}", known.name);
}

#[test]
fn every_codec_is_described_and_plays_its_widest_samples() {
    each(|known, machine| {
        let card = bring_up(&machine, &Options::default());
        let outputs = card.configuration().outputs().iter();
        let paths: Vec<String> = outputs
            .map(|output| format!("{}: {}", output.named(None), output.path))
            .collect();
        assert_eq!(paths, known.paths);
        assert_eq!(card.format().bits.bits(), known.bits);
        assert_eq!(card.transport(), Transport::Rings);
    });
}

#[test]
fn no_other_pin_is_turned_on() {
    each(|known, machine| {
        let _card = bring_up(&machine, &Options::default());
        let state = machine.state();
        let codec = state.codec(0).expect("a codec");
        let driven: Vec<u8> = (0..=255)
            .filter(|&pin| codec.pin_control(pin) & 0x40 != 0)
            .collect();
        assert_eq!(driven, known.pins, "{}", known.name);
    });
}

#[test]
fn a_card_comes_up_within_100_ms() {
    each(|known, machine| {
        let before = machine.state().micros();
        let _card = bring_up(&machine, &Options::default());
        let took = machine.state().micros() - before;
        assert!(took < 100_000, "{}: {took} µs", known.name);
    });
}

#[test]
fn immediate_commands_bring_every_codec_up_too() {
    let options = Options {
        transport: Transport::Immediate,
        ..Options::default()
    };
    each(|known, machine| {
        let mut card = bring_up(&machine, &options);
        card.start().expect("it starts");
        machine.pass(20_000);
        assert!(
            !machine.heard(0, known.pins[0]).samples.is_empty(),
            "{}",
            known.name
        );
    });
}

#[test]
fn the_position_follows_the_link_and_never_steps_back() {
    each(|known, machine| {
        let mut card = bring_up(&machine, &Options::default());
        card.start().expect("it starts");
        let begin = machine.state().micros();
        let mut last = 0;
        for step in 0..2000 {
            machine.pass(137 + step % 600);
            let now = machine.clock().now();
            let position = card.position(now).expect("a position");
            let link = (now.0 - begin) * 48 / 1000;
            assert!(position >= last, "{}", known.name);
            // QEMU moves each millisecond and a chip with each frame; the start took some time.
            assert!(position <= link + 2, "{}: {position} > {link}", known.name);
            assert!(position + 60 > link, "{}: {position} < {link}", known.name);
            last = position;
        }
    });
}

#[test]
fn the_position_counts_rounds_that_nobody_watched() {
    each(|known, machine| {
        let mut card = bring_up(&machine, &Options::default());
        card.start().expect("it starts");
        machine.pass(1_000_000);
        let now = machine.clock().now();
        let position = card.position(now).expect("a position");
        assert!(position.abs_diff(48_000) < 60, "{}: {position}", known.name);
    });
}

#[test]
fn a_start_is_silent_however_the_ring_was_left() {
    each(|known, machine| {
        let mut card = bring_up(&machine, &Options::default());
        card.start().expect("it starts");
        let ring = card.ring_frames() as u64;
        let loud = frames(&card, 0, ring);
        card.write(0, &loud);
        machine.pass(50_000);
        card.stop().expect("it stops");
        let before = machine.heard(0, known.pins[0]).samples.len();
        machine.pass(50_000);
        assert_eq!(machine.heard(0, known.pins[0]).samples.len(), before);
        card.start().expect("it starts again");
        machine.pass(200_000);
        let again = &machine.heard(0, known.pins[0]).samples[before..];
        assert!(again.len() > 30_000);
        assert!(again.iter().all(|&octet| octet == 0), "{}", known.name);
        let now = machine.clock().now();
        assert!(card.position(now).is_ok_and(|at| at.abs_diff(9600) < 100));
    });
}

#[test]
fn what_is_cleared_is_not_heard_again() {
    each(|known, machine| {
        let mut card = bring_up(&machine, &Options::default());
        card.start().expect("it starts");
        let ring = card.ring_frames();
        let loud = frames(&card, 0, ring as u64);
        card.write(0, &loud);
        card.clear(100, ring - 100);
        machine.pass(200_000);
        let octets = card.format().frame_octets();
        let heard = machine.heard(0, known.pins[0]).samples;
        for (at, frame) in heard.chunks_exact(octets).enumerate().skip(200) {
            let silent = frame.iter().all(|&octet| octet == 0);
            assert_eq!(silent, at % ring >= 100, "{}: frame {at}", known.name);
        }
    });
}

#[test]
fn interrupts_come_twice_a_round_and_go_when_they_are_served() {
    let options = Options {
        interrupts: true,
        ..Options::default()
    };
    each(|known, machine| {
        let mut card = bring_up(&machine, &options);
        card.start().expect("it starts");
        let half = card.ring_frames() as u64 / 2;
        let mut served = 0;
        let mut messages = machine.state().messages();
        for _ in 0..1000 {
            machine.pass(1000);
            let now = machine.state().messages();
            if now != messages {
                messages = now;
                let causes = card.interrupt();
                assert!(!causes.fifo_error && !causes.descriptor_error);
                served += u64::from(causes.half);
                assert!(!card.interrupt().half, "{}", known.name);
            }
        }
        assert!(
            served.abs_diff(48_000 / half) <= 1,
            "{}: {served}",
            known.name
        );
    });
}

#[test]
fn without_interrupts_no_message_is_sent() {
    each(|known, machine| {
        let mut card = bring_up(&machine, &Options::default());
        card.start().expect("it starts");
        machine.pass(300_000);
        assert_eq!(machine.state().messages(), 0, "{}", known.name);
    });
}

#[test]
fn quiesce_ends_all_dma_within_10_ms() {
    each(|known, machine| {
        let mut card = bring_up(&machine, &Options::default());
        card.start().expect("it starts");
        machine.pass(10_000);
        let before = machine.state().micros();
        controller::quiesce(&mut machine.regs(), &machine.clock());
        let took = machine.state().micros() - before;
        assert!(took <= 10_000, "{}: {took} µs", known.name);
        assert!(!machine.state().running());
        card.quiesce();
        assert!(card.position(machine.clock().now()).is_err());
    });
}

#[test]
fn a_dropped_card_leaves_no_page_under_running_dma() {
    each(|known, machine| {
        let mut card = bring_up(&machine, &Options::default());
        card.start().expect("it starts");
        machine.pass(10_000);
        drop(card);
        assert_eq!(machine.state().pages_held(), 0);
        machine.pass(100_000);
        check(&machine, known);
    });
}

#[test]
fn a_card_comes_up_again_whatever_state_it_was_left_in() {
    each(|known, machine| {
        let mut first = bring_up(&machine, &Options::default());
        first.start().expect("it starts");
        // As if the domain had been destroyed: nobody quiesced anything.
        std::mem::forget(first);
        let mut second = bring_up(&machine, &Options::default());
        second.start().expect("it starts");
        machine.pass(20_000);
        assert!(
            second
                .position(machine.clock().now())
                .is_ok_and(|at| at > 800)
        );
        check(&machine, known);
    });
}

#[test]
fn rings_from_2_to_32_pages_play() {
    for ring_pages in [0, 2, 3, 16, 32, 255] {
        let options = Options {
            ring_pages,
            ..Options::default()
        };
        let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]);
        let mut card = bring_up(&machine, &options);
        let pages = usize::from(ring_pages).clamp(2, 32);
        assert_eq!(card.ring_frames(), pages * 4096 / 8);
        card.start().expect("it starts");
        let written = play(&mut card, &machine, 100);
        let heard = machine.heard(0, 0x14).samples;
        let expected = frames(&card, 0, written);
        let start = 200 * 8;
        assert!(heard[start..] == expected[start..heard.len()]);
    }
}

#[test]
fn a_controller_without_64_bit_addresses_gets_low_pages() {
    let narrow = Faults {
        narrow: true,
        ..Faults::default()
    };
    let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]).with(narrow);
    let mut card = bring_up(&machine, &Options::default());
    card.start().expect("it starts");
    machine.pass(20_000);
    assert!(machine.state().addresses().all(|address| address < 1 << 32));
    assert!(!machine.heard(0, 0x14).samples.is_empty());
}

#[test]
fn the_codec_that_plays_is_found_among_others() {
    let modem = codecs::qemu_output().function(2);
    let machine = Machine::new(Model::Chip, [(0, modem), (2, codecs::laptop())]);
    let mut card = bring_up(&machine, &Options::default());
    assert_eq!(card.codec().address.get(), 2);
    card.start().expect("it starts");
    machine.pass(20_000);
    assert!(!machine.heard(2, 0x1C).samples.is_empty());
}

#[test]
fn half_of_the_domains_stack_is_enough_to_bring_a_card_up() {
    const STACK: usize = 128 * 1024;
    // An overflow ends the whole test run.
    let thread = std::thread::Builder::new().stack_size(STACK / 2);
    let thread = thread.spawn(|| {
        let machine = Machine::new(Model::Chip, [(0, codecs::laptop())]);
        let card = Box::new(bring_up(&machine, &Options::default()));
        card.configuration().outputs().len()
    });
    let outputs = thread.expect("a thread").join().expect("a card");
    assert_eq!(outputs, 2);
}
