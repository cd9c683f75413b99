//! A monotonic count of octets out of a position that wraps, jitters or lies.
//!
//! `SDnLPIB` is an offset in the ring. Between two looks the stream may have gone round it any
//! number of times, and some chips show an offset a little older than the one before. Time
//! decides: the advance is the one that fits the offset and lies nearest to what the elapsed
//! time since the last look lets expect. What is believed is also paid for from an allowance that grows with time,
//! so no sequence of offsets makes the count run away from the clock.

use super::CardError;
use crate::Micros;

/// A count that was seen to stand still for this long is lost.
const LOST_AFTER: Micros = Micros::millis(200);
/// The allowance grows this much faster than the stream, in 1/64: two crystals never agree.
const TOLERANCE_64: u64 = 1;

/// Counts the octets that a stream took from its ring.
#[derive(Clone, Debug)]
pub struct Position {
    ring: u64,
    octets_per_second: u64,
    total: u64,
    offset: u64,
    /// When the count last moved.
    moved: Micros,
    /// When it was first seen not to move since then.
    stalled: Option<Micros>,
    /// The latest look.
    seen: Micros,
    allowance: u64,
}

impl Position {
    /// A stream at the start of a ring of `ring` octets, from `now` on.
    #[must_use]
    pub const fn new(ring: u32, octets_per_second: u32, now: Micros) -> Self {
        Self {
            ring: if ring == 0 { 1 } else { ring as u64 },
            octets_per_second: octets_per_second as u64,
            total: 0,
            offset: 0,
            moved: now,
            stalled: None,
            seen: now,
            allowance: (ring / 2) as u64,
        }
    }

    /// Takes the offset that the stream shows at `now`; the octets since the start.
    ///
    /// # Errors
    /// `PositionLost`: nothing sensible came for a fifth of a second.
    pub fn advance(&mut self, offset: u32, now: Micros) -> Result<u64, CardError> {
        // From look to look, so that an offset that stands still is not taken for whole rounds.
        let expected = self.octets_in(now.since(self.seen));
        self.seen = self.seen.max(now);
        // Unused allowance is kept, up to a ring: streams fetch in bursts, and make up for a
        // stall of their host.
        self.allowance = self
            .allowance
            .min(self.ring)
            .saturating_add(expected)
            .saturating_add(expected.saturating_mul(TOLERANCE_64) / 64);

        let offset = u64::from(offset);
        let offset = if offset == self.ring { 0 } else { offset };
        let ahead = if offset < self.ring {
            self.advance_near(offset, expected)
        } else {
            0
        };
        if ahead > 0 && ahead <= self.allowance {
            self.allowance = self.allowance.saturating_sub(ahead);
            self.total = self.total.saturating_add(ahead);
            self.offset = offset;
            self.moved = now;
            self.stalled = None;
        } else if self.stalled_for(now) > LOST_AFTER {
            return Err(CardError::PositionLost);
        }
        Ok(self.total)
    }

    /// Begins or goes on to watch a count that does not move; for how long it did not. Whoever
    /// was not looking cannot tell, so it counts from the first look that saw it.
    fn stalled_for(&mut self, now: Micros) -> Micros {
        now.since(*self.stalled.get_or_insert(now))
    }

    /// Whether the count moved at the latest look.
    #[must_use]
    pub const fn moves(&self) -> bool {
        self.stalled.is_none()
    }

    /// Whether the count was seen to stand still for `span`.
    #[must_use]
    pub fn stands(&self, now: Micros, span: Micros) -> bool {
        self.stalled.is_some_and(|since| now.since(since) >= span)
    }

    /// Takes an offset that something else shows, instead of those that did not move the count
    /// since it last moved; `None` if this one does not move it either.
    pub fn retake(&mut self, offset: u32, now: Micros) -> Option<u64> {
        let (total, seen) = (self.total, self.seen);
        self.seen = self.moved;
        let taken = self.advance(offset, now);
        self.seen = seen;
        taken.ok().filter(|&taken| taken > total)
    }

    /// The advance to `offset` that is nearest to `expected`; 0 if that would be backwards.
    fn advance_near(&self, offset: u64, expected: u64) -> u64 {
        let half = self.ring / 2;
        let within = offset
            .saturating_add(self.ring)
            .saturating_sub(self.offset)
            .checked_rem(self.ring)
            .unwrap_or(0);
        let round = expected.checked_rem(self.ring).unwrap_or(0);
        if within >= round {
            let over = within.saturating_sub(round);
            if over <= half {
                expected.saturating_add(over)
            } else {
                expected.saturating_sub(self.ring.saturating_sub(over))
            }
        } else {
            let under = round.saturating_sub(within);
            if under <= half {
                expected.saturating_sub(under)
            } else {
                expected.saturating_add(self.ring.saturating_sub(under))
            }
        }
    }

    const fn octets_in(&self, span: Micros) -> u64 {
        span.0.saturating_mul(self.octets_per_second) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: u32 = 16384;
    /// 48 kHz, two channels of 16 bits.
    const RATE: u32 = 192_000;

    fn at(position: &mut Position, octets: u64) -> Result<u64, CardError> {
        let now = Micros(octets * 1_000_000 / u64::from(RATE));
        position.advance((octets % u64::from(RING)) as u32, now)
    }

    #[test]
    fn a_true_offset_is_followed_round_and_round() {
        let mut position = Position::new(RING, RATE, Micros(0));
        for step in 1..2000 {
            let octets = step * 192;
            assert_eq!(at(&mut position, octets), Ok(octets));
        }
    }

    #[test]
    fn whole_rounds_between_two_looks_are_counted() {
        let mut position = Position::new(RING, RATE, Micros(0));
        assert_eq!(at(&mut position, 1000), Ok(1000));
        let later = 5 * u64::from(RING) + 2000;
        assert_eq!(at(&mut position, later), Ok(later));
    }

    #[test]
    fn an_offset_that_steps_back_holds_the_count() {
        let mut position = Position::new(RING, RATE, Micros(0));
        assert_eq!(at(&mut position, 4000), Ok(4000));
        assert_eq!(position.advance(3900, Micros(20_850)), Ok(4000));
        assert_eq!(at(&mut position, 4200), Ok(4200));
    }

    #[test]
    fn a_stall_that_is_made_up_for_is_followed() {
        let mut position = Position::new(RING, RATE, Micros(0));
        assert_eq!(at(&mut position, 1920), Ok(1920));
        for millis in 11..70 {
            assert_eq!(position.advance(1920, Micros::millis(millis)), Ok(1920));
        }
        assert_eq!(position.advance(8000, Micros::millis(70)), Ok(8000));
        assert_eq!(position.advance(13_440, Micros::millis(71)), Ok(13_440));
    }

    #[test]
    fn random_offsets_do_not_outrun_the_clock() {
        let mut position = Position::new(RING, RATE, Micros(0));
        let mut seed = 1_u32;
        let mut last = 0;
        for step in 0..100_000_u64 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let now = Micros(step * 100);
            let Ok(total) = position.advance(seed % RING, now) else {
                continue;
            };
            let elapsed = now.0 * u64::from(RATE) / 1_000_000;
            assert!(total <= elapsed + elapsed / 64 + u64::from(RING) / 2);
            assert!(total >= last);
            last = total;
        }
    }

    #[test]
    fn an_offset_that_stands_still_is_lost_after_a_fifth_of_a_second() {
        let mut position = Position::new(RING, RATE, Micros(0));
        assert_eq!(at(&mut position, 1000), Ok(1000));
        let mut lost = None;
        for millis in 6..1000 {
            if position.advance(1000, Micros::millis(millis)).is_err() {
                lost = Some(millis);
                break;
            }
        }
        assert!(lost.is_some_and(|millis| (200..=220).contains(&millis)));
    }

    #[test]
    fn an_offset_past_the_ring_moves_nothing_and_its_very_end_is_its_start() {
        let mut position = Position::new(RING, RATE, Micros(0));
        assert_eq!(position.advance(u32::MAX, Micros(10)), Ok(0));
        let round = Micros(u64::from(RING) * 1_000_000 / u64::from(RATE));
        assert_eq!(position.advance(RING, round), Ok(u64::from(RING)));
    }
}
