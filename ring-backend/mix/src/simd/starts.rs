//! Streams are given their places. Nothing here is unsafe, but what is read there relies on it.
#![deny(unsafe_code)]

use super::Block;
use crate::plan::SLOTS;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// Where many streams begin, whose bounds are checked once: all have at least so many octets.
pub struct Starts<'a> {
    octets: usize,
    /// Of how many streams.
    count: usize,
    starts: heapless::Vec<[NonNull<u8>; LINE], { SLOTS / LINE }>,
    of: PhantomData<&'a [u8]>,
}

/// Streams that are given a place at once.
const LINE: usize = 8;

/// The streams, which all have `SIZE` octets from `last` on; made by [`Starts::parts`] alone.
pub struct Parts<'p, 'a, const SIZE: usize> {
    starts: &'p [NonNull<u8>],
    last: usize,
    of: PhantomData<&'a [u8]>,
}

impl<'a> Starts<'a> {
    /// None yet, to be `count` and to have `octets` each.
    #[inline]
    #[must_use]
    pub fn new(octets: usize, count: usize) -> Self {
        Self {
            octets,
            count,
            starts: heapless::Vec::new(),
            of: PhantomData,
        }
    }

    /// Octets of each.
    #[inline]
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.octets
    }

    /// Has all streams begin where this one does, until they have places of their own; `None`
    /// where its octets are too few, or the streams too many.
    #[inline]
    pub fn begin(&mut self, octets: &'a [u8]) -> Option<()> {
        let start = NonNull::from(octets.get(..self.octets)?).cast();
        for _ in 0..self.count.div_ceil(LINE) {
            self.starts.push([start; LINE]).ok()?;
        }
        Some(())
    }

    /// Puts a stream in its place and returns its octets; `None` where they are too few, or there
    /// is no such place.
    #[inline]
    pub fn place(&mut self, slot: usize, octets: &'a [u8]) -> Option<&'a [u8]> {
        let octets = octets.get(..self.octets)?;
        *self.starts.as_flattened_mut().get_mut(slot)? = NonNull::from(octets).cast();
        Some(octets)
    }

    /// Has the stream of one place in others as well.
    #[cold]
    #[inline(never)]
    pub fn repeat(&mut self, twins: &[[u8; 2]]) {
        let starts = self.starts.as_flattened_mut();
        for [from, to] in twins.iter().map(|twin| twin.map(usize::from)) {
            if from.max(to) < starts.len() {
                starts[to] = starts[from];
            }
        }
    }

    /// The same where streams need not have begun.
    #[inline]
    pub fn put(&mut self, slot: usize, octets: &'a [u8]) -> Option<&'a [u8]> {
        if self.starts.is_empty() {
            self.begin(octets)?;
        }
        self.place(slot, octets)
    }

    /// The streams in parts of `SIZE` octets, if they have as many.
    #[inline]
    #[must_use]
    pub fn parts<const SIZE: usize>(&self) -> Option<Parts<'_, 'a, SIZE>> {
        let last = self.octets.checked_sub(SIZE)?;
        let (starts, of) = (self.starts.as_flattened(), PhantomData);
        Some(Parts { starts, last, of })
    }
}

impl<'p, 'a, const SIZE: usize> Parts<'p, 'a, SIZE> {
    /// `SIZE` octets of every stream from octet `at` on, if there are as many.
    #[inline]
    #[must_use]
    pub fn at(&self, at: usize) -> Option<Block<'p, 'a, SIZE>> {
        let (starts, of) = (self.starts, self.of);
        (at <= self.last).then_some(Block { starts, at, of })
    }
}
