//! The window: addresses for memory that is not this domain's.
//!
//! One page table above the linear map, whose pages are taken and freed one run at a time: Xen's
//! shared pages and device registers for good, guests' ring pages for as long as they are
//! connected.

use crate::hypercall::{self, Errno};
use crate::mm::{DATA, ENTRIES, PAGE};
use core::fmt;
use spin::Mutex;

/// The first address.
pub const BASE: usize = 0xffff_ffff_a000_0000;
/// Rights of device registers: uncached (`PCD`, `PWT`).
const REGISTERS: u64 = DATA | 1 << 3 | 1 << 4;

static SLOTS: Mutex<Slots> = Mutex::new(Slots([0; ENTRIES / 64]));

/// Which pages of the window are taken, a bit each.
struct Slots([u64; ENTRIES / 64]);

/// Something could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// The window is full, or it is not so wide.
    Full,
    /// Xen said no.
    Refused(Errno),
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no address space left"),
            Self::Refused(errno) => errno.fmt(f),
        }
    }
}

/// Pages of the window, taken; dropping it frees the addresses, which must be unmapped by then.
pub struct Window {
    first: usize,
    pages: usize,
}

impl Window {
    /// Takes `pages` pages of address space in a row.
    pub fn take(pages: usize) -> Option<Self> {
        let mut slots = SLOTS.lock();
        let first = (0..ENTRIES.checked_sub(pages)? + 1)
            .find(|&first| (first..first + pages).all(|slot| !slots.is_taken(slot)))?;
        (first..first + pages).for_each(|slot| slots.set(slot, true));
        Some(Self { first, pages })
    }

    /// The first address.
    pub fn va(&self) -> usize {
        BASE + self.first * PAGE
    }

    /// Keeps the addresses for good.
    pub const fn keep(&mut self) {
        self.pages = 0;
    }

    /// Maps machine frames from `first` on for good, even if Xen refuses one of them.
    fn map_for_good(first: u64, pages: usize, rights: u64) -> Result<usize, MapError> {
        let mut window = Self::take(pages).ok_or(MapError::Full)?;
        let va = window.va();
        window.keep();
        for (at, mfn) in (va..).step_by(PAGE).zip(first..).take(pages) {
            // SAFETY: these addresses were taken just now and are nobody else's any more.
            let mapped = unsafe { hypercall::update_va_mapping(at, mfn << 12 | rights) };
            mapped.map_err(MapError::Refused)?;
        }
        Ok(va)
    }

    /// Maps a page that Xen shares with this domain.
    pub fn map_shared(mfn: u64) -> Result<usize, MapError> {
        Self::map_for_good(mfn, 1, DATA)
    }

    /// Maps the device memory from machine address `from` on.
    pub fn map_device(from: u64, octets: usize) -> Result<usize, MapError> {
        let offset = from as usize % PAGE;
        let pages = octets.saturating_add(offset).div_ceil(PAGE);
        Ok(Self::map_for_good(from >> 12, pages, REGISTERS)? + offset)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let mut slots = SLOTS.lock();
        (self.first..self.first + self.pages).for_each(|slot| slots.set(slot, false));
    }
}

impl Slots {
    fn is_taken(&self, slot: usize) -> bool {
        self.0
            .get(slot / 64)
            .is_none_or(|word| word >> (slot % 64) & 1 == 1)
    }

    fn set(&mut self, slot: usize, taken: bool) {
        if let Some(word) = self.0.get_mut(slot / 64) {
            *word = *word & !(1 << (slot % 64)) | u64::from(taken) << (slot % 64);
        }
    }
}
