//! The machine's own limit: read, multiply, add, round, pack, and nothing else.
//!
//! The loops sum pairs of streams with one gain for all. They keep no gain's low bits, look up no
//! stream and care for no overflow: no exact mixer can be faster. The same loops with a gain of its
//! own for every stream, and a sign for every sample, are what an exact one comes near to.

use crate::job::Run;
use std::arch::x86_64::*;

/// What a loop takes of the processor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Sse2,
    Avx2,
    Vnni,
}

impl Level {
    pub fn there(self) -> bool {
        match self {
            Self::Sse2 => true,
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::Vnni => is_x86_feature_detected!("avxvnni"),
        }
    }
}

/// A loop over streams' octets, with gains for each of them or for each two.
type Block = unsafe fn(&[Vec<u8>], &[i32], &mut [u8]);

/// The limit for 16-bit or, if `wide`, 32-bit streams; `octets` of each. With 128-bit vectors, or
/// with 256-bit ones where the processor has them, or as AVX-VNNI does where it has that. If `own`,
/// streams have gains of their own.
pub fn mix(rings: Vec<Vec<u8>>, octets: usize, wide: bool, level: Level, own: bool) -> Option<Run> {
    let short = rings.iter().any(|ring| ring.len() < octets);
    if short || !octets.is_multiple_of(if wide { 128 } else { 192 }) || !level.there() {
        return None;
    }
    let block: Block = match (wide, level, own) {
        (false, Level::Sse2, false) => narrow_sse2::<false>,
        (false, Level::Avx2, false) => narrow_avx2::<false>,
        (false, Level::Vnni, false) => narrow_vnni::<false>,
        (true, Level::Sse2, false) => wide_sse2::<false>,
        (true, _, false) => wide_avx2::<false>,
        (false, Level::Sse2, true) => narrow_sse2::<true>,
        (false, Level::Avx2, true) => narrow_avx2::<true>,
        (false, Level::Vnni, true) => narrow_vnni::<true>,
        (true, Level::Sse2, true) => wide_sse2::<true>,
        (true, _, true) => wide_avx2::<true>,
    };
    // In the halves of each, gains of two 16-bit streams.
    let gains = (0..rings.len()).map(|stream| 4_000 + 77 * stream as i32);
    let gains: Vec<i32> = gains
        .map(|gain| {
            if wide {
                gain << 8
            } else {
                (gain << 16) | (gain + 40)
            }
        })
        .collect();
    let mut out = vec![0_u8; octets];
    Some(Box::new(move || {
        // SAFETY: the processor has what it takes, `out` is of whole vectors, and all rings are at
        // least as long.
        unsafe { block(&rings, &gains, &mut out) };
        std::hint::black_box(&out);
    }))
}

/// What reading the streams costs alone.
pub fn read(rings: Vec<Vec<u8>>, octets: usize, avx2: bool) -> Option<Run> {
    let short = rings.iter().any(|ring| ring.len() < octets);
    if short || !octets.is_multiple_of(64) || avx2 && !is_x86_feature_detected!("avx2") {
        return None;
    }
    let read = if avx2 { read_avx2 } else { read_sse2 };
    Some(Box::new(move || {
        // SAFETY: the processor has what it takes, and all rings are long enough.
        unsafe { read(&rings, octets) };
    }))
}

/// Defines a loop that reads streams in the order in which others sum them.
macro_rules! reading {
    ($name:ident, $feature:literal, $octets:literal, $load:ident, $or:ident, $zero:ident) => {
        /// # Safety
        /// The processor has the feature, `octets` are whole pairs of vectors, and no ring has
        /// less.
        #[target_feature(enable = $feature)]
        unsafe fn $name(rings: &[Vec<u8>], octets: usize) {
            let mut any = [$zero(); 2];
            let mut at = 0;
            while at < octets {
                for ring in rings {
                    for (i, any) in any.iter_mut().enumerate() {
                        // SAFETY: the vector is within the octets.
                        let samples = unsafe { $load(ring.as_ptr().add(at + $octets * i).cast()) };
                        *any = $or(*any, samples);
                    }
                }
                at += 2 * $octets;
            }
            std::hint::black_box(any);
        }
    };
}

reading!(
    read_sse2,
    "sse2",
    16,
    _mm_loadu_si128,
    _mm_or_si128,
    _mm_setzero_si128
);
reading!(
    read_avx2,
    "avx2",
    32,
    _mm256_loadu_si256,
    _mm256_or_si256,
    _mm256_setzero_si256
);

/// Defines a loop over pairs of 16-bit streams.
macro_rules! narrow {
    (
        $name:ident, $feature:literal, $octets:literal, $vectors:literal, $load:ident,
        $store:ident, $every16:ident, $every32:ident, $low:ident, $high:ident, $shift:ident,
        $pack:ident, |$sum:ident, $pairs:ident, $gains:ident| $added:expr
    ) => {
        /// # Safety
        /// The processor has the feature, `out` is of 192s of octets, and no ring is shorter.
        #[target_feature(enable = $feature)]
        unsafe fn $name<const OWN: bool>(rings: &[Vec<u8>], gains: &[i32], out: &mut [u8]) {
            let all = $every16(4_000);
            let mut at = 0;
            while at < out.len() {
                let mut sums = [[$every32(1 << 13); 2]; $vectors];
                for (pair, &gains) in rings.chunks_exact(2).zip(gains) {
                    let $gains = if OWN { $every32(gains) } else { all };
                    for (i, [low, high]) in sums.iter_mut().enumerate() {
                        let at = at + $octets * i;
                        // SAFETY: a vector at `at` is within `out`, than which no ring is shorter.
                        let (a, b) = unsafe {
                            (
                                $load(pair[0].as_ptr().add(at).cast()),
                                $load(pair[1].as_ptr().add(at).cast()),
                            )
                        };
                        for ($sum, $pairs) in [(low, $low(a, b)), (high, $high(a, b))] {
                            *$sum = $added;
                        }
                    }
                }
                for (i, [low, high]) in sums.into_iter().enumerate() {
                    let packed = $pack($shift::<14>(low), $shift::<14>(high));
                    // SAFETY: as above.
                    unsafe { $store(out.as_mut_ptr().add(at + $octets * i).cast(), packed) };
                }
                at += $vectors * $octets;
            }
        }
    };
}

narrow!(
    narrow_sse2,
    "sse2",
    16,
    4,
    _mm_loadu_si128,
    _mm_storeu_si128,
    _mm_set1_epi16,
    _mm_set1_epi32,
    _mm_unpacklo_epi16,
    _mm_unpackhi_epi16,
    _mm_srai_epi32,
    _mm_packs_epi32,
    |sum, pairs, gains| _mm_add_epi32(*sum, _mm_madd_epi16(pairs, gains))
);
narrow!(
    narrow_avx2,
    "avx2",
    32,
    6,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_set1_epi16,
    _mm256_set1_epi32,
    _mm256_unpacklo_epi16,
    _mm256_unpackhi_epi16,
    _mm256_srai_epi32,
    _mm256_packs_epi32,
    |sum, pairs, gains| _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, gains))
);
narrow!(
    narrow_vnni,
    "avx2,avxvnni",
    32,
    6,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_set1_epi16,
    _mm256_set1_epi32,
    _mm256_unpacklo_epi16,
    _mm256_unpackhi_epi16,
    _mm256_srai_epi32,
    _mm256_packs_epi32,
    |sum, pairs, gains| _mm256_dpwssd_avx_epi32(*sum, pairs, gains)
);

/// Defines a loop over 32-bit streams; their even and odd samples are summed in 64 bits.
macro_rules! wide {
    (
        $name:ident, $feature:literal, $octets:literal, $vectors:literal, $load:ident,
        $store:ident, $every32:ident, $every64:ident, $mul:ident, $add:ident, $down:ident,
        $up:ident, $and:ident, $or:ident, $xor:ident, $sign:literal
    ) => {
        /// # Safety
        /// The processor has the feature, `out` is of 128s of octets, and no ring is shorter.
        #[target_feature(enable = $feature)]
        unsafe fn $name<const OWN: bool>(rings: &[Vec<u8>], gains: &[i32], out: &mut [u8]) {
            let all = $every32(1_000_000);
            let half = if OWN && $sign {
                (1 << 21) - (gains.iter().map(|&gain| i64::from(gain)).sum::<i64>() << 31)
            } else {
                1 << 21
            };
            let mut at = 0;
            while at < out.len() {
                let mut sums = [[$every64(half); 2]; $vectors];
                for (ring, &gain) in rings.iter().zip(gains) {
                    let gains = if OWN { $every32(gain) } else { all };
                    for (i, [even, odd]) in sums.iter_mut().enumerate() {
                        let from = at + $octets * i;
                        // SAFETY: the vector is within `out`, than which no ring is shorter.
                        let mut samples = unsafe { $load(ring.as_ptr().add(from).cast()) };
                        if OWN && $sign {
                            samples = $xor(samples, $every32(i32::MIN));
                        }
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
                at += $vectors * $octets;
            }
        }
    };
}

wide!(
    wide_sse2,
    "sse2",
    16,
    2,
    _mm_loadu_si128,
    _mm_storeu_si128,
    _mm_set1_epi32,
    _mm_set1_epi64x,
    _mm_mul_epu32,
    _mm_add_epi64,
    _mm_srli_epi64,
    _mm_slli_epi64,
    _mm_and_si128,
    _mm_or_si128,
    _mm_xor_si128,
    true
);
wide!(
    wide_avx2,
    "avx2",
    32,
    4,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_set1_epi32,
    _mm256_set1_epi64x,
    _mm256_mul_epi32,
    _mm256_add_epi64,
    _mm256_srli_epi64,
    _mm256_slli_epi64,
    _mm256_and_si256,
    _mm256_or_si256,
    _mm256_xor_si256,
    false
);
