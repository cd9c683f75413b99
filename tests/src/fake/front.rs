//! The guest's end of a stream: rings, ports and a buffer, without any policy.

use super::xen::{FakeXen, Memory};
use ring_backend::link::{StreamConfig, StreamLink};
use ring_backend::world::{ClaimedRef, DomId, PAGE_OCTETS, RemotePort};
use std::rc::Rc;

/// Octets of a packet.
pub const PACKET: usize = 64;

/// A response as the guest reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The request's id.
    pub id: u16,
    /// The request's operation.
    pub operation: u8,
    /// 0 or a negative errno.
    pub status: i32,
    /// The whole packet.
    pub packet: [u8; PACKET],
}

/// A position event as the guest reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub id: u16,
    /// Its type; 0 is a position.
    pub kind: u8,
    /// Octets since OPEN.
    pub position: u64,
}

/// A shared buffer and its directory.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// The directory's first page.
    pub directory: ClaimedRef,
    /// The directory's pages.
    pub directory_pages: Vec<Rc<Memory>>,
    /// The buffer's pages.
    pub pages: Vec<(ClaimedRef, Rc<Memory>)>,
}

impl Buffer {
    /// Grants a buffer of this many octets.
    #[must_use]
    pub fn new(xen: &FakeXen, dom: DomId, octets: usize) -> Self {
        let pages: Vec<_> = (0..octets.div_ceil(PAGE_OCTETS))
            .map(|_| xen.grant(dom))
            .collect();
        let chunks: Vec<_> = pages.chunks(PAGE_OCTETS / 4 - 1).collect();
        let directory: Vec<_> = chunks.iter().map(|_| xen.grant(dom)).collect();
        for (index, (chunk, (_, page))) in chunks.iter().zip(&directory).enumerate() {
            let next = directory.get(index + 1).map_or(0, |(gref, _)| gref.0);
            page.put_word(0, next);
            for (at, (gref, _)) in (4..).step_by(4).zip(chunk.iter()) {
                page.put_word(at, gref.0);
            }
        }
        Self {
            directory: directory.first().map_or(ClaimedRef(0), |(gref, _)| *gref),
            directory_pages: directory.into_iter().map(|(_, page)| page).collect(),
            pages,
        }
    }

    /// Writes into the buffer.
    pub fn write(&self, offset: usize, octets: &[u8]) {
        let mut done = 0;
        while done < octets.len() {
            let (page, at) = ((offset + done) / PAGE_OCTETS, (offset + done) % PAGE_OCTETS);
            let length = (PAGE_OCTETS - at).min(octets.len() - done);
            self.pages[page].1.write(at, &octets[done..done + length]);
            done += length;
        }
    }

    /// Reads from the buffer.
    pub fn read(&self, offset: usize, octets: &mut [u8]) {
        let mut done = 0;
        while done < octets.len() {
            let (page, at) = ((offset + done) / PAGE_OCTETS, (offset + done) % PAGE_OCTETS);
            let length = (PAGE_OCTETS - at).min(octets.len() - done);
            self.pages[page]
                .1
                .read(at, &mut octets[done..done + length]);
            done += length;
        }
    }
}

/// What an OPEN claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenClaim {
    /// Frames per second.
    pub rate: u32,
    /// Wire number.
    pub format: u8,
    /// Samples per frame.
    pub channels: u8,
    /// Octets.
    pub buffer: u32,
    /// Page directory.
    pub directory: ClaimedRef,
    /// Octets.
    pub period: u32,
}

/// One stream's rings from the guest's side.
#[derive(Debug)]
pub struct Front {
    /// The machine.
    pub xen: FakeXen,
    /// The guest.
    pub dom: DomId,
    /// Request ring.
    pub ring: Rc<Memory>,
    /// Event page.
    pub page: Rc<Memory>,
    /// Request port.
    pub ring_port: RemotePort,
    /// Event port.
    pub event_port: RemotePort,
    refs: (ClaimedRef, ClaimedRef),
    produced: u32,
    consumed: u32,
    next_id: u16,
}

impl Front {
    /// Makes pages and ports, as a front-end does before it publishes them.
    #[must_use]
    pub fn new(xen: &FakeXen, dom: DomId) -> Self {
        let (ring_ref, ring) = xen.grant(dom);
        let (event_ref, page) = xen.grant(dom);
        // SHARED_RING_INIT
        ring.put_word(4, 1);
        ring.put_word(12, 1);
        Self {
            xen: xen.clone(),
            dom,
            ring,
            page,
            ring_port: xen.offer(dom),
            event_port: xen.offer(dom),
            refs: (ring_ref, event_ref),
            produced: 0,
            consumed: 0,
            next_id: 0,
        }
    }

    /// Begins with both rings' counters at `at`, as after long use.
    pub fn start_counters_at(&mut self, at: u32) {
        self.ring.put_word(0, at);
        self.ring.put_word(4, at.wrapping_add(1));
        self.ring.put_word(8, at);
        self.ring.put_word(12, at.wrapping_add(1));
        self.page.put_word(0, at);
        self.page.put_word(4, at);
        self.produced = at;
        self.consumed = at;
    }

    /// What is published in xenstore.
    #[must_use]
    pub fn link(&self, config: StreamConfig) -> StreamLink {
        StreamLink {
            config,
            ring_ref: self.refs.0,
            ring_port: self.ring_port,
            event_ref: self.refs.1,
            event_port: self.event_port,
        }
    }

    /// Places a packet as the next request and notifies if the backend asked; returns its id.
    pub fn send(&mut self, mut packet: [u8; PACKET]) -> u16 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        packet[..2].copy_from_slice(&id.to_le_bytes());
        self.place(&packet);
        let before = self.produced.wrapping_sub(1);
        let asked = self.ring.word(4);
        if self.produced.wrapping_sub(asked) < self.produced.wrapping_sub(before) {
            self.xen.guest_notify(self.dom, self.ring_port);
        }
        id
    }

    /// Places a packet and shows it, without notifying.
    pub fn place(&mut self, packet: &[u8; PACKET]) {
        let slot = 64 + (self.produced % 32) as usize * PACKET;
        self.ring.write(slot, packet);
        self.produced = self.produced.wrapping_add(1);
        self.ring.put_word(0, self.produced);
    }

    /// Takes the next response, if one came.
    pub fn response(&mut self) -> Option<Response> {
        if self.ring.word(8) == self.consumed {
            return None;
        }
        let mut packet = [0; PACKET];
        self.ring
            .read(64 + (self.consumed % 32) as usize * PACKET, &mut packet);
        self.consumed = self.consumed.wrapping_add(1);
        self.ring.put_word(12, self.consumed.wrapping_add(1));
        Some(Response {
            id: u16::from_le_bytes([packet[0], packet[1]]),
            operation: packet[2],
            status: i32::from_le_bytes([packet[4], packet[5], packet[6], packet[7]]),
            packet,
        })
    }

    /// Takes the next event, if one came; `in_cons` moves at once.
    pub fn event(&mut self) -> Option<Event> {
        let (cons, prod) = (self.page.word(0), self.page.word(4));
        if cons == prod {
            return None;
        }
        let mut packet = [0; PACKET];
        self.page
            .read(64 + (cons % 63) as usize * PACKET, &mut packet);
        self.page.put_word(0, cons.wrapping_add(1));
        let mut position = [0; 8];
        position.copy_from_slice(&packet[8..16]);
        Some(Event {
            id: u16::from_le_bytes([packet[0], packet[1]]),
            kind: packet[2],
            position: u64::from_le_bytes(position),
        })
    }

    /// The id that the next request gets; Linux begins anew at 0 with each opening.
    pub fn restart_ids(&mut self) {
        self.next_id = 0;
    }
}

/// A request packet of this operation, zero but for that.
#[must_use]
pub fn packet(operation: u8) -> [u8; PACKET] {
    // The front-end does not clear the reserved octets.
    let mut packet = [0xa5; PACKET];
    packet[2] = operation;
    packet
}

/// OPEN.
#[must_use]
pub fn open(claim: &OpenClaim) -> [u8; PACKET] {
    let mut packet = packet(0);
    packet[8..12].copy_from_slice(&claim.rate.to_le_bytes());
    packet[12] = claim.format;
    packet[13] = claim.channels;
    packet[16..20].copy_from_slice(&claim.buffer.to_le_bytes());
    packet[20..24].copy_from_slice(&claim.directory.0.to_le_bytes());
    packet[24..28].copy_from_slice(&claim.period.to_le_bytes());
    packet
}

/// CLOSE.
#[must_use]
pub fn close() -> [u8; PACKET] {
    packet(1)
}

/// READ (2), WRITE (3), or a volume operation (4 to 7) on a part of the buffer.
#[must_use]
pub fn span(operation: u8, offset: u32, length: u32) -> [u8; PACKET] {
    let mut packet = packet(operation);
    packet[8..12].copy_from_slice(&offset.to_le_bytes());
    packet[12..16].copy_from_slice(&length.to_le_bytes());
    packet
}

/// TRIGGER: 0 START, 1 PAUSE, 2 STOP, 3 RESUME.
#[must_use]
pub fn trigger(kind: u8) -> [u8; PACKET] {
    let mut packet = packet(8);
    packet[8] = kind;
    packet
}

/// HW_PARAM_QUERY; the intervals are rates, channels, buffer and period.
#[must_use]
pub fn query(formats: u64, intervals: [(u32, u32); 4]) -> [u8; PACKET] {
    let mut packet = packet(9);
    packet[8..16].copy_from_slice(&formats.to_le_bytes());
    for (at, (min, max)) in (16..).step_by(8).zip(intervals) {
        packet[at..at + 4].copy_from_slice(&min.to_le_bytes());
        packet[at + 4..at + 8].copy_from_slice(&max.to_le_bytes());
    }
    packet
}
