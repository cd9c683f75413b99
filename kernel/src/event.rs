//! Event channels: two-level bitmaps, never an upcall.
//!
//! Upcalls stay off, as the domain begins with them, so nothing interrupts it. It asks
//! instead: a channel's pending bit is set once by its first notification, further ones cost
//! nothing at all, and clearing it asks for the next. The domain sleeps in `SCHEDOP_poll` on the
//! channels it listed (`xen/include/public/{event_channel,sched}.h`).

use crate::hypercall::{self, Errno};
use crate::shared::Shared;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use heapless::Vec;
use ring_backend::world::{DomId, LocalPort, Nanos, RemotePort};
use spin::Mutex;
use xen_sys as xen;

/// Ports that `SCHEDOP_poll` takes.
pub const MAX_PORTS: usize = 128;
/// Octets of the pending bitmap before its first.
const PENDING: usize = 2048;
/// Ports of the two-level interface.
const PORTS: u32 = 4096;

/// The ports that end a sleep.
static LISTED: Mutex<Vec<u32, MAX_PORTS>> = Mutex::new(Vec::new());

/// Ports that are open.
static OPENED: AtomicU32 = AtomicU32::new(0);

/// How many ports are open.
pub fn opened() -> u32 {
    OPENED.load(Ordering::Relaxed)
}

/// Sleeps that ended, and nanoseconds slept.
static WAKEUPS: AtomicU64 = AtomicU64::new(0);
static ASLEEP: AtomicU64 = AtomicU64::new(0);

/// The pending bitmap.
static INFO: spin::Once<&'static Shared> = spin::Once::new();

/// Starts with nothing listed.
pub fn init(shared_info: &'static Shared) {
    INFO.call_once(|| shared_info);
}

/// Chooses whether a port ends sleeps. False if that cannot be: the list is full.
pub fn listen(port: LocalPort, wanted: bool) -> bool {
    let mut listed = LISTED.lock();
    match (listed.iter().position(|&other| other == port.0), wanted) {
        (None, true) => listed.push(port.0).is_ok(),
        (Some(index), false) => {
            listed.swap_remove(index);
            true
        }
        _ => true,
    }
}

/// Lists what `open` opens, or opens nothing.
fn open(open: impl FnOnce() -> Result<u32, Errno>) -> Result<LocalPort, Errno> {
    let mut listed = LISTED.lock();
    if listed.is_full() {
        return Err(Errno(0));
    }
    let port = open()?;
    let _ = listed.push(port);
    OPENED.fetch_add(1, Ordering::Relaxed);
    drop(listed);
    // Xen may have set it while binding; nothing was said yet.
    take(LocalPort(port));
    Ok(LocalPort(port))
}

/// Binds a port that `dom` offers to this domain.
///
/// # Errors
/// Xen's, or 0 where [`MAX_PORTS`] are open.
pub fn bind(dom: DomId, remote: RemotePort) -> Result<LocalPort, Errno> {
    open(|| {
        let mut argument = xen::evtchn_bind_interdomain {
            remote_dom: dom.0,
            remote_port: remote.0,
            local_port: 0,
        };
        hypercall::event_channel(&mut argument)?;
        Ok(argument.local_port)
    })
}

/// Offers a new port to `dom`.
///
/// # Errors
/// As [`bind`].
pub fn offer(dom: DomId) -> Result<LocalPort, Errno> {
    open(|| {
        let mut argument = xen::evtchn_alloc_unbound {
            dom: crate::abi::DOMID_SELF,
            remote_dom: dom.0,
            port: 0,
        };
        hypercall::event_channel(&mut argument)?;
        Ok(argument.port)
    })
}

/// Binds an interrupt that Xen gave to this domain; not shared.
///
/// # Errors
/// As [`bind`].
pub fn bind_pirq(pirq: u32) -> Result<LocalPort, Errno> {
    open(|| {
        let mut argument = xen::evtchn_bind_pirq {
            pirq,
            flags: 0,
            port: 0,
        };
        hypercall::event_channel(&mut argument)?;
        Ok(argument.port)
    })
}

/// Closes a port and forgets what is pending on it.
pub fn close(port: LocalPort) {
    let mut argument = xen::evtchn_close { port: port.0 };
    // Only a port that is not open is refused, and then there is nothing to close.
    if hypercall::event_channel(&mut argument).is_ok() {
        OPENED.fetch_sub(1, Ordering::Relaxed);
    }
    listen(port, false);
    take(port);
}

/// Notifies the other end.
pub fn notify(port: LocalPort) {
    let mut argument = xen::evtchn_send { port: port.0 };
    // The other end may be gone; that is its own affair.
    let _ = hypercall::event_channel(&mut argument);
}

/// Whether the port was notified; clears it.
pub fn take(port: LocalPort) -> bool {
    let Some(info) = INFO.get().filter(|_| port.0 < PORTS) else {
        return false;
    };
    let word = PENDING + (port.0 / 32 * 4) as usize;
    let bit = 1 << (port.0 % 32);
    // The look before the locked operation: most ports are quiet most of the time.
    info.load(word) & bit != 0 && info.clear_bits(word, bit) & bit != 0
}

/// Sleeps until a listed port is pending or until `deadline`. May return early.
pub fn sleep(deadline: Option<Nanos>) {
    let before = crate::time::now();
    if deadline.is_some_and(|deadline| deadline <= before) {
        return;
    }
    poll(&LISTED.lock(), deadline);
    left_to_others(before);
}

/// Sleeps until one of `ports` is pending or until `deadline`.
fn poll(ports: &[u32], deadline: Option<Nanos>) {
    // A refusal would only make this domain spin.
    let _ = hypercall::poll(ports, deadline.map(|deadline| deadline.0));
    WAKEUPS.fetch_add(1, Ordering::Relaxed);
}

/// Counts the time since `before` as asleep.
pub fn left_to_others(before: Nanos) {
    let span = crate::time::now().0.saturating_sub(before.0);
    ASLEEP.fetch_add(span, Ordering::Relaxed);
}

/// How long [`give_way`] does not sleep.
const NANOS_GIVING_WAY: u64 = 20_000_000;

/// Waits for `port`, listed or not, until `deadline`, for start-up. While dom0 is busy, as it is
/// when it starts a domain, who sleeps may get the processor back only at the end of dom0's slice,
/// and an answer from dom0 then takes 10 ms; who stays in the queue gets it back after one at most.
pub fn give_way(port: LocalPort, deadline: Nanos) {
    let before = crate::time::now();
    let patience = Nanos(before.0.saturating_add(NANOS_GIVING_WAY)).min(deadline);
    let came = loop {
        if take(port) {
            break true;
        }
        if crate::time::now() >= patience {
            break false;
        }
        hypercall::give_way();
    };
    if !came {
        poll(&[port.0], Some(deadline));
    }
    left_to_others(before);
}

/// Wake-ups so far, and nanoseconds slept.
pub fn sleeps() -> (u64, u64) {
    (
        WAKEUPS.load(Ordering::Relaxed),
        ASLEEP.load(Ordering::Relaxed),
    )
}
