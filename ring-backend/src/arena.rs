//! One block of memory for all streams' private copies of their buffers.
//!
//! It is allocated once. A stream takes a run of consecutive 4 KiB blocks when it opens and gives
//! it back when it closes; the grant references of a buffer's pages lie beside the blocks that
//! mirror them, so both have one bound. One buffer a guest may always have, if there is room, but of
//! several no more than a share: it decides itself how many streams it has, and how large.

use crate::world::{ClaimedRef, DomId, PAGE_OCTETS};
use alloc::boxed::Box;
use alloc::vec;

/// Guests that can have as much as one may. In the smallest domain that is still a large buffer to
/// play from and one to record to.
const SHARES: usize = 3;

/// Consecutive blocks of an [`Arena`]; made by [`Arena::take`] only and not copied, so no block
/// has two owners.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    first: usize,
    blocks: usize,
}

impl Run {
    /// Octets of the run.
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.blocks * PAGE_OCTETS
    }
}

/// The memory and who has which block of it.
#[derive(Debug)]
pub struct Arena {
    octets: Box<[u8]>,
    pages: Box<[ClaimedRef]>,
    owners: Box<[Option<DomId>]>,
    /// Blocks that no stream holds.
    free: usize,
}

impl Arena {
    /// An arena of this many octets, rounded down to whole blocks.
    #[must_use]
    pub fn new(octets: usize) -> Self {
        let blocks = octets / PAGE_OCTETS;
        Self {
            octets: vec![0; blocks * PAGE_OCTETS].into_boxed_slice(),
            pages: vec![ClaimedRef(0); blocks].into_boxed_slice(),
            owners: vec![None; blocks].into_boxed_slice(),
            free: blocks,
        }
    }

    /// Octets in all.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.octets.len()
    }

    /// Octets that no stream holds.
    #[must_use]
    pub const fn free_octets(&self) -> usize {
        self.free * PAGE_OCTETS
    }

    /// Takes the first run of blocks that holds `octets`; `None` where none is left, or the guest
    /// has some already and would have more than its share.
    pub fn take(&mut self, octets: usize, guest: DomId) -> Option<Run> {
        let blocks = octets.div_ceil(PAGE_OCTETS);
        let owners = self.owners.iter();
        let held = owners.filter(|owner| **owner == Some(guest)).count();
        let greedy = held > 0 && held.saturating_add(blocks) > self.owners.len() / SHARES;
        if blocks == 0 || greedy {
            return None;
        }
        let first = self
            .owners
            .windows(blocks)
            .position(|window| window.iter().all(Option::is_none))?;
        let run = Run { first, blocks };
        self.mark(&run, Some(guest));
        self.free -= blocks;
        Some(run)
    }

    /// Takes a run back.
    pub fn give(&mut self, run: Run) {
        self.mark(&run, None);
        self.free += run.blocks;
    }

    /// The grant references and the octets of a run.
    #[must_use]
    pub fn get(&self, run: &Run) -> (&[ClaimedRef], &[u8]) {
        let at = run.first * PAGE_OCTETS;
        (
            self.pages
                .get(run.first..run.first + run.blocks)
                .unwrap_or(&[]),
            self.octets.get(at..at + run.octets()).unwrap_or(&[]),
        )
    }

    /// The grant references and the octets of a run, to write.
    pub fn get_mut(&mut self, run: &Run) -> (&mut [ClaimedRef], &mut [u8]) {
        let at = run.first * PAGE_OCTETS;
        (
            self.pages
                .get_mut(run.first..run.first + run.blocks)
                .unwrap_or(&mut []),
            self.octets
                .get_mut(at..at + run.octets())
                .unwrap_or(&mut []),
        )
    }

    fn mark(&mut self, run: &Run, owner: Option<DomId>) {
        for block in self.owners.iter_mut().skip(run.first).take(run.blocks) {
            *block = owner;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_do_not_overlap_and_come_back_whole() {
        let mut arena = Arena::new(8 * PAGE_OCTETS + 100);
        assert_eq!(arena.capacity(), 8 * PAGE_OCTETS);
        let first = arena.take(3 * PAGE_OCTETS, DomId(1)).unwrap();
        let second = arena.take(PAGE_OCTETS + 1, DomId(2)).unwrap();
        arena.get_mut(&first).1.fill(1);
        arena.get_mut(&second).1.fill(2);
        assert!(arena.get(&first).1.iter().all(|octet| *octet == 1));
        assert_eq!(arena.get(&second).1.len(), 2 * PAGE_OCTETS);
        assert_eq!(arena.free_octets(), 3 * PAGE_OCTETS);
        arena.give(first);
        arena.give(second);
        assert_eq!(
            arena.take(8 * PAGE_OCTETS, DomId(1)).unwrap().octets(),
            8 * PAGE_OCTETS
        );
    }

    #[test]
    fn a_run_that_does_not_fit_in_one_piece_is_refused() {
        let mut arena = Arena::new(4 * PAGE_OCTETS);
        let runs: [_; 4] = core::array::from_fn(|n| arena.take(1, DomId(n as u16)).unwrap());
        for (index, run) in runs.into_iter().enumerate() {
            if index % 2 == 0 {
                arena.give(run);
            }
        }
        assert_eq!(arena.free_octets(), 2 * PAGE_OCTETS);
        assert_eq!(arena.take(2 * PAGE_OCTETS, DomId(9)), None);
        assert!(arena.take(PAGE_OCTETS, DomId(9)).is_some());
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let mut arena = Arena::new(2 * PAGE_OCTETS);
        assert_eq!(arena.take(0, DomId(1)), None);
        assert_eq!(arena.take(3 * PAGE_OCTETS, DomId(1)), None);
        assert_eq!(arena.take(usize::MAX, DomId(1)), None);
        assert_eq!(Arena::new(0).take(1, DomId(1)), None);
    }

    #[test]
    fn of_several_buffers_a_guest_has_its_share_and_of_one_as_much_as_there_is() {
        let mut arena = Arena::new(16 * PAGE_OCTETS);
        let first = arena.take(3 * PAGE_OCTETS, DomId(1)).unwrap();
        assert_eq!(arena.take(3 * PAGE_OCTETS, DomId(1)), None);
        let second = arena.take(2 * PAGE_OCTETS, DomId(1)).unwrap();
        assert_eq!(arena.take(1, DomId(1)), None);
        assert!(arena.take(11 * PAGE_OCTETS, DomId(2)).is_some());
        arena.give(first);
        assert!(arena.take(3 * PAGE_OCTETS, DomId(1)).is_some());
        arena.give(second);
    }
}
