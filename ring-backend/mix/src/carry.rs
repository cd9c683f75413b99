//! Sums of 16-bit streams that may overflow on the way, or of what was gathered of other streams as
//! well: whole samples are carried to sums of their own.

macro_rules! kernel {
    ($width:ident, $feature:literal, $vectors:literal) => {
        /// The loop of this width.
        pub mod $width {
            use crate::narrow::$width::{add, blocks, packed, put, shift};
            use crate::plan::Plan;
            use crate::simd::Starts;
            use crate::simd::$width::*;
            use crate::wide::$width::parts;

            /// Vectors that are done at a time, their octets and samples.
            const PART: usize = $vectors;
            const PART_SIZE: usize = PART * OCTETS;
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
                                both[0][j] = shift32(high, &[6, 0]);
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
                        if factors.shift[0] >= 0 {
                            if factors.shift[1] > 0 {
                                carry(&mut sums, &mut wholes, factors.shift[1]);
                            }
                            shift(&mut sums, &factors.shift);
                        }
                        add(pair, every128(&factors.each), &mut sums);
                    }
                    shift(&mut sums, steps.last());
                    for i in 0..PART {
                        for j in 0..2 {
                            sums[i][j] = add32(sums[i][j], wholes[i][j]);
                        }
                    }
                    put(packed(sums), out);
                })
            }

            /// Carries whole samples from sums of so many fraction bits.
            #[inline]
            #[target_feature(enable = $feature)]
            fn carry(sums: &mut [[V; 2]; PART], wholes: &mut [[V; 2]; PART], places: i64) {
                let rest = every32((1 << places) - 1);
                for i in 0..PART {
                    for j in 0..2 {
                        let sum = sums[i][j];
                        wholes[i][j] = add32(wholes[i][j], shift32(sum, &[places, 0]));
                        sums[i][j] = and(sum, rest);
                    }
                }
            }
        }
    };
}

kernel!(v128, "sse2", 2);
kernel!(v256, "avx2", 3);
