//! Ring indices as pure arithmetic: requests in, events out.
//!
//! A guest may write any value into a shared counter at any time, so the backend keeps its own
//! and only ever asks whether the guest's fits. The producer test is stricter than Xen's
//! `RING_REQUEST_PROD_OVERFLOW`, which a producer that moved backwards can pass: with
//! `cons - rsp_prod <= SLOTS`, what is pending must also fit into the slots not yet answered.
//! Consuming then keeps the invariant. See `xen/include/public/io/ring.h` and `sndif.h`.

use crate::wire::PACKET_OCTETS;

/// Slots of the request ring: a page less 64 octets, in packets, rounded down to a power of two.
pub const REQUEST_SLOTS: u8 = 32;
/// Slots of the event ring: a page less 64 octets, in packets.
pub const EVENT_SLOTS: u8 = 63;
/// Octets of either page before its first slot.
const HEADER_OCTETS: usize = 64;

/// A free-running ring counter. The rings use `u32`; `u8` lets a test try every state.
pub trait Counter: Copy + Eq {
    /// The counter `slots` further on, round the top.
    fn plus(self, slots: u8) -> Self;
    /// How far this counter is ahead of `other`, round the top; `None` where that is beyond 255.
    fn since(self, other: Self) -> Option<u8>;
    /// The slot of a ring of [`REQUEST_SLOTS`] that this counter names.
    fn request_slot(self) -> u8;
}

impl Counter for u32 {
    fn plus(self, slots: u8) -> Self {
        self.wrapping_add(u32::from(slots))
    }

    fn since(self, other: Self) -> Option<u8> {
        u8::try_from(self.wrapping_sub(other)).ok()
    }

    fn request_slot(self) -> u8 {
        self.to_le_bytes()[0] % REQUEST_SLOTS
    }
}

impl Counter for u8 {
    fn plus(self, slots: u8) -> Self {
        self.wrapping_add(slots)
    }

    fn since(self, other: Self) -> Option<u8> {
        Some(self.wrapping_sub(other))
    }

    fn request_slot(self) -> u8 {
        self % REQUEST_SLOTS
    }
}

/// A guest's producer counter that no honest guest can have; its ring is not served any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenRing;

/// A slot of a ring page; made by checked indices only, so it always lies in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u8);

impl Slot {
    /// Where the slot begins in its page, in octets.
    #[must_use]
    pub fn octet(self) -> usize {
        HEADER_OCTETS + usize::from(self.0) * PACKET_OCTETS
    }
}

/// The backend's own counters of a request ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestIndices<C> {
    taken: C,
    answered: C,
}

impl<C: Counter> RequestIndices<C> {
    /// Begins where both ends agree that everything up to `at` is answered.
    pub const fn new(at: C) -> Self {
        Self {
            taken: at,
            answered: at,
        }
    }

    /// Requests taken and not yet answered.
    pub fn outstanding(&self) -> u8 {
        // The invariant keeps this at most REQUEST_SLOTS.
        self.taken.since(self.answered).unwrap_or(REQUEST_SLOTS)
    }

    /// Requests that wait between the last one taken and the guest's `producer`.
    ///
    /// # Errors
    /// They cannot all lie in slots that the guest may use.
    pub fn pending(&self, producer: C) -> Result<u8, BrokenRing> {
        let room = REQUEST_SLOTS.saturating_sub(self.outstanding());
        match producer.since(self.taken) {
            Some(pending) if pending <= room => Ok(pending),
            _ => Err(BrokenRing),
        }
    }

    /// Takes the next request, if one waits.
    ///
    /// # Errors
    /// As [`Self::pending`].
    pub fn take(&mut self, producer: C) -> Result<Option<Slot>, BrokenRing> {
        if self.pending(producer)? == 0 {
            return Ok(None);
        }
        let slot = Slot(self.taken.request_slot());
        self.taken = self.taken.plus(1);
        Ok(Some(slot))
    }

    /// The slot for the next response, if a request is unanswered; counts it as answered.
    pub fn answer(&mut self) -> Option<Slot> {
        if self.outstanding() == 0 {
            return None;
        }
        let slot = Slot(self.answered.request_slot());
        self.answered = self.answered.plus(1);
        Some(slot)
    }

    /// The counter to publish as `rsp_prod`.
    pub const fn answered(&self) -> C {
        self.answered
    }

    /// The counter to publish as `req_event`: the next request shall be signalled.
    pub fn signal_at(&self) -> C {
        self.taken.plus(1)
    }
}

/// Whether the other end asked to be told when its counter `asked` is passed, and it was by the
/// step from `before` to `after`.
pub fn must_notify<C: Counter>(before: C, after: C, asked: C) -> bool {
    match (after.since(asked), after.since(before)) {
        (Some(past), Some(step)) => past < step,
        _ => false,
    }
}

/// The backend's own counter of an event ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventIndices {
    placed: u32,
}

impl EventIndices {
    /// Begins with an empty ring.
    #[must_use]
    pub const fn new(at: u32) -> Self {
        Self { placed: at }
    }

    /// The slot for the next event, given the guest's `consumer`; `None` where there is none.
    ///
    /// A consumer outside the ring counts as a full ring. 2^32 is no multiple of 63, so slots on
    /// both sides of the counter's wrap overlap: it is crossed with an empty ring only.
    #[must_use]
    pub fn free(&self, consumer: u32) -> Option<Slot> {
        let waiting = self.placed.checked_sub(consumer)?;
        if waiting >= u32::from(EVENT_SLOTS) {
            return None;
        }
        u8::try_from(self.placed % u32::from(EVENT_SLOTS))
            .ok()
            .map(Slot)
    }

    /// Counts an event as placed.
    pub const fn place(&mut self) {
        self.placed = self.placed.wrapping_add(1);
    }

    /// The counter to publish as `in_prod`.
    #[must_use]
    pub const fn placed(&self) -> u32 {
        self.placed
    }

    /// Whether the guest has consumed everything.
    #[must_use]
    pub const fn empty(&self, consumer: u32) -> bool {
        self.placed == consumer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state that a ring of 8-bit counters can be in.
    fn every_state() -> impl Iterator<Item = RequestIndices<u8>> {
        (0..=u8::MAX).flat_map(|answered| {
            (0..=REQUEST_SLOTS).map(move |outstanding| RequestIndices {
                taken: answered.wrapping_add(outstanding),
                answered,
            })
        })
    }

    #[test]
    fn no_producer_whatever_lets_more_be_taken_than_the_ring_has_slots() {
        for state in every_state() {
            for producer in 0..=u8::MAX {
                let mut ring = state;
                let Ok(pending) = ring.pending(producer) else {
                    assert_eq!(ring.take(producer), Err(BrokenRing));
                    assert_eq!(ring, state, "a refused producer changes nothing");
                    continue;
                };
                for left in (0..pending).rev() {
                    assert!(matches!(ring.take(producer), Ok(Some(_))));
                    assert_eq!(ring.pending(producer), Ok(left));
                }
                assert_eq!(ring.take(producer), Ok(None));
                assert_eq!(ring.taken, producer);
                assert!(ring.outstanding() <= REQUEST_SLOTS);
            }
        }
    }

    #[test]
    fn every_producer_an_honest_guest_can_have_is_accepted() {
        for state in every_state() {
            for ahead in 0..=REQUEST_SLOTS - state.outstanding() {
                assert_eq!(state.pending(state.taken.wrapping_add(ahead)), Ok(ahead));
            }
        }
    }

    #[test]
    fn a_producer_that_moved_backwards_breaks_the_ring() {
        // Xen's own overflow test passes these: producer - answered is within the ring.
        let ring = RequestIndices {
            taken: 1_023_279_616_u32,
            answered: 1_023_279_584,
        };
        assert_eq!(ring.pending(1_023_279_591), Err(BrokenRing));
    }

    #[test]
    fn responses_use_the_slots_of_their_requests_in_order_across_the_wrap() {
        let mut ring = RequestIndices::new(u32::MAX - 1);
        let taken: [_; 4] = core::array::from_fn(|_| ring.take(2).unwrap().unwrap().octet());
        let answered: [_; 4] = core::array::from_fn(|_| ring.answer().unwrap().octet());
        assert_eq!(taken, [64 + 30 * 64, 64 + 31 * 64, 64, 128]);
        assert_eq!(answered, taken);
        assert_eq!(ring.answer(), None, "nothing is answered twice");
        assert_eq!(ring.answered(), 2);
    }

    #[test]
    fn a_notification_goes_out_exactly_when_the_asked_counter_is_passed() {
        for before in 0..=u8::MAX {
            for step in 0..=REQUEST_SLOTS {
                let after = before.wrapping_add(step);
                for asked in 0..=u8::MAX {
                    let passed = (1..=step).any(|n| before.wrapping_add(n) == asked);
                    assert_eq!(must_notify(before, after, asked), passed);
                }
            }
        }
    }

    #[test]
    fn the_event_ring_holds_sixty_three_and_not_one_more() {
        let mut ring = EventIndices::new(7);
        for _ in 0..EVENT_SLOTS {
            assert!(ring.free(7).is_some());
            ring.place();
        }
        assert_eq!(ring.free(7), None);
        assert_eq!(ring.free(8), Some(Slot(7)));
    }

    #[test]
    fn an_absurd_event_consumer_counts_as_a_full_ring() {
        let ring = EventIndices::new(1000);
        assert_eq!(ring.free(1001), None, "ahead of the producer");
        assert_eq!(ring.free(0), None, "far behind");
        assert_eq!(ring.free(u32::MAX), None);
        assert_eq!(ring.free(1000 - 63), None);
    }

    #[test]
    fn the_event_counter_wraps_with_an_empty_ring_only() {
        let mut ring = EventIndices::new(u32::MAX);
        assert_eq!(ring.free(u32::MAX), Some(Slot(3)), "2^32 - 1 = 3 mod 63");
        ring.place();
        assert_eq!(ring.placed(), 0);
        assert_eq!(ring.free(u32::MAX), None, "one event waits across the wrap");
        assert_eq!(ring.free(0), Some(Slot(0)));
    }

    #[test]
    fn no_two_waiting_events_share_a_slot() {
        for start in [0, 1, 62, 63, u32::MAX - 70] {
            let mut ring = EventIndices::new(start);
            let mut slots = [false; 63];
            while let Some(slot) = ring.free(start) {
                let slot = &mut slots[usize::from(slot.0)];
                assert!(!*slot, "start {start}");
                *slot = true;
                ring.place();
            }
        }
    }
}
