//! What codecs answer to verbs, and what verbs change.

use drivers::hda::verb::{CodecAddress, Nid, Verb, VerbFault, Verbs};

use super::codec::{Codec, Kind, Widget};

/// How long a widget or function group takes to power up.
const POWER_UP_NS: u64 = 3_000_000;

/// A codec alone, without a link between: it answers at once, whatever its address.
impl Verbs for Codec {
    fn ask(&mut self, _: CodecAddress, node: Nid, verb: Verb) -> Result<u32, VerbFault> {
        // Long enough between two verbs for anything to power up.
        self.alone_ns += 2 * POWER_UP_NS;
        self.answer(node.0, verb.bits(), self.alone_ns)
            .ok_or(VerbFault::Silent)
    }
}

impl Codec {
    /// Answers one verb.
    pub(super) fn answer(&mut self, node: u8, verb: u32, now: u64) -> Option<u32> {
        if self.mute {
            return None;
        }
        let payload = (verb & 0xFF) as u8;
        if verb >> 8 == 0xF00 && node <= 1 {
            return Some(self.group_parameter(node, payload));
        }
        if node == 1 {
            return Some(match verb >> 8 {
                0x705 => {
                    self.group.set_power(payload, now);
                    0
                }
                0xF05 => self.group.power_answer(now),
                0xF20 => self.subsystem,
                0xF15..=0xF17 => self.gpio[(verb >> 8) as usize - 0xF15].into(),
                0x715..=0x717 => {
                    self.gpio[(verb >> 8) as usize - 0x715] = payload;
                    0
                }
                _ => 0,
            });
        }
        if self.widget(node).is_none_or(|widget| widget.lacks(verb)) {
            self.blind_sets += 1;
        }
        if self.misses(node, verb) {
            self.blind_sets += 1;
            let node = self.blind?;
            return Some(
                self.widget_mut(node)
                    .map_or(0, |widget| widget.ask(verb, now)),
            );
        }
        Some(
            self.widget_mut(node)
                .map_or(0, |widget| widget.ask(verb, now)),
        )
    }

    /// Whether a verb sets something that the node does not have.
    fn misses(&self, node: u8, verb: u32) -> bool {
        let Some(widget) = self.widget(node) else {
            return true;
        };
        let converter = (widget.caps >> 20) & 0xF <= 1;
        match verb >> 16 {
            0x2 => !converter,
            0x3 => {
                let output = verb & 0x8000 != 0 && widget.caps & 4 == 0;
                let input = verb & 0x4000 != 0 && widget.caps & 2 == 0;
                output || input
            }
            _ => verb >> 8 == 0x706 && !converter,
        }
    }

    fn group_parameter(&self, node: u8, parameter: u8) -> u32 {
        match (node, parameter) {
            (0, 0x00) => self.vendor,
            (0, 0x02) => self.revision,
            (0, 0x04) => 0x1_0001,
            (1, 0x04) => u32::from(self.first) << 16 | self.widgets.len() as u32,
            (1, 0x05) => self.function,
            (1, 0x0A) => self.pcm,
            (1, 0x0B) => 1,
            (1, 0x0D) => self.group.input_amp.caps,
            (1, 0x12) => self.group.output_amp.caps,
            _ => 0,
        }
    }
}

impl Widget {
    /// Whether a verb is about something that the widget does not declare.
    fn lacks(&self, verb: u32) -> bool {
        let kind = (self.caps >> 20) & 0xF;
        let cap = |bit: u32| self.caps & (1 << bit) != 0;
        let pin_cap = |bit: u32| self.pin_caps & (1 << bit) != 0;
        let declared = match (verb >> 16, verb >> 8) {
            (0x4 | 0x5 | 0xC, _) => cap(6),
            (_, 0x701) => self.raw.len() > 1,
            (_, 0x705) => cap(10),
            (_, 0x707) => kind == Kind::Pin as u32,
            (_, 0x708) => cap(7),
            (_, 0x709 | 0xF09) => pin_cap(2),
            (_, 0x70C) => pin_cap(16),
            (_, 0x70D | 0x70E) => cap(9),
            _ => true,
        };
        !declared
    }

    /// Whether the widget is powered up by now.
    pub(super) fn on(&self, now: u64) -> bool {
        self.power == 0 && now >= self.powered_at
    }

    fn power_answer(&self, now: u64) -> u32 {
        let actual = if self.power == 0 && !self.on(now) {
            3
        } else {
            self.power
        };
        u32::from(actual) << 4 | u32::from(self.power)
    }

    fn set_power(&mut self, state: u8, now: u64) {
        if self.power != 0 && state == 0 {
            self.powered_at = now + POWER_UP_NS;
        }
        self.power = state & 0xF;
    }

    fn connections(&self, index: usize) -> u32 {
        let (bits, per_answer) = if self.long_list { (16, 2) } else { (8, 4) };
        let range = |entry: u16| {
            if self.long_list {
                entry
            } else {
                (entry >> 8) | entry
            }
        };
        let entries = self.raw.iter().skip(index).take(per_answer);
        entries.enumerate().fold(0, |all, (place, &entry)| {
            let entry = u32::from(range(entry)) & ((1 << bits) - 1);
            all | entry << (bits * place)
        })
    }

    fn parameter(&self, parameter: u8) -> u32 {
        match parameter {
            0x09 => self.caps,
            0x0A => self.pcm,
            0x0B => u32::from(self.pcm != 0),
            0x0C => self.pin_caps,
            0x0D if self.own_amps => self.input_amp.caps,
            0x12 if self.own_amps => self.output_amp.caps,
            0x0E => u32::from(self.long_list) << 7 | self.raw.len() as u32,
            _ => 0,
        }
    }
}

impl Widget {
    fn ask(&mut self, verb: u32, now: u64) -> u32 {
        let payload = (verb & 0xFF) as u8;
        match verb >> 16 {
            0x2 => {
                self.format = (verb & 0xFFFF) as u16;
                return 0;
            }
            0x3 => {
                let (left, right) = (verb & 0x2000 != 0, verb & 0x1000 != 0);
                if verb & 0x8000 != 0 {
                    self.output_amp.set(0, left, right, payload);
                }
                if verb & 0x4000 != 0 {
                    let index = (verb >> 8 & 0xF) as usize;
                    self.input_amp.set(index, left, right, payload);
                }
                return 0;
            }
            0x4 => {
                self.coefs.insert(self.coef_index, (verb & 0xFFFF) as u16);
                return 0;
            }
            0x5 => {
                self.coef_index = payload;
                return 0;
            }
            0xC => {
                return self
                    .coefs
                    .get(&self.coef_index)
                    .map_or(0, |&coef| coef.into());
            }
            _ => {}
        }
        match verb >> 8 {
            0xF08 => return self.report.into(),
            0xF09 => return u32::from(self.plugged != self.contrary) << 31,
            0x708 => self.report = payload,
            0xF00 => return self.parameter(payload),
            0xF01 => return self.selected as u32,
            0xF02 => return self.connections(payload.into()),
            0xF05 => return self.power_answer(now),
            0xF07 => return self.pin_control.into(),
            0xF0C => return self.eapd.into(),
            0xF1C => return self.config,
            0x701 if usize::from(payload) < self.inputs.len() => self.selected = payload.into(),
            0x705 if self.caps & (1 << 10) != 0 => self.set_power(payload, now),
            0x706 => self.stream = payload,
            0x70D => self.digital[0] = payload,
            0x70E => self.digital[1] = payload,
            0x707 => self.pin_control = payload,
            0x70C if self.pin_caps & (1 << 16) != 0 => {
                let before = self.amplified();
                self.eapd = payload;
                if before && !self.amplified() {
                    self.amplified_until = now;
                }
            }
            _ => {}
        }
        0
    }
}
