//! The machine's own limit: read, multiply, add, round, pack, and nothing else.
//!
//! The loops sum pairs of streams with one gain for all. They keep no gain's low bits, look up no
//! stream and care for no overflow: no exact mixer can be faster.

use crate::job::Run;
use std::arch::x86_64::*;

/// A loop over streams' octets.
type Block = unsafe fn(&[Vec<u8>], &mut [u8]);

/// The limit for 16-bit or, if `wide`, 32-bit streams; `octets` of each. With 128-bit vectors, or
/// with 256-bit ones where the processor has them.
pub fn mix(rings: Vec<Vec<u8>>, octets: usize, wide: bool, avx2: bool) -> Option<Run> {
    let short = rings.iter().any(|ring| ring.len() < octets);
    if short || !octets.is_multiple_of(64) || avx2 && !is_x86_feature_detected!("avx2") {
        return None;
    }
    let block: Block = match (wide, avx2) {
        (false, false) => narrow_sse2,
        (false, true) => narrow_avx2,
        (true, false) => wide_sse2,
        (true, true) => wide_avx2,
    };
    let mut out = vec![0_u8; octets];
    Some(Box::new(move || {
        // SAFETY: the processor has what it takes, `out` is of whole vectors, and all rings are at
        // least as long.
        unsafe { block(&rings, &mut out) };
        std::hint::black_box(&out);
    }))
}

/// Defines a loop over pairs of 16-bit streams.
macro_rules! narrow {
    (
        $name:ident, $feature:literal, $octets:literal, $load:ident, $store:ident, $every16:ident,
        $every32:ident, $low:ident, $high:ident, $madd:ident, $add:ident, $shift:ident, $pack:ident
    ) => {
        /// # Safety
        /// The processor has the feature, `out` is of whole pairs of vectors, and no ring is
        /// shorter.
        #[target_feature(enable = $feature)]
        unsafe fn $name(rings: &[Vec<u8>], out: &mut [u8]) {
            let gains = $every16(4_000);
            let mut at = 0;
            while at < out.len() {
                let mut sums = [[$every32(1 << 13); 2]; 2];
                for pair in rings.chunks_exact(2) {
                    for (i, [low, high]) in sums.iter_mut().enumerate() {
                        let at = at + $octets * i;
                        // SAFETY: a vector at `at` is within `out`, than which no ring is shorter.
                        let (a, b) = unsafe {
                            (
                                $load(pair[0].as_ptr().add(at).cast()),
                                $load(pair[1].as_ptr().add(at).cast()),
                            )
                        };
                        *low = $add(*low, $madd($low(a, b), gains));
                        *high = $add(*high, $madd($high(a, b), gains));
                    }
                }
                for (i, [low, high]) in sums.into_iter().enumerate() {
                    let packed = $pack($shift::<14>(low), $shift::<14>(high));
                    // SAFETY: as above.
                    unsafe { $store(out.as_mut_ptr().add(at + $octets * i).cast(), packed) };
                }
                at += 2 * $octets;
            }
        }
    };
}

narrow!(
    narrow_sse2,
    "sse2",
    16,
    _mm_loadu_si128,
    _mm_storeu_si128,
    _mm_set1_epi16,
    _mm_set1_epi32,
    _mm_unpacklo_epi16,
    _mm_unpackhi_epi16,
    _mm_madd_epi16,
    _mm_add_epi32,
    _mm_srai_epi32,
    _mm_packs_epi32
);
narrow!(
    narrow_avx2,
    "avx2",
    32,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_set1_epi16,
    _mm256_set1_epi32,
    _mm256_unpacklo_epi16,
    _mm256_unpackhi_epi16,
    _mm256_madd_epi16,
    _mm256_add_epi32,
    _mm256_srai_epi32,
    _mm256_packs_epi32
);

/// Defines a loop over 32-bit streams; their even and odd samples are summed in 64 bits.
macro_rules! wide {
    (
        $name:ident, $feature:literal, $octets:literal, $load:ident, $store:ident, $every32:ident,
        $every64:ident, $mul:ident, $add:ident, $down:ident, $up:ident, $and:ident, $or:ident
    ) => {
        /// # Safety
        /// The processor has the feature, `out` is of whole pairs of vectors, and no ring is
        /// shorter.
        #[target_feature(enable = $feature)]
        unsafe fn $name(rings: &[Vec<u8>], out: &mut [u8]) {
            let gains = $every32(1_000_000);
            let mut at = 0;
            while at < out.len() {
                let mut sums = [[$every64(1 << 21); 2]; 2];
                for ring in rings {
                    for (i, [even, odd]) in sums.iter_mut().enumerate() {
                        // SAFETY: the vector is within `out`, than which no ring is shorter.
                        let samples = unsafe { $load(ring.as_ptr().add(at + $octets * i).cast()) };
                        *even = $add(*even, $mul(samples, gains));
                        *odd = $add(*odd, $mul($down::<32>(samples), gains));
                    }
                }
                for (i, [even, odd]) in sums.into_iter().enumerate() {
                    let low = $and($down::<22>(even), $every64(0xFFFF_FFFF));
                    let packed = $or(low, $up::<32>($down::<22>(odd)));
                    // SAFETY: as above.
                    unsafe { $store(out.as_mut_ptr().add(at + $octets * i).cast(), packed) };
                }
                at += 2 * $octets;
            }
        }
    };
}

wide!(
    wide_sse2,
    "sse2",
    16,
    _mm_loadu_si128,
    _mm_storeu_si128,
    _mm_set1_epi32,
    _mm_set1_epi64x,
    _mm_mul_epu32,
    _mm_add_epi64,
    _mm_srli_epi64,
    _mm_slli_epi64,
    _mm_and_si128,
    _mm_or_si128
);
wide!(
    wide_avx2,
    "avx2",
    32,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_set1_epi32,
    _mm256_set1_epi64x,
    _mm256_mul_epi32,
    _mm256_add_epi64,
    _mm256_srli_epi64,
    _mm256_slli_epi64,
    _mm256_and_si256,
    _mm256_or_si256
);
