//! Whatever is broken, the driver names it in time and leaves silence.

use drivers::Clock;
use drivers::hda::CardError;
use drivers::hda::card::{Card, Options};
use drivers::hda::controller::Transport;
use tests::hda_sim::codec::{Codec, Kind, Widget};
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs, Stuck, codecs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const MODELS: [Model; 2] = [Model::Qemu, Model::Chip];
/// Driver time within which a fault must be named.
const BOUND_US: u64 = 2_000_000;

/// Brings the card up and checks the time and what is left when it fails.
fn bring_up(machine: &Machine, what: &str) -> Result<SimCard, CardError> {
    let before = machine.state().micros();
    let card = Card::bring_up(
        machine.regs(),
        &mut machine.memory(),
        machine.clock(),
        &Options::default(),
    );
    let took = machine.state().micros() - before;
    assert!(took <= BOUND_US, "{what}: {took} µs");
    if card.is_err() {
        assert_eq!(machine.state().pages_held(), 0, "{what}");
    }
    card
}

fn error(machine: &Machine) -> Option<CardError> {
    bring_up(machine, "a fault").err()
}

fn broken(faults: Faults) -> Machine {
    Machine::new(Model::Chip, [(0, codecs::desktop())]).with(faults)
}

fn broken_on(model: Model, stuck: Stuck) -> Machine {
    Machine::new(model, [(0, codecs::desktop())]).with(Faults {
        stuck: Some(stuck),
        ..Faults::default()
    })
}

/// Plays and records for long enough to miss a position, watching that time and positions stay
/// sane. What the input does, the output must not feel.
fn play(mut card: SimCard, machine: &Machine, what: &str) -> Result<u64, CardError> {
    let before = machine.state().micros();
    card.start()?;
    assert!(machine.state().micros() - before < 50_000, "{what}");
    let mut records = card.start_input().is_ok();
    assert!(machine.state().micros() - before < 200_000, "{what}");
    let octets = card.format().frame_octets() as u64;
    let slack = card.ring_frames() as u64 / 2;
    let (mut last, mut recorded) = (0, 0);
    for _ in 0..75 {
        machine.pass(4000);
        let now = machine.clock().now();
        let position = card.position(now)?;
        let elapsed = (now.0 - before) * 48 / 1000;
        let most = elapsed + elapsed / 32 + slack;
        assert!((last..=most).contains(&position), "{what}: {position}");
        last = position;
        card.write(position + 100, &vec![1; (octets * 100) as usize]);
        if records {
            let end = card.input_position(now);
            records = end.is_ok();
            let end = end.unwrap_or(recorded);
            assert!((recorded..=most).contains(&end), "{what}: {end}");
            card.read_input(recorded, &mut vec![0; (octets * 100) as usize]);
            recorded = end;
        }
        let _ = card.interrupt();
    }
    let _ = card.stop_input();
    card.stop()?;
    Ok(last)
}

/// The registers of the first input; those of the first output begin at 0x100.
const INPUT: std::ops::Range<usize> = 0x80..0xA0;

/// Every register that the driver could meet: offset and octets.
fn registers() -> Vec<(usize, usize)> {
    let common = [
        (0x00, 2),
        (0x08, 4),
        (0x0C, 2),
        (0x0E, 2),
        (0x20, 4),
        (0x24, 4),
        (0x40, 4),
        (0x44, 4),
        (0x48, 2),
        (0x4A, 2),
        (0x4C, 1),
        (0x4E, 1),
        (0x50, 4),
        (0x54, 4),
        (0x58, 2),
        (0x5A, 2),
        (0x5C, 1),
        (0x5D, 1),
        (0x5E, 1),
        (0x60, 4),
        (0x64, 4),
        (0x68, 2),
        (0x70, 4),
    ];
    let stream = [
        (0x0, 1),
        (0x2, 1),
        (0x3, 1),
        (0x4, 4),
        (0x8, 4),
        (0xC, 2),
        (0x10, 2),
        (0x12, 2),
        (0x18, 4),
        (0x1C, 4),
    ];
    let of = |base| stream.map(|(offset, octets)| (base + offset, octets));
    let streams = of(INPUT.start).into_iter().chain(of(0x100));
    common.into_iter().chain(streams).collect()
}

/// Register accesses of a bring-up where nothing is broken.
fn accesses(model: Model) -> u64 {
    let machine = Machine::new(model, [(0, codecs::desktop())]);
    let card = bring_up(&machine, "nothing").expect("it comes up");
    let accesses = machine.state().accesses();
    play(card, &machine, "nothing").expect("it plays");
    accesses
}

/// Every so many steps of a run a register breaks. A run of the tests takes one step in 61, another
/// one for each register and kind, so that all together meet every one; with `AUDIODOM_EVERY_STEP`
/// in the environment each breaks at each, which takes long.
fn stride() -> usize {
    if std::env::var_os("AUDIODOM_EVERY_STEP").is_some() {
        1
    } else {
        61
    }
}

#[test]
fn each_register_stuck_at_any_step_is_named_or_endured() {
    let mut outcomes = std::collections::BTreeMap::<String, u32>::new();
    let stride = stride();
    let mut first = 0;
    let mut slowest = 0;
    for model in MODELS {
        // The last ones break while it starts, plays and records.
        let steps = 0..accesses(model) + 150;
        let kinds = [(0, false), (0xFF, false), (0xFF, true)];
        for ((offset, octets), (value, flips)) in registers()
            .into_iter()
            .flat_map(|register| kinds.map(|kind| (register, kind)))
        {
            first += 7;
            for from in steps.clone().skip(first % stride).step_by(stride) {
                let what = format!("{model:?} {offset:#x} reads {value:#x} ({flips}) from {from}");
                let stuck = Stuck {
                    offset,
                    octets,
                    value,
                    flips,
                    from,
                };
                let machine = broken_on(model, stuck);
                let before = machine.state().micros();
                let card = bring_up(&machine, &what);
                slowest = slowest.max(machine.state().micros() - before);
                let end = card.and_then(|card| play(card, &machine, &what));
                let broken_input = INPUT.contains(&offset);
                assert!(end.is_ok() || !broken_input, "{what}: {end:?}");
                let end = end.map_or_else(|error| format!("{error:?}"), |_| "played".into());
                *outcomes.entry(end).or_default() += 1;
                machine.pass(2000);
                let state = machine.state();
                assert!(state.stray().is_empty(), "{what}: {:x?}", state.stray());
            }
        }
    }
    // The faults must not all end alike, or nothing was broken.
    assert!(outcomes.len() > 6, "{outcomes:?}");
    assert!(outcomes.contains_key("StreamNoReset"), "{outcomes:?}");
    println!("brought up or named within {slowest} µs: {outcomes:?}");
}

#[test]
fn a_device_that_disappears_at_any_step_is_noticed() {
    for model in MODELS {
        let all = accesses(model);
        for from in (0..all).step_by(7) {
            let stuck = Stuck {
                offset: 0,
                octets: 0x4000,
                value: 0xFF,
                flips: false,
                from,
            };
            let machine = broken_on(model, stuck);
            let what = format!("{model:?} gone from {from}");
            let end = bring_up(&machine, &what).and_then(|card| play(card, &machine, &what));
            assert!(end.is_err(), "{what}");
            if from == 0 {
                assert_eq!(end, Err(CardError::Absent));
            }
        }
    }
}

#[test]
fn a_device_that_disappears_while_it_plays_is_called_absent() {
    let machine = broken(Faults::default());
    let mut card = bring_up(&machine, "nothing").expect("it comes up");
    card.start().expect("it starts");
    machine.pass(10_000);
    machine.state_mut().faults.stuck = Some(Stuck {
        offset: 0,
        octets: 0x4000,
        value: 0xFF,
        flips: false,
        from: 0,
    });
    let now = machine.clock().now();
    assert_eq!(card.position(now), Err(CardError::Absent));
    let _ = card.interrupt();
    let before = machine.state().micros();
    card.quiesce();
    assert!(machine.state().micros() - before < 10_000);
}

#[test]
fn a_codec_that_falls_silent_at_any_verb_is_named() {
    let machine = broken(Faults::default());
    bring_up(&machine, "nothing").expect("it comes up");
    let verbs = machine.state().verbs();
    for from in 0..verbs {
        let machine = broken(Faults {
            silent_from: Some(from),
            ..Faults::default()
        });
        match bring_up(&machine, "a silent codec") {
            // All was said that the output needs.
            Ok(mut card) => {
                assert_eq!(
                    card.start_input(),
                    Err(CardError::CodecSilent),
                    "from {from}"
                );
            }
            Err(error) => assert_eq!(error, CardError::CodecSilent, "from {from}"),
        }
    }
}

#[test]
fn silent_codecs_at_every_address_are_named_in_time() {
    let all = (0..15).map(|address| (address, codecs::qemu_output()));
    let machine = Machine::new(Model::Chip, all).with(Faults {
        silent_from: Some(0),
        ..Faults::default()
    });
    assert_eq!(error(&machine), Some(CardError::CodecSilent));
}

#[test]
fn a_silent_codec_does_not_take_the_others_along() {
    for model in MODELS {
        let silent = codecs::qemu_output().mute();
        let machine = Machine::new(model, [(0, silent), (2, codecs::laptop())]);
        let card = bring_up(&machine, "one is silent").expect("it comes up");
        assert_eq!(card.transport(), Transport::Rings);
        assert!(play(card, &machine, "one is silent").is_ok_and(|at| at > 13_500));
    }
}

#[test]
fn a_codec_that_takes_too_long_is_told_so() {
    let machine = broken(Faults {
        slow_us: 30_000,
        ..Faults::default()
    });
    assert_eq!(error(&machine), Some(CardError::TooSlow));
}

#[test]
fn a_verb_that_is_lost_now_and_then_is_asked_again() {
    for every in [2, 3, 5, 17, 100] {
        let machine = broken(Faults {
            unanswered_every: Some(every),
            ..Faults::default()
        });
        let what = format!("every {every}th verb lost");
        match bring_up(&machine, &what) {
            Ok(card) => assert_eq!(card.transport(), Transport::Immediate),
            Err(error) => assert_eq!(error, CardError::CodecSilent, "{what}"),
        }
    }
}

#[test]
fn lost_responses_are_recovered() {
    for every in [2, 3, 10, 100] {
        let machine = broken(Faults {
            overrun_every: Some(every),
            ..Faults::default()
        });
        let card = bring_up(&machine, "overruns").expect("it comes up");
        assert!(play(card, &machine, "overruns").is_ok_and(|at| at > 13_500));
    }
}

#[test]
fn unsolicited_responses_do_not_pass_for_answers() {
    for unsolicited in [1, 2, 7, 100] {
        let machine = broken(Faults {
            unsolicited,
            ..Faults::default()
        });
        let card = bring_up(&machine, "unsolicited").expect("it comes up");
        assert_eq!(card.codec().id, 0x0DE5);
        assert_eq!(card.transport(), Transport::Rings);
    }
}

#[test]
fn dead_rings_leave_immediate_commands() {
    let machine = broken(Faults {
        rings_dead: true,
        ..Faults::default()
    });
    let card = bring_up(&machine, "dead rings").expect("it comes up");
    assert_eq!(card.transport(), Transport::Immediate);
    assert!(play(card, &machine, "dead rings").is_ok_and(|at| at > 13_500));
}

#[test]
fn with_no_way_for_verbs_the_codec_is_called_silent() {
    let machine = broken(Faults {
        rings_dead: true,
        immediate_dead: true,
        ..Faults::default()
    });
    assert_eq!(error(&machine), Some(CardError::CodecSilent));
}

#[test]
fn what_is_missing_is_named() {
    let with = |codecs: Vec<(u8, Codec)>| Machine::new(Model::Chip, codecs);
    assert_eq!(error(&with(vec![])), Some(CardError::NoCodec));
    let modem = codecs::desktop().function(2);
    assert_eq!(
        error(&with(vec![(1, modem)])),
        Some(CardError::NoAudioFunction)
    );
    let pin = || Widget::new(Kind::Pin).pin(0x10, 0x0101_4010);
    let converter = |pcm| Widget::new(Kind::Dac).pcm(pcm);
    let loose = Codec::new(1, 0x2_0040, 2, vec![converter(0x2_0040), pin().from(&[9])]);
    assert_eq!(error(&with(vec![(0, loose)])), Some(CardError::NoPath));
    let slow = Codec::new(1, 0x2_0020, 2, vec![converter(0x2_0020), pin().from(&[2])]);
    assert_eq!(error(&with(vec![(0, slow)])), Some(CardError::NoFormat));
}

#[test]
fn too_few_pages_are_named_and_given_back() {
    for pages in 0..6 {
        let machine = broken(Faults::default());
        machine.state_mut().pages_left = pages;
        assert_eq!(error(&machine), Some(CardError::NoMemory), "{pages}");
    }
}

#[test]
fn noise_for_answers_ends_in_time() {
    for seed in 0..400 {
        let machine = broken(Faults {
            noise: Some(seed * 7919 + 1),
            ..Faults::default()
        });
        let what = format!("noise {seed}");
        if let Ok(card) = bring_up(&machine, &what) {
            let _ = play(card, &machine, &what);
        }
    }
}
