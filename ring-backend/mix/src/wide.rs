//! Everything else: 32-bit multiplies into 64-bit sums.
//!
//! The 128-bit multiply is unsigned. There a sample is multiplied as 2^31 more than it is; what
//! that adds to a sum depends on the gains alone and is taken off beforehand. Sums may wrap on
//! the way, their results do not.

use super::kernel::Sink;

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{Sink, place_all};
            use crate::plan::{Gains, Plan};
            use crate::simd::Starts;
            use crate::simd::$width::*;

            /// Samples of a vector of 32-bit lanes, and 64-bit lanes of one.
            const LANES: usize = OCTETS / 4;
            const SUMS: usize = OCTETS / 8;
            /// Vectors that are done at a time, their samples, and those samples' octets.
            const N: usize = 4;
            const SAMPLES: usize = N * LANES;
            const HALF: usize = 2 * SAMPLES;
            const WHOLE: usize = 4 * SAMPLES;

            /// Even and odd samples' sums.
            type Sums = [[V; 2]; N];

            /// Mixes streams of 16 and of 32 bits; returns the octets done. What is gathered lies in eights, so that less than
            /// eight samples may be left then; nothing is done with less than a block.
            #[target_feature(enable = $feature)]
            pub fn mix(
                plan: &Plan,
                starts: [&Starts<'_>; 2],
                gathered: Option<&[i64]>,
                sink: Sink,
                out: &mut [u8],
            ) -> usize {
                let size = sink.octets();
                let samples = out.len() / size;
                let end = match gathered {
                    Some(_) => samples / 8 * 8,
                    None => samples,
                };
                let mut initial = [[every64(sink.half()); 2]; N];
                if UNSIGNED {
                    for i in 0..N {
                        let [even, odd] = parts(plan.weights(), i);
                        initial[i][0] = sub64(initial[i][0], left64::<31>(even));
                        initial[i][1] = sub64(initial[i][1], left64::<31>(odd));
                    }
                }
                let mut at = 0;
                while let (Some(halves), Some(wholes), Some(out)) = (
                    starts[0].block::<HALF>(2 * at),
                    starts[1].block::<WHOLE>(4 * at),
                    out.get_mut(at * size..(at + SAMPLES) * size),
                ) {
                    let mut sums = initial;
                    let gathered = gathered.unwrap_or(&[]).get(at..).unwrap_or(&[]);
                    if let Some(gathered) = gathered.first_chunk::<SAMPLES>() {
                        let gathered = gathered.as_chunks().0;
                        for i in 0..N {
                            let [even, odd] = parts(&gathered[i * LANES / 8], i);
                            sums[i][0] = add64(sums[i][0], even);
                            sums[i][1] = add64(sums[i][1], odd);
                        }
                    }
                    for (octets, gains) in halves.each().zip(plan.gains(false)) {
                        let octets = octets.as_chunks().0;
                        for i in 0..N {
                            add(widen(&octets[i]), gains, i, &mut sums[i]);
                        }
                    }
                    for (octets, gains) in wholes.each().zip(plan.gains(true)) {
                        let octets = octets.as_chunks::<OCTETS>().0;
                        for i in 0..N {
                            add(load(&octets[i]), gains, i, &mut sums[i]);
                        }
                    }
                    put(&sums, sink, out);
                    at += SAMPLES;
                    if at < end && at + SAMPLES > end {
                        // The rest, once more with samples that are done: streams do not change.
                        at = end - SAMPLES;
                    }
                }
                at * size
            }

            /// Adds a vector's products, the vector being the block's `i`th.
            #[inline]
            #[target_feature(enable = $feature)]
            fn add(samples: V, gains: &Gains, i: usize, [even, odd]: &mut [V; 2]) {
                let samples = lift(samples);
                let place = i * LANES % 8 / LANES;
                let gains_even = load(&gains.even.as_chunks::<LANES>().0[place]);
                let gains_odd = load(&gains.odd.as_chunks::<LANES>().0[place]);
                *even = add64(*even, mul_even(samples, gains_even));
                *odd = add64(*odd, mul_even(right64::<32>(samples), gains_odd));
            }

            /// Samples as the multiply wants them.
            #[inline]
            #[target_feature(enable = $feature)]
            fn lift(samples: V) -> V {
                if UNSIGNED {
                    xor(samples, every32(i32::MIN))
                } else {
                    samples
                }
            }

            /// Rounds, saturates and stores.
            #[inline]
            #[target_feature(enable = $feature)]
            fn put(sums: &Sums, sink: Sink, out: &mut [u8]) {
                // Units are above bit 22. The high words tell which are too loud.
                let (top, bottom) = (every32(sink.knee() - 1), every32(-sink.knee()));
                let mut values = [every32(0); N];
                let mut beyond = every32(0);
                for i in 0..N {
                    let [even, odd] = sums[i];
                    let high = weave32(right64::<32>(even), odd);
                    beyond = or(beyond, or(above32(high, top), above32(bottom, high)));
                    values[i] = weave32(right64::<22>(even), left64::<10>(odd));
                }
                if any(beyond) {
                    values = loud(*sums, sink);
                }
                if let Some(out) = out.first_chunk_mut::<WHOLE>() {
                    let mask = every32(sink.mask());
                    let out = out.as_chunks_mut::<OCTETS>().0;
                    for i in 0..N {
                        store(&mut out[i], and(values[i], mask));
                    }
                } else if let Some(out) = out.first_chunk_mut::<HALF>() {
                    let out = out.as_chunks_mut::<OCTETS>().0;
                    for i in 0..N / 2 {
                        store(&mut out[i], tops(values[2 * i], values[2 * i + 1]));
                    }
                }
            }

            #[cold]
            #[inline(never)]
            #[target_feature(enable = $feature)]
            fn loud(sums: Sums, sink: Sink) -> [V; N] {
                let mut lanes = [[[0_i64; SUMS]; 2]; N];
                for i in 0..N {
                    store(&mut lanes[i][0], sums[i][0]);
                    store(&mut lanes[i][1], sums[i][1]);
                }
                let mut samples = [[0_i32; LANES]; N];
                place_all(
                    lanes.as_flattened().as_flattened(),
                    SUMS,
                    sink,
                    samples.as_flattened_mut(),
                );
                let mut values = [every32(0); N];
                for i in 0..N {
                    values[i] = load(&samples[i]);
                }
                values
            }

            /// The even and the odd ones of eight samples' sums, of the vector that is the `i`th.
            #[inline]
            #[target_feature(enable = $feature)]
            fn parts(sums: &[i64; 8], i: usize) -> [V; 2] {
                let place = i * LANES % 8 / LANES;
                let sums = sums.as_chunks::<SUMS>().0;
                [load(&sums[place]), load(&sums[place + 4 / SUMS])]
            }

            /// Adds samples times gains to the sums; returns the samples done, a multiple of 8.
            #[target_feature(enable = $feature)]
            pub fn gather(samples: &[i32], gains: &[i32; 8], sums: &mut [i64]) -> usize {
                let mut done = 0;
                let eights = samples.as_chunks::<8>().0.iter();
                for (samples, sums) in eights.zip(sums.as_chunks_mut::<8>().0) {
                    let (evens, odds) = sums.split_at_mut(4);
                    let sums = evens
                        .as_chunks_mut()
                        .0
                        .iter_mut()
                        .zip(odds.as_chunks_mut().0);
                    let gains = gains.as_chunks::<LANES>().0;
                    let vectors = samples.as_chunks::<LANES>().0.iter().zip(gains);
                    for ((even, odd), (samples, gains)) in sums.zip(vectors) {
                        let samples = lift(load(samples));
                        let factors = [
                            (samples, load(gains)),
                            (right64::<32>(samples), right64::<32>(load(gains))),
                        ];
                        let [product_even, product_odd] = factors.map(|(samples, gains)| {
                            let product = mul_even(samples, gains);
                            if UNSIGNED {
                                // 2^31 times the gain, which is what the sign bit added.
                                sub64(product, right64::<1>(left64::<32>(gains)))
                            } else {
                                product
                            }
                        });
                        let sum = add64(load::<i64, SUMS>(even), product_even);
                        let sum_odd = add64(load::<i64, SUMS>(odd), product_odd);
                        store(even, sum);
                        store(odd, sum_odd);
                    }
                    done += 8;
                }
                done
            }
        }
    };
}

/// Places sums of vectors with `2 * sums` samples each, the even ones first.
#[inline(never)]
fn place_all(lanes: &[i64], sums: usize, sink: Sink, samples: &mut [i32]) {
    let vectors = lanes
        .chunks_exact(2 * sums)
        .zip(samples.chunks_exact_mut(2 * sums));
    for (lanes, samples) in vectors {
        let (even, odd) = lanes.split_at(sums);
        let pairs = samples.as_chunks_mut().0;
        for (pair, (&even, &odd)) in pairs.iter_mut().zip(even.iter().zip(odd)) {
            *pair = [even, odd].map(|sum| sink.place_seldom(sum));
        }
    }
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
