//! When to tell a guest how far it was played.
//!
//! Linux's front-end calls a period over only when the frames it was told of are strictly more
//! than a period, and keeps the remainder. This is the mirror of that count: an event goes out as
//! soon as it makes a period over, and otherwise often enough that the guest's idea of the
//! position is right within two milliseconds, but at most once a millisecond, since each wakes a
//! thread of the guest. Whoever asks for a position does so a little early, by [`early_frames`].
//!
//! An event that ends a period says one frame past its end, not how far the card is by then: an
//! application that filled its buffer at the last one then finds a whole period of room, and not
//! a frame less, for which Linux would let it sleep through another period. One that takes back what
//! it wrote is told all at once: it writes from there on. So is one that records, as nothing may be
//! read of what is told early.

use crate::timeline::nanos_of;
use crate::world::Nanos;

/// Two events of a stream are at least this far apart. A little less than the tick of a
/// millisecond, so that a tick slightly early does not skip its event.
const SPACING: Nanos = Nanos(900_000);
/// Events per period, at least.
const EVENTS_PER_PERIOD: u32 = 4;
/// New frames that are worth an event, as a part of a second. Small, so that events come when the
/// domain is awake anyway.
const STEPS_PER_SECOND: u32 = 1000;
/// Events per second, at least.
const EVENTS_PER_SECOND: u32 = 300;

/// The longest that an event is good for. A card may fetch a millisecond of sound at a time, and four
/// such steps after an event are too many for two milliseconds.
const FRESH_MOST: Nanos = Nanos(2_700_000);

/// The same for what is recorded, of which nothing is told early: it has to be there to be read. The
/// card's step of a millisecond and this leave one for the domain to come late.
const FRESH_RECORDED: Nanos = Nanos(1_000_000);

/// Frames by which a position is told early, so that it is right in the middle of the time until the
/// next event.
#[must_use]
pub fn early_frames(period: u32, rate: u32) -> u64 {
    u64::from((period / EVENTS_PER_PERIOD / 2).min(rate / EVENTS_PER_SECOND / 2))
}

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
    /// The last event ended a period and left out frames past its end that are worth an event.
    cut: bool,
    /// Whatever is new is told.
    all: bool,
    /// The guest records.
    recorded: bool,
    /// Frames that the last event left out.
    left_out: u64,
    /// How long an event is good for that leaves out none.
    fresh: Nanos,
    rate: u32,
}

impl Progress {
    /// At OPEN: the guest counts from 0.
    #[must_use]
    pub fn new(period: u32, rate: u32) -> Self {
        let step = (period / EVENTS_PER_PERIOD).min(rate / STEPS_PER_SECOND);
        Self {
            period,
            step: step.max(1),
            told: 0,
            towards_period: 0,
            last: None,
            cut: false,
            all: false,
            recorded: false,
            // A little longer than from event to event, so that the domain is not woken for nothing.
            fresh: Nanos(nanos_of(early_frames(period, rate) * 13 / 6, rate)).min(FRESH_MOST),
            left_out: 0,
            rate,
        }
    }

    /// The guest records: no position is told early, so that one grows old sooner, and none is held
    /// back at a period's end, as nobody waits for room.
    pub const fn record(&mut self) {
        self.recorded = true;
        self.fresh = FRESH_RECORDED;
    }

    /// From now on whatever is new is told, a tick after what was told before at the latest.
    pub const fn tell_all(&mut self) {
        self.step = 1;
        self.all = true;
    }

    /// When what was told last is so old that news of any kind are due.
    #[must_use]
    pub fn stale(&self, now: Nanos) -> Option<Nanos> {
        let old = nanos_of(self.left_out, self.rate);
        let good = self.fresh.0.saturating_sub(old);
        let next = Nanos(self.last?.0.saturating_add(good));
        (self.period != 0 && next > now).then_some(next)
    }

    /// The position that the guest takes for the end of its next period, if it wants any events.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        let left = u64::from(self.period).checked_sub(self.towards_period)?;
        (self.period != 0).then(|| self.told.saturating_add(left + 1))
    }

    /// When the frames up to `position` may be told that the event of just now left out. What came
    /// after it is left to the next, so that many streams do not wake the domain for each other.
    #[must_use]
    pub fn rest(&self, position: u64, now: Nanos) -> Option<Nanos> {
        let wanted = (self.cut || self.all) && self.news(position);
        let last = self.last.filter(|_| wanted)?;
        let next = Nanos(last.0.saturating_add(SPACING.0));
        (next > now).then_some(next)
    }

    /// The position that the guest may know of, in frames since OPEN.
    #[must_use]
    pub const fn told(&self) -> u64 {
        self.told
    }

    /// The position to tell a guest that was played up to `position`, if that is due.
    #[must_use]
    pub fn due(&self, position: u64, now: Nanos) -> Option<u64> {
        let news = position.saturating_sub(self.told);
        if self.period == 0 || news == 0 {
            return None;
        }
        if let Some(last) = self.last
            && now.0.saturating_sub(last.0) < SPACING.0
        {
            return None;
        }
        let period = u64::from(self.period);
        let past = self.towards_period.saturating_add(news);
        if past > period && !self.all && !self.recorded {
            // As many whole periods as are over, and one frame.
            let beyond = (past - 1) % period;
            return Some(position.saturating_sub(beyond));
        }
        (past > period || news >= u64::from(self.step)).then_some(position)
    }

    /// Whether the guest wants events at all and does not know this position.
    #[must_use]
    pub const fn news(&self, position: u64) -> bool {
        self.period != 0 && position > self.told
    }

    /// Counts an event that was placed, as the guest will; `reached` is how far it was played.
    pub fn tell(&mut self, position: u64, reached: u64, now: Nanos) {
        self.left_out = reached.saturating_sub(position);
        self.cut = self.left_out >= u64::from(self.step);
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
        progress.tell(990, 990, millis(0));
        assert_eq!(progress.due(1000, millis(5)), None);
        assert_eq!(progress.due(1001, millis(5)), Some(1001));
        progress.tell(1001, 1001, millis(5));
        assert_eq!(progress.due(1002, millis(9)), None, "one frame of the next");
    }

    #[test]
    fn the_end_of_a_period_is_told_as_such_and_what_is_beyond_with_the_next_event() {
        let mut progress = Progress::new(1000, 48_000);
        progress.tell(900, 900, millis(0));
        assert_eq!(progress.due(1200, millis(5)), Some(1001));
        let soon = Nanos(500_000);
        assert_eq!(progress.rest(1200, soon), None, "nothing was left out");
        progress.tell(1001, 1200, millis(5));
        assert_eq!(progress.rest(1200, millis(5)), Some(Nanos(5_900_000)));
        assert_eq!(progress.due(1440, millis(10)), Some(1440));
        progress.tell(1440, 1440, millis(10));
        assert_eq!(
            progress.due(4321, millis(70)),
            Some(4001),
            "several at once"
        );
    }

    #[test]
    fn events_are_no_closer_than_a_tick() {
        let mut progress = Progress::new(48, 48_000);
        assert_eq!(progress.due(48, millis(0)), Some(48));
        progress.tell(48, 48, millis(0));
        assert_eq!(progress.due(200, Nanos(800_000)), None);
        assert_eq!(progress.due(200, millis(1)), Some(193));
    }

    #[test]
    fn long_periods_are_told_of_every_millisecond_at_most_and_every_three_at_least() {
        let mut progress = Progress::new(48_000, 48_000);
        progress.tell(0, 0, millis(0));
        assert_eq!(progress.due(47, millis(1)), None);
        assert_eq!(progress.due(48, millis(1)), Some(48));
        let stale = progress.stale(millis(1)).unwrap();
        assert!(stale > millis(2) && stale < millis(3));
        assert_eq!(progress.stale(stale), None, "it is looked at now");
        // What left out a millisecond is old a millisecond sooner.
        progress.tell(48, 96, millis(0));
        let sooner = progress.stale(millis(1)).unwrap();
        assert_eq!(sooner, Nanos(stale.0 - 1_000_000));
    }

    #[test]
    fn a_stream_without_periods_gets_no_events() {
        let progress = Progress::new(0, 48_000);
        assert_eq!(progress.due(1_000_000, millis(1000)), None);
        assert!(!progress.news(1_000_000));
    }
}
