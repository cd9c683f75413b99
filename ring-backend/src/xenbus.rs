//! One device's xenbus state machine: what was seen in, one action at a time out.
//!
//! Pure: it does no I/O and knows no paths. The caller shows it the nodes as last read
//! ([`Seen`]), does the one [`Action`] it names and reports how that went. Decisions are made from
//! what the nodes *are*, never from how often they changed, so coalesced events lose nothing.
//!
//! ```text
//!          announce, 2          front 3: fetch, connect, 4
//!  Fresh ─────────────► Offered ─────────────────────────► Serving
//!                          ▲  └──── bad config, bad ref ──────┐ │ front gone or restarted,
//!                          │                                  ▼ ▼ ring fault
//!                          └────── 2, after a pause ──────── Closing: disconnect, 5, 6
//!  any ── online 0, or 5 written by the toolstack ──► Leaving: disconnect, 6, remove
//!         (if a stream is open: refuse what it asks until it is closed, then the same)
//! ```
//!
//! Sources: `xen/include/public/io/{xenbus,sndif}.h`; the timings are libxl's and Linux'
//! `snd_xen_front`'s, noted where they matter.

mod ending;
mod state;

pub use state::State;

use crate::world::Nanos;
use ending::{closing, leaving};

/// How long state 2 stays visible. libxl waits for exactly 2 and looks only when an event comes;
/// a running guest could otherwise hurry us to 4 before it looked.
const OFFER_MILLIS: u64 = 50;
/// The pause before a device that failed once is offered again; doubles with every failure.
const RETRY_MILLIS: u64 = 500;
/// Doublings of the pause: 500 ms to 64 s.
const RETRY_DOUBLINGS: u32 = 7;
/// How long a 3 that was there before we closed is taken for one that the frontend has not changed
/// yet: its rings are about to go.
const STALE_MILLIS: u64 = 1_000;
/// A connection that lasted this long proves the device good again.
const PROVEN_MILLIS: u64 = 10_000;

/// The nodes that decide, as last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Our directory exists. The rest means nothing if not.
    pub present: bool,
    /// Our `state`.
    pub own: State,
    /// Our `online`; anything but `0` counts as online.
    pub online: bool,
    /// The frontend's `state`.
    pub front: State,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write `versions` and remove an old `error`.
    Announce,
    /// Write our `state`.
    Publish(State),
    /// Read the frontend's configuration and rings and connect the data plane.
    Connect,
    /// Refuse everything but STOP and CLOSE, so that the guest's programs close what they have open.
    Refuse,
    /// Serve only what is open, and unmap each stream as soon as it is closed: the guest takes its
    /// pages back then.
    Retire,
    /// Take the device from the data plane: everything unmapped, every port closed.
    Disconnect,
    /// Remove our directory.
    Remove,
    /// Free the slot; the device is gone.
    Forget,
}

/// How an action went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// It could not be done; for [`Action::Connect`] nothing is connected then.
    Failed,
}

/// What [`Machine::next`] wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Do this and report it with [`Machine::did`].
    Do(Action),
    /// Ask again at this time, or when something was seen.
    At(Nanos),
    /// Ask again when something was seen.
    Rest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was done for this device yet.
    Fresh,
    /// State 2 is written, or about to be.
    Offered { since: Nanos },
    /// The data plane has the device.
    Serving { since: Nanos },
    /// On the way to 6 and, after `retry`, back to 2.
    Closing { retry: Nanos },
    /// The toolstack takes the device away.
    Leaving { since: Nanos },
    /// The directory is removed, or was gone.
    Gone,
}

/// The state machine of one device.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    phase: Phase,
    /// What we wrote last; `None` before the first time.
    published: Option<State>,
    announced: bool,
    /// The data plane has the device.
    linked: bool,
    /// The frontend was seen Connected since we connected.
    front_connected: bool,
    /// The device was never closed by us, so rings of a frontend in state 4 may be good.
    virgin: bool,
    /// The frontend's 3 may be one from before our last offer.
    stale: bool,
    failures: u32,
    /// xenstore refused something; nothing more until then.
    hold: Option<Nanos>,
    fault: bool,
    /// A stream of the device is open.
    open: bool,
    /// The data plane refuses all but the end of what is open.
    refusing: bool,
    /// Since when nothing is open any more of what was when that began.
    closed: Option<Nanos>,
    /// The data plane serves what is open, and no more.
    retired: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// A device whose directory was just seen for the first time.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            phase: Phase::Fresh,
            published: None,
            announced: false,
            linked: false,
            front_connected: false,
            virgin: true,
            stale: false,
            failures: 0,
            hold: None,
            fault: false,
            open: false,
            refusing: false,
            closed: None,
            retired: false,
        }
    }

    /// Whether the data plane has the device.
    #[must_use]
    pub const fn is_linked(&self) -> bool {
        self.linked
    }

    /// What we last wrote into our `state`; `None` before the first time.
    #[must_use]
    pub const fn published(&self) -> Option<State> {
        self.published
    }

    /// The data plane found the guest's rings impossible: close and start over. Nothing if it does
    /// not have the device.
    pub fn fault(&mut self) {
        self.fault = true;
    }

    /// Notes whether a stream of the device is open now.
    pub const fn note_open(&mut self, open: bool) {
        self.open = open;
    }

    /// This domain is about to end: takes the device away as the toolstack would.
    pub fn retire(&mut self, now: Nanos) {
        if !matches!(self.phase, Phase::Leaving { .. } | Phase::Gone) {
            self.phase = Phase::Leaving { since: now };
        }
    }

    /// Decides what to do about what was seen.
    pub fn next(&mut self, now: Nanos, seen: &Seen) -> Next {
        self.recast(now, seen);
        if let Phase::Leaving { since } = self.phase
            && self.linked
            && self.hold.is_none()
            && seen.front == State::Connected
            && let Some(next) = self.part(now, since, seen)
        {
            return next;
        }
        if self.linked && !matches!(self.phase, Phase::Serving { .. }) {
            // Unmap before anything is written: once it reads 5 or 6 the guest takes its pages back.
            return Next::Do(Action::Disconnect);
        }
        if self.phase == Phase::Gone {
            return Next::Do(Action::Forget);
        }
        if let Some(hold) = self.hold.filter(|&hold| now < hold) {
            return Next::At(hold);
        }
        match self.phase {
            Phase::Fresh => self.offer(now, seen),
            Phase::Offered { since } => self.offered(now, since, seen),
            Phase::Serving { .. } if seen.own == State::Connected => Next::Rest,
            Phase::Serving { .. } => Next::Do(Action::Publish(State::Connected)),
            Phase::Closing { retry } => closing(now, retry, seen),
            Phase::Leaving { since } => leaving(now, since, seen),
            Phase::Gone => Next::Do(Action::Forget),
        }
    }

    /// Notes how the action that [`Machine::next`] named went.
    pub fn did(&mut self, now: Nanos, action: Action, outcome: Outcome) {
        match (action, outcome) {
            (Action::Announce, _) => self.announced = true,
            (Action::Publish(state), Outcome::Done) => {
                self.published = Some(state);
                self.hold = None;
                match (&mut self.phase, state) {
                    (Phase::Fresh | Phase::Closing { .. }, State::InitWait) => {
                        self.phase = Phase::Offered { since: now };
                    }
                    (Phase::Leaving { since }, State::Closed) => *since = now,
                    _ => {}
                }
            }
            // Perhaps the directory is going away; the caller looks, and we wait before we try again.
            (Action::Publish(_) | Action::Remove, Outcome::Failed) => {
                self.hold = Some(now.plus_millis(self.pause()));
            }
            (Action::Connect, Outcome::Done) => {
                self.linked = true;
                self.refusing = false;
                self.closed = None;
                self.retired = false;
                self.fault = false;
                self.front_connected = false;
                self.phase = Phase::Serving { since: now };
            }
            (Action::Connect, Outcome::Failed) => {
                self.stale = true;
                self.close(now, true);
            }
            (Action::Refuse, _) => self.refusing = true,
            (Action::Retire, _) => self.retired = true,
            (Action::Disconnect, _) => self.linked = false,
            (Action::Remove, Outcome::Done) => self.phase = Phase::Gone,
            (Action::Forget, _) => *self = Self::new(),
        }
    }

    /// Changes phase where what was seen leaves no choice.
    fn recast(&mut self, now: Nanos, seen: &Seen) {
        if !seen.present {
            self.phase = Phase::Gone;
            return;
        }
        // Only the toolstack writes 1: this is a new device in the old one's place.
        let reborn = seen.own == State::Initialising && self.published.is_some();
        if reborn || self.phase == Phase::Gone {
            *self = Self {
                linked: self.linked,
                ..Self::new()
            };
        }
        let dismissed =
            !seen.online || (seen.own == State::Closing && self.published != Some(State::Closing));
        if dismissed && !matches!(self.phase, Phase::Leaving { .. }) {
            self.phase = Phase::Leaving { since: now };
        }
        self.stale &= seen.front == State::Initialised;
        if let Phase::Serving { since } = self.phase {
            let again = seen.front == State::Initialised && self.front_connected;
            let here = matches!(seen.front, State::Initialised | State::Connected);
            self.front_connected |= seen.front == State::Connected;
            if self.fault || again || !here {
                if now >= since.plus_millis(PROVEN_MILLIS) {
                    self.failures = 0;
                }
                // What the frontend publishes after it left is good; what it still shows is not.
                self.stale = seen.front == State::Initialised && !again;
                self.close(now, self.fault || !self.front_connected);
            }
        }
    }

    /// Starts closing; a failure makes the next offer wait.
    fn close(&mut self, now: Nanos, failed: bool) {
        let pause = if failed { self.pause() } else { 0 };
        self.fault = false;
        self.virgin = false;
        self.phase = Phase::Closing {
            retry: now.plus_millis(pause),
        };
    }

    /// The pause that one more failure costs, in milliseconds.
    fn pause(&mut self) -> u64 {
        let pause = RETRY_MILLIS << self.failures.min(RETRY_DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    fn offer(&mut self, now: Nanos, seen: &Seen) -> Next {
        if !self.announced {
            return Next::Do(Action::Announce);
        }
        // The toolstack waits for 2 after writing 1. Without that 1 this device was served before
        // we started, and a frontend that is connected still has its rings.
        let resumed = seen.own != State::Initialising;
        if resumed && seen.front == State::Connected {
            self.phase = Phase::Offered { since: now };
            return self.offered(now, now, seen);
        }
        self.stale = resumed && seen.front == State::Initialised;
        Next::Do(Action::Publish(State::InitWait))
    }

    fn offered(&self, now: Nanos, since: Nanos, seen: &Seen) -> Next {
        // After a close of ours a 4 is only what the frontend has not changed yet.
        let ready =
            seen.front == State::Initialised || (seen.front == State::Connected && self.virgin);
        let shown = if self.stale {
            STALE_MILLIS
        } else {
            OFFER_MILLIS
        };
        let due = since.plus_millis(shown);
        match (ready, now >= due) {
            (false, _) => Next::Rest,
            (true, false) => Next::At(due),
            (true, true) => Next::Do(Action::Connect),
        }
    }
}
