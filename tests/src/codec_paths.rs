//! The paths that the driver chooses for a codec, written as Linux's debug output writes them.

use drivers::hda::codec::Codec;
use drivers::hda::configuration::{Configuration, input_paths};
use drivers::hda::graph::{Graph, Kind};
use drivers::hda::groups::Groups;
use drivers::hda::path::{HOPS, Hop, Path};
use drivers::hda::pins::Purpose;
use drivers::hda::verb::{Amp, CodecAddress, Nid};
use drivers::{Clock, Micros};
use serde_json::{Value, json};

use crate::hda_sim::codec::Codec as SimCodec;

/// A clock on which waiting takes no time at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Micros {
        Micros(0)
    }
    fn pause(&self, _: Micros) {}
}

/// What a codec says about itself; `None` if it has no audio function.
#[must_use]
pub fn read(codec: &SimCodec) -> Option<Codec> {
    let mut read = Codec::new(CodecAddress::FIRST);
    read.read(&mut codec.clone(), &NoTime).ok().map(|()| read)
}

fn hex(pins: &[Nid]) -> Value {
    pins.iter().map(|pin| format!("{:#x}", pin.0)).collect()
}

/// A path from its source to its sink: "02:0c:14".
#[must_use]
pub fn written(path: &Path) -> String {
    let nodes = path.hops().iter().rev();
    let nodes: Vec<String> = nodes.map(|hop| format!("{:02x}", hop.node.0)).collect();
    nodes.join(":")
}

/// Checks that every path of a configuration follows connections that the graph has, between the
/// kinds of widgets that it should, and that nothing is set up twice.
///
/// # Panics
/// If one does not.
pub fn check(graph: &Graph, configuration: &Configuration) {
    for output in configuration.outputs() {
        check_path(graph, &output.path, [Kind::Pin, Kind::Dac]);
    }
    for input in configuration.inputs() {
        check_path(graph, &input.path, [Kind::Adc, Kind::Pin]);
    }
    let outputs = configuration.outputs().iter();
    let mut amps: Vec<(Nid, bool)> = outputs
        .filter_map(|output| output.volume)
        .map(|at| (at.node, matches!(at.amp, Amp::Output)))
        .collect();
    let volumes = amps.len();
    amps.sort_unstable();
    amps.dedup();
    assert_eq!(
        amps.len(),
        volumes,
        "an amplifier is the volume of two outputs"
    );
}

fn check_path(graph: &Graph, path: &Path, ends: [Kind; 2]) {
    let hops = path.hops();
    assert!((2..=HOPS).contains(&hops.len()));
    for (hop, after) in hops.iter().zip(&hops[1..]) {
        let index = hop.input.expect("an input at every hop but the last");
        assert_eq!(graph.inputs(hop.node)[usize::from(index)], after.node);
    }
    let kind = |hop: &Hop| graph.kind(hop.node);
    let (first, last) = (&hops[0], &hops[hops.len() - 1]);
    assert_eq!([kind(first), kind(last)], ends.map(Some));
    let passes = |kind| !matches!(kind, None | Some(Kind::Dac | Kind::Adc | Kind::Pin));
    assert!(hops[1..hops.len() - 1].iter().map(kind).all(passes));
    let mut nodes: Vec<_> = hops.iter().map(|hop| hop.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    assert_eq!(nodes.len(), hops.len(), "no node twice");
}

/// The answer for one codec.
#[must_use]
pub fn line(id: u64, codec: &SimCodec) -> Value {
    let read = read(codec);
    let empty = Graph::new(Nid(1));
    let graph = read.as_ref().map_or(&empty, |codec| &codec.graph);
    let groups = Groups::of(graph);
    let configuration = Configuration::of(graph);
    let main = configuration.main_purpose();
    let of = |wanted: &dyn Fn(Purpose) -> bool| -> Value {
        let outputs = configuration.outputs().iter();
        let outputs = outputs.filter(|output| wanted(output.purpose));
        outputs.map(|output| written(&output.path)).collect()
    };
    let inputs = configuration.inputs().iter();
    let inputs: Value = inputs
        .flat_map(|input| input_paths(graph, input.pin()))
        .map(|path| written(&path))
        .collect();
    let extra = |purpose| move |own| own == purpose && own != main;
    json!({
        "codec_id": id,
        "line_outs": hex(&groups.main),
        "hp_outs": hex(&groups.headphones),
        "speaker_outs": hex(&groups.speakers),
        "paths": {
            "out": of(&|own| own == main),
            "hp": of(&extra(Purpose::Headphones)),
            "spk": of(&extra(Purpose::Speaker)),
            "input": inputs,
        },
        "automute": hex(configuration.watched()),
    })
}
