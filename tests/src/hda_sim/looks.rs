//! What a test sees of a codec, and changes about it, beside verbs.

use super::codec::{Codec, Widget};

impl Codec {
    /// A coefficient as it is now.
    #[must_use]
    pub fn coef(&self, node: u8, index: u8) -> u16 {
        let coefs = self.widget(node).map(|widget| &widget.coefs);
        coefs
            .and_then(|coefs| coefs.get(&index).copied())
            .unwrap_or(0)
    }

    /// With a coefficient as it is from the start.
    #[must_use]
    pub fn with_coef(mut self, node: u8, index: u8, value: u16) -> Self {
        if let Some(widget) = self.widget_mut(node) {
            widget.coefs.insert(index, value);
        }
        self
    }

    /// With other inputs of a node.
    #[must_use]
    pub fn rewired(mut self, node: u8, inputs: &[u8]) -> Self {
        if let Some(widget) = self.widget_mut(node) {
            *widget = widget.clone().from(inputs);
        }
        self
    }

    /// With EAPD bits that mean the opposite, as AD1986A's do.
    #[must_use]
    pub fn inverted(mut self) -> Self {
        for widget in &mut self.widgets {
            widget.inverted = true;
        }
        self
    }

    /// With jacks that say the opposite of what is, as some boards' do.
    #[must_use]
    pub fn contrary(mut self) -> Self {
        for widget in &mut self.widgets {
            widget.contrary = true;
        }
        self
    }

    /// With EAPD bits each of which silences all pins, as old chips of Conexant's may have.
    #[must_use]
    pub fn gated(mut self) -> Self {
        self.gated = true;
        self
    }

    /// With one more widget.
    #[must_use]
    pub fn with(mut self, widget: Widget) -> Self {
        self.widgets.push(widget);
        self
    }

    /// With another widget at a node.
    #[must_use]
    pub fn replaced(mut self, node: u8, widget: Widget) -> Self {
        if let Some(place) = self.widget_mut(node) {
            *place = widget;
        }
        self
    }

    /// With a pin that switches no external amplifier.
    #[must_use]
    pub fn without_eapd(mut self, pin: u8) -> Self {
        if let Some(widget) = self.widget_mut(pin) {
            widget.pin_caps &= !(1 << 16);
        }
        self
    }

    /// Whether a pin's EAPD bit is set.
    #[must_use]
    pub fn eapd(&self, pin: u8) -> bool {
        self.widget(pin).is_some_and(|widget| widget.eapd & 2 != 0)
    }

    /// Built into another machine.
    #[must_use]
    pub fn machine(mut self, subsystem: u32) -> Self {
        self.subsystem = subsystem;
        self
    }

    /// Levels, mask and direction of the general purpose pins.
    #[must_use]
    pub const fn gpio(&self) -> [u8; 3] {
        self.gpio
    }

    /// What a digital converter says on its link, and its category.
    #[must_use]
    pub fn digital(&self, node: u8) -> [u8; 2] {
        self.widget(node).map_or([0; 2], |widget| widget.digital)
    }

    /// The pins.
    #[must_use]
    pub fn all_pins(&self) -> Vec<u8> {
        self.pins().collect()
    }
}
