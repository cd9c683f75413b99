//! Everything else: 32-bit multiplies into 64-bit sums.
//!
//! The 128-bit multiply is unsigned. There a sample is multiplied as 2^31 more than it is; what
//! that adds to a sum depends on the gains alone and is taken off beforehand. Sums may wrap on
//! the way, their results do not.

use super::kernel::Sink;

/// Does something with each vector of a block. A loop the compiler would unroll too late to keep
/// sums in registers.
macro_rules! each_vector {
    ($i:ident, $body:block) => {
        each_vector!($i, $body, 0 1 2 3)
    };
    ($i:ident, $body:block, $($at:literal)*) => { $({
        const $i: usize = $at;
        $body
    })* };
}

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
            /// Vectors that are done at a time, their samples, eights of those, and their octets.
            const N: usize = 4;
            const SAMPLES: usize = N * LANES;
            const EIGHTS: usize = SAMPLES / 8;
            const HALF: usize = 2 * SAMPLES;
            const WHOLE: usize = 4 * SAMPLES;

            /// Even and odd samples' sums.
            type Sums = [[V; 2]; N];

            /// Mixes streams of 16 and of 32 bits; returns the octets done. What is gathered lies
            /// in eights, so that less than eight samples may be left then; nothing is done with
            /// less than a block.
            #[target_feature(enable = $feature)]
            pub fn mix(
                plan: &Plan,
                starts: [&Starts<'_>; 2],
                gathered: Option<&[i64]>,
                sink: Sink,
                out: &mut [u8],
            ) -> usize {
                let (Some(halves), Some(wholes)) =
                    (starts[0].parts::<HALF>(), starts[1].parts::<WHOLE>())
                else {
                    return 0;
                };
                let (half_gains, whole_gains) = (plan.gains(false), plan.gains(true));
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
                let Some(last) = end.checked_sub(SAMPLES) else {
                    return 0;
                };
                let mut done = 0;
                while done < end {
                    // The rest is done once more with samples that are done: streams do not change.
                    let at = done.min(last);
                    let (Some(halves), Some(wholes)) = (halves.at(2 * at), wholes.at(4 * at))
                    else {
                        break;
                    };
                    let mut sums = initial;
                    if let Some(gathered) = gathered {
                        let eights = gathered.get(at..at + SAMPLES).unwrap_or(&[]);
                        if let Some(eights) = eights.as_chunks().0.first_chunk::<EIGHTS>() {
                            for i in 0..N {
                                let [even, odd] = parts(&eights[i * LANES / 8], i);
                                sums[i][0] = add64(sums[i][0], even);
                                sums[i][1] = add64(sums[i][1], odd);
                            }
                        }
                    }
                    for (octets, gains) in halves.each().zip(half_gains) {
                        let octets = octets.as_chunks().0;
                        each_vector!(I, {
                            let samples = lift(widen(&octets[I]));
                            add([samples, odds(samples)], gains, I, &mut sums[I]);
                        });
                    }
                    for (octets, gains) in wholes.each().zip(whole_gains) {
                        each_vector!(I, {
                            let (_, next) = octets[I * OCTETS..].split_at(4);
                            let samples = lift(load(&octets.as_chunks::<OCTETS>().0[I]));
                            let odd = match next.first_chunk::<OCTETS>() {
                                // From where they lie they need not be moved.
                                Some(next) if !UNSIGNED => load(next),
                                _ => odds(samples),
                            };
                            add([samples, odd], gains, I, &mut sums[I]);
                        });
                    }
                    if let Some(out) = out.get_mut(at * size..) {
                        put(&sums, sink, out);
                    }
                    done += SAMPLES;
                }
                done.min(end) * size
            }

            /// Adds products of the even and of the odd samples of a vector, the block's `i`th.
            #[inline]
            #[target_feature(enable = $feature)]
            fn add(samples: [V; 2], gains: &Gains, i: usize, [even, odd]: &mut [V; 2]) {
                let place = i * LANES % 8 / LANES;
                let gains_even = load(&gains.even.as_chunks::<LANES>().0[place]);
                let gains_odd = load(&gains.odd.as_chunks::<LANES>().0[place]);
                *even = add64(*even, mul_even(samples[0], gains_even));
                *odd = add64(*odd, mul_even(samples[1], gains_odd));
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
                // The high words tell which are too loud: as far above the lowest of numbers as
                // they are above the lowest sum, they are not above this.
                let lowest = every32(sink.knee() ^ i32::MIN);
                let top = every32((2 * sink.knee() - 1) ^ i32::MIN);
                // Units are above bit 22, and a vector has the odd ones in its high words.
                let mask = i64::from(sink.mask()) << 32;
                let (low, high) = (
                    every64((mask.cast_unsigned() >> 32).cast_signed()),
                    every64(mask),
                );
                let mut values = [every32(0); N];
                let mut beyond = every32(0);
                for i in 0..N {
                    let [even, odd] = sums[i];
                    beyond = or(beyond, above32(add32(odd32(even, odd), lowest), top));
                    values[i] = join32(right64::<22>(even), left64::<10>(odd), low, high);
                }
                if any(beyond) {
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
                    for i in 0..N {
                        values[i] = load(&samples[i]);
                    }
                }
                if sink.octets() == 4 {
                    let Some(out) = out.first_chunk_mut::<WHOLE>() else {
                        return;
                    };
                    let out = out.as_chunks_mut::<OCTETS>().0;
                    for i in 0..N {
                        store(&mut out[i], values[i]);
                    }
                } else if let Some(out) = out.first_chunk_mut::<HALF>() {
                    let out = out.as_chunks_mut::<OCTETS>().0;
                    for i in 0..N / 2 {
                        store(&mut out[i], tops(values[2 * i], values[2 * i + 1]));
                    }
                }
            }

            /// The even and the odd ones of eight samples' sums, of the vector that is the `i`th.
            #[inline]
            #[target_feature(enable = $feature)]
            pub fn parts(sums: &[i64; 8], i: usize) -> [V; 2] {
                let place = i * LANES % 8 / LANES;
                let sums = sums.as_chunks::<SUMS>().0;
                [load(&sums[place]), load(&sums[place + 4 / SUMS])]
            }

            /// Adds samples times gains to the sums, or writes them `over` those; returns the samples
            /// done, a multiple of 8.
            #[target_feature(enable = $feature)]
            pub fn gather(
                samples: &[i32],
                gains: &[i32; 8],
                over: bool,
                sums: &mut [i64],
            ) -> usize {
                let kept = every64(if over { 0 } else { -1 });
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
                            // Swapped, and not shifted, which compilers take for more.
                            (right64::<32>(samples), swap32(load(gains))),
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
                        let sum = add64(and(load::<i64, SUMS>(even), kept), product_even);
                        let sum_odd = add64(and(load::<i64, SUMS>(odd), kept), product_odd);
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
