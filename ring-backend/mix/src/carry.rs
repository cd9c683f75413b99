//! Sums of 16-bit streams that may overflow on the way, or of what was gathered of other streams as
//! well: high halves are [carried](crate::steps) to sums of their own.

macro_rules! beginning {
    ($width:ident, $feature:literal) => {
        /// How sums of this width begin.
        pub mod $width {
            use crate::simd::$width::*;
            use crate::steps::{CARRIED, Steps};
            use crate::wide::$width::parts;
            use core::hint::black_box;

            const LANES: usize = OCTETS / 4;

            /// Parts what was gathered, which has 38 fraction bits: what is carried, and what the
            /// first units hold, with half a sample.
            #[inline(never)]
            #[target_feature(enable = $feature)]
            pub fn begin(
                gathered: &[i64],
                steps: &Steps,
                first: &mut [[V; 2]],
                highs: &mut [[V; 2]],
            ) {
                let half = every32(steps.half());
                let low_bits = every32((1 << (steps.places() - CARRIED)) - 1);
                let cut = i64::from(38 - steps.places());
                // A loop is enough, whatever the compiler knows of how many there are.
                let gathered = black_box(gathered);
                let sums = first.iter_mut().zip(highs);
                for (of, (first, highs)) in gathered.as_chunks::<{ 2 * LANES }>().0.iter().zip(sums)
                {
                    let mut lows = [every32(0); 2];
                    for i in 0..2 {
                        let [even, odd] = parts(&of.as_chunks().0[i * LANES / 8], i);
                        highs[i] = weave32(right64::<32>(even), odd);
                        let [even, odd] = [even, odd].map(|sum| down64(sum, &[cut, 0]));
                        lows[i] = and(weave32(even, left64::<32>(odd)), low_bits);
                    }
                    *highs = quads(*highs);
                    *first = quads(lows).map(|low| add32(low, half));
                }
            }
        }
    };
}

mod begin {
    beginning!(v128, "sse2");
    beginning!(v256, "avx2");
}

macro_rules! kernel {
    ($width:ident, $parts:ident, $feature:literal, $vectors:literal) => {
        /// The loop of this width.
        pub mod $width {
            use super::begin::$parts::begin;
            use crate::narrow::$width::{add, packed, put, shift};
            use crate::plan::Plan;
            use crate::simd::$width::*;
            use crate::simd::{Block, Starts, fetch};
            use crate::steps::CARRIED;
            use core::hint::black_box;

            /// Vectors that are done at a time, their octets and samples.
            const PART: usize = $vectors;
            /// Octets that are done at a time.
            pub const PART_SIZE: usize = PART * OCTETS;
            const PART_SAMPLES: usize = PART_SIZE / 2;

            /// Sums in steps, carrying high halves, which can always be done.
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
                let last = low5(&steps.last().map(|places| places - CARRIED as i32));
                let len = match gathered {
                    Some(_) => out.len() / 16 * 16,
                    None => out.len(),
                };
                let (out, _) = out.split_at_mut(len);
                let mut first = [[every32(steps.half()); 2]; PART];
                let mut highs = [[every32(0); 2]; PART];
                // Or it becomes a blend, which takes the unit that has most to do.
                let low = black_box(every32(0xFFFF));
                blocks::<PART_SIZE>(starts, base, out, |at, block, out| {
                    highs = [[every32(0); 2]; PART];
                    if let Some(gathered) = gathered {
                        let gathered = gathered.get(at / 2..).and_then(<[i64]>::first_chunk);
                        let Some(gathered) = gathered else {
                            return;
                        };
                        let gathered: &[i64; PART_SAMPLES] = gathered;
                        begin(gathered, steps, &mut first, &mut highs);
                    }
                    // From there every time: the compiler would keep copies of them at hand.
                    let mut sums = *black_box(&first);
                    // Many streams outgrow the nearest cache: theirs is fetched while others are
                    // added up. With 128 bits that takes longer than to fetch, in any case.
                    let mut ahead = block.pairs();
                    let _ = ahead.nth(1);
                    for (pair, factors) in block.pairs().zip(steps.factors()) {
                        if let Some(pair) = ahead.next().filter(|_| OCTETS > 16) {
                            for stream in pair {
                                fetch(stream);
                            }
                        }
                        if factors.before[0] != 0 {
                            if factors.carries() {
                                carry(&mut sums, &mut highs, high_halves(&factors.before), low);
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
                            sums[i][j] = right32(add32(sums[i][j], highs[i][j]), CARRIED);
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
                mut sum: impl FnMut(usize, Block<'_, '_, SIZE>, &mut [u8; SIZE]),
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

            /// Carries sums' high halves times `factors`, whose low halves are 0; `low` remain.
            #[inline]
            #[target_feature(enable = $feature)]
            fn carry(sums: &mut [[V; 2]; PART], highs: &mut [[V; 2]; PART], factors: V, low: V) {
                // Registers are for the sums, and these are in memory: the compiler is not to know.
                let highs = black_box(highs);
                for i in 0..PART {
                    for j in 0..2 {
                        highs[i][j] = add_madd16(highs[i][j], sums[i][j], factors);
                        sums[i][j] = and(sums[i][j], low);
                    }
                }
            }
        }
    };
}

kernel!(v128, v128, "sse2", 6);
kernel!(v256, v256, "avx2", 6);
kernel!(vnni, v256, "avx2,avxvnni", 6);
