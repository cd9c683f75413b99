//! One run of the card: how many frames were fetched, mixed and hushed since it began.
//!
//! The count goes on when the card fails or comes back in between: the clock stands in for it.

use crate::world::{Card, CardFault, CardFormat, Nanos};

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// What the fetched frames are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The card, whose frame 0 is frame `origin`.
    Card { origin: u64 },
    /// The clock, from `since`, when the count was `at`.
    Clock { since: Nanos, at: u64 },
}

/// Counters in frames of the card, none of which ever decreases.
#[derive(Debug)]
pub struct Timeline {
    source: Source,
    format: CardFormat,
    fetched: u64,
    mixed: u64,
    /// End of the last frame put; the card's ring is silent from there on.
    put_end: u64,
    /// Frames before this one are silent again.
    hushed: u64,
}

impl Timeline {
    /// A timeline that the clock drives, from frame 0 at `now`.
    #[must_use]
    pub const fn new(now: Nanos, format: CardFormat) -> Self {
        Self {
            source: Source::Clock { since: now, at: 0 },
            format,
            fetched: 0,
            mixed: 0,
            put_end: 0,
            hushed: 0,
        }
    }

    /// Frames that were fetched.
    #[must_use]
    pub const fn fetched(&self) -> u64 {
        self.fetched
    }

    /// Frames that were mixed or skipped.
    #[must_use]
    pub const fn mixed(&self) -> u64 {
        self.mixed
    }

    /// Whether the card drives it.
    #[must_use]
    pub const fn on_card(&self) -> bool {
        matches!(self.source, Source::Card { .. })
    }

    /// Starts the card and lets it drive from here on. What was put ahead is lost to it.
    ///
    /// # Errors
    /// The card does not start; nothing changes.
    pub fn start<C: Card>(&mut self, card: &mut C) -> Result<(), CardFault> {
        card.start()?;
        self.source = Source::Card {
            origin: self.fetched,
        };
        // The ring of a card that starts is silent.
        self.put_end = self.fetched;
        self.hushed = self.fetched;
        Ok(())
    }

    /// Stops the card if it drives.
    pub fn end<C: Card>(self, card: Option<&mut C>) {
        if let (Source::Card { .. }, Some(card)) = (self.source, card) {
            card.stop();
        }
    }

    /// Reads how far the fetching is and overwrites what was fetched with `silence`.
    ///
    /// # Errors
    /// The card is gone or its position is lost; the clock drives from here on.
    pub fn advance<C: Card>(
        &mut self,
        now: Nanos,
        card: Option<&mut C>,
        silence: &[u8],
    ) -> Result<(), CardFault> {
        let result = match (self.source, card) {
            (Source::Clock { since, at }, _) => {
                let elapsed = frames_in(now.0.saturating_sub(since.0), self.format.rate);
                self.fetched = self.fetched.max(at.saturating_add(elapsed));
                Ok(())
            }
            (Source::Card { .. }, None) => Err(CardFault),
            (Source::Card { origin }, Some(card)) => match card.position(now) {
                Ok(position) => {
                    self.fetched = self.fetched.max(origin.saturating_add(position));
                    self.hush(card, origin, silence);
                    Ok(())
                }
                Err(fault) => {
                    card.stop();
                    Err(fault)
                }
            },
        };
        if result.is_err() {
            self.source = Source::Clock {
                since: now,
                at: self.fetched,
            };
        }
        result
    }

    /// Leaves frames out up to `frame`.
    pub fn skip_to(&mut self, frame: u64) {
        self.mixed = self.mixed.max(frame);
    }

    /// Writes mixed frames into the card's ring, after those mixed before.
    pub fn put<C: Card>(&mut self, card: Option<&mut C>, frames: u64, octets: &[u8]) {
        if let (Source::Card { origin }, Some(card)) = (self.source, card)
            && let Some(at) = self.mixed.checked_sub(origin)
        {
            card.write(at, octets);
            if self.hushed >= self.put_end {
                // What lies before was silent all the time, and may lie where this does.
                self.hushed = self.hushed.max(self.mixed);
            }
            self.put_end = self.mixed.saturating_add(frames);
        }
        self.mixed = self.mixed.saturating_add(frames);
    }

    /// Frames of the card until the last one that was put is fetched, if it is not hushed yet.
    #[must_use]
    pub fn unhushed(&self) -> Option<u64> {
        (self.hushed < self.put_end).then(|| self.put_end.saturating_sub(self.fetched))
    }

    /// Overwrites what was put and fetched since the last time.
    fn hush<C: Card>(&mut self, card: &mut C, origin: u64, silence: &[u8]) {
        let octets = self.format.frame_octets();
        let chunk = silence.len().checked_div(octets).unwrap_or(0) as u64;
        let end = self.fetched.min(self.put_end);
        // After more than a ring, the older frames lie where newer ones do.
        let ring = card.ring_frames() as u64;
        let mut at = self.hushed.max(end.saturating_sub(ring));
        while at < end && chunk > 0 {
            let frames = chunk.min(end - at);
            let length = usize::try_from(frames).map_or(0, |frames| frames * octets);
            if let Some(octets) = silence.get(..length) {
                card.write(at.saturating_sub(origin), octets);
            }
            at += frames;
        }
        self.hushed = self.hushed.max(end);
    }
}

/// Whole frames in a span of time.
#[must_use]
pub fn frames_in(nanos: u64, rate: u32) -> u64 {
    let frames = u128::from(nanos) * u128::from(rate) / NANOS_PER_SECOND;
    u64::try_from(frames).unwrap_or(u64::MAX)
}

/// Nanoseconds that frames last, rounded up.
#[must_use]
pub fn nanos_of(frames: u64, rate: u32) -> u64 {
    let nanos = u128::from(frames) * NANOS_PER_SECOND;
    let nanos = nanos.div_ceil(u128::from(rate.max(1)));
    u64::try_from(nanos).unwrap_or(u64::MAX)
}
