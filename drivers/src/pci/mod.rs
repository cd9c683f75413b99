//! The PCI front-end (`xen/include/public/io/pciif.h`).
//!
//! [`handshake::connect`] introduces this domain to the backend, [`front::PciFront`] carries
//! configuration space operations, and [`audio`] finds the sound card among the functions and
//! switches it on.

pub mod audio;
pub mod config;
pub mod front;
pub mod handshake;

use core::fmt;

use crate::Micros;

/// The page shared with the backend and the event channel beside it.
///
/// Offsets are octets from the start of `struct xen_pci_sharedinfo`, multiples of 4. The backend
/// may write the page at any time.
pub trait OpChannel {
    /// Loads a word with acquire ordering.
    fn load(&self, offset: usize) -> u32;
    /// Stores a word.
    fn store(&mut self, offset: usize, value: u32);
    /// Sets bits of a word atomically, after all earlier stores.
    fn set_bits(&mut self, offset: usize, bits: u32);
    /// Notifies the backend.
    fn notify(&mut self);
    /// Blocks until the backend notifies or about `limit` has passed. May return early.
    fn wait(&mut self, limit: Micros);
}

/// The store could not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no such node.
    Missing,
    /// The value is longer than the buffer.
    TooLong,
    /// The store refused or failed.
    Failed,
}

/// Sees a node's index and value, or why it has none.
pub type EachNode<'a> = dyn FnMut(usize, Result<&[u8], StoreError>) + 'a;

/// The toolstack's store (xenstore), used at start-up only. Calls block.
pub trait Store {
    /// Reads several nodes at once, at most four; `each` sees their values in the order of
    /// `paths`, with their index. A path is relative to this domain's directory unless it begins
    /// with a slash.
    ///
    /// # Errors
    /// The store failed. A node that cannot be read is `each`'s to judge.
    fn read_all(&mut self, paths: &[&str], each: &mut EachNode<'_>) -> Result<(), StoreError>;
    /// Begins to write several nodes (path, value), at most four, in their order: who sees the
    /// last sees all. They are written before anything is read by a later call.
    ///
    /// # Errors
    /// The store failed. That it refused one is an error of the next call.
    fn begin_writes(&mut self, nodes: &[(&str, &str)]) -> Result<(), StoreError>;
    /// Begins to watch a node, before anything is read by a later call.
    ///
    /// # Errors
    /// The store failed.
    fn watch(&mut self, path: &str) -> Result<(), StoreError>;
    /// Ends that.
    ///
    /// # Errors
    /// The store failed.
    fn unwatch(&mut self, path: &str) -> Result<(), StoreError>;
    /// Blocks until the watched node was changed since the first value of the last
    /// [`Store::read_all`] was read, or for a second or two. May return early.
    ///
    /// # Errors
    /// The store failed.
    fn wait_for_change(&mut self) -> Result<(), StoreError>;
}

/// A function's address on this domain's virtual bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Segment.
    pub domain: u16,
    /// Bus.
    pub bus: u8,
    /// Device (7:3) and function (2:0).
    pub devfn: u8,
}

impl Address {
    /// Reads "0000:00:1f.3", as the toolstack and pciback write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (domain, rest) = text.trim_end_matches('\0').split_once(':')?;
        let (bus, rest) = rest.split_once(':')?;
        let (device, function) = rest.split_once('.')?;
        let device = u8::from_str_radix(device, 16).ok()?;
        let function = u8::from_str_radix(function, 16).ok()?;
        if device > 31 || function > 7 {
            return None;
        }
        Some(Self {
            domain: u16::from_str_radix(domain, 16).ok()?,
            bus: u8::from_str_radix(bus, 16).ok()?,
            devfn: (device << 3) | function,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, function) = (self.devfn >> 3, self.devfn & 7);
        let Self { domain, bus, .. } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn addresses_are_read_as_both_sides_write_them() {
        let address = Address::parse("0000:00:1f.3").unwrap();
        assert_eq!((address.bus, address.devfn), (0, 0xFB));
        assert_eq!(address.to_string(), "0000:00:1f.3");
        assert_eq!(Address::parse("0000:00:00.00").unwrap().devfn, 0);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "0000:00",
            "0000:00:20.0",
            "0000:00:00.8",
            "x:00:00.0",
            "0:100:0.0",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
