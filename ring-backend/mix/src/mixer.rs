//! The mixer: gathers every stream of a block and writes the card's frames once.

use super::MAX_CHANNELS;
use super::convert::{Bench, OUTPUTS, Scratch};
use super::input::Input;
use super::kernel::{Direct, Sink, Tier};
use super::noise::Noise;
use super::pairs::{Mates, pair};
use super::plan::{Plan, STREAMS};
use super::scalar;
use super::simd::Starts;
use super::sums::Sums;
use super::table::Tables;
use super::voice::Voice;
use crate::card::CardFormat;
use alloc::vec;
use alloc::vec::Vec;

/// Voices that one render takes; inputs beyond are left alone. Sums of that many are exact.
pub const MAX_VOICES: usize = 128;
/// Evaluations of a filter per render, for tables that are not whole yet: about 0.1 ms.
const TABLE_BUDGET: usize = 1_024;

/// Sums streams into a card's frames.
pub struct Mixer {
    card: CardFormat,
    /// Octets of one of the card's frames, at least one.
    frame_octets: usize,
    sink: Sink,
    tier: Tier,
    dither: bool,
    tables: Tables,
    plan: Plan,
    noise: Noise,
    work: Work,
}

/// Memory that outlives no render.
pub(super) struct Work {
    /// Sums of what is not summed as it lies, one per sample of [`OUTPUTS`] frames.
    pub(super) sums: Vec<i64>,
    /// Of each input, whether all of it can be summed as it lies.
    straight: Vec<bool>,
    /// The other inputs.
    others: heapless::Vec<Mates, MAX_VOICES>,
    /// Of each of them, the frames used.
    taken: Vec<usize>,
    pub(super) scratch: Scratch,
}

impl Mixer {
    /// A mixer for a card, with the fastest inner loops that this processor runs. Takes all the
    /// memory it will ever need: about 610 KB.
    #[must_use]
    pub fn new(card: CardFormat) -> Self {
        Self::with_tier(card, Tier::detected())
    }

    /// A mixer whose inner loops are chosen by the caller, who knows the processor.
    #[must_use]
    pub fn with_tier(card: CardFormat, tier: Tier) -> Self {
        Self {
            card,
            frame_octets: card.frame_octets().max(1),
            sink: Sink::new(card.sample),
            tier,
            dither: false,
            tables: Tables::new(),
            plan: Plan::new(),
            noise: Noise::new(OUTPUTS * MAX_CHANNELS),
            work: Work {
                sums: vec![0; OUTPUTS * MAX_CHANNELS],
                straight: vec![false; MAX_VOICES],
                others: heapless::Vec::new(),
                taken: vec![0; MAX_VOICES],
                scratch: Scratch::new(),
            },
        }
    }

    /// Whether noise is added before the card's last place is rounded to (triangular, two places
    /// wide), so that what is lost is a steady hiss and not distortion; at first it is not. Sums
    /// that the card can hold as they are get none, nor do cards of 32 bits.
    pub const fn set_dither(&mut self, dither: bool) {
        self.dither = dither;
        self.plan.forget();
    }

    /// Keeps a place for the filter table of a voice that was configured, until it is released or
    /// held again: other voices cannot take it. Where there is no place for the table that the
    /// voice's quality needs, a smaller one will do. `false` where there is no place for that
    /// either: the voice may be silent for as long as others need their tables.
    #[must_use]
    pub fn hold(&mut self, voice: &mut Voice) -> bool {
        self.release(voice);
        if !voice.resamples {
            return true;
        }
        let odd = voice.resampler.is_odd();
        if !self.tables.hold(&voice.resampler.plan(), odd) {
            voice.lighten();
            if !self.tables.hold(&voice.resampler.plan(), odd) {
                return false;
            }
        }
        voice.held = Some(voice.resampler.plan());
        true
    }

    /// Gives the place of a voice's table back.
    pub fn release(&mut self, voice: &mut Voice) {
        if let Some(plan) = voice.held.take() {
            self.tables.release(&plan);
        }
    }

    /// Works on the filter table that a voice needs, for about 0.1 ms; true when there is nothing
    /// left to do. Rendering does the same, and the voice is silent until then.
    pub fn prepare(&mut self, voice: &Voice) -> bool {
        let mut budget = TABLE_BUDGET;
        !voice.resamples
            || self
                .tables
                .get(voice.resampler.plan(), &mut budget)
                .is_some()
    }

    /// Whether sums that near full scale are bent towards it and not cut at it; at first they are
    /// cut. Up to 1.2 dB below full scale the sum is exact either way, and nothing is delayed.
    pub const fn set_limiter(&mut self, soft: bool) {
        self.sink = self.sink.with_soft(soft);
        self.plan.forget();
    }

    /// What converting takes, and how much of tables may be worked out, for a voice that was last
    /// converted in `round`.
    ///
    /// Voices are recorded one by one, and a table that is not used for a round may be another's.
    /// So a round ends when it is a voice's turn again, and not before.
    pub(super) fn parts(&mut self, round: &mut u64) -> (Tier, &mut Tables, &mut Work, usize) {
        if *round == self.tables.round() {
            self.tables.tick();
        }
        *round = self.tables.round();
        (self.tier, &mut self.tables, &mut self.work, TABLE_BUDGET)
    }

    /// Renders `frames` frames into `out`, as many as fit; what is beyond them is left alone.
    pub fn render(&mut self, inputs: &mut [Input<'_>], frames: usize, out: &mut [u8]) {
        let frame_octets = self.frame_octets;
        let octets = frames.saturating_mul(frame_octets);
        let (frames, out) = match out.split_at_mut_checked(octets) {
            Some((out, _)) => (frames, out),
            None => whole(out, frame_octets),
        };
        self.tables.tick();
        if out.is_empty() {
            return;
        }
        let planned = if self.plan.plain() == Some(inputs.len()) {
            self.render_plain(inputs, out)
        } else {
            self.plan.is_for(inputs.len(), false) && self.render_as_planned(inputs, out)
        };
        if !planned {
            let count = inputs.len().min(MAX_VOICES);
            self.render_anyhow(inputs.split_at_mut(count).0, frames, out);
        }
    }

    /// Renders the plan's streams, all of one width, if they are what `inputs` are.
    ///
    /// No two voices have the same place, so that as many as there are places fill all of them.
    fn render_plain(&mut self, inputs: &mut [Input<'_>], out: &mut [u8]) -> bool {
        let mut starts = self.plan.starts(out.len(), self.sink);
        let first = inputs.first().and_then(|input| starts.begin(input.first));
        if first.is_none() {
            return false;
        }
        let placed = if self.plan.wide() {
            place::<32>(&self.plan, inputs, &mut starts)
        } else {
            place::<16>(&self.plan, inputs, &mut starts)
        };
        if placed.is_none() {
            return false;
        }
        let done = if self.plan.narrow() {
            if !self.plan.twins().is_empty() {
                starts.repeat(self.plan.twins());
            }
            self.tier.mix_narrow(&self.plan, &starts, None, out)
        } else {
            let none = self.plan.none(out.len());
            let starts = if self.plan.wide() {
                [&none, &starts]
            } else {
                [&starts, &none]
            };
            self.tier.mix_wide(&self.plan, starts, None, self.sink, out)
        };
        if done < out.len() {
            let streams = streams(&self.plan, inputs, 0, None);
            scalar::mix(&streams, None, self.sink, done / self.sink.octets(), out);
        }
        true
    }

    /// The same where there is noise, or streams of both widths.
    fn render_as_planned(&mut self, inputs: &mut [Input<'_>], out: &mut [u8]) -> bool {
        let samples = out.len() / self.sink.octets();
        if self.plan.noise().is_some() && samples > self.noise.room() {
            return false;
        }
        let (mut halves, mut wholes) = (self.plan.halves(samples), self.plan.wholes(samples));
        for input in inputs.iter_mut() {
            let place = &mut input.voice.place;
            let starts = if place.wide() {
                &mut wholes
            } else {
                &mut halves
            };
            match starts.put(place.slot(), input.first) {
                Some(octets) if self.plan.has(place) => place.note(octets),
                _ => return false,
            }
        }
        self.finish([&mut halves, &mut wholes], inputs, 0, false, out);
        true
    }

    /// Renders whatever there is, and makes a plan of what can be summed as it lies.
    fn render_anyhow(&mut self, inputs: &mut [Input<'_>], frames: usize, out: &mut [u8]) {
        self.work.taken.fill(0);
        let mut direct = 0;
        for (input, straight) in inputs.iter_mut().zip(&mut self.work.straight) {
            *straight = direct < STREAMS - 1 && input.is_straight(frames);
            direct += usize::from(*straight);
            input.voice.fresh = false;
        }
        let others = direct < inputs.len();
        pair(inputs, &self.work.straight, &mut self.work.others);
        let straight = self.work.straight.iter();
        let mut planned = inputs
            .iter()
            .zip(straight)
            .filter(|(_, straight)| **straight);
        let holds = self.plan.is_for(direct, others)
            && planned.all(|(input, _)| self.plan.has(&input.voice.place));
        if !holds {
            let straight = self.work.straight.iter();
            let planned = inputs.iter_mut().zip(straight);
            let planned =
                planned.filter_map(|(input, straight)| straight.then_some(&mut *input.voice));
            self.plan.lay(planned, others, self.dither, self.sink);
        }
        let mut budget = TABLE_BUDGET;
        let channels = usize::from(self.card.channels).max(1);
        let frame_octets = self.frame_octets;
        // Whether any goes on in its second piece.
        let mut torn = inputs.iter().zip(&self.work.straight);
        let torn = torn.any(|(input, straight)| {
            *straight && input.first.len() < frames * input.frame_octets()
        });
        let mut at = 0;
        while at < frames {
            let mut count = frames - at;
            if others || self.plan.noise().is_some() {
                count = count.min(OUTPUTS);
            }
            let pieces = inputs.iter().zip(&self.work.straight);
            for (input, straight) in pieces.filter(|_| torn) {
                let (piece, size) = (input.piece(at).len(), input.frame_octets());
                if *straight && piece < count * size {
                    count = piece / size.max(1);
                }
            }
            if count == 0 {
                break;
            }
            let samples = count * channels;
            let room = self.work.sums.len();
            let eights = if others {
                samples.next_multiple_of(8)
            } else {
                0
            };
            let mut sums = Sums::new(self.work.sums.split_at_mut(eights.min(room)).0);
            let (mut halves, mut wholes) = (self.plan.halves(samples), self.plan.wholes(samples));
            for (input, straight) in inputs.iter_mut().zip(&self.work.straight) {
                if *straight {
                    let piece = input.piece(at);
                    let place = &mut input.voice.place;
                    let starts = if place.wide() {
                        &mut wholes
                    } else {
                        &mut halves
                    };
                    match starts.put(place.slot(), piece) {
                        Some(octets) if at + count == frames => place.note(octets),
                        _ => {}
                    }
                }
            }
            for mates in &self.work.others {
                let mut streams = mates.streams(inputs, &mut self.work.taken);
                let mut bench = Bench {
                    tier: self.tier,
                    tables: &mut self.tables,
                    budget: &mut budget,
                    scratch: &mut self.work.scratch,
                };
                bench.gather(&mut streams, count, &mut sums);
            }
            // Where nothing was added they are still those of before.
            sums.begun();
            let octets = at * frame_octets..(at + count) * frame_octets;
            if let Some(out) = out.get_mut(octets) {
                self.finish([&mut halves, &mut wholes], inputs, at, others, out);
            }
            at += count;
        }
    }

    /// Sums the streams, with the noise if there is any and with the others that were gathered,
    /// from the inputs' frame `at` on.
    fn finish<'s>(
        &'s mut self,
        [halves, wholes]: [&mut Starts<'s>; 2],
        inputs: &[Input<'_>],
        at: usize,
        others: bool,
        out: &mut [u8],
    ) {
        let samples = out.len() / self.sink.octets();
        let noise = match self.plan.noise() {
            None => None,
            Some((levels, slot)) => {
                let octets = self.noise.next(self.tier, samples);
                let _ = halves.put(*slot, octets);
                Some(Direct {
                    octets,
                    wide: false,
                    levels,
                })
            }
        };
        if !self.plan.twins().is_empty() {
            halves.repeat(self.plan.twins());
        }
        let sums = self.work.sums.get(..samples.next_multiple_of(8));
        let sums = sums.filter(|_| others);
        let starts = [&*halves, &*wholes];
        let done = self.tier.mix(&self.plan, starts, sums, self.sink, out);
        if done < out.len() {
            let streams = streams(&self.plan, inputs, at, noise);
            scalar::mix(&streams, sums, self.sink, done / self.sink.octets(), out);
        }
    }
}

/// Puts the streams of a plain plan in their places and notes how they end, in so many octets, in
/// which there is a frame of any; `None` where that is not possible.
#[inline]
fn place<'s, const LAST: usize>(
    plan: &Plan,
    inputs: &mut [Input<'s>],
    starts: &mut Starts<'s>,
) -> Option<()> {
    if starts.octets() < LAST {
        return None;
    }
    for input in inputs {
        let place = &mut input.voice.place;
        let octets = starts.place(plan.slot(place), input.first)?;
        place.note_last(octets.last_chunk::<LAST>()?);
    }
    Some(())
}

/// The streams of a plan from the inputs' frame `at` on, and the noise, for the plain loop.
#[cold]
#[inline(never)]
fn streams<'a>(
    plan: &Plan,
    inputs: &'a [Input<'_>],
    at: usize,
    noise: Option<Direct<'a>>,
) -> heapless::Vec<Direct<'a>, STREAMS> {
    let planned = inputs.iter().filter(|input| plan.has(&input.voice.place));
    let planned = planned.filter_map(|input| input.direct(at));
    planned.chain(noise).take(STREAMS).collect()
}

/// How many whole frames there are in the octets, and their octets.
#[cold]
fn whole(octets: &mut [u8], frame_octets: usize) -> (usize, &mut [u8]) {
    let frames = octets.len() / frame_octets;
    (frames, octets.split_at_mut(frames * frame_octets).0)
}
