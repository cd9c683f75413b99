//! What chips and machines need beside what their codec says, against codecs that behave so.

use drivers::Clock;
use drivers::hda::card::{Card, Options};
use tests::hda_sim::codec::{Codec, Kind, Widget};
use tests::hda_sim::{Machine, Model, SimClock, SimPage, SimRegs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const SPEAKER: u8 = 3;
const HEADPHONES: u8 = 5;

/// A speaker and headphones with a jack, both with an external amplifier.
fn codec(id: u32) -> Codec {
    const PCM: u32 = 0x0002_0060;
    let dac = || Widget::new(Kind::Dac).pcm(PCM);
    let pin = |config| Widget::new(Kind::Pin).pin(1 << 16 | 1 << 4, config);
    let widgets = vec![
        dac(),
        pin(0x9017_0110).from(&[2]),
        dac(),
        pin(0x0321_1020).from(&[4]).senses(),
    ];
    Codec::new(id, PCM, 2, widgets)
}

fn bring_up(codec: Codec) -> (SimCard, Machine) {
    let machine = Machine::new(Model::Chip, [(0, codec)]);
    let (regs, clock) = (machine.regs(), machine.clock());
    let mut memory = machine.memory();
    let card = Card::bring_up(regs, &mut memory, clock, &Options::default()).expect("a card");
    (card, machine)
}

/// Where the card is heard, with headphones unplugged and plugged.
fn heard(card: &mut SimCard, machine: &Machine) -> [Vec<u8>; 2] {
    card.start().expect("it starts");
    [false, true].map(|plugged| {
        machine.plug(0, HEADPHONES, plugged);
        for _ in 0..40 {
            machine.pass(25_000);
            card.follow_jacks(machine.clock().now());
        }
        machine.forget_heard();
        machine.pass(5000);
        let pins = [SPEAKER, HEADPHONES].into_iter();
        pins.filter(|&pin| !machine.heard(0, pin).samples.is_empty())
            .collect()
    })
}

const BOTH: &[u8] = &[SPEAKER, HEADPHONES];

#[test]
fn an_inverted_eapd_is_driven_the_other_way() {
    for (codec, inverted) in [
        (codec(0x11D4_1986), true),
        (codec(0x11D4_1986).machine(0x1043_81B3), true),
        // Machines in which it is as elsewhere.
        (codec(0x11D4_1986).machine(0x1179_FF40), false),
        (codec(0x11D4_1988), false),
    ] {
        let codec = if inverted { codec.inverted() } else { codec };
        let (mut card, machine) = bring_up(codec);
        let heard = heard(&mut card, &machine);
        assert_eq!(heard, [BOTH, &[HEADPHONES]], "{inverted}");
    }
}

#[test]
fn an_amplifier_for_all_pins_stays_on_while_any_plays() {
    // The second of the two is at a pin at which nothing plays.
    let unused = Widget::new(Kind::Pin).pin(1 << 16 | 1 << 4, 0x4111_11F0);
    for id in [0x14F1_506E, 0x1FA8_6000] {
        let codec = codec(id).without_eapd(HEADPHONES).with(unused.clone());
        let (mut card, machine) = bring_up(codec.gated());
        assert_eq!(heard(&mut card, &machine), [BOTH, &[HEADPHONES]]);
    }
    // A chip with more of them has one for each pin, and speakers are switched off at theirs too.
    let many = codec(0x14F1_50A1).with(unused.clone()).with(unused);
    let (mut card, machine) = bring_up(many);
    assert_eq!(heard(&mut card, &machine), [BOTH, &[HEADPHONES]]);
    assert!(!machine.state().codec(0).expect("a codec").eapd(SPEAKER));
}

#[test]
fn the_amplifier_of_a_realtek_comes_back_for_the_headphones() {
    let (mut card, machine) = bring_up(codec(0x10EC_0256).without_eapd(HEADPHONES));
    assert_eq!(heard(&mut card, &machine), [BOTH, &[HEADPHONES]]);
    assert!(machine.state().codec(0).expect("a codec").eapd(SPEAKER));
}

#[test]
fn contrary_jacks_are_read_the_other_way() {
    let codecs = [
        codec(0x11D4_1986).machine(0x17AA_2066).inverted(),
        codec(0x1013_4208).machine(0x106B_6C00),
        codec(0x1013_4208).machine(0x106B_7800),
    ];
    for codec in codecs {
        let (mut card, machine) = bring_up(codec.contrary());
        assert_eq!(heard(&mut card, &machine), [BOTH, &[HEADPHONES]]);
    }
}

#[test]
fn amplifiers_behind_general_purpose_pins_are_switched_on() {
    for (id, machine, pins) in [
        // 92HD71B, 92HD73C, STAC9228, STAC9255.
        (0x111D_76B2, 0x103C_3600, 0x01),
        (0x111D_7675, 0x1028_02BE, 0x01),
        (0x8384_7616, 0x1028_01F9, 0x01),
        (0x8384_76A4, 0x1028_0228, 0x01),
        // 92HD81B has no such pin, nor has STAC9221.
        (0x111D_7605, 0x103C_1618, 0),
        (0x8384_7680, 0x106B_2200, 0),
        // Apple: most machines, two that differ, and a board of another maker.
        (0x1013_4206, 0x106B_0D00, 0x0A),
        (0x1013_4206, 0x106B_0900, 0x0C),
        (0x1013_4206, 0x10DE_CB79, 0x0A),
        (0x1013_4206, 0x1043_0001, 0),
        (0x1013_4208, 0x106B_7B00, 0x01),
        (0x1013_4208, 0x8086_7270, 0x01),
        (0x10EC_0888, 0x1025_013F, 0x01),
        (0x10EC_0888, 0x1025_0140, 0),
    ] {
        let (_card, sim) = bring_up(codec(id).machine(machine));
        let gpio = sim.state().codec(0).expect("a codec").gpio();
        assert_eq!(gpio, [pins; 3], "{id:#x} {machine:#x}");
    }
}
