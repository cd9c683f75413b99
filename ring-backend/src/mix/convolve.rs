//! The resampler's inner loop: 16-bit multiply-adds over high and low halves.

use super::kernel::Fir;
use super::resample::Cursor;

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{Cursor, Fir};
            use crate::mix::kernel::Row;
            use crate::mix::scalar::BLOCK;
            use crate::mix::simd::v128;
            use crate::mix::simd::$width::*;

            const LANES: usize = OCTETS / 2;
            /// Vectors of the sixteen taps whose partial sums are kept apart.
            const PARTS: usize = 16 / LANES;

            type Window<'a> = (&'a [i16], &'a [i16]);

            /// Computes interleaved outputs, in units of 2^-29.
            #[target_feature(enable = $feature)]
            pub fn fir(fir: &Fir<'_>, cursor: &mut Cursor, out: &mut [i32]) {
                match (fir.channels, fir.fine) {
                    (2, false) => run::<2, false>(fir, cursor, out),
                    (2, true) => run::<2, true>(fir, cursor, out),
                    (_, false) => run::<1, false>(fir, cursor, out),
                    (_, true) => run::<1, true>(fir, cursor, out),
                }
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn run<const C: usize, const FINE: bool>(
                fir: &Fir<'_>,
                cursor: &mut Cursor,
                out: &mut [i32],
            ) {
                let mut start = 0;
                for frame in out.chunks_exact_mut(fir.channels) {
                    start += cursor.advance();
                    let (row, rest) = fir.phase(cursor);
                    for (index, samples) in frame.as_chunks_mut::<C>().0.iter_mut().enumerate() {
                        let mut windows: [Window<'_>; C] = [(&[], &[]); C];
                        for (window, channel) in windows.iter_mut().zip(index * C..) {
                            *window = fir.window(channel, start).unwrap_or_default();
                        }
                        *samples = dots::<C, FINE>(&windows, &row);
                        if fir.table.plan.between {
                            let changes = slopes(&windows, &row);
                            for (sample, [slope, bend]) in samples.iter_mut().zip(changes) {
                                *sample = fir.between(*sample, slope, bend, rest);
                            }
                        }
                    }
                }
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn dots<const C: usize, const FINE: bool>(
                windows: &[Window<'_>; C],
                row: &Row<'_>,
            ) -> [i32; C] {
                let mut sums = [[every32(0); 2]; C];
                if row.high.len() <= BLOCK {
                    dot::<C, FINE>(windows, row.high, row.low, &mut sums);
                } else {
                    long::<C, FINE>(windows, row, &mut sums);
                }
                let last = sums[C - 1];
                let totals = totals([sums[0][0], sums[0][1], last[0], last[1]]);
                let mut out = [0; C];
                for (out, pair) in out.iter_mut().zip(totals.as_chunks::<2>().0) {
                    *out = pair[0] + ((pair[1] + 128) >> 8);
                }
                out
            }

            /// More taps than partial sums can hold, block by block.
            #[inline(never)]
            #[target_feature(enable = $feature)]
            fn long<const C: usize, const FINE: bool>(
                windows: &[Window<'_>; C],
                row: &Row<'_>,
                sums: &mut [[V; 2]; C],
            ) {
                for at in (0..row.high.len()).step_by(BLOCK) {
                    let end = (at + BLOCK).min(row.high.len());
                    let part = |plane| <[i16]>::get(plane, at..end).unwrap_or(&[]);
                    let windows = windows.map(|(high, low)| (part(high), part(low)));
                    dot::<C, FINE>(&windows, part(row.high), part(row.low), sums);
                }
            }

            /// Adds a block's sums of high products and of cross products.
            #[inline]
            #[target_feature(enable = $feature)]
            fn dot<const C: usize, const FINE: bool>(
                windows: &[Window<'_>; C],
                high_row: &[i16],
                low_row: &[i16],
                sums: &mut [[V; 2]; C],
            ) {
                let (a, b) = (
                    high_row.as_chunks::<LANES>().0,
                    low_row.as_chunks::<LANES>().0,
                );
                // One length for all, so that the loop below checks nothing.
                let count = a.len();
                let whole = windows
                    .iter()
                    .all(|(high, low)| high.len() / LANES == count && low.len() / LANES == count);
                if b.len() != count || !whole {
                    return;
                }
                let parts = windows.map(|(high, low)| {
                    let (high, low) = (high.as_chunks::<LANES>().0, low.as_chunks::<LANES>().0);
                    (&high[..count], &low[..count])
                });
                let mut crosses = [[every32(0); PARTS]; C];
                for tap in (0..count / PARTS * PARTS).step_by(PARTS) {
                    for part in 0..PARTS {
                        let tap = tap + part;
                        let (high_row, low_row) = (load(&a[tap]), load(&b[tap]));
                        for c in 0..C {
                            let high = load(&parts[c].0[tap]);
                            sums[c][0] = add32(sums[c][0], madd16(high, high_row));
                            let mut cross = add32(crosses[c][part], madd16(high, low_row));
                            if FINE {
                                cross = add32(cross, madd16(load(&parts[c].1[tap]), high_row));
                            }
                            crosses[c][part] = cross;
                        }
                    }
                }
                for c in 0..C {
                    for part in 0..PARTS {
                        sums[c][1] = add32(sums[c][1], right32(crosses[c][part], 4));
                    }
                }
            }

            /// The partial sums of the slopes and of the curvatures, in eighths.
            #[inline]
            #[target_feature(enable = $feature)]
            fn slopes<const C: usize>(windows: &[Window<'_>; C], row: &Row<'_>) -> [[i32; 2]; C] {
                let mut slopes = [[every32(0); PARTS]; C];
                let mut bends = slopes;
                let a = row.slope.as_chunks::<LANES>().0;
                let b = row.bend.as_chunks::<LANES>().0;
                let mut count = a.len().min(b.len());
                let mut parts = [a; C];
                for (part, (high, _)) in parts.iter_mut().zip(windows) {
                    *part = high.as_chunks::<LANES>().0;
                    count = count.min(part.len());
                }
                let (a, b) = (&a[..count], &b[..count]);
                for part in &mut parts {
                    *part = &part[..count];
                }
                for tap in (0..count / PARTS * PARTS).step_by(PARTS) {
                    for part in 0..PARTS {
                        let tap = tap + part;
                        let (slope_row, bend_row) = (load(&a[tap]), load(&b[tap]));
                        for c in 0..C {
                            let high = load(&parts[c][tap]);
                            slopes[c][part] = add32(slopes[c][part], madd16(high, slope_row));
                            bends[c][part] = add32(bends[c][part], madd16(high, bend_row));
                        }
                    }
                }
                let eighths = |sums: [V; PARTS]| {
                    let mut total = every32(0);
                    for sum in sums {
                        total = add32(total, right32(sum, 3));
                    }
                    total
                };
                let totals = totals([
                    eighths(slopes[0]),
                    eighths(bends[0]),
                    eighths(slopes[C - 1]),
                    eighths(bends[C - 1]),
                ]);
                let mut out = [[0; 2]; C];
                for (out, &pair) in out.iter_mut().zip(totals.as_chunks::<2>().0) {
                    *out = pair;
                }
                out
            }

            /// The sums of four vectors' lanes.
            #[inline]
            #[target_feature(enable = $feature)]
            fn totals([a, b, c, d]: [V; 4]) -> [i32; 4] {
                let ab = add32(low32(a, b), high32(a, b));
                let cd = add32(low32(c, d), high32(c, d));
                let sums = add32(low64(ab, cd), high64(ab, cd));
                let mut totals = [0; 4];
                v128::store(&mut totals, halves32(sums));
                totals
            }
        }
    };
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
