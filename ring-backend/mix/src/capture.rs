//! The way back: from the frames of a card's input to those that a guest records.
//!
//! A voice is a stream's way into the mix; turned round, its source is the card's input and what
//! it is mixed to is one guest's layout and rate. Levels are those of the guest's channels, so
//! they come last, before the guest's format.

use super::convert::{Bench, OUTPUTS, Stream};
use super::encode::encode;
use super::gain::{GAIN_BITS, ramp_log2_frames};
use super::input::Input;
use super::kernel::{Sink, accumulator_slot};
use super::mixer::Mixer;
use super::sums::Sums;
use super::voice::{Gains, Voice};
use super::{MAX_CHANNELS, StreamSpec, Unsupported};
use crate::card::{CardFormat, CardSample};
use crate::format::SampleFormat;

/// What is converted to, before the guest's format.
const WHOLE: CardSample = CardSample::S32 { bits: 32 };

impl Voice {
    /// Takes on a guest that records as `spec` says what an input hears; volumes stay as they
    /// are, the past is forgotten.
    ///
    /// # Errors
    /// The format has no samples, or a rate or number of channels is out of range. The voice is
    /// then one of no stream.
    pub fn configure_capture(
        &mut self,
        spec: StreamSpec,
        input: CardFormat,
    ) -> Result<(), Unsupported> {
        let heard = StreamSpec {
            format: match input.sample {
                CardSample::S16 => SampleFormat::S16Le,
                CardSample::S32 { .. } => SampleFormat::S32Le,
            },
            rate: input.rate,
            channels: input.channels,
        };
        let wanted = CardFormat {
            rate: spec.rate,
            channels: spec.channels,
            sample: WHOLE,
        };
        self.configure(heard, wanted)?;
        self.set_ramp(ramp_log2_frames(spec.rate));
        if spec.format.playable() {
            return Ok(());
        }
        self.spec = None;
        self.frame_octets = 0;
        Err(Unsupported::Format(spec.format))
    }

    /// The most frames that can be made of `frames` frames of the source.
    #[must_use]
    pub const fn frames_of(&self, frames: usize) -> usize {
        if self.resamples {
            self.resampler.outputs_within(frames)
        } else {
            frames
        }
    }
}

impl Mixer {
    /// Converts what an input heard to as many frames as `out` holds, in `format`, for a voice
    /// that was configured to record. `input` has the frames that they take.
    pub fn record(&mut self, mut input: Input<'_>, format: SampleFormat, out: &mut [u8]) {
        let channels = input.voice.matrix.outputs();
        let frame_octets = channels * format.octets().unwrap_or(0);
        let sink = Sink::new(WHOLE);
        let mut taken = 0;
        let (tier, tables, work, mut budget) = self.parts(&mut input.voice.round);
        for out in out.chunks_mut((OUTPUTS * frame_octets).max(1)) {
            let count = out.len().checked_div(frame_octets).unwrap_or(0);
            let samples = count * channels;
            let end = samples.next_multiple_of(8).min(work.sums.len());
            let (sums, _) = work.sums.split_at_mut(end);
            let mut sums = Sums::new(sums);
            let gains = core::mem::replace(&mut input.voice.gains, Gains::UNITY);
            let mut bench = Bench {
                tier,
                tables,
                budget: &mut budget,
                scratch: &mut work.scratch,
            };
            let stream = Stream {
                input: &mut input,
                taken: &mut taken,
            };
            bench.gather(&mut [stream], count, &mut sums);
            input.voice.gains = gains;
            input.voice.fresh = false;
            let (sums, heard) = (sums.begun(), work.scratch.samples(samples));
            for (index, sample) in heard.iter_mut().enumerate() {
                *sample = sink.round(sums.get(accumulator_slot(index)).copied().unwrap_or(0));
            }
            input.voice.gains.apply(heard, channels);
            encode(format, heard, out);
        }
    }
}

impl Gains {
    /// Scales whole frames.
    fn apply(&mut self, samples: &mut [i32], channels: usize) {
        let mut gains = self.now().map(super::gain::Gain::bits);
        for frame in samples.chunks_exact_mut(channels.clamp(1, MAX_CHANNELS)) {
            if self.moving() {
                gains = self.step();
            }
            for (sample, gain) in frame.iter_mut().zip(gains) {
                let scaled = i64::from(*sample) * i64::from(gain) + (1 << (GAIN_BITS - 1));
                let scaled = scaled >> GAIN_BITS;
                *sample = scaled.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
            }
        }
    }
}
