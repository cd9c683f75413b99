//! A domain's connection to the store, as a transport that never blocks.

use super::Store;
use super::tree::Connection;
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};

/// Octets that a ring holds in each direction.
const RING_OCTETS: usize = 1024;
/// A domain's connection, as its transport.
#[derive(Debug)]
pub struct Wire {
    pub(super) store: Store,
    pub(super) at: usize,
}

impl ErrorType for Wire {
    type Error = ErrorKind;
}

impl Wire {
    /// How many octets of `most` move this time.
    fn piece(connection: &mut Connection, most: usize) -> usize {
        if connection.whole {
            most
        } else {
            most.min(1 + connection.seed.below(37) as usize)
        }
    }
}

impl ReadReady for Wire {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        let tree = self.store.0.borrow();
        Ok(!tree.connections[self.at].replies.is_empty())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut tree = self.store.0.borrow_mut();
        let connection = &mut tree.connections[self.at];
        let most = buffer.len().min(connection.replies.len()).min(RING_OCTETS);
        let octets = Self::piece(connection, most);
        for (place, octet) in buffer.iter_mut().zip(connection.replies.drain(..octets)) {
            *place = octet;
        }
        Ok(octets)
    }
}

impl WriteReady for Wire {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        let tree = self.store.0.borrow();
        Ok(!tree.busy || tree.connections[self.at].requests.len() < RING_OCTETS)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, ErrorKind> {
        let mut tree = self.store.0.borrow_mut();
        let busy = tree.busy;
        let connection = &mut tree.connections[self.at];
        // A store that is not busy takes every octet out of the ring at once.
        let room = if busy {
            RING_OCTETS - connection.requests.len()
        } else {
            RING_OCTETS
        };
        let octets = Self::piece(connection, buffer.len().min(room));
        connection.requests.extend(&buffer[..octets]);
        Ok(octets)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.store.0.borrow_mut().serve(self.at);
        Ok(())
    }
}
