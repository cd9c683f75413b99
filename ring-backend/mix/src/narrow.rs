//! 16-bit streams into a 16-bit card: two 16-bit multiply-adds per two streams.
//!
//! A gain has 22 fraction bits: 11 of them, with what is above, in a high part, and what is left
//! in a low part, which unity does not have. Both are summed on their own; as adding up the low
//! sum rounds down and only the last shift decides, the result is that of the exact sum. No low
//! sum of as many streams as there can be overflows 32 bits; a high sum does when gains together
//! are beyond 32, and is then kept in two parts.

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use crate::kernel::LOW_BITS;
            use crate::plan::{Pair, Plan};
            use crate::simd::$width::*;
            use crate::simd::{Block, Starts};

            /// Vectors that are done at a time, and their octets.
            const N: usize = 2;
            const SIZE: usize = N * OCTETS;

            type Sums = [[V; 2]; N];

            /// Mixes; returns the octets done, which is all of `out` unless that is shorter than
            /// [`SIZE`].
            #[target_feature(enable = $feature)]
            pub fn mix(plan: &Plan, starts: &Starts<'_>, out: &mut [u8]) -> usize {
                let pairs = plan.pairs();
                if plan.runs().len() > 1 {
                    return blocks(starts, out, |block| spilling(plan, block));
                }
                let (fine, rest) = pairs.split_at(plan.fine().min(pairs.len()));
                blocks(starts, out, |block| plain(block, fine, rest))
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn blocks(
                starts: &Starts<'_>,
                out: &mut [u8],
                sum: impl Fn(Block<'_, '_, SIZE>) -> Sums,
            ) -> usize {
                let len = out.len();
                let mut at = 0;
                while let (Some(out), Some(block)) = (out.get_mut(at..at + SIZE), starts.block(at))
                {
                    let sums = sum(block);
                    let out = out.as_chunks_mut::<OCTETS>().0;
                    for i in 0..N {
                        store(&mut out[i], pack32(sums[i][0], sums[i][1]));
                    }
                    at += SIZE;
                    if at < len && at + SIZE > len {
                        // The rest, once more with samples that are done: streams do not change.
                        at = len - SIZE;
                    }
                }
                at
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn plain(mut block: Block<'_, '_, SIZE>, fine: &[Pair], coarse: &[Pair]) -> Sums {
                let mut sums = [[every32(1 << (LOW_BITS - 1)); 2]; N];
                let mut lows = [[every32(0); 2]; N];
                add::<true>(block.take(fine.len()), fine, &mut sums, &mut lows);
                add::<false>(block, coarse, &mut sums, &mut lows);
                for i in 0..N {
                    for j in 0..2 {
                        let low = right32(lows[i][j], LOW_BITS);
                        sums[i][j] = right32(add32(sums[i][j], low), LOW_BITS);
                    }
                }
                sums
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn add<const FINE: bool>(
                streams: Block<'_, '_, SIZE>,
                gains: &[Pair],
                sums: &mut Sums,
                lows: &mut Sums,
            ) {
                for ([a, b], gains) in streams.pairs().zip(gains) {
                    let (a, b) = (a.as_chunks::<OCTETS>().0, b.as_chunks::<OCTETS>().0);
                    let (high, low) = (every128(&gains.high), every128(&gains.low));
                    for i in 0..N {
                        let (a, b) = (load(&a[i]), load(&b[i]));
                        let samples = [low16(a, b), high16(a, b)];
                        for j in 0..2 {
                            sums[i][j] = add_madd16(sums[i][j], samples[j], high);
                            if FINE {
                                lows[i][j] = add_madd16(lows[i][j], samples[j], low);
                            }
                        }
                    }
                }
            }

            /// The high sum is `high * 2^16 + rest`, where `rest` is what `total`, which wraps, has
            /// more than `high`.
            #[inline]
            #[target_feature(enable = $feature)]
            fn spilling(plan: &Plan, mut block: Block<'_, '_, SIZE>) -> Sums {
                let mut lows = [[every32(0); 2]; N];
                let (mut highs, mut totals) = (lows, lows);
                let mut gains = plan.pairs();
                for &run in plan.runs() {
                    let (now, later) = gains.split_at_checked(run).unwrap_or((gains, &[]));
                    gains = later;
                    let mut sums = [[every32(0); 2]; N];
                    add::<true>(block.take(run), now, &mut sums, &mut lows);
                    for i in 0..N {
                        for j in 0..2 {
                            highs[i][j] = add32(highs[i][j], right32(sums[i][j], 16));
                            totals[i][j] = add32(totals[i][j], sums[i][j]);
                        }
                    }
                }
                let half = every32(1 << (LOW_BITS - 1));
                for i in 0..N {
                    for j in 0..2 {
                        let (high, low) = (highs[i][j], right32(lows[i][j], LOW_BITS));
                        let rest = sub32(totals[i][j], left32(high, 16));
                        let rest = right32(add32(add32(rest, low), half), LOW_BITS);
                        totals[i][j] = add32(left32(high, 16 - LOW_BITS), rest);
                    }
                }
                totals
            }
        }
    };
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
kernel!(vnni, "avx2,avxvnni");
