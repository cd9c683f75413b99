//! HD Audio and the PCI front-end, over traits.
//!
//! A driver sees registers, pages that a device may read or write, a way to wait, and the
//! toolstack's store. The kernel supplies them from the real machine, the tests from simulators.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
    )
)]

#[cfg(test)]
#[macro_use]
extern crate std;

pub mod hda;
pub mod pci;

/// A span of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub u64);

impl Micros {
    /// A span of whole milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// The point this much later.
    #[must_use]
    pub const fn plus(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span since an `earlier` point; zero if that point is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// A device's register window. Offsets are octets from its start.
///
/// Accesses are volatile, of exactly the width asked for, and stay in order. An access outside
/// the window reads all ones and writes nothing, as a bus would.
pub trait Regs {
    /// Reads 8 bits.
    fn read8(&self, offset: usize) -> u8;
    /// Reads 16 bits; `offset` is even.
    fn read16(&self, offset: usize) -> u16;
    /// Reads 32 bits; `offset` is a multiple of 4.
    fn read32(&self, offset: usize) -> u32;
    /// Writes 8 bits.
    fn write8(&mut self, offset: usize, value: u8);
    /// Writes 16 bits; `offset` is even.
    fn write16(&mut self, offset: usize, value: u16);
    /// Writes 32 bits; `offset` is a multiple of 4.
    fn write32(&mut self, offset: usize, value: u32);
}

/// Octets of a DMA page.
pub const PAGE_OCTETS: usize = 4096;

/// One page that a device can reach; zeroed when handed out, kept until it is dropped.
pub trait DmaPage {
    /// The address the device uses; a multiple of [`PAGE_OCTETS`].
    fn bus_address(&self) -> u64;
    /// Reads octets that the device may be writing. Out of the page: zeros.
    fn read(&self, offset: usize, into: &mut [u8]);
    /// Writes octets that the device may be reading. Out of the page: nothing.
    fn write(&mut self, offset: usize, from: &[u8]);
}

/// Where DMA pages come from.
pub trait DmaMemory {
    /// A page of this memory.
    type Page: DmaPage;
    /// Takes a zeroed page, below 4 GiB if `low`; `None` where there is none left.
    fn page(&mut self, low: bool) -> Option<Self::Page>;
}

/// Pause between two looks at a device that gets ready.
const POLL_STEP: Micros = Micros(10);

/// A way to let time pass while a device gets ready; only used at start-up and on faults.
pub trait Clock {
    /// Time since some fixed point.
    fn now(&self) -> Micros;
    /// Lets about this much time pass.
    fn pause(&self, span: Micros);

    /// Asks `done` until it holds, for at most `limit`; whether it did.
    ///
    /// The rounds are counted as well, so a clock that stands still cannot hold the caller, and
    /// `done` is asked once more at the end, so a caller that was not scheduled loses nothing.
    fn wait_for(&self, limit: Micros, mut done: impl FnMut() -> bool) -> bool {
        self.wait_until_done(limit, &mut done)
    }

    /// What [`Clock::wait_for`] does; the same code whatever is waited for.
    fn wait_until_done(&self, limit: Micros, done: &mut dyn FnMut() -> bool) -> bool {
        let deadline = self.now().plus(limit);
        for _ in 0..=limit.0 / POLL_STEP.0 {
            if done() {
                return true;
            }
            if self.now() >= deadline {
                break;
            }
            self.pause(POLL_STEP);
        }
        done()
    }
}
