//! S/PDIF plays what the analog outputs play, where it can, and costs them nothing where it cannot.

use drivers::Clock;
use drivers::hda::card::{Card, Options};
use drivers::hda::choice::{Choice, Sounding};
use drivers::hda::levels::Levels;
use drivers::hda::pins::Purpose;
use tests::hda_sim::codec::{Codec, Kind, Widget};
use tests::hda_sim::{Machine, Model, SimClock, SimPage, SimRegs, codecs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const HEADPHONES: u8 = 3;
const SPEAKER: u8 = 4;
const CONVERTER: u8 = 6;
const SPDIF: u8 = 8;
/// 16 bits, and 16 to 24 bits, at 48 kHz.
const B16: u32 = 0x0002_0040;
const B24: u32 = 0x000E_0040;

/// Headphones and a speaker at one analog converter, and S/PDIF behind a selector.
fn codec(digital: u32, caps: u32, config: u32) -> Codec {
    let dac = || Widget::new(Kind::Dac);
    let widgets = vec![
        dac().pcm(B24),
        Widget::new(Kind::Pin)
            .pin(0x1C, 0x0321_101F)
            .from(&[2])
            .senses(),
        Widget::new(Kind::Pin).pin(0x1_0010, 0x9017_0110).from(&[2]),
        dac().pcm(B24).digital(),
        dac().pcm(digital).digital().powered(),
        Widget::new(Kind::Selector)
            .digital()
            .powered()
            .from(&[2, CONVERTER]),
        Widget::new(Kind::Pin)
            .digital()
            .powered()
            .pin(caps, config)
            .output_amp(0x8000_0000)
            .from(&[7]),
    ];
    Codec::new(0x0000_5BD1, B24, 2, widgets).powered()
}

fn bring_up(codec: Codec) -> (SimCard, Machine) {
    let machine = Machine::new(Model::Chip, [(0, codec)]);
    let (regs, clock) = (machine.regs(), machine.clock());
    let mut memory = machine.memory();
    let card = Card::bring_up(regs, &mut memory, clock, &Options::default()).expect("a card");
    (card, machine)
}

/// Plays noise for some milliseconds; what came out of each pin.
fn play<const N: usize>(card: &mut SimCard, machine: &Machine, pins: [u8; N]) -> [Vec<u8>; N] {
    for _ in 0..40 {
        machine.pass(25_000);
        card.follow_jacks(machine.clock().now());
    }
    let noise: Vec<u8> = (0..card.ring_frames() * card.format().frame_octets())
        .map(|at| (at.wrapping_mul(0x9E37_79B9) >> 24) as u8 | 1)
        .collect();
    card.write(0, &noise);
    machine.forget_heard();
    machine.pass(5000);
    pins.map(|pin| machine.heard(0, pin).samples)
}

#[test]
fn it_plays_the_same_as_the_analog_outputs_and_says_that_it_is_sound() {
    let (mut card, machine) = bring_up(codec(B24, 0x10, 0x0145_1150));
    assert!(
        card.shown().to_string().contains("S/PDIF"),
        "{}",
        card.shown()
    );
    for _ in 0..2 {
        card.start().expect("it starts");
        let [speaker, spdif] = play(&mut card, &machine, [SPEAKER, SPDIF]);
        assert!(spdif.len() > 1500 && spdif == speaker);
        let state = machine.state();
        let codec = state.codec(0).expect("a codec");
        // Enabled, to be copied, an original, of a PCM coder; neither professional nor data.
        assert_eq!(codec.digital(CONVERTER), [0x91, 0x02]);
        assert_eq!(codec.blind_sets(), 0);
        drop(state);
        card.stop().expect("it stops");
        while let Some(next) = card.rest(machine.clock().now()) {
            let now = machine.clock().now();
            machine.pass(next.since(now).0 + 1);
        }
    }
}

#[test]
fn headphones_do_not_silence_it_and_mute_does() {
    let (mut card, machine) = bring_up(codec(B24, 0x10, 0x0145_1150));
    card.start().expect("it starts");
    let pins = [HEADPHONES, SPEAKER, SPDIF];
    let loud = |heard: [Vec<u8>; 3]| heard.map(|samples| !samples.is_empty());
    assert_eq!(loud(play(&mut card, &machine, pins)), [true; 3]);
    machine.plug(0, HEADPHONES, true);
    assert_eq!(loud(play(&mut card, &machine, pins)), [true, false, true]);
    for muted in [true, false] {
        let levels = Levels {
            muted,
            ..Levels::default()
        };
        card.set_levels(levels).expect("it is set");
        let heard = loud(play(&mut card, &machine, pins));
        assert_eq!(heard, [!muted, false, !muted]);
    }
}

#[test]
fn what_a_person_chooses_sounds_whatever_is_plugged_in() {
    for rested in [false, true] {
        for plugged in [false, true] {
            let (mut card, machine) = bring_up(codec(B24, 0x10, 0x0145_1150));
            let pins = [HEADPHONES, SPEAKER, SPDIF];
            let loud = |heard: [Vec<u8>; 3]| heard.map(|samples| !samples.is_empty());
            machine.plug(0, HEADPHONES, plugged);
            card.start().expect("it starts");
            let sensed = [true, !plugged, true];
            assert_eq!(loud(play(&mut card, &machine, pins)), sensed);
            for (sounding, wanted) in [
                (Sounding::All, [true; 3]),
                (Sounding::Only(Purpose::Speaker), [false, true, false]),
                (Sounding::Only(Purpose::Headphones), [true, false, false]),
                (Sounding::Digital, [false, false, true]),
                // There is none.
                (Sounding::Only(Purpose::LineOut), sensed),
                (Sounding::Sensed, sensed),
            ] {
                if rested {
                    card.stop().expect("it stops");
                    while let Some(next) = card.rest(machine.clock().now()) {
                        let now = machine.clock().now();
                        machine.pass(next.since(now).0 + 1);
                    }
                }
                let levels = Levels {
                    choice: Choice {
                        sounding,
                        pickup: None,
                    },
                    ..Levels::default()
                };
                card.set_levels(levels).expect("it is set");
                if rested {
                    card.start().expect("it starts");
                }
                let heard = loud(play(&mut card, &machine, pins));
                assert_eq!(
                    heard, wanted,
                    "{sounding:?}, plugged {plugged}, rested {rested}"
                );
                let told = card.configuration().outputs().iter();
                let told = told.map(|output| card.sounds(output));
                assert!(told.eq([wanted[0], wanted[1]]), "{sounding:?}");
                assert_eq!(card.sounds_digital(), wanted[2], "{sounding:?}");
            }
        }
    }
}

#[test]
fn what_is_no_connected_spdif_or_takes_other_samples_stays_off() {
    for (digital, caps, config) in [
        // It takes 16 bits, and the others play 24.
        (B16, 0x10, 0x0145_1150),
        // It takes no 48 kHz.
        (0x000E_0020, 0x10, 0x0145_1150),
        // Nothing is connected; it is HDMI by its place, or by its pin; it is an input.
        (B24, 0x10, 0x4145_1150),
        (B24, 0x10, 0x1845_1150),
        (B24, 0x90, 0x0145_1150),
        (B24, 0x10, 0x01C5_1150),
        (B24, 0x20, 0x0145_1150),
    ] {
        let (mut card, machine) = bring_up(codec(digital, caps, config));
        card.start().expect("it starts");
        let [speaker, spdif] = play(&mut card, &machine, [SPEAKER, SPDIF]);
        let what = format!("{digital:#x} {caps:#x} {config:#x}");
        assert!(!speaker.is_empty() && spdif.is_empty(), "{what}");
        assert_eq!(card.format().bits.bits(), 24, "{what}");
        let state = machine.state();
        let codec = state.codec(0).expect("a codec");
        assert_eq!(
            (codec.pin_control(SPDIF), codec.digital(CONVERTER)),
            (0, [0, 0])
        );
    }
}

#[test]
fn of_several_codecs_the_first_with_an_analog_output_plays() {
    let digital_alone = || {
        let pin = Widget::new(Kind::Pin).digital().pin(0x10, 0x0145_1150);
        let dac = Widget::new(Kind::Dac).pcm(B24).digital();
        Codec::new(1, B24, 2, vec![dac, pin.from(&[2])])
    };
    let all = [
        (0, digital_alone()),
        (1, codecs::qemu_output().mute()),
        (2, codecs::qemu_output().function(2)),
        (3, codecs::desktop()),
        (4, codecs::laptop()),
    ];
    let machine = Machine::new(Model::Chip, all);
    let (regs, clock) = (machine.regs(), machine.clock());
    let mut memory = machine.memory();
    let card = Card::bring_up(regs, &mut memory, clock, &Options::default());
    let mut card = card.expect("a card");
    assert_eq!(card.codec().address.get(), 3);
    card.start().expect("it starts");
    machine.pass(20_000);
    assert!(!machine.heard(3, 0x14).samples.is_empty());
    assert!(machine.heard(4, 0x1C).samples.is_empty());
}
