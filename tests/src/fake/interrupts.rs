//! A guest's interrupts: some time after the backend's notifications.

use super::front::Front;
use ring_backend::world::Nanos;

/// Those of a stream's ring and of its events.
#[derive(Debug, Default)]
pub struct Interrupts {
    ring: Option<Nanos>,
    event: Option<Nanos>,
}

impl Interrupts {
    /// Takes the backend's notifications as interrupts that come at `at`, unless some are to come
    /// already.
    pub fn sense(&mut self, front: &Front, at: Nanos) {
        if front.xen.guest_take(front.dom, front.ring_port) {
            self.ring.get_or_insert(at);
        }
        if front.xen.guest_take(front.dom, front.event_port) {
            self.event.get_or_insert(at);
        }
    }

    /// When the next one comes, or when the application does something by itself.
    #[must_use]
    pub fn next(&self, own: Option<Nanos>) -> Option<Nanos> {
        [own, self.ring, self.event].into_iter().flatten().min()
    }

    /// Whether the ring's has come.
    pub fn take_ring(&mut self, now: Nanos) -> bool {
        self.ring.take_if(|at| *at <= now).is_some()
    }

    /// Whether the events' has come.
    pub fn take_event(&mut self, now: Nanos) -> bool {
        self.event.take_if(|at| *at <= now).is_some()
    }
}
