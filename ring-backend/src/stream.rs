//! One stream: what its guest opened, what it asks for, and how far it was played.
//!
//! The life of a stream is OPEN, then START..STOP any number of times, then CLOSE; PAUSE and
//! RESUME lie within START..STOP. A request that does not fit the state is refused, except that
//! OPEN while open closes first and CLOSE is always granted: Linux frees a buffer without CLOSE
//! when its parameters change, and closes what was never opened.
//!
//! After STOP, Linux begins at offset 0 of the buffer, but its own count of the position goes
//! on. So STOP ends with one event that rounds the position up to a whole buffer, and the next
//! START counts on from there.

mod controls;
mod playing;
mod recording;

pub use recording::Booth;

use crate::arena::{Arena, Run};
use crate::channel::EventChannel;
use crate::event::Progress;
use crate::hw_params::{Rules, Shape};
use crate::link::Direction;
use crate::mix::{Mixer, StreamSpec, Voice};
use crate::pages;
use crate::policy::Policy;
use crate::shadow::Shadow;
use crate::volume::Volumes;
use crate::wire::{Answer, Open, Operation, Refusal, Trigger};
use crate::world::{CardFormat, DomId, Nanos, PAGE_OCTETS, World};
use recording::Take;

/// Where the card and the mixer are at one moment, in frames of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The clock.
    pub now: Nanos,
    /// Frames that the card has fetched.
    pub fetched: u64,
    /// Frames that are mixed; at least `fetched` unless the mixer was late.
    pub mixed: u64,
    /// Frames that mixing goes ahead of the card.
    pub ahead: u64,
    /// What the card plays.
    pub card: CardFormat,
    /// What it hears, if it hears anything.
    pub input: Option<CardFormat>,
}

/// What a stream needs at hand to serve a request.
pub struct Desk<'d, W: World> {
    /// Grants and event channels.
    pub world: &'d mut W,
    /// The guest.
    pub dom: DomId,
    /// The guest's event page.
    pub events: &'d mut EventChannel<W::Page>,
    /// Where buffers are mirrored.
    pub arena: &'d mut Arena,
    /// Whose tables voices need.
    pub mixer: &'d mut Mixer,
    /// Room for a page.
    pub scratch: &'d mut [u8; PAGE_OCTETS],
    /// When the request is served.
    pub moment: Moment,
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// At once.
    Now(Result<Answer, Refusal>),
    /// With success, once the guest took its events: what is left over at CLOSE would be counted
    /// towards the next stream.
    OnceDrained,
}

/// Whether frames flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Stopped,
    Running,
    /// `rewritten` is the end of what was written to the buffer since, in frames.
    Paused {
        rewritten: u32,
    },
}

/// An opened stream.
#[derive(Debug)]
struct Pcm {
    shape: Shape,
    run: Run,
    shadow: Shadow,
    flow: Flow,
    /// Frames since OPEN at the last START, a multiple of the buffer.
    base: u64,
    /// Until when nothing more of it is mixed.
    held: Option<Nanos>,
    /// Frames of the card that were mixed since START.
    rendered: u64,
    /// Frames played since START.
    played: u64,
    progress: Progress,
    take: Take,
    /// When the guest first wrote, or started, since OPEN or the last STOP.
    begun: Option<Nanos>,
}

/// Counters of a stream since its device connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames taken from, or given to, the guest.
    pub frames: u64,
    /// Gaps that were heard between data.
    pub xruns: u32,
    /// Frames that came after their place was mixed.
    pub late_frames: u64,
    /// Octets copied from or to the guest's buffer, or made silent.
    pub octets: u64,
    /// Position events placed.
    pub events: u64,
    /// Position events for which there was no slot.
    pub events_dropped: u64,
    /// Times the stream was closed for making too many mistakes.
    pub shut: u32,
    /// From the guest's first WRITE of the last run to the card reaching its first frame.
    pub first_sound: Option<Nanos>,
}

/// A stream of a connected device.
#[derive(Debug)]
pub struct Stream {
    direction: Direction,
    rules: Rules,
    pcm: Option<Pcm>,
    volumes: Volumes,
    /// What dom0 lets the guest do.
    policy: Policy,
    /// Frames of the card during which the voice still rings after STOP.
    tail: u32,
    /// The voice is configured and the mixer has not said that it is ready for it.
    unprepared: bool,
    /// The guest was seen to write anew what was mixed already.
    rewinds: bool,
    /// What happened so far.
    pub counters: Counters,
}

impl Stream {
    /// A closed stream.
    #[must_use]
    pub fn new(direction: Direction, rules: Rules) -> Self {
        Self {
            direction,
            rules,
            pcm: None,
            volumes: Volumes::default(),
            policy: Policy::default(),
            tail: 0,
            unprepared: false,
            rewinds: false,
            counters: Counters::default(),
        }
    }

    /// Which way the samples go.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// What it was opened as, if it is open.
    #[must_use]
    pub const fn shape(&self) -> Option<&Shape> {
        match &self.pcm {
            Some(pcm) => Some(&pcm.shape),
            None => None,
        }
    }

    /// Whether it is between START and STOP and not paused.
    #[must_use]
    pub fn running(&self) -> bool {
        matches!(&self.pcm, Some(pcm) if pcm.flow == Flow::Running)
    }

    /// Whether its voice is of use: it is open, or still rings.
    #[must_use]
    pub const fn needs_voice(&self) -> bool {
        self.pcm.is_some() || self.tail > 0
    }

    /// Whether the mixer may have to get ready for the voice.
    #[must_use]
    pub const fn unprepared(&self) -> bool {
        self.unprepared
    }

    /// The mixer is ready for the voice.
    pub const fn set_prepared(&mut self) {
        self.unprepared = false;
    }

    /// Serves one request.
    pub fn serve<W: World>(
        &mut self,
        operation: &Operation,
        voice: &mut Voice,
        desk: &mut Desk<'_, W>,
    ) -> Reply {
        let result = match operation {
            Operation::Close => {
                self.close(desk.arena);
                return Reply::OnceDrained;
            }
            Operation::Open(open) => self.open(open, voice, desk),
            Operation::Write(span) => self.write(span, desk),
            Operation::Read(span) => self.read(span, desk),
            Operation::Trigger(trigger) => self.trigger(*trigger, voice, desk),
            Operation::Query(asked) => {
                let answer = self.rules.narrow(asked).map(Answer::Possible);
                return Reply::Now(answer.ok_or(Refusal::Invalid));
            }
            Operation::SetVolume(span) => self.set_volume(span, voice, desk),
            Operation::GetVolume(span) => self.get_volume(span, desk),
            Operation::Mute(span) => self.mute(span, true, voice, desk),
            Operation::Unmute(span) => self.mute(span, false, voice, desk),
            Operation::Unknown => Err(Refusal::NotSupported),
        };
        Reply::Now(result.map(|()| Answer::Done))
    }

    /// Closes the stream if it is open; what is mixed already is still heard.
    pub fn close(&mut self, arena: &mut Arena) {
        if let Some(pcm) = self.pcm.take() {
            arena.give(pcm.run);
        }
    }

    // In its only caller's frame it would be longer.
    #[inline(never)]
    fn open<W: World>(
        &mut self,
        open: &Open,
        voice: &mut Voice,
        desk: &mut Desk<'_, W>,
    ) -> Result<(), Refusal> {
        self.close(desk.arena);
        let shape = self.rules.shape(open)?;
        let spec = StreamSpec {
            format: shape.format,
            rate: shape.rate,
            channels: shape.channels,
        };
        let Moment { card, input, .. } = desk.moment;
        let source = input.unwrap_or(card);
        match self.direction {
            Direction::Playback => voice.configure(spec, card),
            Direction::Capture => voice.configure_capture(spec, source),
        }
        .map_err(|_| Refusal::Invalid)?;
        if !desk.mixer.hold(voice) {
            return Err(Refusal::NoRoom);
        }
        self.tail = 0;
        self.unprepared = true;
        self.apply_volumes(voice);
        let octets = open.buffer_octets as usize;
        let run = desk.arena.take(octets, desk.dom).ok_or(Refusal::NoRoom)?;
        let (refs, ring) = desk.arena.get_mut(&run);
        if let Err(fault) = pages::walk(desk.world, desk.dom, open.directory, refs, desk.scratch) {
            desk.arena.give(run);
            return Err(match fault {
                pages::DirectoryFault::Grant => Refusal::BadGrant,
                _ => Refusal::Invalid,
            });
        }
        let mut shadow = Shadow::new(
            shape.buffer_frames,
            shape.frame_octets,
            shape.format.silence(),
        );
        shadow.clear(ring);
        self.counters.octets += octets as u64;
        let mut progress = Progress::new(shape.period_frames, shape.rate);
        if self.direction == Direction::Capture {
            progress.record();
        }
        if self.rewinds {
            progress.tell_all();
        }
        self.pcm = Some(Pcm {
            shape,
            run,
            shadow,
            flow: Flow::Stopped,
            base: 0,
            held: None,
            rendered: 0,
            played: 0,
            progress,
            take: Take::new(source),
            begun: None,
        });
        Ok(())
    }

    fn trigger<W: World>(
        &mut self,
        trigger: Trigger,
        voice: &mut Voice,
        desk: &mut Desk<'_, W>,
    ) -> Result<(), Refusal> {
        let pcm = self.pcm.as_ref().ok_or(Refusal::NotOpen)?;
        match (trigger, pcm.flow) {
            (Trigger::Unknown, _) | (Trigger::Resume, Flow::Stopped) => Err(Refusal::Invalid),
            (Trigger::Start | Trigger::Resume, Flow::Running)
            | (Trigger::Pause, Flow::Stopped | Flow::Paused { .. })
            | (Trigger::Stop, Flow::Stopped) => Ok(()),
            (Trigger::Start, Flow::Stopped) => {
                self.start(voice, &desk.moment);
                Ok(())
            }
            (Trigger::Start, Flow::Paused { rewritten }) => {
                // Linux resumes from a suspend by beginning anew; what it wrote since is kept.
                self.stop(voice, desk, Some(rewritten));
                self.start(voice, &desk.moment);
                Ok(())
            }
            (Trigger::Stop, Flow::Running | Flow::Paused { .. }) => {
                self.stop(voice, desk, None);
                Ok(())
            }
            (Trigger::Pause, Flow::Running) => {
                self.advance(voice, &desk.moment);
                self.set_flow(Flow::Paused { rewritten: 0 }, &desk.moment);
                Ok(())
            }
            (Trigger::Resume, Flow::Paused { .. }) => {
                self.set_flow(Flow::Running, &desk.moment);
                Ok(())
            }
        }
    }

    fn set_flow(&mut self, flow: Flow, moment: &Moment) {
        if let Some(pcm) = &mut self.pcm {
            pcm.flow = flow;
            pcm.take.resume(moment.fetched);
        }
    }

    fn start(&mut self, voice: &mut Voice, moment: &Moment) {
        if let Some(pcm) = &mut self.pcm {
            voice.reset();
            self.tail = 0;
            pcm.begun.get_or_insert(moment.now);
            pcm.take.begin(moment.fetched);
            pcm.flow = Flow::Running;
            self.counters.first_sound = None;
        }
    }

    /// Stops, tells the rounded position, and gets the buffer ready to begin at its start;
    /// `keep` frames there are new already.
    fn stop<W: World>(&mut self, voice: &Voice, desk: &mut Desk<'_, W>, keep: Option<u32>) {
        self.advance(voice, &desk.moment);
        let Some(pcm) = &mut self.pcm else { return };
        if self.direction == Direction::Capture {
            self.counters.xruns += u32::from(pcm.overrun());
        }
        let frames = u64::from(pcm.shape.buffer_frames);
        let aligned = (pcm.base + pcm.played)
            .div_ceil(frames)
            .saturating_mul(frames);
        pcm.base = aligned;
        pcm.played = 0;
        pcm.rendered = 0;
        pcm.begun = None;
        pcm.held = None;
        pcm.flow = Flow::Stopped;
        let (_, ring) = desk.arena.get_mut(&pcm.run);
        match keep {
            Some(kept) => {
                pcm.shadow.restart(ring, kept);
                self.counters.octets += pcm.shadow.octets() as u64;
            }
            None => pcm.shadow.stop(ring),
        }
        if self.direction == Direction::Playback {
            self.tail = voice.tail_frames();
        }
        if pcm.progress.news(aligned) {
            self.tell(aligned, aligned, desk.world, desk.events, desk.moment.now);
        }
    }
}
