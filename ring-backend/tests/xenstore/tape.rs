//! A wire fed by hand.

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use ring_backend::xenstore::{Header, Kind};
use std::collections::VecDeque;

/// A wire that gives at most `piece` octets at a time and takes at most `room`.
#[derive(Default)]
pub struct Tape {
    pub to_client: VecDeque<u8>,
    pub from_client: Vec<u8>,
    pub piece: usize,
    pub room: usize,
    pub broken: bool,
}

impl Tape {
    pub fn new(piece: usize) -> Self {
        Self {
            piece,
            room: usize::MAX,
            ..Self::default()
        }
    }

    pub fn feed(&mut self, kind: u32, request: u32, payload: &[u8]) {
        self.feed_header(kind, request, payload.len() as u32);
        self.to_client.extend(payload);
    }

    pub fn feed_header(&mut self, kind: u32, request: u32, length: u32) {
        let header = Header {
            kind: Kind::from_number(kind),
            request,
            transaction: 0,
            length,
        };
        self.to_client.extend(header.emit());
    }
}

impl ErrorType for Tape {
    type Error = ErrorKind;
}

impl ReadReady for Tape {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        if self.broken {
            return Err(ErrorKind::Other);
        }
        Ok(!self.to_client.is_empty())
    }
}

impl Read for Tape {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!buffer.is_empty(), "a read that can give nothing");
        let octets = buffer.len().min(self.piece).min(self.to_client.len());
        for (place, octet) in buffer.iter_mut().zip(self.to_client.drain(..octets)) {
            *place = octet;
        }
        Ok(octets)
    }
}

impl WriteReady for Tape {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.room > 0)
    }
}

impl Write for Tape {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, ErrorKind> {
        let octets = buffer.len().min(self.piece).min(self.room);
        self.from_client.extend(&buffer[..octets]);
        self.room -= octets;
        Ok(octets)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
