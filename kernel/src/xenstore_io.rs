//! Bytes to and from xenstored: one shared page, two rings of 1 KiB.
//!
//! Layout: `xen/include/public/io/xs_wire.h`. What the bytes mean is
//! [`ring_backend::xenstore`]'s business.

use crate::event;
use crate::mm;
use crate::shared::Shared;
use crate::start::DaemonRing;
use crate::time;
use core::fmt;
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use ring_backend::world::{LocalPort, Nanos};
use ring_backend::xenstore::Waiter;

const RING_OCTETS: u32 = 1024;
const REQUESTS: usize = 0;
const RESPONSES: usize = 1024;
const REQ_CONS: usize = 2048;
const REQ_PROD: usize = 2052;
const RSP_CONS: usize = 2056;
const RSP_PROD: usize = 2060;

/// Our end of the two rings.
pub struct StoreRing {
    page: Shared,
    port: LocalPort,
}

/// xenstored's index is more than a ring away from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenRing;

impl fmt::Display for BrokenRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the xenstore ring is broken")
    }
}

impl core::error::Error for BrokenRing {}

impl embedded_io::Error for BrokenRing {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl StoreRing {
    /// Opens the rings; lists their port so that answers end a sleep.
    pub fn new(ring: DaemonRing) -> Self {
        let port = LocalPort(ring.port);
        event::listen(port, true);
        Self {
            // SAFETY: the builder made this page for xenstored; nothing else here uses it.
            page: unsafe { Shared::new(ring.page, mm::PAGE) },
            port,
        }
    }

    /// The port that xenstored notifies.
    pub fn port(&self) -> LocalPort {
        self.port
    }

    /// Octets between two indices.
    fn filled(&self, producer: usize, consumer: usize) -> Result<u32, BrokenRing> {
        let filled = self
            .page
            .load(producer)
            .wrapping_sub(self.page.load(consumer));
        (filled <= RING_OCTETS).then_some(filled).ok_or(BrokenRing)
    }
}

impl ErrorType for StoreRing {
    type Error = BrokenRing;
}

impl ReadReady for StoreRing {
    fn read_ready(&mut self) -> Result<bool, BrokenRing> {
        Ok(self.filled(RSP_PROD, RSP_CONS)? > 0)
    }
}

impl Read for StoreRing {
    /// Reads what is there; nothing there is 0 octets, not a wait.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, BrokenRing> {
        let filled = self.filled(RSP_PROD, RSP_CONS)? as usize;
        let octets = into.len().min(filled);
        let into = &mut into[..octets];
        let consumed = self.page.load(RSP_CONS);
        let at = (consumed % RING_OCTETS) as usize;
        let (first, second) = into.split_at_mut(octets.min(RING_OCTETS as usize - at));
        self.page.copy_out(RESPONSES + at, first);
        self.page.copy_out(RESPONSES, second);
        self.page
            .store(RSP_CONS, consumed.wrapping_add(octets as u32));
        // xenstored waits for room if it found none, and it may have filled the ring since the look
        // above: so look again, now that it can see the room.
        self.page.fence();
        if self.page.load(RSP_PROD).wrapping_sub(consumed) >= RING_OCTETS && octets > 0 {
            event::notify(self.port);
        }
        Ok(octets)
    }
}

impl WriteReady for StoreRing {
    fn write_ready(&mut self) -> Result<bool, BrokenRing> {
        Ok(self.filled(REQ_PROD, REQ_CONS)? < RING_OCTETS)
    }
}

impl Write for StoreRing {
    /// Writes what fits; no room is 0 octets, not a wait.
    fn write(&mut self, from: &[u8]) -> Result<usize, BrokenRing> {
        let room = RING_OCTETS - self.filled(REQ_PROD, REQ_CONS)?;
        let octets = from.len().min(room as usize);
        let produced = self.page.load(REQ_PROD);
        let at = (produced % RING_OCTETS) as usize;
        let (first, second) = from[..octets].split_at(octets.min(RING_OCTETS as usize - at));
        self.page.copy_in(REQUESTS + at, first);
        self.page.copy_in(REQUESTS, second);
        let produced = produced.wrapping_add(octets as u32);
        self.page.store(REQ_PROD, produced);
        Ok(octets)
    }

    fn flush(&mut self) -> Result<(), BrokenRing> {
        event::notify(self.port);
        Ok(())
    }
}

/// How long start-up waits for one answer.
const ANSWER_MILLIS: u64 = 2000;

/// Waits for xenstored's answers during start-up.
pub struct StoreWaiter {
    port: LocalPort,
    until: Nanos,
}

impl StoreWaiter {
    /// For the ring behind `port`.
    pub fn new(port: LocalPort) -> Self {
        Self {
            port,
            until: time::now().plus_millis(ANSWER_MILLIS),
        }
    }
}

impl Waiter for StoreWaiter {
    fn wait(&mut self) -> bool {
        if time::now() >= self.until {
            return false;
        }
        // Pending since before the last look at the ring: look again first.
        event::give_way(self.port, self.until);
        true
    }

    fn begin(&mut self) {
        self.until = time::now().plus_millis(ANSWER_MILLIS);
    }
}
