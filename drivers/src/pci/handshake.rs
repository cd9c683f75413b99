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
/// Looks at its state, should a store tell of changes that there are not.
const LOOKS: u32 = 1000;
/// Names the backend's directory.
const BACKEND: &str = "device/pci/0/backend";
/// What pciback wants to see as `magic` (`XEN_PCI_MAGIC`).
const MAGIC: &str = "7";

/// Xenbus states (`xen/include/public/io/xenbus.h`).
const INITIALISING: u32 = 1;
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
    // Every turn of the store costs a scheduling of dom0, which `xl create` keeps busy just now: so
    // no look at anything first, as the backend takes the offer when it is ready for it, and as much
    // as can be in one turn.
    let page = decimal(offer.page);
    let port = decimal(offer.port);
    let state = decimal(INITIALISED);
    store.begin_writes(&[
        ("device/pci/0/pci-op-ref", &page),
        ("device/pci/0/event-channel", &port),
        ("device/pci/0/magic", MAGIC),
        ("device/pci/0/state", &state),
    ])?;
    let backend = match read(store, [BACKEND]) {
        Ok([backend]) => backend,
        // What was refused is the offer: by a domain without a PCI device, which has no such nodes.
        Err(refused) => match read(store, [BACKEND])? {
            [Ok(_)] => return Err(refused.into()),
            [missing] => missing,
        },
    };
    let backend = match backend {
        Ok(path) => path,
        Err(StoreError::Missing) => return Err(HandshakeError::NoDevice),
        Err(error) => return Err(error.into()),
    };
    let state = node(&backend, "state")?;
    store.watch(&state)?;
    let functions = await_functions(store, clock, &backend, &state);
    store.unwatch(&state)?;
    let functions = functions?;
    let state = decimal(CONNECTED);
    store.begin_writes(&[("device/pci/0/state", &state)])?;
    if functions.is_empty() {
        return Err(HandshakeError::NoFunction);
    }
    Ok(functions)
}

/// Waits until the backend is connected, and reads what it serves. Its functions are written
/// before that state is, and the store reads in the order asked, so they are asked for with it.
fn await_functions(
    store: &mut impl Store,
    clock: &impl Clock,
    backend: &str,
    state_node: &str,
) -> Result<Vec<Function, FUNCTIONS>, HandshakeError> {
    let count_node = node(backend, "num_devs")?;
    let (vdev, dev) = function_nodes(backend, 0)?;
    let deadline = clock.now().plus(STATE);
    let mut state = INITIALISING;
    for _ in 0..LOOKS {
        let [answer, count, vdev, dev] = read(store, [state_node, &count_node, &vdev, &dev])?;
        // A node that is not there yet is a backend that has not begun.
        state = match answer {
            Ok(text) => text.parse().unwrap_or(INITIALISING),
            Err(StoreError::Missing) => INITIALISING,
            Err(error) => return Err(error.into()),
        };
        match state {
            CONNECTED => {
                let count = count?.parse::<usize>().unwrap_or(0).min(FUNCTIONS);
                return functions(store, backend, count, [vdev, dev]);
            }
            CLOSING | CLOSED => return Err(HandshakeError::BackendClosed),
            _ if clock.now() >= deadline => break,
            _ => store.wait_for_change()?,
        }
    }
    Err(if state < INITIALISED {
        HandshakeError::BackendNotReady
    } else {
        HandshakeError::BackendNotConnected
    })
}

/// The functions there are, of which the first has been read.
fn functions(
    store: &mut impl Store,
    backend: &str,
    count: usize,
    first: [Answer; 2],
) -> Result<Vec<Function, FUNCTIONS>, HandshakeError> {
    let mut functions = Vec::new();
    let mut answers = first;
    for index in 0..count {
        if index > 0 {
            let (vdev, dev) = function_nodes(backend, index)?;
            answers = read(store, [&vdev, &dev])?;
        }
        let [address, host] = answers
            .each_ref()
            .map(|answer| answer.as_ref().ok().and_then(|text| Address::parse(text)));
        // One that has no virtual address is not exported (yet, or any more).
        if let Some(address) = address {
            let _ = functions.push(Function { address, host });
        }
    }
    Ok(functions)
}

fn function_nodes(backend: &str, index: usize) -> Result<(String<TEXT>, String<TEXT>), StoreError> {
    let name = |prefix: &str| {
        let mut path = String::new();
        write!(path, "{backend}/{prefix}-{index}").map_err(|_| StoreError::TooLong)?;
        Ok(path)
    };
    Ok((name("vdev")?, name("dev")?))
}

fn node(directory: &str, name: &str) -> Result<String<TEXT>, StoreError> {
    let mut path = String::new();
    write!(path, "{directory}/{name}").map_err(|_| StoreError::TooLong)?;
    Ok(path)
}

/// What one node holds.
type Answer = Result<String<TEXT>, StoreError>;

/// Reads several nodes in one turn.
fn read<const N: usize>(
    store: &mut impl Store,
    paths: [&str; N],
) -> Result<[Answer; N], StoreError> {
    let mut answers = [const { Err(StoreError::Missing) }; N];
    store.read_all(&paths, &mut |index, value| {
        if let Some(answer) = answers.get_mut(index) {
            *answer = value.and_then(text);
        }
    })?;
    Ok(answers)
}

fn text(value: &[u8]) -> Answer {
    let text = core::str::from_utf8(value).map_err(|_| StoreError::Failed)?;
    String::try_from(text.trim_end_matches('\0')).map_err(|_| StoreError::TooLong)
}

fn decimal(number: u32) -> String<TEXT> {
    let mut text = String::new();
    // It has ten digits at most.
    let _ = write!(text, "{number}");
    text
}
