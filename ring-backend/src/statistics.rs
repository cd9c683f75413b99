//! What the data plane tells about one stream, for the status that an administrator reads.

use crate::format::SampleFormat;
use crate::world::Holding;
use core::fmt;

/// One stream at one moment. All counters restart when the device connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Between START and STOP.
    pub playing: bool,
    /// The format it was opened with; `None` while closed.
    pub format: Option<SampleFormat>,
    /// The rate it was opened with, in frames per second; 0 while closed.
    pub rate: u32,
    /// The channels it was opened with; 0 while closed.
    pub channels: u8,
    /// Frames moved between guest and card.
    pub frames: u64,
    /// Times the guest's data came too late.
    pub xruns: u32,
    /// Frames that came after their place was mixed, and were not heard.
    pub late_frames: u64,
    /// From the guest's first WRITE of its last run to the card reaching its first frame, in nanoseconds.
    pub first_sound_ns: Option<u64>,
    /// Frames between the guest's buffer and the card's read position that this backend adds, at
    /// the card's rate.
    pub added_latency_frames: Option<u32>,
    /// The highest sample that the guest played lately, of 32767, before any volume; 0 unless
    /// somebody asked for levels.
    pub peak: u16,
    /// The guest is given what the microphone hears.
    pub hears: bool,
}

/// What is held of guests, and of Xen for them: the same before a guest comes and after it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Held {
    /// Pages and ports, as the world counts them.
    pub world: Holding,
    /// Streams of connected devices.
    pub streams: usize,
    /// Octets of the room for open buffers that are taken.
    pub buffer_octets: usize,
    /// Slots of the device table that are taken.
    pub devices: usize,
    /// Watches that xenstore holds for the domain.
    pub watches: u32,
}

impl fmt::Display for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holding { pages, ports } = self.world;
        write!(
            out,
            "pages={pages} ports={ports} watches={} devices={} streams={} buffers={}",
            self.watches, self.devices, self.streams, self.buffer_octets
        )
    }
}
