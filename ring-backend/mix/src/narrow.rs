//! 16-bit streams into a 16-bit card, in [steps](crate::steps): one 16-bit multiply-add per two of
//! them. What needs carrying is done [elsewhere](crate::carry).

macro_rules! kernel {
    ($width:ident, $wide:ident, $feature:literal, $vectors:literal) => {
        /// The loops of this width.
        pub mod $width {
            use crate::carry::$wide::{PART_SIZE, carrying};
            use crate::plan::Plan;
            use crate::simd::$width::*;
            use crate::simd::{Block, Starts};
            use crate::steps::{Factors, Steps};

            /// Vectors that are done at a time, and their octets.
            const STEP: usize = $vectors;
            const STEP_SIZE: usize = STEP * OCTETS;

            /// Mixes; returns the octets done, which is all of `out` unless that is too short.
            /// What is gathered lies in eights, so that less than eight samples may be left then.
            #[target_feature(enable = $feature)]
            pub fn mix(
                plan: &Plan,
                starts: &Starts<'_>,
                gathered: Option<&[i64]>,
                out: &mut [u8],
            ) -> usize {
                let steps = plan.steps();
                if gathered.is_some() || !steps.short() || out.len() < STEP_SIZE {
                    return carrying(plan, starts, gathered, 0, out);
                }
                let (Some(parts), last) = (starts.parts(), low5(steps.last())) else {
                    return 0;
                };
                let mut at = 0;
                while let Some(out) = out
                    .get_mut(at..)
                    .and_then(<[u8]>::first_chunk_mut::<STEP_SIZE>)
                {
                    let Some(block) = parts.at(at) else {
                        return 0;
                    };
                    let Some(sums) = in_steps(steps, block, last) else {
                        return 0;
                    };
                    let values = packed(sums);
                    if steps.wraps() && any_extreme(values) {
                        carrying(plan, starts, None, at, out);
                    } else {
                        put(values, out);
                    }
                    at += STEP_SIZE;
                }
                if at < out.len() {
                    // The rest with samples that are done, if it is too short.
                    let from = at.min(out.len() - PART_SIZE);
                    carrying(plan, starts, None, from, out.split_at_mut(from).1);
                }
                out.len()
            }

            /// Samples, cut to 16 bits.
            #[inline]
            #[target_feature(enable = $feature)]
            pub fn packed<const N: usize>(sums: [[V; 2]; N]) -> [V; N] {
                let mut values = [every32(0); N];
                for i in 0..N {
                    values[i] = pack32(sums[i][0], sums[i][1]);
                }
                values
            }

            /// Whether any sample may be one that was beyond full scale.
            #[cold]
            #[target_feature(enable = $feature)]
            fn any_extreme(values: [V; STEP]) -> bool {
                let mut extreme = extreme16(values[0]);
                for value in values {
                    extreme = or(extreme, extreme16(value));
                }
                any(extreme)
            }

            /// Stores a block.
            #[inline]
            #[target_feature(enable = $feature)]
            pub fn put<const N: usize, const SIZE: usize>(values: [V; N], out: &mut [u8; SIZE]) {
                let out = out.as_chunks_mut::<OCTETS>().0;
                for i in 0..N {
                    store(&mut out[i], values[i]);
                }
            }

            /// Adds products of two streams' samples.
            #[inline]
            #[target_feature(enable = $feature)]
            pub fn add<const N: usize, const SIZE: usize>(
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
            fn in_steps(
                steps: &Steps,
                block: Block<'_, '_, STEP_SIZE>,
                last: V,
            ) -> Option<[[V; 2]; STEP]> {
                let pairs = block.pairs().zip(steps.factors());
                if pairs.len() == 0 {
                    return None;
                }
                let mut sums = [[every32(steps.half()); 2]; STEP];
                for (pair, factors) in pairs {
                    if factors.shifts() {
                        step(&mut sums, factors);
                    }
                    add(pair, every128(&factors.each), &mut sums);
                }
                shift(&mut sums, last);
                Some(sums)
            }

            /// Shifts all sums to the units of the factors.
            #[inline]
            #[target_feature(enable = $feature)]
            fn step<const N: usize>(sums: &mut [[V; 2]; N], factors: &Factors) {
                if COUNTS_COST && factors.halves() {
                    *sums = sums.map(|sum| sum.map(|sum| right32(sum, 1)));
                } else {
                    shift(sums, low5(&factors.before));
                }
            }

            /// Shifts all sums right.
            #[inline]
            #[target_feature(enable = $feature)]
            pub fn shift<const N: usize>(sums: &mut [[V; 2]; N], count: V) {
                for i in 0..N {
                    for j in 0..2 {
                        sums[i][j] = shift32(sums[i][j], count);
                    }
                }
            }
        }
    };
}

kernel!(v128, v128, "sse2", 6);
kernel!(v256, v256, "avx2", 6);
kernel!(vnni, vnni, "avx2,avxvnni", 6);
