//! The card's input: beside the output, on a stream of its own.

use super::super::CardError;
use super::super::bring_up_input::{connect_input, disconnect_input, listen, prepare_inputs};
use super::super::configuration;
use super::super::levels::set_gain;
use super::super::power::Power;
use super::super::stream::{Stream, StreamSetup};
use super::super::verb::{StreamFormat, StreamTag, VerbFault};
use super::{CHANNELS, Card, Format, RATE};
use crate::{Clock, DmaMemory, DmaPage, Micros, Regs};

/// Tag of the input on the link.
const TAG: StreamTag = StreamTag::TWO;

/// How long verbs may hold the loop while an input starts or stops.
const VERBS: Micros = Micros::millis(20);

/// What a card hears with.
pub(in super::super) struct Input<P> {
    stream: Stream<P>,
    format: Format,
    /// Which of the configuration's inputs the codec is set up for; `None` where that is still to
    /// do or failed.
    live: Option<usize>,
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
        let listens = card.jacks.mic(&card.configuration).is_some();
        let bits = bits.filter(|_| listens).ok_or(CardError::NoInput)?;
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
        Ok(Self {
            stream,
            format,
            live: None,
        })
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

    /// What is recorded from now, or would be.
    #[must_use]
    pub fn input(&self) -> Option<&configuration::Input> {
        let live = self.input.as_ref()?.live;
        let index = live.or_else(|| self.jacks.mic(&self.configuration))?;
        self.configuration.inputs().get(index)
    }

    /// Whether the input's stream runs.
    pub(in super::super) fn records(&self) -> bool {
        self.input.as_ref().is_some_and(Input::runs)
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
        let _ = self.set_input_up();
    }

    /// Sets the input up, whatever its state. Where that fails it is tried again when it is to
    /// record, and the output is as good without.
    pub(in super::super) fn set_input_up(&mut self) -> Result<(), VerbFault> {
        let clock = self.controller.clock.clone();
        let Self {
            controller,
            codec,
            configuration,
            input: Some(input),
            ..
        } = self
        else {
            return Ok(());
        };
        input.live = None;
        prepare_inputs(controller, &clock, codec, configuration)?;
        self.follow_mic()
    }

    /// Sets the input up for the microphone that is to be recorded from, if it is for another one.
    /// While that lasts the stream brings silence.
    pub(in super::super) fn follow_mic(&mut self) -> Result<(), VerbFault> {
        let Self {
            controller,
            codec,
            configuration,
            jacks,
            input,
            levels,
            ..
        } = self;
        let wanted = jacks.mic(configuration);
        let Some(input) = input.as_mut().filter(|input| input.live != wanted) else {
            return Ok(());
        };
        let format = StreamFormat::stereo_48k(input.format.bits);
        let inputs = configuration.inputs();
        // One that failed on the way may have left any of them open.
        let others = input
            .live
            .take()
            .map_or(0..inputs.len(), |live| live..live.saturating_add(1));
        for other in inputs.get(others).into_iter().flatten() {
            if !other.shared {
                listen(controller, codec, other, false)?;
                disconnect_input(controller, codec, other)?;
            }
        }
        if let Some(new) = wanted.and_then(|wanted| inputs.get(wanted)) {
            connect_input(controller, codec, new, format, TAG)?;
            if levels.gain != 0 {
                set_gain(controller, codec.address, &codec.graph, new, levels.gain)?;
            }
            if input.runs() {
                listen(controller, codec, new, true)?;
            }
        }
        input.live = wanted;
        Ok(())
    }

    /// Sets the live input's gain, whatever it is.
    pub(in super::super) fn set_input_gain(&mut self) -> Result<(), VerbFault> {
        let live = self.input.as_ref().and_then(|input| input.live);
        let Some(input) = live.and_then(|live| self.configuration.inputs().get(live)) else {
            return Ok(());
        };
        let (codec, gain) = (&self.codec, self.levels.gain);
        let (address, graph) = (codec.address, &codec.graph);
        set_gain(&mut self.controller, address, graph, input, gain)
    }

    /// Has the live input's pin listen, or not. It does only while something records.
    fn listen(&mut self, on: bool) -> Result<(), VerbFault> {
        let live = self.input.as_ref().and_then(|input| input.live);
        let Some(input) = live.and_then(|live| self.configuration.inputs().get(live)) else {
            return Ok(());
        };
        let listening = listen(&mut self.controller, &self.codec, input, on);
        if listening.is_err()
            && let Some(input) = &mut self.input
        {
            input.live = None;
        }
        listening
    }

    /// Records from frame 0 of a silent ring, out of whatever state the card is in.
    ///
    /// # Errors
    /// `NoInput`, or what stood in the way.
    pub fn start_input(&mut self) -> Result<(), CardError> {
        if self.input.is_none() {
            return Err(CardError::NoInput);
        }
        self.wake()?;
        let failed = self
            .input
            .as_ref()
            .is_some_and(|input| input.live.is_none());
        let limit = self.controller.clock.now().plus(VERBS);
        self.controller.limit_verbs(Some(limit));
        let ready = if failed {
            self.set_input_up()
        } else {
            self.follow_mic()
        };
        let ready = ready.and_then(|()| self.listen(true));
        self.controller.limit_verbs(None);
        ready?;
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
            _ => return Ok(()),
        };
        if stopped.is_err() {
            self.quiesce();
            return stopped;
        }
        let limit = self.controller.clock.now().plus(VERBS);
        self.controller.limit_verbs(Some(limit));
        // One that does not answer is set up anew the next time.
        let _ = self.listen(false);
        self.controller.limit_verbs(None);
        Ok(())
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
        let unstored = input.stream.unstored_octets(&self.controller);
        let frame = input.format.frame_octets() as u64;
        let octets = octets.saturating_sub(u64::from(unstored));
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
