//! When to tell a guest how far it was played.
//!
//! Linux's front-end calls a period over only when the frames it was told of are strictly more
//! than a period, and keeps the remainder. This is the mirror of that count: an event goes out as
//! soon as it makes a period over, and otherwise often enough that the guest's idea of the
//! position is fine, but at most once a millisecond, since each wakes a thread of the guest.

use crate::world::Nanos;

/// Two events of a stream are at least this far apart. A little less than the tick of a
/// millisecond, so that a tick slightly early does not skip its event.
const SPACING: Nanos = Nanos(900_000);
/// Events per period, at least.
const EVENTS_PER_PERIOD: u32 = 4;
/// Events per second, at least.
const EVENTS_PER_SECOND: u32 = 200;

/// What the guest was told since it opened the stream.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Frames of a period; 0: it wants no events.
    period: u32,
    /// Frames after which an event is due though no period is over.
    step: u32,
    /// Position of the last event, in frames since OPEN.
    told: u64,
    /// The guest's count of frames towards the next period.
    towards_period: u64,
    last: Option<Nanos>,
}

impl Progress {
    /// At OPEN: the guest counts from 0.
    #[must_use]
    pub fn new(period: u32, rate: u32) -> Self {
        let step = (period / EVENTS_PER_PERIOD).min(rate / EVENTS_PER_SECOND);
        Self {
            period,
            step: step.max(1),
            told: 0,
            towards_period: 0,
            last: None,
        }
    }

    /// The position that the guest may know of, in frames since OPEN.
    #[must_use]
    pub const fn told(&self) -> u64 {
        self.told
    }

    /// Whether an event with this position is due.
    #[must_use]
    pub fn due(&self, position: u64, now: Nanos) -> bool {
        let news = position.saturating_sub(self.told);
        if self.period == 0 || news == 0 {
            return false;
        }
        if let Some(last) = self.last
            && now.0.saturating_sub(last.0) < SPACING.0
        {
            return false;
        }
        let ends_period = self.towards_period.saturating_add(news) > u64::from(self.period);
        ends_period || news >= u64::from(self.step)
    }

    /// Whether the guest wants events at all and does not know this position.
    #[must_use]
    pub const fn news(&self, position: u64) -> bool {
        self.period != 0 && position > self.told
    }

    /// Counts an event that was placed, as the guest will.
    pub fn tell(&mut self, position: u64, now: Nanos) {
        let news = position.saturating_sub(self.told);
        self.told = self.told.max(position);
        self.last = Some(now);
        self.towards_period = self.towards_period.saturating_add(news);
        let period = u64::from(self.period);
        if self.towards_period > period {
            self.towards_period = self.towards_period.checked_rem(period).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(count: u64) -> Nanos {
        Nanos(count * 1_000_000)
    }

    #[test]
    fn a_period_is_over_one_frame_past_it_and_not_at_it() {
        // A step longer than what is missing: only the period's end can make an event due.
        let mut progress = Progress::new(1000, 48_000);
        progress.tell(990, millis(0));
        assert!(!progress.due(1000, millis(5)));
        assert!(progress.due(1001, millis(5)));
        progress.tell(1001, millis(5));
        assert!(
            !progress.due(1002, millis(9)),
            "one frame counts towards the next"
        );
    }

    #[test]
    fn events_are_no_closer_than_a_tick() {
        let mut progress = Progress::new(48, 48_000);
        assert!(progress.due(48, millis(0)));
        progress.tell(48, millis(0));
        assert!(!progress.due(200, Nanos(800_000)));
        assert!(progress.due(200, millis(1)));
    }

    #[test]
    fn long_periods_are_told_of_every_five_milliseconds() {
        let mut progress = Progress::new(48_000, 48_000);
        progress.tell(0, millis(0));
        assert!(!progress.due(239, millis(5)));
        assert!(progress.due(240, millis(5)));
    }

    #[test]
    fn a_stream_without_periods_gets_no_events() {
        let progress = Progress::new(0, 48_000);
        assert!(!progress.due(1_000_000, millis(1000)));
        assert!(!progress.news(1_000_000));
    }
}
