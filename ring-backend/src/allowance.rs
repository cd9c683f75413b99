//! What one stream may cost: requests, octets, signals and mistakes per time.
//!
//! An honest front-end has one request outstanding and signals it once; it never meets these
//! bounds. Others are served at the bound, wake the domain ever less often, and are left alone
//! for a second when they do nothing but err. Nobody else is served later for it.

use crate::world::Nanos;

/// Requests per millisecond, and how many may come at once.
const REQUESTS_PER_MILLI: u64 = 16;
const REQUESTS_MOST: i64 = 32;
/// Octets copied per millisecond, and how many at once. One request may overdraw.
const OCTETS_PER_MILLI: u64 = 64 << 10;
const OCTETS_MOST: i64 = 256 << 10;
/// Signals without a request that are put up with before each doubles a pause.
const SPURIOUS_FREE: u32 = 8;
/// The longest pause is a millisecond times two to this.
const PAUSE_DOUBLINGS: u32 = 10;
const NANOS_PER_MILLI: u64 = 1_000_000;
/// The span over which refused requests are counted, and the pause after too many.
const STRIKE_MILLIS: u64 = 1000;

/// The account of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    requests: i64,
    octets: i64,
    refilled: Nanos,
    spurious: u32,
    deaf_until: Nanos,
    strikes: u32,
    strikes_since: Nanos,
    shut_until: Nanos,
}

impl Allowance {
    /// A full account.
    #[must_use]
    pub const fn new(now: Nanos) -> Self {
        Self {
            requests: REQUESTS_MOST,
            octets: OCTETS_MOST,
            refilled: now,
            spurious: 0,
            deaf_until: Nanos(0),
            strikes: 0,
            strikes_since: now,
            shut_until: Nanos(0),
        }
    }

    /// Adds what the time since the last call allows.
    pub fn refill(&mut self, now: Nanos) {
        let millis = now.0.saturating_sub(self.refilled.0) / NANOS_PER_MILLI;
        if millis == 0 {
            return;
        }
        self.refilled = self.refilled.plus_millis(millis);
        let add = |account: i64, rate: u64, most: i64| {
            let more = i64::try_from(millis.saturating_mul(rate)).unwrap_or(most);
            account.saturating_add(more).min(most)
        };
        self.requests = add(self.requests, REQUESTS_PER_MILLI, REQUESTS_MOST);
        self.octets = add(self.octets, OCTETS_PER_MILLI, OCTETS_MOST);
    }

    /// When the next request may be served: `None` for now.
    #[must_use]
    pub fn wait(&self, now: Nanos) -> Option<Nanos> {
        if now < self.shut_until {
            return Some(self.shut_until);
        }
        let short = self.requests <= 0 || self.octets <= 0;
        short.then(|| self.refilled.plus_millis(1).max(now))
    }

    /// Takes one request, and the octets it copied, off the account.
    pub fn spend(&mut self, octets: u64) {
        self.requests = self.requests.saturating_sub(1);
        let octets = i64::try_from(octets).unwrap_or(i64::MAX);
        self.octets = self.octets.saturating_sub(octets);
    }

    /// When signals are listened to again: `None` for now.
    #[must_use]
    pub fn deaf(&self, now: Nanos) -> Option<Nanos> {
        (now < self.deaf_until).then_some(self.deaf_until)
    }

    /// A signal came; `needless` if there was no request with it.
    pub fn signalled(&mut self, now: Nanos, needless: bool) {
        if !needless {
            self.spurious = 0;
            return;
        }
        self.spurious = self.spurious.saturating_add(1);
        if let Some(beyond) = self.spurious.checked_sub(SPURIOUS_FREE + 1) {
            let millis = 1 << beyond.min(PAUSE_DOUBLINGS);
            self.deaf_until = now.plus_millis(millis);
        }
    }

    /// Counts a refused request; `true` if that was one too many and the stream is shut for a
    /// while.
    pub fn strike(&mut self, now: Nanos, limit: u32) -> bool {
        if now >= self.strikes_since.plus_millis(STRIKE_MILLIS) {
            self.strikes = 0;
            self.strikes_since = now;
        }
        self.strikes = self.strikes.saturating_add(1);
        let out = self.strikes > limit;
        if out {
            self.strikes = 0;
            self.shut_until = now.plus_millis(STRIKE_MILLIS);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(count: u64) -> Nanos {
        Nanos(count * NANOS_PER_MILLI)
    }

    #[test]
    fn a_flood_is_served_at_the_bound() {
        let mut allowance = Allowance::new(millis(0));
        let mut served = 0;
        for tick in 0..1000 {
            allowance.refill(millis(tick));
            while allowance.wait(millis(tick)).is_none() {
                allowance.spend(0);
                served += 1;
            }
        }
        assert_eq!(served, 32 + 999 * 16);
    }

    #[test]
    fn an_overdrawn_account_waits_until_it_is_paid_back() {
        let mut allowance = Allowance::new(millis(0));
        allowance.spend(1 << 20);
        let mut at = millis(0);
        while let Some(until) = allowance.wait(at) {
            assert!(until > at, "waiting gets somewhere");
            at = until;
            allowance.refill(at);
        }
        assert_eq!(
            at,
            millis(13),
            "768 KiB at 64 KiB per millisecond, and a little"
        );
    }

    #[test]
    fn needless_signals_are_heard_ever_less_often_and_at_least_once_a_second() {
        let mut allowance = Allowance::new(millis(0));
        let mut heard = 0;
        for tick in 0..10_000 {
            if allowance.deaf(millis(tick)).is_none() {
                allowance.signalled(millis(tick), true);
                heard += 1;
            }
        }
        assert!((20..40).contains(&heard), "{heard}");
        allowance.signalled(millis(20_000), false);
        allowance.signalled(millis(20_000), true);
        assert_eq!(
            allowance.deaf(millis(20_000)),
            None,
            "forgiven by one request"
        );
    }

    #[test]
    fn mistakes_are_forgiven_after_a_second() {
        let mut allowance = Allowance::new(millis(0));
        for strike in 0..100 {
            assert!(!allowance.strike(millis(strike * 100), 16));
        }
        assert!((0..17).any(|_| allowance.strike(millis(20_000), 16)));
        assert_eq!(allowance.wait(millis(20_000)), Some(millis(21_000)));
        assert_eq!(allowance.wait(millis(21_000)), None);
    }
}
