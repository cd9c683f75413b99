//! A machine, and the store that it acts on.

use ring_backend::world::Nanos;
use ring_backend::xenbus::{Action, Machine, Next, Outcome, Seen, State};

/// The world of one machine: what is in the store, and whether the data plane has the device.
#[derive(Clone)]
pub struct Bench {
    pub machine: Machine,
    pub seen: Seen,
    pub now: Nanos,
    pub linked: bool,
    /// What is open is served on.
    pub retired: bool,
    /// How `Connect` goes.
    pub good: bool,
    pub log: Vec<Action>,
}

impl Bench {
    pub fn new(own: State, online: bool, front: State) -> Self {
        Self {
            machine: Machine::new(),
            seen: Seen {
                present: true,
                own,
                online,
                front,
            },
            now: Nanos(1_000_000_000),
            linked: false,
            retired: false,
            good: true,
            log: Vec::new(),
        }
    }

    /// Does what the machine asks for until it waits; returns until when.
    pub fn run(&mut self) -> Option<Nanos> {
        for _ in 0..20 {
            let action = match self.machine.next(self.now, &self.seen) {
                Next::Rest => return None,
                Next::At(due) => {
                    assert!(due > self.now, "waits for a time that is over");
                    return Some(due);
                }
                Next::Do(action) => action,
            };
            self.log.push(action);
            let mut outcome = Outcome::Done;
            match action {
                Action::Announce => {}
                Action::Publish(state) => {
                    assert!(
                        state != State::Connected || self.linked,
                        "4 without rings: {:?}",
                        self.log
                    );
                    assert!(
                        !matches!(state, State::Closing | State::Closed)
                            || !self.linked
                            || self.retired,
                        "closes with rings: {:?}",
                        self.log
                    );
                    self.seen.own = state;
                }
                Action::Connect => {
                    assert!(!self.linked, "connects twice: {:?}", self.log);
                    self.linked = self.good;
                    self.retired = false;
                    if !self.good {
                        outcome = Outcome::Failed;
                    }
                }
                Action::Refuse => assert!(self.linked && !self.retired),
                Action::Retire => self.retired = true,
                Action::Disconnect => {
                    assert!(self.linked, "disconnects nothing: {:?}", self.log);
                    self.linked = false;
                }
                Action::Remove => {
                    assert!(!self.linked && self.seen.own == State::Closed);
                    self.seen.present = false;
                }
                Action::Forget => {
                    assert!(!self.linked, "forgets a connected device");
                    self.machine.did(self.now, action, outcome);
                    return None;
                }
            }
            self.machine.did(self.now, action, outcome);
            assert_eq!(self.machine.is_linked(), self.linked);
        }
        panic!("no end: {:?}", self.log);
    }

    /// Runs for so long, at every time that the machine asked for.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while let Some(due) = self.run().filter(|&due| due <= end) {
            self.now = due;
        }
        self.now = end;
        self.run();
    }

    pub fn forgotten(&self) -> bool {
        self.log.last() == Some(&Action::Forget)
    }
}
