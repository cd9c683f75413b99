//! The machine's own limit: read, multiply, add, round, pack, and nothing else.

use crate::job::Run;
use std::arch::x86_64::*;

/// Sums pairs of 16-bit streams with one gain each, with 256-bit vectors; `octets` of each. It
/// does not keep gains' low bits nor care for overflow: no exact mixer can be faster.
pub fn mix(rings: Vec<Vec<u8>>, octets: usize) -> Option<Run> {
    if !is_x86_feature_detected!("avx2") || rings.iter().any(|ring| ring.len() < octets) {
        return None;
    }
    let mut out = vec![0_u8; octets];
    Some(Box::new(move || {
        // SAFETY: AVX2 was just found, and all rings are at least as long as `out`.
        unsafe { block(&rings, &mut out) };
        std::hint::black_box(&out);
    }))
}

/// # Safety
/// The processor has AVX2, and every ring is at least as long as `out`.
#[target_feature(enable = "avx2")]
unsafe fn block(rings: &[Vec<u8>], out: &mut [u8]) {
    let gains = _mm256_set1_epi16(4_000);
    let half = _mm256_set1_epi32(1 << 13);
    let mut at = 0;
    while at + 32 <= out.len() {
        let (mut low, mut high) = (half, half);
        for pair in rings.chunks_exact(2) {
            // SAFETY: `at + 32` is within `out`, which no ring is shorter than.
            let a = unsafe { _mm256_loadu_si256(pair[0].as_ptr().add(at).cast()) };
            // SAFETY: as above.
            let b = unsafe { _mm256_loadu_si256(pair[1].as_ptr().add(at).cast()) };
            low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), gains));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), gains));
        }
        let packed =
            _mm256_packs_epi32(_mm256_srai_epi32::<14>(low), _mm256_srai_epi32::<14>(high));
        // SAFETY: `at + 32` is within `out`.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(at).cast(), packed) };
        at += 32;
    }
}
