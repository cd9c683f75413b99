//! What a codec says about itself, read once into a graph (§7.3.4).
//!
//! The codec's answers are claims. Each loop has a constant bound, a connection list that makes
//! no sense loses the entries that do not, and only silence ends the reading.

use core::fmt;

use heapless::Vec;

use super::graph::{
    AmpCaps, Graph, Kind, PcmCaps, PinCaps, WIDGET_CONNECTIONS, Widget, WidgetCaps,
};
use super::verb::{CodecAddress, Nid, Parameter, Verb, VerbFault, Verbs};
use crate::{Clock, Micros};

/// How long a function group may take to power up.
const POWER_UP: Micros = Micros::millis(500);

/// Why a codec could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecFault {
    /// It stopped answering.
    Verb(VerbFault),
    /// It has no audio function group (a modem, or nothing).
    NoAudioFunction,
}

impl From<VerbFault> for CodecFault {
    fn from(fault: VerbFault) -> Self {
        Self::Verb(fault)
    }
}

/// A codec with an audio function.
#[derive(Clone, Debug)]
pub struct Codec {
    /// Where it is on the link.
    pub address: CodecAddress,
    /// Vendor (31:16) and device (15:0).
    pub id: u32,
    /// Revision.
    pub revision: u32,
    /// The machine it was built into, as its firmware says.
    pub subsystem: u32,
    /// The audio function group.
    pub function: Nid,
    /// Its widgets.
    pub graph: Graph,
}

/// A first node and a number of nodes, cut to what node numbers can name.
fn children(verbs: &mut impl Verbs, codec: CodecAddress, of: Nid) -> Result<(u8, u8), VerbFault> {
    let [count, _, first, _] = verbs
        .ask(codec, of, Verb::parameter(Parameter::Children))?
        .to_le_bytes();
    // Node 0 is the root; nothing else may be there.
    let first = first.max(1);
    Ok((
        first,
        count.min(u8::MAX.saturating_sub(first).saturating_add(1)),
    ))
}

impl Codec {
    /// The codec at `address`, of which nothing is known yet.
    #[must_use]
    pub const fn new(address: CodecAddress) -> Self {
        Self {
            address,
            id: 0,
            revision: 0,
            subsystem: 0,
            function: Nid(0),
            graph: Graph::new(Nid(0)),
        }
    }

    /// Asks the codec for all there is to know; its audio function group is powered up for it.
    /// In place, because a graph is large for a small stack.
    ///
    /// # Errors
    /// The codec is silent or has no audio function; what is known is then incomplete.
    pub fn read(&mut self, verbs: &mut impl Verbs, clock: &impl Clock) -> Result<(), CodecFault> {
        let (address, root) = (self.address, Nid(0));
        self.id = verbs.ask(address, root, Verb::parameter(Parameter::Vendor))?;
        self.revision = verbs.ask(address, root, Verb::parameter(Parameter::Revision))?;
        self.function = audio_function(verbs, address)?.ok_or(CodecFault::NoAudioFunction)?;
        verbs.ask(address, self.function, Verb::power_on())?;
        wait_for_power(verbs, clock, address, self.function, POWER_UP)?;
        self.subsystem = verbs.ask(address, self.function, Verb::subsystem())?;
        read_graph(verbs, address, self.function, &mut self.graph)?;
        Ok(())
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = [self.id & 0xFFFF, self.id >> 16];
        write!(
            f,
            "codec {} {high:04x}:{low:04x} revision {:#x}",
            self.address.get(),
            self.revision
        )
    }
}

fn audio_function(verbs: &mut impl Verbs, codec: CodecAddress) -> Result<Option<Nid>, VerbFault> {
    const AUDIO: u32 = 1;
    let (first, count) = children(verbs, codec, Nid(0))?;
    for node in (first..=u8::MAX).take(count.into()).map(Nid) {
        let kind = verbs.ask(codec, node, Verb::parameter(Parameter::FunctionType))?;
        if kind & 0x7F == AUDIO {
            return Ok(Some(node));
        }
    }
    Ok(None)
}

/// Waits at most `limit` until a node that was told to power up has done so. One that never
/// says so is used all the same: some do not keep the state they report up to date.
pub(super) fn wait_for_power(
    verbs: &mut impl Verbs,
    clock: &impl Clock,
    codec: CodecAddress,
    node: Nid,
    limit: Micros,
) -> Result<(), VerbFault> {
    let mut asked = Ok(0);
    clock.wait_for(limit, || {
        asked = verbs.ask(codec, node, Verb::power_state());
        // Bits 7:4 are the state it is in, bit 8 says that it cannot do as told.
        asked.map_or(true, |state| state & 0xF0 == 0 || state & 0x100 != 0)
    });
    asked.map(|_| ())
}

/// What widgets inherit from their function group.
struct Inherited {
    pcm: PcmCaps,
    input_amp: AmpCaps,
    output_amp: AmpCaps,
}

// In the frame of the whole start-up its code would be 0.2 KB longer.
#[inline(never)]
fn read_graph(
    verbs: &mut impl Verbs,
    codec: CodecAddress,
    function: Nid,
    graph: &mut Graph,
) -> Result<(), VerbFault> {
    let mut get = |parameter| verbs.ask(codec, function, Verb::parameter(parameter));
    let group = Inherited {
        pcm: PcmCaps(get(Parameter::Pcm)?),
        input_amp: AmpCaps(get(Parameter::InputAmp)?),
        output_amp: AmpCaps(get(Parameter::OutputAmp)?),
    };
    let (first, count) = children(verbs, codec, function)?;
    graph.clear(Nid(first));
    for node in (first..=u8::MAX).take(count.into()).map(Nid) {
        let widget = read_widget(verbs, codec, node, &group)?;
        let mut list = Vec::new();
        if widget.caps.connected() {
            read_connections(verbs, codec, node, &mut list, graph)?;
        }
        graph.push(widget, &list);
    }
    Ok(())
}

fn read_widget(
    verbs: &mut impl Verbs,
    codec: CodecAddress,
    node: Nid,
    group: &Inherited,
) -> Result<Widget, VerbFault> {
    let mut get = |parameter| verbs.ask(codec, node, Verb::parameter(parameter));
    let caps = WidgetCaps(get(Parameter::Widget)?);
    let mut widget = Widget {
        caps,
        pcm: group.pcm,
        input_amp: group.input_amp,
        output_amp: group.output_amp,
        ..Widget::default()
    };
    if caps.own_amps() && caps.input_amp() {
        widget.input_amp = AmpCaps(get(Parameter::InputAmp)?);
    }
    if caps.own_amps() && caps.output_amp() {
        widget.output_amp = AmpCaps(get(Parameter::OutputAmp)?);
    }
    match caps.kind() {
        Kind::Dac | Kind::Adc if caps.own_formats() => {
            let own = PcmCaps(get(Parameter::Pcm)?);
            if own != PcmCaps(0) {
                widget.pcm = own;
            }
        }
        Kind::Pin => {
            widget.pin = PinCaps(get(Parameter::Pin)?);
            widget.config = verbs.ask(codec, node, Verb::pin_config())?;
        }
        _ => {}
    }
    Ok(widget)
}

/// Reads a connection list (§7.1.2): entries of 8 or 16 bits, whose top bit makes the entry the
/// end of a range from the one before.
fn read_connections(
    verbs: &mut impl Verbs,
    codec: CodecAddress,
    node: Nid,
    list: &mut Vec<Nid, WIDGET_CONNECTIONS>,
    graph: &mut Graph,
) -> Result<(), VerbFault> {
    let [length, ..] = verbs
        .ask(codec, node, Verb::parameter(Parameter::Connections))?
        .to_le_bytes();
    let (long, length) = (length & 0x80 != 0, length & 0x7F);
    let per_answer: u8 = if long { 2 } else { 4 };
    let mut before = None;
    for index in (0..length).step_by(per_answer.into()) {
        let answer = verbs.ask(codec, node, Verb::connections(index))?;
        let left = length.saturating_sub(index).min(per_answer);
        for place in 0..left {
            let entry = if long {
                (answer >> (16 * u32::from(place & 1))) & 0xFFFF
            } else {
                // The same shape as a long entry: range bit on top.
                let octet = (answer >> (8 * u32::from(place & 3))) & 0xFF;
                ((octet & 0x80) << 8) | (octet & 0x7F)
            };
            if !take_entry(list, &mut before, entry) {
                graph.note_oddity();
            }
        }
    }
    Ok(())
}

/// Adds what one entry stands for; whether it made sense and found room.
fn take_entry(
    list: &mut Vec<Nid, WIDGET_CONNECTIONS>,
    before: &mut Option<u8>,
    entry: u32,
) -> bool {
    let range = entry & 0x8000 != 0;
    let node = match u8::try_from(entry & 0x7FFF) {
        Ok(node) if node != 0 => node,
        _ => {
            // The entries after it keep their numbers; node 0 is in no graph.
            *before = None;
            let _ = list.push(Nid(0));
            return false;
        }
    };
    let start = match (*before, range) {
        (_, false) => node,
        (Some(before), true) if before < node => before.saturating_add(1),
        // A range from nowhere, or backwards: its end is at least named.
        _ => {
            *before = Some(node);
            let _ = list.push(Nid(node));
            return false;
        }
    };
    // The end of a range cannot begin another one.
    *before = (!range).then_some(node);
    (start..=node).all(|node| list.push(Nid(node)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list_of(entries: &[u32]) -> (std::vec::Vec<u8>, bool) {
        let mut list = Vec::new();
        let mut before = None;
        let mut sane = true;
        for &entry in entries {
            sane &= take_entry(&mut list, &mut before, entry);
        }
        (list.iter().map(|node| node.0).collect(), sane)
    }

    #[test]
    fn a_range_runs_from_the_entry_before_to_its_end() {
        assert_eq!(list_of(&[2, 0x8005, 9]), (vec![2, 3, 4, 5, 9], true));
    }

    #[test]
    fn ranges_that_begin_nowhere_or_run_backwards_keep_their_end_only() {
        assert_eq!(list_of(&[0x8005]), (vec![5], false));
        assert_eq!(list_of(&[7, 0x8003]), (vec![7, 3], false));
        assert_eq!(list_of(&[2, 0x8004, 0x8006]), (vec![2, 3, 4, 6], false));
    }

    #[test]
    fn node_0_and_nodes_past_255_keep_their_places() {
        assert_eq!(list_of(&[0, 3, 0x1FF]), (vec![0, 3, 0], false));
    }

    #[test]
    fn a_list_of_ranges_ends_at_its_bound() {
        let (list, sane) = list_of(&[1, 0x80FF, 1, 0x80FF]);
        assert_eq!(list.len(), WIDGET_CONNECTIONS);
        assert!(!sane);
    }
}
