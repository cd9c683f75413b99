//! The level of each stream, while somebody looks at it.

use crate::world::Nanos;

/// How long levels are measured after they were asked for.
const WATCHED_MILLIS: u64 = 3_000;
/// A level is the highest of this span and of the one under way.
const SPAN_MILLIS: u64 = 500;

/// Peaks of `N` streams.
#[derive(Debug)]
pub struct Meter<const N: usize> {
    until: Nanos,
    /// When the span under way began.
    since: Nanos,
    now: [u16; N],
    before: [u16; N],
}

impl<const N: usize> Meter<N> {
    /// A meter at rest.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            until: Nanos(0),
            since: Nanos(0),
            now: [0; N],
            before: [0; N],
        }
    }

    /// Somebody wants to know the levels.
    pub const fn watch(&mut self, now: Nanos) {
        self.until = now.plus_millis(WATCHED_MILLIS);
    }

    /// Lets time go on; whether levels are wanted.
    pub fn runs(&mut self, now: Nanos) -> bool {
        if now >= self.since.plus_millis(SPAN_MILLIS) {
            self.since = now;
            self.before = core::mem::replace(&mut self.now, [0; N]);
        }
        now < self.until
    }

    /// Takes a peak of a stream.
    pub fn hear(&mut self, stream: usize, peak: u16) {
        if let Some(place) = self.now.get_mut(stream) {
            *place = peak.max(*place);
        }
    }

    /// Another stream may come in this one's place.
    pub fn forget(&mut self, stream: usize) {
        for peaks in [&mut self.now, &mut self.before] {
            if let Some(place) = peaks.get_mut(stream) {
                *place = 0;
            }
        }
    }

    /// The highest peak of a stream lately.
    #[must_use]
    pub fn peak(&self, stream: usize) -> u16 {
        let of = |peaks: &[u16; N]| peaks.get(stream).copied().unwrap_or(0);
        of(&self.now).max(of(&self.before))
    }
}

impl<const N: usize> Default for Meter<N> {
    fn default() -> Self {
        Self::new()
    }
}
