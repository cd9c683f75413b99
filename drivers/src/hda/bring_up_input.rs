//! Sets an input up so that what its pin hears comes to a stream at 0 dB.

use super::bring_up::AMP_INDEXES;
use super::codec::{Codec, wait_for_power};
use super::configuration::Input;
use super::graph::Kind;
use super::pins::Source;
use super::verb::{Amp, Level, StreamFormat, StreamTag, Verb, VerbFault, Verbs};
use crate::{Clock, Micros};

/// How long all widgets of the path together may take to power up.
const POWER_UP: Micros = Micros::millis(300);
/// Pin control: take the input in.
const PIN_IN: u8 = 1 << 5;

/// Powers, connects and unmutes every widget of the input's path, boosts at 0 dB, from the pin to
/// the converter.
pub(super) fn bring_up_input(
    verbs: &mut impl Verbs,
    clock: &impl Clock,
    codec: &Codec,
    input: &Input,
    format: StreamFormat,
    tag: StreamTag,
) -> Result<(), VerbFault> {
    let widgets = || {
        let hops = input.path.hops().iter().rev();
        hops.filter_map(|hop| Some((hop, codec.graph.widget(hop.node)?)))
    };
    let powered = || widgets().filter(|(_, widget)| widget.caps.power());
    for (hop, _) in powered() {
        verbs.ask(codec.address, hop.node, Verb::power_on())?;
    }
    let deadline = clock.now().plus(POWER_UP);
    for (hop, _) in powered() {
        let left = deadline.since(clock.now());
        wait_for_power(verbs, clock, codec.address, hop.node, left)?;
    }
    for (hop, widget) in widgets() {
        let mut send = |verb| verbs.ask(codec.address, hop.node, verb).map(|_| ());
        let kind = widget.caps.kind();
        if kind == Kind::Pin {
            let bias = match input.source {
                Source::Mic => widget.pin.bias(),
                _ => 0,
            };
            send(Verb::pin_control(PIN_IN | bias))?;
        }
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
