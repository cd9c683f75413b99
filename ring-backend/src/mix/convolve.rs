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
                let mut sums = [every32(0); C];
                let mut rests = [every32(0); C];
                let mut at = 0;
                while at < row.high.len() {
                    let end = (at + BLOCK).min(row.high.len());
                    let mut crosses = [[every32(0); PARTS]; C];
                    let a = row.high.get(at..end).unwrap_or(&[]).as_chunks::<LANES>().0;
                    let b = row.low.get(at..end).unwrap_or(&[]).as_chunks::<LANES>().0;
                    // One length for all, so that the loop below checks nothing.
                    let count = a.len().min(b.len());
                    let mut parts = [(a, a); C];
                    for (part, (high, low)) in parts.iter_mut().zip(windows) {
                        let high = high.get(at..end).unwrap_or(&[]).as_chunks::<LANES>().0;
                        let low = low.get(at..end).unwrap_or(&[]).as_chunks::<LANES>().0;
                        *part = (high, low);
                    }
                    let count = parts.iter().fold(count, |count, (high, low)| {
                        count.min(high.len()).min(low.len())
                    });
                    let (a, b) = (&a[..count], &b[..count]);
                    for part in &mut parts {
                        *part = (&part.0[..count], &part.1[..count]);
                    }
                    for tap in (0..count / PARTS * PARTS).step_by(PARTS) {
                        for part in 0..PARTS {
                            let tap = tap + part;
                            let (high_row, low_row) = (load(&a[tap]), load(&b[tap]));
                            for c in 0..C {
                                let high = load(&parts[c].0[tap]);
                                sums[c] = add32(sums[c], madd16(high, high_row));
                                let mut cross = add32(crosses[c][part], madd16(high, low_row));
                                if FINE {
                                    let low = load(&parts[c].1[tap]);
                                    cross = add32(cross, madd16(low, high_row));
                                }
                                crosses[c][part] = cross;
                            }
                        }
                    }
                    for c in 0..C {
                        for part in 0..PARTS {
                            rests[c] = add32(rests[c], right32(crosses[c][part], 4));
                        }
                    }
                    at = end;
                }
                let totals = totals([sums[0], rests[0], sums[C - 1], rests[C - 1]]);
                let mut out = [0; C];
                for (out, pair) in out.iter_mut().zip(totals.as_chunks::<2>().0) {
                    *out = pair[0] + ((pair[1] + 128) >> 8);
                }
                out
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
