//! 16-bit streams into a 16-bit card: one or two 16-bit multiply-adds per two streams.
//!
//! Where they can be, streams are summed in [steps](crate::steps), with one multiply-add per two of
//! them. Where they cannot, for what gains together or a stream's channels are, a gain has 11 of its
//! 22 fraction bits, with what is above them, in a high part, and what is left in a low part. Both
//! are summed on their own; as adding up the low sum rounds down and only the last shift decides,
//! the result is that of the exact sum. No low sum of as many streams as there can be overflows 32
//! bits; a high sum does when gains together are beyond 32, and is then kept in two parts.

macro_rules! kernel {
    ($width:ident, $feature:literal, $vectors:literal) => {
        /// The loops of this width.
        pub mod $width {
            use crate::kernel::LOW_BITS;
            use crate::plan::Plan;
            use crate::simd::$width::*;
            use crate::simd::{Block, Starts};
            use crate::steps::Steps;

            /// Vectors that are done at a time, and their octets: in steps, and with low parts.
            const STEP: usize = $vectors;
            const STEP_SIZE: usize = STEP * OCTETS;
            const PART: usize = 2;
            const PART_SIZE: usize = PART * OCTETS;

            /// Mixes; returns the octets done, which is all of `out` unless that is too short.
            #[target_feature(enable = $feature)]
            pub fn mix(plan: &Plan, starts: &Starts<'_>, out: &mut [u8]) -> usize {
                let steps = plan.steps();
                if steps.factors().is_empty() || out.len() < STEP_SIZE {
                    return exact(plan, starts, 0, out);
                }
                blocks(starts, 0, out, |at, block, out| {
                    let Some(sums) = in_steps(steps, block) else {
                        return;
                    };
                    let values = packed(sums);
                    let mut extreme = extreme16(values[0]);
                    for value in values {
                        extreme = or(extreme, extreme16(value));
                    }
                    if steps.wraps() && any(extreme) {
                        exact(plan, starts, at, out);
                    } else {
                        put(values, out);
                    }
                })
            }

            /// Does the blocks of streams from octet `base` on; returns the octets done.
            #[inline]
            #[target_feature(enable = $feature)]
            fn blocks<const SIZE: usize>(
                starts: &Starts<'_>,
                base: usize,
                out: &mut [u8],
                sum: impl Fn(usize, Block<'_, '_, SIZE>, &mut [u8; SIZE]),
            ) -> usize {
                let len = out.len();
                let (Some(last), Some(parts)) = (len.checked_sub(SIZE), starts.parts()) else {
                    return 0;
                };
                let mut at = 0;
                while at < len {
                    // The rest is done once more with samples that are done: streams do not change.
                    let from = at.min(last);
                    let out = out.get_mut(from..).and_then(<[u8]>::first_chunk_mut);
                    let (Some(out), Some(block)) = (out, parts.at(base + from)) else {
                        break;
                    };
                    sum(base + from, block, out);
                    at += SIZE;
                }
                at.min(len)
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn packed<const N: usize>(sums: [[V; 2]; N]) -> [V; N] {
                let mut values = [every32(0); N];
                for i in 0..N {
                    values[i] = pack32(sums[i][0], sums[i][1]);
                }
                values
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn put<const N: usize, const SIZE: usize>(values: [V; N], out: &mut [u8; SIZE]) {
                let out = out.as_chunks_mut::<OCTETS>().0;
                for i in 0..N {
                    store(&mut out[i], values[i]);
                }
            }

            /// Adds products of two streams' samples.
            #[inline]
            #[target_feature(enable = $feature)]
            fn add<const N: usize, const SIZE: usize>(
                [a, b]: [&[u8; SIZE]; 2],
                factors: V,
                sums: &mut [[V; 2]; N],
            ) {
                let (a, b) = (a.as_chunks::<OCTETS>().0, b.as_chunks::<OCTETS>().0);
                for i in 0..N {
                    let (a, b) = (load(&a[i]), load(&b[i]));
                    sums[i][0] = onto_madd16(sums[i][0], low16(a, b), factors);
                    sums[i][1] = onto_madd16(sums[i][1], high16(a, b), factors);
                }
            }

            /// Sums in steps; `None` where there are no streams.
            #[inline]
            #[target_feature(enable = $feature)]
            fn in_steps(steps: &Steps, block: Block<'_, '_, STEP_SIZE>) -> Option<[[V; 2]; STEP]> {
                let pairs = block.pairs().zip(steps.factors());
                if pairs.len() == 0 {
                    return None;
                }
                let mut sums = [[every32(steps.half()); 2]; STEP];
                for (pair, factors) in pairs {
                    if factors.shift[0] > 0 {
                        shift(&mut sums, &factors.shift);
                    }
                    add(pair, every128(&factors.each), &mut sums);
                }
                shift(&mut sums, steps.last());
                Some(sums)
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn shift<const N: usize>(sums: &mut [[V; 2]; N], count: &[i64; 2]) {
                for i in 0..N {
                    for j in 0..2 {
                        sums[i][j] = shift32(sums[i][j], count);
                    }
                }
            }

            /// Sums with high and low parts, which can always be done: what high parts sum to is
            /// `high * 2^16 + rest` after every run.
            #[inline(never)]
            #[target_feature(enable = $feature)]
            fn exact(plan: &Plan, starts: &Starts<'_>, base: usize, out: &mut [u8]) -> usize {
                blocks::<PART_SIZE>(starts, base, out, |_, mut block, out| {
                    let mut rest = [[every32(1 << (LOW_BITS - 1)); 2]; PART];
                    let mut lows = [[every32(0); 2]; PART];
                    let mut highs = lows;
                    let mut gains = plan.pairs();
                    for &run in plan.runs() {
                        let (now, later) = gains.split_at(run.min(gains.len()));
                        gains = later;
                        for (pair, gains) in block.take(run).pairs().zip(now) {
                            add(pair, every128(&gains.high), &mut rest);
                            add(pair, every128(&gains.low), &mut lows);
                        }
                        for i in 0..PART {
                            for j in 0..2 {
                                let sum = rest[i][j];
                                highs[i][j] = add32(highs[i][j], right32(sum, 16));
                                rest[i][j] = and(sum, every32(0xFFFF));
                            }
                        }
                    }
                    for i in 0..PART {
                        for j in 0..2 {
                            let rest = add32(rest[i][j], right32(lows[i][j], LOW_BITS));
                            let high = left32(highs[i][j], 16 - LOW_BITS);
                            highs[i][j] = add32(high, right32(rest, LOW_BITS));
                        }
                    }
                    put(packed(highs), out);
                })
            }
        }
    };
}

kernel!(v128, "sse2", 4);
kernel!(v256, "avx2", 3);
kernel!(vnni, "avx2,avxvnni", 3);
