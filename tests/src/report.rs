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
        let mut all = vec![
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
                limit: None,
                how: "guest clock, first instruction to backend ready; dom0's PCI backend shares the one CPU",
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
        for (guest, names) in [
            (
                "low",
                ["low_first_sound_ms", "low_added_latency_ms", "low_xruns"],
            ),
            (
                "high",
                ["high_first_sound_ms", "high_added_latency_ms", "high_xruns"],
            ),
        ] {
            let stream = line(said, &format!("STREAM {guest} "))?;
            let later = line(said, &format!("LATER {guest} "))?;
            all.push(Figure {
                name: names[0],
                value: number(&stream, "first_sound_us")? / 1e3,
                limit: None,
                how: "guest clock of the audio domain, START to the card reaching its first frame",
            });
            all.push(Figure {
                name: names[1],
                value: number(&later, "latency_us")? / 1e3,
                limit: None,
                how: "how far ahead of the card's DMA position the stream is mixed, filter included",
            });
            all.push(Figure {
                name: names[2],
                value: number(&later, "xruns")?,
                limit: Some(0.0),
                how: "gaps between data of the guest, as the backend counted",
            });
        }
        Ok(Self { all })
    }

    /// Figures that are over their limit.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let over = |figure: &&Figure| figure.limit.is_some_and(|limit| figure.value > limit);
        self.all
            .iter()
            .filter(over)
            .map(|figure| format!("{} is {}", figure.name, figure.value))
            .collect()
    }

    /// As an object: name → value and how it was obtained.
    #[must_use]
    pub fn json(&self) -> Value {
        let pairs = self.all.iter().map(|figure| {
            let value = json!({ "value": figure.value, "how": figure.how });
            (figure.name.to_string(), value)
        });
        Value::Object(pairs.collect())
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
