//! The xenbus machine over every pair of states, and over every thing that can be seen of it.

mod bench;
mod leaving;

use bench::Bench;
use ring_backend::world::Nanos;
use ring_backend::xenbus::{Action, Machine, Next, Outcome, Seen, State};
use std::collections::HashSet;

/// All that a look can find of an existing directory.
fn sights() -> impl Iterator<Item = Seen> {
    State::ALL.into_iter().flat_map(|own| {
        State::ALL.into_iter().flat_map(move |front| {
            [true, false].map(|online| Seen {
                present: true,
                own,
                online,
                front,
            })
        })
    })
}

#[test]
fn every_state_text_is_parsed_back_and_nothing_else_is_a_state() {
    for state in State::ALL {
        assert_eq!(State::parse(state.text().as_bytes()), state);
    }
    for text in ["", "9", "00", "04", "4 ", "4\0", "-1", "four", "44"] {
        assert_eq!(State::parse(text.as_bytes()), State::Unknown, "{text:?}");
    }
}

#[test]
fn from_every_pair_of_states_a_dismissed_device_is_closed_and_gone() {
    for first in sights() {
        for second in sights() {
            let mut bench = Bench::new(first.own, first.online, first.front);
            bench.pass(60);
            if bench.forgotten() {
                continue;
            }
            bench.seen = Seen {
                present: bench.seen.present,
                online: false,
                ..second
            };
            bench.pass(1_000);
            assert!(bench.forgotten(), "{first:?} {second:?} {:?}", bench.log);
            assert!(
                bench.log.contains(&Action::Publish(State::Closed))
                    || second.own == State::Closed
                    || first.own == State::Closed,
                "{first:?} {second:?} {:?}",
                bench.log
            );
        }
    }
}

#[test]
fn from_every_pair_of_states_a_vanished_directory_frees_the_slot() {
    for first in sights() {
        for second in sights() {
            let mut bench = Bench::new(first.own, first.online, first.front);
            bench.pass(60);
            if bench.forgotten() {
                continue;
            }
            bench.seen = Seen {
                present: false,
                ..second
            };
            bench.run();
            assert!(bench.forgotten(), "{first:?} {second:?} {:?}", bench.log);
        }
    }
}

#[test]
fn from_every_pair_of_states_a_good_frontend_gets_connected() {
    for first in sights().filter(|seen| seen.online && seen.own != State::Closing) {
        let mut bench = Bench::new(first.own, true, first.front);
        bench.pass(60);
        // A frontend that starts over, as Linux' does whenever it sees a 2.
        bench.seen.front = State::Initialising;
        bench.pass(2_000);
        assert_eq!(bench.seen.own, State::InitWait, "{first:?} {:?}", bench.log);
        bench.seen.front = State::Initialised;
        bench.pass(60);
        assert_eq!(
            bench.seen.own,
            State::Connected,
            "{first:?} {:?}",
            bench.log
        );
        assert!(bench.linked);
    }
}

/// What the bench looks like from outside; time is left out, so a round trip ends the search.
type Shape = (State, State, bool, bool, Option<State>);

#[test]
fn no_order_of_sights_connects_without_rings_or_closes_with_them() {
    // The bench asserts; this drives it through everything that a guest and a toolstack can do
    // from everywhere, depth first, until no new shape is found.
    let mut found = HashSet::new();
    let mut open = Vec::new();
    for seen in sights() {
        for good in [true, false] {
            let mut bench = Bench::new(seen.own, seen.online, seen.front);
            bench.good = good;
            open.push((bench, 0));
        }
    }
    let mut steps = 0;
    while let Some((mut bench, depth)) = open.pop() {
        steps += 1;
        bench.log.clear();
        bench.pass([1, 60, 3_000][steps % 3]);
        if bench.forgotten() {
            continue;
        }
        let shape: Shape = (
            bench.seen.own,
            bench.seen.front,
            bench.linked,
            bench.good,
            bench.machine.published(),
        );
        if !found.insert((shape, depth)) || depth == 4 {
            continue;
        }
        for front in State::ALL {
            for fault in [false, true] {
                let mut next = bench.clone();
                next.seen.front = front;
                if fault {
                    next.machine.fault();
                    next.good = !next.good;
                }
                open.push((next, depth + 1));
            }
        }
        for own in [State::Initialising, State::Closing] {
            let mut next = bench.clone();
            next.seen.own = own;
            open.push((next, depth + 1));
        }
    }
    let places = found.iter().map(|(shape, _)| shape).collect::<HashSet<_>>();
    assert!(
        places.len() > 100,
        "only {} places: the search is not one",
        places.len()
    );
}

#[test]
fn a_bad_configuration_is_tried_ever_more_rarely() {
    let mut bench = Bench::new(State::Initialising, true, State::Initialised);
    bench.good = false;
    let mut tries = Vec::new();
    for _ in 0..600 {
        bench.pass(1_000);
        tries.push(
            bench
                .log
                .iter()
                .filter(|&&action| action == Action::Connect)
                .count(),
        );
        // The guest obeys every time.
        bench.seen.front = State::Initialising;
        bench.pass(1);
        bench.seen.front = State::Initialised;
        bench.log.clear();
    }
    let total: usize = tries.iter().sum();
    assert!((5..=20).contains(&total), "{total} tries in ten minutes");
    let late: usize = tries[300..].iter().sum();
    assert!(
        (4..=6).contains(&late),
        "{late} tries in the last five minutes"
    );
}

#[test]
fn a_refused_write_is_not_repeated_at_once() {
    let mut machine = Machine::new();
    let seen = Seen {
        present: true,
        own: State::Initialising,
        online: true,
        front: State::Initialising,
    };
    let now = Nanos(5);
    assert_eq!(machine.next(now, &seen), Next::Do(Action::Announce));
    machine.did(now, Action::Announce, Outcome::Done);
    let offer = Action::Publish(State::InitWait);
    assert_eq!(machine.next(now, &seen), Next::Do(offer));
    machine.did(now, offer, Outcome::Failed);
    let Next::At(due) = machine.next(now, &seen) else {
        panic!("does not wait");
    };
    assert!(due >= now.plus_millis(100));
    assert_eq!(machine.next(due, &seen), Next::Do(offer));
}

#[test]
fn a_fault_of_a_device_that_is_not_connected_changes_nothing() {
    let mut bench = Bench::new(State::Initialising, true, State::Initialising);
    bench.machine.fault();
    bench.pass(10);
    bench.seen.front = State::Initialised;
    bench.pass(100);
    assert_eq!(bench.seen.own, State::Connected);
}

#[test]
fn a_connection_that_lasted_makes_up_for_failures_before_it() {
    let mut bench = Bench::new(State::Initialising, true, State::Initialised);
    bench.good = false;
    bench.pass(20_000);
    bench.good = true;
    bench.pass(70_000);
    bench.seen.front = State::Connected;
    bench.pass(11_000);
    assert_eq!(bench.seen.own, State::Connected);
    bench.machine.fault();
    bench.run();
    assert_eq!(bench.seen.own, State::Closed);
    bench.seen.front = State::Initialising;
    bench.pass(600);
    assert_eq!(bench.seen.own, State::InitWait);
}

#[test]
fn each_of_the_two_words_of_the_toolstack_is_enough_to_leave() {
    for (own, online) in [(State::Closing, true), (State::Connected, false)] {
        let mut bench = Bench::new(State::Initialising, true, State::Initialised);
        bench.pass(100);
        assert!(bench.linked);
        bench.seen.own = own;
        bench.seen.online = online;
        bench.pass(1_000);
        assert!(bench.forgotten(), "{own:?} {online} {:?}", bench.log);
    }
}

#[test]
fn a_3_from_before_we_closed_is_trusted_only_after_a_second() {
    let mut bench = Bench::new(State::Initialising, true, State::Initialised);
    bench.pass(100);
    bench.machine.fault();
    bench.pass(500);
    assert_eq!(bench.seen.own, State::InitWait);
    bench.pass(900);
    assert_eq!(bench.seen.own, State::InitWait);
    bench.pass(200);
    assert_eq!(bench.seen.own, State::Connected);
    // One that is published after that is trusted at once.
    bench.machine.fault();
    bench.pass(500);
    bench.seen.front = State::Initialising;
    bench.pass(1_000);
    assert_eq!(bench.seen.own, State::InitWait);
    bench.seen.front = State::Initialised;
    bench.pass(60);
    assert_eq!(bench.seen.own, State::Connected);
}
