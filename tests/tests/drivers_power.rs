//! Low power while nothing plays, and back: nothing runs, nothing pops, and the next sound is whole.

use drivers::hda::card::{Card, Options};
use drivers::hda::power::IDLE;
use drivers::{Clock, Micros};
use tests::hda_sim::codecs::{self, Known};
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

fn bring_up(machine: &Machine) -> SimCard {
    let (regs, clock) = (machine.regs(), machine.clock());
    Card::bring_up(regs, &mut machine.memory(), clock, &Options::default()).expect("it comes up")
}

/// Every known codec on every model of controller.
fn each(mut test: impl FnMut(&Known, Machine)) {
    for model in [Model::Qemu, Model::Chip] {
        for known in codecs::all() {
            let machine = Machine::new(model, [(0, known.codec.clone())]);
            test(&known, machine);
        }
    }
}

/// Calls the card as the domain's loop does, which sleeps in between; how often it was called.
fn idle(card: &mut SimCard, machine: &Machine) -> u32 {
    for call in 1..100 {
        let now = machine.clock().now();
        match card.rest(now) {
            Some(at) => machine.pass(at.since(now).0),
            None => return call,
        }
        let took = machine.clock().now().since(now).0;
        assert!(took <= IDLE.0 + 10_000);
    }
    panic!("it never comes to rest");
}

/// Plays `millis` of a ramp and stops; what was heard of it.
fn play(card: &mut SimCard, machine: &Machine, known: &Known, millis: u64) -> Vec<u8> {
    let before = machine.heard(0, known.pins[0]).samples.len();
    card.start().expect("it starts");
    let octets = card.format().frame_octets();
    // A guest's first frames lie some way ahead of the DMA.
    let mut written = 480;
    for _ in 0..millis {
        let position = card.position(machine.clock().now()).expect("a position");
        assert_eq!(card.rest(machine.clock().now()), None);
        while written < position + 960 {
            card.write(written, &vec![written as u8 | 1; octets]);
            written += 1;
        }
        machine.pass(1000);
    }
    card.stop().expect("it stops");
    machine.heard(0, known.pins[0]).samples[before..].to_vec()
}

/// Whether silence and then the ramp, whole and from its start, was heard.
fn is_ramp(heard: &[u8], octets: usize) -> bool {
    let frames = heard.chunks(octets);
    frames.enumerate().all(|(at, frame)| {
        let expected = if at < 480 { 0 } else { at as u8 | 1 };
        frame.iter().all(|&octet| octet == expected)
    })
}

#[test]
fn an_idle_card_goes_to_rest_and_plays_again_without_a_pop() {
    each(|known, machine| {
        let mut card = bring_up(&machine);
        let octets = card.format().frame_octets();
        for round in 0..3 {
            let stopped = machine.state().micros();
            let calls = idle(&mut card, &machine);
            let took = Micros(machine.state().micros() - stopped);
            assert!(calls <= 12, "{}: {calls} wake-ups", known.name);
            assert!(
                (IDLE..IDLE.plus(Micros::millis(500))).contains(&took),
                "{}: {took:?}",
                known.name
            );
            assert!(!machine.state().running(), "{}", known.name);
            let accesses = machine.state().accesses();
            machine.pass(60_000_000);
            assert_eq!(card.rest(machine.clock().now()), None);
            assert_eq!(machine.state().accesses(), accesses, "{}", known.name);

            let before = machine.state().micros();
            let heard = play(&mut card, &machine, known, 300);
            assert!(heard.len() > 48 * 290 * octets, "{}", known.name);
            assert!(is_ramp(&heard, octets), "{} {round}", known.name);
            assert!(machine.state().micros() - before < 350_000);
        }
        let state = machine.state();
        assert_eq!(state.pops(), [""; 0], "{}", known.name);
        assert_eq!(state.violations(), [""; 0], "{}", known.name);
        assert!(state.stray().is_empty());
        assert_eq!(state.codec(0).expect("a codec").blind_sets(), 0);
    });
}

#[test]
fn a_card_at_rest_starts_within_50_ms() {
    let mut slowest = 0;
    each(|known, machine| {
        let mut card = bring_up(&machine);
        idle(&mut card, &machine);
        let before = machine.state().micros();
        card.start().expect("it starts");
        let took = machine.state().micros() - before;
        assert!(took < 50_000, "{}: {took} µs", known.name);
        slowest = slowest.max(took);
        machine.pass(20_000);
        assert!(!machine.heard(0, known.pins[0]).samples.is_empty());
    });
    println!("starts from rest within {slowest} µs");
}

#[test]
fn a_start_on_the_way_down_plays_without_a_pop() {
    for steps in 1..12 {
        each(|known, machine| {
            let mut card = bring_up(&machine);
            for _ in 0..steps {
                let now = machine.clock().now();
                match card.rest(now) {
                    Some(at) => machine.pass(at.since(now).0),
                    None => break,
                }
            }
            let heard = play(&mut card, &machine, known, 100);
            let octets = card.format().frame_octets();
            assert!(heard.len() > 48 * 90 * octets && is_ramp(&heard, octets));
            let state = machine.state();
            assert_eq!(state.pops(), [""; 0], "{} after {steps}", known.name);
        });
    }
}

#[test]
fn a_card_that_plays_does_not_go_to_rest() {
    each(|known, machine| {
        let mut card = bring_up(&machine);
        let heard = play(&mut card, &machine, known, 12_000);
        assert!(heard.len() > 48 * 11_900 * card.format().frame_octets());
    });
}

#[test]
fn shutting_down_does_not_pop_and_takes_half_a_second_at_most() {
    for steps in 0..12 {
        each(|known, machine| {
            let mut card = bring_up(&machine);
            card.start().expect("it starts");
            let records = card.start_input().is_ok();
            assert_eq!(records, card.input_format().is_some());
            machine.pass(50_000);
            if steps > 0 {
                card.stop().expect("it stops");
                card.stop_input().expect("it stops");
            }
            for _ in 1..steps {
                let now = machine.clock().now();
                match card.rest(now) {
                    Some(at) => machine.pass(at.since(now).0),
                    None => break,
                }
            }
            let before = machine.state().micros();
            card.shut_down();
            let took = machine.state().micros() - before;
            assert!(took < 500_000, "{}: {took} µs", known.name);
            let state = machine.state();
            assert!(!state.running());
            assert_eq!(state.pops(), [""; 0], "{} after {steps}", known.name);
        });
    }
}

#[test]
fn quiesce_is_right_at_every_step_to_rest() {
    for steps in 0..12 {
        each(|_, machine| {
            let mut card = bring_up(&machine);
            for _ in 0..steps {
                let now = machine.clock().now();
                match card.rest(now) {
                    Some(at) => machine.pass(at.since(now).0),
                    None => break,
                }
            }
            let before = machine.state().micros();
            drivers::hda::controller::quiesce(&mut machine.regs(), &machine.clock());
            assert!(machine.state().micros() - before <= 10_000);
            assert!(!machine.state().running());
            drop(card);
            assert_eq!(machine.state().pages_held(), 0);
            machine.pass(10_000);
            assert_eq!(machine.state().violations(), [""; 0]);
        });
    }
}

#[test]
fn a_codec_that_died_at_rest_is_named_and_the_card_is_quiet() {
    let machine = Machine::new(Model::Chip, [(0, codecs::laptop())]);
    let mut card = bring_up(&machine);
    idle(&mut card, &machine);
    machine.state_mut().faults = Faults {
        silent_from: Some(0),
        ..Faults::default()
    };
    let before = machine.state().micros();
    assert!(card.start().is_err());
    assert!(machine.state().micros() - before < 100_000);
    assert!(!machine.state().running());
    // It comes back.
    machine.state_mut().faults = Faults::default();
    card.start().expect("it starts");
    machine.pass(20_000);
    assert!(!machine.heard(0, 0x1C).samples.is_empty());
}
