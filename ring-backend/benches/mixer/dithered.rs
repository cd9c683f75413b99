//! What dithering takes at least: two streams summed with gains of their own and with noise.
//!
//! The noise is made as the mixer's is, one word of a lagged Fibonacci generator for two samples,
//! and goes into the sums from registers. Nothing is cared for beside that, as in [`crate::limit`].

use crate::job::Run;
use std::arch::x86_64::*;

/// Words of all generators that are made at a time, and those of each that are kept.
const WORDS: usize = 16;
const LONG: usize = 55;
const SHORT: usize = 24;
/// Octets of every stream that they are for.
const STEP: usize = 64;

type Words = [[u32; WORDS]; LONG];
/// A loop over two streams' octets, with the words and where the oldest of them are.
type Block = unsafe fn([&[u8]; 2], &mut Words, &mut usize, &mut [u8]);

/// Sums two streams, `octets` of each, with `noise` or without.
pub fn run(rings: Vec<Vec<u8>>, octets: usize, avx2: bool, noise: bool) -> Option<Run> {
    let [a, b] = <[Vec<u8>; 2]>::try_from(rings).ok()?;
    let short = a.len().min(b.len()) < octets || !octets.is_multiple_of(STEP);
    if short || avx2 && !is_x86_feature_detected!("avx2") {
        return None;
    }
    let block: Block = match (avx2, noise) {
        (false, false) => sse2_block::<false>,
        (false, true) => sse2_block::<true>,
        (true, false) => avx2_block::<false>,
        (true, true) => avx2_block::<true>,
    };
    let mut words = [[0; WORDS]; LONG];
    for (index, word) in words.as_flattened_mut().iter_mut().enumerate() {
        *word = (index as u32).wrapping_mul(0x9E37_79B9) | 1;
    }
    let (mut at, mut out) = (0, vec![0_u8; octets]);
    Some(Box::new(move || {
        // SAFETY: the processor has what it takes; `out` is of whole steps, and both rings are at
        // least as long.
        unsafe { block([&a, &b], &mut words, &mut at, &mut out) };
        std::hint::black_box(&out);
    }))
}

/// Defines such a loop; `$couples` makes samples of a vector of words.
macro_rules! dithered {
    (
        $name:ident, $feature:literal, $octets:literal, $load:ident, $store:ident, $every16:ident,
        $every32:ident, $low:ident, $high:ident, $madd:ident, $add:ident, $shift:ident,
        $pack:ident, |$words:ident| $couples:expr
    ) => {
        /// # Safety
        /// The processor has the feature, `out` is of whole steps, and no ring is shorter.
        #[target_feature(enable = $feature)]
        unsafe fn $name<const NOISE: bool>(
            rings: [&[u8]; 2],
            kept: &mut Words,
            oldest: &mut usize,
            out: &mut [u8],
        ) {
            let (gains, one) = ($every32(4_000 << 16 | 4_077), $every16(1 << 5));
            let mut at = 0;
            while at < out.len() {
                let added = (*oldest + LONG - SHORT) % LONG;
                for i in 0..STEP / $octets {
                    let from = at + $octets * i;
                    // SAFETY: vectors within `out`, than which no ring is shorter, and of words.
                    let (a, b) = unsafe {
                        (
                            $load(rings[0].as_ptr().add(from).cast()),
                            $load(rings[1].as_ptr().add(from).cast()),
                        )
                    };
                    let mut sums = [$madd($low(a, b), gains), $madd($high(a, b), gains)];
                    let half = $every32(1 << 13);
                    if NOISE {
                        // SAFETY: as above.
                        let $words = unsafe {
                            let word = kept[*oldest].as_mut_ptr().add($octets / 4 * i);
                            let next = kept[added].as_ptr().add($octets / 4 * i);
                            let sum = $add($load(word.cast()), $load(next.cast()));
                            $store(word.cast(), sum);
                            sum
                        };
                        let (noise, halves) = ($couples, $every16(1 << 8));
                        // Noise times its gain, and half a unit in the same products.
                        sums[0] = $add(sums[0], $madd($low(noise, halves), one));
                        sums[1] = $add(sums[1], $madd($high(noise, halves), one));
                    } else {
                        sums = sums.map(|sum| $add(sum, half));
                    }
                    let packed = $pack($shift::<14>(sums[0]), $shift::<14>(sums[1]));
                    // SAFETY: as above.
                    unsafe { $store(out.as_mut_ptr().add(from).cast(), packed) };
                }
                if NOISE {
                    *oldest = if *oldest + 1 < LONG { *oldest + 1 } else { 0 };
                }
                at += STEP;
            }
        }
    };
}

dithered!(
    sse2_block,
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
    _mm_packs_epi32,
    |words| _mm_sub_epi16(
        _mm_and_si128(words, _mm_set1_epi16(0xFF)),
        _mm_srli_epi16::<8>(words)
    )
);
dithered!(
    avx2_block,
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
    _mm256_packs_epi32,
    |words| _mm256_maddubs_epi16(words, _mm256_set1_epi16(-0xFF))
);
