//! A device's registers.

use crate::window::{MapError, Window};
use core::ptr;
use drivers::Regs;

/// A mapped register window; uncached, in order, bounds checked.
pub struct Mmio {
    base: usize,
    octets: usize,
}

impl Mmio {
    /// Maps `octets` of device memory at a machine address. The mapping stays for good.
    ///
    /// # Errors
    /// The window is full, or Xen does not let this domain have that memory.
    pub fn map(address: u64, octets: usize) -> Result<Self, MapError> {
        let base = Window::map_device(address, octets)?;
        Ok(Self { base, octets })
    }

    /// Another view of the same registers, for the fault path.
    pub const fn alias(&self) -> Self {
        Self {
            base: self.base,
            octets: self.octets,
        }
    }

    /// The address of a register of type `T`, if it is inside and aligned.
    fn at<T>(&self, offset: usize) -> Option<*mut T> {
        let end = offset.checked_add(size_of::<T>())?;
        let fits = end <= self.octets && offset.is_multiple_of(size_of::<T>());
        fits.then_some((self.base + offset) as *mut T)
    }
}

impl Regs for Mmio {
    fn read8(&self, offset: usize) -> u8 {
        // SAFETY: mapped for good and inside; see `at`. The same for all below.
        self.at(offset)
            .map_or(u8::MAX, |at| unsafe { ptr::read_volatile(at) })
    }

    fn read16(&self, offset: usize) -> u16 {
        // SAFETY: as `read8`.
        self.at(offset)
            .map_or(u16::MAX, |at| unsafe { ptr::read_volatile(at) })
    }

    fn read32(&self, offset: usize) -> u32 {
        // SAFETY: as `read8`.
        self.at(offset)
            .map_or(u32::MAX, |at| unsafe { ptr::read_volatile(at) })
    }

    fn write8(&mut self, offset: usize, value: u8) {
        if let Some(at) = self.at(offset) {
            // SAFETY: as `read8`.
            unsafe { ptr::write_volatile(at, value) };
        }
    }

    fn write16(&mut self, offset: usize, value: u16) {
        if let Some(at) = self.at(offset) {
            // SAFETY: as `read8`.
            unsafe { ptr::write_volatile(at, value) };
        }
    }

    fn write32(&mut self, offset: usize, value: u32) {
        if let Some(at) = self.at(offset) {
            // SAFETY: as `read8`.
            unsafe { ptr::write_volatile(at, value) };
        }
    }
}
