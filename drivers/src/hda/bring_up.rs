//! Sets a configuration up so that a stream's samples come out of its pins at 0 dB.

use heapless::Vec;

use super::codec::{Codec, wait_for_power};
use super::configuration::{Configuration, OUTPUTS, Output};
use super::graph::{Kind, WIDGETS, Widget};
use super::path::Hop;
use super::pins::Purpose;
use super::verb::{Amp, Level, Nid, StreamFormat, StreamTag, Verb, VerbFault, Verbs};
use crate::{Clock, Micros};

/// How long all widgets together may take to power up.
const POWER_UP: Micros = Micros::millis(300);
/// Pin control: drive the output.
const PIN_OUT: u8 = 1 << 6;
/// Pin control: drive it strongly enough for headphones.
const PIN_HEADPHONES: u8 = 1 << 7;
/// Input amplifiers that one verb can name.
pub(super) const AMP_INDEXES: u8 = 16;

/// Powers, connects, unmutes and enables every widget of the outputs' paths, from the converters
/// out, so that nothing is heard until the last step.
pub(super) fn bring_up(
    verbs: &mut impl Verbs,
    clock: &impl Clock,
    codec: &Codec,
    configuration: &Configuration,
    format: StreamFormat,
    tag: StreamTag,
) -> Result<(), VerbFault> {
    let outputs = configuration.outputs();
    let mut send = |node, verb| verbs.ask(codec.address, node, verb).map(|_| ());
    for (node, _) in on_paths(codec, outputs).filter(|(_, widget)| widget.caps.power()) {
        send(node, Verb::power_on())?;
    }
    let deadline = clock.now().plus(POWER_UP);
    for (node, _) in on_paths(codec, outputs).filter(|(_, widget)| widget.caps.power()) {
        let left = deadline.since(clock.now());
        wait_for_power(verbs, clock, codec.address, node, left)?;
    }
    let mut send = |node, verb| verbs.ask(codec.address, node, verb).map(|_| ());
    for (node, widget) in on_paths(codec, outputs) {
        if widget.caps.kind() == Kind::Dac {
            send(node, Verb::format(format))?;
            send(node, Verb::stream(tag, 0))?;
        }
        let used = used_inputs(outputs, node);
        let inputs = codec.graph.inputs(node).len();
        let mixes = widget.caps.kind() == Kind::Mixer;
        if let Some(&index) = used.first()
            && inputs > 1
            && !mixes
        {
            send(node, Verb::select(index))?;
        }
        // An amplifier that a widget does not declare is left alone: QEMU would apply the verb
        // to its first stream.
        if widget.caps.input_amp() {
            let inputs = u8::try_from(inputs).unwrap_or(AMP_INDEXES);
            for index in 0..inputs.min(AMP_INDEXES) {
                let level = if used.contains(&index) {
                    unity(widget.input_amp.unity())
                } else {
                    SILENT
                };
                send(node, Verb::amp(Amp::Input(index), level))?;
            }
        }
        if widget.caps.output_amp() {
            let level = unity(widget.output_amp.unity());
            send(node, Verb::amp(Amp::Output, level))?;
        }
    }
    for output in outputs {
        let Some(widget) = codec.graph.widget(output.pin()) else {
            continue;
        };
        let strong = output.purpose == Purpose::Headphones && widget.pin.headphones();
        let bits = if strong {
            PIN_OUT | PIN_HEADPHONES
        } else {
            PIN_OUT
        };
        send(output.pin(), Verb::pin_control(bits))?;
        if widget.pin.eapd() {
            send(output.pin(), Verb::eapd_on())?;
        }
    }
    Ok(())
}

const SILENT: Level = Level {
    mute: true,
    gain: 0,
};

const fn unity(gain: u8) -> Level {
    Level { mute: false, gain }
}

/// Every widget of the paths once.
fn on_paths<'a>(
    codec: &'a Codec,
    outputs: &[Output],
) -> impl Iterator<Item = (Nid, &'a Widget)> + use<'a> {
    let mut used = [false; WIDGETS];
    for hop in outputs.iter().flat_map(|output| output.path.hops()) {
        if let Some(used) = used.get_mut(usize::from(hop.node.0)) {
            *used = true;
        }
    }
    let all = codec.graph.widgets();
    all.filter(move |(node, _)| used.get(usize::from(node.0)) == Some(&true))
}

/// The inputs of a widget that paths lead through.
fn used_inputs(outputs: &[Output], node: Nid) -> Vec<u8, OUTPUTS> {
    let hops = outputs.iter().flat_map(|output| output.path.hops());
    let here = hops.filter(|hop: &&Hop| hop.node == node);
    here.filter_map(|hop| hop.input).take(OUTPUTS).collect()
}
