//! A way from an output pin back to a converter.

use core::fmt;

use heapless::Vec;

use super::graph::{Graph, Kind, WIDGETS, Widget};
use super::pins::{Outputs, Purpose};
use super::verb::Nid;

/// Most widgets of a route. The longest known has five.
pub const HOPS: usize = 10;

/// One widget of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The widget.
    pub node: Nid,
    /// Which of its inputs leads on to the converter; `None` at the converter itself.
    pub input: Option<u8>,
}

/// A way from an output pin back to a converter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What the pin is for.
    pub purpose: Purpose,
    hops: Vec<Hop, HOPS>,
}

impl Route {
    /// From the pin to the converter.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// The pin.
    #[must_use]
    pub fn pin(&self) -> Option<Nid> {
        self.hops.first().map(|hop| hop.node)
    }

    /// The converter.
    #[must_use]
    pub fn dac(&self) -> Option<Nid> {
        self.hops.last().map(|hop| hop.node)
    }

    /// The route to play through: the pin that matters most among those that reach a converter
    /// which takes our format.
    #[must_use]
    pub fn primary(graph: &Graph) -> Option<Self> {
        Self::first(graph, |dac| dac.pcm.widest_at_48k().is_some())
    }

    /// The same for converters of any format.
    #[must_use]
    pub fn of_any_format(graph: &Graph) -> Option<Self> {
        Self::first(graph, |_| true)
    }

    fn first(graph: &Graph, usable: impl Fn(&Widget) -> bool + Copy) -> Option<Self> {
        Outputs::of(graph)
            .by_rank()
            .find_map(|(pin, purpose)| Self::from_pin(graph, pin, purpose, usable))
    }

    /// The route from `pin` to the first usable analog converter, in node order, that it
    /// reaches.
    fn from_pin(
        graph: &Graph,
        pin: Nid,
        purpose: Purpose,
        usable: impl Fn(&Widget) -> bool,
    ) -> Option<Self> {
        graph
            .widgets()
            .filter(|(_, widget)| {
                widget.caps.kind() == Kind::Dac && !widget.caps.digital() && usable(widget)
            })
            .find_map(|(dac, _)| Self::between(graph, pin, dac, purpose))
    }

    /// The route from `pin` to `dac`. At every widget a direct connection wins; otherwise the
    /// inputs are followed in list order, never through a pin or a converter.
    #[must_use]
    pub fn between(graph: &Graph, pin: Nid, dac: Nid, purpose: Purpose) -> Option<Self> {
        let mut search = Search {
            graph,
            dac,
            hops: Vec::new(),
            tried: [0; WIDGETS],
        };
        search.reach(pin, HOPS).then_some(Self {
            purpose,
            hops: search.hops,
        })
    }
}

struct Search<'a> {
    graph: &'a Graph,
    dac: Nid,
    hops: Vec<Hop, HOPS>,
    /// For each node the most hops with which it was searched. Searching it again with as many
    /// or fewer finds nothing new, which bounds the walk whatever the graph looks like.
    tried: [u8; WIDGETS],
}

impl Search<'_> {
    /// Extends the route from `node` with at most `left` hops, its own among them.
    fn reach(&mut self, node: Nid, left: usize) -> bool {
        let depth = u8::try_from(left).unwrap_or(u8::MAX);
        match self.tried.get_mut(usize::from(node.0)) {
            Some(tried) if *tried < depth => *tried = depth,
            _ => return false,
        }
        // The converter needs a hop too.
        let Some(left) = left.checked_sub(1).filter(|&left| left > 0) else {
            return false;
        };
        let inputs = self.graph.inputs(node);
        if let Some(index) = inputs.iter().position(|&input| input == self.dac) {
            return self.add(node, Some(index)) && self.add(self.dac, None);
        }
        for (index, &input) in inputs.iter().enumerate() {
            if matches!(
                self.graph.kind(input),
                None | Some(Kind::Dac | Kind::Adc | Kind::Pin)
            ) {
                continue;
            }
            let length = self.hops.len();
            if self.add(node, Some(index)) && self.reach(input, left) {
                return true;
            }
            self.hops.truncate(length);
        }
        false
    }

    fn add(&mut self, node: Nid, input: Option<usize>) -> bool {
        let input = input.and_then(|index| u8::try_from(index).ok());
        self.hops.push(Hop { node, input }).is_ok()
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineOut => "Line out",
            Self::Speaker => "Speaker",
            Self::Headphones => "Headphones",
        })
    }
}

/// "Line out: pin 0x03 ← DAC 0x02".
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.purpose)?;
        let last = self.hops.len().saturating_sub(1);
        for (index, hop) in self.hops.iter().enumerate() {
            match index {
                0 => write!(f, " pin {}", hop.node)?,
                _ if index == last => write!(f, " ← DAC {}", hop.node)?,
                _ => write!(f, " ← {}", hop.node)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::super::graph::{PcmCaps, WidgetCaps};
    use super::*;

    const DAC: u32 = 0x00_0001;
    const MIXER: u32 = 0x20_0101;
    const SELECTOR: u32 = 0x30_0101;
    const PIN: u32 = 0x40_0101;

    /// Widgets from node 1 on.
    fn graph(widgets: &[(u32, &[u8])]) -> Graph {
        let mut graph = Graph::new(Nid(1));
        for &(caps, inputs) in widgets {
            let widget = Widget {
                caps: WidgetCaps(caps),
                config: 0x0101_1010,
                pcm: PcmCaps(0x0002_0040),
                ..Widget::default()
            };
            let inputs: std::vec::Vec<Nid> = inputs.iter().copied().map(Nid).collect();
            assert!(graph.push(widget, &inputs));
        }
        graph
    }

    #[test]
    fn the_route_names_the_input_of_every_hop() {
        let graph = graph(&[
            (DAC, &[]),
            (MIXER, &[5, 1]),
            (SELECTOR, &[6, 5, 2]),
            (PIN, &[9, 3]),
        ]);
        let route = Route::primary(&graph).unwrap();
        let inputs: std::vec::Vec<_> = route.hops().iter().map(|h| (h.node.0, h.input)).collect();
        assert_eq!(
            inputs,
            [(4, Some(1)), (3, Some(2)), (2, Some(1)), (1, None)]
        );
        assert_eq!(
            route.to_string(),
            "Line out: pin 0x04 ← 0x03 ← 0x02 ← DAC 0x01"
        );
    }

    #[test]
    fn a_direct_connection_wins_over_an_earlier_detour() {
        let graph = graph(&[(DAC, &[]), (MIXER, &[1]), (PIN, &[2, 1])]);
        assert_eq!(Route::primary(&graph).unwrap().hops().len(), 2);
    }

    #[test]
    fn a_cycle_is_left_behind() {
        let graph = graph(&[
            (DAC, &[]),
            (MIXER, &[3]),
            (SELECTOR, &[2, 4]),
            (SELECTOR, &[1]),
            (PIN, &[3]),
        ]);
        let route = Route::primary(&graph).unwrap();
        let nodes: std::vec::Vec<_> = route.hops().iter().map(|h| h.node.0).collect();
        assert_eq!(nodes, [5, 3, 4, 1]);
    }

    #[test]
    fn no_route_leads_through_another_pin() {
        let graph = graph(&[(DAC, &[]), (PIN, &[3]), (PIN & !0x100, &[])]);
        assert_eq!(Route::primary(&graph), None);
    }
}
