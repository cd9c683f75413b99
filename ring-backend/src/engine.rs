//! The card's time: when to mix, how far ahead, and when to let the card rest.
//!
//! The mixer stays a little ahead of the card's DMA: a quantum, which is how long the domain
//! sleeps, and a margin for waking late. Frames behind the DMA become silence, so being late is
//! heard as a gap and never as old audio once more. When nothing plays the card runs on for a
//! moment, so that the last frames are heard, and then stops: the domain has no timer then.
//!
//! Without a card, or when it fails, the clock stands in for it and guests play into nothing.

use crate::timeline::{Timeline, nanos_of};
use crate::world::{Card, CardFormat, Nanos};
use alloc::boxed::Box;
use alloc::vec;

/// The longest sleep while streams run.
const QUANTUM_MAX_PER_SECOND: u32 = 300;
/// The shortest.
const QUANTUM_MIN_PER_SECOND: u32 = 1000;
/// The margin that is always kept, that a card begins with, and what it may grow to. The last two
/// come on top of the card's own leaps.
const MARGIN_MIN_PER_SECOND: u32 = 1000;
const MARGIN_FIRST_PER_SECOND: u32 = 100;
const MARGIN_MAX_PER_SECOND: u32 = 50;
/// How long the card is watched before the part of the margin that it never needed is cut.
const CALM: Nanos = Nanos(10_000_000_000);
/// How long the card runs on with silence.
const LINGER_MILLIS: u64 = 300;
/// How long a card that failed is left alone, doubled with every failure in a row.
const RETRY_MILLIS: u64 = 10;
/// Doublings at most: 41 s.
const RETRY_DOUBLINGS: u32 = 12;
/// The shortest sleep, so that a card whose position moves in steps costs no busy wait.
const NAP: Nanos = Nanos(200_000);

/// What the engine counted since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EngineCounters {
    /// Frames mixed with at least one stream.
    pub frames: u64,
    /// Times the card overtook the mixer.
    pub underruns: u32,
    /// Times the card did not start or lost its position.
    pub card_faults: u32,
    /// Frames that mixing last was ahead of the card.
    pub ahead: u64,
    /// The most it was.
    pub ahead_max: u64,
    /// The margin in frames, grown by waking late.
    pub margin: u64,
}

/// What the streams need of the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Some stream runs, or still rings.
    pub live: bool,
    /// The longest sleep that every running stream allows, in frames.
    pub patience: u64,
    /// The most frames that every running stream can have mixed at once: more than that no guest
    /// with a small buffer has written.
    pub stride: u64,
}

/// The pace of the mixer.
#[derive(Debug)]
pub struct Engine {
    format: CardFormat,
    timeline: Option<Timeline>,
    quantum: u64,
    margin: u64,
    stride: u64,
    calm_since: Nanos,
    /// The fewest frames found mixed ahead of the card since then.
    slack: u64,
    /// Frames that the card's DMA may leap.
    leap: u64,
    /// Frames that it may have fetched past its position.
    fetch_ahead: u64,
    /// Failures of the card in a row.
    failures: u32,
    live: bool,
    linger_until: Nanos,
    retry_at: Nanos,
    silence: Box<[u8]>,
    counters: EngineCounters,
}

impl Engine {
    /// An engine at rest.
    #[must_use]
    pub fn new(format: CardFormat) -> Self {
        let margin = u64::from(format.rate / MARGIN_MIN_PER_SECOND);
        let chunk = Self::chunk_frames_of(format) * format.frame_octets();
        Self {
            format,
            timeline: None,
            quantum: u64::from(format.rate / QUANTUM_MAX_PER_SECOND),
            margin,
            stride: u64::MAX,
            calm_since: Nanos(0),
            slack: u64::MAX,
            leap: 0,
            fetch_ahead: 0,
            failures: 0,
            live: false,
            linger_until: Nanos(0),
            retry_at: Nanos(0),
            silence: vec![0; chunk].into_boxed_slice(),
            counters: EngineCounters {
                margin,
                ..EngineCounters::default()
            },
        }
    }

    /// The most frames that are mixed at once.
    #[must_use]
    pub fn chunk_frames(&self) -> usize {
        Self::chunk_frames_of(self.format)
    }

    fn chunk_frames_of(format: CardFormat) -> usize {
        (format.rate / QUANTUM_MAX_PER_SECOND).max(1) as usize
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> EngineCounters {
        self.counters
    }

    /// Frames fetched and mixed so far, both 0 at rest.
    #[must_use]
    pub fn position(&self) -> (u64, u64) {
        self.timeline
            .as_ref()
            .map_or((0, 0), |timeline| (timeline.fetched(), timeline.mixed()))
    }

    /// Frames of the card that the domain sleeps at most.
    #[must_use]
    pub const fn quantum(&self) -> u64 {
        self.quantum
    }

    /// Frames that mixing goes ahead of the card.
    #[must_use]
    pub const fn ahead(&self) -> u64 {
        self.quantum + self.reserve()
    }

    /// Frames ahead of the card's position that must be mixed by the time it gets there.
    const fn reserve(&self) -> u64 {
        self.margin + self.fetch_ahead
    }

    /// Frames that are left out before mixing begins or goes on after being late, so that it is
    /// not late at once again, and so that no stream is mixed further than it was written.
    fn guard(&self) -> u64 {
        let stride = self.stride.max(self.quantum);
        (self.margin / 2 + self.fetch_ahead).max(self.ahead().saturating_sub(stride))
    }

    /// Reads how far the card is, and hushes what it fetched.
    pub fn advance<C: Card>(&mut self, now: Nanos, card: Option<&mut C>) {
        let Some(timeline) = &mut self.timeline else {
            return;
        };
        let card = card.filter(|card| card.format() == self.format);
        let failed = timeline.advance(now, card, &self.silence).is_err();
        let fetched = timeline.fetched() + self.fetch_ahead;
        let left = timeline.mixed().checked_sub(fetched);
        if failed {
            self.fail(now);
        } else if now.0.saturating_sub(self.retry_at.0) > CALM.0 {
            self.failures = 0;
        }
        if !self.live {
            return;
        }
        let margin_max = u64::from(self.format.rate / MARGIN_MAX_PER_SECOND) + self.leap;
        match left {
            None => {
                self.counters.underruns = self.counters.underruns.saturating_add(1);
                self.margin = (self.margin * 2).min(margin_max);
                self.skip_guard();
                self.watch(now);
            }
            Some(left) if left < self.margin / 4 => {
                self.margin = (self.margin + self.margin / 4).min(margin_max);
                self.watch(now);
            }
            Some(left) => {
                self.slack = self.slack.min(left);
                if now.0.saturating_sub(self.calm_since.0) > CALM.0 {
                    let least = u64::from(self.format.rate / MARGIN_MIN_PER_SECOND);
                    // Half of the margin stays unused at the worst moment.
                    let spare = self.slack.saturating_sub(self.margin / 2).min(self.margin);
                    self.margin = (self.margin - spare / 2).max(least);
                    self.watch(now);
                }
            }
        }
        self.counters.margin = self.margin;
    }

    /// Counts a failure of the card and leaves it alone for a while.
    fn fail(&mut self, now: Nanos) {
        self.counters.card_faults = self.counters.card_faults.saturating_add(1);
        self.retry_at = now.plus_millis(RETRY_MILLIS << self.failures.min(RETRY_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
    }

    /// Begins to watch how close the card comes.
    fn watch(&mut self, now: Nanos) {
        self.calm_since = now;
        self.slack = u64::MAX;
    }

    /// Leaves the guard out.
    fn skip_guard(&mut self) {
        let guard = self.guard();
        if let Some(timeline) = &mut self.timeline {
            timeline.skip_to(timeline.fetched() + guard);
        }
    }

    /// Sets the pace to what the streams demand. Starts the card or lets it rest.
    pub fn pace<C: Card>(&mut self, now: Nanos, mut card: Option<&mut C>, demand: Demand) {
        card = card.filter(|card| card.format() == self.format);
        if demand.live {
            self.wake(now, card.as_deref_mut());
            self.stride = demand.stride;
            self.set_quantum(demand.patience, card.map(|card| card.ring_frames()));
            if !self.live {
                self.skip_guard();
                self.watch(now);
            }
        } else if self.live {
            self.linger_until = now.plus_millis(LINGER_MILLIS);
        } else if now >= self.linger_until
            && let Some(timeline) = self.timeline.take()
        {
            timeline.end(card);
        }
        self.live = demand.live;
    }

    /// Sees to it that time goes on, by the card if there is one.
    fn wake<C: Card>(&mut self, now: Nanos, card: Option<&mut C>) {
        let ready = card.filter(|_| now >= self.retry_at);
        let timeline = self
            .timeline
            .get_or_insert_with(|| Timeline::new(now, self.format));
        if let Some(card) = ready
            && !timeline.on_card()
        {
            self.leap = card.leap_frames() as u64;
            let first = u64::from(self.format.rate / MARGIN_FIRST_PER_SECOND) + self.leap;
            self.margin = self.margin.max(first);
            let failed = timeline.start(card).is_err();
            self.fetch_ahead = card.fetch_ahead() as u64;
            if failed {
                self.fail(now);
            }
        }
    }

    fn set_quantum(&mut self, patience: u64, ring_frames: Option<usize>) {
        let longest = u64::from(self.format.rate / QUANTUM_MAX_PER_SECOND);
        let shortest = u64::from(self.format.rate / QUANTUM_MIN_PER_SECOND).max(1);
        self.quantum = patience.clamp(shortest, longest.max(shortest));
        if let Some(ring) = ring_frames {
            // Half of the card's ring stays behind its DMA, to be hushed in time.
            let half = ring as u64 / 2;
            self.quantum = self.quantum.min((half / 2).max(1));
            self.margin = self.margin.min(half - half / 2);
        }
    }

    /// How many frames are to be mixed now; 0 while enough are.
    #[must_use]
    pub fn due(&self) -> u64 {
        let Some(timeline) = self.timeline.as_ref().filter(|_| self.live) else {
            return 0;
        };
        let (fetched, mixed) = (timeline.fetched(), timeline.mixed());
        // Between deadlines guests wake the domain often; mixing a few frames then is dear.
        if mixed > fetched + self.reserve() + self.quantum / 4 {
            return 0;
        }
        (fetched + self.ahead()).saturating_sub(mixed)
    }

    /// Leaves frames out that no stream sounds in.
    pub fn skip(&mut self, frames: u64) {
        if let Some(timeline) = &mut self.timeline {
            timeline.skip_to(timeline.mixed().saturating_add(frames));
        }
    }

    /// Takes mixed frames in the card's format; they follow what was mixed before.
    pub fn put<C: Card>(&mut self, card: Option<&mut C>, frames: u64, octets: &[u8]) {
        if let Some(timeline) = &mut self.timeline {
            timeline.put(card, frames, octets);
            self.counters.frames += frames;
            self.counters.ahead = timeline.mixed().saturating_sub(timeline.fetched());
            self.counters.ahead_max = self.counters.ahead_max.max(self.counters.ahead);
        }
    }

    /// When to be called again: before the card reaches the margin.
    #[must_use]
    pub fn deadline(&self, now: Nanos) -> Option<Nanos> {
        let timeline = self.timeline.as_ref()?;
        let after = |frames: u64| {
            let nap = nanos_of(frames, self.format.rate).max(NAP.0);
            Nanos(now.0.saturating_add(nap))
        };
        if self.live {
            let reserve = timeline.fetched() + self.reserve();
            return Some(after(timeline.mixed().saturating_sub(reserve)));
        }
        let hush = timeline.unhushed().map(after);
        Some(hush.map_or(self.linger_until, |hush| hush.min(self.linger_until)))
    }
}
