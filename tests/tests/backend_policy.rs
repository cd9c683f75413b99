//! What dom0 lets a guest do, as the card hears it.

use ring_backend::control::DataPlane;
use ring_backend::link::{DeviceSlot, Direction};
use ring_backend::policy::Policy;
use ring_backend::world::DomId;
use std::f64::consts::TAU;
use tests::fake::front;
use tests::fake::frontend::Params;
use tests::fake::stage::{Stage, liberal};

/// Samples of a second of stereo.
const SECOND: usize = 2 * 48_000;

/// A tone of one second for each of `seconds`, both channels the same.
fn tone(hertz: f64, seconds: usize) -> Vec<u8> {
    (0..seconds * 48_000)
        .map(|frame| TAU * hertz * frame as f64 / 48_000.0)
        .map(|phase| (8000.0 * phase.sin()).round() as i16)
        .flat_map(|sample| [sample, sample])
        .flat_map(i16::to_le_bytes)
        .collect()
}

/// The level of a part, in dB of a full sine.
fn level(samples: &[i16]) -> f64 {
    let square: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    10.0 * (2.0 * square / samples.len() as f64 / 32_768.0_f64.powi(2)).log10()
}

/// The largest bend between three samples of one channel: a click has a large one.
fn bend(samples: &[i16]) -> i32 {
    let left: Vec<i32> = samples.iter().step_by(2).map(|&s| i32::from(s)).collect();
    let bends = left.windows(3).map(|w| (w[0] - 2 * w[1] + w[2]).abs());
    bends.max().unwrap_or(0)
}

/// What is heard in the middle of the `n`th half second since the first sound.
fn half(heard: &[i16], n: usize) -> &[i16] {
    let first = heard.iter().position(|s| *s != 0).expect("sound");
    let at = first + n * SECOND / 2 + SECOND / 5;
    &heard[at..at + SECOND / 5]
}

#[test]
fn volume_and_mute_of_one_guest_change_its_sound_live_and_nobody_elses() {
    let mut stage = Stage::new();
    stage.play(1, Params::stereo(4800, 1200), tone(1000.0, 3));
    let steps = [
        (
            Policy {
                volume: -6_000,
                ..Policy::default()
            },
            1,
        ),
        (
            Policy {
                volume: -6_000,
                muted: true,
                ..Policy::default()
            },
            1,
        ),
        (
            Policy {
                volume: -20_000,
                ..Policy::default()
            },
            1,
        ),
        (Policy::default(), 1),
        // Another guest's policy is none of its business.
        (
            Policy {
                muted: true,
                ..Policy::default()
            },
            2,
        ),
    ];
    stage.run_millis(500);
    for (policy, dom) in steps {
        stage.plane.set_policy(DomId(dom), policy);
        stage.run_millis(500);
    }
    stage.run_to_the_end(4);
    let heard = stage.card.as_ref().unwrap().samples();
    let whole = level(half(&heard, 0));
    for (n, wanted) in [(1, -6.0), (3, -20.0), (4, 0.0), (5, 0.0)] {
        let change = level(half(&heard, n)) - whole;
        assert!((change - wanted).abs() < 0.05, "step {n}: {change} dB");
    }
    assert!(half(&heard, 2).iter().all(|s| *s == 0), "muted is silent");
    let first = heard.iter().position(|s| *s != 0).unwrap() & !1;
    let steady = bend(half(&heard, 0));
    let loudest = bend(&heard[first..first + 5 * SECOND / 2]);
    assert!(
        loudest <= steady + steady / 4,
        "a click: {loudest}, a tone alone has {steady}"
    );
}

#[test]
fn a_guest_cannot_unmute_itself_and_its_own_volume_is_multiplied() {
    let mut stage = Stage::new();
    let (_, mut front) = stage.connect(1, liberal(Direction::Playback));
    let params = Params::stereo(48_000, 4800);
    stage.plane.set_policy(
        DomId(1),
        Policy {
            volume: -20_000,
            ..Policy::default()
        },
    );
    let buffer = stage.open(&mut front, params);
    let sound = tone(1000.0, 1);
    buffer.write(0, &sound);
    let set = |stage: &mut Stage, front: &mut _, operation, octets: &[u8]| {
        buffer.write(0, octets);
        let length = u32::try_from(octets.len()).unwrap();
        assert_eq!(stage.status(front, front::span(operation, 0, length)), 0);
        buffer.write(0, &sound[..octets.len()]);
    };
    let volume = |milli_db: i32| [milli_db.to_le_bytes(); 2].concat();
    // -10 dB of its own on top of dom0's -20; then as loud as it can ask for.
    for (n, own) in [-10_000, i32::MAX, 0].into_iter().enumerate() {
        set(&mut stage, &mut front, 4, &volume(own));
        if n == 2 {
            let muted = Policy {
                muted: true,
                ..Policy::default()
            };
            stage.plane.set_policy(DomId(1), muted);
            set(&mut stage, &mut front, 7, &[1, 1]);
        }
        let length = u32::try_from(sound.len()).unwrap();
        assert_eq!(stage.status(&mut front, front::span(3, 0, length)), 0);
        assert_eq!(stage.status(&mut front, front::trigger(0)), 0);
        stage.run_millis(800);
        assert_eq!(stage.status(&mut front, front::trigger(2)), 0);
        stage.run_millis(1000);
        // The card begins anew with each; what it heard before stays.
        let heard = stage.card.as_ref().unwrap().samples();
        let (whole, wanted) = (20.0 * (8000.0_f64 / 32_768.0).log10(), [-30.0, -13.98]);
        match wanted.get(n) {
            Some(wanted) => {
                let last = heard.iter().rposition(|s| *s != 0).expect("sound") & !1;
                let change = level(&heard[last - SECOND / 2..last - SECOND / 10]) - whole;
                assert!((change - wanted).abs() < 0.05, "{own}: {change} dB");
            }
            None => assert!(heard[heard.len() - SECOND..].iter().all(|s| *s == 0)),
        }
    }
}

#[test]
fn a_level_is_measured_while_somebody_asks_for_it() {
    let mut stage = Stage::new();
    stage.play(1, Params::stereo(4800, 1200), tone(1000.0, 9));
    let slot = DeviceSlot(0);
    let peak = |stage: &Stage| stage.plane.statistics(slot, 0).expect("a stream").peak;
    stage.run_millis(1000);
    assert_eq!(peak(&stage), 0, "nobody asked");
    stage.plane.set_policy(
        DomId(1),
        Policy {
            muted: true,
            ..Policy::default()
        },
    );
    DataPlane::meter(&mut stage.plane, stage.now);
    stage.run_millis(1000);
    let measured = peak(&stage);
    assert!(
        (7999..=8000).contains(&measured),
        "{measured}, before any volume"
    );
    stage.run_millis(4000);
    assert_eq!(peak(&stage), 0, "nobody looks any more");
}

#[test]
fn who_hears_the_microphone_is_known_whatever_the_guest_does() {
    let mut stage = Stage::new();
    let (slot, mut front) = stage.connect(1, liberal(Direction::Capture));
    let hears = |stage: &Stage| stage.plane.statistics(slot, 0).expect("a stream").hears;
    stage.open(&mut front, Params::stereo(4800, 1200));
    let allowed = Policy {
        microphone: true,
        ..Policy::default()
    };
    stage.plane.set_policy(DomId(1), allowed);
    assert!(!hears(&stage), "it does not record");
    assert_eq!(stage.status(&mut front, front::trigger(0)), 0);
    assert!(hears(&stage));
    stage.plane.set_policy(DomId(1), Policy::default());
    assert!(!hears(&stage), "it gets zeros");
    stage.plane.set_policy(DomId(1), allowed);
    assert!(hears(&stage));
    assert_eq!(stage.status(&mut front, front::trigger(2)), 0);
    assert!(!hears(&stage));
}

#[test]
fn a_level_is_not_shown_of_who_was_there_before() {
    let mut stage = Stage::new();
    stage.play(1, Params::stereo(4800, 1200), tone(1000.0, 1));
    DataPlane::meter(&mut stage.plane, stage.now);
    stage.run_millis(400);
    let peak = |stage: &Stage, slot| stage.plane.statistics(slot, 0).expect("a stream").peak;
    assert!(peak(&stage, DeviceSlot(0)) > 7_000);
    stage.players.clear();
    stage.plane.disconnect(DeviceSlot(0), &mut stage.xen);
    let (slot, _) = stage.connect(2, liberal(Direction::Playback));
    assert_eq!(peak(&stage, slot), 0);
}
