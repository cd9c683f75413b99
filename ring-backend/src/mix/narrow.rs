//! 16-bit streams into a 16-bit card: two 16-bit multiply-adds per two streams.
//!
//! A gain has 22 fraction bits: 14 of them, with what is above, in a high part, and 8 in a low
//! part, which many gains do not have. Both are summed on their own; as adding up the low sum
//! rounds down and only the last shift decides, the result is that of the exact sum. Where the
//! gains together could overflow 32 bits, the high sum is kept in two parts.

use super::kernel::Direct;
use heapless::Vec;

/// Most streams in one plan.
pub const STREAMS: usize = 64;
/// Sums of high parts whose products with any samples stay within 32 bits.
const LIMIT: i32 = 65_536;

/// Two streams and their interleaved gains.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// Gains of four samples, after which they repeat.
    high: [i16; 8],
    low: [i16; 8],
}

/// What to sum: pairs with low parts, then pairs without.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p, 'a> {
    pairs: &'p [Pair<'a>],
    fine: usize,
    /// Whether the high parts together may need more than 32 bits.
    spills: bool,
}

/// A plan for at most twice `P` streams, in the making.
pub struct Draft<'a, const P: usize> {
    pairs: Vec<Pair<'a>, P>,
    fine: usize,
    spills: bool,
}

impl<'a, const P: usize> Draft<'a, P> {
    /// An empty draft.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            pairs: Vec::new(),
            fine: 0,
            spills: false,
        }
    }

    /// Plans a sum; `None` where a stream has 32 bits or gains that do not repeat within four
    /// samples, or there is no room.
    #[must_use]
    pub fn lay(&mut self, direct: &[Direct<'a>]) -> Option<Plan<'_, 'a>> {
        let mut bound = 0_i32;
        let mut fines = 0;
        for source in direct {
            if source.wide || !source.levels.narrow {
                return None;
            }
            bound = bound.saturating_add(source.levels.top);
            fines += usize::from(source.levels.fine);
        }
        self.spills = bound > LIMIT;
        self.fine = fines.div_ceil(2);
        let fine = direct.iter().filter(|source| source.levels.fine);
        let mut all = fine.chain(direct.iter().filter(|source| !source.levels.fine));
        while let Some(a) = all.next() {
            self.pairs.push(Pair::new(a, all.next())).ok()?;
        }
        Some(Plan {
            pairs: &self.pairs,
            fine: self.fine,
            spills: self.spills,
        })
    }
}

impl<'a> Pair<'a> {
    fn new(a: &Direct<'a>, b: Option<&Direct<'a>>) -> Self {
        let weave = |one: &[i16; 4], other: Option<&[i16; 4]>| {
            let [a, b, c, d] = *one;
            let [e, f, g, h] = other.copied().unwrap_or([0; 4]);
            [a, e, b, f, c, g, d, h]
        };
        Self {
            a: a.octets,
            b: b.unwrap_or(a).octets,
            high: weave(&a.levels.high, b.map(|b| &b.levels.high)),
            low: weave(&a.levels.low, b.map(|b| &b.levels.low)),
        }
    }
}

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{Pair, Plan};
            use crate::mix::simd::$width::*;

            type Sums<const N: usize> = [[V; 2]; N];

            /// Mixes; returns the octets done, which is all of `out` unless that is shorter than a
            /// vector.
            #[target_feature(enable = $feature)]
            pub fn mix(plan: &Plan<'_, '_>, out: &mut [u8]) -> usize {
                let len = out.len();
                let mut at = 0;
                while at + 2 * OCTETS <= len {
                    block::<2>(plan, out, at);
                    at += 2 * OCTETS;
                }
                while at + OCTETS <= len {
                    block::<1>(plan, out, at);
                    at += OCTETS;
                }
                if at < len && len >= OCTETS {
                    // The rest once more with samples that are done: no stream is changed by it.
                    block::<1>(plan, out, len - OCTETS);
                    at = len;
                }
                at
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn block<const N: usize>(plan: &Plan<'_, '_>, out: &mut [u8], at: usize) {
                let (fine, coarse) = plan.pairs.split_at(plan.fine.min(plan.pairs.len()));
                let mut sums = [[every32(0); 2]; N];
                let mut lows = sums;
                for pair in fine {
                    add::<N, true>(pair, at, &mut sums, &mut lows);
                }
                if plan.spills {
                    sums = spilling::<N>(plan.pairs, at, &lows);
                } else {
                    for pair in coarse {
                        add::<N, false>(pair, at, &mut sums, &mut lows);
                    }
                    let half = every32(1 << 13);
                    for i in 0..N {
                        for j in 0..2 {
                            let low = add32(right32(lows[i][j], 8), half);
                            sums[i][j] = right32(add32(sums[i][j], low), 14);
                        }
                    }
                }
                let Some((out, _)) = out.get_mut(at..).map(|out| out.as_chunks_mut::<OCTETS>())
                else {
                    return;
                };
                for (out, [low, high]) in out.iter_mut().zip(sums) {
                    store(out, pack32(low, high));
                }
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn add<const N: usize, const FINE: bool>(
                pair: &Pair<'_>,
                at: usize,
                sums: &mut Sums<N>,
                lows: &mut Sums<N>,
            ) {
                let octets = at..at + N * OCTETS;
                let (Some(a), Some(b)) = (pair.a.get(octets.clone()), pair.b.get(octets)) else {
                    return;
                };
                let (a, b) = (a.as_chunks::<OCTETS>().0, b.as_chunks::<OCTETS>().0);
                let (gains, low_gains) = (every128(&pair.high), every128(&pair.low));
                for i in 0..N {
                    if let (Some(a), Some(b)) = (a.get(i), b.get(i)) {
                        let (a, b) = (load(a), load(b));
                        let samples = [low16(a, b), high16(a, b)];
                        for j in 0..2 {
                            sums[i][j] = add32(sums[i][j], madd16(samples[j], gains));
                            if FINE {
                                lows[i][j] = add32(lows[i][j], madd16(samples[j], low_gains));
                            }
                        }
                    }
                }
            }

            /// The high sum is `high * 2^16 + rest`, where `rest` is what `total`, which wraps, has
            /// more than `high`. No two products of one pair overflow.
            #[inline(never)]
            #[target_feature(enable = $feature)]
            fn spilling<const N: usize>(pairs: &[Pair<'_>], at: usize, lows: &Sums<N>) -> Sums<N> {
                let mut highs = [[every32(0); 2]; N];
                let mut totals = highs;
                // Whole groups of pairs that cannot overflow would save little here: this many
                // streams at such gains are loud enough to be rare.
                for pair in pairs {
                    let mut sums = [[every32(0); 2]; N];
                    add::<N, false>(pair, at, &mut sums, &mut [[every32(0); 2]; N]);
                    for i in 0..N {
                        for j in 0..2 {
                            highs[i][j] = add32(highs[i][j], right32(sums[i][j], 16));
                            totals[i][j] = add32(totals[i][j], sums[i][j]);
                        }
                    }
                }
                let half = every32(1 << 13);
                for i in 0..N {
                    for j in 0..2 {
                        let rest = sub32(totals[i][j], left32(highs[i][j], 16));
                        let rest = add32(add32(rest, right32(lows[i][j], 8)), half);
                        highs[i][j] = add32(left32(highs[i][j], 2), right32(rest, 14));
                    }
                }
                highs
            }
        }
    };
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
