//! Sets a configuration up so that a stream's samples come out of its pins at 0 dB.
//!
//! Only what a widget declares is written: QEMU would apply a verb for an amplifier that is not
//! there to its first stream.

use super::chips;
use super::codec::{Codec, wait_for_power};
use super::configuration::{Configuration, Output};
use super::graph::{Kind, WIDGETS, Widget};
use super::overrides::{Override, Overrides};
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
const SILENT: Level = Level {
    mute: true,
    gain: 0,
};

const fn unity(gain: u8) -> Level {
    Level { mute: false, gain }
}

/// What the outputs' paths make of each node of a graph.
///
/// Where a path meets one before it, it ends: the samples are there already, and a second way
/// for them would add them once more.
struct Plan {
    /// Whether samples go through the node.
    used: [bool; WIDGETS],
    /// The one input that it passes.
    input: [Option<u8>; WIDGETS],
}

impl Plan {
    fn of(configuration: &Configuration) -> Self {
        let mut plan = Self {
            used: [false; WIDGETS],
            input: [None; WIDGETS],
        };
        let outputs = configuration.outputs().iter().map(|output| &output.path);
        for path in outputs.chain(configuration.digital()) {
            for hop in path.hops() {
                let at = usize::from(hop.node.0);
                match (plan.used.get_mut(at), plan.input.get_mut(at)) {
                    (Some(used), Some(input)) if !*used => (*used, *input) = (true, hop.input),
                    _ => break,
                }
            }
        }
        plan
    }

    fn uses(&self, node: Nid) -> bool {
        self.used.get(usize::from(node.0)) == Some(&true)
    }

    fn input(&self, node: Nid) -> Option<u8> {
        *self.input.get(usize::from(node.0))?
    }
}

/// Powers, connects and unmutes every widget of the outputs' paths, and closes every other way
/// to a pin. The pins themselves stay silent: [`drive`] is left.
pub(super) fn connect(
    verbs: &mut impl Verbs,
    clock: &impl Clock,
    codec: &Codec,
    configuration: &Configuration,
    overrides: &Overrides,
    (format, tag): (StreamFormat, StreamTag),
) -> Result<(), VerbFault> {
    chips::apply(verbs, codec)?;
    for one in overrides.iter() {
        match one {
            Override::Coef(coef) => coef.apply(verbs, codec.address)?,
            Override::Gpio(gpio) => gpio.apply(verbs, codec.address, codec.function)?,
            Override::Pin(..) | Override::Path(_) => {}
        }
    }
    let plan = Plan::of(configuration);
    let powered = || {
        let widgets = codec.graph.widgets();
        widgets.filter(|&(node, widget)| plan.uses(node) && widget.caps.power())
    };
    for (node, _) in powered() {
        verbs.ask(codec.address, node, Verb::power_on())?;
    }
    let deadline = clock.now().plus(POWER_UP);
    for (node, _) in powered() {
        let left = deadline.since(clock.now());
        wait_for_power(verbs, clock, codec.address, node, left)?;
    }
    for (node, widget) in codec.graph.widgets() {
        let mut send = |verb| verbs.ask(codec.address, node, verb).map(|_| ());
        let (kind, inputs) = (widget.caps.kind(), codec.graph.inputs(node).len());
        let used = plan.uses(node);
        match kind {
            Kind::Dac if used => {
                send(Verb::format(format))?;
                send(Verb::stream(tag, 0))?;
                if widget.caps.digital() {
                    send(Verb::digital_category())?;
                    send(Verb::digital_on())?;
                }
            }
            Kind::Pin if !used => {
                if widget.pin.output() && !widget.caps.digital() {
                    send(Verb::pin_control(0))?;
                }
                continue;
            }
            // What a mixer beside the paths lets through may end in one of them.
            Kind::Mixer => {}
            _ if !used => continue,
            _ => {}
        }
        let passed = plan.input(node);
        if let Some(index) = passed
            && inputs > 1
            && kind != Kind::Mixer
        {
            send(Verb::select(index))?;
        }
        // The amplifier at a pin's input is for what comes in through the jack.
        if widget.caps.input_amp() && kind != Kind::Pin {
            let inputs = u8::try_from(inputs).unwrap_or(AMP_INDEXES);
            for index in 0..inputs.min(AMP_INDEXES) {
                let level = if passed == Some(index) {
                    unity(widget.input_amp.unity())
                } else {
                    SILENT
                };
                send(Verb::amp(Amp::Input(index), level))?;
            }
        }
        if used && widget.caps.output_amp() {
            send(Verb::amp(Amp::Output, unity(widget.output_amp.unity())))?;
        }
    }
    Ok(())
}

/// Lets a pin drive what is connected to it, its amplifier last.
pub(super) fn drive(
    verbs: &mut impl Verbs,
    codec: &Codec,
    output: &Output,
) -> Result<(), VerbFault> {
    let pin = output.pin();
    let Some(widget) = codec.graph.widget(pin) else {
        return Ok(());
    };
    let strong = output.purpose == Purpose::Headphones && widget.pin.headphones();
    let bits = if strong {
        PIN_OUT | PIN_HEADPHONES
    } else {
        PIN_OUT
    };
    verbs.ask(codec.address, pin, Verb::pin_control(bits))?;
    if widget.pin.eapd() {
        verbs.ask(codec.address, pin, chips::amplify(codec, true))?;
    }
    Ok(())
}

/// Has a pin drive nothing.
pub(super) fn silence(
    verbs: &mut impl Verbs,
    codec: &Codec,
    output: &Output,
) -> Result<(), VerbFault> {
    let pin = output.pin();
    let amplified = codec.graph.widget(pin).is_some_and(|w| w.pin.eapd());
    if amplified {
        let on = chips::amplifies_for_all(codec);
        verbs.ask(codec.address, pin, chips::amplify(codec, on))?;
    }
    verbs.ask(codec.address, pin, Verb::pin_control(0))?;
    Ok(())
}

/// Has every digital output's pin drive what is connected to it, and its converter send the stream,
/// or silence, with which a receiver stays locked.
pub(super) fn drive_digital(
    verbs: &mut impl Verbs,
    codec: &Codec,
    configuration: &Configuration,
    stream: Option<StreamTag>,
) -> Result<(), VerbFault> {
    for path in configuration.digital() {
        let (Some(pin), Some(converter)) = (path.sink(), path.source()) else {
            continue;
        };
        let stream = stream.map_or(Verb::no_stream(), |tag| Verb::stream(tag, 0));
        verbs.ask(codec.address, converter, stream)?;
        verbs.ask(codec.address, pin, Verb::pin_control(PIN_OUT))?;
        if codec.graph.widget(pin).is_some_and(|w| w.pin.eapd()) {
            verbs.ask(codec.address, pin, chips::amplify(codec, true))?;
        }
    }
    Ok(())
}

/// Switches the amplifiers on that are wired to a pin at which nothing plays.
pub(super) fn amplify_for_others(
    verbs: &mut impl Verbs,
    codec: &Codec,
    configuration: &Configuration,
) -> Result<(), VerbFault> {
    let plays = |node| {
        configuration
            .outputs()
            .iter()
            .any(|output| output.pin() == node)
    };
    let wanted = |&(node, widget): &(Nid, &Widget)| {
        let eapd = widget.caps.kind() == Kind::Pin && widget.pin.eapd();
        eapd && chips::amplifies_for_others(codec, node) && !plays(node)
    };
    for (node, _) in codec.graph.widgets().filter(wanted) {
        verbs.ask(codec.address, node, chips::amplify(codec, true))?;
    }
    Ok(())
}
