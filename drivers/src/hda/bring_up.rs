//! Sets a route up so that a stream's samples come out of its pin at 0 dB.

use super::codec::{Codec, wait_for_power};
use super::graph::{Kind, Widget};
use super::pins::Purpose;
use super::route::{Hop, Route};
use super::verb::{Amp, Level, StreamFormat, StreamTag, Verb, VerbFault, Verbs};
use crate::{Clock, Micros};

/// How long all widgets of a route together may take to power up.
const POWER_UP: Micros = Micros::millis(300);
/// Pin control: drive the output.
const PIN_OUT: u8 = 1 << 6;
/// Pin control: drive it strongly enough for headphones.
const PIN_HEADPHONES: u8 = 1 << 7;
/// Input amplifiers that one verb can name.
const AMP_INDEXES: u8 = 16;

/// Powers, connects, unmutes and enables every widget of the route, from the converter out, so
/// that nothing is heard until the last step.
pub(super) fn bring_up(
    verbs: &mut impl Verbs,
    clock: &impl Clock,
    codec: &Codec,
    route: &Route,
    format: StreamFormat,
    tag: StreamTag,
) -> Result<(), VerbFault> {
    let mut send = |hop: &Hop, verb| verbs.ask(codec.address, hop.node, verb).map(|_| ());
    for (hop, _) in powered(codec, route) {
        send(hop, Verb::power_on())?;
    }
    let deadline = clock.now().plus(POWER_UP);
    for (hop, _) in powered(codec, route) {
        let left = deadline.since(clock.now());
        wait_for_power(verbs, clock, codec.address, hop.node, left)?;
    }
    let mut send = |hop: &Hop, verb| verbs.ask(codec.address, hop.node, verb).map(|_| ());
    for (hop, widget) in widgets(codec, route).rev() {
        if widget.caps.kind() == Kind::Dac {
            send(hop, Verb::format(format))?;
            send(hop, Verb::stream(tag, 0))?;
        }
        let inputs = codec.graph.inputs(hop.node).len();
        let mixes = widget.caps.kind() == Kind::Mixer;
        if let Some(index) = hop.input
            && inputs > 1
            && !mixes
        {
            send(hop, Verb::select(index))?;
        }
        // An amplifier that a widget does not declare is left alone: QEMU would apply the verb
        // to its first stream.
        if widget.caps.input_amp() {
            let inputs = u8::try_from(inputs).unwrap_or(AMP_INDEXES);
            for index in 0..inputs.min(AMP_INDEXES) {
                let level = if Some(index) == hop.input {
                    unity(widget.input_amp.unity())
                } else {
                    SILENT
                };
                send(hop, Verb::amp(Amp::Input(index), level))?;
            }
        }
        if widget.caps.output_amp() {
            send(
                hop,
                Verb::amp(Amp::Output, unity(widget.output_amp.unity())),
            )?;
        }
        if widget.caps.kind() == Kind::Pin {
            let strong = route.purpose == Purpose::Headphones && widget.pin.headphones();
            let bits = if strong {
                PIN_OUT | PIN_HEADPHONES
            } else {
                PIN_OUT
            };
            send(hop, Verb::pin_control(bits))?;
            if widget.pin.eapd() {
                send(hop, Verb::eapd_on())?;
            }
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

fn widgets<'a>(
    codec: &'a Codec,
    route: &'a Route,
) -> impl DoubleEndedIterator<Item = (&'a Hop, &'a Widget)> {
    let widget = |hop: &'a Hop| codec.graph.widget(hop.node).map(|widget| (hop, widget));
    route.hops().iter().filter_map(widget)
}

fn powered<'a>(codec: &'a Codec, route: &'a Route) -> impl Iterator<Item = (&'a Hop, &'a Widget)> {
    widgets(codec, route).filter(|(_, widget)| widget.caps.power())
}
