//! The widgets of an audio function and how they are connected (§7.1, §7.3.4).
//!
//! A codec says all of this about itself, so all of it may be wrong. A graph is bounded however
//! it is built: at most 256 widgets, a bounded pool of connections, and every connection leads
//! to a widget of the graph or is looked up in vain. Cycles may remain; walks bound themselves.

use heapless::Vec;

use super::verb::{Nid, SampleBits};

/// Most widgets of a function group: node numbers have 8 bits.
pub const WIDGETS: usize = 256;
/// Most connections of all widgets together. The largest codec known has 129.
pub const CONNECTIONS: usize = 1024;
/// Most connections of one widget (§7.3.4.11: the length has 7 bits).
pub const WIDGET_CONNECTIONS: usize = 127;

/// Widget capabilities (§7.3.4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WidgetCaps(pub u32);

/// What a widget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Digital to analog converter ("audio output").
    Dac,
    /// Analog to digital converter ("audio input").
    Adc,
    /// Sums all its inputs.
    Mixer,
    /// Passes the input that is selected.
    Selector,
    /// The way in or out of the codec.
    Pin,
    /// Power, volume knob, beep, vendor: nothing on an audio path.
    Other,
}

impl WidgetCaps {
    /// What the widget is.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match (self.0 >> 20) & 0xF {
            0 => Kind::Dac,
            1 => Kind::Adc,
            2 => Kind::Mixer,
            3 => Kind::Selector,
            4 => Kind::Pin,
            _ => Kind::Other,
        }
    }

    const fn bit(self, bit: u32) -> bool {
        self.0 & (1 << bit) != 0
    }

    /// Whether the widget has both channels.
    #[must_use]
    pub const fn stereo(self) -> bool {
        self.bit(0)
    }
    /// Whether the widget has amplifiers on its inputs.
    #[must_use]
    pub const fn input_amp(self) -> bool {
        self.bit(1)
    }
    /// Whether the widget has an amplifier on its output.
    #[must_use]
    pub const fn output_amp(self) -> bool {
        self.bit(2)
    }
    /// Whether the widget's amplifiers differ from the function group's.
    #[must_use]
    pub const fn own_amps(self) -> bool {
        self.bit(3)
    }
    /// Whether the widget's formats differ from the function group's.
    #[must_use]
    pub const fn own_formats(self) -> bool {
        self.bit(4)
    }
    /// Whether the widget has coefficients for processing.
    #[must_use]
    pub const fn processes(self) -> bool {
        self.bit(6)
    }
    /// Whether the widget reports events on its own.
    #[must_use]
    pub const fn unsolicited(self) -> bool {
        self.bit(7)
    }
    /// Whether the widget has a connection list.
    #[must_use]
    pub const fn connected(self) -> bool {
        self.bit(8)
    }
    /// Whether the widget is digital (S/PDIF, HDMI).
    #[must_use]
    pub const fn digital(self) -> bool {
        self.bit(9)
    }
    /// Whether the widget has a power state of its own.
    #[must_use]
    pub const fn power(self) -> bool {
        self.bit(10)
    }
}

/// Capabilities of an amplifier (§7.3.4.10). All zero: none known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AmpCaps(pub u32);

impl AmpCaps {
    /// The gain step that stands for 0 dB, within the steps there are.
    #[must_use]
    pub const fn unity(self) -> u8 {
        let [offset, steps, ..] = self.0.to_le_bytes();
        let (offset, steps) = (offset & 0x7F, steps & 0x7F);
        if offset < steps { offset } else { steps }
    }

    /// Steps of gain past the lowest; 0 if the gain is fixed.
    #[must_use]
    pub const fn steps(self) -> u8 {
        let [_, steps, ..] = self.0.to_le_bytes();
        steps & 0x7F
    }

    /// What a step makes, in quarters of a decibel.
    #[must_use]
    pub const fn quarters(self) -> u8 {
        let [_, _, size, _] = self.0.to_le_bytes();
        (size & 0x7F).saturating_add(1)
    }

    /// Whether the amplifier can mute.
    #[must_use]
    pub const fn mutes(self) -> bool {
        self.0 >> 31 != 0
    }
}

/// Capabilities of a pin (§7.3.4.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PinCaps(pub u32);

impl PinCaps {
    /// Whether the pin drives headphones.
    #[must_use]
    pub const fn headphones(self) -> bool {
        self.0 & (1 << 3) != 0
    }
    /// Whether the pin can be an output. Some old chips name no direction at all, and can.
    #[must_use]
    pub const fn output(self) -> bool {
        self.0 & (1 << 4) != 0 || !self.input()
    }
    /// Whether the pin can be an input.
    #[must_use]
    pub const fn input(self) -> bool {
        self.0 & (1 << 5) != 0
    }
    /// Whether the pin is HDMI or DisplayPort.
    #[must_use]
    pub const fn display(self) -> bool {
        self.0 & (1 << 7 | 1 << 24) != 0
    }
    /// Whether the pin says if something is plugged in.
    #[must_use]
    pub const fn senses(self) -> bool {
        self.0 & (1 << 2) != 0
    }
    /// Whether the pin must be told to look before it says so.
    #[must_use]
    pub const fn sense_on_request(self) -> bool {
        self.0 & (1 << 1) != 0
    }
    /// The bits of pin control for the bias voltage of a microphone: 80 %, or the next best that
    /// the pin has.
    #[must_use]
    pub const fn bias(self) -> u8 {
        let [_, offers, ..] = self.0.to_le_bytes();
        match offers {
            _ if offers & (1 << 4) != 0 => 4,
            _ if offers & (1 << 1) != 0 => 1,
            _ if offers & (1 << 5) != 0 => 5,
            _ if offers & (1 << 2) != 0 => 2,
            _ => 0,
        }
    }
    /// Whether the pin controls an external amplifier.
    #[must_use]
    pub const fn eapd(self) -> bool {
        self.0 & (1 << 16) != 0
    }
}

/// PCM sizes and rates (§7.3.4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PcmCaps(pub u32);

impl PcmCaps {
    /// What both take. One that says nothing takes what the other does, at most 16 bits.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        const PLAIN: u32 = 0x0002_0040;
        match (self.0, other.0) {
            (0, 0) => Self(0),
            (0, known) | (known, 0) => Self(known & PLAIN),
            (one, two) => Self(one & two),
        }
    }

    /// Whether the converter takes such samples at 48 kHz.
    #[must_use]
    pub fn takes(self, bits: SampleBits) -> bool {
        let width = match bits {
            SampleBits::B16 => 1 << 17,
            SampleBits::B20 => 1 << 18,
            SampleBits::B24 => 1 << 19,
            SampleBits::B32 => 1 << 20,
        };
        self.widest_at_48k() == Some(bits)
            || (self.0 & width != 0 && self.widest_at_48k().is_some())
    }

    /// The widest samples that the converter takes at 48 kHz; 8 bits and other rates are not
    /// for us. One that says nothing at all is taken at 16 bits, which every known one takes.
    #[must_use]
    pub fn widest_at_48k(self) -> Option<SampleBits> {
        const RATE_48K: u32 = 1 << 6;
        if self.0 == 0 {
            return Some(SampleBits::B16);
        }
        if self.0 & RATE_48K == 0 {
            return None;
        }
        [
            (20, SampleBits::B32),
            (19, SampleBits::B24),
            (18, SampleBits::B20),
            (17, SampleBits::B16),
        ]
        .into_iter()
        .find_map(|(bit, bits)| (self.0 & (1 << bit) != 0).then_some(bits))
    }
}

/// One widget.
#[derive(Clone, Copy, Debug, Default)]
pub struct Widget {
    /// Capabilities.
    pub caps: WidgetCaps,
    /// Capabilities as a pin; zero if it is none.
    pub pin: PinCaps,
    /// Configuration default as a pin (§7.3.3.31); zero if it is none.
    pub config: u32,
    /// Formats as a converter, of its own or the function group's.
    pub pcm: PcmCaps,
    /// Amplifiers on the inputs, of its own or the function group's.
    pub input_amp: AmpCaps,
    /// Amplifier on the output, of its own or the function group's.
    pub output_amp: AmpCaps,
}

/// A widget and its span of the connections.
#[derive(Clone, Copy, Debug)]
struct Entry {
    widget: Widget,
    start: u16,
    length: u8,
}

/// An audio function's widgets.
#[derive(Clone, Debug)]
pub struct Graph {
    first: u8,
    entries: Vec<Entry, WIDGETS>,
    connections: Vec<Nid, CONNECTIONS>,
    oddities: u16,
}

impl Graph {
    /// An empty graph whose first widget will be `first`.
    #[must_use]
    pub const fn new(first: Nid) -> Self {
        Self {
            first: first.0,
            entries: Vec::new(),
            connections: Vec::new(),
            oddities: 0,
        }
    }

    /// Empties the graph; its next widget will be `first`.
    pub fn clear(&mut self, first: Nid) {
        self.first = first.0;
        self.entries.clear();
        self.connections.clear();
        self.oddities = 0;
    }

    /// Adds the next widget with its connections; whether there was room for the widget.
    /// Connections past the bounds are left out.
    pub fn push(&mut self, widget: Widget, connections: &[Nid]) -> bool {
        let used = self.connections.len();
        let room = CONNECTIONS.saturating_sub(used).min(WIDGET_CONNECTIONS);
        let taken = connections.get(..room).unwrap_or(connections);
        if taken.len() < connections.len() {
            self.note_oddity();
        }
        let entry = Entry {
            widget,
            start: u16::try_from(used).unwrap_or(u16::MAX),
            length: u8::try_from(taken.len()).unwrap_or(0),
        };
        let last = usize::from(self.first).saturating_add(self.entries.len());
        if last >= WIDGETS || self.connections.extend_from_slice(taken).is_err() {
            return false;
        }
        self.entries.push(entry).is_ok()
    }

    /// Counts something that the codec said and that cannot be.
    pub(super) const fn note_oddity(&mut self) {
        self.oddities = self.oddities.saturating_add(1);
    }

    /// How often the codec said something that cannot be.
    #[must_use]
    pub const fn oddities(&self) -> u16 {
        self.oddities
    }

    /// The widget at `node`.
    #[must_use]
    pub fn widget(&self, node: Nid) -> Option<&Widget> {
        self.entry(node).map(|entry| &entry.widget)
    }

    /// Gives a pin another configuration default; whether the node is a pin.
    pub fn set_pin_config(&mut self, node: Nid, config: u32) -> bool {
        let index = node.0.checked_sub(self.first).map(usize::from);
        let entry = index.and_then(|index| self.entries.get_mut(index));
        let pin = entry.filter(|entry| entry.widget.caps.kind() == Kind::Pin);
        pin.map(|pin| pin.widget.config = config).is_some()
    }

    fn entry(&self, node: Nid) -> Option<&Entry> {
        let index = node.0.checked_sub(self.first)?;
        self.entries.get(usize::from(index))
    }

    /// What is at `node`.
    #[must_use]
    pub fn kind(&self, node: Nid) -> Option<Kind> {
        self.widget(node).map(|widget| widget.caps.kind())
    }

    /// The inputs of the widget at `node`, in list order.
    #[must_use]
    pub fn inputs(&self, node: Nid) -> &[Nid] {
        self.entry(node).map_or(&[], |entry| {
            let start = usize::from(entry.start);
            let end = start.saturating_add(usize::from(entry.length));
            self.connections.get(start..end).unwrap_or(&[])
        })
    }

    /// Whether there is an analog converter for output at all.
    #[must_use]
    pub fn has_analog_output(&self) -> bool {
        self.widgets()
            .any(|(_, widget)| widget.caps.kind() == Kind::Dac && !widget.caps.digital())
    }

    /// Every widget with its node, in order.
    pub fn widgets(&self) -> impl Iterator<Item = (Nid, &Widget)> {
        let widgets = self.entries.iter().map(|entry| &entry.widget);
        (self.first..=u8::MAX).map(Nid).zip(widgets)
    }
}

#[cfg(test)]
mod tests;
