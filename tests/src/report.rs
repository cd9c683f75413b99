//! The figures of a run of the demo: what the audio domain said of itself, and how it was got.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// One figure.
#[derive(Clone, Debug)]
struct Figure {
    name: &'static str,
    value: f64,
    limit: Option<f64>,
    how: &'static str,
}

/// The figures of one run.
#[derive(Clone, Debug)]
pub struct Figures {
    all: Vec<Figure>,
    guests: BTreeMap<&'static str, Stream>,
}

/// What the backend said of one guest's stream.
#[derive(Clone, Copy, Debug)]
struct Stream {
    first_sound_ms: f64,
    added_latency_ms: f64,
    xruns: f64,
}

impl Stream {
    /// Name, value and how it was obtained.
    fn figures(&self) -> [(&'static str, f64, &'static str); 3] {
        [
            (
                "first_sound_ms",
                self.first_sound_ms,
                "audio domain's clock, the guest's first WRITE to its first frame at the card's DMA; aplay fills its buffer before it starts",
            ),
            (
                "added_latency_ms",
                self.added_latency_ms,
                "how far ahead of the card's DMA position the stream is mixed, its filter included",
            ),
            (
                "xruns",
                self.xruns,
                "gaps between the guest's data, as the backend counted",
            ),
        ]
    }
}

/// `key=value` words of a line.
fn words(line: &str) -> BTreeMap<&str, f64> {
    line.split_whitespace()
        .filter_map(|word| {
            let (key, value) = word.split_once('=')?;
            Some((key, value.parse().ok()?))
        })
        .collect()
}

/// The words of the line that starts with `start`.
fn line<'a>(said: &'a [String], start: &str) -> Result<BTreeMap<&'a str, f64>> {
    let line = said.iter().find_map(|line| line.strip_prefix(start));
    Ok(words(line.with_context(|| {
        format!("the run did not say '{start}'")
    })?))
}

/// A word's number.
fn number(words: &BTreeMap<&str, f64>, key: &str) -> Result<f64> {
    words
        .get(key)
        .copied()
        .with_context(|| format!("the run did not say '{key}'"))
}

/// Wake-ups per second and percent of a CPU between two lines of the loop's counters.
fn rates(said: &[String], from: &str, to: &str) -> Result<(f64, f64)> {
    let (from, to) = (line(said, from)?, line(said, to)?);
    let delta = |key| Ok::<_, anyhow::Error>(number(&to, key)? - number(&from, key)?);
    let seconds = delta("now_ns")? / 1e9;
    Ok((
        delta("wakeups")? / seconds,
        delta("busy_ns")? / 1e7 / seconds,
    ))
}

impl Figures {
    /// Reads them from what the demo's script printed.
    ///
    /// # Errors
    /// A line is missing.
    pub fn read(said: &[String], image_octets: u64) -> Result<Self> {
        let ready = line(said, "READY ")?;
        let (idle, _) = rates(said, "LOOP idle-from ", "LOOP idle-to ")?;
        let (playing, busy) = rates(said, "LOOP playing-from ", "LOOP playing-to ")?;
        let all = vec![
            Figure {
                name: "image_bytes",
                value: image_octets as f64,
                limit: Some(262_144.0),
                how: "size of the ELF file that xl loads",
            },
            Figure {
                name: "domain_memory_kib",
                value: number(&ready, "domain_memory_kib")?,
                limit: Some(4_096.0),
                how: "pages Xen gave the domain, from its start info",
            },
            Figure {
                name: "boot_ready_ms",
                value: number(&ready, "boot_ready_ms")?,
                limit: Some(50.0),
                how: "guest clock, first instruction to backend ready; dom0's PCI backend shares the one CPU",
            },
            Figure {
                name: "boot_awake_ms",
                value: number(&ready, "boot_awake_ms")?,
                limit: Some(50.0),
                how: "the part of boot_ready_ms in which the domain did not sleep waiting for dom0",
            },
            Figure {
                name: "wakeups_per_s_idle",
                value: idle,
                limit: None,
                how: "returns from SCHEDOP_poll over 20 s with two silent guests; all are from asking for this figure",
            },
            Figure {
                name: "wakeups_per_s_playing",
                value: playing,
                limit: None,
                how: "returns from SCHEDOP_poll while two guests play",
            },
            Figure {
                name: "cpu_percent_playing",
                value: busy,
                limit: None,
                how: "guest clock not spent in SCHEDOP_poll, of an emulated CPU of 500 MIPS",
            },
        ];
        let mut guests = BTreeMap::new();
        for guest in ["low", "high"] {
            let stream = line(said, &format!("STREAM {guest} "))?;
            let later = line(said, &format!("LATER {guest} "))?;
            guests.insert(
                guest,
                Stream {
                    first_sound_ms: number(&stream, "first_sound_us")? / 1e3,
                    added_latency_ms: number(&later, "latency_us")? / 1e3,
                    xruns: number(&later, "xruns")?,
                },
            );
        }
        Ok(Self { all, guests })
    }

    /// Figures that are over their limit.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let over = |figure: &&Figure| figure.limit.is_some_and(|limit| figure.value > limit);
        let figures = self.all.iter().filter(over);
        let figures = figures.map(|figure| format!("{} is {}", figure.name, figure.value));
        let gaps = self.guests.iter().filter(|(_, stream)| stream.xruns > 0.0);
        let gaps = gaps.map(|(name, stream)| format!("{name} had {} xruns", stream.xruns));
        figures.chain(gaps).collect()
    }

    /// As an object: name → value and how it was obtained; a guest's values by its name.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut object = serde_json::Map::new();
        for figure in &self.all {
            let value = json!({ "value": figure.value, "how": figure.how });
            object.insert(figure.name.to_string(), value);
        }
        for (guest, stream) in &self.guests {
            for (name, value, how) in stream.figures() {
                let entry = object
                    .entry(name)
                    .or_insert_with(|| json!({ "value": {}, "how": how }));
                entry["value"][*guest] = json!(value);
            }
        }
        Value::Object(object)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for figure in &self.all {
            writeln!(
                out,
                "  {:22} {:10.1}   {}",
                figure.name, figure.value, figure.how
            )?;
        }
        for (guest, stream) in &self.guests {
            for (name, value, how) in stream.figures() {
                writeln!(
                    out,
                    "  {:22} {value:10.1}   {how}",
                    format!("{guest} {name}")
                )?;
            }
        }
        Ok(())
    }
}

/// The alternative: Debian's kernel as the driver domain, measured once on this machine.
#[must_use]
pub fn linux_driver_domain() -> Value {
    json!({
        "domain_memory_kib": { "value": 94_208, "how": "smallest memory= with which Debian's kernel played a tone through the same card; measured once, not in this run" },
        "create_to_ready_ms": { "value": 14_100, "how": "xl create to card ready in the same virtual time; measured once, not in this run" },
    })
}
