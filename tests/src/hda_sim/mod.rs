//! A simulated HD Audio controller, its codecs, clock, memory and PCI backend.
//!
//! A [`Machine`] holds everything; what a driver gets ([`SimRegs`], [`SimMemory`], [`SimClock`])
//! are handles to it. Time passes only when the driver waits or touches a register, or when a
//! test lets it, and DMA happens as it passes. [`Machine::heard`] tells what came out of a pin.

mod answers;
mod audible;
pub mod codec;
pub mod codecs;
mod controller;
pub mod corpus;
mod handles;
mod looks;
pub mod pciback;
mod registers;
mod rings;
mod streams;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub use audible::Heard;
use codec::Codec;
use controller::Controller;
pub use handles::{SimClock, SimMemory, SimPage, SimRegs};

/// Whose controller is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// QEMU's `intel-hda`, with its traps: registers decode at their own offsets only, commands
    /// stop at `RINTCNT`, the descriptor list is read once, DMA moves in steps of 1 ms.
    Qemu,
    /// Real chips: reset, rings and codecs take their time, DMA moves with each link frame and
    /// fetches ahead, descriptors are read as they come.
    Chip,
}

/// A register that is stuck.
#[derive(Clone, Copy, Debug)]
pub struct Stuck {
    /// First octet.
    pub offset: usize,
    /// How many octets.
    pub octets: usize,
    /// What each of them reads.
    pub value: u8,
    /// Whether they read so every other time only, and the other way round between.
    pub flips: bool,
    /// From this register access on, counted from 0.
    pub from: u64,
}

/// What is broken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A stuck register; writes to it are lost.
    pub stuck: Option<Stuck>,
    /// No codec answers from this verb on.
    pub silent_from: Option<u64>,
    /// Every so many verbs, one is not answered.
    pub unanswered_every: Option<u64>,
    /// Every so many responses, one is lost and the overrun noted.
    pub overrun_every: Option<u64>,
    /// Codecs answer noise, from this seed.
    pub noise: Option<u32>,
    /// Microseconds that a chip takes for a command in its ring, beyond what is normal.
    pub slow_us: u64,
    /// Unsolicited responses before and after each answer.
    pub unsolicited: u32,
    /// The controller does not read commands from its ring.
    pub rings_dead: bool,
    /// Immediate commands are never answered.
    pub immediate_dead: bool,
    /// DMA addresses end at 4 GiB.
    pub narrow: bool,
    /// `SDnLPIB` shows noise, from this seed.
    pub link_noise: Option<u32>,
    /// The position buffer is never written.
    pub buffer_dead: bool,
    /// DMA stands still from this microsecond on, for good or until the stream is reset.
    pub halted_at: Option<u64>,
    /// The next descriptor cannot be read.
    pub bad_descriptor: bool,
    /// Interrupt messages are lost.
    pub deaf: bool,
    /// This verb is not answered, once.
    pub unanswered_at: Option<u64>,
    /// One verb in a hundred is not answered, at random from this seed.
    pub unanswered_some: Option<u32>,
    /// The size of FIFOs may be written, as on ICH6.
    pub fifo_writable: bool,
    /// Codecs report nothing on their own.
    pub no_reports: bool,
}

/// Everything a machine with a sound card has.
pub struct State {
    model: Model,
    /// What is broken; may be changed at any time.
    pub faults: Faults,
    now_ns: u64,
    accesses: u64,
    pages: BTreeMap<u64, Box<[u8; 4096]>>,
    /// Where the next page will lie.
    pub next_page: u64,
    /// Pages still to be had.
    pub pages_left: usize,
    controller: Controller,
    codecs: BTreeMap<u8, Codec>,
    /// The codecs as they are without power for a while.
    pristine: BTreeMap<u8, Codec>,
    heard: BTreeMap<(u8, u8), Heard>,
    input_gains: BTreeSet<i32>,
    audible: streams::Audible,
    stray: BTreeSet<u64>,
    violations: Vec<String>,
    pops: Vec<String>,
    messages: u64,
    verbs: u64,
    responses: u64,
}

/// A machine with a sound card.
#[derive(Clone)]
pub struct Machine {
    state: Rc<RefCell<State>>,
}

impl Machine {
    /// A machine with these codecs, by address.
    pub fn new(model: Model, codecs: impl IntoIterator<Item = (u8, Codec)>) -> Self {
        let codecs: BTreeMap<u8, Codec> = codecs.into_iter().collect();
        let state = State {
            model,
            faults: Faults::default(),
            now_ns: 1_000_000,
            accesses: 0,
            pages: BTreeMap::new(),
            next_page: 0x1_4000_0000,
            pages_left: 512,
            controller: Controller::new(model),
            pristine: codecs.clone(),
            codecs,
            heard: BTreeMap::new(),
            input_gains: BTreeSet::new(),
            audible: streams::Audible::default(),
            stray: BTreeSet::new(),
            violations: Vec::new(),
            pops: Vec::new(),
            messages: 0,
            verbs: 0,
            responses: 0,
        };
        Self {
            state: Rc::new(RefCell::new(state)),
        }
    }

    /// The same machine with another set of streams and, at bit 0, width (`GCAP`).
    #[must_use]
    pub fn streams(self, inputs: u32, outputs: u32, bidirectional: u32) -> Self {
        let mut state = self.state_mut();
        let model = state.model;
        state.controller.gcap = outputs << 12 | inputs << 8 | bidirectional << 3 | 1;
        state.controller.defaults(model);
        drop(state);
        self
    }

    /// The same machine with something broken.
    #[must_use]
    pub fn with(self, faults: Faults) -> Self {
        let mut state = self.state_mut();
        state.faults = faults;
        if faults.narrow {
            let model = state.model;
            state.controller.gcap &= !1;
            state.controller.defaults(model);
        }
        drop(state);
        self
    }

    /// What the driver sees as registers.
    pub fn regs(&self) -> SimRegs {
        SimRegs(self.state.clone())
    }

    /// Where the driver gets pages.
    pub fn memory(&self) -> SimMemory {
        SimMemory(self.state.clone())
    }

    /// The driver's clock.
    pub fn clock(&self) -> SimClock {
        SimClock(self.state.clone())
    }

    /// Looks into the machine.
    pub fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    /// Reaches into the machine.
    pub fn state_mut(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// Lets microseconds pass.
    pub fn pass(&self, micros: u64) {
        self.state_mut().pass(micros * 1000);
    }

    /// The gains at which inputs were heard, in quarters of a decibel.
    pub fn input_gains(&self) -> BTreeSet<i32> {
        self.state().input_gains.clone()
    }

    /// Plugs something into a pin's jack, or out of it.
    pub fn plug(&self, codec: u8, pin: u8, plugged: bool) {
        self.state_mut().plug(codec, pin, plugged);
    }

    /// Forgets what came out of all pins so far.
    pub fn forget_heard(&self) {
        self.state_mut().heard.clear();
    }

    /// What came out of a codec's pin so far.
    pub fn heard(&self, codec: u8, pin: u8) -> Heard {
        let heard = self.state().heard.get(&(codec, pin)).cloned();
        heard.unwrap_or_default()
    }
}

/// What a pin hears: octet `at` of a stream that began to run from it. Never 0, and different from
/// pin to pin.
pub fn heard_at(pin: u8, at: u64) -> u8 {
    let mixed = (at ^ (u64::from(pin) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as u8 | 1
}

impl State {
    /// Microseconds since some point.
    pub fn micros(&self) -> u64 {
        self.now_ns / 1000
    }

    /// Register accesses so far.
    pub fn accesses(&self) -> u64 {
        self.accesses
    }

    /// Verbs that codecs were asked so far.
    pub fn verbs(&self) -> u64 {
        self.verbs
    }

    /// Interrupt messages so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Pages that the driver holds.
    pub fn pages_held(&self) -> usize {
        self.pages.len()
    }

    /// Where the pages that the driver holds are.
    pub fn addresses(&self) -> impl Iterator<Item = u64> {
        self.pages.keys().copied()
    }

    /// Addresses without a page that the device read or wrote.
    pub fn stray(&self) -> &BTreeSet<u64> {
        &self.stray
    }

    /// What the driver did that the specification forbids.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// What was heard as a pop: codecs and amplifiers switched in the wrong order.
    pub fn pops(&self) -> &[String] {
        &self.pops
    }

    /// The codec at an address.
    pub fn codec(&self, address: u8) -> Option<&Codec> {
        self.codecs.get(&address)
    }

    /// Whether any DMA engine or the link is running.
    pub fn running(&self) -> bool {
        self.controller.running()
    }

    /// Lets time pass, with all that happens meanwhile.
    fn pass(&mut self, nanos: u64) {
        const STEP: u64 = 250_000;
        let mut left = nanos;
        while left > 0 {
            let step = left.min(STEP);
            self.now_ns += step;
            left -= step;
            self.tick();
        }
    }

    fn dma_read(&mut self, address: u64, into: &mut [u8]) {
        let (page, offset) = (address & !0xFFF, (address & 0xFFF) as usize);
        match self.pages.get(&page) {
            Some(octets) if offset + into.len() <= 4096 => {
                into.copy_from_slice(&octets[offset..offset + into.len()]);
            }
            _ => {
                self.stray.insert(address);
                into.fill(0);
            }
        }
    }

    fn dma_write(&mut self, address: u64, from: &[u8]) {
        let (page, offset) = (address & !0xFFF, (address & 0xFFF) as usize);
        match self.pages.get_mut(&page) {
            Some(octets) if offset + from.len() <= 4096 => {
                octets[offset..offset + from.len()].copy_from_slice(from);
            }
            _ => {
                self.stray.insert(address);
            }
        }
    }
}
