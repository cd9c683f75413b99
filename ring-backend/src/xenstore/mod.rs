//! A xenstore client as a value: bytes in, bytes out, no I/O of its own.
//!
//! [`Client`] frames requests and matches replies; it is polled over any non-blocking byte
//! transport ([`Transport`]). [`Blocking`] is the start-up convenience on top, for code that has
//! nothing else to do than wait.
//!
//! Wire format: `xen/include/public/io/xs_wire.h`, `docs/misc/xenstore.txt`.

mod blocking;
mod client;
mod wire;

pub use blocking::{Blocking, BlockingError, Waiter};
pub use client::{Client, Incoming, Lost, OUTSTANDING, Refused, Reply, Ticket};
pub use wire::{HEADER_OCTETS, Header, Kind, PATH_OCTETS, PAYLOAD_OCTETS, StoreError};

use embedded_io::{Read, ReadReady, Write, WriteReady};

/// A byte transport to xenstored that can be asked whether it would block.
pub trait Transport: Read + ReadReady + Write + WriteReady {}

impl<T: Read + ReadReady + Write + WriteReady> Transport for T {}

/// The names in a directory listing.
///
/// Names that are not UTF-8 are left out: no name this domain looks for is one of them.
pub fn names(listing: &[u8]) -> impl Iterator<Item = &str> {
    listing
        .split(|&octet| octet == 0)
        .filter(|name| !name.is_empty())
        .filter_map(|name| core::str::from_utf8(name).ok())
}

/// Parses a decimal number as xenstore holds them: one to ten digits and nothing else.
#[must_use]
pub fn decimal(value: &[u8]) -> Option<u32> {
    if value.is_empty() || value.len() > 10 {
        return None;
    }
    value.iter().try_fold(0_u32, |number, &octet| {
        let digit = octet.is_ascii_digit().then(|| u32::from(octet - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Parses a [`decimal`] number that may have a minus before it.
#[must_use]
pub fn signed(value: &[u8]) -> Option<i32> {
    let digits = value.strip_prefix(b"-");
    let size = i32::try_from(decimal(digits.unwrap_or(value))?).ok()?;
    Some(if digits.is_some() { -size } else { size })
}

/// Parses a directory name that is a number: [`decimal`] without leading zeros.
#[must_use]
pub fn index(name: &str) -> Option<u32> {
    let number = decimal(name.as_bytes())?;
    (name.len() == 1 || !name.starts_with('0')).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_and_nothing_else() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"0010"), Some(10));
        assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
        for bad in [
            "",
            "4294967296",
            "-1",
            "+1",
            " 1",
            "1\n",
            "0x1",
            "12345678901",
        ] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_numbered_directory_has_one_spelling() {
        assert_eq!(index("0"), Some(0));
        assert_eq!(index("10"), Some(10));
        assert_eq!(index("00"), None);
        assert_eq!(index("01"), None);
    }

    #[test]
    fn a_listing_is_split_at_its_nuls() {
        assert!(names(b"").next().is_none());
        assert!(names(b"a\0bc\0\xff\0\0d").eq(["a", "bc", "d"]));
    }
}
