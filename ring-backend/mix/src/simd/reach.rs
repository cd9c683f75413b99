//! Views of many streams at once, of which all bounds are checked once.

use crate::plan::STREAMS;
use crate::table::LANE;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// Where streams begin that all have at least so many octets.
pub struct Starts<'a> {
    octets: usize,
    starts: heapless::Vec<NonNull<u8>, { STREAMS + 1 }>,
    of: PhantomData<&'a [u8]>,
}

impl<'a> Starts<'a> {
    /// None yet, to have `octets` each.
    #[inline]
    #[must_use]
    pub fn new(octets: usize) -> Self {
        Self {
            octets,
            starts: heapless::Vec::new(),
            of: PhantomData,
        }
    }

    /// Adds a stream and returns its octets; `None` where they are too few, or there is no room.
    #[inline]
    pub fn push(&mut self, octets: &'a [u8]) -> Option<&'a [u8]> {
        let octets = octets.get(..self.octets)?;
        let start = NonNull::from(octets).cast();
        self.starts.push(start).ok().map(|()| octets)
    }

    /// Adds the last stream once more where that makes pairs of all.
    pub fn even_out(&mut self) {
        if let (1, Some(&last)) = (self.starts.len() % 2, self.starts.last()) {
            let _ = self.starts.push(last);
        }
    }

    /// `SIZE` octets of every stream from octet `at` on, if there are as many.
    #[inline]
    #[must_use]
    pub fn block<const SIZE: usize>(&self, at: usize) -> Option<Block<'_, 'a, SIZE>> {
        let (starts, of) = (&*self.starts, PhantomData);
        (at.saturating_add(SIZE) <= self.octets).then_some(Block { starts, at, of })
    }
}

/// A part of every stream; made by [`Starts::block`] alone, which saw that each has `SIZE` octets
/// from `at` on.
#[derive(Clone, Copy)]
pub struct Block<'p, 'a, const SIZE: usize> {
    starts: &'p [NonNull<u8>],
    at: usize,
    of: PhantomData<&'a [u8]>,
}

impl<'a, const SIZE: usize> Block<'_, 'a, SIZE> {
    /// Takes the first pairs of streams from it.
    #[inline]
    #[must_use]
    pub fn take(&mut self, pairs: usize) -> Self {
        let (taken, left) = self.starts.split_at(self.starts.len().min(2 * pairs));
        self.starts = left;
        Self {
            starts: taken,
            ..*self
        }
    }

    /// The streams' octets.
    #[inline]
    pub fn each(&self) -> impl Iterator<Item = &'a [u8; SIZE]> {
        // SAFETY: the streams are borrowed for 'a and have the octets: `Starts` saw to it.
        let octets = |start: &NonNull<u8>| unsafe { start.add(self.at).cast().as_ref() };
        self.starts.iter().map(octets)
    }

    /// The streams' octets, by twos.
    #[inline]
    pub fn pairs(&self) -> impl Iterator<Item = [&'a [u8; SIZE]; 2]> {
        self.starts.as_chunks().0.iter().map(|pair: &[_; 2]| {
            // SAFETY: as above.
            pair.map(|start| unsafe { start.add(self.at).cast().as_ref() })
        })
    }
}

/// The high and low samples of `C` channels, to be seen through windows of some lanes.
pub struct Planes<'a, const C: usize> {
    starts: [[NonNull<i16>; 2]; C],
    lanes: usize,
    /// Where the last window begins.
    last: usize,
    of: PhantomData<&'a [i16]>,
}

impl<'a, const C: usize> Planes<'a, C> {
    /// Planes of `stride` samples each, through windows of `lanes` lanes; `None` where they are
    /// too few or too short.
    #[inline]
    #[must_use]
    pub fn new(samples: &'a [i16], stride: usize, lanes: usize) -> Option<Self> {
        let samples = samples.get(..stride.checked_mul(2 * C)?)?;
        let last = stride.checked_sub(lanes.checked_mul(LANE)?)?;
        let mut starts = [[NonNull::from(samples).cast(); 2]; C];
        let all = samples.chunks_exact(stride.max(1));
        for (start, plane) in starts.as_flattened_mut().iter_mut().zip(all) {
            *start = NonNull::from(plane).cast();
        }
        Some(Self {
            starts,
            lanes,
            last,
            of: PhantomData,
        })
    }

    /// The lanes from sample `start` on, of every plane beside each other; `None` where they would
    /// end beyond the planes.
    #[inline]
    #[must_use]
    pub fn window(&self, start: usize) -> Option<impl Iterator<Item = [[&'a [i16; LANE]; 2]; C]>> {
        let starts = self.starts;
        (start <= self.last).then(|| {
            (0..self.lanes).map(move |lane| {
                let at = start + lane * LANE;
                // SAFETY: the planes are borrowed for 'a, and the lane ends within them: `start`
                // is not after `last`, and this is one of `lanes`.
                starts.map(|plane| plane.map(|it| unsafe { it.add(at).cast().as_ref() }))
            })
        })
    }
}
