//! What the audio domain tells, put together with what was said of its guests.

use crate::domains::directory;
use crate::policy::{self, DEFAULT, Policy};
use crate::reattach;
use crate::session::Session;
use crate::volume;
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// The audio domain and everybody who plays, at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    /// The audio domain's name.
    pub name: String,
    /// Its number, while it runs.
    pub id: Option<u32>,
    /// Its own words: `state`, `card`, `routes`, `ready`, `policy`, `mic`, `held`, as far as it has
    /// them.
    pub words: Vec<(&'static str, String)>,
    /// Its guests.
    pub guests: Vec<Guest>,
    /// Guests whose devices wait to be reattached.
    pub lost: Vec<String>,
}

/// A guest of the audio domain, or one that it has a policy for.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its name; its number where it has none any more.
    pub name: String,
    /// Its number.
    pub id: u32,
    /// What counts for it.
    pub policy: Policy,
    /// Its devices.
    pub devices: Vec<Device>,
}

/// One device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its number in the guest.
    pub number: String,
    /// Whether it is connected.
    pub connected: bool,
    /// What is wrong with it, if anything.
    pub error: Option<String>,
    /// Its streams.
    pub streams: Vec<Stream>,
}

/// One stream: the words of its line.
#[derive(Clone, Debug, Default)]
pub struct Stream(Vec<(String, String)>);

impl Stream {
    /// Reads a line of `key=value` words.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let words = line.split(' ').filter_map(|word| word.split_once('='));
        Self(
            words
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// A word of the line.
    #[must_use]
    pub fn word(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(word, _)| word == key);
        found.map(|(_, value)| value.as_str())
    }

    /// A number of the line.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.word(key)?.parse().ok()
    }

    /// Whether it records.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.word("type") == Some("c")
    }

    /// What it does.
    #[must_use]
    pub fn doing(&self) -> &'static str {
        match (self.number("playing") == Some(1), self.captures()) {
            (true, false) => "plays",
            (true, true) if self.number("mic") == Some(1) => "records",
            (true, true) => "gets zeros",
            (false, _) if self.word("format").is_none_or(|format| format == "-") => "closed",
            (false, _) => "open",
        }
    }

    /// The format it is open with.
    #[must_use]
    pub fn format(&self) -> String {
        match (
            self.word("format"),
            self.number("rate"),
            self.number("channels"),
        ) {
            (Some(format), Some(rate), Some(channels)) if format != "-" => {
                format!("{format} {rate} {channels}ch")
            }
            _ => "-".to_owned(),
        }
    }

    /// Its level in dB of full scale; `None` in silence or where nothing was measured.
    #[must_use]
    pub fn level(&self) -> Option<f64> {
        let peak = self.number("peak").filter(|&peak| peak > 0)?;
        Some(20.0 * (peak as f64 / 32_767.0).log10())
    }

    fn latency_ms(&self) -> Option<f64> {
        Some(self.number("latency_us")? as f64 / 1_000.0)
    }

    fn json(&self) -> Value {
        let mut object: Map<String, Value> = self
            .0
            .iter()
            .map(|(key, value)| {
                let number = value.parse::<u64>().map(Value::from);
                (
                    key.clone(),
                    number.unwrap_or_else(|_| Value::from(value.clone())),
                )
            })
            .collect();
        object.insert("doing".to_owned(), self.doing().into());
        object.insert("level_dbfs".to_owned(), self.level().into());
        object.into()
    }
}

/// Asks the audio domain for fresh numbers. They come within half a second.
///
/// # Errors
/// It does not run, or xenstored refused.
pub fn ask(session: &mut Session) -> Result<()> {
    let audio = session.audio_running()?;
    let node = format!("{}/control/refresh", directory(audio.id));
    session.store.write(&node, "1")
}

/// Looks at everything.
///
/// # Errors
/// xenstored refused.
pub fn look(session: &mut Session) -> Result<Report> {
    let audio = session.audio();
    let mut report = Report {
        name: session.name.clone(),
        id: audio.as_ref().map(|audio| audio.id),
        words: Vec::new(),
        guests: Vec::new(),
        lost: Vec::new(),
    };
    for lost in reattach::lost(session)? {
        if !report.lost.contains(&lost.guest.name) {
            report.lost.push(lost.guest.name);
        }
    }
    let Some(audio) = audio else {
        return Ok(report);
    };
    let data = format!("{}/data", directory(audio.id));
    let store = &mut session.store;
    for leaf in ["state", "card", "routes", "ready", "policy", "mic", "held"] {
        if let Some(value) = store.read(&format!("{data}/{leaf}"))? {
            report.words.push((leaf, value));
        }
    }
    let default = policy::remembered(store, DEFAULT)?;
    let mut ids: Vec<u32> = Vec::new();
    for root in [
        format!("{data}/guest"),
        format!("{}/control/policy", directory(audio.id)),
    ] {
        ids.extend(
            store
                .list(&root)?
                .iter()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
    }
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let name = session.running.iter().find(|domain| domain.id == id);
        let name = name.map_or_else(|| id.to_string(), |domain| domain.name.clone());
        let policy = policy::remembered(store, &name)?.or(&default);
        let root = format!("{data}/guest/{id}");
        let mut devices = Vec::new();
        for number in store.list(&root)? {
            let place = format!("{root}/{number}");
            let mut streams = Vec::new();
            for leaf in store.list(&place)? {
                if leaf.starts_with("stream-")
                    && let Some(line) = store.read(&format!("{place}/{leaf}"))?
                {
                    streams.push(Stream::parse(&line));
                }
            }
            devices.push(Device {
                connected: store.read(&format!("{place}/state"))?.as_deref() == Some("4"),
                error: store.read(&format!("{place}/error"))?,
                number,
                streams,
            });
        }
        report.guests.push(Guest {
            name,
            id,
            policy,
            devices,
        });
    }
    Ok(report)
}

impl Report {
    /// For scripts.
    #[must_use]
    pub fn json(&self) -> Value {
        let guests = self.guests.iter().map(|guest| {
            let devices = guest.devices.iter().map(|device| {
                json!({
                    "device": device.number,
                    "connected": device.connected,
                    "error": device.error,
                    "streams": device.streams.iter().map(Stream::json).collect::<Vec<_>>(),
                })
            });
            json!({
                "guest": guest.name,
                "domid": guest.id,
                "policy": guest.policy.json(),
                "devices": devices.collect::<Vec<_>>(),
            })
        });
        let words: Map<String, Value> = self
            .words
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone().into()))
            .collect();
        json!({
            "audio_domain": { "name": self.name, "domid": self.id, "data": words },
            "guests": guests.collect::<Vec<_>>(),
            "to_reattach": self.lost,
        })
    }

    /// For people; `bar` draws a level where there is one.
    #[must_use]
    pub fn text(&self, bar: impl Fn(&Stream) -> String) -> String {
        let mut text = String::new();
        let mut line = |line: std::fmt::Arguments<'_>| {
            let _ = writeln!(text, "{line}");
        };
        let word = |key| {
            self.words
                .iter()
                .find(|(word, _)| *word == key)
                .map(|(_, value)| value)
        };
        match self.id {
            None => line(format_args!("{}: does not run", self.name)),
            Some(id) => {
                let state = word("state").map_or("starts", String::as_str);
                line(format_args!("{} (domain {id}): {state}", self.name));
            }
        }
        if let Some(card) = word("card") {
            line(format_args!("card: {card}"));
        }
        if let Some(routes) = word("routes").map(|line| Stream::parse(line)) {
            let all = |key| routes.word(key).unwrap_or("-").replace(',', " ");
            let (present, live) = (all("present"), all("live"));
            line(format_args!("routes: {present}; now: {live}"));
        }
        if let Some(fault) = word("policy") {
            line(format_args!("wrong: {fault}"));
        }
        let records = self.guests.iter().filter(|guest| guest.records());
        let records: Vec<&str> = records.map(|guest| guest.name.as_str()).collect();
        if !records.is_empty() {
            line(format_args!("microphone in use by: {}", records.join(" ")));
        }
        for name in &self.lost {
            line(format_args!(
                "{name}: its audio domain is gone; audioctl reattach {name}"
            ));
        }
        if self.guests.is_empty() {
            return text;
        }
        let heads = [
            "GUEST", "DEV", "VOLUME", "MUTE", "MIC", "STREAM", "FORMAT", "LATENCY", "XRUNS",
            "LATE", "LEVEL",
        ];
        let mut rows: Vec<Vec<String>> = vec![heads.map(str::to_owned).to_vec()];
        for guest in &self.guests {
            let policy = &guest.policy;
            let yes = |yes: Option<bool>, word: &str| {
                if yes == Some(true) {
                    word.to_owned()
                } else {
                    "-".to_owned()
                }
            };
            let about = [
                volume::show(policy.volume().unwrap_or(0)),
                yes(policy.muted(), "muted"),
                yes(policy.microphone(), "allowed"),
            ];
            for device in &guest.devices {
                let who = [guest.name.clone(), device.number.clone()];
                let mut row = |rest: &[String]| {
                    rows.push([&who[..], &about, rest].concat());
                };
                if let Some(error) = &device.error {
                    row(&[format!("error: {error}")]);
                } else if !device.connected {
                    row(&["not connected".to_owned()]);
                }
                for stream in &device.streams {
                    let latency = stream.latency_ms().map(|ms| format!("{ms:.1}ms"));
                    row(&[
                        stream.doing().to_owned(),
                        stream.format(),
                        latency.unwrap_or_else(|| "-".to_owned()),
                        stream.number("xruns").unwrap_or(0).to_string(),
                        stream.number("late").unwrap_or(0).to_string(),
                        bar(stream),
                    ]);
                }
            }
            if guest.devices.is_empty() {
                let who = [guest.name.clone(), "-".to_owned()];
                rows.push([&who[..], &about, &["no device".to_owned()]].concat());
            }
        }
        text + &table(&rows)
    }
}

impl Guest {
    fn records(&self) -> bool {
        let streams = self.devices.iter().flat_map(|device| &device.streams);
        streams
            .into_iter()
            .any(|stream| stream.number("mic") == Some(1))
    }
}

/// A level as a number.
#[must_use]
pub fn level(stream: &Stream) -> String {
    let level = stream.level().map(|level| format!("{level:.1}dBFS"));
    level.unwrap_or_else(|| "-".to_owned())
}

/// Lines up columns; a row's last cell may be as long as it likes.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| column + 1 < row.len());
        cells
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
