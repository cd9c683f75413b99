//! A guest of a few pages in place of Linux: plays through real grants and event channels, from when
//! `control/go` is there until it is told to shut down. It waits for that word as 31 others that play
//! leave the one processor of the tests' machine little time to create the next.
//!
//! Built instead of the audio domain with the feature `guest`. `extra=` is the number of the one bit of
//! a stereo frame that it plays, 0 to 31: pseudo-random ones and zeros, so that what 32 guests play at
//! once can be told apart in the sum, each exactly. `quiet` instead connects and plays nothing.

mod stream;

use crate::console::log;
use crate::event;
use crate::hypercall::{self, Shutdown};
use crate::start::{self, Boot};
use crate::time;
use crate::xenstore_io::StoreRing;
use core::fmt::Write;
use heapless::String;
use ring_backend::world::{DomId, LocalPort, Nanos};
use ring_backend::xenbus::State;
use ring_backend::xenstore::{Blocking, BlockingError, Client, Waiter, decimal};
use stream::{CHUNK, FRAMES, Stream};

/// How often a guest that plays looks how far it is: often enough for the buffer. Were it woken by
/// every event, 32 of them would be most of what a small machine does.
const TURN_MILLIS: u64 = 30;
/// How long Linux waits for an answer.
const ANSWER_MILLIS: u64 = 3_000;
/// How long a state is waited for.
const STATE_MILLIS: u64 = 60_000;
/// Where dom0 orders to play, and to end.
const GO: &str = "control/go";
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
        // Pending since before the caller's last look: it looks again first.
        if !event::take(self.port) {
            event::sleep(Some(self.until));
        }
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
        Ok(Played {
            frames,
            dry,
            longest,
        }) => log!("PLAYED {frames} dry={dry} longest_us={}", longest.0 / 1_000),
        Err(Fault::Store(error)) => log!("FAILED xenstore: {error}"),
        Err(Fault::Nothing(what)) => log!("FAILED no {what}"),
        Err(Fault::Refused(operation, status)) => log!("FAILED {operation}: {status}"),
        Err(Fault::Silent(operation)) => log!("FAILED {operation}: no answer"),
    }
    hypercall::shutdown(Shutdown::PowerOff)
}

/// What was played, and how well this guest kept its own time.
#[derive(Default)]
struct Played {
    frames: u64,
    /// Times the buffer was found empty: this guest wrote late.
    dry: u32,
    /// The longest time from one look at the buffer to the next.
    longest: Nanos,
}

/// Connects, plays and leaves.
fn run(store: &mut Store<'_>, port: LocalPort, bit: Option<u32>) -> Result<Played, Fault> {
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
    await_state(store, port, &state, &[State::InitWait])?;
    publish(store, &stream)?;
    set_state(store, State::Initialised)?;
    await_state(store, port, &state, &[State::Connected])?;
    set_state(store, State::Connected)?;
    log!("CONNECTED");
    store.begin_watch(GO, "go")?;
    store.begin_watch(SHUTDOWN, "end")?;
    let mut ordered = orders(store)?;
    while !(ordered.end || ordered.go && bit.is_some()) {
        store.wait_for_change()?;
        ordered = orders(store)?;
    }
    let mut played = Played::default();
    if let Some(bit) = bit.filter(|_| !ordered.end) {
        play(store, port, &mut stream, bit, &mut played)?;
    }
    set_state(store, State::Closing)?;
    // It waits for the next connection at once, and may be seen doing so only.
    await_state(store, port, &state, &[State::Closed, State::InitWait])?;
    set_state(store, State::Closed)?;
    Ok(played)
}

/// Plays until it is told to shut down. Waits for nobody meanwhile but for its own stream's answers:
/// xenstored may have much to do, and takes longer then than the buffer lasts.
fn play(
    store: &mut Store<'_>,
    port: LocalPort,
    stream: &mut Stream,
    bit: u32,
    told: &mut Played,
) -> Result<(), Fault> {
    stream.open()?;
    let mut noise = Noise::new(bit);
    let (mut written, mut last, mut end) = (0, false, None);
    let mut looked = None;
    loop {
        let now = time::now();
        let played = stream.played();
        let before = looked.replace(now);
        if let (Some(before), None) = (before, end) {
            told.longest = told.longest.max(Nanos(now.0.saturating_sub(before.0)));
            told.dry += u32::from(played >= written);
        }
        while end.is_none() && written + CHUNK <= played + FRAMES {
            // What ends in zeros ends without a slope down to them.
            stream.write(written, || if last { 0 } else { noise.next() })?;
            written += CHUNK;
            if last {
                end = Some(written);
            }
        }
        if before.is_none() {
            stream.start()?;
        }
        if end.is_some_and(|end| played >= end) {
            break;
        }
        event::take(port);
        // Nothing but the order to end changes now; to ask for it would be to wait.
        last |= store.take_change()?;
        event::sleep(Some(now.plus_millis(TURN_MILLIS)));
    }
    stream.stop()?;
    stream.close()?;
    told.frames = written - CHUNK;
    Ok(())
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

fn number(store: &mut Store<'_>, node: &str) -> Option<u32> {
    let mut value = [0; 16];
    let length = store.read(node, &mut value).ok()?;
    decimal(value.get(..length)?)
}

/// What dom0 ordered so far.
#[derive(Default)]
struct Orders {
    go: bool,
    end: bool,
}

fn orders(store: &mut Store<'_>) -> Result<Orders, Fault> {
    let mut orders = Orders::default();
    store.read_all(&[GO, SHUTDOWN], |index, value| {
        let there = value.is_ok_and(|value| !value.is_empty());
        match index {
            0 => orders.go = there,
            _ => orders.end = there,
        }
    })?;
    Ok(orders)
}

fn publish(store: &mut Store<'_>, stream: &Stream) -> Result<(), Fault> {
    for (leaf, value) in stream.nodes() {
        let mut text: String<16> = String::new();
        let _ = write!(text, "{value}");
        set(store, &["0/0/", leaf], &text)?;
    }
    Ok(())
}

fn set_state(store: &mut Store<'_>, state: State) -> Result<(), Fault> {
    set(store, &["state"], state.text())
}

fn set(store: &mut Store<'_>, leaf: &[&str], value: &str) -> Result<(), Fault> {
    let mut path: String<64> = String::new();
    let _ = write!(path, "{DEVICE}/");
    for part in leaf {
        let _ = path.push_str(part);
    }
    store.begin_writes(&[(&path, value)])?;
    Ok(store.settle()?)
}

fn await_state(
    store: &mut Store<'_>,
    port: LocalPort,
    node: &str,
    wanted: &[State],
) -> Result<(), Fault> {
    let until = time::now().plus_millis(STATE_MILLIS);
    let mut value = [0; 16];
    loop {
        let length = store.read(node, &mut value).unwrap_or(0);
        if wanted.contains(&State::parse(value.get(..length).unwrap_or(&[]))) {
            return Ok(());
        }
        if time::now() >= until {
            return Err(Fault::Nothing("such state of the backend"));
        }
        pause(port, 50);
    }
}

fn pause(port: LocalPort, millis: u64) {
    event::take(port);
    let until: Nanos = time::now().plus_millis(millis);
    event::sleep(Some(until));
}
