//! What a driver holds of the machine.

use std::cell::RefCell;
use std::rc::Rc;

use drivers::{Clock, DmaMemory, DmaPage, Micros, Regs};

use super::State;

/// The register window.
#[derive(Clone)]
pub struct SimRegs(pub(super) Rc<RefCell<State>>);

impl Regs for SimRegs {
    fn read8(&self, offset: usize) -> u8 {
        self.0.borrow_mut().read(offset, 1) as u8
    }
    fn read16(&self, offset: usize) -> u16 {
        self.0.borrow_mut().read(offset, 2) as u16
    }
    fn read32(&self, offset: usize) -> u32 {
        self.0.borrow_mut().read(offset, 4)
    }
    fn write8(&mut self, offset: usize, value: u8) {
        self.0.borrow_mut().write(offset, 1, value.into());
    }
    fn write16(&mut self, offset: usize, value: u16) {
        self.0.borrow_mut().write(offset, 2, value.into());
    }
    fn write32(&mut self, offset: usize, value: u32) {
        self.0.borrow_mut().write(offset, 4, value);
    }
}

/// Where pages come from.
#[derive(Clone)]
pub struct SimMemory(pub(super) Rc<RefCell<State>>);

/// A page that the device can reach; gone from the machine when dropped.
pub struct SimPage {
    state: Rc<RefCell<State>>,
    address: u64,
}

impl DmaMemory for SimMemory {
    type Page = SimPage;

    fn page(&mut self, low: bool) -> Option<SimPage> {
        let mut state = self.0.borrow_mut();
        state.pages_left = state.pages_left.checked_sub(1)?;
        // Scattered, as a domain's pages are.
        state.next_page += 0x3000;
        let address = if low {
            state.next_page & 0xFFFF_FFFF
        } else {
            state.next_page
        };
        state.pages.insert(address, Box::new([0; 4096]));
        Some(SimPage {
            state: self.0.clone(),
            address,
        })
    }
}

impl DmaPage for SimPage {
    fn bus_address(&self) -> u64 {
        self.address
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        let state = self.state.borrow();
        let page = &state.pages[&self.address];
        match page.get(offset..offset + into.len()) {
            Some(octets) => into.copy_from_slice(octets),
            None => into.fill(0),
        }
    }

    fn write(&mut self, offset: usize, from: &[u8]) {
        let mut state = self.state.borrow_mut();
        let page = state
            .pages
            .get_mut(&self.address)
            .expect("held until dropped");
        if let Some(octets) = page.get_mut(offset..offset + from.len()) {
            octets.copy_from_slice(from);
        }
    }
}

impl Drop for SimPage {
    fn drop(&mut self) {
        self.state.borrow_mut().pages.remove(&self.address);
    }
}

/// The clock.
#[derive(Clone)]
pub struct SimClock(pub(super) Rc<RefCell<State>>);

impl Clock for SimClock {
    fn now(&self) -> Micros {
        Micros(self.0.borrow().micros())
    }
    fn pause(&self, span: Micros) {
        self.0.borrow_mut().pass(span.0 * 1000);
    }
}
