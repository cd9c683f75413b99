//! The mixer: gathers every stream of a block and writes the card's frames once.

use super::MAX_CHANNELS;
use super::convert::{Bench, OUTPUTS, Scratch};
use super::input::Input;
use super::kernel::{Direct, Sink, Tier};
use super::table::Tables;
use super::voice::Voice;
use crate::world::CardFormat;
use alloc::vec;
use alloc::vec::Vec;

/// Voices that one render takes; inputs beyond are left alone. Sums of that many are exact.
pub const MAX_VOICES: usize = 128;
/// Streams that are summed straight from their octets.
const MAX_DIRECT: usize = super::narrow::STREAMS;
/// Evaluations of a filter per render, for tables that are not whole yet: about 0.1 ms.
const TABLE_BUDGET: usize = 1_024;

/// Sums streams into a card's frames.
pub struct Mixer {
    card: CardFormat,
    sink: Sink,
    tier: Tier,
    tables: Tables,
    work: Work,
}

/// Memory that outlives no render.
pub(super) struct Work {
    /// Sums of what is not direct, one per sample of [`OUTPUTS`] frames.
    pub(super) sums: Vec<i64>,
    /// Of each input, whether all of it can be summed from its octets.
    straight: Vec<bool>,
    /// Of each other input, the frames used.
    taken: Vec<usize>,
    pub(super) scratch: Scratch,
}

impl Mixer {
    /// A mixer for a card, with the fastest inner loops that this processor runs. Takes all the
    /// memory it will ever need: about 440 KB.
    #[must_use]
    pub fn new(card: CardFormat) -> Self {
        Self::with_tier(card, Tier::detected())
    }

    /// A mixer whose inner loops are chosen by the caller, who knows the processor.
    #[must_use]
    pub fn with_tier(card: CardFormat, tier: Tier) -> Self {
        Self {
            card,
            sink: Sink::new(card.sample),
            tier,
            tables: Tables::new(),
            work: Work {
                sums: vec![0; OUTPUTS * MAX_CHANNELS],
                straight: vec![false; MAX_VOICES],
                taken: vec![0; MAX_VOICES],
                scratch: Scratch::new(),
            },
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

    /// What converting takes, and how much of tables may be worked out.
    pub(super) fn parts(&mut self) -> (Tier, &mut Tables, &mut Work, usize) {
        self.tables.tick();
        (self.tier, &mut self.tables, &mut self.work, TABLE_BUDGET)
    }

    /// Renders `frames` frames into `out`, as many as fit; what is beyond them is left alone.
    pub fn render(&mut self, inputs: &mut [Input<'_>], frames: usize, out: &mut [u8]) {
        let frame_octets = self.card.frame_octets().max(1);
        let frames = frames.min(out.len() / frame_octets);
        let inputs = match inputs.len() {
            ..=MAX_VOICES => inputs,
            _ => inputs.split_at_mut(MAX_VOICES).0,
        };
        self.tables.tick();
        let mut budget = TABLE_BUDGET;
        let (straight, _) = self.work.straight.split_at_mut(inputs.len());
        let (taken, _) = self.work.taken.split_at_mut(inputs.len());
        taken.fill(0);
        let mut direct_left = MAX_DIRECT;
        for (input, straight) in inputs.iter_mut().zip(&mut *straight) {
            *straight = direct_left > 0 && input.is_straight(frames);
            direct_left -= usize::from(*straight);
            input.voice.fresh = false;
        }
        let all_straight = inputs.iter().zip(&*straight).all(|(_, &straight)| straight);
        let mut at = 0;
        while at < frames {
            let mut count = frames - at;
            if !all_straight {
                count = count.min(OUTPUTS);
            }
            for (input, _) in inputs
                .iter()
                .zip(&*straight)
                .filter(|(_, straight)| **straight)
            {
                let (have, frame) = (input.piece(at).len(), input.frame_octets().max(1));
                if have < count * frame {
                    count = have / frame;
                }
            }
            let sums = if all_straight {
                None
            } else {
                let samples = (count * usize::from(self.card.channels)).next_multiple_of(8);
                let end = samples.min(self.work.sums.len());
                let (sums, _) = self.work.sums.split_at_mut(end);
                sums.fill(0);
                for ((input, taken), _) in inputs
                    .iter_mut()
                    .zip(&mut *taken)
                    .zip(&*straight)
                    .filter(|(_, straight)| !**straight)
                {
                    let mut bench = Bench {
                        tier: self.tier,
                        tables: &mut self.tables,
                        budget: &mut budget,
                        scratch: &mut self.work.scratch,
                    };
                    bench.gather(input, taken, count, sums);
                }
                Some(&*sums)
            };
            if count == 0 {
                break;
            }
            let mut direct = heapless::Vec::<Direct<'_>, MAX_DIRECT>::new();
            for (input, _) in inputs
                .iter()
                .zip(&*straight)
                .filter(|(_, straight)| **straight)
            {
                if let Some(source) = input.direct(at) {
                    let _ = direct.push(source);
                }
            }
            let octets = at * frame_octets..(at + count) * frame_octets;
            if let Some(out) = out.get_mut(octets) {
                self.tier.mix(&direct, sums, self.sink, out);
            }
            at += count;
        }
        for (input, _) in inputs
            .iter_mut()
            .zip(&*straight)
            .filter(|(_, straight)| **straight)
        {
            input.note_last(frames);
        }
    }
}
