//! A sound card that plays and records: controller, codec, paths and streams together.

mod recording;

use super::CardError;
use super::bring_up;
use super::chips;
use super::codec::{Codec, CodecFault};
use super::configuration::Configuration;
use super::controller::{Codecs, Controller, Transport};
use super::jacks::Jacks;
use super::levels::Levels;
use super::overrides::Overrides;
use super::power::Power;
use super::quirks::Quirks;
use super::regs::INTCTL;
use super::stream::{Causes, Stream, StreamSetup};
use super::verb::{CodecAddress, SampleBits, StreamFormat, StreamTag, VerbFault};
use crate::{Clock, DmaMemory, DmaPage, Micros, Regs};
pub(super) use recording::Input;

/// Frames in a second.
pub const RATE: u32 = 48_000;
/// Samples of a frame.
pub const CHANNELS: u8 = 2;
/// Tag of the output on the link.
pub(super) const TAG: StreamTag = StreamTag::ONE;
/// More interrupts than this in [`STORM_SPAN`] are a storm; some ten a second are normal.
const STORM: u32 = 200;
const STORM_SPAN: Micros = Micros::millis(100);
/// How long verbs may take in all while a card is brought up.
const VERBS: Micros = Micros::millis(1500);

/// What a card is brought up with.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Pages of the ring, 2 to [`super::stream::RING_PAGES`].
    pub ring_pages: u8,
    /// Whether the stream interrupts at each half of the ring. Only for a handler that is bound:
    /// a line interrupt that nobody serves may be shared with another domain's device.
    pub interrupts: bool,
    /// How verbs travel.
    pub transport: Transport,
    /// What the controller wants beyond the specification.
    pub quirks: Quirks,
    /// What a person says about the codec.
    pub overrides: Overrides,
}

impl Default for Options {
    /// 32 KiB, no interrupts, CORB and RIRB. QEMU moves up to 8 KiB at once, and a position is
    /// clear only if a burst is well below half of the ring.
    fn default() -> Self {
        Self {
            ring_pages: 8,
            interrupts: false,
            transport: Transport::Rings,
            quirks: Quirks::default(),
            overrides: Overrides::default(),
        }
    }
}

/// How the card wants its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Frames in a second.
    pub rate: u32,
    /// Samples of a frame.
    pub channels: u8,
    /// Bits of a sample; more than 16 lie at the top of 32.
    pub bits: SampleBits,
}

impl Format {
    /// Octets of a frame: 4 or 8.
    #[must_use]
    pub const fn frame_octets(self) -> usize {
        self.bits.octets().saturating_mul(self.channels as usize)
    }

    fn octets_per_second(self) -> u32 {
        let octets = u32::try_from(self.frame_octets()).unwrap_or(0);
        self.rate.saturating_mul(octets)
    }
}

/// A card ready to play and, where it has an input, to record.
pub struct Card<R: Regs, C: Clock, P: DmaPage> {
    // Dropped first: it ends all DMA before the ring's pages go.
    pub(super) controller: Controller<R, C, P>,
    pub(super) stream: Stream<P>,
    /// `None`: it hears nothing.
    pub(super) input: Option<Input<P>>,
    pub(super) codec: Codec,
    pub(super) configuration: Configuration,
    overrides: Overrides,
    pub(super) jacks: Jacks,
    pub(super) levels: Levels,
    pub(super) format: Format,
    interrupts: bool,
    /// Interrupts since some point not long ago.
    recent: (Micros, u32),
    pub(super) power: Power,
    pub(super) rests: u32,
    pub(super) woke_in: Micros,
}

impl<R: Regs, C: Clock + Clone, P: DmaPage> Card<R, C, P> {
    /// Finds a codec with an output, sets its outputs up and prepares a ring; within 2 s.
    ///
    /// # Errors
    /// What stood in the way; the device is quiet then.
    pub fn bring_up<M: DmaMemory<Page = P>>(
        regs: R,
        memory: &mut M,
        clock: C,
        options: &Options,
    ) -> Result<Self, CardError> {
        let (mut controller, codecs) =
            Controller::reset(regs, memory, clock, options.transport, options.quirks)?;
        let limit = controller.clock.now().plus(VERBS);
        let mut codec = Codec::new(CodecAddress::FIRST);
        let mut configuration = Configuration::new();
        let overrides = options.overrides;
        find(
            &mut controller,
            codecs,
            &mut codec,
            &mut configuration,
            limit,
            &overrides,
        )?;
        controller.limit_verbs(Some(limit));
        let bits = configuration
            .output_bits(&codec.graph)
            .ok_or(CardError::NoFormat)?;
        let format = Format {
            rate: RATE,
            channels: CHANNELS,
            bits,
        };
        let setup = StreamSetup {
            pages: options.ring_pages,
            tag: TAG,
            format: StreamFormat::stereo_48k(bits),
            octets_per_second: format.octets_per_second(),
        };
        let stream = Stream::output(&controller, memory, setup)?;
        let mut card = Self {
            controller,
            stream,
            input: None,
            codec,
            configuration,
            overrides,
            jacks: Jacks::default(),
            levels: Levels::default(),
            format,
            interrupts: options.interrupts,
            recent: (Micros(0), 0),
            power: Power::default(),
            rests: 0,
            woke_in: Micros(0),
        };
        card.set_up()?;
        card.add_input(memory, options.ring_pages);
        card.controller.limit_verbs(None);
        card.jacks.tell();
        Ok(card)
    }

    /// Sets all outputs up, whatever their state.
    pub(super) fn set_up(&mut self) -> Result<(), VerbFault> {
        let clock = self.controller.clock.clone();
        let format = StreamFormat::stereo_48k(self.format.bits);
        let Self {
            controller,
            codec,
            configuration,
            overrides,
            ..
        } = self;
        let stream = (format, TAG);
        bring_up::connect(controller, &clock, codec, configuration, overrides, stream)?;
        if self.levels.volume < 0 || self.levels.muted {
            self.set_volumes()?;
        }
        self.drive_outputs()
    }

    /// The one format of the output.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Frames in the ring.
    #[must_use]
    pub fn ring_frames(&self) -> usize {
        let frame = self.format.frame_octets();
        self.stream.ring.octets().checked_div(frame).unwrap_or(0)
    }

    /// Frames that the card may have fetched past [`Self::position`]: its FIFO. Known once
    /// started.
    #[must_use]
    pub fn fetch_ahead(&self) -> usize {
        let octets = usize::from(self.stream.fifo_octets(&self.controller));
        octets.div_ceil(self.format.frame_octets())
    }

    /// The codec that plays.
    #[must_use]
    pub const fn codec(&self) -> &Codec {
        &self.codec
    }

    /// What that codec is used for.
    #[must_use]
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// How verbs travel: what was asked for, or immediate commands where the rings failed.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.controller.transport()
    }

    /// Fills the ring with silence and plays from frame 0, out of whatever state the card is in:
    /// at low power it wakes first, after a fault it is reset first.
    ///
    /// # Errors
    /// What stood in the way; the device is quiet then.
    pub fn start(&mut self) -> Result<(), CardError> {
        self.wake()?;
        let started = self.stream.start(&mut self.controller, self.interrupts);
        if started.is_err() {
            self.quiesce();
        }
        started
    }

    /// Stops playing.
    ///
    /// # Errors
    /// The stream does not stop; the whole device was made quiet instead.
    pub fn stop(&mut self) -> Result<(), CardError> {
        if self.power == Power::Off {
            return Ok(());
        }
        let stopped = self.stream.stop(&mut self.controller);
        if stopped.is_err() {
            self.quiesce();
        }
        stopped
    }

    /// Frames played since the start; never decreases and does not outrun `now`, which is on the
    /// clock that the card was given.
    ///
    /// # Errors
    /// `PositionLost`: not started, or the controller is stuck. `Absent`: it is gone. The device
    /// is quiet then.
    pub fn position(&mut self, now: Micros) -> Result<u64, CardError> {
        let octets = match self.stream.position(&self.controller, now) {
            Ok(octets) => octets,
            Err(error) => {
                if self.stream.runs() {
                    self.quiesce();
                }
                return Err(error);
            }
        };
        let frame = self.format.frame_octets() as u64;
        Ok(octets.checked_div(frame).unwrap_or(0))
    }

    /// Writes whole frames at frame `at`, wherever that lies in the ring.
    pub fn write(&mut self, at: u64, frames: &[u8]) {
        let frame = self.format.frame_octets() as u64;
        self.stream.ring.write(at.wrapping_mul(frame), frames);
    }

    /// Writes `frames` frames of silence from frame `from` on, at most a ring of them.
    pub fn clear(&mut self, from: u64, frames: usize) {
        let frame = self.format.frame_octets();
        let octets = frames.saturating_mul(frame);
        self.stream
            .ring
            .clear(from.wrapping_mul(frame as u64), octets);
    }

    /// Serves an interrupt: clears all its causes and says what they were. A stream that could
    /// not read its descriptors has lost its position; the device is quiet then.
    pub fn interrupt(&mut self) -> Causes {
        let mut causes = self.stream.interrupt(&mut self.controller);
        if causes.descriptor_error {
            self.quiesce();
        }
        causes.storm = self.storms();
        if causes.storm {
            // The position is read all the same, by whoever keeps time.
            self.interrupts = false;
            INTCTL.write(&mut self.controller.regs, 0);
        }
        causes
    }

    /// Counts an interrupt; whether there were too many of late.
    fn storms(&mut self) -> bool {
        let now = self.controller.clock.now();
        let (since, count) = self.recent;
        self.recent = if now.since(since) < STORM_SPAN {
            (since, count.saturating_add(1))
        } else {
            (now, 1)
        };
        self.recent.1 >= STORM
    }
}

/// The first codec with an output, and what it is used for, in place. Others may be silent, or
/// slow: a display codec whose graphics driver is in another domain often is. So each but the last
/// has only half of the time that is left until `limit`.
fn find<R: Regs, C: Clock + Clone, P: DmaPage>(
    controller: &mut Controller<R, C, P>,
    codecs: Codecs,
    codec: &mut Codec,
    configuration: &mut Configuration,
    limit: Micros,
    overrides: &Overrides,
) -> Result<(), CardError> {
    let mut furthest = CardError::CodecSilent;
    let mut addresses = codecs.addresses().peekable();
    while let Some(address) = addresses.next() {
        let clock = controller.clock.clone();
        let now = clock.now();
        let half = now.plus(Micros(limit.since(now).0 / 2));
        let last = addresses.peek().is_none();
        controller.limit_verbs(Some(if last { limit } else { half }));
        codec.address = address;
        let error = match codec.read(controller, &clock) {
            Ok(()) => match choose(codec, configuration, overrides) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Err(CodecFault::NoAudioFunction) => CardError::NoAudioFunction,
            Err(CodecFault::Verb(VerbFault::Absent)) => return Err(CardError::Absent),
            Err(CodecFault::Verb(fault)) => fault.into(),
        };
        if progress(error) > progress(furthest) {
            furthest = error;
        }
    }
    Err(furthest)
}

/// Chooses what a codec is used for, after what its machine and a person say about it.
fn choose(
    codec: &mut Codec,
    configuration: &mut Configuration,
    overrides: &Overrides,
) -> Result<(), CardError> {
    chips::declare_pins(codec.id, codec.subsystem, &mut codec.graph);
    let graph = &mut codec.graph;
    overrides.change_pins(graph).map_err(CardError::Misfit)?;
    configuration.choose(graph);
    let paths = overrides.change_paths(graph, configuration);
    paths.map_err(CardError::Misfit)?;
    if !configuration.outputs().is_empty() {
        return Ok(());
    }
    configuration.choose_any_format(graph);
    if !configuration.outputs().is_empty() {
        Err(CardError::NoFormat)
    } else if graph.has_analog_output() {
        Err(CardError::NoPath)
    } else {
        Err(CardError::NoAnalog)
    }
}

/// How close to playing a codec came that failed so.
const fn progress(error: CardError) -> u8 {
    match error {
        CardError::Misfit(_) => 6,
        CardError::NoFormat => 5,
        CardError::NoPath => 4,
        CardError::TooSlow => 3,
        CardError::NoAnalog => 2,
        CardError::NoAudioFunction => 1,
        _ => 0,
    }
}
