//! The small guest's stream: its pages, its ports, and requests as Linux' frontend makes them.

use super::{ANSWER_MILLIS, Fault};
use crate::event;
use crate::grant;
use crate::mm;
use crate::shared::Shared;
use crate::time;
use heapless::Vec;
use ring_backend::ring::{EVENT_SLOTS, REQUEST_SLOTS};
use ring_backend::wire::{PACKET_OCTETS, Packet, field};
use ring_backend::world::{DomId, LocalPort};

/// Pages of the buffer.
const PAGES: usize = 8;
/// Frames that are written at once.
pub const CHUNK: u64 = 2048;
const FRAME: u64 = 4;
/// Frames of the buffer.
pub const FRAMES: u64 = (PAGES * mm::PAGE) as u64 / FRAME;

/// `XENSND_OP_*`, `XENSND_OP_TRIGGER_*` and `XENSND_PCM_FORMAT_S16_LE` of `sndif.h`.
const OPEN: u8 = 0;
const CLOSE: u8 = 1;
const WRITE: u8 = 3;
const TRIGGER: u8 = 8;
const START: u8 = 0;
const STOP: u8 = 2;
const S16_LE: u8 = 2;

/// Puts a number in a packet.
fn put(packet: &mut Packet, at: usize, value: u32) {
    packet[at..][..4].copy_from_slice(&value.to_le_bytes());
}

/// One stream's pages and ports.
pub struct Stream {
    requests: Shared,
    events: Shared,
    buffer: Vec<Shared, PAGES>,
    /// References of the ring, the event page and the buffer's directory.
    refs: [u32; 3],
    request_port: LocalPort,
    event_port: LocalPort,
    produced: u32,
    consumed: u32,
    position: u64,
}

/// A zeroed page that the backend may use, and its reference.
fn lend(dom: DomId) -> Result<(Shared, u32), Fault> {
    let page = mm::take_page().ok_or(Fault::Nothing("page"))?;
    let reference = grant::lend(dom, page).map_err(|_| Fault::Nothing("grant"))?;
    // SAFETY: taken and lent for this and never given back.
    let page = unsafe { Shared::new(page, mm::PAGE) };
    page.clear();
    Ok((page, reference))
}

impl Stream {
    /// Lends the pages and offers the ports.
    pub fn new(dom: DomId) -> Result<Self, Fault> {
        let (requests, ring_ref) = lend(dom)?;
        requests.store(4, 1);
        requests.store(12, 1);
        let (events, event_ref) = lend(dom)?;
        let (directory, directory_ref) = lend(dom)?;
        let mut buffer = Vec::new();
        for index in 0..PAGES {
            let (page, reference) = lend(dom)?;
            directory.store(4 + 4 * index, reference);
            let _ = buffer.push(page);
        }
        let offer = || event::offer(dom).map_err(|_| Fault::Nothing("port"));
        let event_port = offer()?;
        event::listen(event_port, false);
        Ok(Self {
            requests,
            events,
            buffer,
            refs: [ring_ref, event_ref, directory_ref],
            request_port: offer()?,
            event_port,
            produced: 0,
            consumed: 0,
            position: 0,
        })
    }

    /// What the backend is told of it, by the nodes' names.
    pub const fn nodes(&self) -> [(&'static str, u32); 4] {
        [
            ("ring-ref", self.refs[0]),
            ("event-channel", self.request_port.0),
            ("evt-ring-ref", self.refs[1]),
            ("evt-event-channel", self.event_port.0),
        ]
    }

    /// Opens it: 48 kHz, 16 bits, two channels, a period a quarter of the buffer.
    pub fn open(&mut self) -> Result<(), Fault> {
        let octets = (PAGES * mm::PAGE) as u32;
        let directory = self.refs[2];
        self.ask(OPEN, |packet| {
            put(packet, field::OPEN_RATE, 48_000);
            packet[field::OPEN_FORMAT] = S16_LE;
            packet[field::OPEN_CHANNELS] = 2;
            put(packet, field::OPEN_BUFFER, octets);
            put(packet, field::OPEN_DIRECTORY, directory);
            put(packet, field::OPEN_PERIOD, octets / 4);
        })
    }

    /// Writes a chunk at a frame of all since the start.
    pub fn write(&mut self, at: u64, mut next: impl FnMut() -> u32) -> Result<(), Fault> {
        let offset = (at % FRAMES * FRAME) as usize;
        let length = (CHUNK * FRAME) as usize;
        for octet in (offset..offset + length).step_by(FRAME as usize) {
            if let Some(page) = self.buffer.get(octet / mm::PAGE) {
                page.store(octet % mm::PAGE, next());
            }
        }
        self.ask(WRITE, |packet| {
            put(packet, field::SPAN_OFFSET, offset as u32);
            put(packet, field::SPAN_LENGTH, length as u32);
        })
    }

    /// Lets the frames flow.
    pub fn start(&mut self) -> Result<(), Fault> {
        self.ask(TRIGGER, |packet| packet[field::TRIGGER] = START)
    }

    /// Ends their flow.
    pub fn stop(&mut self) -> Result<(), Fault> {
        self.ask(TRIGGER, |packet| packet[field::TRIGGER] = STOP)
    }

    /// Closes it.
    pub fn close(&mut self) -> Result<(), Fault> {
        self.ask(CLOSE, |_| {})
    }

    /// Sends a request and waits for its answer.
    fn ask(&mut self, operation: u8, fill: impl FnOnce(&mut Packet)) -> Result<(), Fault> {
        let mut packet = [0; PACKET_OCTETS];
        let id = (self.produced as u16).to_le_bytes();
        packet[field::ID..][..2].copy_from_slice(&id);
        packet[field::OPERATION] = operation;
        fill(&mut packet);
        let slot = |index: u32| (1 + (index % u32::from(REQUEST_SLOTS)) as usize) * PACKET_OCTETS;
        self.requests.copy_in(slot(self.produced), &packet);
        self.produced = self.produced.wrapping_add(1);
        self.requests.store(0, self.produced);
        self.requests.fence();
        if self.requests.load(4) == self.produced {
            event::notify(self.request_port);
        }
        let until = time::now().plus_millis(ANSWER_MILLIS);
        while self.requests.load(8) == self.consumed {
            if time::now() >= until {
                return Err(Fault::Silent(operation));
            }
            event::take(self.request_port);
            if self.requests.load(8) == self.consumed {
                event::sleep(Some(time::now().plus_millis(5)));
            }
        }
        // The one request that was under way is answered. A port left pending would end every sleep.
        event::take(self.request_port);
        self.requests.copy_out(slot(self.consumed), &mut packet);
        self.consumed = self.consumed.wrapping_add(1);
        self.requests.store(12, self.consumed.wrapping_add(1));
        let mut status = [0; 4];
        status.copy_from_slice(&packet[field::STATUS..][..4]);
        match i32::from_le_bytes(status) {
            0 => Ok(()),
            status => Err(Fault::Refused(operation, status)),
        }
    }

    /// Frames that were played, after the events so far.
    pub fn played(&mut self) -> u64 {
        let (mut consumed, produced) = (self.events.load(0), self.events.load(4));
        while consumed != produced {
            let mut octets = [0; 8];
            let slot = (1 + (consumed % u32::from(EVENT_SLOTS)) as usize) * PACKET_OCTETS;
            self.events
                .copy_out(slot + field::EVENT_POSITION, &mut octets);
            self.position = u64::from_le_bytes(octets);
            consumed = consumed.wrapping_add(1);
        }
        self.events.store(0, consumed);
        self.position / FRAME
    }
}
