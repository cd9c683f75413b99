//! A codec from data: its widgets and their state.

use std::collections::BTreeMap;

/// An amplifier: capabilities as the parameter reads, and both channels of each input's level.
#[derive(Clone, Debug, Default)]
pub(super) struct Amp {
    pub(super) caps: u32,
    /// Left, right; bit 7 mutes.
    pub(super) levels: Vec<[u8; 2]>,
}

impl Amp {
    pub(super) fn set(&mut self, index: usize, left: bool, right: bool, level: u8) {
        let Some(levels) = self.levels.get_mut(index) else {
            return;
        };
        // A bit that the amplifier does not have does not stay.
        let mute = if self.caps >> 31 != 0 {
            level & 0x80
        } else {
            0
        };
        let steps = ((self.caps >> 8) & 0x7F) as u8;
        let level = mute | (level & 0x7F).min(steps);
        if left {
            levels[0] = level;
        }
        if right {
            levels[1] = level;
        }
    }
}

/// A widget with its state.
#[derive(Clone, Debug, Default)]
pub struct Widget {
    pub(super) caps: u32,
    pub(super) pin_caps: u32,
    pub(super) config: u32,
    pub(super) pcm: u32,
    /// The connection list as it is read, entry by entry; bit 15 of an entry makes a range.
    pub(super) raw: Vec<u16>,
    pub(super) long_list: bool,
    /// The same without ranges.
    pub(super) inputs: Vec<u8>,
    pub(super) input_amp: Amp,
    pub(super) output_amp: Amp,
    pub(super) own_amps: bool,
    pub(super) selected: usize,
    pub(super) pin_control: u8,
    pub(super) eapd: u8,
    pub(super) stream: u8,
    pub(super) format: u16,
    pub(super) power: u8,
    pub(super) powered_at: u64,
    /// Whether something is plugged into its jack.
    pub(super) plugged: bool,
    /// What it was told about reporting that: enabled (bit 7) and a tag.
    pub(super) report: u8,
    /// As a digital converter: what it says on its link, and its category.
    pub(super) digital: [u8; 2],
    /// Coefficients, and which of them is named.
    pub(super) coefs: BTreeMap<u8, u16>,
    pub(super) coef_index: u8,
    /// When its external amplifier was switched off last.
    pub(super) amplified_until: u64,
    /// Whether its EAPD bit, and what its jack says, mean the opposite.
    pub(super) inverted: bool,
    pub(super) contrary: bool,
}

/// How long an external amplifier is heard after that.
const AMPLIFIER_NS: u64 = 100_000_000;

/// What a widget is (§7.3.4.6).
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Kind {
    /// Digital to analog converter.
    Dac = 0,
    /// Analog to digital converter.
    Adc = 1,
    /// Mixer.
    Mixer = 2,
    /// Selector.
    Selector = 3,
    /// Pin.
    Pin = 4,
    /// Something of the vendor's.
    Vendor = 15,
}

impl Widget {
    /// A stereo widget without anything else.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            caps: ((kind as u32) << 20) | 1,
            ..Self::default()
        }
    }

    /// With inputs, in list order.
    #[must_use]
    pub fn from(self, inputs: &[u8]) -> Self {
        let raw: Vec<u16> = inputs.iter().map(|&input| input.into()).collect();
        self.listing(&raw, false)
    }

    /// With a connection list of raw entries (bit 15: range), in entries of 16 bits if `long`.
    #[must_use]
    pub fn listing(mut self, raw: &[u16], long: bool) -> Self {
        self.caps |= 1 << 8;
        self.raw = raw.to_vec();
        self.long_list = long;
        self.inputs.clear();
        for &entry in raw {
            let node = (entry & 0xFF) as u8;
            match self.inputs.last() {
                Some(&before) if entry & 0x8000 != 0 => self.inputs.extend(before + 1..=node),
                _ => self.inputs.push(node),
            }
        }
        if self.input_amp.caps != 0 {
            self.input_amp.levels = vec![[0x80; 2]; self.inputs.len().max(1)];
        }
        self
    }

    /// With a muted amplifier of its own on each input.
    #[must_use]
    pub fn input_amp(mut self, caps: u32) -> Self {
        self.caps |= 1 << 1 | 1 << 3;
        self.own_amps = true;
        self.input_amp = Amp {
            caps,
            levels: vec![[0x80; 2]; self.inputs.len().max(1)],
        };
        self
    }

    /// With a muted amplifier of its own on the output.
    #[must_use]
    pub fn output_amp(mut self, caps: u32) -> Self {
        self.caps |= 1 << 2 | 1 << 3;
        self.own_amps = true;
        self.output_amp = Amp {
            caps,
            levels: vec![[0x80; 2]],
        };
        self
    }

    /// With levels of the output amplifier as a codec has them from the start.
    #[must_use]
    pub fn at(mut self, level: u8) -> Self {
        self.output_amp.levels = vec![[level; 2]];
        self
    }

    /// With a power state, off at first.
    #[must_use]
    pub fn powered(mut self) -> Self {
        self.caps |= 1 << 10;
        self.power = 3;
        self
    }

    /// With formats of its own: PCM capabilities.
    #[must_use]
    pub fn pcm(mut self, caps: u32) -> Self {
        self.caps |= 1 << 4;
        self.pcm = caps;
        self
    }

    /// With a jack that tells, also on its own, if something is plugged in.
    #[must_use]
    pub fn senses(mut self) -> Self {
        self.caps |= 1 << 7;
        self.pin_caps |= 1 << 2;
        self
    }

    /// With coefficients.
    #[must_use]
    pub fn processing(mut self) -> Self {
        self.caps |= 1 << 6;
        self
    }

    /// Digital.
    #[must_use]
    pub fn digital(mut self) -> Self {
        self.caps |= 1 << 9;
        self
    }

    /// With a pin's capabilities and configuration default.
    #[must_use]
    pub fn pin(mut self, caps: u32, config: u32) -> Self {
        self.pin_caps = caps;
        self.config = config;
        self
    }
}

/// A codec.
#[derive(Clone, Debug)]
pub struct Codec {
    pub(super) vendor: u32,
    pub(super) revision: u32,
    pub(super) subsystem: u32,
    /// Type of its only function group, node 1; 1 is audio.
    pub(super) function: u32,
    pub(super) first: u8,
    pub(super) widgets: Vec<Widget>,
    pub(super) pcm: u32,
    pub(super) group: Widget,
    /// What the time is where it is asked without a link.
    pub(super) alone_ns: u64,
    /// General purpose pins: levels, mask, direction.
    pub(super) gpio: [u8; 3],
    /// QEMU: what is set on a node without a stream goes to this one.
    pub(super) blind: Option<u8>,
    /// Whether it reports and never answers.
    pub(super) mute: bool,
    /// Whether each of its EAPD bits silences all pins.
    pub(super) gated: bool,
    /// Verbs on widgets that declare nothing of the kind.
    pub(super) blind_sets: u32,
}

impl Codec {
    /// A codec with an audio function whose converters take `pcm`, unless they say otherwise.
    #[must_use]
    pub fn new(vendor: u32, pcm: u32, first: u8, widgets: Vec<Widget>) -> Self {
        Self {
            vendor,
            revision: 0x10_0101,
            subsystem: 0x1AF4_0022,
            function: 1,
            first,
            widgets,
            pcm,
            group: Widget::default(),
            alone_ns: 0,
            gpio: [0; 3],
            blind: None,
            mute: false,
            gated: false,
            blind_sets: 0,
        }
    }

    /// With a function group that begins switched off.
    #[must_use]
    pub fn powered(mut self) -> Self {
        self.group = self.group.powered();
        self
    }

    /// With amplifiers that widgets without their own have, on inputs and outputs.
    #[must_use]
    pub fn group_amps(mut self, input: u32, output: u32) -> Self {
        self.group.input_amp.caps = input;
        self.group.output_amp.caps = output;
        self
    }

    /// With a function group that is no audio but, say, a modem.
    #[must_use]
    pub fn function(mut self, kind: u32) -> Self {
        self.function = kind;
        self
    }

    /// That reports after reset but answers nothing, as display codecs do.
    #[must_use]
    pub fn mute(mut self) -> Self {
        self.mute = true;
        self
    }

    /// With QEMU's habit of applying settings for nodes without a stream to the first stream.
    #[must_use]
    pub fn blind(mut self, node: u8) -> Self {
        self.blind = Some(node);
        self
    }

    /// How often something was set on a node that does not have it.
    #[must_use]
    pub fn blind_sets(&self) -> u32 {
        self.blind_sets
    }

    /// Pin control as it is set now.
    #[must_use]
    pub fn pin_control(&self, pin: u8) -> u8 {
        self.widget(pin).map_or(0, |widget| widget.pin_control)
    }

    pub(super) fn widget(&self, node: u8) -> Option<&Widget> {
        self.widgets.get(usize::from(node.checked_sub(self.first)?))
    }

    pub(super) fn widget_mut(&mut self, node: u8) -> Option<&mut Widget> {
        let index = node.checked_sub(self.first)?;
        self.widgets.get_mut(usize::from(index))
    }

    /// The nodes that are pins.
    pub(super) fn pins(&self) -> impl Iterator<Item = u8> {
        let is_pin = |widget: &Widget| (widget.caps >> 20) & 0xF == Kind::Pin as u32;
        let nodes = self.first..;
        nodes
            .zip(&self.widgets)
            .filter(move |(_, widget)| is_pin(widget))
            .map(|(node, _)| node)
    }

    /// Whether everything that powers up has done so.
    pub(super) fn settled(&self, now: u64) -> bool {
        let all = self.widgets.iter().chain([&self.group]);
        all.into_iter().all(|widget| now >= widget.powered_at)
    }

    pub(super) fn group_on(&self, now: u64) -> bool {
        self.group.on(now)
    }

    /// Whether some pin drives what is connected to it.
    pub(super) fn drives(&self, now: u64) -> bool {
        let driving = |widget: &Widget| widget.pin_control & 0x40 != 0;
        self.group_on(now) && self.widgets.iter().any(driving)
    }

    /// What would be heard if this verb came now, beside samples.
    pub(super) fn pop(&self, node: u8, verb: u32, now: u64) -> Option<String> {
        let (id, payload) = (verb >> 8, (verb & 0xFF) as u8);
        let fading = |widget: &Widget| {
            widget.pin_caps & (1 << 16) != 0 && now < widget.amplified_until + AMPLIFIER_NS
        };
        if node == 1 && id == 0x705 && payload != 0 && self.group_on(now) {
            let early = self.widgets.iter().any(fading);
            return match (self.drives(now), early) {
                (true, _) => Some("the codec powered down while a pin drove".into()),
                (_, true) => Some("the codec powered down under a fading amplifier".into()),
                _ => None,
            };
        }
        let pin = self.widget(node).filter(|pin| pin.pin_caps != 0)?;
        let (driven, amplified) = (pin.pin_control & 0x40 != 0, pin.amplified());
        match id {
            0x70C
                if (payload & 2 != 0) != pin.inverted
                    && !(driven && self.group_on(now) && pin.on(now)) =>
            {
                Some(format!("{node:#x}: amplified before it was driven"))
            }
            0x707 if (payload & 0x40 != 0) != driven && (amplified || driven && fading(pin)) => {
                Some(format!("{node:#x}: switched under its amplifier"))
            }
            _ => None,
        }
    }

    /// What a link reset does: converters forget their streams, and a function group without
    /// power forgets everything.
    pub(super) fn link_reset(&mut self, pristine: &Self) {
        if self.group.power != 0 {
            let blind_sets = self.blind_sets;
            let plugged: Vec<bool> = self.widgets.iter().map(|w| w.plugged).collect();
            self.clone_from(pristine);
            self.blind_sets = blind_sets;
            for (widget, plugged) in self.widgets.iter_mut().zip(plugged) {
                widget.plugged = plugged;
            }
        }
        for widget in &mut self.widgets {
            widget.stream = 0;
        }
    }
}
