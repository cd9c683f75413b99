//! A card records: what its pin hears is in the ring, octet for octet, beside what it plays.

use std::collections::BTreeSet;

use drivers::Clock;
use drivers::hda::CardError;
use drivers::hda::card::{Card, Options};
use tests::hda_sim::codec::{Codec, Kind, Widget};
use tests::hda_sim::codecs;
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs, heard_at};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const MODELS: [Model; 2] = [Model::Qemu, Model::Chip];

fn bring_up(machine: &Machine) -> SimCard {
    Card::bring_up(
        machine.regs(),
        &mut machine.memory(),
        machine.clock(),
        &Options::default(),
    )
    .expect("the card comes up")
}

/// Codecs with an input, and the pin that it is.
fn listening() -> [(&'static str, Codec, u8); 3] {
    [
        ("QEMU hda-duplex", codecs::qemu_duplex(), 5),
        ("desktop", codecs::desktop(), 0x18),
        ("laptop", laptop(), 0x0C),
    ]
}

/// A laptop's two microphones behind a selector that has the wrong one selected, a mixer whose
/// inputs are mute, a boost at the pin, power switched off everywhere.
fn laptop() -> Codec {
    const PCM: u32 = 0x000A_0560;
    const IN: u32 = 1 << 5;
    const BIAS: u32 = 0b10_0111 << 8;
    /// 16 steps of 1.5 dB, 0 dB at 0, no mute; 4 steps of 10 dB.
    const GAIN: u32 = 0x0005_1000;
    const BOOST: u32 = 0x0027_0300;
    let widgets = vec![
        Widget::new(Kind::Dac).pcm(PCM),
        Widget::new(Kind::Pin)
            .pin(1 << 4, 0x9017_0110)
            .from(&[0x08]),
        Widget::new(Kind::Mixer)
            .powered()
            .from(&[0x0D, 0x0B])
            .input_amp(0x8000_0000),
        Widget::new(Kind::Selector)
            .powered()
            .from(&[0x0D, 0x0C])
            .output_amp(GAIN),
        Widget::new(Kind::Pin)
            .powered()
            .pin(IN | BIAS, 0x90A6_0120)
            .input_amp(BOOST),
        Widget::new(Kind::Pin).pin(IN, 0x4181_3030),
        Widget::new(Kind::Adc)
            .powered()
            .pcm(PCM)
            .from(&[0x0A])
            .input_amp(0x8003_1F00),
    ];
    Codec::new(0x0000_1A98, PCM, 8, widgets).powered()
}

fn each(mut test: impl FnMut(&str, u8, Machine)) {
    for model in MODELS {
        for (name, codec, pin) in listening() {
            test(name, pin, Machine::new(model, [(0, codec)]));
        }
    }
}

/// Records for `millis`, as the domain's loop does; every frame that the position says is there.
fn record(card: &mut SimCard, machine: &Machine, millis: u64) -> Vec<u8> {
    let octets = card.input_format().expect("an input").frame_octets();
    let mut recorded = Vec::new();
    for _ in 0..millis {
        machine.pass(1000);
        let now = machine.clock().now();
        card.follow_jacks(now);
        let end = card.input_position(now).expect("a position");
        let at = (recorded.len() / octets) as u64;
        assert!(end >= at, "the position never goes back");
        let mut more = vec![0; (end - at) as usize * octets];
        card.read_input(at, &mut more);
        recorded.extend(more);
    }
    recorded
}

/// Fails unless this is what the pin heard from the start on.
fn same(recorded: &[u8], pin: u8, name: &str) {
    let differs = (0..)
        .zip(recorded)
        .find(|&(at, &got)| got != heard_at(pin, at));
    assert_eq!(differs, None, "{name}, of {} octets", recorded.len());
}

#[test]
fn what_a_pin_hears_is_recorded_octet_for_octet_at_0_db() {
    each(|name, pin, machine| {
        let mut card = bring_up(&machine);
        card.start_input().expect("it starts");
        let recorded = record(&mut card, &machine, 400);
        let octets = card.input_format().unwrap().frame_octets();
        assert!(
            recorded.len() > 48 * 395 * octets,
            "{name}: {}",
            recorded.len()
        );
        same(&recorded, pin, name);
        assert_eq!(machine.input_gains(), BTreeSet::from([0]), "{name}");
        let state = machine.state();
        assert!(state.stray().is_empty(), "{name}: {:x?}", state.stray());
        assert_eq!(state.violations(), [""; 0], "{name}");
        let blind = state.codec(0).expect("a codec").blind_sets();
        assert_eq!(blind, 0, "{name}");
    });
}

#[test]
fn what_is_in_memory_is_counted_at_once_also_after_another_start() {
    let machine = Machine::new(Model::Qemu, [(0, codecs::qemu_duplex())]);
    let mut card = bring_up(&machine);
    for millis in [333, 77, 250] {
        card.start_input().expect("it starts");
        let recorded = record(&mut card, &machine, millis);
        let frames = (recorded.len() / card.input_format().unwrap().frame_octets()) as u64;
        assert!(
            (millis - 1) * 48 <= frames,
            "{frames} frames in {millis} ms"
        );
        same(&recorded, 5, "QEMU hda-duplex");
        card.stop_input().expect("it stops");
    }
}

#[test]
fn an_input_whose_position_nobody_writes_records_by_the_link() {
    each(|name, pin, machine| {
        machine.state_mut().faults.buffer_dead = true;
        let mut card = bring_up(&machine);
        card.start_input().expect("it starts");
        let recorded = record(&mut card, &machine, 400);
        let octets = card.input_format().unwrap().frame_octets();
        assert!(
            recorded.len() > 48 * 390 * octets,
            "{name}: {}",
            recorded.len()
        );
        same(&recorded, pin, name);
    });
}

#[test]
fn the_card_plays_and_records_at_once_and_either_stops_alone() {
    each(|name, pin, machine| {
        let mut card = bring_up(&machine);
        card.start().expect("it plays");
        machine.pass(7_000);
        card.start_input().expect("it records");
        let recorded = record(&mut card, &machine, 50);
        same(&recorded, pin, name);
        card.stop().expect("it stops playing");
        let octets = card.input_format().unwrap().frame_octets();
        let at = recorded.len() / octets;
        machine.pass(20_000);
        let end = card
            .input_position(machine.clock().now())
            .expect("it goes on");
        assert!(end as usize > at + 900, "{name}: {at} to {end}");
        card.start().expect("it plays again");
        card.stop_input().expect("it stops recording");
        assert_eq!(
            card.input_position(machine.clock().now()),
            Err(CardError::PositionLost)
        );
        machine.pass(20_000);
        assert!(card.position(machine.clock().now()).expect("it goes on") > 900);
        // Recording begins anew at frame 0.
        card.start_input().expect("it records");
        let recorded = record(&mut card, &machine, 30);
        same(&recorded, pin, name);
        assert_eq!(machine.state().violations(), [""; 0], "{name}");
    });
}

#[test]
fn interrupts_of_the_output_come_while_the_input_starts_and_stops() {
    for model in MODELS {
        let machine = Machine::new(model, [(0, codecs::qemu_duplex())]);
        let options = Options {
            interrupts: true,
            ..Options::default()
        };
        let mut card = Card::bring_up(
            machine.regs(),
            &mut machine.memory(),
            machine.clock(),
            &options,
        )
        .expect("the card comes up");
        card.start().expect("it plays");
        for _ in 0..4 {
            card.start_input().expect("it records");
            machine.pass(100_000);
            assert!(card.interrupt().half, "half of the ring was played");
            card.stop_input().expect("it stops");
        }
    }
}

#[test]
fn a_card_that_records_does_not_rest_and_one_that_rests_wakes_to_record() {
    each(|name, pin, machine| {
        let mut card = bring_up(&machine);
        card.start_input().expect("it records");
        for _ in 0..8 {
            machine.pass(1_000_000);
            let now = machine.clock().now();
            assert_eq!(card.rest(now), None, "{name}: it has to do");
            card.input_position(now).expect("it goes on");
        }
        card.stop_input().expect("it stops");
        let mut steps = 0;
        while let Some(next) = card.rest(machine.clock().now()) {
            let now = machine.clock().now();
            machine.pass(next.since(now).0 + 1);
            steps += 1;
            assert!(steps < 100, "{name}: it never rests");
        }
        assert!(!machine.state().running(), "{name}: the link is off");
        card.start_input().expect("it records");
        let recorded = record(&mut card, &machine, 30);
        same(&recorded, pin, name);
        assert_eq!(machine.state().violations(), [""; 0], "{name}");
    });
}

#[test]
fn a_card_without_input_plays_as_ever() {
    let known = codecs::all().remove(0);
    let machine = Machine::new(Model::Chip, [(0, known.codec)]);
    let mut card = bring_up(&machine);
    assert_eq!(card.input_format(), None);
    assert_eq!(card.start_input(), Err(CardError::NoInput));
    assert_eq!(card.stop_input(), Ok(()));
    card.start().expect("it plays");
}

#[test]
fn a_codec_that_falls_silent_costs_the_input_until_it_answers_again() {
    let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]);
    bring_up(&machine);
    let verbs = machine.state().verbs();
    let faults = Faults {
        silent_from: Some(verbs - 3),
        ..Faults::default()
    };
    let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]).with(faults);
    let mut card = bring_up(&machine);
    assert_eq!(card.start_input(), Err(CardError::CodecSilent));
    machine.state_mut().faults = Faults::default();
    card.start_input().expect("it records");
    same(&record(&mut card, &machine, 30), 0x18, "desktop");
}

#[test]
fn an_input_that_fails_on_waking_records_the_next_time() {
    let machine = Machine::new(Model::Chip, [(0, laptop())]);
    let mut card = bring_up(&machine);
    let rest = |card: &mut SimCard, machine: &Machine| {
        while let Some(next) = card.rest(machine.clock().now()) {
            let now = machine.clock().now();
            machine.pass(next.since(now).0 + 1);
        }
        machine.state().verbs()
    };
    let before = rest(&mut card, &machine);
    card.start().expect("it plays");
    let verbs = machine.state().verbs() - before;
    let mut without = 0;
    for from in 0..verbs {
        card.stop().expect("it stops");
        let before = rest(&mut card, &machine);
        machine.state_mut().faults.silent_from = Some(before + from);
        let plays = card.start().is_ok();
        without += u32::from(plays);
        assert!(card.start_input().is_err(), "from {from}");
        machine.state_mut().faults.silent_from = None;
        card.start_input().expect("it records");
        same(&record(&mut card, &machine, 5), 0x0C, "laptop");
        card.stop_input().expect("it stops");
        if !plays {
            card.start().expect("it plays");
        }
        machine.pass(5000);
        let now = machine.clock().now();
        assert!(card.position(now).is_ok_and(|at| at > 200), "from {from}");
    }
    assert!(without > 5, "{without} of {verbs} were the input's");
}
