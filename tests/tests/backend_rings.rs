//! What a guest may try on its request ring, and what it gets. Each test is named after what it
//! prevents; the advisory it comes from stands beside it.

use ring_backend::link::Direction;
use ring_backend::plane::DeviceFault;
use tests::fake::front::{self, Front};
use tests::fake::frontend::Params;
use tests::fake::stage::{Stage, liberal};

const EIO: i32 = -5;
const EINVAL: i32 = -22;
const EOPNOTSUPP: i32 = -95;
const WRITE: u8 = 3;
const START: u8 = 0;
const STOP: u8 = 2;

fn playback(stage: &mut Stage) -> Front {
    stage.connect(1, liberal(Direction::Playback)).1
}

/// XSA-39, QSB-010, and the gap in Xen's own test: a producer that moved backwards.
#[test]
fn an_impossible_producer_ends_its_stream_and_is_not_believed_again() {
    for jump in [33, 34, 1000, u32::MAX - 5, u32::MAX, 0x8000_0000] {
        let mut stage = Stage::new();
        let mut front = playback(&mut stage);
        let mut other = stage.connect(2, liberal(Direction::Playback)).1;
        stage.open(&mut front, Params::stereo(1024, 256));
        let good = front.ring.word(0);
        front.ring.put_word(0, good.wrapping_add(jump));
        front.xen.guest_notify(front.dom, front.ring_port);
        stage.run_millis(2);
        assert_eq!(
            stage.xen.held(),
            (2, 2),
            "jump {jump}: only the other's are held"
        );
        assert_eq!(stage.plane.free_octets(), 1 << 20);
        let fault = stage.plane.take_fault();
        let slot = ring_backend::link::DeviceSlot(0);
        assert_eq!(fault, Some((slot, DeviceFault::BrokenRing(0))));
        assert_eq!(stage.plane.take_fault(), None, "said once");
        assert_eq!(stage.due(), None, "it keeps nobody awake");
        front.ring.put_word(0, good);
        assert_eq!(
            stage.ask(&mut front, front::close()),
            None,
            "not resynchronised"
        );
        stage.open(&mut other, Params::stereo(1024, 256));
        stage.plane.disconnect(slot, &mut stage.xen);
    }
}

/// vhost-device-sound drops the rest of a batch after one bad request.
#[test]
fn a_bad_request_in_a_full_ring_does_not_cost_the_others_their_answers() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    stage.open(&mut front, Params::stereo(1024, 256));
    for _ in 0..31 {
        front.place(&front::packet(200));
    }
    front.place(&front::trigger(STOP));
    front.xen.guest_notify(front.dom, front.ring_port);
    stage.run_millis(20);
    let statuses: Vec<_> = std::iter::from_fn(|| front.response())
        .map(|response| response.status)
        .collect();
    assert_eq!(statuses[..31], [EOPNOTSUPP; 31]);
    assert_eq!(statuses[31..], [0]);
}

/// XSA-216.
#[test]
fn no_answer_holds_anything_but_what_it_says() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    stage.open(&mut front, Params::stereo(1024, 256));
    for operation in (0..=255).filter(|operation| *operation != 9) {
        let answer = stage.ask(&mut front, front::packet(operation)).unwrap();
        assert_eq!(answer.operation, operation);
        assert_eq!(answer.packet[3], 0);
        assert_eq!(answer.packet[8..], [0; 56], "operation {operation}");
    }
}

#[test]
fn a_stream_that_only_errs_is_left_alone_for_a_second() {
    let mut stage = Stage::new();
    let mut front = playback(&mut stage);
    stage.open(&mut front, Params::stereo(1024, 256));
    let bad = front::span(WRITE, 1, 1);
    let answers = (0..40)
        .take_while(|_| stage.ask(&mut front, bad).is_some())
        .count();
    assert_eq!(answers, 17);
    assert_eq!(stage.plane.free_octets(), 1 << 20, "it was closed");
    stage.run_millis(1100);
    assert_eq!(front.response().unwrap().status, EIO, "answered in the end");
    stage.open(&mut front, Params::stereo(1024, 256));
}

#[test]
fn probing_for_what_is_possible_is_no_mistake() {
    let mut stage = Stage::new();
    let mut front = playback(&mut stage);
    let impossible = front::query(0, [(1, 2); 4]);
    for _ in 0..200 {
        assert_eq!(stage.status(&mut front, impossible), EINVAL);
    }
}

/// XSA-332: a storm of signals without a request.
#[test]
fn signals_without_requests_wake_the_domain_ever_less_often() {
    for on_event_port in [false, true] {
        let mut stage = Stage::new();
        let mut front = playback(&mut stage);
        stage.open(&mut front, Params::stereo(1024, 256));
        let (polls, begin) = (stage.polls, stage.now);
        while stage.now < begin.plus_millis(10_000) {
            let port = match on_event_port {
                true => front.event_port,
                false => front.ring_port,
            };
            front.xen.guest_notify(front.dom, port);
            let next = stage.now.plus_millis(1);
            stage.run_until(next);
        }
        let woken = stage.polls - polls;
        assert!(woken < 60, "{woken} turns in ten seconds of storm");
        // Once more the last signal is taken, and needless.
        stage.run_millis(2200);
        assert_eq!(stage.status(&mut front, front::trigger(START)), 0);
    }
}
