//! One connection to xenstored that is waited on, over a file or a socket.

use anyhow::{Context, Result, bail};
use ring_backend::xenstore::{HEADER_OCTETS, Header, Kind, PAYLOAD_OCTETS, StoreError, names};
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Where xenstored listens in dom0, and the devices that lead to one elsewhere.
const SOCKETS: [&str; 2] = ["/run/xenstored/socket", "/var/run/xenstored/socket"];
const DEVICES: [&str; 2] = ["/dev/xen/xenbus", "/proc/xen/xenbus"];

/// `XS_TRANSACTION_START`, `XS_TRANSACTION_END`, `XS_SET_PERMS`: only a toolstack asks for these.
const TRANSACTION_START: Kind = Kind::Other(6);
const TRANSACTION_END: Kind = Kind::Other(7);
const SET_PERMS: Kind = Kind::Other(14);
/// Tries of one transaction that others disturb.
const TRIES: u32 = 20;

/// A way to xenstored.
pub trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// The connection. Methods wait for their answer; watch events that come meanwhile are kept.
pub struct Store {
    stream: Box<dyn Stream>,
    last: u32,
    transaction: u32,
    events: VecDeque<String>,
}

impl Store {
    /// Connects as dom0 does, or to the socket that `XENSTORED_PATH` names.
    ///
    /// # Errors
    /// There is no xenstored to talk to, or no right to.
    pub fn open() -> Result<Self> {
        if let Some(path) = std::env::var_os("XENSTORED_PATH") {
            let stream =
                UnixStream::connect(&path).with_context(|| format!("xenstore: {path:?}"))?;
            return Ok(Self::new(stream));
        }
        if let Some(stream) = SOCKETS
            .iter()
            .find_map(|path| UnixStream::connect(path).ok())
        {
            return Ok(Self::new(stream));
        }
        let mut failed = None;
        for path in DEVICES {
            match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => return Ok(Self::new(file)),
                Err(error) => failed = failed.or(Some((path, error))),
            }
        }
        match failed {
            Some((path, error)) => {
                bail!("xenstore: {path}: {error}; is this dom0, and are you root?")
            }
            None => bail!("xenstore: no way to it"),
        }
    }

    /// A connection over a stream that is open.
    #[must_use]
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            last: 0,
            transaction: 0,
            events: VecDeque::new(),
        }
    }

    /// A node's value; `None` if there is no such node.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn read(&mut self, path: &str) -> Result<Option<String>> {
        let value = self.ask(Kind::Read, path, b"\0")?;
        Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    /// The names below a node, in order of their numbers where they are numbers; none if there is
    /// no such node.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn list(&mut self, path: &str) -> Result<Vec<String>> {
        let listing = self.ask(Kind::Directory, path, b"\0")?;
        let mut list: Vec<String> = names(&listing.unwrap_or_default())
            .map(str::to_owned)
            .collect();
        list.sort_by_key(|name| (name.parse::<u32>().unwrap_or(u32::MAX), name.clone()));
        Ok(list)
    }

    /// Creates a node or changes its value.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn write(&mut self, path: &str, value: &str) -> Result<()> {
        let rest = [b"\0", value.as_bytes()].concat();
        let done = self.ask(Kind::Write, path, &rest)?;
        done.map(|_| ())
            .with_context(|| format!("{path}: no such node"))
    }

    /// Removes a node and everything below it, if it is there.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn remove(&mut self, path: &str) -> Result<()> {
        self.ask(Kind::Rm, path, b"\0").map(|_| ())
    }

    /// Creates a directory that belongs to `owner` and that `reader` may read, if it is not there.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn make(&mut self, path: &str, owner: u32, reader: Option<u32>) -> Result<()> {
        self.ask(Kind::Mkdir, path, b"\0")?;
        let mut rest = format!("\0n{owner}\0").into_bytes();
        if let Some(reader) = reader {
            rest.extend(format!("r{reader}\0").bytes());
        }
        let done = self.ask(SET_PERMS, path, &rest)?;
        done.map(|_| ())
            .with_context(|| format!("{path}: no such node"))
    }

    /// Asks to be told of changes at and below a path; the first event comes at once.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn watch(&mut self, path: &str) -> Result<()> {
        let done = self.ask(Kind::Watch, path, b"\0audioctl\0")?;
        done.map(|_| ())
            .with_context(|| format!("{path}: no such node"))
    }

    /// Waits for the next change of what is watched; its path.
    ///
    /// # Errors
    /// The connection failed.
    pub fn event(&mut self) -> Result<String> {
        loop {
            if let Some(path) = self.events.pop_front() {
                return Ok(path);
            }
            let (header, payload) = self.receive()?;
            self.note(&header, &payload);
        }
    }

    /// Does all of `with` at once or, if it fails, none of it. It is done again when somebody else
    /// changed what it saw.
    ///
    /// # Errors
    /// Its own, or xenstored refused.
    pub fn at_once<T>(&mut self, mut with: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        for _ in 0..TRIES {
            let id = self.ask(TRANSACTION_START, "", b"\0")?.unwrap_or_default();
            let id = String::from_utf8_lossy(&id);
            let id = id.trim_end_matches('\0').parse();
            self.transaction = id.context("xenstore: no number of a transaction")?;
            let result = with(self);
            let word: &[u8] = if result.is_ok() { b"T\0" } else { b"F\0" };
            let ended = self.request(TRANSACTION_END, "", word);
            self.transaction = 0;
            match (result, ended?) {
                (Err(error), _) => return Err(error),
                (Ok(value), Ok(_)) => return Ok(value),
                (Ok(_), Err(StoreError::Again)) => {}
                (Ok(_), Err(error)) => bail!("xenstore: {error}"),
            }
        }
        bail!("xenstore: somebody else changes the same nodes all the time")
    }

    /// A request whose refusal is an error, but for `None` where there is no such node.
    fn ask(&mut self, kind: Kind, path: &str, rest: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.request(kind, path, rest)? {
            Ok(payload) => Ok(Some(payload)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => bail!("{path}: {error}"),
        }
    }

    fn request(
        &mut self,
        kind: Kind,
        path: &str,
        rest: &[u8],
    ) -> Result<Result<Vec<u8>, StoreError>> {
        self.last = self.last.checked_add(1).unwrap_or(1);
        let length = path.len() + rest.len();
        if length > PAYLOAD_OCTETS {
            return Ok(Err(StoreError::TooLong));
        }
        let header = Header {
            kind,
            request: self.last,
            transaction: self.transaction,
            length: u32::try_from(length)?,
        };
        let message = [&header.emit()[..], path.as_bytes(), rest].concat();
        self.stream.write_all(&message).context("xenstore")?;
        self.stream.flush().context("xenstore")?;
        loop {
            let (answer, payload) = self.receive()?;
            if answer.request != header.request || answer.kind == Kind::WatchEvent {
                self.note(&answer, &payload);
                continue;
            }
            return Ok(match answer.kind {
                Kind::Error => Err(StoreError::parse(&payload)),
                _ => Ok(payload),
            });
        }
    }

    fn receive(&mut self) -> Result<(Header, Vec<u8>)> {
        let mut header = [0; HEADER_OCTETS];
        self.stream.read_exact(&mut header).context("xenstore")?;
        let header = Header::parse(&header);
        let length = usize::try_from(header.length)?;
        if length > PAYLOAD_OCTETS {
            bail!("xenstore: a message of {length} octets");
        }
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).context("xenstore")?;
        Ok((header, payload))
    }

    /// Keeps a watch event; anything else answers nothing that is asked.
    fn note(&mut self, header: &Header, payload: &[u8]) {
        if header.kind == Kind::WatchEvent
            && let Some(path) = names(payload).next()
        {
            self.events.push_back(path.to_owned());
        }
    }
}
