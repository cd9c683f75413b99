//! The card's input: beside the output, on a stream of its own.

use super::super::CardError;
use super::super::bring_up_input::bring_up_input;
use super::super::configuration;
use super::super::power::Power;
use super::super::stream::{Stream, StreamSetup};
use super::super::verb::{StreamFormat, StreamTag};
use super::{CHANNELS, Card, Format, RATE};
use crate::{Clock, DmaMemory, DmaPage, Micros, Regs};

/// Tag of the input on the link.
const TAG: StreamTag = StreamTag::TWO;

/// What a card hears with.
pub(in super::super) struct Input<P> {
    stream: Stream<P>,
    format: Format,
}

impl<P: DmaPage> Input<P> {
    /// Prepares a ring for what the codec can record.
    ///
    /// # Errors
    /// That is nothing, or there is no memory.
    pub(super) fn new<R: Regs, C: Clock, M: DmaMemory<Page = P>>(
        card: &Card<R, C, P>,
        memory: &mut M,
        pages: u8,
    ) -> Result<Self, CardError> {
        let bits = card.configuration.input_bits(&card.codec.graph);
        let bits = bits.ok_or(CardError::NoInput)?;
        let format = Format {
            rate: RATE,
            channels: CHANNELS,
            bits,
        };
        let setup = StreamSetup {
            pages,
            tag: TAG,
            format: StreamFormat::stereo_48k(bits),
            octets_per_second: format.octets_per_second(),
        };
        let stream = Stream::input(&card.controller, memory, setup)?;
        Ok(Self { stream, format })
    }

    /// Whether it records.
    pub(in super::super) const fn runs(&self) -> bool {
        self.stream.runs()
    }

    /// Ends the position of a stream that something else stopped.
    pub(in super::super) fn forget_position(&mut self) {
        self.stream.forget_position();
    }
}

impl<R: Regs, C: Clock + Clone, P: DmaPage> Card<R, C, P> {
    /// The one format of the input; `None`: the card hears nothing.
    #[must_use]
    pub fn input_format(&self) -> Option<Format> {
        self.input.as_ref().map(|input| input.format)
    }

    /// What is recorded from.
    #[must_use]
    pub fn input(&self) -> Option<&configuration::Input> {
        self.input.as_ref()?;
        self.configuration.inputs().first()
    }

    /// Frames in the input's ring.
    #[must_use]
    pub fn input_ring_frames(&self) -> usize {
        self.input.as_ref().map_or(0, |input| {
            let frame = input.format.frame_octets();
            input.stream.ring.octets().checked_div(frame).unwrap_or(0)
        })
    }

    /// Finds an input and sets it up. The output is as good without. On a frame of its own, because
    /// the stack may be small.
    #[inline(never)]
    pub(in super::super) fn add_input<M: DmaMemory<Page = P>>(
        &mut self,
        memory: &mut M,
        pages: u8,
    ) {
        self.input = Input::new(self, memory, pages).ok();
        self.set_input_up();
    }

    /// Sets the input up, whatever its state. One that cannot be is lost, and the output
    /// is as good without.
    pub(in super::super) fn set_input_up(&mut self) {
        let clock = self.controller.clock.clone();
        let Some(format) = self.input_format() else {
            return;
        };
        let format = StreamFormat::stereo_48k(format.bits);
        let Self {
            controller,
            codec,
            configuration,
            ..
        } = self;
        let up = configuration.inputs().first().is_some_and(|input| {
            bring_up_input(controller, &clock, codec, input, format, TAG).is_ok()
        });
        if !up {
            self.input = None;
        }
    }

    /// Records from frame 0 of a silent ring, out of whatever state the card is in.
    ///
    /// # Errors
    /// `NoInput`, or what stood in the way.
    pub fn start_input(&mut self) -> Result<(), CardError> {
        if self.input.is_some() {
            self.wake()?;
        }
        let input = self.input.as_mut().ok_or(CardError::NoInput)?;
        input.stream.start(&mut self.controller, false)
    }

    /// Stops recording.
    ///
    /// # Errors
    /// The stream does not stop; the whole device was made quiet instead.
    pub fn stop_input(&mut self) -> Result<(), CardError> {
        let stopped = match &mut self.input {
            Some(input) if self.power != Power::Off => input.stream.stop(&mut self.controller),
            _ => Ok(()),
        };
        if stopped.is_err() {
            self.quiesce();
        }
        stopped
    }

    /// Frames that are in the ring since the start of the input, with `now` as for
    /// [`Self::position`].
    ///
    /// # Errors
    /// `PositionLost`: not started, or the controller is gone or stuck.
    pub fn input_position(&mut self, now: Micros) -> Result<u64, CardError> {
        let input = self.input.as_mut().ok_or(CardError::NoInput)?;
        let octets = input.stream.position(&self.controller, now)?;
        // The last ones may be on their way through the FIFO.
        let fifo = input.stream.fifo_octets(&self.controller);
        let frame = input.format.frame_octets() as u64;
        let octets = octets.saturating_sub(u64::from(fifo));
        Ok(octets.checked_div(frame).unwrap_or(0))
    }

    /// Reads whole frames of the input from frame `at` on, wherever that lies in the ring.
    pub fn read_input(&self, at: u64, frames: &mut [u8]) {
        if let Some(input) = &self.input {
            let frame = input.format.frame_octets() as u64;
            input.stream.ring.read(at.wrapping_mul(frame), frames);
        }
    }
}
