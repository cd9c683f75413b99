//! The two pages of a stream: requests in and responses out, position events out.
//!
//! These hold the mapped pages and ports; dropping a channel unmaps its page. Every packet is
//! copied once and only the copy is read. The hold-off follows `xen/include/public/io/ring.h`:
//! ask for a signal, look again, and only then sleep.

use crate::ring::{BrokenRing, EventIndices, RequestIndices, must_notify};
use crate::wire::{PACKET_OCTETS, Packet, Request, position_event};
use crate::world::{LocalPort, SharedPage, World};

/// Where the counters lie in a request ring's page.
mod request_page {
    pub const REQ_PROD: usize = 0;
    pub const REQ_EVENT: usize = 4;
    pub const RSP_PROD: usize = 8;
    pub const RSP_EVENT: usize = 12;
}

/// Where the counters lie in an event page.
mod event_page {
    pub const IN_CONS: usize = 0;
    pub const IN_PROD: usize = 4;
}

/// The backend's end of a request ring.
#[derive(Debug)]
pub struct RequestChannel<P> {
    page: P,
    port: LocalPort,
    indices: RequestIndices<u32>,
    published: u32,
}

impl<P: SharedPage> RequestChannel<P> {
    /// Takes over a mapped ring where its responses end, and asks to be signalled.
    pub fn attach(page: P, port: LocalPort) -> Self {
        let answered = page.load(request_page::RSP_PROD);
        let mut channel = Self {
            page,
            port,
            indices: RequestIndices::new(answered),
            published: answered,
        };
        channel.ask_for_signal();
        channel
    }

    /// The port on which the guest signals requests.
    pub const fn port(&self) -> LocalPort {
        self.port
    }

    /// Takes the next request, if one waits.
    ///
    /// # Errors
    /// The producer counter is impossible.
    pub fn take(&mut self) -> Result<Option<Request>, BrokenRing> {
        let producer = self.page.load(request_page::REQ_PROD);
        let Some(slot) = self.indices.take(producer)? else {
            return Ok(None);
        };
        let mut packet: Packet = [0; PACKET_OCTETS];
        self.page.copy_out(slot.octet(), &mut packet);
        Ok(Some(Request::parse(&packet)))
    }

    /// Places the response to the oldest unanswered request; [`Self::publish`] shows it.
    pub fn answer(&mut self, response: &Packet) {
        if let Some(slot) = self.indices.answer() {
            self.page.copy_in(slot.octet(), response);
        }
    }

    /// Shows the guest the responses placed since the last call; notifies it if it asked.
    pub fn publish<W: World<Page = P>>(&mut self, world: &mut W) {
        let (before, after) = (self.published, self.indices.answered());
        if before == after {
            return;
        }
        self.published = after;
        self.page.store(request_page::RSP_PROD, after);
        self.page.fence();
        if must_notify(before, after, self.page.load(request_page::RSP_EVENT)) {
            world.notify(self.port);
        }
    }

    /// Asks to be signalled for the next request. One may have come before the guest saw that:
    /// look again with [`Self::waiting`] before sleeping.
    pub fn ask_for_signal(&mut self) {
        let at = self.indices.signal_at();
        self.page.store(request_page::REQ_EVENT, at);
        self.page.fence();
    }

    /// Whether a request, or an impossible counter, waits to be looked at.
    pub fn waiting(&self) -> bool {
        let producer = self.page.load(request_page::REQ_PROD);
        self.indices.pending(producer) != Ok(0)
    }
}

/// The backend's end of an event page.
#[derive(Debug)]
pub struct EventChannel<P> {
    page: P,
    port: LocalPort,
    indices: EventIndices,
    next_id: u16,
}

impl<P: SharedPage> EventChannel<P> {
    /// Takes over a mapped event page as an empty ring.
    pub fn attach(mut page: P, port: LocalPort) -> Self {
        let at = page.load(event_page::IN_CONS);
        page.store(event_page::IN_PROD, at);
        Self {
            page,
            port,
            indices: EventIndices::new(at),
            next_id: 0,
        }
    }

    /// The port on which the guest is told of events.
    pub const fn port(&self) -> LocalPort {
        self.port
    }

    /// Places a position event and notifies the guest; `false` if there was no slot.
    ///
    /// Linux compares the id with a count of the events it took, so a dropped event has none.
    pub fn push<W: World<Page = P>>(&mut self, world: &mut W, position: u64) -> bool {
        let consumer = self.page.load(event_page::IN_CONS);
        let Some(slot) = self.indices.free(consumer) else {
            return false;
        };
        let packet = position_event(self.next_id, position);
        self.page.copy_in(slot.octet(), &packet);
        self.next_id = self.next_id.wrapping_add(1);
        self.indices.place();
        self.page.store(event_page::IN_PROD, self.indices.placed());
        world.notify(self.port);
        true
    }

    /// Whether the guest took every event.
    pub fn drained(&self) -> bool {
        self.indices.empty(self.page.load(event_page::IN_CONS))
    }
}
