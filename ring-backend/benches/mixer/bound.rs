//! What no loop can go below: the time that the multiplies alone take.
//!
//! A product of 28-bit samples and 26-bit coefficients is three of 16 bits, those of both low
//! halves left out; of 16-bit samples it is two, and a ratio that moves has one more, for slopes,
//! and half a one for their curvatures, which two channels share. Batches share reads, but no
//! products. How many 16-bit multiply-adds the processor does is measured where nothing else is
//! done: operands in registers, enough of them under way at once.

use crate::job::Run;
use std::arch::x86_64::*;
use std::hint::black_box;
use std::time::Instant;

/// Multiplies that are under way at once: more than their latency times those begun in a cycle.
const CHAINS: usize = 12;
const ROUNDS: usize = 2_000;
const PASSES: usize = 200;

/// Nanoseconds per 16-bit multiply-add of 128 bits or, if `wide`, of 256; `None` where the
/// processor has none.
pub fn multiply_ns(wide: bool) -> Option<f64> {
    if wide && !is_x86_feature_detected!("avx2") {
        return None;
    }
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let start = Instant::now();
        if wide {
            // SAFETY: the processor has AVX2.
            unsafe { chains256() };
        } else {
            chains128();
        }
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    Some(best / (ROUNDS * CHAINS) as f64)
}

#[target_feature(enable = "avx2")]
fn chains256() {
    let factor = black_box(_mm256_set1_epi16(3));
    let mut values = [factor; CHAINS];
    for _ in 0..ROUNDS {
        for value in &mut values {
            *value = _mm256_madd_epi16(*value, factor);
        }
    }
    black_box(values);
}

fn chains128() {
    // SAFETY: every processor of the target has SSE2.
    unsafe {
        let factor = black_box(_mm_set1_epi16(3));
        let mut values = [factor; CHAINS];
        for _ in 0..ROUNDS {
            for value in &mut values {
                *value = _mm_madd_epi16(*value, factor);
            }
        }
        black_box(values);
    }
}

/// A loop that multiplies and adds so many pairs of vectors' samples.
type Sums = unsafe fn(usize);

/// What the operations cost that 16-bit or, if `wide`, 32-bit streams' `octets` take at least, done
/// in registers and nothing else with them: of two vectors of 16-bit samples two are unpacked,
/// multiplied and added; of one vector of 32-bit samples two are multiplied and added, after which
/// 128-bit vectors take two more, as their multiply knows no sign and looks at even samples alone.
pub fn arithmetic(octets: usize, wide: bool, avx2: bool) -> Option<Run> {
    if avx2 && !is_x86_feature_detected!("avx2") {
        return None;
    }
    let sums: Sums = match (wide, avx2) {
        (false, false) => halves128,
        (false, true) => halves256,
        (true, false) => wholes128,
        (true, true) => wholes256,
    };
    let vectors = octets / if avx2 { 32 } else { 16 };
    let rounds = if wide { vectors } else { vectors / 2 };
    Some(Box::new(move || {
        // SAFETY: the processor has what it takes.
        unsafe { sums(rounds / (CHAINS / 2)) };
    }))
}

/// Defines such a loop; sums are what is multiplied, so that nothing is known before.
macro_rules! sums {
    ($name:ident, $feature:literal, $every16:ident, |$a:ident, $b:ident, $factor:ident| $next:expr) => {
        /// # Safety
        /// The processor has the feature.
        #[target_feature(enable = $feature)]
        unsafe fn $name(rounds: usize) {
            let $factor = black_box($every16(3));
            let mut values = [[$factor; 2]; CHAINS / 2];
            for _ in 0..rounds {
                for value in &mut values {
                    let [$a, $b] = *value;
                    *value = $next;
                }
            }
            black_box(values);
        }
    };
}

sums!(halves128, "sse2", _mm_set1_epi16, |a, b, factor| [
    _mm_add_epi32(a, _mm_madd_epi16(_mm_unpacklo_epi16(a, factor), factor)),
    _mm_add_epi32(b, _mm_madd_epi16(_mm_unpackhi_epi16(b, factor), factor)),
]);
sums!(halves256, "avx2", _mm256_set1_epi16, |a, b, factor| [
    _mm256_add_epi32(
        a,
        _mm256_madd_epi16(_mm256_unpacklo_epi16(a, factor), factor)
    ),
    _mm256_add_epi32(
        b,
        _mm256_madd_epi16(_mm256_unpackhi_epi16(b, factor), factor)
    ),
]);
sums!(wholes128, "sse2", _mm_set1_epi16, |a, b, factor| [
    _mm_add_epi64(a, _mm_mul_epu32(_mm_xor_si128(a, factor), factor)),
    _mm_add_epi64(b, _mm_mul_epu32(_mm_shuffle_epi32::<0xF5>(b), factor)),
]);
sums!(wholes256, "avx2", _mm256_set1_epi16, |a, b, factor| [
    _mm256_add_epi64(a, _mm256_mul_epi32(a, factor)),
    _mm256_add_epi64(b, _mm256_mul_epi32(b, factor)),
]);
