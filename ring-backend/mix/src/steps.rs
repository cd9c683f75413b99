//! How 16-bit streams are summed with one multiply-add per two of them.
//!
//! A gain is a number of 15 bits in some power of two, or the sum of two of those. Streams are
//! summed from the finest of these units to the coarsest, and between them the sum is cut to the
//! next: as cutting rounds down and only the last cut decides, the result is that of the exact sum.
//! Before the sum may overflow, its high half is carried to a sum of its own: a multiply-add takes
//! it there from any units. That sum is in [units](CARRIED) that no cut is coarser than.
//!
//! Without carrying, the sum in the coarsest units may wrap as long as one that is beyond full scale
//! still is when it has wrapped: whoever sums looks at what comes out, and does the rare block that
//! is at full scale in the other way.

use super::gain::GAIN_BITS;
use super::kernel::places_of;
use super::plan::{Gains, LIMIT, SLOTS};

/// Fraction bits of what is carried.
pub const CARRIED: u32 = 6;
/// Fewest fraction bits of a step, for what carries its high half to be below 2^15.
const LEAST: u32 = CARRIED + 16 - 14;

/// What samples of two streams are multiplied by.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub struct Factors {
    /// Factors of four samples of each, in turns.
    pub each: [i16; 8],
    /// What is done with the sum so far before that, in every lane: in the high half what its high
    /// half is multiplied by and carried, if it is, and in bits 0 to 4 places that the rest is
    /// shifted by.
    pub before: [i32; 4],
}

impl Factors {
    /// Whether the high half is carried.
    #[inline]
    #[must_use]
    pub const fn carries(&self) -> bool {
        self.before[0] > 31
    }

    /// Whether the sum is shifted by one place.
    #[inline]
    #[must_use]
    pub const fn halves(&self) -> bool {
        self.before[0] & 31 == 1
    }

    /// Whether the sum is shifted.
    #[inline]
    #[must_use]
    pub const fn shifts(&self) -> bool {
        self.before[0] & 31 != 0
    }
}

/// How a plan's streams are summed, if they can be.
#[derive(Debug)]
pub struct Steps {
    factors: heapless::Vec<Factors, { SLOTS / 2 }>,
    /// Whether it can be done without carrying.
    short: bool,
    wraps: bool,
    /// Fraction bits of the first units.
    places: u32,
    /// Those of the last units, in every lane.
    last: [i32; 4],
}

impl Steps {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self {
            factors: heapless::Vec::new(),
            short: false,
            wraps: false,
            places: LEAST,
            last: [LEAST as i32; 4],
        }
    }

    /// What samples of each pair are multiplied by.
    #[inline]
    #[must_use]
    pub fn factors(&self) -> &[Factors] {
        &self.factors
    }

    /// Whether it can be done without carrying.
    #[must_use]
    pub const fn short(&self) -> bool {
        self.short
    }

    /// Fraction bits of the first units, more than of what is carried.
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
    pub const fn last(&self) -> &[i32; 4] {
        &self.last
    }

    /// Works out the steps for streams whose gains, each of four samples in a row, need ever fewer
    /// fraction bits; by twos they are factors in a unit of both.
    pub fn lay(&mut self, streams: &[Gains]) {
        let mut places = streams
            .first()
            .map_or(0, |first| places_of(first.even))
            .max(LEAST);
        self.places = places;
        self.short = !streams.is_empty();
        self.factors.clear();
        // What all factors so far sum to at most with half a unit, and with what was gathered of
        // others when high halves are carried.
        let (mut bound, mut carried) = (64, 66);
        for pair in streams.as_chunks::<2>().0 {
            let [a, b]: [[i32; 4]; 2] = pair.map(|gains| gains.even.as_chunks().0[0]);
            let need = places_of(pair[0].even)
                .max(places_of(pair[1].even))
                .max(LEAST);
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
            let high = if carry {
                1 << (CARRIED + 16 - places)
            } else {
                0
            };
            let before = [high << 16 | shift as i32; 4];
            if carry {
                // The low half.
                carried = 2;
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
            let mut each = [0; 8];
            let twos = each.as_chunks_mut().0.iter_mut();
            for (two, (a, b)) in twos.zip(a.into_iter().zip(b)) {
                *two = [a, b].map(|gain| (gain >> (GAIN_BITS - places)) as i16);
            }
            let _ = self.factors.push(Factors { each, before });
        }
        self.wraps = bound > LIMIT;
        self.last = [places as i32; 4];
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
