//! The single requests that the control plane makes, and what it keeps of their answers.

use super::device::{Device, FRONT_OCTETS, own_path};
use crate::config::{ConfigFault, Key, Place, Want};
use crate::world::DomId;
use crate::xenbus::State;
use crate::xenstore::{Client, PATH_OCTETS, Refused, StoreError, Ticket, decimal};
use core::fmt::Write;
use heapless::String;

/// A path of ours: all fit, since the frontend's is at most [`FRONT_OCTETS`] long.
pub(super) type Path = String<PATH_OCTETS>;
/// Where the toolstack puts our devices, relative to this domain's directory.
pub(super) const ROOT: &str = "backend/vsnd";
/// The token of the watch on [`ROOT`].
pub(super) const ROOT_TOKEN: &str = "b";
/// The protocol versions that are served (`XENSND_PROTOCOL_VERSION`).
const VERSIONS: &[u8] = b"1,2";
/// What a device that finds no slot is told.
const TABLE_FULL: &[u8] = b"the audio domain serves as many devices as it can already";

/// One request. All but the first four are about the job's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Watch the root of our devices.
    WatchRoot,
    /// List the guests that have devices.
    Root,
    /// List one guest's devices.
    Guest(DomId),
    /// Tell a device that the table is full.
    Refuse(DomId, u32),
    /// Read `frontend`.
    FrontPath,
    /// Read `frontend-id`.
    FrontId,
    /// Watch the frontend's `state`.
    Watch,
    /// Undo that.
    Unwatch,
    /// Read our `state`.
    Own,
    /// Read our `online`.
    Online,
    /// Read the frontend's `state`.
    FrontState,
    /// Write `versions`.
    Versions,
    /// Make `error` what the device's error is.
    Error,
    /// Write our `state`.
    State(State),
    /// Fetch something of the frontend's directory.
    Survey(Want),
    /// Remove our directory.
    Remove,
}

/// What the answers to one job's requests came to.
#[derive(Debug, Default)]
pub(super) struct Got {
    /// Something was answered with an error that says nothing about the node.
    pub(super) trouble: bool,
    /// A change was refused.
    pub(super) refused: Option<StoreError>,
    pub(super) front_path: Option<String<FRONT_OCTETS>>,
    pub(super) front_id: Option<u32>,
    pub(super) own: Option<State>,
    pub(super) online: Option<bool>,
    pub(super) front: Option<State>,
    pub(super) fault: Option<ConfigFault>,
}

/// The token of the watch on the frontend's state of the device at `index`.
pub(super) fn front_token(index: usize) -> Path {
    let mut token = Path::new();
    // An index has at most three digits.
    let _ = write!(token, "f{index}");
    token
}

/// The path of a node below the frontend's directory.
fn front_path(device: &Device, at: Place, leaf: &str) -> Path {
    let mut path = Path::new();
    // All parts are short; see `Path`.
    let _ = path.push_str(device.front.as_deref().unwrap_or_default());
    if at != Place::Card {
        let _ = write!(path, "/{at}");
    }
    if !leaf.is_empty() {
        let _ = write!(path, "/{leaf}");
    }
    path
}

/// Sends a request about `device`, which stands at `index`.
pub(super) fn send(
    ask: Ask,
    client: &mut Client,
    device: Option<&Device>,
    index: usize,
) -> Result<Ticket, Refused> {
    let front = |at, leaf| device.map_or_else(Path::new, |device| front_path(device, at, leaf));
    let own = |leaf| device.map_or_else(Path::new, |device| device.own_path(leaf));
    match ask {
        Ask::WatchRoot => client.watch(ROOT, ROOT_TOKEN),
        Ask::Root => client.directory(ROOT),
        Ask::Guest(dom) => {
            let mut path = Path::new();
            let _ = write!(path, "{ROOT}/{}", dom.0);
            client.directory(&path)
        }
        Ask::Refuse(dom, dev) => client.write(&own_path(dom, dev, "error"), TABLE_FULL),
        Ask::FrontPath => client.read(&own("frontend")),
        Ask::FrontId => client.read(&own("frontend-id")),
        Ask::Watch => client.watch(&front(Place::Card, "state"), &front_token(index)),
        Ask::Unwatch => client.unwatch(&front(Place::Card, "state"), &front_token(index)),
        Ask::Own => client.read(&own("state")),
        Ask::Online => client.read(&own("online")),
        Ask::FrontState => client.read(&front(Place::Card, "state")),
        Ask::Versions => client.write(&own("versions"), VERSIONS),
        Ask::Error => match device.map(|device| device.error.as_bytes()) {
            Some(error) if !error.is_empty() => client.write(&own("error"), error),
            _ => client.rm(&own("error")),
        },
        Ask::State(state) => client.write(&own("state"), state.text().as_bytes()),
        Ask::Survey(Want::Listing(at)) => client.directory(&front(at, "")),
        Ask::Survey(Want::Value(at, key)) => client.read(&front(at, Key::name(key))),
        Ask::Remove => client.rm(&own("")),
    }
}

impl Got {
    /// Takes the answer to a read of one of the nodes that decide, or to a change.
    pub(super) fn take(&mut self, ask: Ask, result: Result<&[u8], StoreError>) {
        let value = match result {
            Ok(value) => Some(value),
            Err(StoreError::NotFound | StoreError::Denied) => None,
            Err(_) => {
                self.trouble = true;
                None
            }
        };
        match ask {
            Ask::FrontPath => {
                self.front_path = value
                    .and_then(|path| core::str::from_utf8(path).ok())
                    .filter(|path| path.starts_with('/') && !path.contains('\0'))
                    .and_then(|path| String::try_from(path).ok());
            }
            Ask::FrontId => self.front_id = value.and_then(decimal),
            Ask::Own => self.own = value.map(State::parse),
            Ask::Online => self.online = value.map(|value| value != b"0"),
            Ask::FrontState => self.front = value.map(State::parse),
            _ => self.refused = self.refused.or(result.err()),
        }
    }
}
