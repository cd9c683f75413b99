//! One request at a time, waited for: start-up, before the event loop runs.

use super::client::{Client, Incoming, OUTSTANDING, Refused, Ticket};
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

/// A client, its transport and a way to wait. Watch events that come meanwhile are dropped.
#[derive(Debug)]
pub struct Blocking<'a, T, W> {
    client: &'a mut Client,
    transport: &'a mut T,
    waiter: W,
    /// Writes whose answers have not come yet.
    begun: Vec<Ticket, OUTSTANDING>,
    /// The first of them that was refused.
    refused: Option<StoreError>,
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
    /// node's index in `paths`, and its value or why it has none.
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
            let ticket = self.client.write(path, value.as_bytes())?;
            self.begun
                .push(ticket)
                .map_err(|_| BlockingError::TimedOut)?;
        }
        self.take_one().map(|_| ())
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
                Ok(Some(incoming)) => note(incoming, &mut self.begun, &mut self.refused),
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
            Ok(Some(incoming)) => {
                note(incoming, &mut self.begun, &mut self.refused);
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

/// Keeps what an answer says of a write that was begun. Anything else is an event, or the late
/// answer to a request that was given up on.
fn note(
    incoming: Incoming<'_>,
    begun: &mut Vec<Ticket, OUTSTANDING>,
    refused: &mut Option<StoreError>,
) {
    let Incoming::Reply(reply) = incoming else {
        return;
    };
    let Some(place) = begun.iter().position(|&ticket| ticket == reply.ticket) else {
        return;
    };
    begun.swap_remove(place);
    if let Err(error) = reply.result {
        refused.get_or_insert(error);
    }
}
