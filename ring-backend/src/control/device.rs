//! One row of the device table.

use super::ask::{Got, Path};
use crate::link::DeviceSlot;
use crate::route::Misrouted;
use crate::world::{DomId, Nanos};
use crate::xenbus::{Machine, Seen, State};
use core::fmt::{self, Write};
use heapless::String;

/// Octets of an error sentence that are kept.
pub const ERROR_OCTETS: usize = 160;
/// Octets of a frontend's path; Linux' is `/local/domain/32751/device/vsnd/99`.
pub(super) const FRONT_OCTETS: usize = 96;
/// Looks at one device in one second. A whole handshake takes about ten.
const LOOKS_PER_SECOND: u8 = 40;
/// How long to wait after xenstore answered a look with nothing usable.
const TROUBLE_MILLIS: u64 = 500;

/// A device as the table shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceView<'a> {
    /// Where it stands in the table.
    pub slot: DeviceSlot,
    /// The guest.
    pub dom: DomId,
    /// The device's number in the guest.
    pub dev: u32,
    /// What we last wrote into its `state`.
    pub state: State,
    /// What is wrong with it, or nothing.
    pub error: &'a str,
    /// Streams that the data plane serves; 0 unless connected.
    pub streams: u8,
    /// Which of them record: bit `n` for stream `n`.
    pub captures: u16,
}

/// How often a device's nodes are read, whatever its guest does to them.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    since: Nanos,
    looks: u8,
    not_before: Nanos,
}

#[derive(Debug)]
pub(super) struct Device {
    pub(super) dom: DomId,
    pub(super) dev: u32,
    /// The frontend's directory, once it was read.
    pub(super) front: Option<String<FRONT_OCTETS>>,
    pub(super) watched: bool,
    pub(super) machine: Machine,
    pub(super) seen: Option<Seen>,
    /// Something changed: read the nodes again. All that an event can do.
    pub(super) look: bool,
    /// The machine has to be asked.
    pub(super) stir: bool,
    pub(super) due: Option<Nanos>,
    pub(super) error: String<ERROR_OCTETS>,
    /// The `error` node is not what `error` says.
    pub(super) error_unwritten: bool,
    /// What `error` says is this.
    pub(super) misrouted: Option<Misrouted>,
    pub(super) streams: u8,
    pub(super) captures: u16,
    pace: Pace,
}

impl Device {
    pub(super) fn new(dom: DomId, dev: u32) -> Self {
        Self {
            dom,
            dev,
            front: None,
            watched: false,
            machine: Machine::new(),
            seen: None,
            look: true,
            stir: false,
            due: None,
            error: String::new(),
            error_unwritten: false,
            misrouted: None,
            streams: 0,
            captures: 0,
            pace: Pace::default(),
        }
    }

    /// The path of a node of ours; an empty leaf is the directory.
    pub(super) fn own_path(&self, leaf: &str) -> Path {
        own_path(self.dom, self.dev, leaf)
    }

    /// Keeps what is wrong, cut to its room, or that nothing is.
    pub(super) fn set_error(&mut self, error: &dyn fmt::Display) {
        self.misrouted = None;
        let old = core::mem::take(&mut self.error);
        let mut room = Cut(&mut self.error);
        // Cut never fails.
        let _ = write!(room, "{error}");
        self.error_unwritten |= old != self.error;
    }

    /// Whether the nodes may be read now; if not, when.
    pub(super) fn may_look(&self, now: Nanos) -> Result<(), Nanos> {
        if now < self.pace.not_before {
            return Err(self.pace.not_before);
        }
        let end = self.pace.since.plus_millis(1_000);
        if now < end && self.pace.looks >= LOOKS_PER_SECOND {
            return Err(end);
        }
        Ok(())
    }

    /// Counts a look.
    pub(super) fn looking(&mut self, now: Nanos) {
        if now >= self.pace.since.plus_millis(1_000) {
            self.pace.since = now;
            self.pace.looks = 0;
        }
        self.pace.looks = self.pace.looks.saturating_add(1);
        self.look = false;
    }

    /// The look told nothing; another one, later.
    pub(super) fn look_again(&mut self, now: Nanos) {
        self.look = true;
        self.pace.not_before = now.plus_millis(TROUBLE_MILLIS);
    }

    /// Keeps what a look saw.
    pub(super) fn looked(&mut self, now: Nanos, got: &Got) {
        if got.trouble {
            self.look_again(now);
            return;
        }
        self.seen = Some(Seen {
            present: got.own.is_some() || got.online.is_some(),
            own: got.own.unwrap_or(State::Unknown),
            online: got.online.unwrap_or(true),
            front: got.front.unwrap_or(State::Unknown),
        });
        self.stir = true;
    }

    /// When the device next wants attention without anything happening.
    pub(super) fn deadline(&self, now: Nanos) -> Option<Nanos> {
        if (self.stir && self.seen.is_some()) || self.error_unwritten {
            return Some(now);
        }
        let look = self.look.then(|| self.may_look(now).err().unwrap_or(now));
        match (look, self.due) {
            (Some(look), Some(due)) => Some(look.min(due)),
            (look, due) => look.or(due),
        }
    }

    pub(super) fn view(&self, slot: DeviceSlot) -> DeviceView<'_> {
        DeviceView {
            slot,
            dom: self.dom,
            dev: self.dev,
            state: self.machine.published().unwrap_or(State::Initialising),
            error: &self.error,
            streams: if self.machine.is_linked() {
                self.streams
            } else {
                0
            },
            captures: self.captures,
        }
    }
}

/// The path of a node in a device's backend directory, relative to this domain's own.
pub(super) fn own_path(dom: DomId, dev: u32, leaf: &str) -> Path {
    let mut path = Path::new();
    // All parts are short; see `Path`.
    let _ = write!(path, "backend/vsnd/{}/{dev}", dom.0);
    if !leaf.is_empty() {
        let _ = write!(path, "/{leaf}");
    }
    path
}

/// Writes as much as there is room for.
struct Cut<'a>(&'a mut String<ERROR_OCTETS>);

impl Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if self.0.push(letter).is_err() {
                break;
            }
        }
        Ok(())
    }
}
