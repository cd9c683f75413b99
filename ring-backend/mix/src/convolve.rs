//! The resampler's inner loop: 16-bit multiply-adds over high and low halves.

use super::kernel::Fir;
use super::resample::Cursor;
use super::table::LANE;

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{Cursor, Fir, LANE};
            use crate::scalar::BLOCK;
            use crate::simd::v128;
            use crate::simd::$width::*;

            const LANES: usize = OCTETS / 2;
            /// Vectors of the sixteen taps whose partial sums are kept apart.
            const PARTS: usize = LANE / LANES;

            /// Adds to interleaved outputs, in units of 2^-29.
            #[target_feature(enable = $feature)]
            pub fn fir(fir: &Fir<'_>, cursor: &mut Cursor, out: &mut [i32]) {
                match fir.table.plan.between {
                    false => run::<2, 2>(fir, cursor, out),
                    // So many sums of two channels fit the wide vectors alone.
                    true if PARTS == 1 => run::<2, 4>(fir, cursor, out),
                    true => run::<1, 4>(fir, cursor, out),
                }
            }

            /// `C` channels after the other, and as many taps as sums have room for, each for all
            /// outputs. A last channel without a second is computed twice.
            #[inline]
            #[target_feature(enable = $feature)]
            fn run<const C: usize, const PLANES: usize>(
                fir: &Fir<'_>,
                cursor: &mut Cursor,
                out: &mut [i32],
            ) {
                let (first, taps) = (*cursor, fir.table.plan.shape.taps);
                for channel in (0..fir.channels).step_by(C) {
                    for tap in (0..taps).step_by(BLOCK) {
                        *cursor = first;
                        let count = (taps - tap).min(BLOCK) / LANE;
                        pass::<C, PLANES>(fir, cursor, channel, tap, count, out);
                    }
                }
            }

            /// Adds what `count` lanes of taps from `tap` on are for `C` channels.
            #[inline]
            #[target_feature(enable = $feature)]
            fn pass<const C: usize, const PLANES: usize>(
                fir: &Fir<'_>,
                cursor: &mut Cursor,
                channel: usize,
                tap: usize,
                count: usize,
                out: &mut [i32],
            ) {
                let (stride, fine) = (fir.stride, fir.fine || PLANES == 4);
                let mut planes = [([].as_slice(), [].as_slice()); C];
                let last = (channel + C).min(fir.channels) - 1;
                for (planes, channel) in planes.iter_mut().zip(channel..) {
                    let (high, low) = fir.planes(channel.min(last));
                    if high.len() != stride || low.len() != stride {
                        return;
                    }
                    *planes = (high, low);
                }
                let rows = fir.table.rows.as_chunks::<LANE>().0;
                let row_len = fir.table.plan.row_len() / LANE;
                let mut start = tap;
                for frame in out.chunks_exact_mut(fir.channels) {
                    start += cursor.advance();
                    let (row, rest) = if PLANES == 4 {
                        cursor.nearest(fir.table.plan.rows)
                    } else {
                        (cursor.row(), 0)
                    };
                    let row = row * row_len + tap / LANE * PLANES;
                    let Some(row) = rows.get(row..row + count * PLANES) else {
                        return;
                    };
                    let mut windows = [([].as_slice(), [].as_slice()); C];
                    for (window, (high, low)) in windows.iter_mut().zip(planes) {
                        let range = start..start + count * LANE;
                        let (Some(high), Some(low)) = (high.get(range.clone()), low.get(range))
                        else {
                            return;
                        };
                        let (high, low) = (high.as_chunks::<LANE>().0, low.as_chunks::<LANE>().0);
                        *window = (high, low);
                    }
                    let mut sums = [every32(0); C];
                    let mut crosses = [[every32(2_048); PARTS]; C];
                    let mut slopes = [[every32(0); PARTS]; C];
                    let mut bends = [[every32(0); PARTS]; C];
                    for (row, tap) in row.chunks_exact(PLANES).zip(0..count) {
                        for part in 0..PARTS {
                            let a = load(&row[0].as_chunks::<LANES>().0[part]);
                            let b = load(&row[1].as_chunks::<LANES>().0[part]);
                            for c in 0..C {
                                let high = load(&windows[c].0[tap].as_chunks::<LANES>().0[part]);
                                sums[c] = add32(sums[c], madd16(high, a));
                                let mut cross = add32(crosses[c][part], madd16(high, b));
                                if fine {
                                    let low = &windows[c].1[tap].as_chunks::<LANES>().0[part];
                                    cross = add32(cross, madd16(load(low), a));
                                }
                                crosses[c][part] = cross;
                                if PLANES == 4 {
                                    let slope = load(&row[2].as_chunks::<LANES>().0[part]);
                                    let bend = load(&row[3].as_chunks::<LANES>().0[part]);
                                    slopes[c][part] = add32(slopes[c][part], madd16(high, slope));
                                    bends[c][part] = add32(bends[c][part], madd16(high, bend));
                                }
                            }
                        }
                    }
                    let Some(samples) = frame.get_mut(channel..last + 1) else {
                        return;
                    };
                    for c in 0..C {
                        for part in 0..PARTS {
                            sums[c] = add32(sums[c], right32(crosses[c][part], 12));
                        }
                    }
                    let values = totals(sums[0], sums[C - 1]);
                    for (sample, value) in samples.iter_mut().zip(values) {
                        *sample += value;
                    }
                    if PLANES == 4 {
                        for (c, sample) in samples.iter_mut().enumerate() {
                            let (mut slope, mut bend) = (every32(0), every32(0));
                            for part in 0..PARTS {
                                slope = add32(slope, right32(slopes[c][part], 3));
                                bend = add32(bend, right32(bends[c][part], 3));
                            }
                            let [slope, bend] = totals(slope, bend);
                            *sample += fir.table.change(slope, bend, rest);
                        }
                    }
                }
            }

            /// The sums of the lanes of two vectors.
            #[inline]
            #[target_feature(enable = $feature)]
            fn totals(first: V, second: V) -> [i32; 2] {
                let pairs = halves32(add32(low32(first, second), high32(first, second)));
                v128::low_pair(v128::add32(pairs, v128::high64(pairs, pairs)))
            }
        }
    };
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
