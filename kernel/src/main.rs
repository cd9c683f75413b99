//! The audio domain: a paravirtual Xen guest that owns the sound card.
//!
//! One address space, one vCPU, no interrupts and no threads: start-up builds the parts one after
//! another, and then a single loop serves guests and card until the toolstack ends it. This crate
//! has all `unsafe` code but the mixer's vector instructions; what it knows of Xen, it offers to
//! [`ring_backend`] and [`drivers`] as the traits they ask for.
#![no_std]
#![no_main]
#![cfg_attr(feature = "guest", allow(dead_code, unused_imports))]

extern crate alloc;

mod abi;
mod card;
mod console;
mod dma;
mod event;
mod grant;
#[cfg(feature = "guest")]
mod guest;
mod heap;
mod hypercall;
mod interrupt;
mod mm;
mod mmio;
mod options;
mod panic;
mod pci;
mod quiesce;
mod ready;
#[cfg(not(feature = "guest"))]
mod serving;
mod shared;
mod start;
mod time;
mod trap;
mod vector;
mod window;
mod world;
mod xenstore_io;

use alloc::boxed::Box;
use card::HdaCard;
use console::log;
use core::fmt::Write;
use heapless::String;
use options::Options;
use pci::StartStore;
use ready::Ready;
use ring_backend::backend::Backend;
use ring_backend::orders;
use ring_backend::plane::{Limits, Plane};
use ring_backend::status::{CARD_OCTETS, LoopCounters};
use ring_backend::world::{Card as _, CardFormat, CardSample, Nanos};
use ring_backend::xenstore::{Blocking, Client};
#[cfg(not(feature = "guest"))]
use serving::Serving;
use start::Boot;
use xenstore_io::{StoreRing, StoreWaiter};

/// Pages that stay out of the heap.
const SPARE_PAGES: usize = 8;
/// Octets of the heap that everything but guests' open buffers takes, with some room: tables,
/// mixer, devices.
const REST: usize = 1280 * 1024;
/// What guests' streams are mixed to where there is no card.
const NO_CARD: CardFormat = CardFormat {
    rate: 48_000,
    channels: 2,
    sample: CardSample::S16,
};

#[cfg(feature = "guest")]
use guest::main;

/// Runs the domain; the whole story.
#[cfg(not(feature = "guest"))]
fn main(boot: &Boot) -> ! {
    let entered = start::init(boot);
    let Some(ring) = boot.store else {
        panic!("no xenstore: this domain was not made by a toolstack");
    };
    let mut ring = StoreRing::new(ring);
    let mut client = Client::new();

    let (options, complaint) = match Options::parse(boot.options) {
        Ok(options) => (options, None),
        Err(bad) => (Options::without_card(), Some(bad)),
    };
    let mut description: String<CARD_OCTETS> = String::new();
    // Cut where it is too long.
    let mut card = match (find_card(&mut client, &mut ring, &options), complaint) {
        (Some(Ok(card)), _) => {
            let _ = write!(description, "{card}");
            Some(card)
        }
        (Some(Err(error)), _) => {
            let _ = write!(description, "no card: {error}");
            None
        }
        (None, Some(bad)) => {
            let _ = write!(description, "no card: {bad}");
            None
        }
        (None, None) => {
            let _ = write!(description, "no card: as the option says");
            None
        }
    };

    let format = card.as_ref().map_or(NO_CARD, HdaCard::format);
    heap::grow(mm::free_octets().saturating_sub(SPARE_PAGES * mm::PAGE));
    let (used, heap) = heap::usage();
    let limits = Limits {
        // What is left: more memory, more open streams.
        arena_octets: heap.saturating_sub(used).saturating_sub(REST),
        ..Limits::default()
    };
    let mut plane = Plane::new(limits, format);
    plane.finish_with(options.dither, options.limiter);
    let mut backend = Backend::with_plane(plane, options.devices, client);
    let rate = if card.is_some() { format.rate } else { 0 };
    backend.describe_card(&description, rate);
    if let Some(card) = &card {
        backend.describe_jacks(&card.shown());
        backend.describe_levels(&card.levels());
        backend.describe_routes(&card.routes());
    }
    let mut place = serving::place();
    let serving = place.insert(Box::leak(Box::new(Serving { backend, ring })));
    heap::seal();
    let ready = Ready::now(entered);
    ready.announce(&description);
    serving.backend.describe_start(&ready);
    if let Some(card) = &card {
        card.list();
    }

    loop {
        event::take(serving.ring.port());
        serving.backend.count_loop(counters(entered, card.as_ref()));
        if let Some(card) = &mut card {
            card.serve();
            if card.follow_jacks() {
                serving.backend.describe_jacks(&card.shown());
                serving.backend.describe_routes(&card.routes());
            }
        }
        let next = serving.poll(card.as_mut());
        let backend = &mut serving.backend;
        if let Some(order) = backend.shutdown_requested() {
            end(card, order);
        }
        if let (Some(card), Some(master)) = (&mut card, backend.take_master()) {
            card.set_master(master);
            backend.describe_levels(&card.levels());
            backend.describe_jacks(&card.shown());
            backend.describe_routes(&card.routes());
            continue;
        }
        if backend.take_refusal() {
            log!("not suspended: a domain with a device passed through cannot be");
        }
        let rest = card.as_mut().and_then(|card| card.rest(time::now()));
        event::sleep([next, rest].into_iter().flatten().min());
    }
}

/// Brings the card up, if that is wanted. Its frame is large and goes before the loop.
#[inline(never)]
fn find_card(
    client: &mut Client,
    ring: &mut StoreRing,
    options: &Options,
) -> Option<Result<HdaCard, card::NoCard>> {
    let waiter = StoreWaiter::new(ring.port());
    let mut store = StartStore(Blocking::new(client, ring, waiter));
    let options = options.card.as_ref()?;
    let card = HdaCard::find(&mut store, options);
    if let Err(error) = store.0.settle() {
        log!("xenstore: {error}");
    }
    Some(card)
}

/// What the loop has cost so far.
fn counters(entered: Nanos, card: Option<&HdaCard>) -> LoopCounters {
    let (rests, wake_us) = card.map_or((0, 0), HdaCard::rests);
    let now = time::now();
    let (wakeups, asleep) = event::sleeps();
    LoopCounters {
        now,
        wakeups,
        rests,
        wake_us,
        busy_ns: now.0.saturating_sub(entered.0).saturating_sub(asleep),
    }
}

/// Leaves in order: silence first.
fn end(card: Option<HdaCard>, order: orders::Shutdown) -> ! {
    if let Some(mut card) = card {
        card.shut_down();
    }
    quiesce::card();
    log!("{order:?}");
    hypercall::shutdown(match order {
        orders::Shutdown::PowerOff => hypercall::Shutdown::PowerOff,
        orders::Shutdown::Reboot => hypercall::Shutdown::Reboot,
        orders::Shutdown::Crash => panic!("as ordered"),
    })
}
