//! A filter's own limit: read, multiply, add, and nothing else.

use crate::job::Run;
use std::arch::x86_64::*;

/// Taps at each end of a filter, of which one product is enough.
pub const EDGE: usize = 8;

/// The least, in one width, of what one output of two channels takes of 16-bit multiply-adds over
/// high and, if `low`, low halves, with a row of coefficients for each output; `planes` is 2 where
/// outputs have rows of their own, and 4 with slopes and curvatures, which change the coefficients
/// of both channels, but for the middle lane, before samples are multiplied. It rounds nothing and
/// leaves the sums in their lanes.
pub fn run(taps: usize, planes: usize, low: bool, frames: usize, wide: bool) -> Option<Run> {
    if wide && !is_x86_feature_detected!("avx2") {
        return None;
    }
    let table: Vec<i16> = (0..160 * taps * planes).map(|n| (n * 37) as i16).collect();
    let window: Vec<i16> = (0..4 * (frames + taps)).map(|n| (n * 91) as i16).collect();
    let mut out = vec![0_i32; 2 * frames];
    Some(Box::new(move || {
        // SAFETY: AVX2 was found if it is wanted, and the slices are as long as they shall be.
        unsafe {
            let fir = match (wide, planes, low) {
                (true, 2, true) => fir256::<2, true>,
                (true, 2, false) => fir256::<2, false>,
                (true, _, _) => fir256::<4, true>,
                (false, 2, true) => fir128::<2, true>,
                (false, 2, false) => fir128::<2, false>,
                (false, _, _) => fir128::<4, true>,
            };
            fir(&table, &window, taps, &mut out);
        }
        std::hint::black_box(&out);
    }))
}

macro_rules! convolution {
    (
        $name:ident, $feature:literal, $lanes:literal, $load:ident, $madd:ident, $add:ident,
        $zero:ident, $low:path, $top16:ident, $add16:ident, $every16:ident
    ) => {
        /// # Safety
        /// The processor has the feature. The table has 160 rows of `PLANES` coefficients per tap,
        /// and each of the window's four parts `taps` samples more than `out` has pairs. There are
        /// two lanes of 16 taps or more.
        #[target_feature(enable = $feature)]
        unsafe fn $name<const PLANES: usize, const LOW: bool>(
            table: &[i16],
            window: &[i16],
            taps: usize,
            out: &mut [i32],
        ) {
            let stride = window.len() / 4;
            let (mut row, mut start) = (0, 0);
            let (rest, rest_of_ends) = ($every16(1_234), _mm_set1_epi16(1_234));
            let middle = taps / 2 - EDGE..taps / 2 + EDGE;
            for pair in out.chunks_exact_mut(2) {
                row += 147;
                if row >= 160 {
                    row -= 160;
                    start += 1;
                }
                let (mut left, mut right) = ([$zero(); 2], [$zero(); 2]);
                // SAFETY: a row of 160, taps below `taps`, and a start below the pairs of `out`.
                unsafe {
                    let row = table.as_ptr().add(row * taps * PLANES);
                    let at = window.as_ptr().add(start);
                    for tap in (EDGE..taps - EDGE).step_by($lanes) {
                        let row = row.add(tap * PLANES);
                        let at = at.add(tap);
                        let (coarse, mut fine) = ($load(row.cast()), $load(row.add($lanes).cast()));
                        let high = ($load(at.cast()), $load(at.add(stride).cast()));
                        left[0] = $add(left[0], $madd(high.0, coarse));
                        right[0] = $add(right[0], $madd(high.1, coarse));
                        if LOW {
                            let low = (
                                $load(at.add(2 * stride).cast()),
                                $load(at.add(3 * stride).cast()),
                            );
                            left[1] = $add(left[1], $madd(low.0, coarse));
                            right[1] = $add(right[1], $madd(low.1, coarse));
                        }
                        if PLANES == 4 {
                            let bend = $top16($load(row.add(3 * $lanes).cast()), rest);
                            let slope = $add16($load(row.add(2 * $lanes).cast()), bend);
                            if middle.contains(&tap) {
                                left[0] = $add(left[0], $madd(high.0, slope));
                                right[0] = $add(right[0], $madd(high.1, slope));
                            } else {
                                fine = $add16(fine, $top16(slope, rest));
                            }
                        }
                        left[1] = $add(left[1], $madd(high.0, fine));
                        right[1] = $add(right[1], $madd(high.1, fine));
                    }
                    let mut ends = [$low($add(left[0], left[1])), $low($add(right[0], right[1]))];
                    for (end, tap) in [(0, 0), (EDGE, taps - EDGE)] {
                        let mut whole = _mm_loadu_si128(row.add(end).cast());
                        if PLANES == 4 {
                            let slope = _mm_loadu_si128(row.add(2 * EDGE + end).cast());
                            whole = _mm_add_epi16(whole, _mm_mulhi_epi16(slope, rest_of_ends));
                        }
                        for (channel, sum) in ends.iter_mut().enumerate() {
                            let high = _mm_loadu_si128(at.add(channel * stride + tap).cast());
                            *sum = _mm_add_epi32(*sum, _mm_madd_epi16(high, whole));
                        }
                    }
                    pair[0] = _mm_cvtsi128_si32(ends[0]);
                    pair[1] = _mm_cvtsi128_si32(ends[1]);
                }
            }
        }
    };
}

convolution!(
    fir256,
    "avx2",
    16,
    _mm256_loadu_si256,
    _mm256_madd_epi16,
    _mm256_add_epi32,
    _mm256_setzero_si256,
    _mm256_castsi256_si128,
    _mm256_mulhi_epi16,
    _mm256_add_epi16,
    _mm256_set1_epi16
);
convolution!(
    fir128,
    "sse2",
    8,
    _mm_loadu_si128,
    _mm_madd_epi16,
    _mm_add_epi32,
    _mm_setzero_si128,
    core::convert::identity,
    _mm_mulhi_epi16,
    _mm_add_epi16,
    _mm_set1_epi16
);
