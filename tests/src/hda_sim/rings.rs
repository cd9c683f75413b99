//! CORB, RIRB and immediate commands.

use super::{Model, State};

/// Two link frames: how long a chip takes for a verb.
const VERB_NS: u64 = 41_700;

#[derive(Default)]
pub(super) struct RingState {
    read: u16,
    write: u16,
    count: u16,
    /// When the command that is next was put into the ring.
    taken_at: u64,
    /// Command, when it was given, and whether it was already sent.
    immediate: Option<(u32, u64, bool)>,
}

const CORBWP: usize = 0x48;
const CORBRP: usize = 0x4A;
const CORBCTL: usize = 0x4C;
const RIRBWP: usize = 0x58;
const RINTCNT: usize = 0x5A;
const RIRBCTL: usize = 0x5C;
const RIRBSTS: usize = 0x5D;
const ICIS: usize = 0x68;

impl State {
    pub(super) fn ring_written(&mut self, offset: usize, old: u32, value: u32) {
        match offset {
            CORBWP => self.controller.rings.taken_at = self.now_ns,
            CORBRP if value & 0x8000 != 0 => self.controller.rings.read = 0,
            CORBRP => self.controller.put(CORBRP, 2, 0),
            RIRBWP if value & 0x8000 != 0 => {
                self.controller.rings.write = 0;
                self.controller.put(RIRBWP, 2, 0);
            }
            RIRBSTS if old & 1 != 0 && self.controller.get(RIRBSTS, 1) & 1 == 0 => {
                self.controller.rings.count = 0;
            }
            ICIS if self.controller.get(ICIS, 2) & 1 != 0 => {
                let command = self.controller.get(0x60, 4);
                self.controller.rings.immediate = Some((command, self.now_ns, false));
            }
            ICIS => self.controller.rings.immediate = None,
            _ => {}
        }
        self.run_rings();
    }

    fn entries(&self, register: usize) -> u16 {
        [2, 16, 256, 256][(self.controller.get(register, 1) & 3) as usize]
    }

    /// Reads as many commands as the model lets through by now.
    pub(super) fn run_rings(&mut self) {
        if self.controller.get(0x08, 4) & 1 == 0 {
            return;
        }
        self.run_immediate();
        for _ in 0..256 {
            let wanted = self.controller.get(CORBWP, 2) as u16;
            let rings = &self.controller.rings;
            if self.faults.rings_dead
                || self.controller.get(CORBCTL, 1) & 2 == 0
                || rings.read == wanted
            {
                return;
            }
            let full = rings.count == self.controller.get(RINTCNT, 2) as u16;
            // An immediate command under way comes first there, for ever if nobody answers it.
            if self.model == Model::Qemu && (full || rings.immediate.is_some()) {
                return;
            }
            if self.model == Model::Chip {
                let slow = self.faults.slow_us * 1000;
                if self.now_ns < rings.taken_at + VERB_NS + slow {
                    return;
                }
            }
            let next = (self.controller.rings.read + 1) % self.entries(0x4E);
            let base = u64::from(self.controller.get(0x40, 4))
                | u64::from(self.controller.get(0x44, 4)) << 32;
            let mut word = [0; 4];
            self.dma_read(base + 4 * u64::from(next), &mut word);
            self.controller.rings.read = next;
            self.controller.put(CORBRP, 2, next.into());
            let command = u32::from_le_bytes(word);
            if let Some(answer) = self.ask(command) {
                for _ in 0..self.faults.unsolicited {
                    self.respond(0x0400_0000, (command >> 28) | 0x10);
                }
                self.respond(answer, command >> 28);
                for _ in 0..self.faults.unsolicited {
                    self.respond(0x0400_0000, (command >> 28) | 0x10);
                }
            }
        }
    }

    pub(super) fn plug(&mut self, address: u8, pin: u8, plugged: bool) {
        let now = self.now_ns;
        let Some(codec) = self.codecs.get_mut(&address) else {
            return;
        };
        let on = codec.group_on(now);
        let Some(widget) = codec.widget_mut(pin) else {
            return;
        };
        widget.plugged = plugged;
        let enabled = widget.report & 0x80 != 0 && on && !self.faults.no_reports;
        let tag = u32::from(widget.report & 0x3F);
        if enabled && self.controller.get(0x08, 4) & 0x101 == 0x101 {
            self.respond(tag << 26, u32::from(address) | 0x10);
        }
    }

    fn respond(&mut self, response: u32, from: u32) {
        if self.controller.get(RIRBCTL, 1) & 2 == 0 {
            return;
        }
        self.responses += 1;
        let lost = self.faults.overrun_every;
        if lost.is_some_and(|every| self.responses.is_multiple_of(every)) {
            let status = self.controller.get(RIRBSTS, 1);
            self.controller.put(RIRBSTS, 1, status | 4);
            return;
        }
        let base =
            u64::from(self.controller.get(0x50, 4)) | u64::from(self.controller.get(0x54, 4)) << 32;
        let next = (self.controller.rings.write + 1) % self.entries(0x5E);
        self.dma_write(base + 8 * u64::from(next), &response.to_le_bytes());
        self.dma_write(base + 8 * u64::from(next) + 4, &from.to_le_bytes());
        self.controller.rings.write = next;
        self.controller.put(RIRBWP, 2, next.into());
        self.controller.rings.count += 1;
        let full = self.controller.rings.count == self.controller.get(RINTCNT, 2) as u16;
        if full && self.controller.get(RIRBCTL, 1) & 1 != 0 {
            let status = self.controller.get(RIRBSTS, 1);
            self.controller.put(RIRBSTS, 1, status | 1);
            self.update_interrupt();
        }
    }

    fn run_immediate(&mut self) {
        let Some((command, since, false)) = self.controller.rings.immediate else {
            return;
        };
        let wait = if self.model == Model::Chip {
            VERB_NS
        } else {
            0
        };
        if self.now_ns < since + wait || self.faults.immediate_dead {
            return;
        }
        self.controller.rings.immediate = Some((command, since, true));
        if let Some(answer) = self.ask(command) {
            self.controller.rings.immediate = None;
            self.controller.put(0x64, 4, answer);
            self.controller.put(ICIS, 2, 2);
        }
    }

    fn unanswered_by_chance(&mut self) -> bool {
        self.faults.unanswered_some.as_mut().is_some_and(|seed| {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (*seed >> 8).is_multiple_of(100)
        })
    }

    /// Asks the codec that a command is for; `None` if it does not answer.
    fn ask(&mut self, command: u32) -> Option<u32> {
        let count = self.verbs;
        self.verbs += 1;
        let faults = self.faults;
        if faults.silent_from.is_some_and(|from| count >= from)
            || faults.unanswered_every.is_some_and(|n| count % n == n - 1)
            || faults.unanswered_at == Some(count)
            || self.unanswered_by_chance()
        {
            return None;
        }
        let now = self.now_ns;
        let address = (command >> 28) as u8;
        let codec = self.codecs.get_mut(&address)?;
        if let Some(noise) = &mut self.faults.noise {
            *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // The low bits of such a generator repeat, and most fields are low.
            return Some(*noise ^ noise.rotate_left(15));
        }
        let (node, verb) = ((command >> 20) as u8, command & 0xF_FFFF);
        self.pops.extend(codec.pop(node, verb, now));
        codec.answer(node, verb, now)
    }
}
