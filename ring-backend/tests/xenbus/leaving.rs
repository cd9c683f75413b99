//! A device that the toolstack takes away while its guest plays.

use crate::bench::Bench;
use ring_backend::xenbus::{Action, State};

/// A guest that plays; `closes` once it is refused.
fn dismissed_in_play(closes: bool) -> Bench {
    let mut bench = Bench::new(State::Initialising, true, State::Initialised);
    bench.pass(100);
    bench.seen.front = State::Connected;
    bench.machine.note_open(true);
    bench.pass(100);
    bench.seen.own = State::Closing;
    bench.seen.online = false;
    bench.log.clear();
    bench.pass(300);
    assert_eq!(bench.log, [Action::Refuse]);
    bench.machine.note_open(!closes);
    bench
}

#[test]
fn a_guest_that_plays_hears_of_the_end_only_after_it_closed() {
    let mut bench = dismissed_in_play(true);
    bench.pass(45);
    assert_eq!(bench.seen.own, State::Closing);
    bench.pass(10);
    assert_eq!(bench.seen.own, State::Closed);
    bench.pass(300);
    assert!(bench.forgotten(), "{:?}", bench.log);
    assert!(!bench.log.contains(&Action::Retire));
}

#[test]
fn a_guest_that_does_not_close_is_told_after_a_second_and_served_for_another() {
    let mut bench = dismissed_in_play(false);
    bench.pass(650);
    assert_eq!(bench.seen.own, State::Closing);
    bench.pass(100);
    assert_eq!(bench.seen.own, State::Closed);
    assert!(bench.linked && bench.retired);
    bench.pass(900);
    assert!(bench.linked);
    bench.pass(400);
    assert!(bench.forgotten(), "{:?}", bench.log);
}
