//! How 16-bit streams are summed with one multiply-add per two of them.
//!
//! A gain is a number of 15 bits in some power of two. Streams are summed from the finest of these
//! units to the coarsest, and between them the sum is cut to the next: as cutting rounds down and
//! only the last cut decides, the result is that of the exact sum. In the coarsest units the sum
//! may wrap as long as one that is beyond full scale still is when it has wrapped: whoever sums
//! looks at what comes out, and does the rare block that is at full scale in another way.

use super::gain::GAIN_BITS;
use super::kernel::places_of;
use super::plan::{Gains, LIMIT, PAIRS};
use alloc::vec;
use alloc::vec::Vec;

/// What samples of two streams are multiplied by.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub struct Factors {
    /// Factors of four samples of each, in turns.
    pub each: [i16; 8],
    /// Places that the sum so far is shifted by before, as vectors are shifted.
    pub shift: [i64; 2],
}

/// How a plan's streams are summed, if they can be.
#[derive(Debug)]
pub struct Steps {
    factors: Vec<Factors>,
    pairs: usize,
    wraps: bool,
    /// Fraction bits of the first units.
    places: u32,
    /// Those of the last units, as vectors are shifted.
    last: [i64; 2],
}

impl Steps {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self {
            factors: vec![Factors::default(); PAIRS],
            pairs: 0,
            wraps: false,
            places: 1,
            last: [1, 0],
        }
    }

    /// What samples of each pair are multiplied by; nothing if streams cannot be summed so.
    #[must_use]
    pub fn factors(&self) -> &[Factors] {
        self.factors.get(..self.pairs).unwrap_or(&[])
    }

    /// Whether sums that are beyond full scale may wrap.
    #[must_use]
    pub const fn wraps(&self) -> bool {
        self.wraps
    }

    /// Half a unit of a sample, in the first step's units.
    #[must_use]
    pub const fn half(&self) -> i32 {
        1 << (self.places - 1)
    }

    /// Places that the sum is shifted by at last, to be in units of a sample.
    #[must_use]
    pub const fn last(&self) -> &[i64; 2] {
        &self.last
    }

    /// Works out the steps for streams whose gains, each of four samples in a row, need ever fewer
    /// fraction bits.
    pub fn lay(&mut self, streams: &[Gains]) {
        self.pairs = self.find(streams).unwrap_or(0);
    }

    fn find(&mut self, streams: &[Gains]) -> Option<usize> {
        let first = streams.first()?;
        let mut places = places_of(first.even).max(1);
        self.places = places;
        // What all factors so far sum to at most, and half a unit.
        let mut bound = 64;
        let mut pairs = 0;
        for pair in streams.chunks(2) {
            let second = pair.get(1).map_or([0; 8], |second| second.even);
            let gains = pair.first()?.even.iter().zip(second).take(4);
            let (mut most, mut sum, mut any) = (0, 0, 0);
            for (&a, b) in gains.clone() {
                most = a.max(b).max(most);
                sum = sum.max(a + b);
                any |= a | b;
            }
            let need = places_of([any]).max(1);
            // Factors have 15 bits.
            let fits = |places: u32| most >> (GAIN_BITS - places) < 1 << 15;
            let with = |bound: i32, places: u32| bound + (sum >> (GAIN_BITS - places));
            let mut next = places;
            while next > need && !(fits(next) && with(bound >> (places - next), next) <= LIMIT) {
                next -= 1;
            }
            let shift = places - next;
            if shift > 0 {
                if bound > LIMIT {
                    return None;
                }
                bound = (bound >> shift) + 1;
                places = next;
            }
            bound = with(bound, places);
            // Full scale is 2^places here, and what wraps is 2^17.
            if !fits(places) || bound > LIMIT.max((1 << 17) - (1 << places) - 64) {
                return None;
            }
            let factors = self.factors.get_mut(pairs)?;
            factors.shift = [shift.into(), 0];
            for (two, (&a, b)) in factors.each.as_chunks_mut().0.iter_mut().zip(gains) {
                *two = [a, b].map(|gain| (gain >> (GAIN_BITS - places)) as i16);
            }
            pairs += 1;
        }
        self.wraps = bound > LIMIT;
        self.last = [places.into(), 0];
        Some(pairs)
    }
}
