//! One backend with a data plane that only keeps accounts.

use ring_backend::backend::Backend;
use ring_backend::control::DataPlane;
use ring_backend::link::{DeviceLink, DeviceSlot};
use ring_backend::policy::Policy;
use ring_backend::statistics::{Held, Statistics};
use ring_backend::world::{Card, CardFault, CardFormat, DomId, Nanos};
use ring_backend::xenstore::Client;
use std::collections::{BTreeMap, VecDeque};
use tests::fake::guest::Guest;
use tests::fake::store::{Store, Wire};
use tests::fake::toolstack::{Toolstack, Vsnd};

/// The backend's domain.
pub const BACKEND: u16 = 7;

/// A data plane that keeps accounts: what is connected, and what should be refused.
#[derive(Debug, Default)]
pub struct Accounts {
    pub linked: BTreeMap<u8, DeviceLink>,
    pub connects: u32,
    pub refuse: Option<&'static str>,
    pub faults: VecDeque<(DeviceSlot, &'static str)>,
    pub playing: bool,
    /// Devices that are asked to close.
    pub refused: Vec<u8>,
    /// What the guests of connected devices may do.
    pub policies: BTreeMap<u16, Policy>,
    pub frames: u64,
}

impl DataPlane<()> for Accounts {
    type Fault = &'static str;

    fn connect(
        &mut self,
        slot: DeviceSlot,
        link: &DeviceLink,
        (): &mut (),
    ) -> Result<(), &'static str> {
        if let Some(fault) = self.refuse {
            return Err(fault);
        }
        self.connects += 1;
        let before = self.linked.insert(slot.0, link.clone());
        assert!(before.is_none(), "slot {} is connected twice", slot.0);
        Ok(())
    }

    fn disconnect(&mut self, slot: DeviceSlot, (): &mut ()) {
        let link = self.linked.remove(&slot.0);
        assert!(link.is_some(), "slot {} is not connected", slot.0);
    }

    fn set_policy(&mut self, dom: DomId, policy: Policy) {
        self.policies.insert(dom.0, policy);
    }

    fn poll<C: Card>(&mut self, now: Nanos, (): &mut (), _: Option<&mut C>) -> Option<Nanos> {
        self.playing.then(|| now.plus_millis(5))
    }

    fn take_fault(&mut self) -> Option<(DeviceSlot, &'static str)> {
        self.faults.pop_front()
    }

    fn meter(&mut self, _: Nanos) {}

    fn statistics(&self, slot: DeviceSlot, stream: u8) -> Option<Statistics> {
        let link = self.linked.get(&slot.0)?;
        link.streams.get(usize::from(stream))?;
        Some(Statistics {
            playing: self.playing,
            rate: 48_000,
            channels: 2,
            frames: self.frames,
            late_frames: 13,
            added_latency_frames: Some(480),
            first_sound_ns: Some(7_000_000),
            ..Statistics::default()
        })
    }

    fn refuse(&mut self, slot: DeviceSlot) {
        assert!(self.linked.contains_key(&slot.0));
        self.refused.push(slot.0);
    }

    fn retire(&mut self, slot: DeviceSlot, (): &mut ()) {
        assert!(self.linked.contains_key(&slot.0));
    }

    fn is_open(&self, slot: DeviceSlot) -> bool {
        self.playing && self.linked.contains_key(&slot.0)
    }

    fn held(&self, (): &()) -> Held {
        Held {
            streams: self.linked.values().map(|link| link.streams.len()).sum(),
            ..Held::default()
        }
    }
}

/// No card: it is never there, so it is never asked.
pub enum NoCard {}

impl Card for NoCard {
    fn format(&self) -> CardFormat {
        match *self {}
    }
    fn ring_frames(&self) -> usize {
        match *self {}
    }
    fn start(&mut self) -> Result<(), CardFault> {
        match *self {}
    }
    fn stop(&mut self) {
        match *self {}
    }
    fn position(&mut self, _: Nanos) -> Result<u64, CardFault> {
        match *self {}
    }
    fn write(&mut self, _: u64, _: &[u8]) {
        match *self {}
    }
}

/// The backend, the store, the toolstack and the time.
pub struct Site {
    pub store: Store,
    pub toolstack: Toolstack,
    pub backend: Backend<Accounts>,
    pub now: Nanos,
    pub wire: Wire,
    /// Calls of the backend so far.
    pub polls: u64,
}

impl Site {
    /// A backend for `devices` devices whose bytes move in pieces that `seed` decides.
    pub fn new(devices: usize, seed: u64) -> Self {
        let store = Store::new();
        let toolstack = Toolstack::new(&store, BACKEND);
        Self::in_store(store, toolstack, devices, seed)
    }

    /// A backend that starts into a store that has a past.
    pub fn in_store(store: Store, toolstack: Toolstack, devices: usize, seed: u64) -> Self {
        let wire = store.connect(BACKEND, seed);
        Self {
            backend: Backend::with_plane(Accounts::default(), devices, Client::new()),
            store,
            toolstack,
            now: Nanos(1_000_000_000),
            wire,
            polls: 0,
        }
    }

    /// Puts bytes on the wire that no request asked for.
    pub fn inject(&self, bytes: &[u8]) {
        self.store.inject(&self.wire, bytes);
    }

    /// Lets the backend do all that it can at this moment; returns when it wants to go on.
    pub fn poll(&mut self) -> Option<Nanos> {
        for _ in 0..1_000 {
            self.polls += 1;
            let card = None::<&mut NoCard>;
            let due = self.backend.poll(self.now, &mut (), card, &mut self.wire);
            if due.is_none_or(|due| due > self.now) {
                return due;
            }
        }
        let control = self.backend.control();
        panic!(
            "the backend never rests: {control:?}\n{}",
            self.store.dump()
        );
    }

    /// Lets time pass, calling the backend when it asked for it.
    pub fn run(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while let Some(due) = self.poll().filter(|&due| due <= end) {
            self.now = due;
        }
        self.now = end;
        self.poll();
    }

    /// Lets time pass with guests that react, until nothing moves within a millisecond.
    pub fn settle(&mut self, guests: &mut [&mut Guest]) {
        for _ in 0..1_000 {
            self.run(1);
            let moved = guests.iter_mut().map(|guest| u32::from(guest.react()));
            let moved: u32 = moved.sum();
            let young = guests.iter().any(|guest| guest.state() == 3);
            if moved == 0 && !young {
                return;
            }
        }
        panic!("no rest:\n{}", self.store.dump());
    }

    /// Attaches a card and brings it to Connected.
    pub fn connect(&mut self, card: &Vsnd) -> Guest {
        self.toolstack.attach(card);
        let streams = card
            .nodes
            .iter()
            .filter(|(path, _)| path.ends_with("/type"));
        let streams = streams.count();
        let mut guest = Guest::new(&self.store, &self.toolstack, card.guest, card.dev, streams);
        self.settle(&mut [&mut guest]);
        assert_eq!(
            (guest.backend_state(), guest.state()),
            (4, 4),
            "{}",
            self.store.dump()
        );
        guest
    }

    /// A node of a device's backend directory.
    pub fn back(&self, guest: u16, dev: u32, leaf: &str) -> Option<String> {
        self.store.read(&self.toolstack.back(guest, dev, leaf))
    }

    /// A node below the backend's `data`.
    pub fn data(&self, path: &str) -> Option<String> {
        self.store
            .read(&self.toolstack.home(&format!("data/{path}")))
    }

    /// The values that a device's backend state took, in order; nothing for its removal.
    pub fn states(&self, guest: u16, dev: u32) -> Vec<String> {
        let path = self.toolstack.back(guest, dev, "state");
        let history = self.store.history(&path);
        history.into_iter().flatten().collect()
    }

    /// How many devices the data plane has.
    pub fn linked(&self) -> usize {
        self.backend.plane().linked.len()
    }

    /// How many devices the table has.
    pub fn known(&self) -> usize {
        let control = self.backend.control();
        control
            .slots()
            .filter_map(|slot| control.device(slot))
            .count()
    }

    /// Fails unless everything is as it was before the first device.
    pub fn assert_empty(&self) {
        assert_eq!(self.linked(), 0, "devices are still connected");
        assert_eq!(self.known(), 0, "slots are still taken");
        assert_eq!(self.store.watches(BACKEND), 2, "watches are left");
        assert_eq!(
            self.backend.client().watches(),
            2,
            "its own count of watches is wrong"
        );
        assert_eq!(self.backend.client().waiting(), 0, "requests are left");
    }
}
