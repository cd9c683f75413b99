//! Inputs that could be surround outputs.

use super::super::path::Path;
use super::super::pins::{PinConfig, Source};
use super::super::verb::Nid;
use super::{Attempt, HALF_RETASKED, RETASKED, Slot};

impl Attempt<'_> {
    /// Line-ins and microphones on the same panel as a pin that can be outputs.
    pub(super) fn retaskable(&self, beside: Nid) -> impl Iterator<Item = Nid> {
        let kinds = [Source::LineIn, Source::Mic];
        let inputs = self
            .groups
            .inputs
            .iter()
            .filter(move |i| kinds.contains(&i.1));
        inputs
            .map(|&(node, _)| node)
            .filter(move |&node| self.is_retaskable(beside, node))
    }

    fn is_retaskable(&self, beside: Nid, node: Nid) -> bool {
        let config = |node| self.graph.widget(node).map(|w| PinConfig(w.config));
        let here = config(beside).map_or(0, PinConfig::location);
        self.graph.widget(node).is_some_and(|widget| {
            let config = PinConfig(widget.config);
            config.connected()
                && !config.fixed()
                && (here == 0 || config.location() == here)
                && widget.pin.0 != 0
                && widget.pin.output()
        })
    }

    /// Keeps converters for two inputs beside the main output that could be surround outputs;
    /// how bad it is that there are not enough. With `single` only those that reach no other.
    pub(super) fn retask(&mut self, single: bool) -> u32 {
        let Some(&beside) = self.groups.main.first() else {
            return 0;
        };
        let before = self.slots.len();
        if self.retasked().len() >= RETASKED {
            return 0;
        }
        if self.retaskable(beside).count() < RETASKED {
            return 0;
        }
        let mut failed = false;
        for kind in [Source::LineIn, Source::Mic] {
            let of_kind = self.groups.inputs.iter().filter(|input| input.1 == kind);
            for &(pin, _) in of_kind {
                let known = self.slots.get(self.retasked()).unwrap_or(&[]);
                if !self.is_retaskable(beside, pin) || known.iter().any(|slot| slot.pin == pin) {
                    continue;
                }
                let dac = if single {
                    self.single(pin)
                } else {
                    self.free(pin).next()
                };
                let path = dac.and_then(|dac| Path::between(self.graph, pin, dac));
                if path.is_none() {
                    failed = true;
                    continue;
                }
                let mut slot = Slot::new(None, pin);
                (slot.dac, slot.path) = (dac, path);
                let _ = self.slots.push(slot);
                if self.retasked().len() >= RETASKED {
                    break;
                }
            }
        }
        let mut badness = if failed { HALF_RETASKED } else { 0 };
        if self.slots.len() > before && !single && self.retasked().len() < RETASKED {
            self.slots.truncate(before);
            return badness;
        }
        for at in before..self.slots.len() {
            badness = badness.saturating_add(self.take_amps(at));
        }
        badness
    }
}
