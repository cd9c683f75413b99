//! Noise to round with: what is lost below the card's last place becomes a steady hiss and is no
//! longer distortion.
//!
//! A sample is the sum of two independent numbers, each evenly spread over one last place: its
//! density is a triangle two places wide (TPDF), which leaves neither the mean nor the loudness of
//! the error to the signal (Lipshitz, Wannamaker and Vanderkooy, 1992). They are the halves of one
//! word of sixteen xorshift generators (Marsaglia, 2003) that take turns. Noise is mixed as one
//! more stream of 16-bit samples, in 2,048ths of the last place.

use super::kernel::Tier;
#[cfg(target_arch = "x86_64")]
use super::simd::call;
use alloc::vec;
use alloc::vec::Vec;

/// Octets of the samples that all generators make in one step.
const STEP: usize = 32;

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

/// What the vectors compute. Their packing leaves generators in this order: 0 to 3, 8 to 11, 4 to
/// 7, 12 to 15.
fn scalar(state: &mut [u32; 16], out: &mut [[u8; STEP]]) {
    for out in out {
        for (index, word) in state.iter_mut().enumerate() {
            *word ^= *word << 13;
            *word ^= *word >> 17;
            *word ^= *word << 5;
            let sum = i32::from(*word as i16) + i32::from((*word >> 16) as i16);
            let place = (index & 3) | ((index & 4) << 1) | ((index & 8) >> 1);
            let octets = out.as_chunks_mut().0.get_mut(place);
            if let Some(octets) = octets {
                *octets = ((sum >> 5) as i16).to_le_bytes();
            }
        }
    }
}

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loop of this width.
        pub mod $width {
            use super::STEP;
            use crate::simd::$width::*;

            const LANES: usize = OCTETS / 4;

            /// Fills steps.
            #[target_feature(enable = $feature)]
            pub fn fill(state: &mut [u32; 16], out: &mut [[u8; STEP]]) {
                let ones = every128(&[1; 8]);
                let (first, second) = state.split_at_mut(8);
                let parts = first.as_chunks_mut::<LANES>().0.iter_mut();
                for (part, (first, second)) in parts.zip(second.as_chunks_mut().0).enumerate() {
                    let mut words = [load(first), load::<u32, LANES>(second)];
                    for out in &mut *out {
                        words = words.map(|word| {
                            let word = xor(word, left32(word, 13));
                            let word = xor(word, down32::<17>(word));
                            xor(word, left32(word, 5))
                        });
                        let [low, high] = words.map(|word| right32(madd16(word, ones), 5));
                        if let Some(out) = out.as_chunks_mut::<OCTETS>().0.get_mut(part) {
                            store(out, pack32(low, high));
                        }
                    }
                    store(first, words[0]);
                    store(second, words[1]);
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernel!(v128, "sse2");
#[cfg(target_arch = "x86_64")]
kernel!(v256, "avx2");
