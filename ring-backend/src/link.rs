//! What the control plane hands to the data plane when a device connects.
//!
//! The xenbus and config modules make these from xenstore, checked and bounded;
//! the data plane maps the rings they name and serves them until told to stop.

use crate::format::FormatSet;
use crate::world::{ClaimedRef, DomId, RemotePort};
use heapless::{String, Vec};

/// Streams that one device may have.
pub const STREAMS_PER_DEVICE: usize = 16;
/// Rates that one stream may list.
pub const RATES_PER_STREAM: usize = 16;
/// Octets of a stream's `unique-id` that are kept.
pub const UNIQUE_ID_OCTETS: usize = 64;

/// A slot of the device table; made by the control plane only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSlot(pub u8);

/// Which way the samples go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Guest to card; `type = "p"`.
    Playback,
    /// Card to guest; `type = "c"`.
    Capture,
}

/// The rates a stream may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rates {
    /// Nothing was configured: any rate from `min` to `max`, in frames per second.
    Any {
        /// Lowest rate.
        min: u32,
        /// Highest rate.
        max: u32,
    },
    /// Exactly these, ascending, not empty.
    Listed(Vec<u32, RATES_PER_STREAM>),
}

/// What one stream was configured to be, after inheritance from device and card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Playback or capture.
    pub direction: Direction,
    /// `unique-id`, or empty.
    pub unique_id: String<UNIQUE_ID_OCTETS>,
    /// Sample formats, never empty.
    pub formats: FormatSet,
    /// Frame rates.
    pub rates: Rates,
    /// Fewest channels, from 1.
    pub channels_min: u8,
    /// Most channels, at least `channels_min`.
    pub channels_max: u8,
    /// Largest buffer in octets.
    pub buffer_octets: u32,
}

/// One stream of a device that is about to connect: its configuration and where its rings are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamLink {
    /// What it may do.
    pub config: StreamConfig,
    /// `ring-ref`: the request ring's page.
    pub ring_ref: ClaimedRef,
    /// `event-channel`: the request ring's port.
    pub ring_port: RemotePort,
    /// `evt-ring-ref`: the event page.
    pub event_ref: ClaimedRef,
    /// `evt-event-channel`: the event page's port.
    pub event_port: RemotePort,
}

/// A whole device that is about to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLink {
    /// The guest.
    pub dom: DomId,
    /// Its streams, in the order of their xenstore directories.
    pub streams: Vec<StreamLink, STREAMS_PER_DEVICE>,
}
