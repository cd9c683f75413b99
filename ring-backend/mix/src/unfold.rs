//! Interleaved frames, laid out as the resampler's 16-bit multiplies want them.

use super::kernel::Tier;

/// Lays out frames of `channels` samples in two planes per channel, of as many samples as there
/// are frames: high parts and low parts. Returns whether any low part is not 0.
#[inline(never)]
pub fn unfold(tier: Tier, frames: &[i32], channels: usize, samples: &mut [i16]) -> bool {
    let stride = (frames.len() / channels.max(1)).max(1);
    let mut any = false;
    if channels == 2 {
        let done;
        (done, any) = tier.part(frames.as_chunks().0, samples);
        if done == stride {
            return any;
        }
    }
    let planes = samples.chunks_exact_mut(stride);
    for (index, plane) in planes.enumerate().take(2 * channels) {
        let (channel, low) = (index / 2, index % 2);
        let frames = frames.chunks_exact(channels);
        for (frame, to) in frames.zip(plane) {
            let sample = frame.get(channel).copied().unwrap_or(0);
            let below = (sample >> 4) & 0xFFF;
            any |= below != 0;
            *to = if low == 0 { sample >> 16 } else { below } as i16;
        }
    }
    any
}
