//! A way from a widget back to what feeds it.

use core::fmt;

use heapless::Vec;

use super::graph::{Graph, Kind, WIDGETS};
use super::verb::{Amp, Nid};

/// Most widgets of a path. The longest known has five.
pub const HOPS: usize = 10;

/// One widget of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The widget.
    pub node: Nid,
    /// Which of its inputs leads on to the source; `None` at the source itself.
    pub input: Option<u8>,
}

/// A way from a sink back to its source: from an output pin to a converter, or from a converter
/// to an input pin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    hops: Vec<Hop, HOPS, u8>,
}

/// An amplifier of a widget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmpAt {
    /// The widget.
    pub node: Nid,
    /// Which of its amplifiers.
    pub amp: Amp,
}

impl AmpAt {
    /// Whether both are on the same side of the same widget.
    pub(super) fn same(self, other: Self) -> bool {
        self.node == other.node
            && matches!(self.amp, Amp::Output) == matches!(other.amp, Amp::Output)
    }
}

/// Steps that make a boost of an amplifier: more than 8 dB, in quarters of a decibel.
const BOOST: u8 = 0x21;

impl Path {
    /// From the sink to the source.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Where the path ends: an output pin, or an input's converter.
    #[must_use]
    pub fn sink(&self) -> Option<Nid> {
        self.hops.first().map(|hop| hop.node)
    }

    /// Where the path begins: an output's converter, or an input pin.
    #[must_use]
    pub fn source(&self) -> Option<Nid> {
        self.hops.last().map(|hop| hop.node)
    }

    /// The path from `sink` to `source`. At every widget a direct connection wins; otherwise the
    /// inputs are followed in list order, never through a pin or a converter.
    #[must_use]
    pub fn between(graph: &Graph, sink: Nid, source: Nid) -> Option<Self> {
        Self::beside(graph, sink, source, core::iter::empty())
    }

    /// The same, but through no widget of these.
    pub(super) fn beside<'a>(
        graph: &Graph,
        sink: Nid,
        source: Nid,
        others: impl Iterator<Item = &'a Self>,
    ) -> Option<Self> {
        let mut search = Search {
            graph,
            source,
            hops: Vec::new(),
            tried: [0; WIDGETS],
        };
        for hop in others.flat_map(Self::hops) {
            if let Some(tried) = search.tried.get_mut(usize::from(hop.node.0)) {
                *tried = u8::MAX;
            }
        }
        search
            .reach(sink, HOPS)
            .then_some(Self { hops: search.hops })
    }

    /// The path through these nodes, from the source to the sink, if there is one: the source a
    /// converter, the sink an output pin.
    pub(super) fn through(graph: &Graph, nodes: &[Nid]) -> Option<Self> {
        let (&source, &sink) = (nodes.first()?, nodes.last()?);
        let pin = graph.widget(sink)?;
        if graph.kind(source) != Some(Kind::Dac) || pin.caps.kind() != Kind::Pin {
            return None;
        }
        let mut path = Self::default();
        for &node in nodes.iter().rev() {
            if let Some(last) = path.hops.last_mut() {
                let inputs = graph.inputs(last.node);
                let index = inputs.iter().position(|&input| input == node)?;
                last.input = Some(u8::try_from(index).ok()?);
            }
            let end = node == source || node == sink;
            if !end && !passable(graph, node) {
                return None;
            }
            path.hops.push(Hop { node, input: None }).ok()?;
        }
        (path.hops.len() > 1).then_some(path)
    }

    /// The first amplifier from the sink on that has steps of gain at its output.
    pub(super) fn output_volume(&self, graph: &Graph) -> Option<AmpAt> {
        let has = |hop: &&Hop| {
            graph
                .widget(hop.node)
                .is_some_and(|w| w.caps.output_amp() && w.output_amp.steps() > 0)
        };
        self.hops.iter().find(has).map(|hop| AmpAt {
            node: hop.node,
            amp: Amp::Output,
        })
    }

    /// The first amplifier from the sink on that mutes: at an output, or at an input between the
    /// two ends.
    pub(super) fn output_mute(&self, graph: &Graph) -> Option<AmpAt> {
        let last = self.hops.len().saturating_sub(1);
        self.hops.iter().enumerate().find_map(|(at, hop)| {
            let widget = graph.widget(hop.node)?;
            let amp = if widget.caps.output_amp() && widget.output_amp.mutes() {
                Amp::Output
            } else if at > 0 && at < last && widget.caps.input_amp() && widget.input_amp.mutes() {
                Amp::Input(hop.input?)
            } else {
                return None;
            };
            Some(AmpAt {
                node: hop.node,
                amp,
            })
        })
    }

    /// The amplifier closest to the converter, of the three widgets next to it, that sets the
    /// gain of a recording.
    pub(super) fn capture_volume(&self, graph: &Graph) -> Option<AmpAt> {
        self.hops
            .iter()
            .take(3)
            .find_map(|hop| gain_at(graph, hop, 0))
    }

    /// The amplifier closest to the pin, of the three widgets next to it, whose steps are large
    /// enough (8 dB) to be a boost, if it is not `volume`.
    pub(super) fn boost(&self, graph: &Graph, volume: Option<AmpAt>) -> Option<AmpAt> {
        let near = self.hops.iter().skip(1).rev().take(3);
        near.filter_map(|hop| gain_at(graph, hop, BOOST))
            .find(|&amp| volume.is_none_or(|volume| !amp.same(volume)))
    }
}

/// An amplifier of a hop with steps of at least `step` quarters of a decibel, the output first.
fn gain_at(graph: &Graph, hop: &Hop, step: u8) -> Option<AmpAt> {
    let widget = graph.widget(hop.node)?;
    let pin = widget.caps.kind() == Kind::Pin;
    let fits = |amp: super::graph::AmpCaps| amp.steps() > 0 && amp.quarters() >= step;
    let amp = if !pin && widget.caps.output_amp() && fits(widget.output_amp) {
        Amp::Output
    } else if widget.caps.input_amp() && fits(widget.input_amp) {
        // An input pin has one amplifier, whatever feeds it as an output.
        Amp::Input(if pin { 0 } else { hop.input? })
    } else {
        return None;
    };
    Some(AmpAt {
        node: hop.node,
        amp,
    })
}

/// Whether a path may lead through a widget. A number that names none is passed by.
pub(super) fn passable(graph: &Graph, node: Nid) -> bool {
    !matches!(
        graph.kind(node),
        None | Some(Kind::Dac | Kind::Adc | Kind::Pin)
    )
}

struct Search<'a> {
    graph: &'a Graph,
    source: Nid,
    hops: Vec<Hop, HOPS, u8>,
    /// For each node the most hops with which it was searched. Searching it again with as many
    /// or fewer finds nothing new, which bounds the walk whatever the graph looks like.
    tried: [u8; WIDGETS],
}

impl Search<'_> {
    /// Extends the path from `node` with at most `left` hops, its own among them.
    fn reach(&mut self, node: Nid, left: usize) -> bool {
        let depth = u8::try_from(left).unwrap_or(u8::MAX);
        match self.tried.get_mut(usize::from(node.0)) {
            Some(tried) if *tried < depth => *tried = depth,
            _ => return false,
        }
        // The source needs a hop too.
        let Some(left) = left.checked_sub(1).filter(|&left| left > 0) else {
            return false;
        };
        let inputs = self.graph.inputs(node);
        if let Some(index) = inputs.iter().position(|&input| input == self.source) {
            return self.add(node, Some(index)) && self.add(self.source, None);
        }
        for (index, &input) in inputs.iter().enumerate() {
            if !passable(self.graph, input) {
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

/// "0x14 ← 0x0c ← 0x02".
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, hop) in self.hops.iter().enumerate() {
            if index > 0 {
                f.write_str(" ← ")?;
            }
            hop.node.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::super::graph::{AmpCaps, Widget, WidgetCaps};
    use super::*;

    const DAC: u32 = 0x00_0001;
    const MIXER: u32 = 0x20_0101;
    const SELECTOR: u32 = 0x30_0101;
    const PIN: u32 = 0x40_0101;
    const IN_AMP: u32 = 1 << 1;
    const OUT_AMP: u32 = 1 << 2;

    /// Widgets from node 1 on, with mutes at inputs and steps of gain at outputs.
    fn graph(widgets: &[(u32, &[u8])]) -> Graph {
        let mut graph = Graph::new(Nid(1));
        for &(caps, inputs) in widgets {
            let widget = Widget {
                caps: WidgetCaps(caps),
                input_amp: AmpCaps(0x8000_0000),
                output_amp: AmpCaps(0x0003_1F1F),
                ..Widget::default()
            };
            let inputs: std::vec::Vec<Nid> = inputs.iter().copied().map(Nid).collect();
            assert!(graph.push(widget, &inputs));
        }
        graph
    }

    #[test]
    fn the_path_names_the_input_of_every_hop() {
        let graph = graph(&[
            (DAC, &[]),
            (MIXER, &[5, 1]),
            (SELECTOR, &[6, 5, 2]),
            (PIN, &[9, 3]),
        ]);
        let path = Path::between(&graph, Nid(4), Nid(1)).unwrap();
        let inputs: std::vec::Vec<_> = path.hops().iter().map(|h| (h.node.0, h.input)).collect();
        assert_eq!(
            inputs,
            [(4, Some(1)), (3, Some(2)), (2, Some(1)), (1, None)]
        );
        assert_eq!(path.to_string(), "0x04 ← 0x03 ← 0x02 ← 0x01");
    }

    #[test]
    fn a_direct_connection_wins_over_an_earlier_detour() {
        let graph = graph(&[(DAC, &[]), (MIXER, &[1]), (PIN, &[2, 1])]);
        let path = Path::between(&graph, Nid(3), Nid(1)).unwrap();
        assert_eq!(path.hops().len(), 2);
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
        let path = Path::between(&graph, Nid(5), Nid(1)).unwrap();
        let nodes: std::vec::Vec<_> = path.hops().iter().map(|h| h.node.0).collect();
        assert_eq!(nodes, [5, 3, 4, 1]);
    }

    #[test]
    fn no_path_leads_through_another_pin() {
        let graph = graph(&[(DAC, &[]), (PIN, &[3]), (PIN & !0x100, &[])]);
        assert_eq!(Path::between(&graph, Nid(2), Nid(1)), None);
    }

    #[test]
    fn volume_is_at_an_output_and_mute_at_an_input_in_between() {
        let graph = graph(&[
            (DAC | OUT_AMP, &[]),
            (MIXER | IN_AMP, &[1]),
            (PIN | IN_AMP, &[2]),
        ]);
        let path = Path::between(&graph, Nid(3), Nid(1)).unwrap();
        let at = |node, amp| {
            Some(AmpAt {
                node: Nid(node),
                amp,
            })
        };
        assert_eq!(path.output_volume(&graph), at(1, Amp::Output));
        assert_eq!(path.output_mute(&graph), at(2, Amp::Input(0)));
    }
}
