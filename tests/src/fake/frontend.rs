//! Linux's front-end and PCM core, as far as a backend can tell them apart from the real ones.
//!
//! The arithmetic of positions and periods, the check of event ids, what is reset when and what
//! is not, are those of `sound/xen` and `sound/core` of 6.12; so is what goes wrong there when a
//! backend gets it wrong, and this counts it.

use super::front::{Buffer, Front, OpenClaim};
use ring_backend::world::{ClaimedRef, Nanos};

/// How a stream is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Frames per second.
    pub rate: u32,
    /// Wire number of the format.
    pub format: u8,
    /// Samples per frame.
    pub channels: u8,
    /// Octets of a frame.
    pub frame: usize,
    /// Frames of the buffer.
    pub buffer: u64,
    /// Frames of a period.
    pub period: u64,
}

impl Params {
    /// 16-bit stereo at 48 kHz.
    #[must_use]
    pub const fn stereo(buffer: u64, period: u64) -> Self {
        Self {
            rate: 48_000,
            format: 2,
            channels: 2,
            frame: 4,
            buffer,
            period,
        }
    }

    /// Octets of the buffer.
    #[must_use]
    pub const fn buffer_octets(&self) -> usize {
        self.buffer as usize * self.frame
    }

    /// What OPEN claims for these, with this page directory.
    #[must_use]
    pub const fn claim(&self, directory: ClaimedRef) -> OpenClaim {
        OpenClaim {
            rate: self.rate,
            format: self.format,
            channels: self.channels,
            buffer: self.buffer_octets() as u32,
            directory,
            period: (self.period as usize * self.frame) as u32,
        }
    }
}

/// States of a PCM in the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No parameters, or closed.
    Setup,
    /// Ready to start.
    Prepared,
    /// Playing.
    Running,
    /// Playing what is left.
    Draining,
    /// Out of data.
    Xrun,
}

/// What only a faulty backend makes happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mishaps {
    /// Events before there were parameters: the kernel divides by zero.
    pub crashes: u32,
    /// Events whose id was not the expected one; they are ignored for ever after.
    pub lost_ids: u32,
    /// Positions behind the one before.
    pub backwards: u32,
    /// Positions further than a buffer ahead while running.
    pub leaps: u32,
}

/// A substream and the driver's stream below it.
#[derive(Debug)]
pub struct Linux {
    /// Rings and ports.
    pub front: Front,
    /// The buffer while there are parameters.
    pub buffer: Option<Buffer>,
    /// The parameters.
    pub params: Params,
    /// The core's state.
    pub state: State,
    /// Whether the device is open, so that interrupts are handled.
    pub connected: bool,
    /// Whether OPEN was sent.
    pub opened: bool,
    /// Whether it records.
    pub captures: bool,
    /// Whether running out of data stops the stream.
    pub stops_on_xrun: bool,
    /// What went wrong.
    pub mishaps: Mishaps,
    /// Times that the stream ran out of data.
    pub xruns: u32,
    /// Periods that were called over.
    pub periods: u64,
    /// Positions received.
    pub events: u64,
    /// When the last position came, and the smallest and largest time between two.
    pub last_event: Option<Nanos>,
    /// Shortest time between two events while running, in nanoseconds.
    pub closest_events: u64,
    expected_id: u16,
    known_frame: u64,
    ring_position: u64,
    towards_period: u64,
    /// Frames played, or recorded, since the stream was prepared, as the core counts.
    pub played: u64,
    /// Frames written, or read, since the stream was prepared.
    pub written: u64,
}

impl Linux {
    /// A driver that has just connected.
    #[must_use]
    pub fn new(front: Front, params: Params) -> Self {
        Self {
            front,
            buffer: None,
            params,
            state: State::Setup,
            connected: false,
            opened: false,
            captures: false,
            stops_on_xrun: true,
            mishaps: Mishaps::default(),
            xruns: 0,
            periods: 0,
            events: 0,
            last_event: None,
            closest_events: u64::MAX,
            expected_id: 0,
            known_frame: 0,
            ring_position: 0,
            towards_period: 0,
            played: 0,
            written: 0,
        }
    }

    fn clear(&mut self) {
        self.opened = false;
        self.known_frame = 0;
        self.ring_position = 0;
        self.towards_period = 0;
        self.front.restart_ids();
    }

    /// `open()`.
    pub fn open(&mut self) {
        self.clear();
        self.connected = true;
    }

    /// `hw_params`: frees the buffer there may be, without CLOSE, and makes another.
    pub fn set_params(&mut self, params: Params) {
        self.free();
        self.params = params;
        let octets = params.buffer_octets();
        self.buffer = Some(Buffer::new(&self.front.xen, self.front.dom, octets));
        self.state = State::Setup;
    }

    /// Takes the grants of the buffer back and forgets the stream.
    pub fn free(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            for (gref, _) in &buffer.pages {
                self.front.xen.revoke(self.front.dom, *gref);
            }
            self.front.xen.revoke(self.front.dom, buffer.directory);
        }
        self.state = State::Setup;
        self.clear();
    }

    /// What OPEN claims for the parameters.
    #[must_use]
    pub fn claim(&self) -> OpenClaim {
        let buffer = self.buffer.as_ref();
        self.params
            .claim(buffer.map_or_else(Default::default, |buffer| buffer.directory))
    }

    /// `prepare`, after OPEN if that was needed: the core begins at 0, the driver does not.
    pub fn prepare(&mut self) {
        self.state = State::Prepared;
        // The core asks the driver for its position and takes it as where the hardware is.
        self.played = 0;
        self.written = 0;
    }

    /// Frames that may be written; may be more than the buffer after running out.
    #[must_use]
    pub fn room(&self) -> u64 {
        (self.played + self.params.buffer).saturating_sub(self.written)
    }

    /// The core looks where the hardware is. `true` if the stream must be stopped.
    pub fn look(&mut self) -> bool {
        let buffer = self.params.buffer;
        let news = (self.ring_position + buffer - self.played % buffer) % buffer;
        self.played += news;
        match self.state {
            State::Draining => self.played >= self.written,
            State::Running if self.xrun() => {
                self.xruns += 1;
                if self.stops_on_xrun {
                    self.state = State::Xrun;
                }
                self.stops_on_xrun
            }
            _ => false,
        }
    }

    /// Whether the application came too late.
    const fn xrun(&self) -> bool {
        if self.captures {
            self.played >= self.written + self.params.buffer
        } else {
            self.played >= self.written
        }
    }

    /// The event channel's interrupt. Returns whether a period was called over, and whether the
    /// stream must be stopped.
    pub fn event_interrupt(&mut self, now: Nanos) -> (bool, bool) {
        let (mut over, mut stop) = (false, false);
        if !self.connected {
            return (over, stop);
        }
        while let Some(event) = self.front.event() {
            let expected = self.expected_id;
            self.expected_id = expected.wrapping_add(1);
            if event.id != expected {
                self.mishaps.lost_ids += 1;
                continue;
            }
            assert_eq!(event.kind, 0, "the only kind of event there is");
            let running = matches!(self.state, State::Running | State::Draining);
            if let Some(last) = self.last_event.filter(|_| running) {
                self.closest_events = self.closest_events.min(now.0 - last.0);
            }
            self.last_event = Some(now);
            self.events += 1;
            if self.handle_position(event.position) {
                self.periods += 1;
                if matches!(self.state, State::Running | State::Draining) {
                    over = true;
                    stop |= self.look();
                }
            }
        }
        (over, stop)
    }

    /// The driver's handling of one position; `true` if that ended a period.
    fn handle_position(&mut self, position: u64) -> bool {
        if self.buffer.is_none() {
            self.mishaps.crashes += 1;
            return false;
        }
        assert_eq!(position % self.params.frame as u64, 0, "whole frames");
        let frame = position / self.params.frame as u64;
        if frame < self.known_frame {
            self.mishaps.backwards += 1;
        }
        let news = frame.wrapping_sub(self.known_frame);
        self.known_frame = frame;
        let running = matches!(self.state, State::Running | State::Draining);
        if running && news >= self.params.buffer {
            self.mishaps.leaps += 1;
        }
        self.ring_position = (self.ring_position.wrapping_add(news)) % self.params.buffer;
        self.towards_period = self.towards_period.wrapping_add(news);
        if self.towards_period <= self.params.period {
            return false;
        }
        self.towards_period %= self.params.period;
        true
    }

    /// The driver's own position in the buffer.
    #[must_use]
    pub const fn ring_position(&self) -> u64 {
        self.ring_position
    }
}
