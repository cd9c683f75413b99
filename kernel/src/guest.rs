//! A guest of a few pages in place of Linux: plays through real grants and event channels until it is
//! told to shut down: from when `control/go` is there, as 31 others that play leave the one processor
//! of the tests' machine little time to create the next.
//!
//! Built instead of the audio domain with the feature `guest`. `extra=` is the number of the one bit of
//! a stereo frame that it plays, 0 to 31: pseudo-random ones and zeros, so that what 32 guests play at
//! once can be told apart in the sum, each exactly. `quiet` instead connects and plays nothing.

use crate::console::log;
use crate::event;
use crate::grant;
use crate::hypercall::{self, Shutdown};
use crate::mm;
use crate::shared::Shared;
use crate::start::{self, Boot};
use crate::time;
use crate::xenstore_io::StoreRing;
use core::fmt::Write;
use heapless::{String, Vec};
use ring_backend::world::{DomId, LocalPort, Nanos};
use ring_backend::xenstore::{Blocking, BlockingError, Client, Waiter, decimal};

/// Pages of the buffer, and frames of it that are written at once.
const PAGES: usize = 8;
const CHUNK: u64 = 2048;
const FRAME: u64 = 4;
const FRAMES: u64 = (PAGES * mm::PAGE) as u64 / FRAME;
/// Octets of a packet, and requests in the ring.
const PACKET: usize = 64;
const SLOTS: u32 = 32;
const EVENTS: u32 = 63;
/// How often a guest that plays looks how far it is: often enough for the buffer. Were it woken by
/// every event, 32 of them would be most of what a small machine does.
const TURN_MILLIS: u64 = 30;
/// How long Linux waits for an answer.
const ANSWER_MILLIS: u64 = 3_000;
/// How often xenstore is looked at.
const LOOK_MILLIS: u64 = 1_000;
/// How long a state is waited for.
const STATE_MILLIS: u64 = 60_000;
/// The toolstack wants this domain to end.
const SHUTDOWN: &str = "control/shutdown";
const DEVICE: &str = "device/vsnd/0";

/// Why it does not play.
enum Fault {
    Store(BlockingError),
    /// There is no such node, or no page, grant or port.
    Nothing(&'static str),
    /// The backend's status for an operation.
    Refused(u8, i32),
    /// No answer to an operation.
    Silent(u8),
}

impl From<BlockingError> for Fault {
    fn from(error: BlockingError) -> Self {
        Self::Store(error)
    }
}

/// Waits for xenstored asleep: 32 that give way instead would be all that the processor does.
struct Asleep {
    port: LocalPort,
    until: Nanos,
}

impl Waiter for Asleep {
    fn wait(&mut self) -> bool {
        if time::now() >= self.until {
            return false;
        }
        // What came before this is seen by the caller's next look, and sooner than it would matter.
        pause(self.port, 10);
        true
    }

    fn begin(&mut self) {
        self.until = time::now().plus_millis(ANSWER_MILLIS);
    }
}

type Store<'a> = Blocking<'a, StoreRing, Asleep>;

/// Runs the guest.
pub fn main(boot: &Boot) -> ! {
    start::init(boot);
    let Some(ring) = boot.store else {
        panic!("no xenstore");
    };
    let mut ring = StoreRing::new(ring);
    let port = ring.port();
    let mut client = Client::new();
    let until = time::now().plus_millis(ANSWER_MILLIS);
    let mut store = Blocking::new(&mut client, &mut ring, Asleep { port, until });
    let bit = decimal(boot.options.as_bytes());
    match run(&mut store, port, bit) {
        Ok(frames) => log!("PLAYED {frames}"),
        Err(Fault::Store(error)) => log!("FAILED xenstore: {error}"),
        Err(Fault::Nothing(what)) => log!("FAILED no {what}"),
        Err(Fault::Refused(operation, status)) => log!("FAILED {operation}: {status}"),
        Err(Fault::Silent(operation)) => log!("FAILED {operation}: no answer"),
    }
    hypercall::shutdown(Shutdown::PowerOff)
}

/// Connects, plays and leaves; the frames that were played.
fn run(store: &mut Store<'_>, port: LocalPort, bit: Option<u32>) -> Result<u64, Fault> {
    let mut path = [0; 128];
    let length = store.read("device/vsnd/0/backend", &mut path)?;
    let back = path
        .get(..length)
        .and_then(|path| core::str::from_utf8(path).ok());
    let mut state: String<160> = String::new();
    let _ = write!(state, "{}/state", back.unwrap_or_default());
    let dom = number(store, "device/vsnd/0/backend-id").and_then(|dom| u16::try_from(dom).ok());
    let dom = DomId(dom.ok_or(Fault::Nothing("backend-id"))?);
    let mut stream = Stream::new(dom)?;
    await_state(store, port, &state, 2)?;
    publish(store, &stream)?;
    set_state(store, 3)?;
    await_state(store, port, &state, 4)?;
    set_state(store, 4)?;
    log!("CONNECTED");
    let frames = match bit {
        Some(bit) => {
            while !there(store, "control/go") && !there(store, SHUTDOWN) {
                pause(port, LOOK_MILLIS);
            }
            play(store, port, &mut stream, bit)?
        }
        None => {
            while !there(store, SHUTDOWN) {
                pause(port, LOOK_MILLIS);
            }
            0
        }
    };
    set_state(store, 5)?;
    await_state(store, port, &state, 6)?;
    set_state(store, 6)?;
    Ok(frames)
}

/// Plays until it is told to shut down.
fn play(
    store: &mut Store<'_>,
    port: LocalPort,
    stream: &mut Stream,
    bit: u32,
) -> Result<u64, Fault> {
    stream.open()?;
    let mut noise = Noise::new(bit);
    let (mut written, mut last, mut end) = (0, false, None);
    let mut look = time::now();
    let mut started = false;
    loop {
        let played = stream.played();
        while end.is_none() && written + CHUNK <= played + FRAMES {
            // What ends in zeros ends without a slope down to them.
            stream.write(written, || if last { 0 } else { noise.next() })?;
            written += CHUNK;
            if last {
                end = Some(written);
            }
        }
        if !started {
            stream.ask(8, |_| {})?;
            started = true;
        }
        if end.is_some_and(|end| played >= end) {
            break;
        }
        if time::now() >= look {
            last |= there(store, SHUTDOWN);
            look = time::now().plus_millis(LOOK_MILLIS);
        }
        event::take(port);
        event::sleep(Some(time::now().plus_millis(TURN_MILLIS)));
    }
    stream.ask(8, |packet| packet[8] = 2)?;
    stream.ask(1, |_| {})?;
    Ok(written - CHUNK)
}

/// Ones and zeros in one bit of a frame.
struct Noise {
    state: u32,
    bit: u32,
}

impl Noise {
    fn new(bit: u32) -> Self {
        Self {
            state: (bit + 1).wrapping_mul(0x9E37_79B9),
            bit: bit % 32,
        }
    }

    fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        (self.state & 1) << self.bit
    }
}

/// One stream's pages and ports.
struct Stream {
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
    page.copy_in(0, &[0; mm::PAGE]);
    Ok((page, reference))
}

impl Stream {
    fn new(dom: DomId) -> Result<Self, Fault> {
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

    fn open(&mut self) -> Result<(), Fault> {
        let octets = (PAGES * mm::PAGE) as u32;
        let directory = self.refs[2];
        self.ask(0, |packet| {
            packet[8..12].copy_from_slice(&48_000_u32.to_le_bytes());
            // S16_LE, two channels.
            packet[12..14].copy_from_slice(&[2, 2]);
            packet[16..20].copy_from_slice(&octets.to_le_bytes());
            packet[20..24].copy_from_slice(&directory.to_le_bytes());
            packet[24..28].copy_from_slice(&(octets / 4).to_le_bytes());
        })
    }

    /// Writes a chunk at a frame of all since the start.
    fn write(&mut self, at: u64, mut next: impl FnMut() -> u32) -> Result<(), Fault> {
        let offset = (at % FRAMES * FRAME) as usize;
        let length = (CHUNK * FRAME) as usize;
        for octet in (offset..offset + length).step_by(FRAME as usize) {
            if let Some(page) = self.buffer.get(octet / mm::PAGE) {
                page.store(octet % mm::PAGE, next());
            }
        }
        self.ask(3, |packet| {
            packet[8..12].copy_from_slice(&(offset as u32).to_le_bytes());
            packet[12..16].copy_from_slice(&(length as u32).to_le_bytes());
        })
    }

    /// Sends a request and waits for its answer.
    fn ask(&mut self, operation: u8, fill: impl FnOnce(&mut [u8; PACKET])) -> Result<(), Fault> {
        let mut packet = [0; PACKET];
        let id = (self.produced as u16).to_le_bytes();
        packet[..2].copy_from_slice(&id);
        packet[2] = operation;
        fill(&mut packet);
        let slot = |index: u32| PACKET + (index % SLOTS) as usize * PACKET;
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
        self.requests.copy_out(slot(self.consumed), &mut packet);
        self.consumed = self.consumed.wrapping_add(1);
        self.requests.store(12, self.consumed.wrapping_add(1));
        let mut status = [0; 4];
        status.copy_from_slice(&packet[4..8]);
        match i32::from_le_bytes(status) {
            0 => Ok(()),
            status => Err(Fault::Refused(operation, status)),
        }
    }

    /// Frames that were played, after the events so far.
    fn played(&mut self) -> u64 {
        let (mut consumed, produced) = (self.events.load(0), self.events.load(4));
        while consumed != produced {
            let mut octets = [0; 8];
            let slot = PACKET + (consumed % EVENTS) as usize * PACKET;
            self.events.copy_out(slot + 8, &mut octets);
            self.position = u64::from_le_bytes(octets);
            consumed = consumed.wrapping_add(1);
        }
        self.events.store(0, consumed);
        self.position / FRAME
    }
}

fn number(store: &mut Store<'_>, node: &str) -> Option<u32> {
    let mut value = [0; 16];
    let length = store.read(node, &mut value).ok()?;
    decimal(value.get(..length)?)
}

/// Whether dom0 wrote such an order.
fn there(store: &mut Store<'_>, order: &str) -> bool {
    let mut value = [0; 16];
    let length = store.read(order, &mut value);
    matches!(length, Ok(length) if length > 0)
}

fn publish(store: &mut Store<'_>, stream: &Stream) -> Result<(), Fault> {
    let nodes = [
        ("ring-ref", stream.refs[0]),
        ("event-channel", stream.request_port.0),
        ("evt-ring-ref", stream.refs[1]),
        ("evt-event-channel", stream.event_port.0),
    ];
    for (leaf, value) in nodes {
        set(store, &["0/0/", leaf], value)?;
    }
    Ok(())
}

fn set_state(store: &mut Store<'_>, state: u32) -> Result<(), Fault> {
    set(store, &["state"], state)
}

fn set(store: &mut Store<'_>, leaf: &[&str], value: u32) -> Result<(), Fault> {
    let (mut path, mut text): (String<64>, String<16>) = (String::new(), String::new());
    let _ = write!(path, "{DEVICE}/");
    for part in leaf {
        let _ = path.push_str(part);
    }
    let _ = write!(text, "{value}");
    store.begin_writes(&[(&path, &text)])?;
    Ok(store.settle()?)
}

fn await_state(
    store: &mut Store<'_>,
    port: LocalPort,
    node: &str,
    wanted: u32,
) -> Result<(), Fault> {
    let until = time::now().plus_millis(STATE_MILLIS);
    while number(store, node) != Some(wanted) {
        if time::now() >= until {
            return Err(Fault::Nothing("such state of the backend"));
        }
        pause(port, 50);
    }
    Ok(())
}

fn pause(port: LocalPort, millis: u64) {
    event::take(port);
    let until: Nanos = time::now().plus_millis(millis);
    event::sleep(Some(until));
}
