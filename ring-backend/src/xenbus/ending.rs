//! How a device ends: the way to 6, back to 2 or out.

use super::{Action, Machine, Next, Seen, State};
use crate::world::Nanos;

/// How long state 6 stays visible before the directory goes; libxl calls a directory that
/// vanished before it saw the 6 a failed removal, and allows 10 s for each of the two.
const FAREWELL_MILLIS: u64 = 200;
/// How long a guest has to close what it plays before it is told that the device goes. Every
/// request but STOP and CLOSE is refused meanwhile, so programs give up. Linux frees what belongs to
/// a stream as soon as it sees 6 or no state, and uses it on when the stream is closed after that:
/// its next allocation of such a size may find the list of free memory destroyed.
const PLEA_MILLIS: u64 = 1_000;
/// From the answer to the last CLOSE to the 6: the guest is not done with the stream before that.
const SETTLE_MILLIS: u64 = 50;
/// How long a guest that did not close is still served: Linux waits three seconds each for the
/// answers to the STOP and the CLOSE that a 6 makes it send, and for that long does nothing else
/// about any device.
const LINGER_MILLIS: u64 = 1_000;
/// Pause between two looks at whether it closed.
const LINGER_STEP_MILLIS: u64 = 2;

impl Machine {
    /// What to do about a guest that still has something open while its device is taken away;
    /// `None` if nothing keeps it.
    pub(super) fn part(&mut self, now: Nanos, since: Nanos, seen: &Seen) -> Option<Next> {
        let look = now.plus_millis(LINGER_STEP_MILLIS);
        if self.published != Some(State::Closed) {
            let plea = since.plus_millis(PLEA_MILLIS);
            if !self.refusing {
                return self.open.then_some(Next::Do(Action::Refuse));
            }
            if self.open {
                self.closed = None;
                if now < plea {
                    return Some(Next::At(look.min(plea)));
                }
            } else {
                let settled = self.closed.get_or_insert(now).plus_millis(SETTLE_MILLIS);
                return (now < settled).then_some(Next::At(settled));
            }
        }
        let keeps =
            self.open && (seen.own != State::Closed || now < since.plus_millis(LINGER_MILLIS));
        keeps.then_some(match seen.own {
            _ if !self.retired => Next::Do(Action::Retire),
            State::Closed => Next::At(look),
            _ => Next::Do(Action::Publish(State::Closed)),
        })
    }
}

/// The way from wherever we were to 6 and back to 2.
pub(super) fn closing(now: Nanos, retry: Nanos, seen: &Seen) -> Next {
    match seen.own {
        State::Closing => Next::Do(Action::Publish(State::Closed)),
        // Without a frontend there is nobody to offer anything to.
        State::Closed if seen.front == State::Unknown => Next::Rest,
        State::Closed if now < retry => Next::At(retry),
        // Linux' removal polls for 2 for one second, so this must not wait without a failure.
        State::Closed => Next::Do(Action::Publish(State::InitWait)),
        _ => Next::Do(Action::Publish(State::Closing)),
    }
}

/// The way out when the toolstack takes the device away.
pub(super) fn leaving(now: Nanos, since: Nanos, seen: &Seen) -> Next {
    let due = since.plus_millis(FAREWELL_MILLIS);
    // The toolstack may have written its 5 over an earlier 6 of ours.
    if seen.own != State::Closed {
        Next::Do(Action::Publish(State::Closed))
    } else if now < due {
        Next::At(due)
    } else {
        Next::Do(Action::Remove)
    }
}
