//! What the backend asks of the domain it runs in.
//!
//! The kernel implements these over hypercalls, the tests over plain memory. Every method is
//! bounded and none blocks.

use crate::route::Routes;
pub use mix::card::{CardFormat, CardSample};

/// A point on the domain's monotonic clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The point `millis` milliseconds after this one.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(1_000_000)))
    }
}

/// A domain's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DomId(pub u16);

/// A grant reference as a guest wrote it; proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClaimedRef(pub u32);

/// An event channel port in a guest, as the guest wrote it; proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemotePort(pub u32);

/// An event channel port of this domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalPort(pub u32);

/// A grant that could not be mapped or copied: revoked, never made, or its domain is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantFault {
    /// Xen's `GNTST_*` status, negative (`xen/include/public/grant_table.h`).
    pub status: i16,
}

/// An event channel that could not be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFault {
    /// Xen's negative errno, or 0 where this domain has no port left to poll.
    pub errno: i32,
}

/// What a domain holds of Xen's, as whoever makes the hypercalls counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Holding {
    /// Pages of other domains mapped.
    pub pages: u32,
    /// Event channel ports open, whatever for.
    pub ports: u32,
}

/// Bytes of a page.
pub const PAGE_OCTETS: usize = 4096;

/// One page of a guest, mapped; dropping it unmaps.
///
/// The guest may write it at any time, so it yields copies and single counters only. Offsets are
/// the backend's own constants and computed slots; one outside the page is a bug of ours, and
/// reads zeros and writes nothing rather than panicking.
pub trait SharedPage {
    /// Loads a 32-bit counter with acquire ordering; `offset` is a multiple of 4.
    fn load(&self, offset: usize) -> u32;
    /// Stores a 32-bit counter with release ordering; `offset` is a multiple of 4.
    fn store(&mut self, offset: usize, value: u32);
    /// Orders earlier stores before later loads, as the notification hold-off needs.
    fn fence(&self);
    /// Copies out of the page once.
    fn copy_out(&self, offset: usize, into: &mut [u8]);
    /// Copies into the page.
    fn copy_in(&mut self, offset: usize, from: &[u8]);
}

/// Grants and event channels.
pub trait World {
    /// A mapped guest page.
    type Page: SharedPage;

    /// Maps one page that `dom` granted read-write.
    ///
    /// # Errors
    /// The grant is not good, or no mapping slot is left.
    fn map(&mut self, dom: DomId, gref: ClaimedRef) -> Result<Self::Page, GrantFault>;

    /// Copies out of a buffer that `dom` granted page by page: `into.len()` octets from octet
    /// `offset` of the buffer, in one batch.
    ///
    /// # Errors
    /// The first bad grant's status; `into` is then unspecified.
    fn copy_from(
        &mut self,
        dom: DomId,
        buffer: &[ClaimedRef],
        offset: usize,
        into: &mut [u8],
    ) -> Result<(), GrantFault>;

    /// Copies into a buffer that `dom` granted page by page, in one batch.
    ///
    /// # Errors
    /// The first bad grant's status; the buffer is then unspecified.
    fn copy_to(
        &mut self,
        dom: DomId,
        buffer: &[ClaimedRef],
        offset: usize,
        from: &[u8],
    ) -> Result<(), GrantFault>;

    /// Binds a local port to a port that `dom` offered.
    ///
    /// # Errors
    /// The port is not offered to this domain, or none is left here.
    fn bind(&mut self, dom: DomId, remote: RemotePort) -> Result<LocalPort, EventFault>;

    /// Closes a port; what was pending on it is forgotten.
    fn close(&mut self, port: LocalPort);

    /// Notifies the other end of a port.
    fn notify(&mut self, port: LocalPort);

    /// Whether the port was notified since the last call; clears it.
    fn take_event(&mut self, port: LocalPort) -> bool;

    /// Counts what is mapped and open now.
    fn holding(&self) -> Holding;

    /// Whether notifications of a port shall end a sleep; those of a new port do. `false` if
    /// this world cannot choose: then every port must be taken from, or the domain never sleeps.
    fn listen(&mut self, port: LocalPort, wanted: bool) -> bool {
        let _ = (port, wanted);
        false
    }
}

/// A card that stopped working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardFault;

/// The output of a sound card: a ring that its DMA engine reads for ever.
///
/// Frames are numbered from 0 at [`Card::start`] and never wrap. The card's ring holds
/// [`Card::ring_frames`] of them; frame `n` lies at `n % ring_frames`.
pub trait Card {
    /// The fixed format of the output.
    fn format(&self) -> CardFormat;
    /// Frames in the DMA ring.
    fn ring_frames(&self) -> usize;
    /// Frames that the DMA engine may fetch at once, ahead of its pace; 0 unless it is known to.
    fn leap_frames(&self) -> usize {
        0
    }
    /// Frames past its position that the DMA engine may have fetched: its FIFO. Known once
    /// started.
    fn fetch_ahead(&self) -> usize {
        0
    }
    /// Fills the ring with silence and lets the DMA engine run from frame 0.
    ///
    /// # Errors
    /// The controller does not start.
    fn start(&mut self) -> Result<(), CardFault>;
    /// Stops the DMA engine.
    fn stop(&mut self);
    /// The number of frames fetched since `start`; never decreases.
    ///
    /// # Errors
    /// The position is lost (controller gone or stuck).
    fn position(&mut self, now: Nanos) -> Result<u64, CardFault>;
    /// Writes whole frames in the card's format at frame `at`; wraps round the ring's end.
    fn write(&mut self, at: u64, frames: &[u8]);
    /// Its outputs and inputs, and which of them sound and are recorded from now.
    fn routes(&self) -> Routes {
        Routes::default()
    }

    /// What the card hears with; `None`: nothing.
    fn input(&mut self) -> Option<&mut dyn CardInput> {
        None
    }
}

/// The input of a sound card: a ring that its DMA engine fills for ever.
///
/// Frames are numbered as those of the output, from 0 at [`CardInput::start`].
pub trait CardInput {
    /// The fixed format of the input.
    fn format(&self) -> CardFormat;
    /// Frames in the DMA ring.
    fn ring_frames(&self) -> usize;
    /// Lets the DMA engine run from frame 0.
    ///
    /// # Errors
    /// The controller does not start.
    fn start(&mut self) -> Result<(), CardFault>;
    /// Stops the DMA engine.
    fn stop(&mut self);
    /// The number of frames that are in the ring since `start`; never decreases.
    ///
    /// # Errors
    /// The position is lost (controller gone or stuck).
    fn position(&mut self, now: Nanos) -> Result<u64, CardFault>;
    /// Reads whole frames from frame `at` on; wraps round the ring's end.
    fn read(&self, at: u64, frames: &mut [u8]);
}
