//! Master volume, mute and capture gain are made by the codec's own amplifiers, where it has them.

use std::collections::BTreeSet;

use drivers::Clock;
use drivers::hda::CardError;
use drivers::hda::card::{Card, Options};
use drivers::hda::choice::{Choice, Sounding};
use drivers::hda::levels::Levels;
use tests::hda_sim::codec::{Codec, Kind, Widget};
use tests::hda_sim::corpus::Corpus;
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs, codecs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const QUIET: Levels = Levels {
    volume: -6000,
    muted: false,
    gain: 0,
    choice: NO_CHOICE,
};
const MUTED: Levels = Levels {
    volume: 0,
    muted: true,
    gain: 0,
    choice: NO_CHOICE,
};
const NO_CHOICE: Choice = Choice {
    sounding: Sounding::Sensed,
    pickup: None,
};

fn bring_up(codec: Codec) -> Result<(SimCard, Machine), CardError> {
    let machine = Machine::new(Model::Chip, [(0, codec)]);
    let (regs, clock) = (machine.regs(), machine.clock());
    let mut memory = machine.memory();
    let card = Card::bring_up(regs, &mut memory, clock, &Options::default())?;
    Ok((card, machine))
}

/// The pins that are heard for some milliseconds, each with its gains, in quarters of a decibel.
fn heard(card: &mut SimCard, machine: &Machine) -> Vec<(u8, BTreeSet<i32>)> {
    // What was switched off fades.
    for _ in 0..30 {
        machine.pass(10_000);
        card.follow_jacks(machine.clock().now());
    }
    machine.forget_heard();
    machine.pass(3000);
    let pins = machine.state().codec(0).expect("a codec").all_pins();
    let heard = pins
        .into_iter()
        .map(|pin| (pin, machine.heard(0, pin).gains));
    heard.filter(|(_, gains)| !gains.is_empty()).collect()
}

fn rest(card: &mut SimCard, machine: &Machine) {
    card.stop().expect("it stops");
    while let Some(next) = card.rest(machine.clock().now()) {
        let now = machine.clock().now();
        machine.pass(next.since(now).0 + 1);
    }
    assert!(!machine.state().running());
}

#[test]
fn the_volume_changes_what_is_heard_and_stays_over_rest() {
    for known in codecs::all() {
        let (mut card, machine) = bring_up(known.codec).expect("a card");
        card.start().expect("it starts");
        let loud = heard(&mut card, &machine);
        assert!(loud.iter().all(|(_, gains)| *gains == BTreeSet::from([0])));
        card.set_levels(QUIET).expect("it is set");
        let shown = card.levels().to_string();
        assert!(
            shown.starts_with("volume=-6000 mute=0"),
            "{}: {shown}",
            known.name
        );
        for _ in 0..2 {
            let quiet = heard(&mut card, &machine);
            let pins = |heard: &[(u8, _)]| heard.iter().map(|h| h.0).collect::<Vec<u8>>();
            assert_eq!(pins(&quiet), pins(&loud), "{}", known.name);
            // S/PDIF has no amplifier.
            let analog = |pin: u8| {
                let mut outputs = card.configuration().outputs().iter();
                outputs.any(|output| output.pin().0 == pin)
            };
            for (pin, gains) in quiet.iter().filter(|(pin, _)| analog(*pin)) {
                assert_eq!(*gains, BTreeSet::from([-24]), "{}: {pin:#x}", known.name);
            }
            rest(&mut card, &machine);
            card.start().expect("it wakes");
        }
        card.set_levels(Levels::default()).expect("it is set");
        assert_eq!(heard(&mut card, &machine), loud, "{}", known.name);
        let state = machine.state();
        assert_eq!(state.codec(0).expect("a codec").blind_sets(), 0);
        assert_eq!(state.pops(), [""; 0], "{}", known.name);
    }
}

#[test]
fn mute_needs_no_amplifier_and_does_not_pop() {
    for known in codecs::all() {
        let (mut card, machine) = bring_up(known.codec).expect("a card");
        card.start().expect("it starts");
        let loud = heard(&mut card, &machine);
        card.set_levels(MUTED).expect("it is muted");
        assert_eq!(heard(&mut card, &machine), [], "{}", known.name);
        assert!(card.levels().to_string().contains("mute=1"));
        rest(&mut card, &machine);
        card.start().expect("it wakes");
        assert_eq!(heard(&mut card, &machine), [], "{}: on waking", known.name);
        card.set_levels(Levels::default()).expect("it is not");
        assert_eq!(heard(&mut card, &machine), loud, "{}", known.name);
        // Before it wakes, and once more while an amplifier still fades.
        rest(&mut card, &machine);
        card.set_levels(MUTED).expect("it is noted");
        card.start().expect("it wakes");
        assert_eq!(heard(&mut card, &machine), [], "{}", known.name);
        for muted in [false, true, false, true, false] {
            card.set_levels(Levels { muted, ..MUTED })
                .expect("it is set");
            machine.pass(3000);
        }
        assert_eq!(heard(&mut card, &machine), loud, "{}", known.name);
        assert_eq!(machine.state().pops(), [""; 0], "{}", known.name);
    }
}

/// A codec whose only input has a boost of 10 dB a step and a gain of 1.5 dB a step, up to 12 dB.
fn microphone(gain: bool, boost: bool) -> Codec {
    const PCM: u32 = 0x0002_0060;
    let mut adc = Widget::new(Kind::Adc).pcm(PCM).from(&[5]);
    let mut pin = Widget::new(Kind::Pin).pin(1 << 5, 0x90A6_0120);
    if gain {
        adc = adc.input_amp(0x8005_1F17);
    }
    if boost {
        pin = pin.input_amp(0x0027_0300);
    }
    let widgets = vec![
        Widget::new(Kind::Dac).pcm(PCM),
        Widget::new(Kind::Pin).pin(1 << 4, 0x9017_0110).from(&[2]),
        adc,
        pin,
    ];
    Codec::new(0x0000_1A9A, PCM, 2, widgets)
}

#[test]
fn the_gain_is_made_by_boost_and_amplifier_together() {
    for (has, wanted, made, shown) in [
        ((true, true), 12_000, 46, "gain=11500"),
        ((true, true), 50_000, 168, "gain=42000"),
        ((true, true), -6000, -24, "gain=-6000"),
        ((true, false), 12_000, 48, "gain=12000"),
        ((false, true), 12_000, 40, "gain=10000"),
        ((false, false), 12_000, 0, "gain=0 fixed_input=1"),
    ] {
        let (mut card, machine) = bring_up(microphone(has.0, has.1)).expect("a card");
        let levels = Levels {
            gain: wanted,
            ..Levels::default()
        };
        card.set_levels(levels).expect("it is set");
        card.start_input().expect("it records");
        machine.pass(10_000);
        assert_eq!(
            machine.input_gains(),
            BTreeSet::from([made]),
            "{has:?} {wanted}"
        );
        let text = card.levels().to_string();
        assert_eq!(text, format!("volume=0 mute=0 fixed_outputs=1 {shown}"));
        // While it records, and back.
        card.set_levels(Levels::default()).expect("it is set");
        machine.pass(10_000);
        // One amplifier follows the other at once.
        let gains = machine.input_gains();
        assert!(gains.contains(&0) && gains.iter().all(|gain| gain.abs() <= made.abs()));
        // Set up anew.
        card.set_levels(levels).expect("it is set");
        card.stop_input().expect("it stops");
        card.start().expect("it starts");
        rest(&mut card, &machine);
        let before = machine.input_gains();
        card.start_input().expect("it records");
        machine.pass(10_000);
        assert_eq!(machine.input_gains(), before);
    }
}

#[test]
fn a_codec_that_does_not_answer_is_named_and_is_set_once_it_wakes() {
    let (mut card, machine) = bring_up(codecs::desktop()).expect("a card");
    card.start().expect("it starts");
    machine.state_mut().faults.silent_from = Some(0);
    let before = machine.state().micros();
    assert_eq!(card.set_levels(QUIET), Err(CardError::CodecSilent));
    assert!(machine.state().micros() - before < 100_000);
    machine.state_mut().faults = Faults::default();
    rest(&mut card, &machine);
    card.start().expect("it wakes");
    let heard = heard(&mut card, &machine);
    let line_out = heard.iter().find(|(pin, _)| *pin == 0x14);
    assert_eq!(line_out.expect("a line-out").1, BTreeSet::from([-24]));
}

#[test]
fn no_real_codec_is_turned_down_twice() {
    let Some(corpus) = Corpus::find() else { return };
    let (mut outputs, mut fixed, mut exact) = (0, 0, 0);
    for (id, codec) in corpus.codecs().expect("codecs") {
        let Ok((mut card, machine)) = bring_up(codec) else {
            continue;
        };
        card.start().expect("it starts");
        let loud = heard(&mut card, &machine);
        card.set_levels(QUIET).expect("it is set");
        let quiet = heard(&mut card, &machine);
        for ((pin, before), (other, after)) in loud.iter().zip(&quiet) {
            assert_eq!((pin, after.len()), (other, 1), "codec {id}");
            let change = after.first().expect("one") - before.first().expect("one");
            // Steps are 3 dB at most.
            assert!((-30..=0).contains(&change), "codec {id}: {pin:#x} {change}");
            outputs += 1;
            fixed += u32::from(change == 0);
            exact += u32::from(change == -24);
        }
        assert_eq!(loud.len(), quiet.len(), "codec {id}");
        card.set_levels(MUTED).expect("it is muted");
        assert_eq!(heard(&mut card, &machine), [], "codec {id}");
        assert_eq!(machine.state().codec(0).expect("a codec").blind_sets(), 0);
    }
    println!("{outputs} outputs: {exact} down by 6 dB exactly, {fixed} without amplifier");
    assert!(
        outputs == 0 || exact * 10 > outputs * 8,
        "{exact} of {outputs}"
    );
}
