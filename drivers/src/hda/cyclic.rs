//! The cyclic buffer of a stream: pages, and the list that describes them to the device (§3.6).

use heapless::Vec;

use super::CardError;
use super::rings::{high, low};
use crate::{DmaPage, PAGE_OCTETS};

/// Most pages of a ring.
pub const RING_PAGES: usize = 32;
/// Zeros to write from.
static SILENCE: [u8; 64] = [0; 64];

/// A ring of pages.
pub struct Cyclic<P> {
    descriptors: P,
    pages: Vec<P, RING_PAGES>,
}

impl<P: DmaPage> Cyclic<P> {
    /// A ring of `pages` pages, at least 2 and at most [`RING_PAGES`].
    ///
    /// # Errors
    /// `NoMemory`.
    pub fn new(
        pages: u8,
        mut page: impl FnMut() -> Result<P, CardError>,
    ) -> Result<Self, CardError> {
        let mut descriptors = page()?;
        let mut ring = Vec::new();
        let pages = usize::from(pages).clamp(2, RING_PAGES);
        for index in 0..pages {
            let page = page()?;
            // Two interrupts a round, as a safety net for whoever watches the position.
            let last_of_half = index.saturating_add(1) == pages / 2;
            let last = index.saturating_add(1) == pages;
            let entry = descriptor(page.bus_address(), last_of_half || last);
            descriptors.write(index.saturating_mul(entry.len()), &entry);
            if ring.push(page).is_err() {
                return Err(CardError::NoMemory);
            }
        }
        Ok(Self {
            descriptors,
            pages: ring,
        })
    }

    /// Octets of the ring.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.pages.len().saturating_mul(PAGE_OCTETS)
    }

    /// The same as `SDnCBL` wants it.
    #[must_use]
    pub fn length(&self) -> u32 {
        u32::try_from(self.octets()).unwrap_or(0)
    }

    /// The last entry of the list.
    #[must_use]
    pub fn last(&self) -> u16 {
        u16::try_from(self.pages.len().saturating_sub(1)).unwrap_or(0)
    }

    /// Where the list is.
    #[must_use]
    pub fn list(&self) -> u64 {
        self.descriptors.bus_address()
    }

    /// Writes at octet `at` of all octets since the start, round the end of the ring.
    pub fn write(&mut self, at: u64, mut octets: &[u8]) {
        let mut offset = self.offset(at);
        while !octets.is_empty() {
            let within = offset % PAGE_OCTETS;
            let room = PAGE_OCTETS.saturating_sub(within).min(octets.len());
            let (now, later) = octets.split_at_checked(room).unwrap_or((octets, &[]));
            if let Some(page) = self.pages.get_mut(offset / PAGE_OCTETS) {
                page.write(within, now);
            }
            offset = offset.saturating_add(room);
            if offset >= self.octets() {
                offset = 0;
            }
            octets = later;
        }
    }

    /// Reads at octet `at` of all octets since the start, round the end of the ring.
    pub fn read(&self, at: u64, mut octets: &mut [u8]) {
        let mut offset = self.offset(at);
        while !octets.is_empty() {
            let within = offset % PAGE_OCTETS;
            let room = PAGE_OCTETS.saturating_sub(within).min(octets.len());
            let Some((now, later)) = octets.split_at_mut_checked(room) else {
                return;
            };
            if let Some(page) = self.pages.get(offset / PAGE_OCTETS) {
                page.read(within, now);
            }
            offset = offset.saturating_add(room);
            if offset >= self.octets() {
                offset = 0;
            }
            octets = later;
        }
    }

    /// Writes `octets` zeros at octet `at`, at most a ring of them.
    pub fn clear(&mut self, at: u64, octets: usize) {
        let mut left = octets.min(self.octets());
        let mut at = at;
        while let Some(zeros) = SILENCE.get(..left.min(SILENCE.len()))
            && !zeros.is_empty()
        {
            self.write(at, zeros);
            at = at.wrapping_add(zeros.len() as u64);
            left = left.saturating_sub(zeros.len());
        }
    }

    fn offset(&self, at: u64) -> usize {
        let within = at.checked_rem(u64::from(self.length())).unwrap_or(0);
        usize::try_from(within).unwrap_or(0)
    }
}

/// One entry of a buffer descriptor list: a whole page (§3.6.3).
fn descriptor(address: u64, interrupt: bool) -> [u8; 16] {
    let mut entry = [[0; 4]; 4];
    let [a, b, length, flags] = &mut entry;
    *a = low(address).to_le_bytes();
    *b = high(address).to_le_bytes();
    *length = 4096_u32.to_le_bytes();
    *flags = u32::from(interrupt).to_le_bytes();
    let mut octets = [0; 16];
    octets.copy_from_slice(entry.as_flattened());
    octets
}

const _: () = assert!(PAGE_OCTETS == 4096);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_a_whole_page() {
        assert_eq!(
            descriptor(0x1_2345_6000, true),
            [0, 0x60, 0x45, 0x23, 1, 0, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0]
        );
    }
}
