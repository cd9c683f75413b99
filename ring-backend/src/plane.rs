//! The data plane: every connected stream, the mixer, and the card, one turn at a time.
//!
//! A turn reads the card's position, serves each stream within its allowance, mixes what is due
//! and tells guests their positions. It is bounded, allocates nothing, and says when the next one
//! must be; until then the domain sleeps unless a guest signals. All memory is taken once, when
//! the plane is made.

mod fault;
mod served;
mod sound;

pub use fault::DeviceFault;

use crate::arena::Arena;
use crate::engine::{Engine, EngineCounters};
use crate::hw_params::Rules;
use crate::intake::Intake;
use crate::link::{DeviceLink, DeviceSlot, Direction};
use crate::meter::Meter;
use crate::mix::{MAX_VOICES, Mixer, Voice};
use crate::policy::Policy;
use crate::route::{Misrouted, Routes};
use crate::seat::{Counter, Seat};
use crate::statistics::Statistics;
use crate::stream::Moment;
use crate::world::{Card, CardFormat, DomId, Nanos, PAGE_OCTETS, World};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// The most streams that a plane can be made for.
pub const STREAMS_MOST: usize = MAX_VOICES;
/// Octets copied for all streams in one turn, so that mixing is never kept waiting long.
const OCTETS_PER_TURN: u64 = 512 << 10;

/// How much the plane may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams connected at once, at most [`STREAMS_MOST`].
    pub streams: usize,
    /// Octets for all open buffers together.
    pub arena_octets: usize,
    /// Octets of one stream's buffer.
    pub buffer_octets: usize,
    /// Refused requests per second that a stream may make before it is closed.
    pub strikes: u32,
}

impl Default for Limits {
    /// Fits a domain of 4 MiB.
    fn default() -> Self {
        Self {
            streams: 64,
            arena_octets: 1 << 20,
            buffer_octets: 256 << 10,
            strikes: 16,
        }
    }
}

/// Everything between the guests' rings and the card.
pub struct Plane<W: World> {
    limits: Limits,
    card: CardFormat,
    /// Up to the last that is taken, so that a turn goes over no others; never more than voices.
    seats: Vec<Option<Seat<W>>>,
    voices: Box<[Voice]>,
    mixer: Mixer,
    arena: Arena,
    engine: Engine,
    meter: Meter<STREAMS_MOST>,
    intake: Intake,
    /// What the card hears.
    input: Option<CardFormat>,
    routes: Routes,
    scratch: Box<[u8; PAGE_OCTETS]>,
    out: Box<[u8]>,
    /// The seat that is served first in the next turn.
    first: usize,
}

impl<W: World> Plane<W> {
    /// A plane without guests; the only place that allocates.
    #[must_use]
    pub fn new(limits: Limits, card: CardFormat) -> Self {
        let streams = limits.streams.min(STREAMS_MOST);
        let engine = Engine::new(card);
        let out = engine.chunk_frames() * card.frame_octets();
        Self {
            limits,
            card,
            seats: Vec::with_capacity(streams),
            voices: (0..streams).map(|_| Voice::default()).collect(),
            mixer: Mixer::new(card),
            arena: Arena::new(limits.arena_octets),
            engine,
            meter: Meter::new(),
            intake: Intake::default(),
            input: None,
            routes: Routes::default(),
            scratch: Box::new([0; PAGE_OCTETS]),
            out: vec![0; out].into_boxed_slice(),
            first: 0,
        }
    }

    /// How the mixer ends: whether it dithers where the card has fewer bits than the sum, and
    /// whether it bends loud sums rather than cut them; at first neither.
    pub const fn finish_with(&mut self, dither: bool, limiter: bool) {
        self.mixer.set_dither(dither);
        self.mixer.set_limiter(limiter);
    }

    /// Maps and binds everything that `link` names, and serves it from the next turn on.
    ///
    /// # Errors
    /// Something could not be had; then nothing is held.
    pub fn connect(
        &mut self,
        slot: DeviceSlot,
        link: &DeviceLink,
        world: &mut W,
    ) -> Result<(), DeviceFault> {
        if self.seats.iter().flatten().any(|seat| seat.slot() == slot) {
            return Err(DeviceFault::InUse);
        }
        let taken = self.seats.iter().flatten().count();
        let free = self.voices.len().saturating_sub(taken);
        if link.streams.len() > free {
            return Err(DeviceFault::NoRoom(free));
        }
        let limit = self.limits.buffer_octets.min(self.arena.capacity());
        for (index, stream) in (0..).zip(&link.streams) {
            let rules = Rules::new(&stream.config, limit);
            match Seat::connect(slot, index, link.dom, stream, rules, world) {
                Ok(seat) => match self.seats.iter_mut().find(|seat| seat.is_none()) {
                    Some(place) => *place = Some(seat),
                    // There is room: it was counted above.
                    None => self.seats.push(Some(seat)),
                },
                Err(fault) => {
                    self.disconnect(slot, world);
                    return Err(DeviceFault::Stream(index, fault));
                }
            }
        }
        Ok(())
    }

    /// Gives everything of a device back. Nothing if it is not connected.
    pub fn disconnect(&mut self, slot: DeviceSlot, world: &mut W) {
        let seats = self.seats.iter_mut().zip(&mut self.voices).enumerate();
        for (place, (seat, voice)) in seats {
            if let Some(seat) = seat.take_if(|seat| seat.slot() == slot) {
                seat.disconnect(world, &mut self.arena);
                self.mixer.release(voice);
                self.meter.forget(place);
            }
        }
        while let Some(None) = self.seats.last() {
            self.seats.pop();
        }
    }

    /// Lets a guest's connected streams do what `policy` says from now on. Those that connect later
    /// have the default, until this is called again.
    pub fn set_policy(&mut self, dom: DomId, policy: Policy) {
        for (seat, voice) in self.seats.iter_mut().zip(&mut self.voices) {
            if let Some(seat) = seat.as_mut().filter(|seat| seat.dom() == dom) {
                seat.set_policy(policy, self.routes, voice);
            }
        }
    }

    /// The first of a device's streams that is routed to what the card does not have.
    #[must_use]
    pub fn misrouted(&self, slot: DeviceSlot) -> Option<Misrouted> {
        let mut seats = self.seats.iter().flatten();
        seats.find_map(|seat| seat.misrouted(self.routes).filter(|_| seat.slot() == slot))
    }

    /// Follows which outputs sound and which input is recorded from.
    fn follow<C: Card>(&mut self, card: Option<&C>) {
        let routes = card.map(Card::routes).unwrap_or_default();
        if self.routes != routes {
            self.routes = routes;
            for (seat, voice) in self.seats.iter_mut().zip(&mut self.voices) {
                if let Some(seat) = seat {
                    seat.route(routes, voice);
                }
            }
        }
    }

    /// Does what is due at `now`; returns when to call again if no guest signals before.
    pub fn poll<C: Card>(
        &mut self,
        now: Nanos,
        world: &mut W,
        mut card: Option<&mut C>,
    ) -> Option<Nanos> {
        self.engine.advance(now, card.as_deref_mut());
        self.follow(card.as_deref());
        let input = card.as_deref_mut().and_then(Card::input);
        self.input = input.map(|input| input.format());
        let requests = self.serve(now, world);
        let preparing = self.prepare().then_some(now);
        let demand = self.demand();
        self.engine.pace(now, card.as_deref_mut(), demand);
        self.mix(now, card.as_deref_mut());
        self.record(now, card);
        let moment = self.moment(now);
        let mut look = None;
        for (seat, voice) in self.seats.iter_mut().zip(&mut self.voices) {
            let Some(seat) = seat else { continue };
            if let Some(next) = seat.report(voice, world, &moment) {
                look = Some(look.map_or(next, |look: Nanos| look.min(next)));
            }
            if !seat.stream().needs_voice() {
                self.mixer.release(voice);
            }
        }
        [requests, preparing, look, self.engine.deadline(now)]
            .into_iter()
            .flatten()
            .min()
    }

    /// A device one of whose streams broke its ring since the last call. That stream has nothing
    /// any more and is not served; the device's others are, until it is disconnected.
    pub fn take_fault(&mut self) -> Option<(DeviceSlot, DeviceFault)> {
        self.seats.iter_mut().flatten().find_map(|seat| {
            let index = seat.take_break()?;
            Some((seat.slot(), DeviceFault::BrokenRing(index)))
        })
    }

    /// A stream's numbers; `None` if there is no such stream.
    #[must_use]
    pub fn statistics(&self, slot: DeviceSlot, stream: u8) -> Option<Statistics> {
        let place = self
            .seats
            .iter()
            .position(|seat| matches!(seat, Some(seat) if seat.is(slot, stream)))?;
        let (seat, voice) = (self.seats.get(place)?.as_ref()?, self.voices.get(place)?);
        let (shape, counters) = (seat.stream().shape(), seat.stream().counters);
        let running = seat.stream().running();
        let added = match seat.stream().direction() {
            Direction::Playback => self.engine.counters().ahead + u64::from(voice.latency_frames()),
            Direction::Capture => seat.stream().capture_delay(voice, self.engine.quantum()),
        };
        Some(Statistics {
            playing: running,
            format: shape.map(|shape| shape.format),
            rate: shape.map_or(0, |shape| shape.rate),
            channels: shape.map_or(0, |shape| shape.channels),
            frames: counters.frames,
            xruns: counters.xruns,
            late_frames: counters.late_frames,
            first_sound_ns: counters.first_sound.map(|nanos| nanos.0),
            added_latency_frames: running.then(|| u32::try_from(added).unwrap_or(u32::MAX)),
            peak: self.meter.peak(place),
            hears: seat.stream().hears(),
        })
    }

    /// The counters of the mixer's pace.
    #[must_use]
    pub const fn engine(&self) -> EngineCounters {
        self.engine.counters()
    }

    /// Octets of the arena that no stream holds.
    #[must_use]
    pub fn free_octets(&self) -> usize {
        self.arena.free_octets()
    }

    fn moment(&self, now: Nanos) -> Moment {
        let (fetched, mixed) = self.engine.position();
        Moment {
            now,
            fetched,
            mixed,
            ahead: self.engine.ahead(),
            card: self.card,
            input: self.input,
        }
    }

    /// Serves every stream once, each time beginning with another.
    fn serve(&mut self, now: Nanos, world: &mut W) -> Option<Nanos> {
        let mut counter = Counter {
            moment: self.moment(now),
            world,
            arena: &mut self.arena,
            mixer: &mut self.mixer,
            scratch: &mut self.scratch,
            strikes: self.limits.strikes,
            octets: OCTETS_PER_TURN,
        };
        let count = self.seats.len();
        let mut next = None;
        let mut visit = |(seat, voice): (&mut Option<Seat<W>>, &mut Voice)| {
            if let Some(look) = seat
                .as_mut()
                .and_then(|seat| seat.serve(voice, &mut counter))
            {
                next = Some(next.map_or(look, |next: Nanos| next.min(look)));
            }
        };
        let (early, late) = self.seats.split_at_mut(self.first.min(count));
        let (early_voices, late_voices) = self.voices.split_at_mut(self.first.min(count));
        late.iter_mut().zip(late_voices).for_each(&mut visit);
        early.iter_mut().zip(early_voices).for_each(&mut visit);
        self.first = (self.first + 1).checked_rem(count).unwrap_or(0);
        next
    }
}
