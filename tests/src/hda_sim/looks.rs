//! What a test sees of a codec, and changes about it, beside verbs.

use super::codec::Codec;

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
