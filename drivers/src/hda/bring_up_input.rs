//! Sets an input up so that what its pin hears comes to a stream at 0 dB.

use super::bring_up::AMP_INDEXES;
use super::codec::{Codec, wait_for_power};
use super::configuration::{Configuration, Input};
use super::graph::{Kind, Widget};
use super::path::Hop;
use super::pins::Source;
use super::verb::{Amp, Level, StreamFormat, StreamTag, Verb, VerbFault, Verbs};
use crate::{Clock, Micros};

/// How long all widgets of all paths together may take to power up.
const POWER_UP: Micros = Micros::millis(300);
/// Pin control: take the input in.
const PIN_IN: u8 = 1 << 5;

/// The widgets of a path, from the pin to the converter.
fn widgets<'a>(
    codec: &'a Codec,
    input: &'a Input,
) -> impl Iterator<Item = (&'a Hop, &'a Widget)> + use<'a> {
    let hops = input.path.hops().iter().rev();
    hops.filter_map(|hop| Some((hop, codec.graph.widget(hop.node)?)))
}

/// Powers every widget of every input's path, so that one can take over from another without
/// waiting.
pub(super) fn prepare_inputs(
    verbs: &mut impl Verbs,
    clock: &impl Clock,
    codec: &Codec,
    configuration: &Configuration,
) -> Result<(), VerbFault> {
    let powered = || {
        let used = configuration.inputs().iter().filter(|input| !input.shared);
        let all = used.flat_map(|input| widgets(codec, input));
        all.filter(|(_, widget)| widget.caps.power())
    };
    for (hop, _) in powered() {
        verbs.ask(codec.address, hop.node, Verb::power_on())?;
    }
    let deadline = clock.now().plus(POWER_UP);
    for (hop, _) in powered() {
        let left = deadline.since(clock.now());
        wait_for_power(verbs, clock, codec.address, hop.node, left)?;
    }
    Ok(())
}

/// Has an input's pin take in what it hears, with the bias that a microphone wants, or nothing.
pub(super) fn listen(
    verbs: &mut impl Verbs,
    codec: &Codec,
    input: &Input,
    on: bool,
) -> Result<(), VerbFault> {
    let bias = match input.source {
        Source::Mic => codec.graph.widget(input.pin()).map_or(0, |w| w.pin.bias()),
        _ => 0,
    };
    let bits = if on { PIN_IN | bias } else { 0 };
    verbs.ask(codec.address, input.pin(), Verb::pin_control(bits))?;
    Ok(())
}

/// Has an input's converter bring nothing.
pub(super) fn disconnect_input(
    verbs: &mut impl Verbs,
    codec: &Codec,
    input: &Input,
) -> Result<(), VerbFault> {
    verbs.ask(codec.address, input.adc(), Verb::no_stream())?;
    Ok(())
}

/// Connects and unmutes every widget of the input's path, boosts at 0 dB, and closes every other
/// way into it. [`listen`] is left.
pub(super) fn connect_input(
    verbs: &mut impl Verbs,
    codec: &Codec,
    input: &Input,
    format: StreamFormat,
    tag: StreamTag,
) -> Result<(), VerbFault> {
    for (hop, widget) in widgets(codec, input) {
        let mut send = |verb| verbs.ask(codec.address, hop.node, verb).map(|_| ());
        let kind = widget.caps.kind();
        let inputs = codec.graph.inputs(hop.node).len();
        if let Some(index) = hop.input
            && inputs > 1
            && kind != Kind::Mixer
        {
            send(Verb::select(index))?;
        }
        // Only amplifiers that a widget declares: QEMU applies others to its first stream.
        if widget.caps.input_amp() {
            // A pin has one, whatever feeds it as an output.
            let inputs = if kind == Kind::Pin { 1 } else { inputs };
            let inputs = u8::try_from(inputs).unwrap_or(AMP_INDEXES);
            for index in 0..inputs.min(AMP_INDEXES) {
                let used = hop.input.is_none_or(|input| input == index);
                let gain = if used { widget.input_amp.unity() } else { 0 };
                let level = Level { mute: !used, gain };
                send(Verb::amp(Amp::Input(index), level))?;
            }
        }
        if widget.caps.output_amp() && kind != Kind::Pin {
            let level = Level {
                mute: false,
                gain: widget.output_amp.unity(),
            };
            send(Verb::amp(Amp::Output, level))?;
        }
        if kind == Kind::Adc {
            send(Verb::format(format))?;
            send(Verb::stream(tag, 0))?;
        }
    }
    Ok(())
}
