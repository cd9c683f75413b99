//! Which converters each pin can reach.

use heapless::Vec;

use super::super::graph::{Graph, Kind, WIDGETS, Widget};
use super::super::groups::{Groups, INPUTS};
use super::super::path::{HOPS, passable};
use super::super::verb::Nid;
use super::SLOTS;

/// Most converters that are considered.
const DACS: usize = 16;

/// The converters and which of them each pin can reach.
pub(super) struct Reach {
    pub(super) dacs: Vec<Nid, DACS>,
    /// A bit for each analog one.
    pub(super) analog: u16,
    /// A bit for each converter.
    pins: Vec<(Nid, u16), { SLOTS + INPUTS }>,
}

impl Reach {
    pub(super) fn of(graph: &Graph, groups: &Groups, usable: fn(&Widget) -> bool) -> Self {
        let dacs = graph.widgets();
        let dacs = dacs.filter(|(_, w)| w.caps.kind() == Kind::Dac && usable(w));
        let outputs = [&groups.main, &groups.headphones, &groups.speakers];
        let pins = outputs.into_iter().flatten().copied();
        let pins = pins.chain(groups.inputs.iter().map(|&(pin, _)| pin));
        let mut reach = Self {
            dacs: Vec::new(),
            analog: 0,
            pins: Vec::new(),
        };
        for (index, (node, widget)) in dacs.take(DACS).enumerate() {
            let _ = reach.dacs.push(node);
            reach.analog |= u16::from(!widget.caps.digital()) << index;
        }
        for pin in pins {
            let set = reach.from(graph, pin);
            let _ = reach.pins.push((pin, set));
        }
        reach
    }

    /// The converters within reach of a pin, each widget of the graph visited once.
    fn from(&self, graph: &Graph, pin: Nid) -> u16 {
        let mut seen = [false; WIDGETS];
        let mut edge = Vec::<Nid, WIDGETS>::new();
        let _ = edge.push(pin);
        let (mut set, mut from) = (0, 0);
        for _ in 1..HOPS {
            let to = edge.len();
            for at in from..to {
                let node = edge.get(at).copied().unwrap_or(pin);
                for &input in graph.inputs(node) {
                    set |= self.bit(input);
                    match seen.get_mut(usize::from(input.0)) {
                        Some(seen) if !*seen && passable(graph, input) => *seen = true,
                        _ => continue,
                    }
                    let _ = edge.push(input);
                }
            }
            from = to;
        }
        set
    }

    fn bit(&self, dac: Nid) -> u16 {
        let index = self.dacs.iter().position(|&known| known == dac);
        index.map_or(0, |index| 1 << index)
    }

    pub(super) fn reaches(&self, pin: Nid, dac: Nid) -> bool {
        self.set(pin) & self.bit(dac) != 0
    }

    pub(super) fn set(&self, pin: Nid) -> u16 {
        let known = self.pins.iter().find(|&&(known, _)| known == pin);
        known.map_or(0, |&(_, set)| set)
    }
}
