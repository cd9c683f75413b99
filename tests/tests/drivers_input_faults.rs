//! An input that fails is named in time, costs the output nothing, and records again.

use drivers::Clock;
use drivers::hda::CardError;
use drivers::hda::card::{Card, Options};
use tests::hda_sim::{Machine, Model, SimClock, SimPage, SimRegs, Stuck, codecs, heard_at};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const MODELS: [Model; 2] = [Model::Qemu, Model::Chip];
const MIC: u8 = 0x18;

/// A card that plays and records.
fn busy(model: Model) -> (SimCard, Machine) {
    let machine = Machine::new(model, [(0, codecs::desktop())]);
    let (regs, clock) = (machine.regs(), machine.clock());
    let mut memory = machine.memory();
    let card = Card::bring_up(regs, &mut memory, clock, &Options::default());
    let mut card = card.expect("it comes up");
    card.start().expect("it plays");
    card.start_input().expect("it records");
    check(&mut card, &machine);
    (card, machine)
}

/// Fails unless the input, started just now, brings what its pin hears.
fn check(card: &mut SimCard, machine: &Machine) {
    let octets = card.input_format().expect("an input").frame_octets();
    machine.pass(20_000);
    let end = card
        .input_position(machine.clock().now())
        .expect("a position");
    assert!(end > 800, "{end}");
    let mut recorded = vec![0; end as usize * octets];
    card.read_input(0, &mut recorded);
    let same = |(at, octet): (u64, &u8)| *octet == heard_at(MIC, at);
    assert!((0..).zip(&recorded).all(same), "what the pin hears");
}

/// Asks for the input's position until it is lost; why, and after how long.
fn watch(card: &mut SimCard, machine: &Machine) -> (CardError, u64) {
    let begin = machine.state().micros();
    loop {
        machine.pass(1000);
        let now = machine.clock().now();
        if let Err(error) = card.input_position(now) {
            return (error, now.0 - begin);
        }
        assert!(now.0 - begin < 1_000_000, "never noticed");
    }
}

/// Records again, as the backend does, which looks after the input alone.
fn again(card: &mut SimCard, machine: &Machine) {
    let _ = card.stop_input();
    machine.pass(1_000_000);
    card.start_input().expect("it records again");
    check(card, machine);
    assert_eq!(machine.state().violations(), [""; 0]);
    assert!(machine.state().stray().is_empty());
}

#[test]
fn dma_that_stands_still_is_noticed_and_started_again() {
    for model in MODELS {
        let (mut card, machine) = busy(model);
        card.stop().expect("it plays no more");
        for _ in 0..3 {
            let at = machine.state().micros();
            machine.state_mut().faults.halted_at = Some(at);
            let (error, after) = watch(&mut card, &machine);
            assert_eq!(error, CardError::PositionLost);
            assert!(after <= 230_000, "{model:?}: {after} µs");
            again(&mut card, &machine);
        }
    }
}

#[test]
fn a_descriptor_error_is_noticed_and_the_output_plays_on() {
    for model in MODELS {
        let (mut card, machine) = busy(model);
        card.stop().expect("it plays no more");
        machine.state_mut().faults.bad_descriptor = true;
        machine.pass(2000);
        card.start().expect("it plays");
        let (error, after) = watch(&mut card, &machine);
        assert_eq!(error, CardError::PositionLost);
        assert!(after <= 230_000, "{model:?}: {after} µs");
        let position = card.position(machine.clock().now());
        assert!(position.is_ok_and(|at| at > after * 48 / 1000 - 100));
        again(&mut card, &machine);
        let later = card.position(machine.clock().now());
        assert!(later.is_ok_and(|at| at > 48_000), "{later:?}");
    }
}

#[test]
fn a_controller_that_is_gone_for_a_while_records_again() {
    for model in MODELS {
        let (mut card, machine) = busy(model);
        machine.state_mut().faults.stuck = Some(Stuck {
            offset: 0,
            octets: 0x4000,
            value: 0xFF,
            flips: false,
            from: 0,
        });
        let (error, after) = watch(&mut card, &machine);
        assert_eq!((error, after), (CardError::Absent, after.min(2000)));
        for _ in 0..20 {
            let before = machine.state().micros();
            let _ = card.stop_input();
            assert!(card.start_input().is_err());
            assert!(machine.state().micros() - before < 100_000);
            machine.pass(50_000);
        }
        machine.state_mut().faults.stuck = None;
        again(&mut card, &machine);
        card.start().expect("it plays");
    }
}

#[test]
fn an_output_that_recovers_takes_the_input_along_and_it_records_again() {
    for model in MODELS {
        let (mut card, machine) = busy(model);
        for _ in 0..3 {
            // The output lost its position.
            card.quiesce();
            let now = machine.clock().now();
            assert_eq!(card.input_position(now), Err(CardError::PositionLost));
            card.start().expect("it plays");
            assert_eq!(card.input_position(now), Err(CardError::PositionLost));
            again(&mut card, &machine);
            assert!(card.position(machine.clock().now()).is_ok());
        }
    }
}
