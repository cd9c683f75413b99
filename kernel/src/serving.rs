//! What serves guests, kept where a fault of our own finds it: guests are owed time to close.
//!
//! Linux' driver frees a guest's streams when its backend is gone, and writes to them when the
//! program that plays closes them. So after a fault the same code goes on for a moment, without a
//! card and only to refuse: programs see an error and close, and then this domain may crash.

use crate::card::HdaCard;
use crate::event;
use crate::hypercall;
use crate::time;
use crate::world::Xen;
use crate::xenstore_io::StoreRing;
use ring_backend::backend::{Backend, GOODBYE_MILLIS};
use ring_backend::plane::Plane;
use ring_backend::world::Nanos;
use spin::{Mutex, MutexGuard};

/// When Xen ends the domain if it hangs, on what the fault left behind.
const WATCHDOG_SECONDS: u32 = 5;

/// The backend and its way to xenstore.
pub struct Serving {
    pub backend: Backend<Plane<Xen>>,
    pub ring: StoreRing,
}

impl Serving {
    /// [`Backend::poll`] in this domain's world.
    // Two callers would have it inlined twice, which is 14 KB.
    #[inline(never)]
    pub fn poll(&mut self, card: Option<&mut HdaCard>) -> Option<Nanos> {
        self.backend
            .poll(time::now(), &mut Xen, card, &mut self.ring)
    }
}

// Elsewhere: a static that is not all zeros takes its room in the image.
static PLACE: Mutex<Option<&'static mut Serving>> = Mutex::new(None);

/// Where the loop keeps it for as long as it runs.
pub fn place() -> MutexGuard<'static, Option<&'static mut Serving>> {
    PLACE.lock()
}

/// Has guests close, in [`GOODBYE_MILLIS`] at most. Only on the way to the domain's end: the loop
/// must never run again.
pub fn farewell() {
    // SAFETY: the domain has one vCPU and no upcalls: a holder never runs again.
    unsafe { PLACE.force_unlock() };
    let mut place = place();
    let Some(serving) = &mut *place else {
        return;
    };
    hypercall::watchdog(WATCHDOG_SECONDS);
    let now = time::now();
    let end = now.plus_millis(GOODBYE_MILLIS);
    serving.backend.part(now);
    while !serving.backend.parted() && time::now() < end {
        event::take(serving.ring.port());
        let next = serving.poll(None);
        event::sleep(next.into_iter().chain([end]).min());
    }
}
