//! The nodes of one frontend directory, as fetched: bounded, typed by place and key.

use super::fault::{ConfigFault, Wrong};
use crate::link::STREAMS_PER_DEVICE;
use alloc::boxed::Box;
use core::fmt;
use heapless::Vec;

/// Nodes that are kept of one frontend directory: all keys of the card, and of as many PCM devices
/// and streams as there may be.
const NODES: usize = 5 + STREAMS_PER_DEVICE * (5 + 11);
/// Octets of all values together.
const TEXT_OCTETS: usize = 8192;

/// A directory of the frontend: card, PCM device, or stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The frontend's directory itself.
    Card,
    /// `<device>`.
    Pcm(u8),
    /// `<device>/<stream>`.
    Stream(u8, u8),
}

impl Place {
    /// The directory that this one inherits from.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Card => None,
            Self::Pcm(_) => Some(Self::Card),
            Self::Stream(pcm, _) => Some(Self::Pcm(pcm)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card => Ok(()),
            Self::Pcm(pcm) => write!(f, "{pcm}"),
            Self::Stream(pcm, stream) => write!(f, "{pcm}/{stream}"),
        }
    }
}

/// A node that means something to this backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `channels-min`.
    ChannelsMin,
    /// `channels-max`.
    ChannelsMax,
    /// `sample-rates`.
    SampleRates,
    /// `sample-formats`.
    SampleFormats,
    /// `buffer-size`.
    BufferSize,
    /// `type`; streams only, as all that follow.
    Type,
    /// `unique-id`.
    UniqueId,
    /// `ring-ref`.
    RingRef,
    /// `event-channel`.
    EventChannel,
    /// `evt-ring-ref`.
    EventRingRef,
    /// `evt-event-channel`.
    EventRingChannel,
}

impl Key {
    /// All keys; the first five are inherited, the others only streams have.
    pub const ALL: [Self; 11] = [
        Self::ChannelsMin,
        Self::ChannelsMax,
        Self::SampleRates,
        Self::SampleFormats,
        Self::BufferSize,
        Self::Type,
        Self::UniqueId,
        Self::RingRef,
        Self::EventChannel,
        Self::EventRingRef,
        Self::EventRingChannel,
    ];

    /// The node's name (`XENSND_FIELD_*`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChannelsMin => "channels-min",
            Self::ChannelsMax => "channels-max",
            Self::SampleRates => "sample-rates",
            Self::SampleFormats => "sample-formats",
            Self::BufferSize => "buffer-size",
            Self::Type => "type",
            Self::UniqueId => "unique-id",
            Self::RingRef => "ring-ref",
            Self::EventChannel => "event-channel",
            Self::EventRingRef => "evt-ring-ref",
            Self::EventRingChannel => "evt-event-channel",
        }
    }

    /// The key with a name, if a directory like `at` can have it.
    #[must_use]
    pub fn from_name(at: Place, name: &str) -> Option<Self> {
        let all = match at {
            Place::Stream(..) => &Self::ALL[..],
            Place::Card | Place::Pcm(_) => Self::ALL.get(..5).unwrap_or_default(),
        };
        all.iter().copied().find(|key| key.name() == name)
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    at: Place,
    key: Key,
    start: usize,
    end: usize,
}

/// What was fetched of one frontend directory.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Box<Vec<Node, NODES>>,
    text: Box<Vec<u8, TEXT_OCTETS>>,
    /// The numbered directories of the card, one bit each.
    pcms: u32,
    /// The numbered directories of each PCM device.
    streams: [u32; STREAMS_PER_DEVICE],
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// An empty tree. Allocates, and never again.
    #[must_use]
    pub fn new() -> Self {
        Self {
            nodes: Box::new(Vec::new()),
            text: Box::new(Vec::new()),
            pcms: 0,
            streams: [0; STREAMS_PER_DEVICE],
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.text.clear();
        self.pcms = 0;
        self.streams = [0; STREAMS_PER_DEVICE];
    }

    /// Notes that the directory `at` exists.
    ///
    /// # Errors
    /// A device or stream number of 16 or more, which cannot be without a gap or too many streams.
    pub fn add_place(&mut self, at: Place) -> Result<(), ConfigFault> {
        let (bits, number) = match at {
            Place::Card => return Ok(()),
            Place::Pcm(pcm) => (Some(&mut self.pcms), pcm),
            Place::Stream(pcm, stream) => (self.streams.get_mut(usize::from(pcm)), stream),
        };
        match bits {
            Some(bits) if usize::from(number) < STREAMS_PER_DEVICE => {
                *bits |= 1 << number;
                Ok(())
            }
            _ => Err(ConfigFault::new(at, None, Wrong::TooManyStreams)),
        }
    }

    /// Keeps a node's value. A value given twice counts as first given.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn add_value(&mut self, at: Place, key: Key, value: &[u8]) -> Result<(), ConfigFault> {
        let start = self.text.len();
        let node = Node {
            at,
            key,
            start,
            end: start.saturating_add(value.len()),
        };
        let too_much = ConfigFault::new(at, Some(key), Wrong::TooMuch);
        self.text.extend_from_slice(value).map_err(|_| too_much)?;
        self.nodes.push(node).map_err(|_| too_much)
    }

    /// The value of the node `key` of exactly the directory `at`.
    #[must_use]
    pub fn value(&self, at: Place, key: Key) -> Option<&[u8]> {
        let mut nodes = self.nodes.iter();
        let node = nodes.find(|node| node.at == at && node.key == key)?;
        self.text.get(node.start..node.end)
    }

    /// The value of `key` at the nearest of `at` and the directories above it.
    #[must_use]
    pub fn inherited(&self, at: Place, key: Key) -> Option<(Place, &[u8])> {
        let mut level = Some(at);
        while let Some(here) = level {
            if let Some(value) = self.value(here, key) {
                return Some((here, value));
            }
            level = here.parent();
        }
        None
    }

    /// How many PCM devices there are.
    ///
    /// # Errors
    /// None, or not numbered without gaps.
    pub fn devices(&self) -> Result<u8, ConfigFault> {
        count(self.pcms, Place::Card, Wrong::NoDevices)
    }

    /// How many streams a PCM device has.
    ///
    /// # Errors
    /// None, or not numbered without gaps.
    pub fn streams(&self, pcm: u8) -> Result<u8, ConfigFault> {
        let bits = self.streams.get(usize::from(pcm)).copied();
        count(bits.unwrap_or_default(), Place::Pcm(pcm), Wrong::NoStreams)
    }
}

/// How many directories `bits` names, if they are 0, 1, 2 and so on.
fn count(bits: u32, at: Place, none: Wrong) -> Result<u8, ConfigFault> {
    let number = bits.trailing_ones();
    if bits == 0 {
        Err(ConfigFault::new(at, None, none))
    } else if number != bits.count_ones() {
        Err(ConfigFault::new(at, None, Wrong::Gap))
    } else {
        Ok(u8::try_from(number).unwrap_or(u8::MAX))
    }
}
