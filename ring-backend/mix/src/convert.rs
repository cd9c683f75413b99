//! The long way into the mix: decode, mend, fold, resample, spread, and add with a gain.

use super::MAX_CHANNELS;
use super::columns::{self, COLUMNS, Channels, Columns, Record, STREAMS};
use super::convolve::Left;
use super::gain::Gain;
use super::input::Input;
use super::kernel::{Fir, Tier, accumulator_slot};
use super::resample::HISTORY;
use super::scalar::BLOCK;
use super::simd::{Avx2, call};
use super::sums::Sums;
use super::table::{Plan, Tables};
use super::unfold::unfold;
use super::voice::Voice;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::array;
use core::ops::Range;

/// Frames of the card that are converted at a time: what each time costs beside them counts.
pub const OUTPUTS: usize = 240;
/// Frames of a stream that are converted at a time.
const INPUTS: usize = 256;
/// Samples of all planes: of a stream with all the history that there can be, and with another
/// channel where two are looked at together and one is odd; more than two streams of stereo.
const PLANES: usize = 2 * (HISTORY / 7 * 8 + INPUTS * MAX_CHANNELS);

/// Records of streams in step: of as many frames of filter and new ones as all outputs take from
/// 44.1 to 48 kHz, for what is laid out anew of a filter each time is more than what they cost that
/// do not stay in the nearest cache.
const RECORDS: usize = 296;
const _: () = assert!(2 * STREAMS * RECORDS <= HISTORY + INPUTS * MAX_CHANNELS);

/// How many streams of so many channels there is room for at once.
#[must_use]
pub const fn fit(channels: usize, plan: &Plan) -> usize {
    let taps = plan.shape.taps;
    if channels == 2 && plan.middle() <= BLOCK && !plan.between {
        COLUMNS
    } else if channels <= MAX_CHANNELS / 4 && 4 * channels * (taps + INPUTS) <= PLANES {
        2
    } else {
        1
    }
}

/// Memory for streams that are converted at a time.
pub struct Scratch {
    /// What is to be folded.
    unfolded: Vec<i32>,
    /// Histories, of streams that have one, and new frames.
    frames: Vec<i32>,
    resampled: Vec<i32>,
    spread: Vec<i32>,
    /// Planes to resample.
    planes: Vec<i16>,
    /// What resampling leaves to be added up.
    left: Box<Left>,
    /// Records to resample.
    records: Vec<Record>,
    /// What becomes of them.
    laned: Vec<Channels>,
}

impl Scratch {
    pub fn new() -> Self {
        Self {
            unfolded: vec![0; INPUTS * MAX_CHANNELS],
            frames: vec![0; HISTORY + INPUTS * MAX_CHANNELS],
            resampled: vec![0; OUTPUTS * MAX_CHANNELS],
            spread: vec![0; OUTPUTS * MAX_CHANNELS],
            planes: vec![0; PLANES],
            left: Box::new(Left::NONE),
            records: vec![Record::default(); RECORDS],
            laned: vec![Default::default(); OUTPUTS],
        }
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
    /// Adds `count` frames, at most [`OUTPUTS`], of a stream, of which some frames are used, and
    /// of those that are in step with it.
    pub fn gather(&mut self, streams: &mut [Stream<'_, '_>], count: usize, sums: &mut Sums<'_>) {
        let Some(voice) = streams.first().map(|stream| &*stream.input.voice) else {
            return;
        };
        if voice.spec.is_none() {
            return;
        }
        let channels = voice.matrix.inputs().min(voice.matrix.outputs());
        if voice.resamples {
            let together = fit(channels, &voice.resampler.plan());
            let lanes = match self.tier {
                Tier::Avx2(token) if together == COLUMNS && streams.len() >= columns::LEAST => {
                    Some(token)
                }
                _ => None,
            };
            let size = if lanes.is_some() {
                together
            } else {
                together.min(2)
            };
            for streams in streams.chunks_mut(size) {
                self.gather_resampled(streams, lanes, channels, count, sums);
            }
            return;
        }
        for stream in streams {
            self.take(stream, count, 0);
            let Scratch { frames, spread, .. } = &mut *self.scratch;
            let from = part(frames, count * channels);
            deliver(self.tier, stream.input.voice, from, spread, 0, sums);
        }
    }

    /// Adds frames of one stream that is resampled, or of those in step: of two, or of as many as
    /// have `lanes` of their own.
    fn gather_resampled(
        &mut self,
        streams: &mut [Stream<'_, '_>],
        lanes: Option<Avx2>,
        channels: usize,
        count: usize,
        sums: &mut Sums<'_>,
    ) {
        let samples = count * channels;
        let mut done = 0;
        while let (Some(first), true) = (streams.first(), done < count) {
            let resampler = &first.input.voice.resampler;
            let taps = resampler.taps();
            let most = match lanes {
                Some(_) => (RECORDS - columns::records(1)).saturating_sub(taps),
                None => INPUTS,
            };
            let outputs = resampler.outputs_within(most).clamp(1, count - done);
            let frames = resampler.frames_for(outputs);
            let stride = taps + frames;
            let (plan, mut cursor) = (resampler.plan(), *resampler.cursor());
            let at_once = if lanes.is_some() { STREAMS } else { 1 };
            let mut fine = false;
            for (index, streams) in streams.chunks_mut(at_once).enumerate() {
                for (index, stream) in streams.iter_mut().enumerate() {
                    let samples = index * stride * channels..(index + 1) * stride * channels;
                    self.take_with_past(stream, frames, samples);
                }
                let Scratch {
                    frames,
                    planes,
                    records,
                    ..
                } = &mut *self.scratch;
                fine |= if let Some(token) = lanes {
                    let frames = array::from_fn(|at| {
                        // Where there is none, the first one is once more; it is not heard there.
                        let at = if at < streams.len() { at } else { 0 };
                        let frames = frames.get(at * stride * channels..);
                        frames.unwrap_or_default().as_chunks().0
                    });
                    let records = part(records, columns::records(stride));
                    call::columns::lay(token, frames, index, records)
                } else {
                    let planes = planes.get_mut(index * 2 * channels * stride..);
                    let frames = part(frames, stride * channels);
                    unfold(self.tier, frames, channels, planes.unwrap_or_default())
                };
            }
            let Scratch {
                resampled,
                planes,
                left,
                records,
                laned,
                ..
            } = &mut *self.scratch;
            match (self.tables.get(plan, self.budget), lanes) {
                (Some(table), Some(token)) => {
                    let columns = Columns {
                        table,
                        records: part(records, columns::records(stride)),
                        fine,
                        vnni: token.vnni(),
                    };
                    let out = laned.get_mut(done..done + outputs).unwrap_or_default();
                    call::columns::outputs(token, &columns, cursor.path(&plan), out);
                }
                (Some(table), None) => {
                    let fir = Fir {
                        table,
                        samples: planes,
                        stride,
                        channels,
                        streams: streams.len(),
                        room: samples,
                        fine,
                    };
                    // A stream's outputs lie where they would without the other.
                    let out = part(resampled, streams.len() * samples);
                    let out = out.get_mut(done * channels..).unwrap_or_default();
                    self.tier.fir(&fir, &cursor, outputs, left, out);
                }
                (None, _) => {
                    resampled.fill(0);
                    laned.fill(Channels::default());
                }
            }
            cursor.skip(outputs);
            for stream in &mut *streams {
                *stream.input.voice.resampler.cursor_mut() = cursor;
            }
            done += outputs;
        }
        if let Some(token) = lanes {
            self.deliver_lanes(token, streams, count, sums);
            return;
        }
        let Scratch {
            resampled, spread, ..
        } = &mut *self.scratch;
        for (stream, from) in streams
            .iter_mut()
            .zip(resampled.chunks_exact(samples.max(1)))
        {
            deliver(self.tier, stream.input.voice, from, spread, 2, sums);
        }
    }

    /// Adds outputs that lie in lanes to the sums: all at once, but for those whose gains move or
    /// whose channels are not the card's.
    fn deliver_lanes(
        &mut self,
        token: Avx2,
        streams: &mut [Stream<'_, '_>],
        count: usize,
        sums: &mut Sums<'_>,
    ) {
        let Scratch {
            laned,
            spread,
            frames,
            ..
        } = &mut *self.scratch;
        let mut all_gains = Channels::default();
        let places = all_gains.as_flattened_mut().as_chunks_mut().0.iter_mut();
        for ((column, stream), to) in streams.iter_mut().enumerate().zip(places) {
            let voice = &mut *stream.input.voice;
            if voice.matrix.inputs() == voice.matrix.outputs() && !voice.gains.moving() {
                let [left, right, ..] = voice.gains.now();
                *to = [left, right].map(|gain| gain.bits() << 2);
                continue;
            }
            let from = part(frames, 2 * count);
            for (to, channels) in from.as_chunks_mut().0.iter_mut().zip(&*laned) {
                let pairs = channels.as_flattened().as_chunks::<2>().0;
                *to = pairs.get(column).copied().unwrap_or_default();
            }
            deliver(self.tier, voice, from, spread, 2, sums);
        }
        call::columns::gather(token, &all_gains, laned, sums.begun());
    }

    /// Has history and then `frames` new frames lie where these samples do, and keeps what will be
    /// history.
    #[inline(never)]
    fn take_with_past(
        &mut self,
        stream: &mut Stream<'_, '_>,
        frames: usize,
        samples: Range<usize>,
    ) {
        let past = stream.input.voice.resampler.past();
        let at = samples.start + past.len();
        if let Some(to) = self.scratch.frames.get_mut(samples.start..at) {
            to.copy_from_slice(past);
        }
        self.take(stream, frames, at);
        let all = self.scratch.frames.get(samples).unwrap_or_default();
        stream.input.voice.resampler.keep(all);
    }

    /// Decodes and mends `frames` frames and, where the card has fewer channels, folds them with
    /// their gains; they lie from sample `at` on.
    #[inline(never)]
    fn take(&mut self, stream: &mut Stream<'_, '_>, frames: usize, at: usize) {
        let Stream { input, taken } = stream;
        let (inputs, outputs) = (input.voice.matrix.inputs(), input.voice.matrix.outputs());
        let to = self.scratch.frames.get_mut(at..).unwrap_or_default();
        let decoded = if inputs > outputs {
            part(&mut self.scratch.unfolded, frames * inputs)
        } else {
            part(&mut *to, frames * inputs)
        };
        let present = input.read(taken, decoded);
        let voice = &mut *input.voice;
        voice.unsettle();
        voice.recall();
        voice.mend.run(decoded, present);
        if inputs > outputs {
            let decoded = part(&mut self.scratch.unfolded, frames * inputs);
            fold(voice, decoded, to);
        }
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
    sums: &mut Sums<'_>,
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
        let sums = sums.begun();
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
