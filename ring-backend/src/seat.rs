//! One stream of a connected device: its pages and ports, and whose turn it is on them.

mod answering;
mod routing;

use crate::allowance::Allowance;
use crate::arena::Arena;
use crate::channel::{EventChannel, RequestChannel};
use crate::hw_params::Rules;
use crate::link::{DeviceSlot, StreamLink};
use crate::mix::{Mixer, Voice};
use crate::policy::Policy;
use crate::ring::BrokenRing;
use crate::route::Terminal;
use crate::stream::{Moment, Stream};
use crate::wire::{Answer, response};
use crate::world::{DomId, EventFault, GrantFault, Nanos, PAGE_OCTETS, World};

/// Requests that one stream is served at a time.
const REQUESTS_PER_TURN: u32 = 8;
/// How long a CLOSE waits for the guest to take its events, and how often that is looked at.
const HOLD_MILLIS: u64 = 50;
const HOLD_STEP_MILLIS: u64 = 1;

/// A page or a port of a stream that could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatFault {
    /// A page could not be mapped.
    Grant(GrantFault),
    /// A port could not be bound.
    Event(EventFault),
}

/// The mapped pages and bound ports.
#[derive(Debug)]
struct Wires<P> {
    requests: RequestChannel<P>,
    events: EventChannel<P>,
}

/// A CLOSE that waits for the guest to take its events.
#[derive(Clone, Copy, Debug)]
struct Held {
    id: u16,
    code: u8,
    until: Nanos,
}

/// What a guest signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    None,
    /// On the request ring's port.
    Request,
    /// On the event page's port.
    Stray,
}

/// What all streams share while they are served.
pub struct Counter<'c, W: World> {
    /// Grants and event channels.
    pub world: &'c mut W,
    /// Where buffers are mirrored.
    pub arena: &'c mut Arena,
    /// Whose tables voices need.
    pub mixer: &'c mut Mixer,
    /// Room for a page.
    pub scratch: &'c mut [u8; PAGE_OCTETS],
    /// The time of this turn.
    pub moment: Moment,
    /// Refused requests per second that a stream may make.
    pub strikes: u32,
    /// Octets that may still be copied in this turn.
    pub octets: u64,
}

/// A stream's place in the plane.
pub struct Seat<W: World> {
    slot: DeviceSlot,
    index: u8,
    dom: DomId,
    /// `None` once the guest broke its ring.
    wires: Option<Wires<W::Page>>,
    stream: Stream,
    allowance: Allowance,
    held: Option<Held>,
    /// Signals of this stream do not wake the domain now.
    deaf: bool,
    /// The break was told.
    reported: bool,
    /// Only the end of what is open is granted.
    leaving: bool,
    /// Nothing is served any more once the stream is closed.
    last: bool,
    /// What dom0 lets the guest do.
    policy: Policy,
    /// Where its `unique-id` routes it; `None`: nowhere in particular.
    terminal: Option<Terminal>,
}

impl<W: World> Seat<W> {
    /// Maps the pages and binds the ports.
    ///
    /// # Errors
    /// One of them could not be had; then none is held.
    // In the caller's frame its parts would be scalars, each stored by itself: 0.8 KB.
    #[inline(never)]
    pub fn connect(
        slot: DeviceSlot,
        index: u8,
        dom: DomId,
        link: &StreamLink,
        rules: Rules,
        world: &mut W,
    ) -> Result<Self, SeatFault> {
        let ring = world.map(dom, link.ring_ref).map_err(SeatFault::Grant)?;
        let events = world.map(dom, link.event_ref).map_err(SeatFault::Grant)?;
        let ring_port = world.bind(dom, link.ring_port).map_err(SeatFault::Event)?;
        let event_port = world.bind(dom, link.event_port).map_err(|fault| {
            world.close(ring_port);
            SeatFault::Event(fault)
        })?;
        // Nothing ever comes that way.
        world.listen(event_port, false);
        Ok(Self {
            slot,
            index,
            dom,
            wires: Some(Wires {
                requests: RequestChannel::attach(ring, ring_port),
                events: EventChannel::attach(events, event_port),
            }),
            stream: Stream::new(link.config.direction, rules),
            // No clock here; the first turn fills it up.
            allowance: Allowance::new(Nanos(0)),
            held: None,
            deaf: false,
            reported: false,
            leaving: false,
            last: false,
            policy: Policy::default(),
            terminal: routing::terminal(&link.config),
        })
    }

    /// Gives everything back.
    pub fn disconnect(mut self, world: &mut W, arena: &mut Arena) {
        self.cut(world, arena);
    }

    /// Whether this is stream `index` of the device.
    #[must_use]
    pub fn is(&self, slot: DeviceSlot, index: u8) -> bool {
        self.slot == slot && self.index == index
    }

    /// The device that the stream belongs to.
    #[must_use]
    pub const fn slot(&self) -> DeviceSlot {
        self.slot
    }

    /// The guest.
    #[must_use]
    pub const fn dom(&self) -> DomId {
        self.dom
    }

    /// The stream.
    #[must_use]
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The stream, for the mixer.
    pub const fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// The stream's number in its device if the guest broke its ring; says so once.
    pub const fn take_break(&mut self) -> Option<u8> {
        if self.wires.is_some() || self.reported {
            return None;
        }
        self.reported = true;
        Some(self.index)
    }

    /// Whether the guest has opened the stream, or waits for its CLOSE to be answered.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.wires.is_some() && (self.stream.shape().is_some() || self.held.is_some())
    }

    /// Refuses everything but STOP and CLOSE from now on.
    pub const fn refuse(&mut self) {
        self.leaving = true;
    }

    /// Serves the stream until it is closed, and gives everything back then: Linux frees its pages
    /// with the last CLOSE, mapped or not, and nothing may be written to them any more.
    pub fn retire(&mut self, world: &mut W, arena: &mut Arena) {
        self.last = true;
        self.part(world, arena);
    }

    fn part(&mut self, world: &mut W, arena: &mut Arena) {
        if self.last && !self.is_open() {
            self.cut(world, arena);
            self.reported = true;
        }
    }

    fn cut(&mut self, world: &mut W, arena: &mut Arena) {
        self.stream.close(arena);
        self.held = None;
        if let Some(wires) = self.wires.take() {
            world.close(wires.requests.port());
            world.close(wires.events.port());
        }
    }

    /// Serves what the guest asked for, within its allowance; returns when to look again.
    pub fn serve(&mut self, voice: &mut Voice, counter: &mut Counter<'_, W>) -> Option<Nanos> {
        match self.turn(voice, counter) {
            Ok(next) => {
                // At once: all that was written so far came before the guest was notified.
                self.part(counter.world, counter.arena);
                next.filter(|_| self.wires.is_some())
            }
            Err(BrokenRing) => {
                self.cut(counter.world, counter.arena);
                None
            }
        }
    }

    fn turn(
        &mut self,
        voice: &mut Voice,
        counter: &mut Counter<'_, W>,
    ) -> Result<Option<Nanos>, BrokenRing> {
        let now = counter.moment.now;
        self.allowance.refill(now);
        let signal = self.signal(now, counter.world);
        let mut served = 0;
        let next = self.requests(voice, counter, &mut served)?;
        match signal {
            Signal::None => {}
            Signal::Request => {
                let needless = served == 0 && next.is_none();
                self.allowance.signalled(now, needless);
            }
            Signal::Stray => self.allowance.signalled(now, true),
        }
        let deaf = self.allowance.deaf(now);
        if let (Some(_), false, Some(wires)) = (deaf, self.deaf, &self.wires) {
            self.deaf = counter.world.listen(wires.requests.port(), false);
        }
        let wake = deaf.filter(|_| self.deaf);
        Ok([next, wake].into_iter().flatten().min())
    }

    /// Takes the guest's signals, unless it is not listened to for a while.
    fn signal(&mut self, now: Nanos, world: &mut W) -> Signal {
        let Some(wires) = &self.wires else {
            return Signal::None;
        };
        if self.deaf {
            if self.allowance.deaf(now).is_some() {
                return Signal::None;
            }
            self.deaf = false;
            world.listen(wires.requests.port(), true);
        }
        let request = world.take_event(wires.requests.port());
        // No guest has a reason to signal on the event page's port.
        match (world.take_event(wires.events.port()), request) {
            (true, _) => Signal::Stray,
            (false, true) => Signal::Request,
            (false, false) => Signal::None,
        }
    }

    /// Serves requests; returns when to look again, or `None` if the guest will signal.
    fn requests(
        &mut self,
        voice: &mut Voice,
        counter: &mut Counter<'_, W>,
        served: &mut u32,
    ) -> Result<Option<Nanos>, BrokenRing> {
        let now = counter.moment.now;
        if self.wires.is_none() {
            return Ok(None);
        }
        let mut next = Some(now);
        for _ in 0..REQUESTS_PER_TURN {
            if let Some(look) = self.release(now, served) {
                next = Some(look);
                break;
            }
            if let Some(until) = self.allowance.wait(now) {
                next = Some(until);
                break;
            }
            let Some(wires) = &mut self.wires else { break };
            if counter.octets == 0 {
                break;
            }
            let Some(request) = wires.requests.take()? else {
                // Look again: a request may have come before the guest saw the wish.
                wires.requests.ask_for_signal();
                if wires.requests.waiting() {
                    continue;
                }
                next = None;
                break;
            };
            *served += 1;
            self.answer(&request, voice, counter);
        }
        if let Some(wires) = &mut self.wires {
            wires.requests.publish(counter.world);
        }
        Ok(next)
    }

    /// Answers a held CLOSE if it is time; otherwise says when to look again.
    fn release(&mut self, now: Nanos, served: &mut u32) -> Option<Nanos> {
        let (held, wires) = (self.held?, self.wires.as_mut()?);
        if !wires.events.drained() && now < held.until {
            return Some(held.until.min(now.plus_millis(HOLD_STEP_MILLIS)));
        }
        let done = response(held.id, held.code, Ok(Answer::Done));
        wires.requests.answer(&done);
        self.held = None;
        *served += 1;
        None
    }

    /// Tells the guest how far it was played, if that is due; returns when to look again at the
    /// latest.
    pub fn report(&mut self, voice: &Voice, world: &mut W, moment: &Moment) -> Option<Nanos> {
        let wires = self.wires.as_mut()?;
        self.stream.report(voice, world, &mut wires.events, moment)
    }
}
