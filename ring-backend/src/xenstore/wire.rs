//! Xenstore messages: the 16-octet header and the error texts.

use core::fmt;

/// Octets of a message header.
pub const HEADER_OCTETS: usize = 16;
/// Most octets of a message's payload (`XENSTORE_PAYLOAD_MAX`).
pub const PAYLOAD_OCTETS: usize = 4096;
/// Most octets of a path that this client sends; xenstored allows 2048 for a relative one.
pub const PATH_OCTETS: usize = 256;

/// What a message is (`enum xsd_sockmsg_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `XS_DIRECTORY`: list the children of a node.
    Directory,
    /// `XS_READ`: read a node's value.
    Read,
    /// `XS_WATCH`: be told about changes at and below a path.
    Watch,
    /// `XS_UNWATCH`: undo a watch.
    Unwatch,
    /// `XS_WRITE`: create a node or change its value.
    Write,
    /// `XS_MKDIR`: create a node if there is none.
    Mkdir,
    /// `XS_RM`: remove a node and everything below it.
    Rm,
    /// `XS_WATCH_EVENT`: xenstored tells of a change.
    WatchEvent,
    /// `XS_ERROR`: the answer to a request that failed.
    Error,
    /// Anything this client never asks for.
    Other(u32),
}

impl Kind {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Directory => 1,
            Self::Read => 2,
            Self::Watch => 4,
            Self::Unwatch => 5,
            Self::Write => 11,
            Self::Mkdir => 12,
            Self::Rm => 13,
            Self::WatchEvent => 15,
            Self::Error => 16,
            Self::Other(number) => number,
        }
    }

    /// The kind with a number on the wire.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Directory,
            2 => Self::Read,
            4 => Self::Watch,
            5 => Self::Unwatch,
            11 => Self::Write,
            12 => Self::Mkdir,
            13 => Self::Rm,
            15 => Self::WatchEvent,
            16 => Self::Error,
            other => Self::Other(other),
        }
    }
}

/// A message header (`struct xsd_sockmsg`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the message is.
    pub kind: Kind,
    /// The request's number, echoed in its reply; 0 in watch events.
    pub request: u32,
    /// The transaction, 0 for none.
    pub transaction: u32,
    /// Octets of payload that follow.
    pub length: u32,
}

impl Header {
    /// Reads a header.
    #[must_use]
    pub fn parse(octets: &[u8; HEADER_OCTETS]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *octets;
        Self {
            kind: Kind::from_number(u32::from_le_bytes([a, b, c, d])),
            request: u32::from_le_bytes([e, f, g, h]),
            transaction: u32::from_le_bytes([i, j, k, l]),
            length: u32::from_le_bytes([m, n, o, p]),
        }
    }

    /// Writes the header.
    #[must_use]
    pub fn emit(self) -> [u8; HEADER_OCTETS] {
        let fields = [
            self.kind.number(),
            self.request,
            self.transaction,
            self.length,
        ];
        let mut octets = [0; HEADER_OCTETS];
        for (place, field) in octets.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        octets
    }
}

/// Why xenstored refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// `ENOENT`: there is no such node.
    NotFound,
    /// `EACCES` or `EPERM`: this domain may not do that.
    Denied,
    /// `EAGAIN` or `EBUSY`: worth trying again later.
    Again,
    /// `EQUOTA`, `ENOSPC`, `ENOMEM`: a limit of xenstored's is reached.
    Quota,
    /// `E2BIG`, or a reply longer than [`PAYLOAD_OCTETS`].
    TooLong,
    /// `EEXIST`: it is there already, as for a watch set twice.
    Exists,
    /// Anything else.
    Other,
}

impl StoreError {
    /// What xenstored says; anything else is [`StoreError::Other`].
    const NAMES: [(&str, Self); 10] = [
        ("ENOENT", Self::NotFound),
        ("EACCES", Self::Denied),
        ("EPERM", Self::Denied),
        ("EAGAIN", Self::Again),
        ("EBUSY", Self::Again),
        ("EQUOTA", Self::Quota),
        ("ENOSPC", Self::Quota),
        ("ENOMEM", Self::Quota),
        ("E2BIG", Self::TooLong),
        ("EEXIST", Self::Exists),
    ];

    /// The error that an `XS_ERROR` payload names.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Self {
        let name = payload.strip_suffix(b"\0").unwrap_or(payload);
        let known = Self::NAMES
            .iter()
            .find(|(known, _)| known.as_bytes() == name);
        known.map_or(Self::Other, |&(_, error)| error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such node",
            Self::Denied => "permission denied",
            Self::Again => "xenstore is busy",
            Self::Quota => "xenstore quota reached",
            Self::TooLong => "too long",
            Self::Exists => "exists already",
            Self::Other => "xenstore error",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_wire() {
        let header = Header {
            kind: Kind::WatchEvent,
            request: 7,
            transaction: 0x0102_0304,
            length: 4096,
        };
        let octets = header.emit();
        assert_eq!(octets[..4], [15, 0, 0, 0]);
        assert_eq!(octets[8..12], [4, 3, 2, 1]);
        assert_eq!(Header::parse(&octets), header);
    }

    #[test]
    fn every_number_keeps_its_meaning() {
        for number in 0..40 {
            assert_eq!(Kind::from_number(number).number(), number);
        }
    }

    #[test]
    fn an_error_is_known_with_and_without_its_nul() {
        assert_eq!(StoreError::parse(b"ENOENT\0"), StoreError::NotFound);
        assert_eq!(StoreError::parse(b"EQUOTA"), StoreError::Quota);
        assert_eq!(StoreError::parse(b""), StoreError::Other);
        assert_eq!(StoreError::parse(b"ENOENTX\0"), StoreError::Other);
    }
}
