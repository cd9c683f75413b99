//! How streams are summed straight from their octets: worked out once, kept while it holds.
//!
//! A short block is soon summed; what it costs is decided by what is looked up for every stream.
//! So gains lie ready in the order of the streams, and each voice remembers its place in which
//! plan. Whatever changes how a voice sounds takes it out.

use super::gain::GAIN_BITS;
use super::kernel::{Levels, Sink, places_of};
use super::place::{NO_PLAN, Place, SLOT, WIDE};
use super::simd::Starts;
use super::steps::{Steps, factor};
use super::voice::Voice;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

/// Most streams in one plan, and one more for noise.
pub const STREAMS: usize = 65;
/// Places for those of 16 bits: some take two, and some places stay empty.
pub const SLOTS: usize = 96;
/// Sums of factors of 16-bit samples that stay within 32 bits, with half a place and a carry.
pub const LIMIT: i32 = 65_400;

/// From a plan's number to the next.
const STEP: u64 = 2 * WIDE;
static PLANS: AtomicU64 = AtomicU64::new(STEP);

/// Gains of one stream's eight samples in a row.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub struct Gains {
    /// The even ones in their places; the odd places are not used.
    pub even: [i32; 8],
    /// The odd ones, each a place early.
    pub odd: [i32; 8],
}

/// Gains in the order of the streams, and what is known of their sum.
#[derive(Debug)]
pub struct Plan {
    number: u64,
    /// The first seat, where the plan is plain.
    first: u64,
    /// Streams, without the noise.
    voices: usize,
    /// Whether the sum is of more than these.
    others: bool,
    /// Whether 16-bit multiplies will do.
    narrow: bool,
    /// Whether there is nothing else, and all have samples of one width.
    plain: bool,
    /// Places for streams of 16 and of 32 bits.
    counts: [usize; 2],
    /// The former, an even number of them.
    slots: usize,
    /// The gain of the noise that is one of the streams, if there is any, and which it is.
    noise: Option<(Levels, usize)>,
    /// Streams of 16 bits that have a second place, and that.
    twins: heapless::Vec<[u8; 2], { SLOTS / 2 }>,
    /// How 16-bit multiplies are done.
    steps: Steps,
    gains: [Vec<Gains>; 2],
    /// Of eight samples, the even ones first: the sums of their gains.
    weights: [i64; 8],
}

impl Plan {
    /// A plan that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            number: NO_PLAN,
            first: NO_PLAN,
            voices: 0,
            others: false,
            narrow: false,
            plain: false,
            counts: [0; 2],
            slots: 0,
            noise: None,
            twins: heapless::Vec::new(),
            steps: Steps::new(),
            gains: [SLOTS, STREAMS].map(|count| vec![Gains::default(); count]),
            weights: [0; 8],
        }
    }

    /// Forgets what it holds.
    pub const fn forget(&mut self) {
        self.number = NO_PLAN;
        self.plain = false;
    }

    /// Whether it is for so many voices, and `others`.
    #[must_use]
    pub const fn is_for(&self, voices: usize, others: bool) -> bool {
        self.number != NO_PLAN && self.voices == voices && self.others == others
    }

    /// Whether it has the voice of this place.
    #[inline]
    #[must_use]
    pub const fn has(&self, place: &Place) -> bool {
        place.seat & !(SLOT | WIDE) == self.number
    }

    /// Which of the streams the voice of this place is, as they are summed, where the plan is
    /// [plain](Plan::plain); more than there ever are if it is none of this plan's.
    #[inline]
    #[must_use]
    pub const fn slot(&self, place: &Place) -> usize {
        place.seat.wrapping_sub(self.first) as usize
    }

    /// Whether 16-bit multiplies will do for all streams.
    #[must_use]
    pub const fn narrow(&self) -> bool {
        self.narrow
    }

    /// How many voices it is for, if nothing but these is summed and all have samples of one width.
    #[inline]
    #[must_use]
    pub const fn plain(&self) -> Option<usize> {
        if self.plain { Some(self.voices) } else { None }
    }

    /// Whether that width is 32 bits.
    #[inline]
    #[must_use]
    pub const fn wide(&self) -> bool {
        self.first & WIDE != 0
    }

    /// The gain of the noise that is one of the streams, if there is any, and which it is.
    #[must_use]
    pub const fn noise(&self) -> Option<&(Levels, usize)> {
        self.noise.as_ref()
    }

    /// Streams of 16 bits that have a second place, and that.
    #[inline]
    #[must_use]
    pub fn twins(&self) -> &[[u8; 2]] {
        &self.twins
    }

    /// How 16-bit multiplies are done.
    #[must_use]
    pub const fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Places for the streams, where the plan is plain, to fill so many octets of the card.
    #[inline]
    #[must_use]
    pub fn starts<'a>(&self, octets: usize, sink: Sink) -> Starts<'a> {
        if self.narrow {
            return Starts::new(octets, self.slots);
        }
        let samples = octets / sink.octets();
        if self.wide() {
            self.wholes(samples)
        } else {
            self.halves(samples)
        }
    }

    /// None, for the streams of the other width there.
    #[inline]
    #[must_use]
    pub fn none<'a>(&self, octets: usize) -> Starts<'a> {
        Starts::new(2 * octets, 0)
    }

    /// Places for the streams of 16 bits, an even number of them, to have so many samples each.
    #[inline]
    #[must_use]
    pub fn halves<'a>(&self, samples: usize) -> Starts<'a> {
        Starts::new(2 * samples, self.slots)
    }

    /// Places for the streams of 32 bits.
    #[inline]
    #[must_use]
    pub fn wholes<'a>(&self, samples: usize) -> Starts<'a> {
        Starts::new(4 * samples, self.counts[1])
    }

    /// The gains of streams of 16 or of 32 bits.
    #[must_use]
    pub fn gains(&self, wide: bool) -> &[Gains] {
        let [half, whole] = &self.gains;
        let [halves, wholes] = self.counts;
        let (gains, count) = if wide {
            (whole, wholes)
        } else {
            (half, halves)
        };
        gains.get(..count).unwrap_or(&[])
    }

    /// The sums of the gains of eight samples, the even ones first.
    #[must_use]
    pub const fn weights(&self) -> &[i64; 8] {
        &self.weights
    }

    /// Makes a plan for `voices`, all of which have levels, beside `others` that are not in it;
    /// with noise for the card to round with, if so wanted and there is anything to round.
    pub fn lay<'v>(
        &mut self,
        voices: impl Iterator<Item = &'v mut Voice>,
        others: bool,
        dither: bool,
        sink: Sink,
    ) {
        self.number = PLANS.fetch_add(STEP, Ordering::Relaxed);
        self.others = others;
        // Loud sums of 16 bits can only be cut.
        self.narrow = sink.octets() == 2 && !sink.soft();
        let mut rounds = others;
        let voices: heapless::Vec<_, STREAMS> = voices.take(STREAMS - 1).collect();
        self.voices = voices.len();
        for voice in &voices {
            if let Some(levels) = &voice.levels {
                let wide = voice.wide();
                self.narrow &= levels.narrow && !wide;
                let places = sink.places() - if wide { 0 } else { 16 };
                rounds |= levels.places + places > GAIN_BITS;
            }
        }
        let noise = sink.noise().filter(|_| dither && rounds);
        let mut voices = voices;
        self.narrow = self.narrow && self.fill(&mut voices, noise.as_ref(), true).is_some();
        if !self.narrow {
            let _ = self.fill(&mut voices, noise.as_ref(), false);
        }
        self.slots = self.counts[0].next_multiple_of(2);
        let wide = self.counts[0] == 0;
        self.first = self.number | if wide { WIDE } else { 0 };
        let alone = !others && self.noise.is_none() && self.voices > 0;
        self.plain = alone && (wide || self.counts[1] == 0);
        let halves = if self.narrow { self.slots } else { 0 };
        self.steps.lay(self.gains[0].get(..halves).unwrap_or(&[]));
    }

    /// Gives the streams their places; `None` where there are not enough. If `narrow`, gains are
    /// cut to what 16-bit factors hold, and there are none but 16-bit streams.
    #[inline(never)]
    fn fill(
        &mut self,
        voices: &mut [&mut Voice],
        noise: Option<&Levels>,
        narrow: bool,
    ) -> Option<()> {
        self.counts = [0; 2];
        self.weights = [0; 8];
        self.noise = None;
        self.twins.clear();
        self.gains[0].fill(Gains::default());
        for voice in voices.iter_mut() {
            voice.place.leave();
        }
        // Those whose gains need most fraction bits come first.
        for places in (0..=GAIN_BITS).rev() {
            for voice in voices.iter_mut() {
                let Some(levels) = &voice.levels else {
                    continue;
                };
                let wide = voice.wide();
                if !narrow || fits(levels.gains, levels.places) {
                    if levels.places == places {
                        let slot = self.add(&levels.gains, wide, narrow)? as u64;
                        let wide = if wide { WIDE } else { 0 };
                        voice.place.take(self.number | slot | wide);
                    }
                    continue;
                }
                for part in in_parts(levels.gains) {
                    if places_of(part) != places {
                        continue;
                    }
                    let slot = self.add(&part, wide, narrow)?;
                    if self.has(&voice.place) {
                        let twin = [voice.place.slot() as u8, slot as u8];
                        self.twins.push(twin).ok()?;
                    } else {
                        voice.place.take(self.number | slot as u64);
                    }
                }
            }
            if let Some(noise) = noise.filter(|noise| noise.places == places) {
                self.noise = Some((*noise, self.add(&noise.gains, false, narrow)?));
            }
        }
        Some(())
    }

    /// Adds a stream's gains; returns which of its width it is, if there is a place.
    #[inline(never)]
    fn add(&mut self, gains: &[i32; 8], wide: bool, narrow: bool) -> Option<usize> {
        let [half, whole] = &mut self.gains;
        let [halves, wholes] = &mut self.counts;
        let (list, count) = if wide {
            (whole, wholes)
        } else {
            (half, halves)
        };
        if narrow && *count % 2 == 1 {
            // Factors of two streams have the same unit.
            let first = list.get(*count - 1)?.even;
            let places = places_of(first).max(places_of(*gains));
            *count += usize::from(!fits(first, places) || !fits(*gains, places));
        }
        let slot = *count;
        let mut odd = *gains;
        odd.rotate_left(1);
        *list.get_mut(slot)? = Gains { even: *gains, odd };
        *count += 1;
        let order = gains.iter().step_by(2).chain(odd.iter().step_by(2));
        for (weight, &gain) in self.weights.iter_mut().zip(order) {
            *weight += i64::from(gain);
        }
        Some(slot)
    }
}

/// Whether gains of so many fraction bits are factors of 15 bits.
#[inline(never)]
fn fits(gains: [i32; 8], places: u32) -> bool {
    gains.iter().all(|&gain| factor(gain, places) < 1 << 15)
}

/// Gains in two parts, which are: what 11 fraction bits hold, and the rest.
fn in_parts(gains: [i32; 8]) -> [[i32; 8]; 2] {
    let high = gains.map(|gain| (gain + (1 << 10)) & (-1 << 11));
    let mut low = gains;
    for (low, high) in low.iter_mut().zip(high) {
        *low -= high;
    }
    [low, high]
}
