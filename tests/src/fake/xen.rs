//! A machine of memory: domains' pages, grants and event channels, with failures on demand.

use super::seed::Seed;
use ring_backend::world::{
    ClaimedRef, DomId, EventFault, GrantFault, Holding, LocalPort, PAGE_OCTETS, RemotePort,
    SharedPage, World,
};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// `GNTST_bad_gntref`.
const BAD_GRANT: GrantFault = GrantFault { status: -3 };
/// `ESRCH`, negative.
const NO_PORT: EventFault = EventFault { errno: -3 };

/// One page of a guest.
#[derive(Debug)]
pub struct Memory {
    octets: RefCell<Vec<u8>>,
    /// If set, the page changes after each of the backend's reads.
    mutation: RefCell<Option<Seed>>,
}

impl Memory {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            octets: RefCell::new(vec![0; PAGE_OCTETS]),
            mutation: RefCell::new(None),
        })
    }

    /// Copies out.
    pub fn read(&self, at: usize, into: &mut [u8]) {
        into.copy_from_slice(&self.octets.borrow()[at..at + into.len()]);
    }

    /// Copies in.
    pub fn write(&self, at: usize, from: &[u8]) {
        self.octets.borrow_mut()[at..at + from.len()].copy_from_slice(from);
    }

    /// Reads a little-endian number.
    pub fn word(&self, at: usize) -> u32 {
        let mut octets = [0; 4];
        self.read(at, &mut octets);
        u32::from_le_bytes(octets)
    }

    /// Writes a little-endian number.
    pub fn put_word(&self, at: usize, value: u32) {
        self.write(at, &value.to_le_bytes());
    }

    /// From now on the page changes after each of the backend's reads.
    pub fn never_hold_still(&self, seed: u64) {
        *self.mutation.borrow_mut() = Some(Seed::new(seed));
    }

    fn mutate(&self) {
        if let Some(seed) = &mut *self.mutation.borrow_mut() {
            let mut octets = self.octets.borrow_mut();
            for _ in 0..8 {
                let at = seed.below(PAGE_OCTETS as u64) as usize;
                octets[at] = seed.next_u64() as u8;
            }
        }
    }
}

/// What a guest offered, and who is bound to it.
#[derive(Debug, Default)]
struct Offer {
    bound: Option<u32>,
    /// Notifications from the backend that the guest did not take yet.
    pending: bool,
    notified: u64,
}

/// A guest and a number of its own.
type Key = (u16, u32);

/// A page, where in it a part of a buffer lies, and where that is in the whole.
type Part = (Rc<Memory>, usize, std::ops::Range<usize>);

#[derive(Debug, Default)]
struct State {
    grants: RefCell<BTreeMap<Key, Rc<Memory>>>,
    offers: RefCell<BTreeMap<Key, Offer>>,
    /// The backend's ports: whose they are and whether they are pending.
    ports: RefCell<BTreeMap<u32, (Key, bool)>>,
    unheard: RefCell<BTreeSet<u32>>,
    next: Cell<u32>,
    mapped: Cell<usize>,
    /// Maps, binds and copies so far, by domain.
    calls: RefCell<BTreeMap<u16, u64>>,
    fail_call: Cell<Option<(u16, u64)>>,
    copied: Cell<u64>,
    taken: Cell<u64>,
}

/// The machine; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct FakeXen(Rc<State>);

impl FakeXen {
    /// A machine without guests.
    #[must_use]
    pub fn new() -> Self {
        let xen = Self::default();
        xen.0.next.set(8);
        xen
    }

    fn number(&self) -> u32 {
        self.0.next.set(self.0.next.get() + 1);
        self.0.next.get()
    }

    /// Grants a new page of `dom`.
    pub fn grant(&self, dom: DomId) -> (ClaimedRef, Rc<Memory>) {
        let (gref, memory) = (self.number(), Memory::new());
        let mut grants = self.0.grants.borrow_mut();
        grants.insert((dom.0, gref), Rc::clone(&memory));
        (ClaimedRef(gref), memory)
    }

    /// Takes a grant back.
    pub fn revoke(&self, dom: DomId, gref: ClaimedRef) {
        self.0.grants.borrow_mut().remove(&(dom.0, gref.0));
    }

    /// Ends a domain: all its grants and ports are gone.
    pub fn destroy(&self, dom: DomId) {
        self.0.grants.borrow_mut().retain(|key, _| key.0 != dom.0);
        self.0.offers.borrow_mut().retain(|key, _| key.0 != dom.0);
    }

    /// Offers a port of `dom`.
    pub fn offer(&self, dom: DomId) -> RemotePort {
        let port = self.number();
        let mut offers = self.0.offers.borrow_mut();
        offers.insert((dom.0, port), Offer::default());
        RemotePort(port)
    }

    /// Notifies the backend from the guest's end of a port.
    pub fn guest_notify(&self, dom: DomId, port: RemotePort) {
        if let Some(Offer {
            bound: Some(local), ..
        }) = self.0.offers.borrow().get(&(dom.0, port.0))
            && let Some((_, pending)) = self.0.ports.borrow_mut().get_mut(local)
        {
            *pending = true;
        }
    }

    /// Whether the backend notified the guest's end since the last call.
    pub fn guest_take(&self, dom: DomId, port: RemotePort) -> bool {
        let mut offers = self.0.offers.borrow_mut();
        offers
            .get_mut(&(dom.0, port.0))
            .is_some_and(|offer| std::mem::take(&mut offer.pending))
    }

    /// How often the backend notified the guest's end.
    #[must_use]
    pub fn notified(&self, dom: DomId, port: RemotePort) -> u64 {
        let offers = self.0.offers.borrow();
        offers
            .get(&(dom.0, port.0))
            .map_or(0, |offer| offer.notified)
    }

    /// Whether a notification ends the backend's sleep.
    #[must_use]
    pub fn backend_woken(&self) -> bool {
        let unheard = self.0.unheard.borrow();
        let ports = self.0.ports.borrow();
        ports
            .iter()
            .any(|(port, (_, pending))| *pending && !unheard.contains(port))
    }

    /// Pages that the backend has mapped, and ports that it has bound.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.0.mapped.get(), self.0.ports.borrow().len())
    }

    /// Lets the `nth` map, bind or copy of something of `dom` from now on fail, counted from 0.
    pub fn fail_call(&self, dom: DomId, nth: u64) {
        let calls = self.0.calls.borrow().get(&dom.0).copied().unwrap_or(0);
        self.0.fail_call.set(Some((dom.0, calls + nth)));
    }

    /// Lets nothing fail from now on.
    pub fn fail_nothing(&self) {
        self.0.fail_call.set(None);
    }

    /// Octets copied from and to guests.
    #[must_use]
    pub fn copied(&self) -> u64 {
        self.0.copied.get()
    }

    /// Signals that the backend took.
    #[must_use]
    pub fn signals_taken(&self) -> u64 {
        self.0.taken.get()
    }

    fn fails(&self, dom: DomId) -> bool {
        let mut calls = self.0.calls.borrow_mut();
        let call = calls.entry(dom.0).or_default();
        *call += 1;
        self.0.fail_call.get() == Some((dom.0, *call - 1))
    }

    fn page(&self, dom: DomId, gref: ClaimedRef) -> Result<Rc<Memory>, GrantFault> {
        let grants = self.0.grants.borrow();
        grants.get(&(dom.0, gref.0)).cloned().ok_or(BAD_GRANT)
    }

    /// The pages of a buffer with the part of each that `octets` from `offset` on lie in.
    fn parts(
        &self,
        dom: DomId,
        buffer: &[ClaimedRef],
        offset: usize,
        octets: usize,
    ) -> Result<Vec<Part>, GrantFault> {
        if self.fails(dom) {
            return Err(BAD_GRANT);
        }
        self.0.copied.set(self.0.copied.get() + octets as u64);
        let mut parts = Vec::new();
        let mut done = 0;
        while done < octets {
            let at = offset + done;
            let inside = at % PAGE_OCTETS;
            let length = (PAGE_OCTETS - inside).min(octets - done);
            let gref = buffer.get(at / PAGE_OCTETS).expect("within the buffer");
            parts.push((self.page(dom, *gref)?, inside, done..done + length));
            done += length;
        }
        Ok(parts)
    }
}

/// A page that the backend mapped.
#[derive(Debug)]
pub struct FakePage {
    memory: Rc<Memory>,
    xen: FakeXen,
}

impl Drop for FakePage {
    fn drop(&mut self) {
        self.xen.0.mapped.set(self.xen.0.mapped.get() - 1);
    }
}

impl SharedPage for FakePage {
    fn load(&self, offset: usize) -> u32 {
        let word = self.memory.word(offset);
        self.memory.mutate();
        word
    }

    fn store(&mut self, offset: usize, value: u32) {
        self.memory.put_word(offset, value);
    }

    fn fence(&self) {}

    fn copy_out(&self, offset: usize, into: &mut [u8]) {
        self.memory.read(offset, into);
        self.memory.mutate();
    }

    fn copy_in(&mut self, offset: usize, from: &[u8]) {
        self.memory.write(offset, from);
    }
}

impl World for FakeXen {
    type Page = FakePage;

    fn map(&mut self, dom: DomId, gref: ClaimedRef) -> Result<FakePage, GrantFault> {
        if self.fails(dom) {
            return Err(BAD_GRANT);
        }
        let memory = self.page(dom, gref)?;
        self.0.mapped.set(self.0.mapped.get() + 1);
        Ok(FakePage {
            memory,
            xen: self.clone(),
        })
    }

    fn copy_from(
        &mut self,
        dom: DomId,
        buffer: &[ClaimedRef],
        offset: usize,
        into: &mut [u8],
    ) -> Result<(), GrantFault> {
        for (page, at, part) in self.parts(dom, buffer, offset, into.len())? {
            page.read(at, &mut into[part]);
            page.mutate();
        }
        Ok(())
    }

    fn copy_to(
        &mut self,
        dom: DomId,
        buffer: &[ClaimedRef],
        offset: usize,
        from: &[u8],
    ) -> Result<(), GrantFault> {
        for (page, at, part) in self.parts(dom, buffer, offset, from.len())? {
            page.write(at, &from[part]);
        }
        Ok(())
    }

    fn bind(&mut self, dom: DomId, remote: RemotePort) -> Result<LocalPort, EventFault> {
        if self.fails(dom) {
            return Err(NO_PORT);
        }
        let local = self.number();
        let mut offers = self.0.offers.borrow_mut();
        let offer = offers.get_mut(&(dom.0, remote.0)).ok_or(NO_PORT)?;
        if offer.bound.is_some() {
            return Err(NO_PORT);
        }
        offer.bound = Some(local);
        let mut ports = self.0.ports.borrow_mut();
        ports.insert(local, ((dom.0, remote.0), false));
        Ok(LocalPort(local))
    }

    fn close(&mut self, port: LocalPort) {
        let closed = self.0.ports.borrow_mut().remove(&port.0);
        let (key, _) = closed.expect("a bound port is closed, and once only");
        self.0.unheard.borrow_mut().remove(&port.0);
        if let Some(offer) = self.0.offers.borrow_mut().get_mut(&key) {
            offer.bound = None;
        }
    }

    fn notify(&mut self, port: LocalPort) {
        let ports = self.0.ports.borrow();
        let (key, _) = ports.get(&port.0).expect("a bound port is notified");
        if let Some(offer) = self.0.offers.borrow_mut().get_mut(key) {
            offer.pending = true;
            offer.notified += 1;
        }
    }

    fn take_event(&mut self, port: LocalPort) -> bool {
        let mut ports = self.0.ports.borrow_mut();
        let (_, pending) = ports.get_mut(&port.0).expect("a bound port is asked");
        let taken = std::mem::take(pending);
        self.0.taken.set(self.0.taken.get() + u64::from(taken));
        taken
    }

    fn holding(&self) -> Holding {
        let (pages, ports) = self.held();
        Holding {
            pages: pages as u32,
            ports: ports as u32,
        }
    }

    fn listen(&mut self, port: LocalPort, wanted: bool) -> bool {
        let mut unheard = self.0.unheard.borrow_mut();
        match wanted {
            true => unheard.remove(&port.0),
            false => unheard.insert(port.0),
        };
        true
    }
}
