//! Groups of pins that serve one purpose.

use heapless::Vec;

use super::graph::{Graph, Kind, Widget};
use super::pins::{PinConfig, Purpose, Source, Use};
use super::verb::Nid;

/// Most output pins of one group.
pub const GROUP: usize = 5;
/// Most input pins.
pub const INPUTS: usize = 18;

/// Pins of one purpose, most important first.
pub type Group = Vec<Nid, GROUP>;

/// The pins of a codec that carry sound for people.
///
/// One group of outputs is the main one, to which the others are extras: the line-outs, where
/// there are any, otherwise speakers or headphones.
#[derive(Clone, Debug)]
pub struct Groups {
    /// What the main group is.
    pub main_purpose: Purpose,
    /// The main outputs: front, rear, center, side.
    pub main: Group,
    /// Headphone jacks, unless they are the main group.
    pub headphones: Group,
    /// Speakers, unless they are the main group.
    pub speakers: Group,
    /// Inputs: microphones, line-ins, CD, others.
    pub inputs: Vec<(Nid, Source), INPUTS>,
}

type Keyed = Vec<(Nid, u32), GROUP>;

impl Groups {
    /// Sorts a codec's pins.
    ///
    /// Line-outs count only from one association, the first that is not 0. Where there is no
    /// line-out but several headphone jacks, those not marked as the headphones (sequence 15)
    /// are line-outs. A pin must be able to work in the direction that it is meant for.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let (mut lines, mut speakers, mut headphones) = (Keyed::new(), Keyed::new(), Keyed::new());
        let mut inputs = Vec::<_, INPUTS>::new();
        let mut association = None;
        for (node, widget) in pins(graph) {
            let config = PinConfig(widget.config);
            // A group that is full has what it needs.
            match config.usage() {
                Some(Use::Output(purpose)) if widget.pin.output() => {
                    let (group, key) = match purpose {
                        Purpose::LineOut => {
                            let own = config.association();
                            if own == 0 || *association.get_or_insert(own) != own {
                                continue;
                            }
                            (&mut lines, config.sequence())
                        }
                        Purpose::Speaker => (&mut speakers, config.key()),
                        Purpose::Headphones => (&mut headphones, config.key()),
                    };
                    let _ = group.push((node, key));
                }
                Some(Use::Input(source)) if widget.pin.input() => {
                    let boost = widget.caps.input_amp() && widget.input_amp.steps() > 0;
                    let _ = inputs.push((node, (source, !boost)));
                }
                _ => {}
            }
        }
        let rescued = lines.is_empty() && headphones.len() > 1;
        if rescued {
            let is_line = |pin: &(Nid, u32)| pin.1 & 0xF != 0xF;
            lines = headphones.iter().copied().filter(is_line).collect();
            headphones.retain(|pin| !is_line(pin));
        }
        sort(&mut inputs, |&(_, key)| key);
        let mut groups = Self {
            main_purpose: Purpose::LineOut,
            main: ordered(lines),
            headphones: ordered(headphones),
            speakers: ordered(speakers),
            inputs: inputs
                .iter()
                .map(|&(pin, (source, _))| (pin, source))
                .collect(),
        };
        if groups.main.is_empty() && !groups.speakers.is_empty() {
            groups.make_main(Purpose::Speaker);
        } else if groups.main.is_empty() {
            groups.make_main(Purpose::Headphones);
        } else if rescued && groups.headphones.is_empty() {
            groups.main_purpose = Purpose::Headphones;
        }
        groups
    }

    /// Makes speakers or headphones the main group, if there are any. Line-outs must be none.
    pub(super) fn make_main(&mut self, purpose: Purpose) {
        let wanted = match purpose {
            Purpose::Speaker => &mut self.speakers,
            Purpose::Headphones => &mut self.headphones,
            Purpose::LineOut => return,
        };
        if wanted.is_empty() {
            return;
        }
        let main = core::mem::replace(&mut self.main, core::mem::take(wanted));
        match core::mem::replace(&mut self.main_purpose, purpose) {
            Purpose::Speaker => self.speakers = main,
            Purpose::Headphones => self.headphones = main,
            Purpose::LineOut => {}
        }
    }

    /// Lets speakers and headphones change places as the main group; whether they could.
    pub(super) fn swap_main(&mut self) -> bool {
        let before = self.main_purpose;
        match before {
            Purpose::Headphones => self.make_main(Purpose::Speaker),
            Purpose::Speaker => self.make_main(Purpose::Headphones),
            Purpose::LineOut => {}
        }
        self.main_purpose != before
    }

    /// The pins for one purpose, most important first.
    #[must_use]
    pub fn pins(&self, purpose: Purpose) -> &[Nid] {
        match purpose {
            _ if purpose == self.main_purpose => &self.main,
            Purpose::Headphones => &self.headphones,
            Purpose::Speaker => &self.speakers,
            Purpose::LineOut => &[],
        }
    }
}

/// Pins of every kind: digital ones as well, if what is connected to them is not, such as a
/// digital microphone or an amplifier with a digital input.
fn pins(graph: &Graph) -> impl Iterator<Item = (Nid, &Widget)> {
    graph
        .widgets()
        .filter(|(_, widget)| widget.caps.kind() == Kind::Pin)
}

/// A group in its order. Codecs count front, center, rear; here the rear comes before the center.
fn ordered(mut keyed: Keyed) -> Group {
    sort(&mut keyed, |&(_, key)| key);
    if matches!(keyed.len(), 3 | 4) {
        keyed.swap(1, 2);
    }
    keyed.iter().map(|&(node, _)| node).collect()
}

/// Sorts few items by key and keeps the order of equals.
pub(super) fn sort<T, K: PartialOrd>(items: &mut [T], key: impl Fn(&T) -> K) {
    for end in 1..items.len() {
        for at in (1..=end).rev() {
            let before = at.saturating_sub(1);
            let out_of_order = match (items.get(before), items.get(at)) {
                (Some(left), Some(right)) => key(left) > key(right),
                _ => false,
            };
            if !out_of_order {
                break;
            }
            items.swap(before, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::{PinCaps, WidgetCaps};
    use super::*;

    const OUT: u32 = 1 << 4;
    const IN: u32 = 1 << 5;

    fn groups(configs: &[u32]) -> Groups {
        let mut graph = Graph::new(Nid(0x10));
        for &config in configs {
            let widget = Widget {
                caps: WidgetCaps(0x40_0001),
                pin: PinCaps(if config & 0x80_0000 == 0 { OUT } else { IN }),
                config,
                ..Widget::default()
            };
            assert!(graph.push(widget, &[]));
        }
        Groups::of(&graph)
    }

    fn nodes(pins: &[Nid]) -> std::vec::Vec<u8> {
        pins.iter().map(|node| node.0).collect()
    }

    #[test]
    fn line_outs_are_the_main_group_in_sequence() {
        let groups = groups(&[0x0121_402F, 0x9017_0130, 0x0101_1012, 0x0101_1010]);
        assert_eq!(groups.main_purpose, Purpose::LineOut);
        assert_eq!(nodes(&groups.main), [0x13, 0x12]);
        assert_eq!(nodes(&groups.speakers), [0x11]);
        assert_eq!(nodes(&groups.headphones), [0x10]);
    }

    #[test]
    fn the_rear_comes_before_the_center() {
        let groups = groups(&[0x0101_1010, 0x0101_1011, 0x0101_1012, 0x0101_1014]);
        assert_eq!(nodes(&groups.main), [0x10, 0x12, 0x11, 0x13]);
    }

    #[test]
    fn pins_without_connection_are_left_out() {
        let groups = groups(&[0x411F_111F, 0x4181_3030]);
        assert!(groups.main.is_empty() && groups.inputs.is_empty());
    }

    #[test]
    fn microphones_come_before_line_ins() {
        let groups = groups(&[0x0181_3030, 0x01A1_9040]);
        let pins: std::vec::Vec<_> = groups.inputs.iter().map(|&(pin, s)| (pin.0, s)).collect();
        assert_eq!(pins, [(0x11, Source::Mic), (0x10, Source::LineIn)]);
    }

    #[test]
    fn a_fixed_line_out_is_a_speaker_and_the_main_output_if_alone() {
        let groups = groups(&[0x9000_0110]);
        assert_eq!(groups.main_purpose, Purpose::Speaker);
        assert_eq!(nodes(&groups.main), [0x10]);
        assert_eq!(nodes(groups.pins(Purpose::Speaker)), [0x10]);
    }

    #[test]
    fn line_outs_of_a_second_association_are_dropped() {
        let groups = groups(&[0x0101_1010, 0x0101_1020, 0x0101_1000]);
        assert_eq!(nodes(&groups.main), [0x10]);
    }

    #[test]
    fn of_two_headphone_jacks_the_unmarked_one_is_the_line_out() {
        let groups = groups(&[0x0121_101F, 0x0121_1010]);
        assert_eq!(nodes(groups.pins(Purpose::LineOut)), [0x11]);
        assert_eq!(nodes(groups.pins(Purpose::Headphones)), [0x10]);
    }

    #[test]
    fn two_unmarked_headphone_jacks_stay_headphones() {
        let groups = groups(&[0x0121_1011, 0x0121_1010]);
        assert_eq!(groups.main_purpose, Purpose::Headphones);
        assert_eq!(nodes(&groups.main), [0x11, 0x10]);
    }
}
