//! How 16-bit streams are summed with one multiply-add per two of them.
//!
//! A gain is a number of 15 bits in some power of two, or the sum of two of those. Streams are
//! summed from the finest of these units to the coarsest, and between them the sum is cut to the
//! next: as cutting rounds down and only the last cut decides, the result is that of the exact sum.
//! Before the sum may overflow, the whole samples in it are carried to a sum of their own.
//!
//! Without carrying, the sum in the coarsest units may wrap as long as one that is beyond full scale
//! still is when it has wrapped: whoever sums looks at what comes out, and does the rare block that
//! is at full scale in the other way.

use super::gain::GAIN_BITS;
use super::kernel::places_of;
use super::plan::{Gains, LIMIT, SLOTS};
use alloc::vec;
use alloc::vec::Vec;

/// What samples of two streams are multiplied by.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub struct Factors {
    /// Factors of four samples of each, in turns.
    pub each: [i16; 8],
    /// Places that the sum so far is shifted by before, as vectors are shifted, and what they do not
    /// look at: the fraction bits of what is carried before that, or 0. If nothing is carried, -1
    /// stands for no places.
    pub shift: [i64; 2],
}

/// How a plan's streams are summed, if they can be.
#[derive(Debug)]
pub struct Steps {
    factors: Vec<Factors>,
    pairs: usize,
    /// Whether it can be done without carrying.
    short: bool,
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
            factors: vec![Factors::default(); SLOTS / 2],
            pairs: 0,
            short: false,
            wraps: false,
            places: 1,
            last: [1, 0],
        }
    }

    /// What samples of each pair are multiplied by.
    #[must_use]
    pub fn factors(&self) -> &[Factors] {
        self.factors.get(..self.pairs).unwrap_or(&[])
    }

    /// Whether it can be done without carrying.
    #[must_use]
    pub const fn short(&self) -> bool {
        self.short
    }

    /// Fraction bits of the first units, at least one.
    #[must_use]
    pub const fn places(&self) -> u32 {
        self.places
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
    /// fraction bits; by twos they are factors in a unit of both.
    pub fn lay(&mut self, streams: &[Gains]) {
        let mut places = streams
            .first()
            .map_or(0, |first| places_of(first.even))
            .max(1);
        self.places = places;
        self.short = !streams.is_empty();
        self.pairs = streams.len() / 2;
        // What all factors so far sum to at most with half a unit, and with what was gathered of
        // others when whole samples are carried.
        let (mut bound, mut carried) = (64, 192);
        for (pair, factors) in streams.as_chunks().0.iter().zip(&mut self.factors) {
            let [a, b]: [[i32; 4]; 2] = pair.map(|gains| gains.even.as_chunks().0[0]);
            let need = places_of(pair[0].even).max(places_of(pair[1].even)).max(1);
            let mut next = places;
            let mut sum = sum_of(a, b, next);
            while next > need && sum.is_none_or(|sum| (carried >> (places - next)) + sum > LIMIT) {
                next -= 1;
                sum = sum_of(a, b, next);
            }
            // Whoever put the two together saw that they fit.
            let sum = sum.unwrap_or(LIMIT);
            let shift = places - next;
            let carry = (carried >> shift) + 1 + sum > LIMIT;
            factors.shift = match (shift, carry) {
                (0, false) => [-1, 0],
                (_, false) => [shift.into(), 0],
                (_, true) => [shift.into(), places.into()],
            };
            if carry {
                carried = 1 << (places.saturating_sub(15));
            }
            if shift > 0 {
                self.short &= bound <= LIMIT;
                bound = (bound >> shift) + 1;
                carried = (carried >> shift) + 1;
                places = next;
            }
            bound += sum;
            carried += sum;
            // Full scale is 2^places here, and what wraps is 2^17.
            self.short &= bound <= LIMIT.max((1 << 17) - (1 << places) - 64);
            for (two, (a, b)) in factors
                .each
                .as_chunks_mut()
                .0
                .iter_mut()
                .zip(a.into_iter().zip(b))
            {
                *two = [a, b].map(|gain| (gain >> (GAIN_BITS - places)) as i16);
            }
        }
        self.wraps = bound > LIMIT;
        self.last = [places.into(), 0];
    }
}

/// What factors of two streams sum to at most; `None` where any has more than 15 bits.
#[inline(never)]
fn sum_of(a: [i32; 4], b: [i32; 4], places: u32) -> Option<i32> {
    let mut most = 0;
    for (a, b) in a.into_iter().zip(b) {
        let [a, b] = [a, b].map(|gain| factor(gain, places));
        if a.max(b) >= 1 << 15 {
            return None;
        }
        most = most.max(a + b);
    }
    Some(most)
}

/// How large the factor of a gain is in units of so many fraction bits.
#[must_use]
pub const fn factor(gain: i32, places: u32) -> i32 {
    (gain >> (GAIN_BITS - places)).abs()
}
