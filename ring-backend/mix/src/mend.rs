//! A stream that runs dry, made to end and begin again without a click.
//!
//! What is missing is the last frame sinking to silence; what comes after a gap rises from it.

use super::MAX_CHANNELS;
use super::gain::{GAIN_BITS, Gain, ramp_log2_frames};

/// How a stream's gaps are mended.
pub struct Mend {
    channels: usize,
    log2_frames: u32,
    /// The last frame that went out.
    last: [i32; MAX_CHANNELS],
    /// What is sinking, and for how many frames it has.
    sinking: [i32; MAX_CHANNELS],
    sunk: u32,
    /// For how many frames the stream has been rising.
    risen: u32,
    /// Whether the last frame was missing.
    gap: bool,
}

impl Mend {
    /// For a stream of no channels.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            channels: 0,
            log2_frames: 0,
            last: [0; MAX_CHANNELS],
            sinking: [0; MAX_CHANNELS],
            sunk: u32::MAX,
            risen: u32::MAX,
            gap: false,
        }
    }

    /// Sets up for a stream.
    pub fn set_up(&mut self, channels: u8, rate: u32) {
        self.channels = usize::from(channels).min(MAX_CHANNELS);
        self.log2_frames = ramp_log2_frames(rate);
        self.reset();
    }

    /// Forgets the past: the next frame begins a stream, and is not faded.
    pub fn reset(&mut self) {
        let (channels, log2_frames) = (self.channels, self.log2_frames);
        *self = Self {
            channels,
            log2_frames,
            ..Self::new()
        };
    }

    /// Frames that a gap sounds for.
    #[must_use]
    pub const fn tail_frames(&self) -> u64 {
        1 << self.log2_frames
    }

    /// Whether the next frame may differ from the stream's.
    #[must_use]
    pub const fn working(&self) -> bool {
        self.gap || self.sunk < 1 << self.log2_frames || self.risen < 1 << self.log2_frames
    }

    /// The last frame, to be noted after a block that needed no mending.
    pub const fn last_frame(&mut self) -> &mut [i32; MAX_CHANNELS] {
        &mut self.last
    }

    fn note(&mut self, frame: &[i32]) {
        for (last, &sample) in self.last.iter_mut().zip(frame) {
            *last = sample;
        }
    }

    /// Mends a block of interleaved frames of which only the first `present` are there.
    pub fn run(&mut self, samples: &mut [i32], present: usize) {
        let whole = samples.len() / self.channels.max(1);
        if present >= whole && !self.working() {
            if let Some(from) = samples.len().checked_sub(self.channels) {
                self.note(samples.get(from..).unwrap_or(&[]));
            }
            return;
        }
        let end = 1 << self.log2_frames;
        for (index, frame) in samples.chunks_exact_mut(self.channels.max(1)).enumerate() {
            let missing = index >= present;
            if missing && !self.gap {
                self.sinking = self.last;
                self.sunk = 0;
            } else if !missing && self.gap {
                self.risen = 0;
            }
            self.gap = missing;
            let rise = Gain::ZERO.towards(Gain::UNITY, self.risen.min(end), self.log2_frames);
            let sink = Gain::UNITY.towards(Gain::ZERO, self.sunk.min(end), self.log2_frames);
            for ((sample, &sinking), last) in
                frame.iter_mut().zip(&self.sinking).zip(&mut self.last)
            {
                let there = if missing { 0 } else { i64::from(*sample) };
                let sum =
                    there * i64::from(rise.bits()) + i64::from(sinking) * i64::from(sink.bits());
                let sum = (sum >> GAIN_BITS).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
                *sample = sum as i32;
                *last = *sample;
            }
            self.sunk = self.sunk.saturating_add(1);
            self.risen = if missing {
                end
            } else {
                self.risen.saturating_add(1)
            };
        }
    }
}

impl Default for Mend {
    fn default() -> Self {
        Self::new()
    }
}
