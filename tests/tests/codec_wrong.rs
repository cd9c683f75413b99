//! The whole driver against codecs that are made wrong: it brings them up or says why not, in time,
//! and sets nothing that they do not declare. And against right ones that lose answers.
//!
//! Without the corpus only the project's own codecs are made wrong, and that is said.

use std::collections::BTreeMap;

use drivers::Clock;
use drivers::hda::card::{Card, Options};
use drivers::hda::choice::{Choice, Sounding};
use drivers::hda::levels::Levels;
use drivers::hda::pins::Purpose;
use tests::fake::seed::Seed;
use tests::hda_sim::codec::Codec;
use tests::hda_sim::corpus::Corpus;
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs, codecs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

/// How many wrong codecs are tried; `AUDIODOM_WRONG` says another number.
fn wrong() -> u32 {
    let said = std::env::var("AUDIODOM_WRONG").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(1_500)
}

/// Runs one step of a card's life, which may hold the domain's loop for so long.
fn within<T>(machine: &Machine, most: u64, what: &str, step: impl FnOnce() -> T) -> T {
    let before = machine.state().micros();
    let done = step();
    let took = machine.state().micros() - before;
    assert!(took <= most, "{what}: {took} µs");
    done
}

/// Plays, records, plugs, turns and rests, in an order that the seed decides.
fn live(card: &mut SimCard, machine: &Machine, seed: &mut Seed, what: &str) {
    let pins = machine.state().codec(0).expect("a codec").all_pins();
    for _ in 0..12 {
        match seed.below(8) {
            0 => {
                let _ = within(machine, 600_000, what, || card.start());
            }
            1 => {
                let _ = within(machine, 600_000, what, || card.start_input());
            }
            2 => {
                let _ = within(machine, 50_000, what, || card.stop());
            }
            3 => {
                let _ = within(machine, 50_000, what, || card.stop_input());
            }
            4 if !pins.is_empty() => {
                let pin = pins[seed.below(pins.len() as u64) as usize];
                machine.plug(0, pin, seed.below(2) == 0);
            }
            5 => {
                let levels = Levels {
                    volume: -(seed.below(100_000) as i32),
                    muted: seed.below(3) == 0,
                    gain: seed.below(80_000) as i32 - 40_000,
                    choice: Choice {
                        sounding: match seed.below(4) {
                            0 => Sounding::All,
                            1 => Sounding::Only(Purpose::Speaker),
                            2 => Sounding::Digital,
                            _ => Sounding::Sensed,
                        },
                        pickup: None,
                    },
                };
                let _ = within(machine, 50_000, what, || card.set_levels(levels));
                assert!(!card.levels().to_string().is_empty());
            }
            6 => {
                let _ = (card.stop(), card.stop_input());
                for _ in 0..40 {
                    let now = machine.clock().now();
                    let Some(next) = within(machine, 50_000, what, || card.rest(now)) else {
                        break;
                    };
                    machine.pass(next.since(now).0 + 1);
                }
            }
            _ => machine.pass(20_000),
        }
        for _ in 0..4 {
            machine.pass(5_000);
            let now = machine.clock().now();
            within(machine, 50_000, what, || card.follow_jacks(now));
            let _ = (card.position(now), card.input_position(now));
        }
        assert!(!card.shown().to_string().is_empty());
    }
}

#[test]
fn codecs_made_wrong_cost_no_more_than_themselves() {
    let known = codecs::all().into_iter().map(|known| known.codec);
    let real = Corpus::find().map(|corpus| corpus.codecs().expect("codecs"));
    let real = real.into_iter().flatten().map(|(_, codec)| codec);
    let all: Vec<Codec> = known.chain(real).collect();
    let mut seed = Seed::new(11);
    let mut ends = BTreeMap::<String, u32>::new();
    for at in 0..wrong() {
        // A step that shares no factor with their number meets all.
        let mut codec = all[at as usize * 769 % all.len()].clone();
        for _ in 0..1 + seed.below(8) {
            codec.damage(&mut seed);
        }
        let what = format!("codec {at}");
        let machine = Machine::new(Model::Chip, [(0, codec)]);
        let mut memory = machine.memory();
        let card = within(&machine, 2_000_000, &what, || {
            let (regs, clock) = (machine.regs(), machine.clock());
            Card::bring_up(regs, &mut memory, clock, &Options::default())
        });
        let end = match card {
            Ok(mut card) => {
                live(&mut card, &machine, &mut seed, &what);
                card.shut_down();
                "lived".to_string()
            }
            Err(error) => format!("{error:?}"),
        };
        *ends.entry(end).or_default() += 1;
        let state = machine.state();
        assert!(!state.running(), "{what}");
        assert!(state.stray().is_empty(), "{what}");
        assert_eq!(state.codec(0).expect("a codec").blind_sets(), 0, "{what}");
        assert_eq!(state.violations(), [""; 0], "{what}");
    }
    println!("{ends:?}");
    assert!(ends.get("lived").is_some_and(|&lived| lived > wrong() / 4));
}

#[test]
fn a_life_in_which_answers_are_lost_ends_as_if_none_had_been() {
    let mut seed = Seed::new(12);
    for round in 0..60 {
        for known in codecs::all() {
            let what = format!("{} {round}", known.name);
            let machine = Machine::new(Model::Chip, [(0, known.codec.clone())]);
            let mut memory = machine.memory();
            let (regs, clock) = (machine.regs(), machine.clock());
            let card = Card::bring_up(regs, &mut memory, clock, &Options::default());
            let mut card = card.expect("it comes up");
            machine.state_mut().faults.unanswered_some = Some(round * 7919 + 1);
            live(&mut card, &machine, &mut seed, &what);
            machine.state_mut().faults = Faults::default();
            let _ = (card.stop(), card.stop_input());
            card.set_levels(Levels::default()).expect("it answers");
            // From its rest everything is set up anew.
            for _ in 0..40 {
                let now = machine.clock().now();
                let Some(next) = card.rest(now) else { break };
                machine.pass(next.since(now).0 + 1);
            }
            card.start().expect("it plays");
            machine.forget_heard();
            machine.pass(20_000);
            for &pin in known.pins {
                let plugged_off = machine.heard(0, pin).samples.is_empty();
                assert!(!plugged_off, "{what}: {pin:#x}");
            }
            if card.input_format().is_some() {
                card.start_input().expect("it records");
                machine.pass(20_000);
                let now = machine.clock().now();
                assert!(card.input_position(now).is_ok_and(|at| at > 700), "{what}");
            }
            assert_eq!(machine.state().violations(), [""; 0], "{what}");
        }
    }
}
