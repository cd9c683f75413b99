//! Position events: whom they wake, what a guest that does not take them gets, and counters that
//! wrap.

use ring_backend::link::Direction;
use ring_backend::world::Nanos;
use tests::fake::front::{self, Front};
use tests::fake::frontend::{Mishaps, Params};
use tests::fake::player::Player;
use tests::fake::stage::{Stage, liberal};

const START: u8 = 0;
const STOP: u8 = 2;

fn playing(stage: &mut Stage, params: Params) -> Front {
    let (_, mut front) = stage.connect(1, liberal(Direction::Playback));
    stage.open(&mut front, params);
    assert_eq!(stage.status(&mut front, front::trigger(START)), 0);
    front
}

fn ids(front: &mut Front) -> Vec<u16> {
    std::iter::from_fn(|| front.event())
        .map(|event| event.id)
        .collect()
}

#[test]
fn a_guest_that_takes_no_events_gets_63_and_their_ids_go_on_without_a_gap() {
    let mut stage = Stage::new();
    let mut front = playing(&mut stage, Params::stereo(4096, 256));
    stage.run_millis(1000);
    let first = ids(&mut front);
    assert_eq!(first, (0..63).collect::<Vec<_>>());
    stage.run_millis(200);
    let second = ids(&mut front);
    assert_eq!(second[0], 63, "what was dropped had no id");
    assert!(second.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let notified = stage.xen.notified(front.dom, front.event_port);
    assert_eq!(
        notified,
        (first.len() + second.len()) as u64,
        "no wake-up for nothing"
    );
}

#[test]
fn after_dropped_events_the_next_one_has_the_position_of_now() {
    let mut stage = Stage::new();
    let mut front = playing(&mut stage, Params::stereo(4096, 1024));
    let begin = stage.now;
    stage.run_millis(2000);
    while front.event().is_some() {}
    stage.run_millis(10);
    let position = front.event().unwrap().position / 4;
    let elapsed = (stage.now.0 - begin.0) * 48 / 1_000_000;
    assert!(elapsed - position < 30 * 48, "{position} of {elapsed}");
}

/// What one is told leaves the others' frames a little older, and that is no reason to wake for them.
#[test]
fn streams_that_begin_at_all_times_do_not_wake_the_domain_for_each_other() {
    const STREAMS: u64 = 32;
    let mut stage = Stage::new();
    for dom in 1..=STREAMS {
        let octets = vec![1; 2 * 48_000 * 4];
        stage.play(dom as u16, Params::stereo(8192, 2048), octets);
        stage.run_millis(7);
    }
    let notified = |stage: &Stage| -> Vec<u64> {
        let fronts = stage.players.iter().map(|player| &player.linux.front);
        let counts = fronts.map(|front| stage.xen.notified(front.dom, front.event_port));
        counts.collect()
    };
    let (polls, told) = (stage.polls, notified(&stage));
    stage.run_millis(1000);
    // The mixer's own, and what one stream is worth: a WRITE and a period's end, 24 times each.
    let most = 400 + STREAMS * 2 * 24;
    let polls = stage.polls - polls;
    assert!(polls < most, "{polls} turns, not {most}");
    let told = notified(&stage).into_iter().zip(told);
    let told: Vec<u64> = told.map(|(now, then)| now - then).collect();
    assert!(
        told.iter().all(|count| (250..700).contains(count)),
        "{told:?} events of each"
    );
}

/// XSA-391: a backend must not storm a guest either.
#[test]
fn no_stream_gets_more_than_an_event_a_millisecond() {
    let mut stage = Stage::new();
    let mut front = playing(&mut stage, Params::stereo(128, 1));
    let before = stage.xen.notified(front.dom, front.event_port);
    for _ in 0..1000 {
        stage.run_millis(1);
        // Signals of the guest's own make no more turns count.
        front.xen.guest_notify(front.dom, front.ring_port);
        while front.event().is_some() {}
    }
    let events = stage.xen.notified(front.dom, front.event_port) - before;
    assert!((900..=1112).contains(&events), "{events} in a second");
}

#[test]
fn events_come_between_start_and_stop_and_one_aligns_the_end() {
    let mut stage = Stage::new();
    let params = Params::stereo(1000, 250);
    let (_, mut front) = stage.connect(1, liberal(Direction::Playback));
    stage.open(&mut front, params);
    stage.run_millis(100);
    assert_eq!(front.event(), None, "not before START");
    for round in 1..4 {
        stage.status(&mut front, front::trigger(START));
        stage.run_millis(52);
        assert!(!ids(&mut front).is_empty());
        stage.status(&mut front, front::trigger(STOP));
        let last = std::iter::from_fn(|| front.event()).last().unwrap();
        // 52 ms are 2496 frames, less what is ahead: up to three buffers.
        assert_eq!(last.position, round * 3 * 4000, "a whole number of buffers");
        stage.run_millis(100);
        assert_eq!(front.event(), None, "not after STOP");
    }
}

#[test]
fn a_consumer_counter_that_is_absurd_stops_events_and_nothing_else() {
    for absurd in [1, 5000, 0x8000_0000, u32::MAX - 100] {
        let mut stage = Stage::new();
        let mut front = playing(&mut stage, Params::stereo(4096, 256));
        stage.run_millis(50);
        let taken = ids(&mut front);
        let good = front.page.word(0);
        front.page.put_word(0, good.wrapping_add(absurd));
        let placed = front.page.word(4);
        stage.run_millis(50);
        assert_eq!(front.page.word(4), placed, "{absurd}: nothing is placed");
        front.page.put_word(0, good);
        stage.run_millis(50);
        let more = ids(&mut front);
        assert_eq!(usize::from(more[0]), taken.len(), "{absurd}: the ids go on");
        assert_eq!(stage.status(&mut front, front::trigger(STOP)), 0);
    }
}

#[test]
fn stop_is_answered_while_the_guest_takes_no_events() {
    let mut stage = Stage::new();
    let mut front = playing(&mut stage, Params::stereo(4096, 256));
    stage.run_millis(1000);
    let asked = stage.now;
    assert_eq!(stage.status(&mut front, front::trigger(STOP)), 0);
    assert!(stage.now.0 - asked.0 < 1000, "at once");
}

#[test]
fn close_waits_for_the_guest_to_take_its_events_but_no_longer_than_50_ms() {
    let mut stage = Stage::new();
    let mut front = playing(&mut stage, Params::stereo(4096, 256));
    stage.run_millis(20);
    let asked = stage.now;
    front.send(front::close());
    stage.run_millis(10);
    assert_eq!(front.response(), None, "held");
    assert_eq!(stage.plane.free_octets(), 1 << 20, "but closed already");
    while front.event().is_some() {}
    stage.run_millis(2);
    assert_eq!(
        front.response().unwrap().status,
        0,
        "freed by the last event"
    );

    stage.open(&mut front, Params::stereo(4096, 256));
    stage.status(&mut front, front::trigger(START));
    stage.run_millis(20);
    let asked_again = stage.now;
    assert_eq!(stage.status(&mut front, front::close()), 0);
    let held = stage.now.0 - asked_again.0;
    assert!((49_000_000..=51_000_000).contains(&held), "{held} ns");
    assert!(asked < asked_again);
}

#[test]
fn what_comes_after_a_held_close_is_answered_in_order() {
    let mut stage = Stage::new();
    let mut front = playing(&mut stage, Params::stereo(4096, 256));
    stage.run_millis(20);
    front.send(front::close());
    front.send(front::trigger(START));
    front.send(front::close());
    stage.run_millis(120);
    let answers: Vec<_> = std::iter::from_fn(|| front.response())
        .map(|response| (response.operation, response.status))
        .collect();
    assert_eq!(answers, [(1, 0), (8, -5), (1, 0)]);
}

#[test]
fn counters_that_wrap_while_a_guest_plays_are_not_heard() {
    // Both rings' counters pass 2^32 within the second.
    for before in [1, 31, 40, 62, 63, 64, 100] {
        let mut stage = Stage::new();
        let mut front = Front::new(&stage.xen, ring_backend::world::DomId(1));
        front.start_counters_at(0_u32.wrapping_sub(before));
        stage.attach(&front, liberal(Direction::Playback));
        let sound: Vec<u8> = (0..4 * 24_000_u32)
            .map(|at| (at / 4 % 100) as u8 + 1)
            .collect();
        let params = Params::stereo(2048, 512);
        let player = Player::new(front, params, sound.clone(), stage.now);
        stage.players.push(player);
        stage.run_to_the_end(3);
        let player = &stage.players[0];
        assert_eq!(player.linux.mishaps, Mishaps::default(), "{before}");
        assert_eq!(player.linux.xruns, 0);
        assert!(player.linux.events > 100);
        let heard = &stage.card.as_ref().unwrap().heard;
        let first = heard.iter().position(|octet| *octet != 0).unwrap();
        assert_eq!(heard[first..first + sound.len()], sound, "{before}");
    }
}

#[test]
fn event_ids_wrap_at_sixteen_bits() {
    let mut stage = Stage::new();
    let mut front = playing(&mut stage, Params::stereo(128, 64));
    let mut expected = 0_u16;
    let mut count = 0_u32;
    let end = Nanos(stage.now.0 + 75_000_000_000);
    while stage.now < end {
        stage.run_millis(20);
        while let Some(event) = front.event() {
            assert_eq!(event.id, expected);
            expected = expected.wrapping_add(1);
            count += 1;
        }
    }
    assert!(count > 66_000, "{count} events");
}
