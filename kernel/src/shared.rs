//! Memory that somebody else writes: volatile copies and single counters, never references.
//!
//! A Rust reference promises that memory does not change behind it; a page shared with a guest, a
//! daemon or a device keeps no such promise. So this file is the only one that touches them.

use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering, fence};

/// Octets from a page-aligned address on that others may read and write.
///
/// Offsets outside it read zeros and write nothing.
#[derive(Debug)]
pub struct Shared {
    base: usize,
    octets: usize,
}

impl Shared {
    /// Claims `octets` at `base`, which is a multiple of 8.
    ///
    /// # Safety
    /// They stay mapped, writable and in nobody's reference for as long as this lives.
    pub const unsafe fn new(base: usize, octets: usize) -> Self {
        Self { base, octets }
    }

    /// Where it is mapped.
    pub const fn base(&self) -> usize {
        self.base
    }

    /// The address of `octets` at `offset`, if they are inside.
    fn at(&self, offset: usize, octets: usize) -> Option<usize> {
        let end = offset.checked_add(octets)?;
        (end <= self.octets).then_some(self.base + offset)
    }

    /// The counter at `offset`, a multiple of 4.
    fn counter(&self, offset: usize) -> Option<&AtomicU32> {
        let address = self.at(offset & !3, 4)?;
        // SAFETY: inside and aligned; every access of either side to a counter is whole.
        Some(unsafe { AtomicU32::from_ptr(address as *mut u32) })
    }

    /// Loads a 32-bit counter before anything that follows.
    pub fn load(&self, offset: usize) -> u32 {
        let counter = self.counter(offset);
        counter.map_or(0, |counter| counter.load(Ordering::Acquire))
    }

    /// Stores a 32-bit counter after everything before.
    pub fn store(&self, offset: usize, value: u32) {
        if let Some(counter) = self.counter(offset) {
            counter.store(value, Ordering::Release);
        }
    }

    /// Sets bits of a counter in one step.
    pub fn set_bits(&self, offset: usize, bits: u32) {
        if let Some(counter) = self.counter(offset) {
            counter.fetch_or(bits, Ordering::AcqRel);
        }
    }

    /// Clears bits of a counter in one step; returns what it was.
    pub fn clear_bits(&self, offset: usize, bits: u32) -> u32 {
        let counter = self.counter(offset);
        counter.map_or(0, |counter| counter.fetch_and(!bits, Ordering::AcqRel))
    }

    /// Orders earlier stores before later loads.
    pub fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    /// Copies out, each octet once.
    pub fn copy_out(&self, offset: usize, into: &mut [u8]) {
        let Some(mut from) = self.at(offset, into.len()) else {
            into.fill(0);
            return;
        };
        let head = from.wrapping_neg() % 8;
        let (head, rest) = into.split_at_mut(head.min(into.len()));
        let (words, tail) = rest.as_chunks_mut::<8>();
        for octet in head {
            // SAFETY: inside; see `at`.
            *octet = unsafe { ptr::read_volatile(from as *const u8) };
            from += 1;
        }
        for word in words {
            // SAFETY: inside, and aligned by the head.
            *word = unsafe { ptr::read_volatile(from as *const u64) }.to_ne_bytes();
            from += 8;
        }
        for octet in tail {
            // SAFETY: inside.
            *octet = unsafe { ptr::read_volatile(from as *const u8) };
            from += 1;
        }
    }

    /// Copies in.
    pub fn copy_in(&self, offset: usize, from: &[u8]) {
        let Some(mut to) = self.at(offset, from.len()) else {
            return;
        };
        let head = to.wrapping_neg() % 8;
        let (head, rest) = from.split_at(head.min(from.len()));
        let (words, tail) = rest.as_chunks::<8>();
        for &octet in head {
            // SAFETY: inside; see `at`.
            unsafe { ptr::write_volatile(to as *mut u8, octet) };
            to += 1;
        }
        for &word in words {
            // SAFETY: inside, and aligned by the head.
            unsafe { ptr::write_volatile(to as *mut u64, u64::from_ne_bytes(word)) };
            to += 8;
        }
        for &octet in tail {
            // SAFETY: inside.
            unsafe { ptr::write_volatile(to as *mut u8, octet) };
            to += 1;
        }
    }

    /// Makes whole pages zeros.
    pub fn clear(&self) {
        // Line by line: the image holds what is copied.
        for line in (0..self.octets).step_by(64) {
            self.copy_in(line, &[0; 64]);
        }
    }
}
