//! Whether and how loud a stream comes out of a pin, or a pin into a stream.

use std::collections::BTreeSet;

use super::codec::{Amp, Codec, Kind, Widget};

/// What came out of a pin.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The octets of all samples, as they were on the link.
    pub samples: Vec<u8>,
    /// The gains at which they came, in quarters of a decibel.
    pub gains: BTreeSet<i32>,
}

impl Amp {
    /// The gain of one input in quarters of a decibel; `None` if either channel is muted.
    fn gain(&self, index: usize) -> Option<i32> {
        let &[left, right] = self.levels.get(index)?;
        if left & 0x80 != 0 || left != right {
            return None;
        }
        if self.caps & 0x7F00 == 0 {
            // No steps: it only mutes.
            return Some(0);
        }
        let offset = (self.caps & 0x7F) as i32;
        let step = (self.caps >> 16 & 0x7F) as i32 + 1;
        Some((i32::from(left) - offset) * step)
    }
}

impl Codec {
    /// The gain at which the stream with this tag and format, and no other signal, comes out of
    /// a pin, in quarters of a decibel.
    pub(super) fn reaches(&self, pin: u8, tag: u8, format: u16, now: u64) -> Option<i32> {
        let widget = self.widget(pin)?;
        let driven = widget.pin_control & 0x40 != 0;
        let amplified = widget.pin_caps & (1 << 16) == 0 || widget.amplified();
        let off = |widget: &Widget| widget.pin_caps & (1 << 16) != 0 && !widget.amplified();
        let closed = self.gated && self.widgets.iter().any(off);
        if !driven || !amplified || closed || !self.group_on(now) {
            return None;
        }
        let mut sources = Vec::new();
        self.collect(pin, 0, now, 12, &mut sources);
        match sources[..] {
            [(node, gain)] => {
                let dac = self.widget(node)?;
                // On a digital link: enabled, and said to be sound.
                let sent = dac.caps & (1 << 9) == 0 || dac.digital[0] & 0x21 == 1;
                let plays = tag != 0 && dac.stream == tag << 4 && dac.format == format;
                (plays && sent).then_some(gain)
            }
            _ => None,
        }
    }

    /// The pins that the converter of the stream with this tag and format hears, and at which
    /// gain, in quarters of a decibel.
    pub(super) fn sources(&self, tag: u8, format: u16, now: u64) -> Vec<(u8, i32)> {
        let mut sources = Vec::new();
        for node in 0..=u8::MAX {
            if let Some(adc) = self.widget(node)
                && adc.kind() == Kind::Adc as u32
                && tag != 0
                && adc.stream == tag << 4
                && adc.format == format
                && self.group_on(now)
            {
                self.trace(node, 0, now, 12, &mut sources);
            }
        }
        sources
    }

    /// Follows everything that is let through to the pins it comes from.
    fn trace(&self, node: u8, gain: i32, now: u64, depth: u32, into: &mut Vec<(u8, i32)>) {
        let Some(widget) = self.widget(node).filter(|widget| widget.on(now)) else {
            return;
        };
        let pin = widget.kind() == Kind::Pin as u32;
        let amplified = |amp: &Amp, declared: u32, index| {
            if widget.caps & declared != 0 {
                amp.gain(index)
            } else {
                Some(0)
            }
        };
        if pin {
            // Its output amplifier is on the way out.
            if let Some(own) = amplified(&widget.input_amp, 2, 0)
                && widget.pin_control & 0x20 != 0
            {
                into.push((node, gain + own));
            }
            return;
        }
        let Some(through) = amplified(&widget.output_amp, 4, 0) else {
            return;
        };
        for (index, &input) in widget.inputs.iter().enumerate() {
            let passes = widget.kind() == Kind::Mixer as u32 || widget.selected == index;
            if let Some(own) = amplified(&widget.input_amp, 2, index)
                && passes
                && depth > 0
            {
                self.trace(input, gain + through + own, now, depth - 1, into);
            }
        }
    }

    /// Follows everything that is let through to the converters it comes from.
    fn collect(&self, node: u8, gain: i32, now: u64, depth: u32, into: &mut Vec<(u8, i32)>) {
        let Some(widget) = self.widget(node) else {
            return;
        };
        let through = if widget.caps & 4 != 0 {
            widget.output_amp.gain(0)
        } else {
            Some(0)
        };
        let (Some(through), true) = (through, widget.on(now)) else {
            return;
        };
        let gain = gain + through;
        if widget.kind() == Kind::Dac as u32 {
            into.push((node, gain));
            return;
        }
        if depth == 0 {
            return;
        }
        for (index, &input) in widget.inputs.iter().enumerate() {
            let passes = widget.kind() == Kind::Mixer as u32 || widget.selected == index;
            // A pin's is for what comes in through the jack.
            let own = if widget.caps & 2 != 0 && widget.kind() != Kind::Pin as u32 {
                widget.input_amp.gain(index)
            } else {
                Some(0)
            };
            // Pins on an input are jacks with nothing plugged in.
            let silent = self
                .widget(input)
                .is_none_or(|w| w.kind() == Kind::Pin as u32);
            if let (true, Some(own), false) = (passes, own, silent) {
                self.collect(input, gain + own, now, depth - 1, into);
            }
        }
    }
}

impl Widget {
    /// Whether its external amplifier is switched on, if it has one.
    pub(super) fn amplified(&self) -> bool {
        (self.eapd & 2 != 0) != self.inverted
    }

    fn kind(&self) -> u32 {
        (self.caps >> 20) & 0xF
    }
}
