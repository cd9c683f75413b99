//! Test material: sound files whose every sample is known.

use anyhow::Result;
use hound::{SampleFormat, WavSpec, WavWriter};
use std::f64::consts::TAU;
use std::path::Path;

/// Frames of uniform noise over the full 16-bit range, stereo interleaved; the same for a seed.
///
/// Noise makes any slip of one frame visible, and hits both ends of the range.
#[must_use]
pub fn noise(seed: u64, frames: usize) -> Vec<i16> {
    // Odd, so never 0, and another for each seed.
    let mut state = seed << 1 | 1;
    let mut samples: Vec<i16> = std::iter::repeat_with(|| {
        // xorshift64*: Marsaglia 2003, Vigna 2016.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 48) as u16 as i16
    })
    .take(frames * 2)
    .collect();
    // The ends of the range, whatever the seed.
    if let [first, second, ..] = samples.as_mut_slice() {
        (*first, *second) = (i16::MIN, i16::MAX);
    }
    samples
}

/// A sine of `amplitude` (1 = full scale), in every channel, as the container's integers.
#[derive(Clone, Copy, Debug)]
pub struct Tone {
    /// Frames per second.
    pub rate: u32,
    /// Channels, all alike.
    pub channels: u16,
    /// Hertz.
    pub frequency: f64,
    /// Of full scale.
    pub amplitude: f64,
    /// Seconds.
    pub seconds: f64,
}

impl Tone {
    fn value(&self, frame: u64) -> f64 {
        self.amplitude * (TAU * self.frequency * frame as f64 / f64::from(self.rate)).sin()
    }

    fn frames(&self) -> u64 {
        (self.seconds * f64::from(self.rate)).round() as u64
    }

    /// Writes it as a WAV of 8 (unsigned), 16 or 32 bits.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path, bits: u16) -> Result<()> {
        let full = f64::from(1u32 << (bits - 1)) - 1.0;
        let mut writer = WavWriter::create(path, spec(self.rate, self.channels, bits))?;
        for frame in 0..self.frames() {
            let sample = (self.value(frame) * full).round() as i32;
            for _ in 0..self.channels {
                writer.write_sample(sample)?;
            }
        }
        Ok(writer.finalize()?)
    }
}

/// Writes interleaved stereo samples as a 16-bit, 48 kHz WAV.
///
/// # Errors
/// The file cannot be written.
pub fn write_stereo(path: &Path, samples: &[i16]) -> Result<()> {
    let mut writer = WavWriter::create(path, spec(48_000, 2, 16))?;
    for &sample in samples {
        writer.write_sample(sample)?;
    }
    Ok(writer.finalize()?)
}

fn spec(sample_rate: u32, channels: u16, bits_per_sample: u16) -> WavSpec {
    WavSpec {
        channels,
        sample_rate,
        bits_per_sample,
        sample_format: SampleFormat::Int,
    }
}
