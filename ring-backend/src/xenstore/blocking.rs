//! One request at a time, waited for: start-up, before the event loop runs.

use super::client::{Client, Incoming, Refused, Ticket};
use super::wire::StoreError;
use super::{Transport, decimal};
use core::fmt;

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

/// A client, its transport and a way to wait. Watch events that come meanwhile are dropped.
#[derive(Debug)]
pub struct Blocking<'a, T, W> {
    client: &'a mut Client,
    transport: &'a mut T,
    waiter: W,
}

impl<'a, T: Transport, W: Waiter> Blocking<'a, T, W> {
    /// Borrows a client that nothing else uses meanwhile.
    pub fn new(client: &'a mut Client, transport: &'a mut T, waiter: W) -> Self {
        Self {
            client,
            transport,
            waiter,
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
        let ticket = ticket.map_err(|refused| match refused {
            Refused::Malformed => BlockingError::Malformed,
            // Only requests that were given up on can have filled the client.
            Refused::Busy => BlockingError::TimedOut,
        })?;
        self.waiter.begin();
        loop {
            match self.client.poll(self.transport) {
                Err(_) => return Err(BlockingError::Lost),
                Ok(Some(Incoming::Reply(reply))) if reply.ticket == ticket => {
                    return with(reply.result.map_err(BlockingError::Store)?);
                }
                // An event, or the late answer to a request that was given up on.
                Ok(Some(_)) => {}
                Ok(None) => {
                    if !self.waiter.wait() {
                        return Err(BlockingError::TimedOut);
                    }
                }
            }
        }
    }
}
