//! One request at a time, waited for: start-up, before the event loop runs.

use super::client::{Client, Incoming, OUTSTANDING, Refused, Reply, Ticket};
use super::wire::StoreError;
use super::{Transport, decimal};
use core::fmt;
use heapless::Vec;

/// How start-up code waits for xenstored.
pub trait Waiter {
    /// Waits until the transport may have become ready, or a little while. False once the whole
    /// time allowed for the request is over; [`Waiter::begin`] allows it anew.
    fn wait(&mut self) -> bool;
    /// A new request begins.
    fn begin(&mut self);
}

/// Why a blocking request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockingError {
    /// xenstored refused it.
    Store(StoreError),
    /// No answer in the time allowed.
    TimedOut,
    /// The transport failed.
    Lost,
    /// The path or value cannot be sent.
    Malformed,
    /// The value is not a number, or does not fit the buffer given for it.
    Unreadable,
}

impl fmt::Display for BlockingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::TimedOut => f.write_str("xenstore does not answer"),
            Self::Lost => f.write_str("the connection to xenstore failed"),
            Self::Malformed => f.write_str("not a path or value that xenstore takes"),
            Self::Unreadable => f.write_str("the value is not what was expected"),
        }
    }
}

impl From<Refused> for BlockingError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed => Self::Malformed,
            // Only requests that were given up on can have filled the client.
            Refused::Busy => Self::TimedOut,
        }
    }
}

/// A client, its transport and a way to wait. Of watch events that come meanwhile, only that there
/// was one is kept.
#[derive(Debug)]
pub struct Blocking<'a, T, W> {
    client: &'a mut Client,
    transport: &'a mut T,
    waiter: W,
    /// Writes whose answers have not come yet.
    begun: Vec<Ticket, OUTSTANDING>,
    /// The first of them that was refused.
    refused: Option<StoreError>,
    /// A watch told of a change that nobody has looked at.
    changed: bool,
}

impl<'a, T: Transport, W: Waiter> Blocking<'a, T, W> {
    /// Borrows a client that nothing else uses meanwhile.
    pub fn new(client: &'a mut Client, transport: &'a mut T, waiter: W) -> Self {
        Self {
            client,
            transport,
            waiter,
            begun: Vec::new(),
            refused: None,
            changed: false,
        }
    }

    /// Reads a node's value into `into`; returns how many octets it has.
    ///
    /// # Errors
    /// No answer, or a value longer than `into`.
    pub fn read(&mut self, path: &str, into: &mut [u8]) -> Result<usize, BlockingError> {
        let ticket = self.client.read(path);
        self.answer(ticket, |value| {
            let place = into.get_mut(..value.len());
            let place = place.ok_or(BlockingError::Unreadable)?;
            place.copy_from_slice(value);
            Ok(value.len())
        })
    }

    /// Reads several nodes, and waits for xenstored once instead of for each; `each` sees every
    /// node's index in `paths`, and its value or why it has none. What watches told before the
    /// first value came is forgotten: that value is newer.
    ///
    /// # Errors
    /// No answer. More than [`OUTSTANDING`] are not begun.
    pub fn read_all(
        &mut self,
        paths: &[&str],
        mut each: impl FnMut(usize, Result<&[u8], StoreError>),
    ) -> Result<(), BlockingError> {
        if paths.len() > OUTSTANDING {
            return Err(BlockingError::Malformed);
        }
        let tickets: Vec<_, OUTSTANDING> =
            paths.iter().map(|path| self.client.read(path)).collect();
        // xenstored serves a connection in order, so the answers come in order too.
        for (index, ticket) in tickets.into_iter().enumerate() {
            self.reply(ticket, |value| each(index, value))?;
            self.changed &= index > 0;
        }
        Ok(())
    }

    /// Reads a node that holds a decimal number.
    ///
    /// # Errors
    /// No answer, or not a number.
    pub fn read_number(&mut self, path: &str) -> Result<u32, BlockingError> {
        let ticket = self.client.read(path);
        self.answer(ticket, |value| {
            decimal(value).ok_or(BlockingError::Unreadable)
        })
    }

    /// Creates a node or changes its value.
    ///
    /// # Errors
    /// No answer.
    pub fn write(&mut self, path: &str, value: &[u8]) -> Result<(), BlockingError> {
        let ticket = self.client.write(path, value);
        self.answer(ticket, |_| Ok(()))
    }

    /// Begins to write several nodes in their order, without waiting for xenstored: the next call
    /// that waits has the first refusal, or [`Blocking::settle`].
    ///
    /// # Errors
    /// More than [`OUTSTANDING`] requests would be under way, or nothing that xenstore takes.
    pub fn begin_writes(&mut self, nodes: &[(&str, &str)]) -> Result<(), BlockingError> {
        for (path, value) in nodes {
            let ticket = self.client.write(path, value.as_bytes());
            self.begin(ticket)?;
        }
        self.take_one().map(|_| ())
    }

    /// Notes a request whose answer is not waited for.
    fn begin(&mut self, ticket: Result<Ticket, Refused>) -> Result<(), BlockingError> {
        let begun = self.begun.push(ticket?);
        begun.map_err(|_| BlockingError::TimedOut)
    }

    /// Begins to watch a node, without waiting for xenstored.
    ///
    /// # Errors
    /// As [`Blocking::begin_writes`].
    pub fn begin_watch(&mut self, path: &str, token: &str) -> Result<(), BlockingError> {
        let ticket = self.client.watch(path, token);
        self.begin(ticket)?;
        self.take_one().map(|_| ())
    }

    /// Begins to end a watch, without waiting for xenstored.
    ///
    /// # Errors
    /// As [`Blocking::begin_writes`].
    pub fn begin_unwatch(&mut self, path: &str, token: &str) -> Result<(), BlockingError> {
        let ticket = self.client.unwatch(path, token);
        self.begin(ticket)?;
        self.take_one().map(|_| ())
    }

    /// Waits until a watch tells of a change; false if none did in the time allowed for a request.
    ///
    /// # Errors
    /// The transport failed.
    pub fn wait_for_change(&mut self) -> Result<bool, BlockingError> {
        self.waiter.begin();
        while !self.changed {
            if !self.take_one()? && !self.waiter.wait() {
                return Ok(false);
            }
        }
        self.changed = false;
        Ok(true)
    }

    /// Whether a watch told of a change that nobody has looked at; does not wait.
    ///
    /// # Errors
    /// The transport failed.
    pub fn take_change(&mut self) -> Result<bool, BlockingError> {
        while self.take_one()? {}
        Ok(core::mem::take(&mut self.changed))
    }

    /// Waits until every write that was begun is answered.
    ///
    /// # Errors
    /// The first refusal, or no answer.
    pub fn settle(&mut self) -> Result<(), BlockingError> {
        self.waiter.begin();
        while !self.begun.is_empty() {
            if !self.take_one()? && !self.waiter.wait() {
                return Err(BlockingError::TimedOut);
            }
        }
        self.refusal()
    }

    /// Removes a node and everything below it.
    ///
    /// # Errors
    /// No answer.
    pub fn rm(&mut self, path: &str) -> Result<(), BlockingError> {
        let ticket = self.client.rm(path);
        self.answer(ticket, |_| Ok(()))
    }

    /// Lists a node's children; `each` sees every name.
    ///
    /// # Errors
    /// No answer.
    pub fn directory(&mut self, path: &str, each: impl FnMut(&str)) -> Result<(), BlockingError> {
        let ticket = self.client.directory(path);
        self.answer(ticket, |listing| {
            super::names(listing).for_each(each);
            Ok(())
        })
    }

    /// Waits for one reply and lets `with` take what it needs of it.
    fn answer<R>(
        &mut self,
        ticket: Result<Ticket, Refused>,
        with: impl FnOnce(&[u8]) -> Result<R, BlockingError>,
    ) -> Result<R, BlockingError> {
        self.reply(ticket, |result| with(result.map_err(BlockingError::Store)?))?
    }

    /// Waits for one reply, be it a refusal.
    fn reply<R>(
        &mut self,
        ticket: Result<Ticket, Refused>,
        with: impl FnOnce(Result<&[u8], StoreError>) -> R,
    ) -> Result<R, BlockingError> {
        let ticket = ticket?;
        self.waiter.begin();
        loop {
            match self.client.poll(self.transport) {
                Err(_) => return Err(BlockingError::Lost),
                Ok(Some(Incoming::Reply(reply))) if reply.ticket == ticket => {
                    let answer = with(reply.result);
                    // xenstored serves a connection in order: earlier writes are answered too.
                    return self.refusal().map(|()| answer);
                }
                Ok(Some(Incoming::Event { .. })) => self.changed = true,
                Ok(Some(Incoming::Reply(reply))) => {
                    note(&reply, &mut self.begun, &mut self.refused);
                }
                Ok(None) => {
                    if !self.waiter.wait() {
                        return Err(BlockingError::TimedOut);
                    }
                }
            }
        }
    }

    /// Sends what waits and takes one message, if there is one.
    fn take_one(&mut self) -> Result<bool, BlockingError> {
        match self.client.poll(self.transport) {
            Err(_) => Err(BlockingError::Lost),
            Ok(None) => Ok(false),
            Ok(Some(Incoming::Event { .. })) => {
                self.changed = true;
                Ok(true)
            }
            Ok(Some(Incoming::Reply(reply))) => {
                note(&reply, &mut self.begun, &mut self.refused);
                Ok(true)
            }
        }
    }

    fn refusal(&mut self) -> Result<(), BlockingError> {
        match self.refused.take() {
            Some(error) => Err(BlockingError::Store(error)),
            None => Ok(()),
        }
    }
}

/// Keeps what an answer says of a request that was begun. Anything else is the late answer to one
/// that was given up on.
fn note(reply: &Reply<'_>, begun: &mut Vec<Ticket, OUTSTANDING>, refused: &mut Option<StoreError>) {
    let Some(place) = begun.iter().position(|&ticket| ticket == reply.ticket) else {
        return;
    };
    begun.swap_remove(place);
    if let Err(error) = reply.result {
        refused.get_or_insert(error);
    }
}
