//! Pages that the card reads and writes.

use crate::console::log;
use crate::mm;
use crate::shared::Shared;
use drivers::{DmaMemory, DmaPage};

/// First address that takes more than 32 bits.
const FOUR_GIB: u64 = 1 << 32;

/// The domain's supply of DMA pages. The IOMMU maps every writable page of this domain at its
/// machine address, so any page will do.
pub struct Dma;

/// One page; given back when dropped.
pub struct Page {
    memory: Shared,
    bus: u64,
}

impl DmaMemory for Dma {
    type Page = Page;

    fn page(&mut self, low: bool) -> Option<Page> {
        let va = mm::take_page()?;
        if low && mm::mfn_of(va)? << 12 >= FOUR_GIB {
            // SAFETY: fresh from `take_page`.
            if let Err(errno) = unsafe { mm::exchange_low(va) } {
                log!("no memory below 4 GiB for the card: {errno}");
                mm::give_page(va);
                return None;
            }
        }
        let bus = mm::mfn_of(va)? << 12;
        // SAFETY: taken for this, mapped for good, and only reachable through `memory`.
        let memory = unsafe { Shared::new(va, mm::PAGE) };
        memory.clear();
        Some(Page { memory, bus })
    }
}

impl DmaPage for Page {
    fn bus_address(&self) -> u64 {
        self.bus
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        self.memory.copy_out(offset, into);
    }

    fn write(&mut self, offset: usize, from: &[u8]) {
        self.memory.copy_in(offset, from);
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        mm::give_page(self.memory.base());
    }
}
