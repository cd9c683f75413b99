//! Every device's life, from its directory appearing to its directory gone.
//!
//! A table of devices, one [`crate::xenbus::Machine`] each, and one job at a time: scan the directories, look at
//! one device's nodes, do one action of one machine. A watch event only sets a bit, so no guest
//! decides how much is remembered (XSA-349), and a guest that flaps its state is looked at forty
//! times a second and no more. A job has up to three requests in flight and never waits.

mod ask;
mod device;
mod job;

pub use device::{DeviceView, ERROR_OCTETS};

use crate::config::Survey;
use crate::link::{DeviceLink, DeviceSlot};
use crate::policy::Policy;
use crate::route::Misrouted;
use crate::statistics::{Held, Statistics};
use crate::world::{Card, DomId, Nanos};
use crate::xenstore::{Client, PAYLOAD_OCTETS, Refused, Reply, StoreError, Ticket, index, names};
use alloc::boxed::Box;
use ask::{Ask, Got, ROOT, ROOT_TOKEN, send};
use core::fmt;
use device::Device;
use heapless::{Deque, Vec};
use job::Job;

/// Devices served unless the administrator says otherwise.
pub const DEVICES: usize = 40;
/// Most devices that can be asked for: each takes a watch, of 128 that a domain may have.
pub const DEVICES_MOST: usize = 120;
/// Requests that the control plane has in flight; the client's fourth is for others.
const IN_FLIGHT: usize = 3;
/// Jobs begun in one call.
const JOBS_PER_ADVANCE: usize = 64;
/// Refused devices of one guest that are told so.
const REFUSALS: usize = 8;

/// What serves connected devices.
pub trait DataPlane<W> {
    /// Why a device could not be connected, or is served no longer.
    type Fault: fmt::Display;

    /// Maps and binds everything that `link` names, and serves it from now on.
    ///
    /// # Errors
    /// Something could not be had; then nothing is held.
    fn connect(
        &mut self,
        slot: DeviceSlot,
        link: &DeviceLink,
        world: &mut W,
    ) -> Result<(), Self::Fault>;

    /// Gives everything of a device back. Nothing if it is not connected.
    fn disconnect(&mut self, slot: DeviceSlot, world: &mut W);

    /// Lets a guest's connected devices do what `policy` says from now on; one that connects later
    /// may not use the microphone until this is called again.
    fn set_policy(&mut self, dom: DomId, policy: Policy);

    /// What of a connected device is routed to what the card does not have.
    fn misrouted(&self, slot: DeviceSlot) -> Option<Misrouted> {
        let _ = slot;
        None
    }

    /// Serves every device and the card. Returns when to be called next if nothing happens;
    /// `None` while no sound moves.
    fn poll<C: Card>(&mut self, now: Nanos, world: &mut W, card: Option<&mut C>) -> Option<Nanos>;

    /// A device whose rings were found impossible since the last call. It is served no longer, and
    /// waits to be disconnected.
    fn take_fault(&mut self) -> Option<(DeviceSlot, Self::Fault)>;

    /// Somebody looks at the streams' levels: measures them for a while.
    fn meter(&mut self, now: Nanos);

    /// A stream's numbers; `None` if there is no such stream.
    fn statistics(&self, slot: DeviceSlot, stream: u8) -> Option<Statistics>;

    /// From now on refuses everything that the device's streams are asked but STOP and CLOSE.
    fn refuse(&mut self, slot: DeviceSlot);

    /// From now on serves the device's open streams only, and gives each back once it is closed.
    fn retire(&mut self, slot: DeviceSlot, world: &mut W);

    /// Whether any stream of a device is open.
    fn is_open(&self, slot: DeviceSlot) -> bool;

    /// Counts what is held of guests now, as far as this knows: neither slots nor watches.
    fn held(&self, world: &W) -> Held;
}

/// The control plane.
#[derive(Debug)]
pub struct Control {
    devices: Box<[Option<Device>]>,
    survey: Survey,
    /// The guests still to be listed by a scan.
    listing: Box<Vec<u8, PAYLOAD_OCTETS>>,
    job: Job,
    asks: Deque<Ask, IN_FLIGHT>,
    tickets: Vec<(Ticket, Ask), IN_FLIGHT>,
    got: Got,
    /// Where the round of the table goes on.
    cursor: usize,
    watching: bool,
    /// When the root watch is tried again.
    retry: Option<Nanos>,
    scan: bool,
    /// Some device found no slot.
    refused: bool,
    refusals: Vec<(DomId, u32), REFUSALS>,
    changes: u32,
}

impl Control {
    /// A control plane for up to `devices` devices, at least 1 and at most [`DEVICES_MOST`].
    /// Allocates, and never again.
    #[must_use]
    pub fn new(devices: usize) -> Self {
        let devices = devices.clamp(1, DEVICES_MOST);
        Self {
            devices: (0..devices).map(|_| None).collect(),
            survey: Survey::new(),
            listing: Box::new(Vec::new()),
            job: Job::Idle,
            asks: Deque::new(),
            tickets: Vec::new(),
            got: Got::default(),
            cursor: 0,
            watching: false,
            retry: None,
            scan: false,
            refused: false,
            refusals: Vec::new(),
            changes: 0,
        }
    }

    /// Counts what an administrator could see change.
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.changes
    }

    /// The device in a slot.
    #[must_use]
    pub fn device(&self, slot: DeviceSlot) -> Option<DeviceView<'_>> {
        let device = self.devices.get(usize::from(slot.0))?.as_ref()?;
        Some(device.view(slot))
    }

    /// All slots, taken or not.
    pub fn slots(&self) -> impl Iterator<Item = DeviceSlot> + use<> {
        (0..self.devices.len()).filter_map(|index| u8::try_from(index).ok().map(DeviceSlot))
    }

    /// This domain is about to end: takes every device away.
    pub fn retire(&mut self, now: Nanos) {
        for device in self.devices.iter_mut().flatten() {
            device.machine.retire(now);
            device.stir = true;
        }
    }

    /// Slots that are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.devices.iter().flatten().count()
    }

    /// Takes a watch event; false if it is not about a device.
    pub fn event(&mut self, path: &str, token: &str) -> bool {
        if token != ROOT_TOKEN {
            let index = token.strip_prefix('f').and_then(index);
            let index = index.and_then(|index| usize::try_from(index).ok());
            if let Some(device) = index.and_then(|index| self.devices.get_mut(index)) {
                if let Some(device) = device {
                    device.look = true;
                }
                return true;
            }
            return false;
        }
        let rest = path.strip_prefix(ROOT).unwrap_or_default();
        let mut parts = rest.split('/').skip(1);
        let dom = parts.next().and_then(index);
        let dev = parts.next().and_then(index);
        match (dom, dev, parts.next()) {
            // Our own doing.
            (_, _, Some("error" | "versions")) => {}
            (Some(dom), Some(dev), _) => match self.find(dom, dev) {
                Some(device) => device.look = true,
                None => self.scan = true,
            },
            _ => self.scan = true,
        }
        true
    }

    /// Takes the reply to a request; false if another made it.
    pub fn reply(&mut self, reply: &Reply<'_>) -> bool {
        let place = self
            .tickets
            .iter()
            .position(|&(ticket, _)| ticket == reply.ticket);
        let Some(place) = place else {
            return false;
        };
        let (_, ask) = self.tickets.swap_remove(place);
        match (ask, reply.result) {
            (Ask::Survey(want), answer) => {
                if let Err(fault) = self.survey.answer(want, answer) {
                    self.got.fault.get_or_insert(fault);
                }
            }
            (Ask::Root, Ok(listing)) => {
                self.listing.clear();
                // A payload is never longer.
                let _ = self.listing.extend_from_slice(listing);
            }
            (Ask::Guest(dom), Ok(listing)) => self.discover(dom, listing),
            // No guest has a device, or this one's went meanwhile.
            (Ask::Root | Ask::Guest(_), Err(StoreError::NotFound)) => {}
            (ask, answer) => self.got.take(ask, answer),
        }
        true
    }

    /// The data plane found a device's rings impossible.
    pub fn fault(&mut self, slot: DeviceSlot, fault: &dyn fmt::Display) {
        if let Some(Some(device)) = self.devices.get_mut(usize::from(slot.0))
            && device.machine.is_linked()
        {
            device.machine.fault();
            device.set_error(fault);
            device.stir = true;
            self.changes = self.changes.wrapping_add(1);
        }
    }

    /// Says, or no longer, what a connected device is routed to and cannot have. It goes on, and
    /// an error that stands stays.
    pub fn misroute(&mut self, slot: DeviceSlot, fault: Option<Misrouted>) {
        if let Some(Some(device)) = self.devices.get_mut(usize::from(slot.0))
            && device.machine.is_linked()
            && device.misrouted != fault
            && (device.misrouted.is_some() || device.error.is_empty())
        {
            match fault {
                Some(fault) => device.set_error(&fault),
                None => device.set_error(&""),
            }
            device.misrouted = fault;
            self.changes = self.changes.wrapping_add(1);
        }
    }

    /// Does everything that can be done without waiting.
    pub fn advance<W, P: DataPlane<W>>(
        &mut self,
        now: Nanos,
        client: &mut Client,
        plane: &mut P,
        world: &mut W,
    ) {
        for _ in 0..JOBS_PER_ADVANCE {
            self.issue(client);
            if !self.asks.is_empty() || !self.tickets.is_empty() {
                return;
            }
            self.finish(now, plane, world);
            if self.job == Job::Idle && !self.pick(now, plane, world) {
                return;
            }
        }
    }

    /// When to call [`Control::advance`] again if no message comes; at once, if work is left.
    #[must_use]
    pub fn deadline(&self, now: Nanos) -> Option<Nanos> {
        if !self.asks.is_empty() || !self.tickets.is_empty() {
            // A reply will come, or the client had no room and a reply to another makes some.
            return None;
        }
        if self.job != Job::Idle {
            return Some(now);
        }
        let devices = self.devices.iter().flatten();
        let device = devices.filter_map(|device| device.deadline(now)).min();
        let retry = self.retry.map_or(now, |retry| retry.max(now));
        let scan = (self.scan || !self.watching).then_some(retry);
        [device, scan].into_iter().flatten().min()
    }

    /// Sends what the job still has to ask, as far as there is room.
    fn issue(&mut self, client: &mut Client) {
        let device_index = self.job.device();
        while !self.tickets.is_full() {
            if self.asks.is_empty()
                && matches!(self.job, Job::Survey(_))
                && self.got.fault.is_none()
            {
                let want = self.survey.take().map(Ask::Survey);
                // There is room: it is empty.
                let _ = want.map(|want| self.asks.push_back(want));
            }
            let Some(&ask) = self.asks.front() else {
                return;
            };
            let device = self.devices.get(device_index).and_then(Option::as_ref);
            match send(ask, client, device, device_index) {
                Ok(ticket) => {
                    // There is room, as the loop asked.
                    let _ = self.tickets.push((ticket, ask));
                }
                Err(Refused::Busy) => return,
                // No path of ours is; counted as an answer that says nothing.
                Err(Refused::Malformed) => self.got.take(ask, Err(StoreError::Other)),
            }
            self.asks.pop_front();
        }
    }

    /// Finds a device in the table.
    fn find(&mut self, dom: u32, dev: u32) -> Option<&mut Device> {
        let mut devices = self.devices.iter_mut().flatten();
        devices.find(|device| u32::from(device.dom.0) == dom && device.dev == dev)
    }

    /// Takes every device of a guest's listing that is not in the table yet.
    fn discover(&mut self, dom: DomId, listing: &[u8]) {
        for dev in names(listing).filter_map(index) {
            if self.find(u32::from(dom.0), dev).is_some() {
                continue;
            }
            if let Some(free) = self.devices.iter_mut().find(|slot| slot.is_none()) {
                *free = Some(Device::new(dom, dev));
            } else {
                self.refused = true;
                // The rest of them is told when the first are gone.
                let _ = self.refusals.push((dom, dev));
            }
        }
    }
}
