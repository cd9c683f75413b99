//! What pins are for, by the default that firmware wrote (§7.3.3.31).

use heapless::Vec;

use super::graph::{Graph, Kind};
use super::verb::Nid;

/// Most pins of one group.
pub const GROUP: usize = 5;

/// What an output pin leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A line-out jack.
    LineOut,
    /// A built-in speaker.
    Speaker,
    /// A headphone jack.
    Headphones,
}

/// A pin's configuration default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinConfig(pub u32);

impl PinConfig {
    const fn field(self, shift: u32) -> u32 {
        (self.0 >> shift) & 0xF
    }

    /// What the output is for; `None` for inputs, digital outputs and pins without connection.
    #[must_use]
    pub const fn output(self) -> Option<Purpose> {
        let connectivity = self.0 >> 30;
        match (self.field(20), connectivity) {
            // Not connected.
            (_, 1) => None,
            // Built in, or both: some firmware calls its speaker a line-out.
            (0, 2 | 3) => Some(Purpose::Speaker),
            (0, _) => Some(Purpose::LineOut),
            (1, _) => Some(Purpose::Speaker),
            (2, _) => Some(Purpose::Headphones),
            _ => None,
        }
    }

    /// Which pins belong together; lower ones matter more, and 0 is reserved.
    #[must_use]
    pub const fn association(self) -> u32 {
        self.field(4)
    }

    /// The order within an association.
    #[must_use]
    pub const fn sequence(self) -> u32 {
        self.field(0)
    }

    const fn key(self) -> u32 {
        self.0 & 0xFF
    }
}

type Group = Vec<(Nid, u32), GROUP>;

/// The analog output pins of a codec, by purpose, in the order they matter.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    line_outs: Group,
    speakers: Group,
    headphones: Group,
}

impl Outputs {
    /// Sorts a codec's output pins.
    ///
    /// Line-outs count only from one association, the first that is not 0. Where there is no
    /// line-out but several headphone jacks, those not marked as the headphones (sequence 15)
    /// are line-outs.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let mut outputs = Self::default();
        let mut line_association = None;
        for (node, widget) in graph.widgets() {
            if widget.caps.kind() != Kind::Pin || widget.caps.digital() || !widget.pin.output() {
                continue;
            }
            let config = PinConfig(widget.config);
            let group = match config.output() {
                Some(Purpose::LineOut) => {
                    let association = config.association();
                    if association == 0
                        || *line_association.get_or_insert(association) != association
                    {
                        continue;
                    }
                    &mut outputs.line_outs
                }
                Some(Purpose::Speaker) => &mut outputs.speakers,
                Some(Purpose::Headphones) => &mut outputs.headphones,
                None => continue,
            };
            // A group that is full has what it needs.
            let _ = group.push((node, config.key()));
        }
        outputs.rescue_line_outs();
        for group in [
            &mut outputs.line_outs,
            &mut outputs.speakers,
            &mut outputs.headphones,
        ] {
            insertion_sort(group);
        }
        outputs
    }

    fn rescue_line_outs(&mut self) {
        const HEADPHONES: u32 = 0xF;
        if !self.line_outs.is_empty() || self.headphones.len() < 2 {
            return;
        }
        let is_line = |pin: &(Nid, u32)| pin.1 & 0xF != HEADPHONES;
        self.line_outs = self.headphones.iter().copied().filter(is_line).collect();
        self.headphones.retain(|pin| !is_line(pin));
    }

    /// The pins for one purpose, most important first.
    pub fn pins(&self, purpose: Purpose) -> impl Iterator<Item = Nid> {
        match purpose {
            Purpose::LineOut => &self.line_outs,
            Purpose::Speaker => &self.speakers,
            Purpose::Headphones => &self.headphones,
        }
        .iter()
        .map(|&(node, _)| node)
    }

    /// Every output pin in the order in which to try them: line-outs, speakers, headphones.
    pub fn by_rank(&self) -> impl Iterator<Item = (Nid, Purpose)> {
        [Purpose::LineOut, Purpose::Speaker, Purpose::Headphones]
            .into_iter()
            .flat_map(|purpose| self.pins(purpose).map(move |node| (node, purpose)))
    }
}

/// Sorts by key and keeps the order of equals; there are at most [`GROUP`] pins.
fn insertion_sort(group: &mut Group) {
    for end in 1..group.len() {
        for at in (1..=end).rev() {
            let before = at.saturating_sub(1);
            let out_of_order = match (group.get(before), group.get(at)) {
                (Some(left), Some(right)) => left.1 > right.1,
                _ => false,
            };
            if out_of_order {
                group.swap(before, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::{PinCaps, Widget, WidgetCaps};
    use super::*;

    const OUT: u32 = 1 << 4;

    fn pins(configs: &[u32]) -> std::vec::Vec<(u8, Purpose)> {
        let mut graph = Graph::new(Nid(0x10));
        for &config in configs {
            let widget = Widget {
                caps: WidgetCaps(0x40_0001),
                pin: PinCaps(OUT),
                config,
                ..Widget::default()
            };
            assert!(graph.push(widget, &[]));
        }
        let outputs = Outputs::of(&graph);
        outputs.by_rank().map(|(n, p)| (n.0, p)).collect()
    }

    #[test]
    fn line_outs_come_first_and_in_sequence() {
        assert_eq!(
            pins(&[0x0121_402F, 0x9017_0130, 0x0101_1012, 0x0101_1010]),
            [
                (0x13, Purpose::LineOut),
                (0x12, Purpose::LineOut),
                (0x11, Purpose::Speaker),
                (0x10, Purpose::Headphones),
            ]
        );
    }

    #[test]
    fn pins_without_connection_and_inputs_are_left_out() {
        assert_eq!(pins(&[0x411F_111F, 0x01A1_9040, 0x0181_3030]), []);
    }

    #[test]
    fn a_fixed_line_out_is_a_speaker() {
        assert_eq!(pins(&[0x9000_0110]), [(0x10, Purpose::Speaker)]);
    }

    #[test]
    fn line_outs_of_a_second_association_are_dropped() {
        assert_eq!(
            pins(&[0x0101_1010, 0x0101_1020, 0x0101_1000]),
            [(0x10, Purpose::LineOut)]
        );
    }

    #[test]
    fn of_two_headphone_jacks_the_unmarked_one_is_the_line_out() {
        assert_eq!(
            pins(&[0x0121_101F, 0x0121_1010]),
            [(0x11, Purpose::LineOut), (0x10, Purpose::Headphones)]
        );
    }
}
