//! The long way into the mix: decode, mend, fold, resample, spread, and add with a gain.

use super::MAX_CHANNELS;
use super::gain::Gain;
use super::input::Input;
use super::kernel::{Fir, Tier, accumulator_slot};
use super::resample::HISTORY;
use super::table::Tables;
use super::voice::Voice;
use alloc::vec;
use alloc::vec::Vec;

/// Frames of the card that are converted at a time.
pub const OUTPUTS: usize = 128;
/// Frames of a stream that are converted at a time.
const INPUTS: usize = 256;

/// Memory for one stream at a time.
pub struct Scratch {
    decoded: Vec<i32>,
    folded: Vec<i32>,
    resampled: Vec<i32>,
    spread: Vec<i32>,
    high: Vec<i16>,
    low: Vec<i16>,
}

impl Scratch {
    pub fn new() -> Self {
        let planes = HISTORY + INPUTS * MAX_CHANNELS;
        Self {
            decoded: vec![0; INPUTS * MAX_CHANNELS],
            folded: vec![0; INPUTS * MAX_CHANNELS],
            resampled: vec![0; OUTPUTS * MAX_CHANNELS],
            spread: vec![0; OUTPUTS * MAX_CHANNELS],
            high: vec![0; planes],
            low: vec![0; planes],
        }
    }

    /// Room for as many samples, at most those of [`OUTPUTS`] frames.
    pub fn samples(&mut self, samples: usize) -> &mut [i32] {
        part(&mut self.spread, samples)
    }
}

/// What converting takes.
pub struct Bench<'m> {
    pub tier: Tier,
    pub tables: &'m mut Tables,
    pub budget: &'m mut usize,
    pub scratch: &'m mut Scratch,
}

fn part<T>(of: &mut [T], len: usize) -> &mut [T] {
    let len = len.min(of.len());
    of.split_at_mut(len).0
}

impl Bench<'_> {
    /// Adds `count` frames, at most [`OUTPUTS`], of a stream whose first `taken` frames are used.
    pub fn gather(
        &mut self,
        input: &mut Input<'_>,
        taken: &mut usize,
        count: usize,
        sums: &mut [i64],
    ) {
        let channels = {
            let voice = &input.voice;
            if voice.spec.is_none() {
                return;
            }
            voice.matrix.inputs().min(voice.matrix.outputs())
        };
        if !input.voice.resamples {
            let samples = self.take(input, taken, count);
            let Scratch {
                decoded,
                folded,
                spread,
                ..
            } = &mut *self.scratch;
            let samples = if samples.folded { folded } else { decoded };
            let samples = part(samples, count * channels);
            deliver(self.tier, input.voice, samples, spread, 0, sums);
            return;
        }
        let mut done = 0;
        while done < count {
            let outputs = input
                .voice
                .resampler
                .outputs_within(INPUTS)
                .clamp(1, count - done);
            let frames = input.voice.source_frames_for(outputs);
            let taken = self.take(input, taken, frames);
            let range = done * channels..(done + outputs) * channels;
            let Scratch {
                decoded,
                folded,
                resampled,
                high,
                low,
                ..
            } = &mut *self.scratch;
            let new = part(
                if taken.folded { folded } else { decoded },
                frames * channels,
            );
            let resampler = &mut input.voice.resampler;
            let stride = resampler.taps() + frames;
            let fine = resampler.unfold(new, high, low, stride);
            if let Some(out) = resampled.get_mut(range) {
                out.fill(0);
                if let Some(table) = self.tables.get(resampler.plan(), self.budget) {
                    let fir = Fir {
                        table,
                        high,
                        low,
                        stride,
                        channels,
                        fine,
                    };
                    self.tier.fir(&fir, resampler.cursor(), out);
                } else {
                    resampler.cursor().skip(outputs);
                }
            }
            resampler.keep(high, low, stride, frames);
            done += outputs;
        }
        let Scratch {
            resampled, spread, ..
        } = &mut *self.scratch;
        deliver(
            self.tier,
            input.voice,
            part(resampled, count * channels),
            spread,
            2,
            sums,
        );
    }

    /// Decodes and mends `frames` frames and, where the card has fewer channels, folds them with
    /// their gains.
    fn take(&mut self, input: &mut Input<'_>, taken: &mut usize, frames: usize) -> Taken {
        let Scratch {
            decoded, folded, ..
        } = &mut *self.scratch;
        let (inputs, outputs) = (input.voice.matrix.inputs(), input.voice.matrix.outputs());
        let decoded = part(decoded, frames * inputs);
        let present = input.read(taken, decoded);
        let voice = &mut *input.voice;
        voice.unsettle();
        voice.recall();
        voice.mend.run(decoded, present);
        if inputs <= outputs {
            return Taken { folded: false };
        }
        fold(voice, decoded, folded);
        Taken { folded: true }
    }
}

/// Where a block of frames lies.
#[derive(Clone, Copy)]
struct Taken {
    folded: bool,
}

/// Maps channels, with the gains of each frame.
fn fold(voice: &mut Voice, from: &[i32], to: &mut [i32]) {
    let (inputs, outputs) = (voice.matrix.inputs(), voice.matrix.outputs());
    let frames = from.chunks_exact(inputs.max(1));
    for (frame, output) in frames.zip(to.chunks_exact_mut(outputs.max(1))) {
        let gains = voice.gains.step();
        voice.matrix.apply(frame, &gains, output);
    }
}

/// Adds samples in units of 2^(shift - 31) to the sums, with the gains that are still due.
fn deliver(
    tier: Tier,
    voice: &mut Voice,
    samples: &[i32],
    spread: &mut [i32],
    shift: u32,
    sums: &mut [i64],
) {
    let (inputs, outputs) = (voice.matrix.inputs(), voice.matrix.outputs());
    let unity = [Gain::UNITY.bits() << shift; MAX_CHANNELS];
    if inputs > outputs {
        tier.gather(samples, &unity, outputs, sums);
    } else if inputs < outputs {
        let spread = part(spread, samples.len() / inputs.max(1) * outputs);
        fold(voice, samples, spread);
        tier.gather(spread, &unity, outputs, sums);
    } else if voice.gains.moving() {
        for (frame, samples) in samples.chunks_exact(inputs).enumerate() {
            let gains = voice.gains.step();
            for (channel, (&sample, gain)) in samples.iter().zip(gains).enumerate() {
                if let Some(sum) = sums.get_mut(accumulator_slot(frame * inputs + channel)) {
                    *sum += i64::from(sample) * (i64::from(gain) << shift);
                }
            }
        }
    } else {
        let gains = voice.gains.now().map(|gain| gain.bits() << shift);
        tier.gather(samples, &gains, inputs, sums);
    }
}
