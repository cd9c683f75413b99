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
/// Samples of all planes: of a stream with all the history that there can be, and with another
/// channel where two are looked at together and one is odd; more than two streams of stereo.
const PLANES: usize = 2 * (HISTORY / 7 * 8 + INPUTS * MAX_CHANNELS);

/// Whether there is room for two streams of so many channels, with so many taps.
#[must_use]
pub const fn fits_two(channels: usize, taps: usize) -> bool {
    channels <= MAX_CHANNELS / 4 && 4 * channels * (taps + INPUTS) <= PLANES
}

/// Memory for one stream, or two in step, at a time.
pub struct Scratch {
    decoded: Vec<i32>,
    folded: Vec<i32>,
    resampled: Vec<i32>,
    spread: Vec<i32>,
    /// Planes to resample.
    planes: Vec<i16>,
}

impl Scratch {
    pub fn new() -> Self {
        Self {
            decoded: vec![0; INPUTS * MAX_CHANNELS],
            folded: vec![0; INPUTS * MAX_CHANNELS],
            resampled: vec![0; OUTPUTS * MAX_CHANNELS],
            spread: vec![0; OUTPUTS * MAX_CHANNELS],
            planes: vec![0; PLANES],
        }
    }

    /// What was decoded or `folded`, and room for more channels.
    fn taken(&mut self, folded: bool) -> (&mut [i32], &mut [i32]) {
        let taken = if folded {
            &mut self.folded
        } else {
            &mut self.decoded
        };
        (taken, &mut self.spread)
    }

    /// The same, and planes from sample `at` on.
    fn taken_and_planes(&mut self, folded: bool, at: usize) -> (&mut [i32], &mut [i16]) {
        let taken = if folded {
            &mut self.folded
        } else {
            &mut self.decoded
        };
        let planes = self.planes.get_mut(at..).unwrap_or(&mut []);
        (taken, planes)
    }

    /// Room for as many samples, at most those of [`OUTPUTS`] frames.
    pub fn samples(&mut self, samples: usize) -> &mut [i32] {
        part(&mut self.spread, samples)
    }
}

/// A stream that is gathered.
pub struct Stream<'s, 'a> {
    pub input: &'s mut Input<'a>,
    /// Its frames that are used.
    pub taken: &'s mut usize,
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
    /// Adds `count` frames, at most [`OUTPUTS`], of a stream whose first `taken` frames are used,
    /// and of one in step with it.
    pub fn gather<'s, 'a>(
        &mut self,
        mut stream: Stream<'s, 'a>,
        mut mate: Option<Stream<'s, 'a>>,
        count: usize,
        sums: &mut [i64],
    ) {
        let voice = &stream.input.voice;
        if voice.spec.is_none() {
            return;
        }
        let channels = voice.matrix.inputs().min(voice.matrix.outputs());
        let samples = count * channels;
        if !voice.resamples {
            let folded = self.take(&mut stream, count);
            let (from, spread) = self.scratch.taken(folded);
            let from = part(from, samples);
            deliver(self.tier, stream.input.voice, from, spread, 0, sums);
            return;
        }
        let mut done = 0;
        while done < count {
            let resampler = &stream.input.voice.resampler;
            let outputs = resampler.outputs_within(INPUTS).clamp(1, count - done);
            let frames = resampler.frames_for(outputs);
            let stride = resampler.taps() + frames;
            let (plan, mut cursor) = (resampler.plan(), *resampler.cursor());
            let (mut fine, mut streams) = (false, 0);
            for stream in [Some(&mut stream), mate.as_mut()].into_iter().flatten() {
                let folded = self.take(stream, frames);
                let planes = 2 * channels * stride;
                let (new, to) = self.scratch.taken_and_planes(folded, streams * planes);
                let new = part(new, frames * channels);
                let resampler = &mut stream.input.voice.resampler;
                fine |= resampler.unfold(self.tier, new, to, stride);
                resampler.keep(to, stride, frames);
                streams += 1;
            }
            let Scratch {
                resampled, planes, ..
            } = &mut *self.scratch;
            // A stream's outputs lie where they would without the other.
            let out = part(resampled, streams * samples);
            if let (Some(table), Some(out)) = (
                self.tables.get(plan, self.budget),
                out.get_mut(done * channels..),
            ) {
                let fir = Fir {
                    table,
                    samples: planes,
                    stride,
                    channels,
                    streams,
                    room: samples,
                    fine,
                };
                self.tier.fir(&fir, &cursor, outputs, out);
            } else {
                resampled.fill(0);
            }
            cursor.skip(outputs);
            for stream in [Some(&mut stream), mate.as_mut()].into_iter().flatten() {
                *stream.input.voice.resampler.cursor_mut() = cursor;
            }
            done += outputs;
        }
        let Scratch {
            resampled, spread, ..
        } = &mut *self.scratch;
        let streams = [Some(stream), mate].into_iter().flatten();
        for (stream, from) in streams.zip(resampled.chunks_exact_mut(samples.max(1))) {
            deliver(self.tier, stream.input.voice, from, spread, 2, sums);
        }
    }

    /// Decodes and mends `frames` frames and, where the card has fewer channels, folds them with
    /// their gains; whether that was so.
    #[inline(never)]
    fn take(&mut self, stream: &mut Stream<'_, '_>, frames: usize) -> bool {
        let Stream { input, taken } = stream;
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
            return false;
        }
        fold(voice, decoded, folded);
        true
    }
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
#[inline(never)]
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
