//! A card that fails while it plays is named in time, and plays again as soon as it can.

use drivers::hda::CardError;
use drivers::hda::card::{Card, Options};
use drivers::hda::controller::Transport;
use drivers::hda::quirks::Quirks;
use drivers::{Clock, Micros};
use tests::hda_sim::codec::{Codec, Kind, Widget};
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs, Stuck, codecs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const MODELS: [Model; 2] = [Model::Qemu, Model::Chip];
/// Within this a card whose fault is over is heard again.
const BACK_US: u64 = 500_000;
/// How long the engine waits before it tries again, the first time.
const RETRY_US: u64 = 10_000;
/// Its position in the register window: `SDnLPIB` of the first output.
const LPIB: usize = 0x104;

fn bring_up(machine: &Machine, options: &Options) -> Result<SimCard, CardError> {
    let (regs, clock) = (machine.regs(), machine.clock());
    Card::bring_up(regs, &mut machine.memory(), clock, options)
}

fn playing(machine: &Machine, interrupts: bool) -> SimCard {
    let options = Options {
        interrupts,
        ..Options::default()
    };
    let mut card = bring_up(machine, &options).expect("it comes up");
    card.start().expect("it starts");
    machine.pass(30_000);
    card.position(machine.clock().now()).expect("a position");
    card
}

/// Plays on as the engine would for `millis`; what the first fault was, and after how long.
fn watch(card: &mut SimCard, machine: &Machine, millis: u64) -> Option<(CardError, u64)> {
    let begin = machine.state().micros();
    let mut messages = machine.state().messages();
    for _ in 0..millis {
        machine.pass(1000);
        if machine.state().messages() != messages {
            messages = machine.state().messages();
            card.interrupt();
        }
        let before = machine.state().micros();
        if let Err(error) = card.position(machine.clock().now()) {
            assert!(machine.state().micros() - before < 10_000);
            return Some((error, before - begin));
        }
    }
    None
}

/// Starts the card again as the engine does until it is heard.
fn recover(card: &mut SimCard, machine: &Machine, pin: u8) -> u64 {
    let begin = machine.state().micros();
    let mut wait = RETRY_US;
    loop {
        let _ = card.stop();
        machine.pass(wait);
        wait *= 2;
        let heard = machine.heard(0, pin).samples.len();
        if card.start().is_ok() {
            machine.pass(5000);
            assert!(card.position(machine.clock().now()).is_ok());
            assert!(machine.heard(0, pin).samples.len() > heard);
            return machine.state().micros() - begin;
        }
        assert!(machine.state().micros() - begin < 60_000_000, "never");
    }
}

fn stuck(offset: usize, octets: usize, value: u8) -> Option<Stuck> {
    Some(Stuck {
        offset,
        octets,
        value,
        flips: false,
        from: 0,
    })
}

#[test]
fn dma_that_stands_still_is_noticed_and_started_again() {
    let mut slowest = 0;
    for model in MODELS {
        for interrupts in [false, true] {
            let machine = Machine::new(model, [(0, codecs::desktop())]);
            let mut card = playing(&machine, interrupts);
            for _ in 0..5 {
                let at = machine.state().micros() + 7000;
                machine.state_mut().faults.halted_at = Some(at);
                let (error, after) = watch(&mut card, &machine, 1000).expect("it is noticed");
                assert_eq!(error, CardError::PositionLost);
                let took = after + recover(&mut card, &machine, 0x14);
                assert!(took <= BACK_US, "{model:?}: {took} µs");
                slowest = slowest.max(took);
                assert_eq!(watch(&mut card, &machine, 500), None);
            }
            assert!(machine.state().stray().is_empty());
        }
    }
    println!("plays again {slowest} µs after its DMA stopped");
}

#[test]
fn a_descriptor_error_is_noticed_at_once_by_interrupt_and_soon_without() {
    for model in MODELS {
        for interrupts in [false, true] {
            let machine = Machine::new(model, [(0, codecs::desktop())]);
            let mut card = playing(&machine, interrupts);
            machine.state_mut().faults.bad_descriptor = true;
            let (error, after) = watch(&mut card, &machine, 1000).expect("it is noticed");
            assert_eq!(error, CardError::PositionLost);
            let bound = if interrupts { 10_000 } else { 230_000 };
            assert!(after <= bound, "{model:?}: {after} µs");
            assert!(after + recover(&mut card, &machine, 0x14) <= BACK_US);
            assert_eq!(watch(&mut card, &machine, 500), None);
        }
    }
}

#[test]
fn a_controller_that_is_gone_for_a_while_plays_again() {
    for model in MODELS {
        let machine = Machine::new(model, [(0, codecs::laptop())]);
        let mut card = playing(&machine, false);
        machine.state_mut().faults.stuck = stuck(0, 0x4000, 0xFF);
        let (error, after) = watch(&mut card, &machine, 100).expect("it is noticed");
        assert_eq!((error, after), (CardError::Absent, after.min(2000)));
        for _ in 0..20 {
            let before = machine.state().micros();
            assert_eq!(card.start(), Err(CardError::Absent));
            assert!(machine.state().micros() - before < 1000);
            machine.pass(50_000);
        }
        machine.state_mut().faults.stuck = None;
        assert!(recover(&mut card, &machine, 0x1C) <= BACK_US);
        assert_eq!(watch(&mut card, &machine, 500), None);
        assert_eq!(machine.state().violations(), [""; 0]);
    }
}

#[test]
fn a_codec_that_dies_is_tried_again_within_bounds() {
    for model in MODELS {
        let machine = Machine::new(model, [(0, codecs::laptop())]);
        let mut card = playing(&machine, false);
        card.quiesce();
        machine.state_mut().faults.silent_from = Some(0);
        for _ in 0..10 {
            let before = machine.state().micros();
            assert_eq!(card.start(), Err(CardError::CodecSilent));
            assert!(machine.state().micros() - before < 100_000);
            assert!(!machine.state().running());
        }
        machine.state_mut().faults.silent_from = None;
        assert!(recover(&mut card, &machine, 0x1C) <= BACK_US);
        assert_eq!(watch(&mut card, &machine, 500), None);
    }
}

#[test]
fn a_link_position_that_lies_gives_way_to_the_position_buffer() {
    for model in MODELS {
        for value in [0, 0x12, 0xFF] {
            let machine = Machine::new(model, [(0, codecs::desktop())]).with(Faults {
                stuck: stuck(LPIB, 4, value),
                ..Faults::default()
            });
            let mut card = bring_up(&machine, &Options::default()).expect("it comes up");
            card.start().expect("it starts");
            let begin = machine.state().micros();
            assert_eq!(watch(&mut card, &machine, 2000), None, "{value:#x}");
            let now = machine.clock().now();
            let frames = (now.0 - begin) * 48 / 1000;
            let position = card.position(now).expect("a position");
            assert!(position.abs_diff(frames) < 100, "{position} {frames}");
        }
    }
}

#[test]
fn a_position_lost_both_ways_is_lost() {
    for model in MODELS {
        let machine = Machine::new(model, [(0, codecs::desktop())]);
        let mut card = playing(&machine, false);
        let mut state = machine.state_mut();
        state.faults.stuck = stuck(LPIB, 4, 0);
        state.faults.buffer_dead = true;
        drop(state);
        let (error, after) = watch(&mut card, &machine, 1000).expect("it is noticed");
        assert_eq!(error, CardError::PositionLost);
        assert!(after < 230_000, "{after} µs");
    }
}

#[test]
fn a_position_that_jumps_never_runs_away_from_time() {
    for model in MODELS {
        for seed in 0..40 {
            let machine = Machine::new(model, [(0, codecs::desktop())]);
            let mut card = playing(&machine, false);
            machine.state_mut().faults.link_noise = Some(seed);
            let slack = card.ring_frames() as u64;
            let begin = machine.state().micros();
            let base = card.position(machine.clock().now()).expect("a position");
            let mut last = 0;
            for _ in 0..500 {
                machine.pass(1000);
                let now = machine.clock().now();
                let Ok(position) = card.position(now) else {
                    recover(&mut card, &machine, 0x14);
                    break;
                };
                let frames = base + (now.0 - begin) * 48 / 1000;
                assert!(position >= last);
                assert!(position <= frames + frames / 32 + slack);
                last = position;
            }
        }
    }
}

#[test]
fn lost_interrupts_are_not_missed() {
    for model in MODELS {
        let machine = Machine::new(model, [(0, codecs::desktop())]).with(Faults {
            deaf: true,
            ..Faults::default()
        });
        let mut card = playing(&machine, true);
        assert_eq!(watch(&mut card, &machine, 2000), None);
        assert_eq!(machine.state().messages(), 0);
    }
}

#[test]
fn a_storm_of_interrupts_is_switched_off_and_the_card_plays_on() {
    for model in MODELS {
        let machine = Machine::new(model, [(0, codecs::desktop())]);
        let mut card = playing(&machine, true);
        let begin = machine.state().micros();
        let mut served = 0;
        while !card.interrupt().storm {
            served += 1;
            machine.pass(10);
            assert!(served < 1000);
        }
        assert!(machine.state().micros() - begin < 100_000);
        let messages = machine.state().messages();
        assert_eq!(watch(&mut card, &machine, 1000), None);
        assert_eq!(machine.state().messages(), messages, "{model:?}");
    }
}

#[test]
fn controllers_have_outputs_or_streams_that_can_be_or_are_told_so() {
    for (inputs, outputs, both) in [(4, 4, 0), (0, 1, 0), (4, 0, 4), (0, 0, 1), (1, 1, 6)] {
        for model in MODELS {
            let machine = Machine::new(model, [(0, codecs::desktop())]);
            let machine = machine.streams(inputs, outputs, both);
            let mut card = playing(&machine, false);
            assert_eq!(watch(&mut card, &machine, 200), None);
            assert!(machine.heard(0, 0x14).samples.len() > 60_000);
        }
    }
    let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]).streams(4, 0, 0);
    let error = bring_up(&machine, &Options::default()).err();
    assert_eq!(error, Some(CardError::NoOutputStream));
}

#[test]
fn quirks_shape_what_the_controller_is_given() {
    let with = |quirks| Options {
        quirks,
        ..Options::default()
    };
    let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]);
    let lunar_lake = with(Quirks::of(0xA828_8086));
    let card = bring_up(&machine, &lunar_lake).expect("it comes up");
    assert_eq!(card.transport(), Transport::Immediate);

    for (id, below) in [(0x15E3_1022, 1 << 40), (0x0012_1102, 1 << 32)] {
        let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]);
        machine.state_mut().next_page = 1 << 41;
        let mut card = bring_up(&machine, &with(Quirks::of(id))).expect("it comes up");
        card.start().expect("it starts");
        machine.pass(20_000);
        assert!(machine.state().addresses().all(|address| address < below));
        assert!(!machine.heard(0, 0x14).samples.is_empty());
    }

    let mut ahead = Vec::new();
    for id in [0x293E_8086, 0x27D8_8086] {
        let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]).with(Faults {
            fifo_writable: true,
            ..Faults::default()
        });
        let mut card = bring_up(&machine, &with(Quirks::of(id))).expect("it comes up");
        card.start().expect("it starts");
        assert_eq!(watch(&mut card, &machine, 100), None);
        ahead.push(card.fetch_ahead());
    }
    assert_eq!(ahead, [24, 16]);
}

#[test]
fn a_displays_codec_alone_is_called_that_and_beside_another_it_is_let_be() {
    let display = || {
        let pin = Widget::new(Kind::Pin).digital().pin(0x94, 0x1856_0010);
        let dac = Widget::new(Kind::Dac).pcm(0x2_0040).digital();
        Codec::new(0x8086_280B, 0x2_0040, 2, vec![dac, pin.from(&[2])])
    };
    for model in MODELS {
        let machine = Machine::new(model, [(2, display())]);
        let error = bring_up(&machine, &Options::default()).err();
        assert_eq!(error, Some(CardError::NoAnalog));
        for other in [display(), display().mute()] {
            let machine = Machine::new(model, [(0, other), (2, codecs::laptop())]);
            let card = bring_up(&machine, &Options::default()).expect("it comes up");
            assert_eq!(card.codec().address.get(), 2);
        }
    }
}

#[test]
fn any_one_verb_may_be_lost() {
    for model in MODELS {
        let machine = Machine::new(model, [(0, codecs::desktop())]);
        bring_up(&machine, &Options::default()).expect("it comes up");
        for verb in 0..machine.state().verbs() {
            let machine = Machine::new(model, [(0, codecs::desktop())]).with(Faults {
                unanswered_at: Some(verb),
                ..Faults::default()
            });
            let before = machine.state().micros();
            let mut card = bring_up(&machine, &Options::default()).expect("it comes up");
            let took = machine.state().micros() - before;
            assert!(took < 200_000, "{model:?}, verb {verb}: {took} µs");
            card.start().expect("it starts");
            machine.pass(20_000);
            assert!(!machine.heard(0, 0x14).samples.is_empty(), "verb {verb}");
        }
    }
}

#[test]
fn one_answer_in_a_hundred_lost_is_endured() {
    let (mut came_up, mut slowest) = (0, Micros(0));
    for seed in 0..200 {
        for model in MODELS {
            let machine = Machine::new(model, [(0, codecs::desktop())]).with(Faults {
                unanswered_some: Some(seed * 7919),
                ..Faults::default()
            });
            let before = machine.clock().now();
            let card = bring_up(&machine, &Options::default());
            let took = machine.clock().now().since(before);
            assert!(took < Micros::millis(2000), "{seed}: {took:?}");
            slowest = slowest.max(took);
            match card {
                Ok(_) => came_up += 1,
                Err(error) => assert_eq!(error, CardError::CodecSilent),
            }
        }
    }
    assert!(came_up >= 380, "{came_up} of 400");
    println!("{came_up} of 400 came up, the slowest within {slowest:?}");
}
