//! Noise to round with: what is lost below the card's last place becomes a steady hiss and is no
//! longer distortion.
//!
//! A sample is the sum of two independent numbers, each evenly spread over one last place: its
//! density is a triangle two places wide (TPDF), which leaves neither the mean nor the loudness of
//! the error to the signal (Lipshitz, Wannamaker and Vanderkooy, 1992). They are octets of the
//! words of sixteen xorshift generators (Marsaglia, 2003); a word makes two samples. Noise is mixed
//! as one more stream of 16-bit samples, in 256ths of the last place: from -255 to 255, so that
//! its mean is 0.

use super::kernel::Tier;
#[cfg(target_arch = "x86_64")]
use super::simd::call;
use alloc::vec;
use alloc::vec::Vec;

/// Octets of the samples that all generators make in one step.
const STEP: usize = 64;
/// The mean of two octets' sum.
const MEAN: i16 = 255;

/// Noise in a row.
pub struct Noise {
    state: [u32; 16],
    /// Made and not yet used: the end of this.
    rest: [u8; STEP],
    left: usize,
    /// What was made last.
    samples: Vec<u8>,
}

impl Noise {
    /// The same noise each time, at most `samples` at once.
    #[must_use]
    pub fn new(samples: usize) -> Self {
        let mut seed = 0x9E37_79B9_u32;
        let state = [(); 16].map(|()| {
            seed = seed.wrapping_mul(0x915F_77F5).wrapping_add(0x6C07_8965);
            (seed ^ (seed >> 15)) | 1
        });
        Self {
            state,
            rest: [0; STEP],
            left: 0,
            samples: vec![0; 2 * samples],
        }
    }

    /// The most samples at once.
    #[must_use]
    pub fn room(&self) -> usize {
        self.samples.len() / 2
    }

    /// The next samples, as octets.
    pub fn next(&mut self, tier: Tier, samples: usize) -> &[u8] {
        let room = self.samples.len();
        let (out, _) = self.samples.split_at_mut(room.min(2 * samples));
        let kept = self.left.min(out.len());
        let (first, out) = out.split_at_mut(kept);
        if let Some(rest) = self.rest.get(STEP - self.left..) {
            first.copy_from_slice(rest.split_at(kept).0);
        }
        self.left -= kept;
        let (steps, last) = out.as_chunks_mut::<STEP>();
        Self::steps(&mut self.state, tier, steps);
        if !last.is_empty() {
            Self::steps(&mut self.state, tier, core::slice::from_mut(&mut self.rest));
            let (now, _) = self.rest.split_at(last.len());
            last.copy_from_slice(now);
            self.left = STEP - last.len();
        }
        self.samples.get(..2 * samples).unwrap_or(&[])
    }

    #[inline(never)]
    fn steps(state: &mut [u32; 16], tier: Tier, out: &mut [[u8; STEP]]) {
        match tier {
            Tier::Scalar => scalar(state, out),
            #[cfg(target_arch = "x86_64")]
            Tier::Sse2 => call::v128::noise((), state, out),
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2(token) => call::v256::noise(token, state, out),
        }
    }
}

/// What the vectors compute.
fn scalar(state: &mut [u32; 16], out: &mut [[u8; STEP]]) {
    for out in out {
        for (word, samples) in state.iter_mut().zip(out.as_chunks_mut::<4>().0) {
            *word ^= *word << 13;
            *word ^= *word >> 17;
            *word ^= *word << 5;
            let [a, b, c, d] = word.to_le_bytes().map(i16::from);
            let [first, second] = [a + b - MEAN, c + d - MEAN].map(i16::to_le_bytes);
            *samples = [first[0], first[1], second[0], second[1]];
        }
    }
}

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loop of this width.
        pub mod $width {
            use super::{MEAN, STEP};
            use crate::simd::$width::*;

            /// Fills steps.
            #[target_feature(enable = $feature)]
            pub fn fill(state: &mut [u32; 16], out: &mut [[u8; STEP]]) {
                let mean = every128(&[MEAN; 8]);
                let state = state.as_chunks_mut::<{ OCTETS / 4 }>().0;
                let mut words = [every32(0); STEP / OCTETS];
                for (word, state) in words.iter_mut().zip(&*state) {
                    *word = load(state);
                }
                for out in out {
                    for (word, out) in words.iter_mut().zip(out.as_chunks_mut::<OCTETS>().0) {
                        *word = xor(*word, left32(*word, 13));
                        *word = xor(*word, down32::<17>(*word));
                        *word = xor(*word, left32(*word, 5));
                        store(out, sub16(couples8(*word), mean));
                    }
                }
                for (word, state) in words.into_iter().zip(state) {
                    store(state, word);
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernel!(v128, "sse2");
#[cfg(target_arch = "x86_64")]
kernel!(v256, "avx2");
