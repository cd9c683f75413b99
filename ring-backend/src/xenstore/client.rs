//! Requests out, replies and watch events in, over buffers of constant size.
//!
//! At most [`OUTSTANDING`] requests wait for their reply: xenstored's quota for an unprivileged
//! domain is 20, and no reply is larger than a payload. What arrives is read straight into the
//! client's one message buffer, in pieces of any size; a message that answers nothing that was
//! asked, or that is longer than xenstored may send, is skipped and counted.

use super::wire::{HEADER_OCTETS, Header, Kind, PATH_OCTETS, PAYLOAD_OCTETS, StoreError};
use super::{Transport, names};
use alloc::boxed::Box;
use alloc::vec;
use heapless::Vec;

/// Requests that may wait for their reply at a time.
pub const OUTSTANDING: usize = 8;
/// Octets of requests that may wait for the transport.
const TRANSMIT_OCTETS: usize = 4096;
/// Reads from the transport in one poll; more than four whole messages octet by octet.
const READS_PER_POLL: usize = 4 * (HEADER_OCTETS + PAYLOAD_OCTETS);

/// The number of a request that waits for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u32);

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// [`OUTSTANDING`] requests wait, or the transmit buffer is full; try again after a poll.
    Busy,
    /// The path is empty, too long or holds a NUL, or the value is too long.
    Malformed,
}

/// The transport failed; nothing is known of what was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Which request.
    pub ticket: Ticket,
    /// The payload, or why there is none.
    pub result: Result<&'a [u8], StoreError>,
}

/// A message from xenstored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// The answer to a request.
    Reply(Reply<'a>),
    /// Something changed at or below a watched path.
    Event {
        /// The node, spelled relative or absolute as the watch was.
        path: &'a str,
        /// The watch's token.
        token: &'a str,
    },
}

/// The client's end of one xenstore connection.
#[derive(Debug)]
pub struct Client {
    waiting: Vec<(Ticket, Kind), OUTSTANDING>,
    last: u32,
    transmit: Vec<u8, TRANSMIT_OCTETS>,
    header: [u8; HEADER_OCTETS],
    header_have: usize,
    payload: Box<[u8]>,
    payload_have: usize,
    strays: u32,
    watches: u32,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client for a fresh connection. Allocates its message buffer, and never again.
    #[must_use]
    pub fn new() -> Self {
        Self {
            waiting: Vec::new(),
            last: 0,
            transmit: Vec::new(),
            header: [0; HEADER_OCTETS],
            header_have: 0,
            payload: vec![0; PAYLOAD_OCTETS].into_boxed_slice(),
            payload_have: 0,
            strays: 0,
            watches: 0,
        }
    }

    /// Watches that xenstore holds for this connection, by its own replies.
    #[must_use]
    pub fn watches(&self) -> u32 {
        self.watches
    }

    /// Messages that answered nothing or made no sense.
    #[must_use]
    pub fn strays(&self) -> u32 {
        self.strays
    }

    /// Requests that wait for their reply.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Lists the children of a node; the reply's payload is for [`names`].
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn directory(&mut self, path: &str) -> Result<Ticket, Refused> {
        self.ask(Kind::Directory, path, &[b"\0"])
    }

    /// Reads a node's value.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn read(&mut self, path: &str) -> Result<Ticket, Refused> {
        self.ask(Kind::Read, path, &[b"\0"])
    }

    /// Creates a node or changes its value.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn write(&mut self, path: &str, value: &[u8]) -> Result<Ticket, Refused> {
        self.ask(Kind::Write, path, &[b"\0", value])
    }

    /// Creates a node without a value if there is none.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn mkdir(&mut self, path: &str) -> Result<Ticket, Refused> {
        self.ask(Kind::Mkdir, path, &[b"\0"])
    }

    /// Removes a node and everything below it.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn rm(&mut self, path: &str) -> Result<Ticket, Refused> {
        self.ask(Kind::Rm, path, &[b"\0"])
    }

    /// Asks for events about a path and everything below it; one comes at once.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn watch(&mut self, path: &str, token: &str) -> Result<Ticket, Refused> {
        self.ask(Kind::Watch, path, &[b"\0", token.as_bytes(), b"\0"])
    }

    /// Undoes [`Client::watch`]; both arguments as they were there.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn unwatch(&mut self, path: &str, token: &str) -> Result<Ticket, Refused> {
        self.ask(Kind::Unwatch, path, &[b"\0", token.as_bytes(), b"\0"])
    }

    /// Queues one request: the path, then the rest of its payload.
    fn ask(&mut self, kind: Kind, path: &str, rest: &[&[u8]]) -> Result<Ticket, Refused> {
        let rest_octets = rest
            .iter()
            .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        if path.is_empty()
            || path.len() > PATH_OCTETS
            || path.contains('\0')
            || rest_octets > TRANSMIT_OCTETS / 2
        {
            return Err(Refused::Malformed);
        }
        let length = path.len() + rest_octets;
        let room = TRANSMIT_OCTETS - self.transmit.len();
        if self.waiting.is_full() || HEADER_OCTETS + length > room {
            return Err(Refused::Busy);
        }
        // 0 stays free: watch events carry it.
        self.last = self.last.checked_add(1).unwrap_or(1);
        let header = Header {
            kind,
            request: self.last,
            transaction: 0,
            length: u32::try_from(length).map_err(|_| Refused::Malformed)?,
        };
        let parts = [&header.emit()[..], path.as_bytes()];
        for part in parts.iter().chain(rest) {
            self.transmit
                .extend_from_slice(part)
                .map_err(|_| Refused::Busy)?;
        }
        let ticket = Ticket(self.last);
        self.waiting
            .push((ticket, kind))
            .map_err(|_| Refused::Busy)?;
        Ok(ticket)
    }

    /// Moves what the transport takes and gives; returns the next message, if one is whole.
    ///
    /// Call until it returns `None`; never blocks.
    ///
    /// # Errors
    /// The transport failed.
    pub fn poll<T: Transport>(&mut self, transport: &mut T) -> Result<Option<Incoming<'_>>, Lost> {
        self.flush(transport)?;
        self.forget_if_whole();
        for _ in 0..READS_PER_POLL {
            if !transport.read_ready().map_err(|_| Lost)? {
                return Ok(None);
            }
            let octets = transport.read(self.gap()).map_err(|_| Lost)?;
            if octets == 0 {
                return Ok(None);
            }
            self.fill(octets);
            if self.is_whole() {
                if let Some(known) = self.recognise() {
                    return Ok(self.deliver(known));
                }
                self.strays = self.strays.saturating_add(1);
                self.forget_if_whole();
            }
        }
        Ok(None)
    }

    /// Hands queued requests to the transport as far as it takes them.
    fn flush<T: Transport>(&mut self, transport: &mut T) -> Result<(), Lost> {
        let mut sent = 0;
        while let Some(rest) = self.transmit.get(sent..).filter(|rest| !rest.is_empty()) {
            if !transport.write_ready().map_err(|_| Lost)? {
                break;
            }
            let octets = transport.write(rest).map_err(|_| Lost)?.min(rest.len());
            if octets == 0 {
                break;
            }
            sent += octets;
        }
        if sent > 0 {
            let rest = self.transmit.len() - sent;
            self.transmit.copy_within(sent.., 0);
            self.transmit.truncate(rest);
            transport.flush().map_err(|_| Lost)?;
        }
        Ok(())
    }

    /// Octets of payload that the header announces, or `None` while it is not whole.
    fn announced(&self) -> Option<usize> {
        let whole = self.header_have >= HEADER_OCTETS;
        whole.then(|| usize::try_from(Header::parse(&self.header).length).unwrap_or(usize::MAX))
    }

    /// Where the next octets go; never empty while the message is not whole.
    fn gap(&mut self) -> &mut [u8] {
        let gap = match self.announced() {
            None => self.header.get_mut(self.header_have..),
            Some(length) if length <= PAYLOAD_OCTETS => {
                self.payload.get_mut(self.payload_have..length)
            }
            // Too long to keep: every piece overwrites the last.
            Some(length) => {
                let piece = length.saturating_sub(self.payload_have).min(PAYLOAD_OCTETS);
                self.payload.get_mut(..piece)
            }
        };
        gap.unwrap_or_default()
    }

    /// Counts octets that were put into the gap.
    fn fill(&mut self, octets: usize) {
        if self.header_have < HEADER_OCTETS {
            self.header_have = self.header_have.saturating_add(octets).min(HEADER_OCTETS);
        } else {
            self.payload_have = self.payload_have.saturating_add(octets);
        }
    }

    fn is_whole(&self) -> bool {
        self.announced()
            .is_some_and(|length| self.payload_have >= length)
    }

    fn forget_if_whole(&mut self) {
        if self.is_whole() {
            self.header_have = 0;
            self.payload_have = 0;
        }
    }

    /// Matches the whole message with what was asked. The request is then no longer waiting.
    fn recognise(&mut self) -> Option<Known> {
        let header = Header::parse(&self.header);
        if header.kind == Kind::WatchEvent {
            let length = self
                .announced()
                .filter(|&length| length <= PAYLOAD_OCTETS)?;
            let mut parts = names(self.payload.get(..length)?);
            parts.next()?;
            parts.next()?;
            return Some(Known::Event);
        }
        let ticket = Ticket(header.request);
        let place = self.waiting.iter().position(|&(waiting, kind)| {
            waiting == ticket && (kind == header.kind || header.kind == Kind::Error)
        })?;
        self.waiting.swap_remove(place);
        match header.kind {
            Kind::Watch => self.watches = self.watches.saturating_add(1),
            Kind::Unwatch => self.watches = self.watches.saturating_sub(1),
            _ => {}
        }
        Some(Known::Reply(ticket))
    }

    fn deliver(&self, known: Known) -> Option<Incoming<'_>> {
        let header = Header::parse(&self.header);
        let payload = self
            .announced()
            .and_then(|length| self.payload.get(..length));
        match known {
            Known::Event => {
                let mut parts = names(payload?);
                Some(Incoming::Event {
                    path: parts.next()?,
                    token: parts.next()?,
                })
            }
            Known::Reply(ticket) => {
                let result = match (payload, header.kind) {
                    (None, _) => Err(StoreError::TooLong),
                    (Some(payload), Kind::Error) => Err(StoreError::parse(payload)),
                    (Some(payload), _) => Ok(payload),
                };
                Some(Incoming::Reply(Reply { ticket, result }))
            }
        }
    }
}

/// What a whole message was recognised as.
enum Known {
    Reply(Ticket),
    Event,
}
