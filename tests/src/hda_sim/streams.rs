//! Stream DMA: descriptors, position, and samples to and from the link.

use super::registers::{STREAMS, stream_base};
use super::{Model, State, heard_at};

/// How far a chip fetches ahead of the link, and how much it holds back of what came from there,
/// unless told otherwise.
const FIFO: u64 = 192;
/// QEMU's DMA timer.
const QEMU_STEP_NS: u64 = 1_000_000;

#[derive(Clone, Default)]
pub(super) struct StreamState {
    /// (address, octets, interrupt), as QEMU read them when the stream began to run.
    list: Vec<(u64, u64, bool)>,
    started: u64,
    /// Octets on the link before that: a chip that was not reset goes on where it was.
    resumed: u64,
    /// Octets fetched since.
    fetched: u64,
    entry: usize,
    within: u64,
}

/// The pins that a stream reaches, kept from one piece of samples to the next.
#[derive(Default)]
pub(super) struct Audible {
    /// Verbs so far, tag and format.
    key: (u64, u8, u16),
    /// Whether only another verb can change it.
    settled: bool,
    /// Codec, pin and gain.
    pins: Vec<(u8, u8, i32)>,
}

/// Octets of a second, from a format.
fn octets_per_second(format: u32) -> u64 {
    let base = if format & 0x4000 != 0 { 44_100 } else { 48_000 };
    let multiple = u64::from((format >> 11) & 7) + 1;
    let divisor = u64::from((format >> 8) & 7) + 1;
    base * multiple / divisor * frame_octets(format)
}

fn frame_octets(format: u32) -> u64 {
    let sample = match (format >> 4) & 7 {
        0 => 1,
        1 => 2,
        _ => 4,
    };
    sample * (u64::from(format & 0xF) + 1)
}

impl State {
    /// Whether the specification allows this write now.
    pub(super) fn may_write_stream(&mut self, offset: usize) -> bool {
        let base = offset & !0x1F;
        let fixed = [0x08, 0x0C, 0x12, 0x18, 0x1C].contains(&(offset - base));
        if fixed && self.controller.get(base, 1) & 2 != 0 {
            self.violations
                .push(format!("stream register {offset:#x} written while it runs"));
            return self.model == Model::Qemu;
        }
        true
    }

    pub(super) fn stream_written(&mut self, offset: usize, old: u32) {
        let base = offset & !0x1F;
        let index = (base - 0x80) / 0x20;
        let control = self.controller.get(base, 1);
        if offset - base == 0x12 && self.model == Model::Chip {
            self.controller.put(base + 0x10, 2, FIFO as u32);
        }
        if offset != base {
            return;
        }
        if control & 1 != 0 {
            // Reset keeps nothing but itself, and the FIFO is ready.
            let fifo = self.controller.get(base + 0x10, 2);
            self.controller.space[base..base + 0x20].fill(0);
            if self.model == Model::Qemu {
                self.controller.put(base + 0x10, 2, fifo);
            }
            self.controller.put(base, 1, 1);
            self.controller.put(base + 3, 1, 0x20);
            self.controller.streams[index] = Default::default();
            return;
        }
        if control & 2 != 0 && old & 2 == 0 {
            let (now, fifo) = (self.now_ns, self.fifo(index));
            let stream = &mut self.controller.streams[index];
            if self.model == Model::Qemu {
                *stream = StreamState::default();
            }
            stream.started = now;
            stream.resumed = stream.fetched.saturating_sub(fifo);
            let list = self.descriptors(base);
            self.controller.streams[index].list = list;
        }
    }

    fn descriptors(&mut self, base: usize) -> Vec<(u64, u64, bool)> {
        let last = u64::from(self.controller.get(base + 0xC, 2) & 0xFF);
        (0..=last)
            .map(|index| self.descriptor(base, index))
            .collect()
    }

    fn descriptor(&mut self, base: usize, index: u64) -> (u64, u64, bool) {
        let list = u64::from(self.controller.get(base + 0x18, 4))
            | u64::from(self.controller.get(base + 0x1C, 4)) << 32;
        let mut entry = [0; 16];
        self.dma_read(list + 16 * index, &mut entry);
        let word = |at: usize| {
            u64::from(u32::from_le_bytes([
                entry[at],
                entry[at + 1],
                entry[at + 2],
                entry[at + 3],
            ]))
        };
        (word(0) | word(4) << 32, word(8), word(12) & 1 != 0)
    }

    /// Moves what is due by now on each running stream.
    pub(super) fn run_streams(&mut self) {
        for index in 0..STREAMS {
            let base = stream_base(index);
            if self.controller.get(base, 1) & 3 != 2 {
                continue;
            }
            let format = self.controller.get(base + 0x12, 2);
            let fifo = self.fifo(index);
            let stream = &self.controller.streams[index];
            let halted = self.faults.halted_at.map(|at| at * 1000);
            let now = match halted.filter(|&at| stream.started < at) {
                Some(at) => self.now_ns.min(at),
                None => self.now_ns,
            };
            let elapsed = now - stream.started;
            let due = match self.model {
                Model::Qemu => {
                    let elapsed = elapsed / QEMU_STEP_NS * QEMU_STEP_NS;
                    (elapsed * octets_per_second(format) / 1_000_000_000) & !3
                }
                Model::Chip => {
                    let octets = elapsed * octets_per_second(format) / 1_000_000_000;
                    octets / frame_octets(format) * frame_octets(format) + fifo + stream.resumed
                }
            };
            let fetched = stream.fetched;
            let ring = u64::from(self.controller.get(base + 8, 4)).max(1);
            let input = !self.controller.is_output(index);
            let stored = if input {
                due.saturating_sub(2 * fifo)
            } else {
                due
            };
            self.fetch(index, stored.saturating_sub(fetched));
            let moved = self.controller.streams[index].fetched;
            let link = match input {
                true => moved + fifo,
                false => moved.saturating_sub(fifo),
            };
            let shown = match &mut self.faults.link_noise {
                Some(noise) => {
                    *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    u64::from(*noise >> 8)
                }
                None => link,
            };
            self.controller.put(base + 4, 4, (shown % ring) as u32);
            self.write_position(index, ring);
        }
    }

    /// Octets that a stream fetches ahead of the link.
    fn fifo(&self, index: usize) -> u64 {
        match self.model {
            Model::Qemu => 0,
            Model::Chip => self.controller.get(stream_base(index) + 0x10, 2).into(),
        }
    }

    /// Writes what was fetched into the position buffer.
    fn write_position(&mut self, index: usize, ring: u64) {
        let low = self.controller.get(0x70, 4);
        if low & 1 == 0 || self.faults.buffer_dead {
            return;
        }
        let base = u64::from(low & !0x7F) | u64::from(self.controller.get(0x74, 4)) << 32;
        let position = (self.controller.streams[index].fetched % ring) as u32;
        self.dma_write(base + 8 * index as u64, &position.to_le_bytes());
    }

    fn fetch(&mut self, index: usize, mut octets: u64) {
        let base = stream_base(index);
        let mut completed = false;
        while octets > 0 {
            let stream = &self.controller.streams[index];
            let (entry, within) = (stream.entry, stream.within);
            let last = stream.list.len().saturating_sub(1);
            let (address, length, interrupt) = match self.model {
                Model::Qemu => stream.list[entry],
                Model::Chip => self.descriptor(base, entry as u64),
            };
            if within >= length || self.faults.bad_descriptor {
                // An empty descriptor, or none: chips call it an error and stop.
                self.faults.bad_descriptor = false;
                let status = self.controller.get(base + 3, 1);
                self.controller.put(base + 3, 1, status | 0x10);
                self.controller
                    .put(base, 1, self.controller.get(base, 1) & !2);
                self.update_interrupt();
                break;
            }
            let count = octets.min(length - within).min(256);
            let mut samples = vec![0; count as usize];
            if !self.controller.is_output(index) {
                let at = self.controller.streams[index].fetched;
                self.hear(index, at, &mut samples);
                self.dma_write(address + within, &samples);
            } else {
                self.dma_read(address + within, &mut samples);
                self.link(index, &samples);
            }
            let stream = &mut self.controller.streams[index];
            stream.fetched += count;
            stream.within += count;
            octets -= count;
            if stream.within == length {
                stream.within = 0;
                stream.entry = if entry >= last { 0 } else { entry + 1 };
                completed |= interrupt;
            }
        }
        // QEMU shows a completed buffer whether or not it may interrupt.
        if completed && (self.model == Model::Qemu || self.controller.get(base, 1) & 4 != 0) {
            let status = self.controller.get(base + 3, 1);
            self.controller.put(base + 3, 1, status | 4);
            self.update_interrupt();
        }
    }

    /// Takes samples from the link: what the one pin hears that reaches the stream's converter.
    fn hear(&mut self, index: usize, at: u64, samples: &mut [u8]) {
        let base = stream_base(index);
        let tag = (self.controller.get(base + 2, 1) >> 4) as u8;
        let format = self.controller.get(base + 0x12, 2) as u16;
        let now = self.now_ns;
        let sources = self.codecs.iter().flat_map(|(&address, codec)| {
            let sources = codec.sources(tag, format, now);
            sources
                .into_iter()
                .map(move |(pin, gain)| (address, pin, gain))
        });
        let sources: Vec<_> = sources.collect();
        if let [(_, pin, gain)] = sources[..] {
            for (at, sample) in (at..).zip(samples) {
                *sample = heard_at(pin, at);
            }
            self.input_gains.insert(gain);
        }
    }

    /// Puts samples on the link: every pin that they reach lets them be heard.
    fn link(&mut self, index: usize, samples: &[u8]) {
        let base = stream_base(index);
        let tag = (self.controller.get(base + 2, 1) >> 4) as u8;
        let format = self.controller.get(base + 0x12, 2) as u16;
        self.renew_audible(tag, format);
        for &(address, pin, gain) in &self.audible.pins {
            let heard = self.heard.entry((address, pin)).or_default();
            heard.samples.extend_from_slice(samples);
            heard.gains.insert(gain);
        }
    }

    /// Finds the pins that a stream reaches, unless nothing can have changed since.
    fn renew_audible(&mut self, tag: u8, format: u16) {
        let key = (self.verbs, tag, format);
        if self.audible.key == key && self.audible.settled {
            return;
        }
        let now = self.now_ns;
        let mut pins = Vec::new();
        for (&address, codec) in &self.codecs {
            pins.extend(codec.pins().filter_map(|pin| {
                let gain = codec.reaches(pin, tag, format, now)?;
                Some((address, pin, gain))
            }));
        }
        self.audible = Audible {
            key,
            settled: self.codecs.values().all(|codec| codec.settled(now)),
            pins,
        };
    }
}
