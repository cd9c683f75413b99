//! The resampler's inner loop: 16-bit multiply-adds over high and low halves.

use super::convert::OUTPUTS;
use super::kernel::Fir;
use super::resample::Cursor;
use super::table::LANE;
use core::ops::Range;

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{Cursor, Fir, LANE, OUTPUTS, Range, put};
            use crate::scalar::BLOCK;
            use crate::simd::$width::*;
            use crate::simd::{Planes, v128};

            const LANES: usize = OCTETS / 2;
            /// Vectors of the sixteen taps whose partial sums are kept apart.
            const PARTS: usize = LANE / LANES;

            /// Makes `frames` frames of each stream's interleaved outputs, in units of 2^-29.
            #[target_feature(enable = $feature)]
            pub fn fir(fir: &Fir<'_>, cursor: &mut Cursor, frames: usize, out: &mut [i32]) {
                let (first, taps) = (*cursor, fir.table.plan.shape.taps);
                let channels = fir.streams * fir.channels;
                for tap in (0..taps).step_by(BLOCK) {
                    let taps = tap..(tap + BLOCK).min(taps);
                    let mut channel = 0;
                    while channel < channels {
                        *cursor = first;
                        // As many at once as there are registers for their sums.
                        let four = PARTS == 1 && channels - channel > 2;
                        let pass = match (fir.table.plan.between, four, fir.fine) {
                            (true, ..) => pass::<2, 4, true>,
                            (_, true, true) => pass::<4, 2, true>,
                            (_, true, false) => pass::<4, 2, false>,
                            (_, false, true) => pass::<2, 2, true>,
                            (_, false, false) => pass::<2, 2, false>,
                        };
                        channel += pass(fir, cursor, channel, taps.clone(), frames, out);
                    }
                }
            }

            /// Adds what some taps are for `C` channels, and returns their number. Channels that
            /// there are not come out nowhere.
            #[target_feature(enable = $feature)]
            fn pass<const C: usize, const PLANES: usize, const FINE: bool>(
                fir: &Fir<'_>,
                cursor: &mut Cursor,
                channel: usize,
                taps: Range<usize>,
                frames: usize,
                out: &mut [i32],
            ) -> usize {
                let stride = fir.stride;
                let rows = fir.table.rows.as_chunks::<LANE>().0.as_chunks::<PLANES>().0;
                let row_len = fir.table.plan.shape.taps / LANE;
                let first_tap = taps.start / LANE;
                let count = taps.len() / LANE;
                let samples = fir.samples.get(2 * channel * stride..).unwrap_or(&[]);
                let Some(planes) = Planes::<C>::new(samples, stride, count) else {
                    return C;
                };
                let mut at = *cursor;
                let mut start = taps.start;
                let mut all = [[0; 4]; OUTPUTS];
                for values in all.iter_mut().take(frames) {
                    start += at.advance();
                    let (row, rest) = if PLANES == 4 {
                        at.nearest(fir.table.plan.rows)
                    } else {
                        (at.row(), 0)
                    };
                    let row = row * row_len + first_tap;
                    let Some(row) = rows.get(row..row + count) else {
                        return C;
                    };
                    let mut sums = [every32(0); C];
                    let mut changes = [[every32(0); 2]; C];
                    for part in 0..PARTS {
                        let sums = (&mut sums, &mut changes);
                        let Some(window) = planes.window(start) else {
                            return C;
                        };
                        lanes::<C, PLANES, FINE>(row, window, part, sums);
                    }
                    *values = totals(sums[0], sums[1], sums[C - 2], sums[C - 1]);
                    if PLANES == 4 {
                        let [left, right] = [changes[0], changes[1]];
                        let [a, b, c, d] = totals(left[0], left[1], right[0], right[1]);
                        values[0] += fir.table.change(a, b, rest);
                        values[1] += fir.table.change(c, d, rest);
                    }
                }
                *cursor = at;
                let all = all.get(..frames).unwrap_or(&[]);
                put(fir, channel..channel + C, all, taps.start == 0, out);
                C
            }

            /// Adds to the sums of `C` channels what the `part`th vector of each sixteen taps is.
            #[inline]
            #[target_feature(enable = $feature)]
            fn lanes<'a, const C: usize, const PLANES: usize, const FINE: bool>(
                row: &[[[i16; LANE]; PLANES]],
                window: impl Iterator<Item = [[&'a [i16; LANE]; 2]; C]>,
                part: usize,
                (sums, changes): (&mut [V; C], &mut [[V; 2]; C]),
            ) {
                let vector = |lane: &[i16; LANE]| load(&lane.as_chunks::<LANES>().0[part]);
                let mut crosses = [every32(2_048); C];
                let mut slopes = [[every32(0); 2]; C];
                for (row, samples) in row.iter().zip(window) {
                    let (a, b) = (vector(&row[0]), vector(&row[1]));
                    for c in 0..C {
                        let high = vector(samples[c][0]);
                        sums[c] = add_madd16(sums[c], high, a);
                        crosses[c] = add_madd16(crosses[c], high, b);
                        if FINE {
                            crosses[c] = add_madd16(crosses[c], vector(samples[c][1]), a);
                        }
                        for plane in 2..PLANES {
                            let slope = &mut slopes[c][plane - 2];
                            *slope = add_madd16(*slope, high, vector(&row[plane]));
                        }
                    }
                }
                for c in 0..C {
                    sums[c] = add32(sums[c], right32(crosses[c], 12));
                    for i in 0..PLANES - 2 {
                        changes[c][i] = add32(changes[c][i], right32(slopes[c][i], 3));
                    }
                }
            }

            /// The sums of the lanes of four vectors.
            #[inline]
            #[target_feature(enable = $feature)]
            fn totals(a: V, b: V, c: V, d: V) -> [i32; 4] {
                let ab = add32(low32(a, b), high32(a, b));
                let cd = add32(low32(c, d), high32(c, d));
                let all = halves32(add32(low64(ab, cd), high64(ab, cd)));
                let mut values = [0; 4];
                v128::store(&mut values, all);
                values
            }
        }
    };
}

/// Makes outputs of what channels are, four at most, or adds it if it is not the `first`.
fn put(fir: &Fir<'_>, channels: Range<usize>, values: &[[i32; 4]], first: bool, out: &mut [i32]) {
    let per = fir.channels;
    let keep = if first { 0 } else { -1 };
    for (index, channel) in channels.enumerate().step_by(if per == 2 { 2 } else { 1 }) {
        if channel >= fir.streams * per {
            return;
        }
        let Some(out) = out.get_mut(fir.place(channel)..) else {
            return;
        };
        if per == 2 {
            let second = index != 0;
            for (out, &[a, b, c, d]) in out.as_chunks_mut::<2>().0.iter_mut().zip(values) {
                let [left, right] = if second { [c, d] } else { [a, b] };
                *out = [(out[0] & keep) + left, (out[1] & keep) + right];
            }
        } else {
            for (out, values) in out.iter_mut().step_by(per).zip(values) {
                *out = (*out & keep) + values.get(index).copied().unwrap_or(0);
            }
        }
    }
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
