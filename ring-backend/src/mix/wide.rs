//! Everything else: 32-bit multiplies into 64-bit sums.
//!
//! A sample is multiplied as an unsigned number, 2^31 more than it is, because that multiply is
//! the one both widths have; what that adds to a sum depends on the gains alone and is taken off
//! beforehand. Sums may wrap on the way, their results do not.

use super::kernel::{Direct, Sink};

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{Direct, Sink};
            use crate::mix::simd::$width::*;

            /// Samples of a vector of 32-bit lanes, and 64-bit lanes of one.
            const LANES: usize = OCTETS / 4;
            const SUMS: usize = OCTETS / 8;

            /// Mixes as many samples as whole pairs of vectors hold; returns the octets done.
            #[target_feature(enable = $feature)]
            pub fn mix(
                direct: &[Direct<'_>],
                gathered: Option<&[i64]>,
                sink: Sink,
                out: &mut [u8],
            ) -> usize {
                let mut bias = [sink.half(); 8];
                for source in direct {
                    let even = source.levels.gains.iter().step_by(2);
                    let odd = source.levels.gains.iter().skip(1).step_by(2);
                    for (bias, &gain) in bias.iter_mut().zip(even.chain(odd)) {
                        *bias -= i64::from(gain) << 31;
                    }
                }
                let size = sink.octets();
                let mut done = 0;
                for out in out.chunks_exact_mut(2 * LANES * size) {
                    let first = vector(direct, gathered, &bias, done, sink);
                    let second = vector(direct, gathered, &bias, done + LANES, sink);
                    if size == 2 {
                        if let Ok(out) = <&mut [u8; OCTETS]>::try_from(out) {
                            store(out, tops(first, second));
                        }
                    } else {
                        let halves = out.as_chunks_mut::<OCTETS>().0.iter_mut();
                        for (out, value) in halves.zip([first, second]) {
                            store(out, value);
                        }
                    }
                    done += 2 * LANES;
                }
                done * size
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn vector(
                direct: &[Direct<'_>],
                gathered: Option<&[i64]>,
                bias: &[i64; 8],
                at: usize,
                sink: Sink,
            ) -> V {
                // Within eight samples: the even ones' sums, then the odd ones'.
                let place = at % 8 / 2;
                let mut even = part(bias, place);
                let mut odd = part(bias, place + 4);
                if let Some(sums) = gathered.and_then(|sums| sums.get(at / 8 * 8..)) {
                    even = add64(even, part(sums, place));
                    odd = add64(odd, part(sums, place + 4));
                }
                let sign = every32(i32::MIN);
                for source in direct {
                    let samples = if source.wide {
                        let octets = source.octets.get(4 * at..).unwrap_or(&[]);
                        octets.first_chunk::<OCTETS>().map(|octets| load(octets))
                    } else {
                        let octets = source.octets.get(2 * at..).unwrap_or(&[]);
                        octets.first_chunk().map(|octets| widen(octets))
                    };
                    let gains = source.levels.gains.get(at % 8..).unwrap_or(&[]);
                    if let (Some(samples), Some(gains)) = (samples, gains.first_chunk::<LANES>()) {
                        let samples = xor(samples, sign);
                        let gains = load(gains);
                        even = add64(even, mul_even(samples, gains));
                        odd = add64(odd, mul_even(right64::<32>(samples), right64::<32>(gains)));
                    }
                }
                // Units are above bit 22. Where the high words leave 22 bits, they overflow.
                let units = weave32(right64::<22>(even), left64::<10>(odd));
                let high = weave32(right64::<32>(even), odd);
                let above = above32(high, every32((1 << 21) - 1));
                let below = above32(every32(-(1 << 21)), high);
                let units = and_not(or(above, below), units);
                let units = or(units, and(above, every32(i32::MAX)));
                let units = or(units, and(below, every32(i32::MIN)));
                and(units, every32(sink.mask()))
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn part(sums: &[i64], at: usize) -> V {
                match sums.get(at..).and_then(|sums| sums.first_chunk::<SUMS>()) {
                    Some(sums) => load(sums),
                    None => every64(0),
                }
            }

            /// Adds samples times gains to the sums; returns the samples done, a multiple of 8.
            #[target_feature(enable = $feature)]
            pub fn gather(samples: &[i32], gains: &[i32; 8], sums: &mut [i64]) -> usize {
                let sign = every32(i32::MIN);
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
                        let samples = xor(load(samples), sign);
                        let gains = load(gains);
                        let (high, gains_high) = (right64::<32>(samples), right64::<32>(gains));
                        // 2^31 times the gain, which is what the sign bit added.
                        let extra = right64::<1>(left64::<32>(gains));
                        let extra_high = right64::<1>(left64::<32>(gains_high));
                        let product = sub64(mul_even(samples, gains), extra);
                        let product_high = sub64(mul_even(high, gains_high), extra_high);
                        let sum = add64(load::<i64, SUMS>(even), product);
                        let sum_high = add64(load::<i64, SUMS>(odd), product_high);
                        store(even, sum);
                        store(odd, sum_high);
                    }
                    done += 8;
                }
                done
            }
        }
    };
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
