//! What a codec's graph is used for: outputs, inputs, and what follows which jack.
//!
//! A configuration is a pure function of the graph. It says which converter plays at which pin
//! and by which way, which amplifiers set volume and mute, and which jacks are watched;
//! `bring_up` makes it so.

use heapless::Vec;

use super::assign;
use super::graph::{Graph, Kind, Widget};
use super::groups::{GROUP, Groups, INPUTS, sort};
use super::path::{AmpAt, Path};
use super::pins::{PinConfig, Place, Purpose, Source, Use};
use super::verb::{Nid, SampleBits};

/// Most outputs.
pub const OUTPUTS: usize = 3 * GROUP;
/// Most digital outputs: one by wire, one by light.
pub const DIGITAL: usize = 2;
/// Most microphones that take over from each other.
pub const MICS: usize = 3;

/// An output pin that a converter plays at.
#[derive(Clone, Debug)]
pub struct Output {
    /// What the pin is for.
    pub purpose: Purpose,
    /// Where it is.
    pub place: Place,
    /// From the pin to the converter.
    pub path: Path,
    /// The amplifier that sets the volume of this output alone, if there is one.
    pub volume: Option<AmpAt>,
    /// The amplifier that mutes this output alone, if there is one.
    pub mute: Option<AmpAt>,
    /// Whether its jack can tell if something is plugged in.
    pub senses: bool,
}

/// An input pin and its way to a converter.
#[derive(Clone, Debug)]
pub struct Input {
    /// What feeds the pin.
    pub source: Source,
    /// Where it is.
    pub place: Place,
    /// From the converter to the pin.
    pub path: Path,
    /// The amplifier that sets the gain of a recording.
    pub volume: Option<AmpAt>,
    /// An amplifier near the pin with few large steps.
    pub boost: Option<AmpAt>,
    /// Whether its jack can tell if something is plugged in.
    pub senses: bool,
    /// Whether the pin is the headphone jack, which must stop playing to record.
    pub shared: bool,
}

/// What a codec is used for.
#[derive(Clone, Debug)]
pub struct Configuration {
    main: Purpose,
    outputs: Vec<Output, OUTPUTS>,
    digital: Vec<Path, DIGITAL>,
    inputs: Vec<Input, { INPUTS + 1 }>,
    watched: Vec<Nid, { 2 * GROUP }>,
    auto_mic: Vec<u8, MICS>,
}

impl Output {
    /// The pin.
    #[must_use]
    pub fn pin(&self) -> Nid {
        self.path.sink().unwrap_or(Nid(0))
    }

    /// The converter.
    #[must_use]
    pub fn dac(&self) -> Nid {
        self.path.source().unwrap_or(Nid(0))
    }
}

impl Input {
    /// The pin.
    #[must_use]
    pub fn pin(&self) -> Nid {
        self.path.source().unwrap_or(Nid(0))
    }

    /// The converter.
    #[must_use]
    pub fn adc(&self) -> Nid {
        self.path.sink().unwrap_or(Nid(0))
    }
}

/// Whether a converter can play or record what this driver makes.
fn usable(widget: &Widget) -> bool {
    widget.pcm.widest_at_48k().is_some()
}

impl Default for Configuration {
    fn default() -> Self {
        Self::new()
    }
}

impl Configuration {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            main: Purpose::LineOut,
            outputs: Vec::new(),
            digital: Vec::new(),
            inputs: Vec::new(),
            watched: Vec::new(),
            auto_mic: Vec::new(),
        }
    }

    /// What to use a codec for.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let mut configuration = Self::new();
        configuration.choose(graph);
        configuration
    }

    /// Chooses what to use a codec for, in place, because the stack may be small.
    pub fn choose(&mut self, graph: &Graph) {
        self.choose_among(graph, usable);
    }

    /// The same as if converters took any format.
    pub fn choose_any_format(&mut self, graph: &Graph) {
        self.choose_among(graph, |_| true);
    }

    /// By a pointer, so that there is one copy of all this.
    fn choose_among(&mut self, graph: &Graph, usable: fn(&Widget) -> bool) {
        let mut groups = Groups::of(graph);
        let slots = assign::outputs(graph, &mut groups, usable);
        let outputs = slots.iter().filter_map(|slot| {
            Some(Output {
                purpose: slot.purpose?,
                place: config(graph, slot.pin).place(),
                path: slot.path.clone()?,
                volume: slot.volume,
                mute: slot.mute,
                senses: senses(graph, slot.pin),
            })
        });
        *self = Self::new();
        self.main = groups.main_purpose;
        self.outputs.extend(outputs.take(OUTPUTS));
        self.find_digital(graph);
        self.watched = watched(graph, &groups);
        let shared = shared_jack(graph, &mut groups);
        self.find_inputs(graph, &groups, usable, shared);
        if shared.is_none() {
            self.auto_mic = self.take_over(graph, &groups).unwrap_or_default();
        }
    }

    /// Plays at a pin by a given way, from a converter to it, instead of or beside what was
    /// chosen; whether there is such a way.
    pub(super) fn play_by(&mut self, graph: &Graph, nodes: &[Nid]) -> bool {
        let end = nodes.iter().position(|node| node.0 == 0);
        let nodes = nodes.get(..end.unwrap_or(nodes.len())).unwrap_or(nodes);
        let Some(path) = Path::through(graph, nodes) else {
            return false;
        };
        let pin = path.sink().unwrap_or(Nid(0));
        self.outputs.retain(|output| output.pin() != pin);
        // What plays is not recorded from.
        let apart = |input: &Input| {
            let mut hops = input.path.hops().iter();
            hops.all(|hop| path.hops().iter().all(|own| own.node != hop.node))
        };
        if !self.inputs.iter().all(apart) {
            self.inputs.retain(apart);
            self.auto_mic.clear();
        }
        let config = config(graph, pin);
        let output = Output {
            purpose: match config.usage() {
                Some(Use::Output(purpose)) => purpose,
                _ => Purpose::LineOut,
            },
            place: config.place(),
            path,
            // They may be another output's.
            volume: None,
            mute: None,
            senses: senses(graph, pin),
        };
        self.outputs.push(output).is_ok()
    }

    /// The purpose of the main group of outputs.
    #[must_use]
    pub const fn main_purpose(&self) -> Purpose {
        self.main
    }

    /// The outputs: the main group, the most important first, then headphones, then speakers.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Digital outputs beside those, each from its pin to its converter, which takes the same samples.
    #[must_use]
    pub fn digital(&self) -> &[Path] {
        &self.digital
    }

    /// The inputs, the most important first. All lead to the same converter if one of the
    /// codec's reaches them all, otherwise each leads to the first that it reaches.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The pins whose jacks silence other outputs while something is plugged in: headphones
    /// silence line-outs and speakers, line-outs silence speakers.
    #[must_use]
    pub fn watched(&self) -> &[Nid] {
        &self.watched
    }

    /// The microphones that take over from each other, as indexes of inputs: each but the first is
    /// recorded from instead of those before it while it is plugged in. Empty if there is nothing
    /// to choose or a person must choose.
    pub fn auto_mic(&self) -> impl Iterator<Item = usize> {
        self.auto_mic.iter().copied().map(usize::from)
    }

    /// The widest samples at 48 kHz that all converters of the outputs take.
    #[must_use]
    pub fn output_bits(&self, graph: &Graph) -> Option<SampleBits> {
        let dacs = self.outputs.iter().map(Output::dac);
        widest(dacs.filter_map(|dac| graph.widget(dac)))
    }

    /// The widest samples at 48 kHz that all converters of the inputs take.
    #[must_use]
    pub fn input_bits(&self, graph: &Graph) -> Option<SampleBits> {
        let adcs = self.inputs.iter().map(Input::adc);
        widest(adcs.filter_map(|adc| graph.widget(adc)))
    }

    /// S/PDIF that can play what the other outputs do.
    fn find_digital(&mut self, graph: &Graph) {
        let Some(bits) = self.output_bits(graph) else {
            return;
        };
        let of = |kind| {
            let widgets = graph.widgets();
            widgets.filter(move |(_, w)| w.caps.kind() == kind && w.caps.digital())
        };
        let plays = |pin: &Widget| {
            let config = PinConfig(pin.config);
            config.spdif_output() && pin.pin.output() && !pin.pin.display()
        };
        for (pin, _) in of(Kind::Pin).filter(|(_, pin)| plays(pin)) {
            let paths = of(Kind::Dac).filter(|(_, dac)| dac.pcm.takes(bits));
            let mut paths = paths.filter_map(|(dac, _)| Path::between(graph, pin, dac));
            let own = |path: &Path| self.digital.iter().all(|one| one.source() != path.source());
            if let Some(path) = paths.find(own) {
                // More than there is room for play nothing.
                let _ = self.digital.push(path);
            }
        }
    }

    fn find_inputs(
        &mut self,
        graph: &Graph,
        groups: &Groups,
        usable: fn(&Widget) -> bool,
        shared: Option<Nid>,
    ) {
        let adcs = || {
            converters(graph)
                .filter(|(_, adc)| usable(adc))
                .map(|(n, _)| n)
        };
        let pins = || groups.inputs.iter().copied();
        // Nothing is recorded through a widget that plays: what guests play would be heard, and
        // what the one needs closed the other needs open.
        let outputs = &self.outputs;
        let way = |adc, pin| {
            let playing = outputs.iter().map(|output| &output.path);
            Path::beside(graph, adc, pin, playing)
        };
        let reaches = |adc, pin| way(adc, pin).is_some();
        let any = |pin| adcs().any(|adc| reaches(adc, pin));
        let common = adcs().find(|&adc| pins().all(|(pin, _)| reaches(adc, pin) || !any(pin)));
        for (pin, source) in pins() {
            let path = match common {
                Some(adc) => way(adc, pin),
                None => adcs().find_map(|adc| way(adc, pin)),
            };
            let Some(path) = path else {
                continue;
            };
            let volume = path.capture_volume(graph);
            let boost = match source {
                Source::Mic | Source::LineIn => path.boost(graph, volume),
                _ => None,
            };
            let _ = self.inputs.push(Input {
                source,
                place: config(graph, pin).place(),
                path,
                volume,
                boost,
                senses: senses(graph, pin),
                shared: shared == Some(pin),
            });
        }
    }

    /// Microphones take over from each other only if all inputs are such, each in another
    /// place, and all but a built-in one tell when something is plugged in.
    fn take_over(&self, graph: &Graph, groups: &Groups) -> Option<Vec<u8, MICS>> {
        let mut order = Vec::<(Place, u8), MICS>::new();
        for &(pin, source) in &groups.inputs {
            let place = config(graph, pin).place();
            let fits = source == Source::Mic
                && !order.iter().any(|&(taken, _)| taken == place)
                && (place == Place::Internal || senses(graph, pin));
            let index = self.inputs.iter().position(|input| input.pin() == pin)?;
            let index = u8::try_from(index).ok().filter(|_| fits)?;
            order.push((place, index)).ok()?;
        }
        sort(&mut order, |&(place, _)| place);
        (order.len() > 1).then(|| order.iter().map(|&(_, index)| index).collect())
    }
}

/// The paths from a pin to every analog converter for recording that it reaches.
pub fn input_paths(graph: &Graph, pin: Nid) -> impl Iterator<Item = Path> {
    converters(graph).filter_map(move |(adc, _)| Path::between(graph, adc, pin))
}

fn converters(graph: &Graph) -> impl Iterator<Item = (Nid, &Widget)> {
    graph
        .widgets()
        .filter(|(_, widget)| widget.caps.kind() == Kind::Adc && !widget.caps.digital())
}

fn config(graph: &Graph, pin: Nid) -> PinConfig {
    PinConfig(graph.widget(pin).map_or(0, |widget| widget.config))
}

fn widest<'a>(widgets: impl Iterator<Item = &'a Widget>) -> Option<SampleBits> {
    let each = widgets.map(|widget| widget.pcm);
    each.reduce(super::graph::PcmCaps::both)?.widest_at_48k()
}

/// Whether a pin's jack tells when something is plugged in, on its own or when asked.
fn senses(graph: &Graph, pin: Nid) -> bool {
    graph
        .widget(pin)
        .is_some_and(|widget| widget.pin.senses() && !PinConfig(widget.config).blind())
}

/// The jacks to watch, if there are outputs of more than one kind.
fn watched(graph: &Graph, groups: &Groups) -> Vec<Nid, { 2 * GROUP }> {
    let lists = [&groups.main, &groups.headphones, &groups.speakers];
    if lists.iter().filter(|list| !list.is_empty()).count() < 2 {
        return Vec::new();
    }
    let lines: &[Nid] = if groups.speakers.is_empty() {
        &[]
    } else {
        groups.pins(Purpose::LineOut)
    };
    let headphones = groups.pins(Purpose::Headphones);
    let all = headphones.iter().chain(lines).copied();
    all.filter(|&pin| senses(graph, pin)).collect()
}

/// The headphone jack, added to the inputs, if it can record and there is no other jack for it.
fn shared_jack(graph: &Graph, groups: &mut Groups) -> Option<Nid> {
    let built_in = |&(pin, _): &(Nid, Source)| config(graph, pin).place() == Place::Internal;
    if groups.inputs.len() > 1 || !groups.inputs.iter().all(built_in) {
        return None;
    }
    let pin = *groups.pins(Purpose::Headphones).first()?;
    let pin =
        Some(pin).filter(|&pin| graph.widget(pin).is_some_and(|w| w.pin.0 & (1 << 5) != 0))?;
    groups.inputs.push((pin, Source::Mic)).ok()?;
    Some(pin)
}
