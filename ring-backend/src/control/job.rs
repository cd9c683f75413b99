//! What the control plane is doing: one job, begun by [`Control::pick`], ended by
//! [`Control::finish`].

use super::ask::{Ask, Got};
use super::{Control, DataPlane};
use crate::config;
use crate::link::{DeviceLink, DeviceSlot, Direction};
use crate::world::{DomId, Nanos};
use crate::xenbus::{Action, Next, Outcome};
use crate::xenstore::{StoreError, index};

/// How long to wait after xenstore refused something that has to be.
const RETRY_MILLIS: u64 = 1_000;
/// Domain numbers from here on are Xen's own (`DOMID_FIRST_RESERVED`).
const DOMAINS: u32 = 0x7ff0;

/// The job under way; numbers are places in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Idle,
    WatchRoot,
    /// Listing the guests.
    Root,
    /// Listing the devices of one guest after the other; `at` is an offset in the listing.
    Guests {
        at: usize,
    },
    /// Reading who the frontend is.
    Identify(usize),
    /// Watching the frontend's state.
    Watch(usize),
    /// Reading the nodes that decide.
    Look(usize),
    /// Writing or removing the `error` node.
    Error(usize),
    /// Doing what the machine asked for.
    Act(usize, Action),
    /// Fetching the configuration, for the machine's `Connect`.
    Survey(usize),
}

impl Job {
    /// The device that the job is about, or a place outside the table.
    pub(super) fn device(self) -> usize {
        match self {
            Self::Identify(at)
            | Self::Watch(at)
            | Self::Look(at)
            | Self::Error(at)
            | Self::Act(at, _)
            | Self::Survey(at) => at,
            Self::Idle | Self::WatchRoot | Self::Root | Self::Guests { .. } => usize::MAX,
        }
    }
}

impl Control {
    /// Begins a job with its first requests.
    fn begin(&mut self, job: Job, asks: &[Ask]) {
        self.job = job;
        self.got = Got::default();
        for &ask in asks {
            // No job begins with more than there is room for.
            let _ = self.asks.push_back(ask);
        }
    }

    /// Begins the next job; false if there is nothing to do now. Goes round the table, so no
    /// device can keep the others waiting.
    pub(super) fn pick<W, P: DataPlane<W>>(
        &mut self,
        now: Nanos,
        plane: &mut P,
        world: &mut W,
    ) -> bool {
        let patient = self.retry.is_some_and(|retry| now < retry);
        if !self.watching {
            if !patient {
                self.begin(Job::WatchRoot, &[Ask::WatchRoot]);
            }
            return !patient;
        }
        let places = self.devices.len().saturating_add(1);
        for step in 0..places {
            let place = self.cursor.saturating_add(step) % places;
            let begun = if place < self.devices.len() {
                self.attend(place, now, plane, world)
            } else {
                let begun = self.scan && !patient;
                if begun {
                    self.scan = false;
                    self.refused = false;
                    self.listing.clear();
                    self.begin(Job::Root, &[Ask::Root]);
                }
                begun
            };
            if begun {
                self.cursor = place.saturating_add(1);
                return true;
            }
        }
        false
    }

    /// Begins what a device needs; false if it needs nothing now.
    fn attend<W, P: DataPlane<W>>(
        &mut self,
        at: usize,
        now: Nanos,
        plane: &mut P,
        world: &mut W,
    ) -> bool {
        let Some(Some(device)) = self.devices.get_mut(at) else {
            return false;
        };
        if device.error_unwritten {
            device.error_unwritten = false;
            self.begin(Job::Error(at), &[Ask::Error]);
            return true;
        }
        if device.look && device.may_look(now).is_ok() {
            device.looking(now);
            match (&device.front, device.watched) {
                (None, _) => {
                    self.begin(Job::Identify(at), &[Ask::FrontPath, Ask::FrontId, Ask::Own])
                }
                (Some(_), false) => self.begin(Job::Watch(at), &[Ask::Watch]),
                (Some(_), true) => {
                    self.begin(Job::Look(at), &[Ask::Own, Ask::Online, Ask::FrontState]);
                }
            }
            return true;
        }
        device.stir |= device.due.is_some_and(|due| now >= due);
        let (true, Some(seen)) = (device.stir, device.seen) else {
            return false;
        };
        device.due = None;
        let open = slot(at).is_some_and(|slot| plane.is_open(slot));
        device.machine.note_open(open);
        match device.machine.next(now, &seen) {
            Next::Do(action) => self.act(at, action, now, plane, world),
            Next::At(due) => {
                device.due = Some(due);
                device.stir = false;
                return false;
            }
            Next::Rest => {
                device.stir = false;
                return false;
            }
        }
        true
    }

    /// Begins an action of a device's machine.
    fn act<W, P: DataPlane<W>>(
        &mut self,
        at: usize,
        action: Action,
        now: Nanos,
        plane: &mut P,
        world: &mut W,
    ) {
        let job = Job::Act(at, action);
        match action {
            Action::Announce => {
                if let Some(Some(device)) = self.devices.get_mut(at) {
                    // Removes the node that a device before this one may have left, too.
                    device.error.clear();
                }
                self.begin(job, &[Ask::Versions, Ask::Error]);
            }
            Action::Publish(state) => self.begin(job, &[Ask::State(state)]),
            Action::Connect => {
                self.survey.restart();
                self.begin(Job::Survey(at), &[]);
                // The first request is the survey's own.
                let first = self.survey.take().map(Ask::Survey);
                let _ = first.map(|ask| self.asks.push_back(ask));
            }
            Action::Disconnect => {
                if let Some(slot) = slot(at) {
                    plane.disconnect(slot, world);
                }
                self.did(at, now, action, Outcome::Done);
            }
            Action::Refuse => {
                if let Some(slot) = slot(at) {
                    plane.refuse(slot);
                }
                self.did(at, now, action, Outcome::Done);
            }
            Action::Retire => {
                if let Some(slot) = slot(at) {
                    plane.retire(slot, world);
                }
                self.did(at, now, action, Outcome::Done);
            }
            Action::Remove => self.begin(job, &[Ask::Remove]),
            Action::Forget => self.begin(job, &[Ask::Unwatch]),
        }
    }

    /// Tells a device's machine how its action went.
    fn did(&mut self, at: usize, now: Nanos, action: Action, outcome: Outcome) {
        self.changes = self.changes.wrapping_add(1);
        if let Some(Some(device)) = self.devices.get_mut(at) {
            // It is asked again until it has nothing to do.
            device.machine.did(now, action, outcome);
        }
    }

    /// Ends the job, all of whose requests are answered. Some jobs go on with another request.
    pub(super) fn finish<W, P: DataPlane<W>>(&mut self, now: Nanos, plane: &mut P, world: &mut W) {
        let job = core::mem::replace(&mut self.job, Job::Idle);
        let got = core::mem::take(&mut self.got);
        match job {
            Job::Idle => {}
            Job::WatchRoot => {
                self.watching = matches!(got.refused, None | Some(StoreError::Exists));
                self.retry = (!self.watching).then(|| now.plus_millis(RETRY_MILLIS));
                self.scan = true;
            }
            Job::Root | Job::Guests { .. } if got.trouble => {
                self.scan = true;
                self.retry = Some(now.plus_millis(RETRY_MILLIS));
            }
            Job::Root => self.next_guest(0),
            Job::Guests { at } => self.next_guest(at),
            Job::Identify(at) => self.identified(at, now, got),
            Job::Watch(at) => self.watched(at, now, &got),
            Job::Look(at) => {
                if let Some(Some(device)) = self.devices.get_mut(at) {
                    device.looked(now, &got);
                }
            }
            Job::Error(_) => self.changes = self.changes.wrapping_add(1),
            Job::Survey(at) => self.surveyed(at, now, &got, plane, world),
            Job::Act(at, action) => self.acted(at, now, action, &got),
        }
    }

    /// Goes on with a scan: tells refused devices so, then lists the next guest.
    fn next_guest(&mut self, mut at: usize) {
        while !self.asks.is_full()
            && let Some((dom, dev)) = self.refusals.pop()
        {
            // There is room, as the loop asked.
            let _ = self.asks.push_back(Ask::Refuse(dom, dev));
        }
        if !self.asks.is_empty() {
            self.job = Job::Guests { at };
            return;
        }
        while let Some(rest) = self.listing.get(at..).filter(|rest| !rest.is_empty()) {
            let length = rest.iter().position(|&octet| octet == 0);
            let name = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
            at = at.saturating_add(name.len()).saturating_add(1);
            let dom = core::str::from_utf8(name).ok().and_then(index);
            let dom = dom.filter(|&dom| dom < DOMAINS);
            if let Some(dom) = dom.and_then(|dom| u16::try_from(dom).ok()) {
                self.begin(Job::Guests { at }, &[Ask::Guest(DomId(dom))]);
                return;
            }
        }
    }

    fn identified(&mut self, at: usize, now: Nanos, got: Got) {
        let Some(Some(device)) = self.devices.get_mut(at) else {
            return;
        };
        if got.trouble {
            device.look_again(now);
        } else if got.own.is_none() && got.front_path.is_none() {
            // It went before we came to know it; nobody else does.
            self.free(at, now);
        } else if got.front_path.is_none() {
            device.set_error(&"frontend: is not the path of a directory");
        } else if got.front_id != Some(u32::from(device.dom.0)) {
            device.set_error(&"frontend-id: is not the domain that this directory is for");
        } else {
            device.front = got.front_path;
            device.look = true;
        }
    }

    fn watched(&mut self, at: usize, now: Nanos, got: &Got) {
        let Some(Some(device)) = self.devices.get_mut(at) else {
            return;
        };
        match got.refused {
            None | Some(StoreError::Exists) => {
                device.watched = true;
                device.look = true;
            }
            Some(error) => {
                device.set_error(&format_args!(
                    "the frontend's state cannot be watched: {error}"
                ));
                // Perhaps the device is gone when we come back to it.
                device.front = None;
                device.look_again(now);
            }
        }
    }

    // In its only caller's frame it would be longer.
    #[inline(never)]
    fn surveyed<W, P: DataPlane<W>>(
        &mut self,
        at: usize,
        now: Nanos,
        got: &Got,
        plane: &mut P,
        world: &mut W,
    ) {
        let (Some(Some(device)), Some(slot)) = (self.devices.get_mut(at), slot(at)) else {
            return;
        };
        let link = match got.fault {
            Some(fault) => Err(fault),
            None => config::device(device.dom, self.survey.tree()),
        };
        let outcome = match link {
            Err(fault) => {
                device.set_error(&fault);
                Outcome::Failed
            }
            Ok(link) => match plane.connect(slot, &link, world) {
                Err(fault) => {
                    device.set_error(&fault);
                    Outcome::Failed
                }
                Ok(()) => {
                    device.set_error(&"");
                    device.streams = u8::try_from(link.streams.len()).unwrap_or(u8::MAX);
                    device.captures = captures(&link);
                    Outcome::Done
                }
            },
        };
        self.did(at, now, Action::Connect, outcome);
    }

    /// Frees a slot; a device that found none may have it.
    fn free(&mut self, at: usize, now: Nanos) {
        let device = self.devices.get_mut(at).and_then(Option::take);
        // Something happened since the last look: perhaps another of the same number came.
        self.scan |= device.is_some_and(|device| device.look);
        self.changes = self.changes.wrapping_add(1);
        if self.refused {
            // Not at once: the scan may find what was just given up on, again and again.
            self.scan = true;
            self.retry = Some(now.plus_millis(RETRY_MILLIS));
        }
    }

    fn acted(&mut self, at: usize, now: Nanos, action: Action, got: &Got) {
        if action == Action::Forget {
            self.free(at, now);
            return;
        }
        let gone = action == Action::Remove && got.refused == Some(StoreError::NotFound);
        let outcome = if got.refused.is_none() || gone {
            Outcome::Done
        } else {
            Outcome::Failed
        };
        if let Some(Some(device)) = self.devices.get_mut(at) {
            // Our own change is the one thing that need not be read back.
            match (&mut device.seen, action, outcome) {
                (Some(seen), Action::Publish(state), Outcome::Done) => seen.own = state,
                (Some(seen), Action::Remove, Outcome::Done) => seen.present = false,
                (_, Action::Publish(_) | Action::Remove, Outcome::Failed) => device.look = true,
                _ => {}
            }
        }
        self.did(at, now, action, outcome);
    }
}

/// Which streams of a device record, one bit each.
fn captures(link: &DeviceLink) -> u16 {
    let streams = link.streams.iter().rev();
    streams.fold(0, |bits, stream| {
        let capture = stream.config.direction == Direction::Capture;
        bits << 1 | u16::from(capture)
    })
}

/// The slot that the data plane knows a place in the table by.
fn slot(at: usize) -> Option<DeviceSlot> {
    u8::try_from(at).ok().map(DeviceSlot)
}
