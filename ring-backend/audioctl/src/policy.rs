//! What each guest may do: remembered by name, and given to the audio domain by number.

use crate::domains::{Domain, directory};
use crate::store::Store;
use crate::volume;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All that is remembered; private to dom0.
pub const MEMORY: &str = "/local/audiodom";
const ROOT: &str = "/local/audiodom/policy";
/// Stands for every guest that has no word of its own.
pub const DEFAULT: &str = "@default";
/// Stands for the card itself: how loud everybody is together.
pub const MASTER: &str = "@master";
/// Stands for the card's input: what is recorded from.
pub const CAPTURE: &str = "@capture";
/// The nodes of a policy.
const LEAVES: [&str; 5] = ["volume", "mute", "mic", "output", "input"];

/// One guest's policy: the nodes that were set, with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy(BTreeMap<&'static str, String>);

impl Policy {
    /// Its volume in 0.001 dB, if it was set.
    #[must_use]
    pub fn volume(&self) -> Option<i32> {
        self.0.get("volume")?.parse().ok()
    }

    /// Whether it is muted, if that was said.
    #[must_use]
    pub fn muted(&self) -> Option<bool> {
        Some(self.0.get("mute")? == "1")
    }

    /// Whether it may use the microphone, if that was said.
    #[must_use]
    pub fn microphone(&self) -> Option<bool> {
        Some(self.0.get("mic")? == "allow")
    }

    /// The output that it is heard on alone, or that sounds alone; `None`: nothing was said.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        self.0.get("output").map(String::as_str)
    }

    /// The input that is recorded from, if that was said.
    #[must_use]
    pub fn input(&self) -> Option<&str> {
        self.0.get("input").map(String::as_str)
    }

    /// What counts, where `default` stands in for what was not said.
    #[must_use]
    pub fn or(&self, default: &Self) -> Self {
        let mut all = default.0.clone();
        all.extend(self.0.clone());
        Self(all)
    }

    /// For scripts: every part with what counts if nothing was said.
    #[must_use]
    pub fn json(&self) -> Value {
        let volume = self.volume().unwrap_or(0);
        json!({
            "volume_db": f64::from(volume) / 1_000.0,
            "muted": self.muted().unwrap_or(false),
            "microphone": self.microphone().unwrap_or(false),
            "output": self.output(),
            "input": self.input(),
        })
    }

    /// For people: of the card.
    #[must_use]
    pub fn loudness(&self) -> String {
        let muted = self.muted() == Some(true);
        let output = match self.output() {
            None | Some("all" | "auto") => String::new(),
            Some(output) => format!(", on {output} alone"),
        };
        format!(
            "volume {}, {}{output}",
            volume::show(self.volume().unwrap_or(0)),
            if muted { "muted" } else { "not muted" },
        )
    }

    /// For people: of what is recorded from.
    #[must_use]
    pub fn recorded(&self) -> String {
        match self.input() {
            None | Some("auto") => "records from what is plugged in".to_owned(),
            Some(input) => format!("records from {input}"),
        }
    }

    /// For people: of a guest.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}, microphone {}",
            self.loudness(),
            if self.microphone() == Some(true) {
                "allowed"
            } else {
                "denied"
            },
        )
    }
}

/// A guest's name as the name of a node: xenstore knows letters, digits, `-`, `_`, `@` and `/`.
fn escaped(name: &str) -> String {
    if [DEFAULT, MASTER, CAPTURE].contains(&name) {
        return name.to_owned();
    }
    name.bytes().fold(String::new(), |mut node, octet| {
        if octet.is_ascii_alphanumeric() || octet == b'-' {
            node.push(char::from(octet));
        } else {
            node += &format!("_{octet:02x}");
        }
        node
    })
}

/// Remembers one node of a guest's policy.
///
/// # Errors
/// xenstored refused.
pub fn remember(store: &mut Store, guest: &str, leaf: &str, value: &str) -> Result<()> {
    store.make(MEMORY, 0, None)?;
    store.write(&format!("{ROOT}/{}/{leaf}", escaped(guest)), value)
}

/// Forgets all of a guest's policy.
///
/// # Errors
/// xenstored refused.
pub fn forget(store: &mut Store, guest: &str) -> Result<()> {
    store.remove(&format!("{ROOT}/{}", escaped(guest)))
}

/// What was said of a guest.
///
/// # Errors
/// xenstored refused.
pub fn remembered(store: &mut Store, guest: &str) -> Result<Policy> {
    read(store, &format!("{ROOT}/{}", escaped(guest)))
}

fn read(store: &mut Store, directory: &str) -> Result<Policy> {
    let mut policy = Policy::default();
    for leaf in LEAVES {
        if let Some(value) = store.read(&format!("{directory}/{leaf}"))? {
            policy.0.insert(leaf, value);
        }
    }
    Ok(policy)
}

/// Makes the audio domain's nodes what is remembered of the guests that run, and of the card. Writes
/// only what is not so already.
///
/// # Errors
/// xenstored refused.
pub fn project(store: &mut Store, audio: &Domain, running: &[Domain]) -> Result<()> {
    let control = format!("{}/control", directory(audio.id));
    // What somebody else wrote there, who says nothing here, stays.
    for (whose, part) in [(MASTER, "master"), (CAPTURE, "capture")] {
        let said = remembered(store, whose)?;
        if said != Policy::default() {
            give(store, &format!("{control}/{part}"), &said)?;
        }
    }
    let root = format!("{control}/policy");
    let guests = running.iter().filter(|guest| guest.id != audio.id);
    let mut wanted: BTreeMap<String, Policy> = BTreeMap::new();
    for guest in guests {
        wanted.insert(guest.id.to_string(), remembered(store, &guest.name)?);
    }
    wanted.insert("default".to_owned(), remembered(store, DEFAULT)?);
    wanted.retain(|_, policy| *policy != Policy::default());
    for whose in store.list(&root)? {
        if !wanted.contains_key(&whose) {
            store.remove(&format!("{root}/{whose}"))?;
        }
    }
    for (whose, policy) in wanted {
        give(store, &format!("{root}/{whose}"), &policy)?;
    }
    Ok(())
}

/// Makes the nodes of a directory a policy.
fn give(store: &mut Store, directory: &str, policy: &Policy) -> Result<()> {
    let there = read(store, directory)?;
    for leaf in LEAVES {
        let node = format!("{directory}/{leaf}");
        match (policy.0.get(leaf), there.0.get(leaf)) {
            (Some(value), there) if there != Some(value) => store.write(&node, value)?,
            (None, Some(_)) => store.remove(&node)?,
            _ => {}
        }
    }
    Ok(())
}

/// Takes from the audio domain what was said of the card, or of its input.
///
/// # Errors
/// xenstored refused.
pub fn forget_card(store: &mut Store, audio: &Domain, whose: &str) -> Result<()> {
    let node = match whose {
        MASTER => "master",
        // Its gain is set by hand.
        CAPTURE => "capture/input",
        _ => return Ok(()),
    };
    store.remove(&format!("{}/control/{node}", directory(audio.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_node_of_its_own() {
        let names = [
            "web",
            "web.lan",
            "web_lan",
            "web_2elan",
            "a/b",
            "@default",
            "@master",
            "@capture",
            "_40default",
            "ü",
        ];
        let nodes: Vec<String> = names.iter().map(|name| escaped(name)).collect();
        for (n, node) in nodes.iter().enumerate() {
            assert!(!nodes[..n].contains(node), "{node} twice");
            assert!(!node.contains('/'));
        }
        assert_eq!(escaped("web.lan"), "web_2elan");
    }
}
