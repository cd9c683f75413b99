//! Noise to round with: what is lost below the card's last place becomes a steady hiss and is no
//! longer distortion.
//!
//! A sample is the difference of two independent numbers, each evenly spread over one last place:
//! its density is a triangle two places wide (TPDF), which leaves neither the mean nor the loudness
//! of the error to the signal (Lipshitz, Wannamaker and Vanderkooy, 1992). They are octets of the
//! words of sixteen lagged Fibonacci generators (Knuth, The Art of Computer Programming, 3.2.2); a
//! word makes two samples. Noise is mixed as one more stream of 16-bit samples, in 256ths of the
//! last place: from -255 to 255, so that its mean is 0.

use super::kernel::Tier;
#[cfg(target_arch = "x86_64")]
use super::simd::call;
use alloc::vec;
use alloc::vec::Vec;

/// Octets of the samples that all generators make in one step.
const STEP: usize = 64;
/// Words of each generator: the next one is the sum, modulo 2^32, of those so many before.
const LONG: usize = 55;
const SHORT: usize = 24;

/// One word of all generators.
type Words = [u32; STEP / 4];

/// Noise in a row.
pub struct Noise {
    /// The last words; the next ones take the place of the oldest.
    words: Vec<Words>,
    /// Where those are.
    at: usize,
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
        let mut words = vec![[0; STEP / 4]; LONG];
        for word in words.as_flattened_mut() {
            seed = seed.wrapping_mul(0x915F_77F5).wrapping_add(0x6C07_8965);
            *word = (seed ^ (seed >> 15)).wrapping_mul(0x2C1B_3C6D);
            *word ^= *word >> 12;
        }
        // As long as one of its words is odd a generator does not come round for 2^86 words.
        for word in words.iter_mut().take(1).flatten() {
            *word |= 1;
        }
        Self {
            words,
            at: 0,
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
        let mut maker = Maker {
            tier,
            words: &mut self.words,
            at: self.at,
        };
        maker.make(steps);
        if !last.is_empty() {
            maker.make(core::slice::from_mut(&mut self.rest));
            let (now, _) = self.rest.split_at(last.len());
            last.copy_from_slice(now);
            self.left = STEP - last.len();
        }
        self.at = maker.at;
        self.samples.get(..2 * samples).unwrap_or(&[])
    }
}

struct Maker<'a> {
    tier: Tier,
    words: &'a mut [Words],
    at: usize,
}

impl Maker<'_> {
    #[inline(never)]
    fn make(&mut self, mut out: &mut [[u8; STEP]]) {
        while !out.is_empty() {
            let (at, end) = (self.at, self.words.len());
            // What is added lies beyond, or it has been made and lies before.
            let (words, added, room) = if at < SHORT {
                let (words, added) = self.words.split_at_mut(end - SHORT);
                (words.get_mut(at..), added.get(at..), SHORT - at)
            } else {
                let (added, words) = self.words.split_at_mut(at);
                (Some(words), added.get(at - SHORT..), SHORT.min(end - at))
            };
            let (Some(words), Some(added)) = (words, added) else {
                return;
            };
            let count = room.min(out.len());
            let (now, later) = out.split_at_mut(count);
            out = later;
            self.at = if at + count < end { at + count } else { 0 };
            match self.tier {
                Tier::Scalar => scalar(words, added, now),
                #[cfg(target_arch = "x86_64")]
                Tier::Sse2 => call::v128::noise((), words, added, now),
                #[cfg(target_arch = "x86_64")]
                Tier::Avx2(token) => call::v256::noise(token, words, added, now),
            }
        }
    }
}

/// What the vectors compute.
fn scalar(words: &mut [Words], added: &[Words], out: &mut [[u8; STEP]]) {
    for ((words, added), out) in words.iter_mut().zip(added).zip(out) {
        let pairs = words.iter_mut().zip(added);
        for ((word, added), samples) in pairs.zip(out.as_chunks_mut::<4>().0) {
            *word = word.wrapping_add(*added);
            let [a, b, c, d] = word.to_le_bytes().map(i16::from);
            let [first, second] = [a - b, c - d].map(i16::to_le_bytes);
            *samples = [first[0], first[1], second[0], second[1]];
        }
    }
}

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loop of this width.
        pub mod $width {
            use super::{STEP, Words};
            use crate::simd::$width::*;

            /// Makes the next words from these and those that are added, and samples from them.
            #[target_feature(enable = $feature)]
            pub fn fill(words: &mut [Words], added: &[Words], out: &mut [[u8; STEP]]) {
                for ((words, added), out) in words.iter_mut().zip(added).zip(out) {
                    let words = words.as_chunks_mut::<{ OCTETS / 4 }>().0;
                    let added = added.as_chunks::<{ OCTETS / 4 }>().0;
                    let out = out.as_chunks_mut::<OCTETS>().0;
                    for i in 0..STEP / OCTETS {
                        let sum = add32(load(&words[i]), load(&added[i]));
                        store(&mut words[i], sum);
                        store(&mut out[i], couples8(sum));
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernel!(v128, "sse2");
#[cfg(target_arch = "x86_64")]
kernel!(v256, "avx2");
