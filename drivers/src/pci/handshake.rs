//! Introduces this domain to pciback and learns which functions it has been given.
//!
//! All functions of a domain share one front-end device, `device/pci/0`. The backend says on
//! which virtual address each function appears (`vdev-N`) and which host function it is
//! (`dev-N`); the two belong together by their index.

use core::fmt::{self, Write as _};

use heapless::{String, Vec};

use super::{Address, Store, StoreError};
use crate::{Clock, Micros};

/// Most functions of one domain.
pub const FUNCTIONS: usize = 16;
/// Longest path or value.
const TEXT: usize = 96;
/// How long the backend may take to get to a state.
const STATE: Micros = Micros::millis(10_000);
/// Pause between two looks at its state.
const LOOK: Micros = Micros::millis(2);
/// What pciback wants to see as `magic` (`XEN_PCI_MAGIC`).
const MAGIC: &str = "7";

/// Xenbus states (`xen/include/public/io/xenbus.h`).
const INITIALISING: u32 = 1;
const INIT_WAIT: u32 = 2;
const INITIALISED: u32 = 3;
const CONNECTED: u32 = 4;
const CLOSING: u32 = 5;
const CLOSED: u32 = 6;

/// One function that this domain has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Where operations find it.
    pub address: Address,
    /// Which function of the host it is, if the backend says so.
    pub host: Option<Address>,
}

/// Why there is no connection to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// This domain has not been given any PCI device.
    NoDevice,
    /// The backend did not get ready for us.
    BackendNotReady,
    /// The backend did not take what we published.
    BackendNotConnected,
    /// The backend closed.
    BackendClosed,
    /// The backend names no function that can be understood.
    NoFunction,
    /// The store failed.
    Store(StoreError),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice => f.write_str("no PCI device was given to this domain"),
            Self::BackendNotReady => f.write_str("the PCI backend does not get ready"),
            Self::BackendNotConnected => f.write_str("the PCI backend does not connect"),
            Self::BackendClosed => f.write_str("the PCI backend closed"),
            Self::NoFunction => f.write_str("the PCI backend names no function"),
            Self::Store(error) => write!(f, "the store failed: {error:?}"),
        }
    }
}

impl core::error::Error for HandshakeError {}

impl From<StoreError> for HandshakeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What the backend needs to reach this domain.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Grant of the operation page.
    pub page: u32,
    /// Unbound event channel port.
    pub port: u32,
}

/// Connects to the backend; the functions that it serves.
///
/// # Errors
/// What stood in the way; every wait is bounded by ten seconds.
pub fn connect(
    store: &mut impl Store,
    clock: &impl Clock,
    offer: Offer,
) -> Result<Vec<Function, FUNCTIONS>, HandshakeError> {
    let backend = match read(store, "device/pci/0/backend") {
        Ok(path) => path,
        Err(StoreError::Missing) => return Err(HandshakeError::NoDevice),
        Err(error) => return Err(error.into()),
    };
    let ready = |state| (INIT_WAIT..=CONNECTED).contains(&state);
    await_state(
        store,
        clock,
        &backend,
        HandshakeError::BackendNotReady,
        ready,
    )?;

    let page = decimal(offer.page);
    let port = decimal(offer.port);
    let state = decimal(INITIALISED);
    store.write_all(&[
        ("device/pci/0/pci-op-ref", &page),
        ("device/pci/0/event-channel", &port),
        ("device/pci/0/magic", MAGIC),
        ("device/pci/0/state", &state),
    ])?;
    await_state(
        store,
        clock,
        &backend,
        HandshakeError::BackendNotConnected,
        |state| state == CONNECTED,
    )?;

    let functions = functions(store, &backend)?;
    let state = decimal(CONNECTED);
    store.write_all(&[("device/pci/0/state", &state)])?;
    if functions.is_empty() {
        return Err(HandshakeError::NoFunction);
    }
    Ok(functions)
}

fn await_state(
    store: &mut impl Store,
    clock: &impl Clock,
    backend: &str,
    late: HandshakeError,
    good: impl Fn(u32) -> bool,
) -> Result<(), HandshakeError> {
    let deadline = clock.now().plus(STATE);
    for _ in 0..=STATE.0 / LOOK.0 {
        // A node that is not there yet is a backend that has not begun.
        let state = match read(store, &node(backend, "state")?) {
            Ok(text) => text.parse().unwrap_or(INITIALISING),
            Err(StoreError::Missing) => INITIALISING,
            Err(error) => return Err(error.into()),
        };
        if good(state) {
            return Ok(());
        }
        if state == CLOSING || state == CLOSED {
            return Err(HandshakeError::BackendClosed);
        }
        if clock.now() >= deadline {
            break;
        }
        clock.pause(LOOK);
    }
    Err(late)
}

fn functions(
    store: &mut impl Store,
    backend: &str,
) -> Result<Vec<Function, FUNCTIONS>, HandshakeError> {
    let mut functions = Vec::new();
    let count = read(store, &node(backend, "num_devs")?)?;
    let count = count.parse::<usize>().unwrap_or(0).min(FUNCTIONS);
    for index in 0..count {
        let mut address = |prefix: &str| {
            let mut name = String::<TEXT>::new();
            write!(name, "{backend}/{prefix}-{index}").ok()?;
            Address::parse(&read(store, &name).ok()?)
        };
        // One that has no virtual address is not exported (yet, or any more).
        if let Some(found) = address("vdev") {
            let function = Function {
                address: found,
                host: address("dev"),
            };
            let _ = functions.push(function);
        }
    }
    Ok(functions)
}

fn node(directory: &str, name: &str) -> Result<String<TEXT>, StoreError> {
    let mut path = String::new();
    write!(path, "{directory}/{name}").map_err(|_| StoreError::TooLong)?;
    Ok(path)
}

fn read(store: &mut impl Store, path: &str) -> Result<String<TEXT>, StoreError> {
    let mut octets = [0; TEXT];
    let length = store.read(path, &mut octets)?;
    let value = octets.get(..length).ok_or(StoreError::TooLong)?;
    let text = core::str::from_utf8(value).map_err(|_| StoreError::Failed)?;
    String::try_from(text.trim_end_matches('\0')).map_err(|_| StoreError::TooLong)
}

fn decimal(number: u32) -> String<10> {
    let mut text = String::new();
    // Ten digits hold every u32.
    let _ = write!(text, "{number}");
    text
}
