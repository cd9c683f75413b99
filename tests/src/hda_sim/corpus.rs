//! Codecs of real machines, from a file with one codec a line.
//!
//! The file is not part of the project. [`Corpus::find`] looks for it where `AUDIODOM_CODECS`
//! says, or beside the checkout.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::fake::seed::Seed;

use super::codec::{Amp, Codec, Kind, Widget};

/// The environment variable that names the folder.
pub const VARIABLE: &str = "AUDIODOM_CODECS";

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Corpus {
    folder: PathBuf,
}

impl Corpus {
    /// The corpus, if this machine has it; says so where it has not.
    #[must_use]
    pub fn find() -> Option<Self> {
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/codecs");
        let folder = std::env::var_os(VARIABLE).map_or_else(|| beside.into(), PathBuf::from);
        let found = folder.join("corpus.jsonl.gz").exists();
        if !found {
            println!(
                "NOT TESTED: no codecs in {} ({VARIABLE} names another folder)",
                folder.display()
            );
        }
        found.then_some(Self { folder })
    }

    /// All codecs.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn codecs(&self) -> Result<Vec<(u64, Codec)>> {
        read(&self.folder.join("corpus.jsonl.gz"))
    }

    /// What Linux decided for some of them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn answers(&self) -> Result<Vec<Value>> {
        lines(&self.folder.join("linux-5.10-paths.jsonl.gz"))?.collect()
    }
}

/// The lines of a file of JSON, compressed if its name ends so.
///
/// # Errors
/// The file cannot be opened.
pub fn lines(path: &Path) -> Result<impl Iterator<Item = Result<Value>> + use<>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let text: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let lines = BufReader::new(text).lines();
    Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
}

/// The codecs of a file, each with its number.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Vec<(u64, Codec)>> {
    lines(path)?
        .map(|line| {
            let line = line?;
            let id = line["id"].as_u64().context("a codec without a number")?;
            Ok((id, codec(&line)))
        })
        .collect()
}

/// A codec as a line tells it. What the line leaves out, the codec does not have.
#[must_use]
pub fn codec(line: &Value) -> Codec {
    let none = Vec::new();
    let nodes = line["nodes"].as_array().unwrap_or(&none);
    let first = nodes.iter().map(|node| number(&node["nid"])).min();
    let first = first.unwrap_or(2).clamp(1, 255) as u8;
    let mut widgets: Vec<Widget> = Vec::new();
    for node in nodes {
        let at = number(&node["nid"]).saturating_sub(first.into()) as usize;
        if at > 255 {
            continue;
        }
        while widgets.len() <= at {
            widgets.push(Widget::new(Kind::Vendor));
        }
        widgets[at] = widget(node, line);
    }
    let function = u32::from(!line["fg"].is_array() || line["fg"][0][0] == "AFG");
    let mut codec = Codec::new(number(&line["vid"]), pcm(line), first, widgets)
        .function(if function == 1 { 1 } else { 2 })
        .group_amps(amp(&line["amp_in"]), amp(&line["amp_out"]));
    codec.revision = number(&line["rev"]);
    codec.subsystem = number(&line["ssid"]);
    // What a dump does not show: wiring that means the opposite.
    if codec.vendor == 0x11D4_1986 {
        codec = codec.inverted();
        if codec.subsystem == 0x17AA_2066 {
            codec = codec.contrary();
        }
    }
    let amplified = |widget: &&Widget| widget.pin_caps & (1 << 16) != 0;
    if codec.vendor >> 16 == 0x14F1 && codec.widgets.iter().filter(amplified).count() <= 2 {
        codec = codec.gated();
    }
    codec.powered()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap_or(0) as u32
}

fn pcm(of: &Value) -> u32 {
    number(&of["bits"]) << 16 | number(&of["rates"]) & 0xFFFF
}

/// Offset, steps, step size and mute as the parameter has them.
fn amp(of: &Value) -> u32 {
    let field = |index: usize| number(&of[index]);
    field(0) & 0x7F | (field(1) & 0x7F) << 8 | (field(2) & 0x7F) << 16 | field(3) << 31
}

fn levels(of: &Value, channels: usize) -> Vec<[u8; 2]> {
    let all: Vec<u8> = of.as_array().map_or(Vec::new(), |levels| {
        levels.iter().map(|level| number(level) as u8).collect()
    });
    let pair = |pair: &[u8]| [pair[0], *pair.last().expect("a level")];
    all.chunks(channels).map(pair).collect()
}

fn widget(node: &Value, group: &Value) -> Widget {
    let caps = number(&node["wcaps"]);
    let inputs: Vec<u8> = node["conn"].as_array().map_or(Vec::new(), |list| {
        list.iter().map(|input| number(input) as u8).collect()
    });
    let side = |caps_key: &str, levels_key: &str, bit: u32| {
        let own = &node[caps_key];
        let inherited = caps & (1 << bit) != 0 && (caps & (1 << 3) == 0 || own.is_null());
        let mut side = Amp {
            caps: amp(if inherited { &group[caps_key] } else { own }),
            levels: levels(&node[levels_key], 1 + (caps & 1) as usize),
        };
        let wanted = if bit == 1 { inputs.len().max(1) } else { 1 };
        side.levels.resize(wanted, [0x80; 2]);
        side
    };
    Widget {
        caps,
        pin_caps: number(&node["pincap"]),
        config: number(&node["cfg"]),
        pcm: pcm(node),
        // Long entries name every node; short ones end at 127.
        long_list: inputs.iter().any(|&input| input > 127),
        raw: inputs.iter().map(|&input| input.into()).collect(),
        input_amp: side("amp_in", "ai", 1),
        output_amp: side("amp_out", "ao", 2),
        own_amps: caps & (1 << 3) != 0,
        selected: number(&node["sel"]) as usize,
        pin_control: number(&node["pinctl"]) as u8,
        eapd: number(&node["eapd"]) as u8,
        // Nothing is on before it is told to be.
        power: if caps & (1 << 10) != 0 { 3 } else { 0 },
        inputs,
        ..Widget::default()
    }
}

impl Codec {
    /// How many widgets it has.
    #[must_use]
    pub fn widgets(&self) -> usize {
        self.widgets.len()
    }

    /// The same codec with only its first widgets.
    #[must_use]
    pub fn cut(&self, widgets: usize) -> Self {
        let mut cut = self.clone();
        cut.widgets.truncate(widgets);
        cut
    }

    /// Makes one thing about one widget wrong.
    pub fn damage(&mut self, seed: &mut Seed) {
        let mut below = |limit: u32| seed.below(limit.into()) as u32;
        if self.widgets.is_empty() {
            return;
        }
        let at = below(self.widgets.len() as u32) as usize;
        let other = below(256) as u8;
        let widget = &mut self.widgets[at];
        let bit = 1 << below(32);
        match below(8) {
            0 => widget.caps ^= bit,
            1 => widget.caps = widget.caps & !(0xF << 20) | below(16) << 20,
            2 => widget.pin_caps ^= bit,
            3 => widget.config ^= bit,
            4 => widget.input_amp.caps ^= bit,
            5 if !widget.raw.is_empty() => {
                let index = below(widget.raw.len() as u32) as usize;
                widget.raw[index] = u16::from(other) | (below(4) as u16) << 14;
            }
            6 => widget.raw.push(other.into()),
            _ => widget.raw.truncate(below(8) as usize),
        }
    }
}
