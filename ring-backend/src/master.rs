//! How loud the card itself is, as dom0 says it: beside what each guest may do.
//!
//! ```text
//! control/master/volume  0.001 dB, at most 0, e.g. -6000
//!               /mute    1 or 0
//!               /output  auto, all, or the name of one output: what sounds, whatever is plugged in
//! control/capture/gain   0.001 dB, e.g. 12000
//!                /input  auto, or the name of the input to record from
//! ```
//!
//! A node that is not there counts as 0 or `auto`, one that makes no sense as it did before. All are
//! read when one of them changes.

use crate::route::Terminal;
use crate::world::Nanos;
use crate::xenstore::{Client, Reply, StoreError, Ticket, signed};
use core::fmt;

/// The nodes, relative to this domain's directory.
const NODES: [&str; 5] = [
    "control/master/volume",
    "control/master/mute",
    "control/capture/gain",
    "control/master/output",
    "control/capture/input",
];
/// Most that a level can be, either way, in 0.001 dB.
const MOST: i32 = 200_000;
/// What `all` is as a value; names are 1 and more in their order, `auto` is 0.
const ALL: i32 = -1;
/// How long to wait after xenstore refused to answer.
const RETRY_MILLIS: u64 = 1_000;

/// Which outputs sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sounding {
    /// Those that what is plugged in lets sound.
    #[default]
    Auto,
    /// Every one.
    All,
    /// One alone.
    Only(Terminal),
}

/// What dom0 wants of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Master {
    /// Of all outputs, in 0.001 dB.
    pub volume: i32,
    /// Nothing is heard.
    pub muted: bool,
    /// Of the input, in 0.001 dB.
    pub gain: i32,
    /// Which outputs sound.
    pub output: Sounding,
    /// The input to record from; `None`: as what is plugged in has it.
    pub input: Option<Terminal>,
}

/// Follows the nodes. One request in flight.
#[derive(Debug, Default)]
pub struct Masters {
    values: [i32; NODES.len()],
    /// Whether a node's value makes no sense.
    bad: [bool; NODES.len()],
    /// The node to read next.
    next: Option<usize>,
    sent: Option<(Ticket, usize)>,
    retry: Option<Nanos>,
    /// Something changed while they were being read.
    stale: bool,
    changed: bool,
}

impl Masters {
    /// What counts now, if that is not what it was at the last call.
    pub fn take_change(&mut self) -> Option<Master> {
        let [volume, muted, gain, output, input] = self.values;
        core::mem::take(&mut self.changed).then_some(Master {
            volume,
            muted: muted != 0,
            gain,
            output: match terminal(output) {
                Some(only) => Sounding::Only(only),
                None if output == ALL => Sounding::All,
                None => Sounding::Auto,
            },
            input: terminal(input),
        })
    }

    /// The first node whose value makes no sense.
    #[must_use]
    pub fn fault(&self) -> Option<BadMaster> {
        let mut nodes = NODES.into_iter().zip(self.bad);
        nodes.find_map(|(node, bad)| bad.then_some(BadMaster(node)))
    }

    /// Takes an event of the watch on `control`.
    pub fn event(&mut self, path: &str) {
        let ours = |top: &&str| path.starts_with(top);
        // The watch tells of its own node once it was set.
        self.stale |= path == "control" || ["control/master", "control/capture"].iter().any(ours);
    }

    /// Takes a reply; false if it is not ours.
    pub fn reply(&mut self, now: Nanos, reply: &Reply<'_>) -> bool {
        let Some((_, node)) = self.sent.filter(|&(ticket, _)| ticket == reply.ticket) else {
            return false;
        };
        self.sent = None;
        match reply.result {
            Ok(value) => self.take(node, Some(value)),
            Err(StoreError::NotFound | StoreError::Denied) => self.take(node, None),
            Err(_) => {
                self.next = Some(node);
                self.retry = Some(now.plus_millis(RETRY_MILLIS));
                return true;
            }
        }
        self.next = Some(node + 1).filter(|&next| next < NODES.len());
        true
    }

    fn take(&mut self, node: usize, value: Option<&[u8]>) {
        let parsed = match value {
            None => Some(0),
            Some(b"auto") if node > 2 => Some(0),
            Some(b"all") if node == 3 => Some(ALL),
            Some(name) if node > 2 => Terminal::from_name(name)
                .filter(|terminal| terminal.is_output() == (node == 3))
                .map(|terminal| terminal as i32 + 1),
            Some(value) => signed(value).filter(|value| match node {
                0 => (-MOST..=0).contains(value),
                1 => (0..=1).contains(value),
                _ => (-MOST..=MOST).contains(value),
            }),
        };
        if let (Some(place), Some(bad)) = (self.values.get_mut(node), self.bad.get_mut(node)) {
            let before = (*place, *bad);
            (*place, *bad) = (parsed.unwrap_or(*place), parsed.is_none());
            self.changed |= before != (*place, *bad);
        }
    }

    /// Sends the next request, if there is one and room for it.
    pub fn advance(&mut self, now: Nanos, client: &mut Client) {
        if self.sent.is_some() || self.retry.is_some_and(|retry| now < retry) {
            return;
        }
        self.retry = None;
        if self.next.is_none() && core::mem::take(&mut self.stale) {
            self.next = Some(0);
        }
        let Some((node, path)) = self.next.and_then(|node| Some((node, NODES.get(node)?))) else {
            return;
        };
        if let Ok(ticket) = client.read(path) {
            (self.sent, self.next) = (Some((ticket, node)), None);
        }
    }

    /// When to call [`Masters::advance`] again if no message comes.
    #[must_use]
    pub const fn deadline(&self) -> Option<Nanos> {
        self.retry
    }
}

/// The terminal that a value of a node stands for.
fn terminal(value: i32) -> Option<Terminal> {
    let place = usize::try_from(value).ok()?.checked_sub(1)?;
    Terminal::ALL.get(place).copied()
}

/// A node whose value makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMaster(&'static str);

impl fmt::Display for BadMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: bad value, what was before counts", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_value_that_makes_no_sense_leaves_what_counted() {
        let mut masters = Masters::default();
        assert_eq!(masters.take_change(), None);
        masters.take(0, Some(b"-6000"));
        masters.take(1, Some(b"1"));
        masters.take(2, Some(b"12000"));
        let loud = Master {
            volume: -6000,
            muted: true,
            gain: 12_000,
            ..Master::default()
        };
        assert_eq!(masters.take_change(), Some(loud));
        assert_eq!(masters.take_change(), None);
        for (node, bad) in [
            (0, "1"),
            (0, "-200001"),
            (1, "2"),
            (1, "yes"),
            (2, "--1"),
            (2, ""),
        ] {
            masters.take(node, Some(bad.as_bytes()));
            let fault = masters.fault().expect("bad").to_string();
            assert!(fault.starts_with(NODES[node]), "{fault}");
            assert_eq!(masters.take_change(), Some(loud), "{bad}");
            masters.take(node, Some(["-6000", "1", "12000"][node].as_bytes()));
        }
        assert_eq!(masters.fault(), None);
        masters.take(3, Some(b"speaker"));
        masters.take(4, Some(b"line-in"));
        let routed = Master {
            output: Sounding::Only(Terminal::Speaker),
            input: Some(Terminal::LineIn),
            ..loud
        };
        assert_eq!(masters.take_change(), Some(routed));
        for (node, bad) in [(3, "mic"), (4, "speaker"), (4, "all"), (3, "0")] {
            masters.take(node, Some(bad.as_bytes()));
            assert_eq!(masters.take_change(), Some(routed), "{bad}");
            masters.take(node, Some(["speaker", "line-in"][node - 3].as_bytes()));
            assert_eq!(masters.take_change(), Some(routed), "{bad}");
        }
        masters.take(3, Some(b"all"));
        masters.take(4, None);
        let all = Master {
            output: Sounding::All,
            ..loud
        };
        assert_eq!(masters.take_change(), Some(all));
        masters.take(3, Some(b"auto"));
        assert_eq!(masters.take_change(), Some(loud));
        masters.take(0, None);
        assert_eq!(masters.take_change().map(|master| master.volume), Some(0));
    }
}
