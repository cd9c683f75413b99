//! The card's input: on while a guest that may hear it records, and off otherwise.
//!
//! All that record read from the card's own ring, each from where it is. Frames are counted over
//! all runs of the input, so that none is ever taken for one of an earlier run.

use crate::world::{Card, CardFormat, CardInput, Nanos};

/// How long an input that failed is left alone.
const RETRY_MILLIS: u64 = 1000;

/// The frames that can be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Frame 0 of the card.
    origin: u64,
    /// The oldest that the DMA engine does not overwrite soon.
    pub oldest: u64,
    /// The end of what is in the ring.
    pub end: u64,
    /// How they lie there.
    pub format: CardFormat,
}

impl Heard {
    /// Reads whole frames from frame `at` on, which is not before the oldest.
    pub fn read(&self, input: &dyn CardInput, at: u64, frames: &mut [u8]) {
        input.read(at.saturating_sub(self.origin), frames);
    }
}

/// How far the input is.
#[derive(Debug, Default)]
pub struct Intake {
    /// Where its run began; `None` while it is off.
    origin: Option<u64>,
    end: u64,
    retry_at: Nanos,
    faults: u32,
}

impl Intake {
    /// Whether the input is on.
    #[must_use]
    pub const fn on(&self) -> bool {
        self.origin.is_some()
    }

    /// Times the input did not start or lost its position.
    #[must_use]
    pub const fn faults(&self) -> u32 {
        self.faults
    }

    /// Sees to it that the input is on if that is `wanted` and off if not, and how far it is.
    pub fn advance<C: Card>(
        &mut self,
        now: Nanos,
        card: Option<&mut C>,
        wanted: bool,
    ) -> Option<Heard> {
        let input = card.and_then(Card::input)?;
        if !wanted {
            if self.origin.take().is_some() {
                input.stop();
            }
            return None;
        }
        let result = match self.origin {
            Some(origin) => Ok(origin),
            None if now < self.retry_at => return None,
            None => input.start().map(|()| self.end),
        };
        let result = result.and_then(|origin| Ok((origin, input.position(now)?)));
        let Ok((origin, position)) = result else {
            input.stop();
            self.origin = None;
            self.retry_at = now.plus_millis(RETRY_MILLIS);
            self.faults = self.faults.saturating_add(1);
            return None;
        };
        self.origin = Some(origin);
        self.end = self.end.max(origin.saturating_add(position));
        // A part of the ring is left to the DMA engine, which may be ahead of its position.
        let ring = input.ring_frames() as u64;
        Some(Heard {
            origin,
            oldest: origin.max(self.end.saturating_sub(ring - ring / 4)),
            end: self.end,
            format: input.format(),
        })
    }
}
