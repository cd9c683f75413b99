//! What no loop can go below: the time that the multiplies alone take.
//!
//! A product of 28-bit samples and 26-bit coefficients is three of 16 bits, those of both low
//! halves left out; of 16-bit samples it is two, and a ratio that moves has one more, for slopes,
//! and half a one for their curvatures, which two channels share. Batches share reads, but no
//! products. How many 16-bit multiply-adds the processor does is measured where nothing else is
//! done: operands in registers, enough of them under way at once.

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
