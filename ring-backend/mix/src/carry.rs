//! Sums of 16-bit streams that may overflow on the way, or of what was gathered of other streams as
//! well: whole samples are carried to sums of their own.

macro_rules! kernel {
    ($width:ident, $feature:literal, $vectors:literal) => {
        /// The loop of this width.
        pub mod $width {
            use crate::narrow::$width::{add, packed, put, shift};
            use crate::plan::Plan;
            use crate::simd::$width::*;
            use crate::simd::{Block, Starts};
            use crate::wide::$width::parts;

            /// Vectors that are done at a time, their octets and samples.
            const PART: usize = $vectors;
            /// Octets that are done at a time.
            pub const PART_SIZE: usize = PART * OCTETS;
            const PART_SAMPLES: usize = PART_SIZE / 2;
            const LANES: usize = OCTETS / 4;

            /// Sums in steps, carrying whole samples, which can always be done.
            #[inline(never)]
            #[target_feature(enable = $feature)]
            pub fn carrying(
                plan: &Plan,
                starts: &Starts<'_>,
                gathered: Option<&[i64]>,
                base: usize,
                out: &mut [u8],
            ) -> usize {
                let steps = plan.steps();
                let last = low5(steps.last());
                let places = steps.places();
                let cut = i64::from(38 - places);
                let len = match gathered {
                    Some(_) => out.len() / 16 * 16,
                    None => out.len(),
                };
                let (out, _) = out.split_at_mut(len);
                blocks::<PART_SIZE>(starts, base, out, |at, block, out| {
                    let mut wholes = [[every32(0); 2]; PART];
                    let mut sums = [[every32(steps.half()); 2]; PART];
                    if let Some(gathered) = gathered {
                        let eights = gathered.get(at / 2..).unwrap_or(&[]);
                        let Some(eights) = eights.first_chunk::<PART_SAMPLES>() else {
                            return;
                        };
                        for i in 0..PART {
                            let mut both = [[every32(0); 2]; 2];
                            for j in 0..2 {
                                let at = 2 * i + j;
                                let [even, odd] = parts(&eights.as_chunks().0[at * LANES / 8], at);
                                // 38 fraction bits: the whole samples, and what these units hold.
                                let high = weave32(right64::<32>(even), odd);
                                both[0][j] = right32(high, 6);
                                let [even, odd] = [even, odd].map(|sum| down64(sum, &[cut, 0]));
                                let low = weave32(even, left64::<32>(odd));
                                both[1][j] = and(low, every32((1 << places) - 1));
                            }
                            wholes[i] = quads(both[0]);
                            let [low, high] = quads(both[1]);
                            sums[i] = [add32(sums[i][0], low), add32(sums[i][1], high)];
                        }
                    }
                    for (pair, factors) in block.pairs().zip(steps.factors()) {
                        if factors.before[0] != 0 {
                            if factors.carries() {
                                carry(&mut sums, &mut wholes, from8(&factors.before));
                            }
                            if factors.shifts() {
                                shift(&mut sums, low5(&factors.before));
                            }
                        }
                        add(pair, every128(&factors.each), &mut sums);
                    }
                    shift(&mut sums, last);
                    for i in 0..PART {
                        for j in 0..2 {
                            sums[i][j] = add32(sums[i][j], wholes[i][j]);
                        }
                    }
                    put(packed(sums), out);
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

            /// Carries whole samples from sums of so many fraction bits.
            #[inline]
            #[target_feature(enable = $feature)]
            fn carry(sums: &mut [[V; 2]; PART], wholes: &mut [[V; 2]; PART], places: V) {
                let beyond = beyond32(places);
                for i in 0..PART {
                    for j in 0..2 {
                        let sum = sums[i][j];
                        wholes[i][j] = add32(wholes[i][j], shift32(sum, places));
                        sums[i][j] = and_not(beyond, sum);
                    }
                }
            }
        }
    };
}

kernel!(v128, "sse2", 3);
kernel!(v256, "avx2", 3);
