//! A guest is heard where it is routed to and nowhere else, as the card hears it.

use ring_backend::control::DataPlane;
use ring_backend::link::{DeviceSlot, Direction, StreamConfig};
use ring_backend::policy::Policy;
use ring_backend::route::{Routes, Terminal, Terminals};
use ring_backend::world::DomId;
use tests::fake::front;
use tests::fake::frontend::Params;
use tests::fake::stage::{Stage, liberal};

const BOTH: Terminals = Terminals::ALL;

fn routes(live: Terminal) -> Routes {
    let present = Terminals::default()
        .with(Terminal::Speaker)
        .with(Terminal::Headphone)
        .with(Terminal::Mic)
        .with(Terminal::FrontMic);
    Routes {
        present,
        live: Terminals::default().with(live),
    }
}

fn only(output: Terminal) -> Policy {
    Policy {
        output: Some(output),
        ..Policy::default()
    }
}

fn called(name: &str, direction: Direction) -> StreamConfig {
    StreamConfig {
        unique_id: name.try_into().expect("it fits"),
        ..liberal(direction)
    }
}

/// Whether anything is heard of the next tenth of a second, once what was mixed before is over.
fn sounds(stage: &mut Stage) -> bool {
    stage.run_millis(100);
    let before = stage.card.as_ref().expect("a card").samples().len();
    stage.run_millis(100);
    let heard = stage.card.as_ref().expect("a card").samples();
    heard[before..].iter().any(|sample| *sample != 0)
}

fn plug(stage: &mut Stage, live: Terminal) {
    stage.card.as_mut().expect("a card").routes = routes(live);
}

#[test]
fn a_guest_s_route_counts_at_once_whatever_is_plugged_in_and_out() {
    let mut stage = Stage::new();
    plug(&mut stage, Terminal::Speaker);
    let sound = [0x00, 0x20].repeat(2 * 48_000 * 4);
    stage.play(1, Params::stereo(4800, 1200), sound);
    assert!(sounds(&mut stage));
    stage.plane.set_policy(DomId(1), only(Terminal::Headphone));
    assert!(!sounds(&mut stage), "the speaker sounds");
    plug(&mut stage, Terminal::Headphone);
    assert!(sounds(&mut stage), "the headphones do now");
    plug(&mut stage, Terminal::Speaker);
    assert!(!sounds(&mut stage));
    stage.plane.set_policy(DomId(1), only(Terminal::Speaker));
    assert!(sounds(&mut stage));
    stage.plane.set_policy(DomId(1), Policy::default());
    plug(&mut stage, Terminal::Headphone);
    assert!(sounds(&mut stage), "routed nowhere, heard everywhere");
    assert_eq!(DataPlane::misrouted(&stage.plane, DeviceSlot(0)), None);
    stage.plane.set_policy(DomId(1), only(Terminal::Digital));
    assert!(!sounds(&mut stage));
    let told = DataPlane::misrouted(&stage.plane, DeviceSlot(0)).expect("there is none");
    let wanted = "output: the card has no digital, but speaker,headphone,mic,front-mic: silent";
    assert_eq!(told.to_string(), wanted);
}

#[test]
fn a_stream_that_is_called_as_an_output_is_heard_there() {
    for (name, live, heard) in [
        ("speaker", Terminal::Speaker, true),
        ("speaker", Terminal::Headphone, false),
        ("main", Terminal::Headphone, true),
        ("mic", Terminal::Headphone, true),
        ("digital", Terminal::Headphone, false),
    ] {
        let mut stage = Stage::new();
        plug(&mut stage, live);
        stage.poll();
        let (slot, mut front) = stage.connect(1, called(name, Direction::Playback));
        // As the control plane does once it is connected.
        stage.plane.set_policy(DomId(1), Policy::default());
        let params = Params::stereo(48_000, 4800);
        let buffer = stage.open(&mut front, params);
        buffer.write(0, &[0x00, 0x20].repeat(2 * 48_000));
        let length = 4 * 48_000;
        assert_eq!(stage.status(&mut front, front::span(3, 0, length)), 0);
        assert_eq!(stage.status(&mut front, front::trigger(0)), 0);
        assert_eq!(sounds(&mut stage), heard, "{name}, {live:?}");
        let told = DataPlane::misrouted(&stage.plane, slot).map(|told| told.to_string());
        let wanted = "unique-id of stream 0: the card has no digital, but speaker,headphone,mic,front-mic: silent";
        assert_eq!(told, (name == "digital").then(|| wanted.to_owned()));
    }
}

#[test]
fn a_stream_that_is_called_as_an_input_hears_while_that_is_recorded_from() {
    // A microphone by its place is one, any microphone is whatever is recorded from.
    for (name, elsewhere) in [("front-mic", false), ("mic", true)] {
        hears_by_name(name, elsewhere);
    }
}

fn hears_by_name(name: &str, elsewhere: bool) {
    let mut stage = Stage::new();
    let (slot, mut front) = stage.connect(1, called(name, Direction::Capture));
    let hears = |stage: &Stage| stage.plane.statistics(slot, 0).expect("a stream").hears;
    let allowed = Policy {
        microphone: true,
        ..Policy::default()
    };
    stage.plane.set_policy(DomId(1), allowed);
    stage.open(&mut front, Params::stereo(4800, 1200));
    assert_eq!(stage.status(&mut front, front::trigger(0)), 0);
    assert!(hears(&stage), "nothing else is known");
    for (live, wanted) in [(Terminal::LineIn, elsewhere), (Terminal::FrontMic, true)] {
        plug(&mut stage, live);
        stage.poll();
        assert_eq!(hears(&stage), wanted, "{name}, {live:?}");
    }
    assert!(BOTH.has(Terminal::LineIn));
    stage.plane.set_policy(DomId(1), Policy::default());
    assert!(!hears(&stage), "a name is no leave");
}
