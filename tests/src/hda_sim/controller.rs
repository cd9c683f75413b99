//! The controller's registers, its reset and its interrupts.

use super::registers::{Register, STREAMS, registers, stream_base};
use super::rings::RingState;
use super::streams::StreamState;
use super::{Model, State};

/// What a register access costs.
const ACCESS_NS: u64 = 1000;
/// How long a chip's link takes to follow `CRST`.
const CRST_NS: u64 = 60_000;
/// When a chip's codecs have reported after reset: 25 frames.
const REPORT_NS: u64 = 521_000;

const GCTL: usize = 0x08;
const STATESTS: usize = 0x0E;
const INTCTL: usize = 0x20;
const INTSTS: usize = 0x24;

pub(super) struct Controller {
    pub(super) gcap: u32,
    pub(super) space: Vec<u8>,
    registers: Vec<Register>,
    pub(super) rings: RingState,
    pub(super) streams: [StreamState; STREAMS],
    /// When `CRST` will read what was written.
    crst_at: Option<(u64, bool)>,
    report_at: Option<u64>,
    raised: bool,
}

impl Controller {
    pub(super) fn new(model: Model) -> Self {
        let mut controller = Self {
            gcap: 0x4401,
            space: vec![0; 0x4000],
            registers: registers(model),
            rings: RingState::default(),
            streams: Default::default(),
            crst_at: None,
            report_at: None,
            raised: false,
        };
        controller.defaults(model);
        controller
    }

    pub(super) fn defaults(&mut self, model: Model) {
        self.space.fill(0);
        self.put(0x00, 2, self.gcap);
        self.put(0x03, 1, 1);
        self.put(0x04, 2, 0x3C);
        self.put(0x06, 2, 0x1D);
        let sizes = if model == Model::Qemu { 0x42 } else { 0x72 };
        self.put(0x4E, 1, sizes);
        self.put(0x5E, 1, sizes);
        for base in (0..STREAMS).map(stream_base) {
            self.put(base + 0x10, 2, if model == Model::Qemu { 256 } else { 0 });
        }
        self.rings = RingState::default();
        self.streams = Default::default();
    }

    pub(super) fn get(&self, offset: usize, octets: usize) -> u32 {
        let mut word = [0; 4];
        word[..octets].copy_from_slice(&self.space[offset..offset + octets]);
        u32::from_le_bytes(word)
    }

    pub(super) fn put(&mut self, offset: usize, octets: usize, value: u32) {
        self.space[offset..offset + octets].copy_from_slice(&value.to_le_bytes()[..octets]);
    }

    /// Whether a stream carries samples out: outputs, and bidirectional ones that are told so.
    pub(super) fn is_output(&self, index: usize) -> bool {
        let (inputs, outputs) = (self.gcap >> 8 & 0xF, self.gcap >> 12);
        let tag = self.get(stream_base(index) + 2, 1);
        index >= inputs as usize && (index < (inputs + outputs) as usize || tag & 8 != 0)
    }

    /// Whether anything could still do DMA.
    pub(super) fn running(&self) -> bool {
        let stream = |index| self.get(stream_base(index), 1) & 2 != 0;
        self.get(0x4C, 1) & 2 != 0 || self.get(0x5C, 1) & 2 != 0 || (0..STREAMS).any(stream)
    }

    /// Applies a write to a register's own bits; `None` if nothing decodes there.
    fn apply(&mut self, register: Register, at: usize, octets: usize, value: u32) {
        let shift = 8 * (at - register.offset);
        let span = mask(octets) << shift;
        let value = value << shift;
        let old = self.get(register.offset, register.octets);
        let writable = register.writable & span;
        let mut new = (old & !writable) | (value & writable);
        new &= !(value & register.clears & span);
        self.put(register.offset, register.octets, new);
    }
}

fn mask(octets: usize) -> u32 {
    u32::MAX >> (32 - 8 * octets)
}

impl State {
    /// One read of a register, with what it costs.
    pub(super) fn read(&mut self, offset: usize, octets: usize) -> u32 {
        self.access();
        let mut value = if offset + octets > self.controller.space.len() {
            u32::MAX
        } else {
            match self.model {
                Model::Chip => self.controller.get(offset, octets),
                Model::Qemu => match self.exact(offset) {
                    Some(register) => {
                        let octets = octets.min(register.octets);
                        self.controller.get(offset, octets)
                    }
                    None => 0,
                },
            }
        };
        if let Some(stuck) = self.stuck() {
            let other = stuck.flips && self.accesses.is_multiple_of(2);
            let read = stuck.value ^ if other { 0xFF } else { 0 };
            for octet in 0..octets {
                if (stuck.offset..stuck.offset + stuck.octets).contains(&(offset + octet)) {
                    value &= !(0xFF << (8 * octet));
                    value |= u32::from(read) << (8 * octet);
                }
            }
        }
        value & mask(octets)
    }

    /// One write of a register, with what it costs and causes.
    pub(super) fn write(&mut self, offset: usize, octets: usize, value: u32) {
        self.access();
        let lost = self.stuck().is_some_and(|stuck| {
            offset < stuck.offset + stuck.octets && stuck.offset < offset + octets
        });
        if lost || offset + octets > self.controller.space.len() {
            return;
        }
        match self.model {
            Model::Qemu => {
                if let Some(register) = self.exact(offset) {
                    self.write_register(register, offset, octets.min(register.octets), value);
                }
            }
            Model::Chip => {
                let out_of_reset = self.controller.get(GCTL, 4) & 1 != 0;
                let end = offset + octets;
                for register in self.controller.registers.clone() {
                    let from = register.offset.max(offset);
                    let to = (register.offset + register.octets).min(end);
                    if from < to && (out_of_reset || register.offset == GCTL) {
                        let value = value >> (8 * (from - offset));
                        self.write_register(register, from, to - from, value);
                    }
                }
            }
        }
    }

    fn exact(&self, offset: usize) -> Option<Register> {
        let registers = &self.controller.registers;
        registers.iter().copied().find(|r| r.offset == offset)
    }

    fn access(&mut self) {
        self.accesses += 1;
        self.pass(ACCESS_NS);
    }

    fn stuck(&self) -> Option<super::Stuck> {
        self.faults.stuck.filter(|stuck| self.accesses > stuck.from)
    }

    fn write_register(&mut self, register: Register, at: usize, octets: usize, value: u32) {
        let old = self.controller.get(register.offset, register.octets);
        if register.offset >= 0x80 && !self.may_write_stream(register.offset) {
            return;
        }
        self.controller.apply(register, at, octets, value);
        if self.faults.fifo_writable && register.offset >= 0x80 && register.offset & 0x1F == 0x10 {
            self.controller.put(register.offset, 2, value + 1);
        }
        match register.offset {
            GCTL => self.global_control(old),
            0x4A..=0x4D | 0x48 | 0x58..=0x5D | 0x68 => {
                self.ring_written(register.offset, old, value)
            }
            offset if offset >= 0x80 => self.stream_written(offset, old),
            _ => {}
        }
        self.update_interrupt();
    }

    fn global_control(&mut self, old: u32) {
        let new = self.controller.get(GCTL, 4);
        if (old ^ new) & 1 == 0 {
            return;
        }
        let up = new & 1 != 0;
        if !up {
            if self.controller.running() {
                self.violations
                    .push("CRST cleared under running DMA".into());
            }
            let now = self.now_ns;
            if self.codecs.values().any(|codec| codec.drives(now)) {
                self.pops
                    .push("link reset under a codec that drives".into());
            }
        }
        match self.model {
            Model::Qemu => {
                self.controller.defaults(self.model);
                self.controller.put(GCTL, 4, new);
                // Codecs report at once, even while reset is held.
                self.report();
            }
            Model::Chip => {
                self.controller.put(GCTL, 4, old);
                self.controller.crst_at = Some((self.now_ns + CRST_NS, up));
            }
        }
    }

    fn report(&mut self) {
        let present = self.codecs.keys().fold(0, |all, &at| all | (1 << at));
        let states = self.controller.get(STATESTS, 2) | present;
        self.controller.put(STATESTS, 2, states);
        for (address, codec) in &mut self.codecs {
            codec.link_reset(&self.pristine[address]);
        }
    }

    /// What happens by itself as time passes.
    pub(super) fn tick(&mut self) {
        if let Some((at, up)) = self.controller.crst_at
            && self.now_ns >= at
        {
            self.controller.crst_at = None;
            self.controller.defaults(self.model);
            self.controller.put(GCTL, 4, up.into());
            self.controller.report_at = up.then_some(at + REPORT_NS);
        }
        if let Some(at) = self.controller.report_at
            && self.now_ns >= at
        {
            self.controller.report_at = None;
            self.report();
        }
        self.run_rings();
        self.run_streams();
        let wall = (self.now_ns / 1000 * 24) as u32;
        self.controller.put(0x30, 4, wall);
    }

    /// Renews `INTSTS` and sends a message where the model does.
    pub(super) fn update_interrupt(&mut self) {
        let mut pending = 0;
        if self.controller.get(0x5D, 1) & 5 != 0 {
            pending |= 1 << 30;
        }
        for index in 0..STREAMS {
            if self.controller.get(stream_base(index) + 3, 1) & 0x1C != 0 {
                pending |= 1 << index;
            }
        }
        let enabled = self.controller.get(INTCTL, 4);
        if pending & enabled & !(1 << 31) != 0 {
            pending |= 1 << 31;
        }
        self.controller.put(INTSTS, 4, pending);
        let raised = pending & enabled & (1 << 31) != 0;
        // QEMU sends again at each change of state while something is pending.
        let sends = match self.model {
            Model::Qemu => raised,
            Model::Chip => raised && !self.controller.raised,
        };
        self.controller.raised = raised;
        self.messages += u64::from(sends && !self.faults.deaf);
    }
}
