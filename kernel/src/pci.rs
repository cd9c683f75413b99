//! The PCI front-end's page, port and store, for [`drivers::pci`].

use crate::event;
use crate::grant;
use crate::mm;
use crate::shared::Shared;
use crate::time::{self, DriverClock};
use crate::xenstore_io::{StoreRing, StoreWaiter};
use core::fmt;
use drivers::Micros;
use drivers::pci::audio::{self, AudioError, AudioFunction};
use drivers::pci::front::PciFront;
use drivers::pci::handshake::{self, HandshakeError, Offer};
use drivers::pci::{EachNode, OpChannel, Store, StoreError};
use ring_backend::world::{DomId, LocalPort, Nanos};
use ring_backend::xenstore::{self as xs, Blocking, BlockingError};

/// pciback lives in the domain that owns the hardware.
const HARDWARE_DOMAIN: DomId = DomId(0);

/// The operation page and its event channel.
pub struct OpPage {
    page: Shared,
    port: LocalPort,
}

/// A connection to pciback.
pub type Front = PciFront<OpPage, DriverClock>;

/// Why there is no sound card to drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PciError {
    /// No page, grant or event channel is left for the operation page.
    NoOffer,
    /// pciback and we did not find together.
    Handshake(HandshakeError),
    /// What it gave us is no sound card.
    Audio(AudioError),
}

impl fmt::Display for PciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOffer => f.write_str("Xen gives no grant or event channel for pciback"),
            Self::Handshake(error) => error.fmt(f),
            Self::Audio(error) => error.fmt(f),
        }
    }
}

/// Connects to pciback, finds the sound card and switches it on.
///
/// # Errors
/// What stood in the way.
// As one piece with the rest of start-up it would be 0.5 KB longer.
#[inline(never)]
pub fn connect(store: &mut impl Store) -> Result<(Front, AudioFunction), PciError> {
    let page = mm::take_page().ok_or(PciError::NoOffer)?;
    let gref = grant::lend(HARDWARE_DOMAIN, page).map_err(|_| PciError::NoOffer)?;
    let port = event::offer(HARDWARE_DOMAIN).map_err(|_| PciError::NoOffer)?;
    // Who waits for an answer looks at it; what comes at any other time, nobody would ever take.
    event::listen(port, false);
    // SAFETY: taken and lent for this and never given back.
    let page = unsafe { Shared::new(page, mm::PAGE) };
    page.clear();
    let offer = Offer {
        page: gref,
        port: port.0,
    };
    let functions = handshake::connect(store, &DriverClock, offer).map_err(PciError::Handshake)?;
    let mut front = PciFront::new(OpPage { page, port }, DriverClock);
    let function = audio::find(&mut front, &functions).map_err(PciError::Audio)?;
    function.enable(&mut front).map_err(PciError::Audio)?;
    function.tune(&mut front).map_err(PciError::Audio)?;
    Ok((front, function))
}

impl OpChannel for OpPage {
    fn load(&self, offset: usize) -> u32 {
        self.page.load(offset)
    }

    fn store(&mut self, offset: usize, value: u32) {
        self.page.store(offset, value);
    }

    fn set_bits(&mut self, offset: usize, bits: u32) {
        self.page.set_bits(offset, bits);
    }

    fn notify(&mut self) {
        event::notify(self.port);
    }

    fn wait(&mut self, limit: Micros) {
        let until = Nanos(time::now().0.saturating_add(limit.0.saturating_mul(1000)));
        // Notified before the caller's last look: it looks again first.
        event::give_way(self.port, until);
    }
}

/// The token of the only watch there is at start-up.
const WATCH: &str = "pci";

/// xenstore as the drivers want it during start-up.
pub struct StartStore<'a>(pub Blocking<'a, StoreRing, StoreWaiter>);

/// The drivers' view of a failed request.
fn error(error: BlockingError) -> StoreError {
    match error {
        BlockingError::Store(xs::StoreError::NotFound) => StoreError::Missing,
        BlockingError::Unreadable => StoreError::TooLong,
        _ => StoreError::Failed,
    }
}

impl Store for StartStore<'_> {
    fn read_all(&mut self, paths: &[&str], each: &mut EachNode<'_>) -> Result<(), StoreError> {
        self.0
            .read_all(paths, |index, value| {
                each(
                    index,
                    value.map_err(|refused| error(BlockingError::Store(refused))),
                );
            })
            .map_err(error)
    }

    fn begin_writes(&mut self, nodes: &[(&str, &str)]) -> Result<(), StoreError> {
        self.0.begin_writes(nodes).map_err(error)
    }

    fn watch(&mut self, path: &str) -> Result<(), StoreError> {
        self.0.begin_watch(path, WATCH).map_err(error)
    }

    fn unwatch(&mut self, path: &str) -> Result<(), StoreError> {
        self.0.begin_unwatch(path, WATCH).map_err(error)
    }

    fn wait_for_change(&mut self) -> Result<(), StoreError> {
        self.0.wait_for_change().map(|_| ()).map_err(error)
    }
}
