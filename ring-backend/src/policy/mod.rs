//! What dom0 lets each guest do.
//!
//! ```text
//! control/policy/<domid>/volume  0.001 dB, e.g. -6000
//!                       /mute    1 or 0
//!                       /mic     allow or deny
//!                       /output  all, or the name of one of the card's outputs
//! control/policy/default/…       what counts where a guest has no such node
//! ```
//!
//! The guest is known by its domain's number alone, and what it may is in this domain's own
//! directory, where no guest may write: nobody can pretend to be another. A value that makes no
//! sense leaves what counted before. The directory is listed once, and after that a watch event
//! says which guest's nodes are to be read again.

mod entry;

use crate::route::Terminal;
use crate::world::{DomId, Nanos};
use crate::xenstore::{Client, PATH_OCTETS, Reply, StoreError, Ticket, index, names};
use alloc::boxed::Box;
use core::fmt;
use entry::{Entry, Key};
use heapless::{String, Vec};

/// Where the nodes are, relative to this domain's directory.
const ROOT: &str = "control/policy";
const DEFAULT: &str = "default";
/// Guests that can have a policy: more than there can be devices.
const GUESTS: usize = 128;
/// How long to wait after xenstore refused to answer.
const RETRY_MILLIS: u64 = 1_000;

/// What one guest may do. Nobody hears the microphone unless that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// How loud it is, in 0.001 dB; multiplied with what the guest sets itself.
    pub volume: i32,
    /// Not heard, whatever its volume.
    pub muted: bool,
    /// Its capture streams get what the microphone hears; else zeros.
    pub microphone: bool,
    /// It is heard on this output alone; `None`: on all.
    pub output: Option<Terminal>,
}

/// Whose policy: a guest's, or `None` for the default.
type Whose = Option<DomId>;

/// What is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    List,
    Read(Whose, Key),
}

/// Everybody's policy, as dom0 last wrote it. One request in flight.
#[derive(Debug)]
pub struct Policies {
    default: Entry,
    guests: Box<Vec<(DomId, Entry), GUESTS>>,
    /// Whose nodes are to be read again.
    stale: Box<Vec<Whose, { GUESTS + 1 }>>,
    list: bool,
    /// What is read next, within one policy; and what the nodes before it said.
    next: Option<(Ask, Entry)>,
    sent: Option<(Ticket, Ask, Entry)>,
    retry: Option<Nanos>,
    /// Everything was read once.
    known: bool,
    /// There are more policies than room for them.
    full: bool,
    changes: u32,
}

impl Default for Policies {
    fn default() -> Self {
        Self::new()
    }
}

impl Policies {
    /// Nothing is known yet. Allocates, and never again.
    #[must_use]
    pub fn new() -> Self {
        Self {
            default: Entry::NONE,
            guests: Box::new(Vec::new()),
            stale: Box::new(Vec::new()),
            list: false,
            next: None,
            sent: None,
            retry: None,
            known: false,
            full: false,
            changes: 0,
        }
    }

    /// Counts changes of what [`Policies::of`] or [`Policies::fault`] says.
    #[must_use]
    pub const fn changes(&self) -> u32 {
        self.changes
    }

    /// What a guest may do. Until all was read once nobody is heard: it may be muted.
    #[must_use]
    pub fn of(&self, dom: DomId) -> Policy {
        let own = self.entry(Some(dom));
        let default = &self.default;
        Policy {
            volume: own.volume.or(default.volume).unwrap_or(0),
            muted: !self.known || own.muted.or(default.muted).unwrap_or(false),
            microphone: own.microphone.or(default.microphone).unwrap_or(false),
            output: own.output.or(default.output).unwrap_or(None),
        }
    }

    /// What is wrong with the nodes, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<PolicyFault> {
        let default = (None, &self.default);
        let guests = self.guests.iter().map(|(dom, entry)| (Some(*dom), entry));
        let (whose, entry) = core::iter::once(default)
            .chain(guests)
            .find(|(_, entry)| entry.bad != 0)
            .unwrap_or(default);
        let bad = |key: &Key| entry.bad & 1 << *key as u8 != 0;
        match Key::ALL.into_iter().find(bad) {
            Some(key) => Some(PolicyFault::Bad(whose, key)),
            None => self.full.then_some(PolicyFault::Full),
        }
    }

    /// Takes an event of the watch on `control`.
    pub fn event(&mut self, path: &str) {
        let Some(rest) = path.strip_prefix(ROOT) else {
            // The watch was set just now.
            self.list |= path == "control";
            return;
        };
        match rest.split('/').nth(1) {
            None => self.list = true,
            // More at once than can be remembered: then all are looked at.
            Some(name) => self.list |= !self.mark(name),
        }
    }

    /// Takes a reply; false if it is not ours.
    pub fn reply(&mut self, now: Nanos, reply: &Reply<'_>) -> bool {
        let sent = self.sent.filter(|(ticket, ..)| *ticket == reply.ticket);
        let Some((_, ask, mut entry)) = sent else {
            return false;
        };
        self.sent = None;
        let value = match reply.result {
            Ok(value) => Some(value),
            Err(StoreError::NotFound | StoreError::Denied) => None,
            Err(_) => {
                self.next = Some((ask, entry));
                self.retry = Some(now.plus_millis(RETRY_MILLIS));
                return true;
            }
        };
        match ask {
            Ask::List => {
                // What is known may be gone.
                self.stale.clear();
                let _ = self.stale.push(None);
                for (dom, _) in &*self.guests {
                    let _ = self.stale.push(Some(*dom));
                }
                let mut all = true;
                names(value.unwrap_or_default()).for_each(|name| all &= self.mark(name));
                self.full = !all;
            }
            Ask::Read(whose, key) => {
                entry.take(key, value);
                match Key::ALL.get(key as usize + 1) {
                    Some(&key) => self.next = Some((Ask::Read(whose, key), entry)),
                    None => self.put(whose, entry),
                }
            }
        }
        true
    }

    /// Sends the next request, if there is one and room for it.
    pub fn advance(&mut self, now: Nanos, client: &mut Client) {
        if self.sent.is_some() || self.retry.is_some_and(|retry| now < retry) {
            return;
        }
        self.retry = None;
        let Some((ask, entry)) = self.next.take().or_else(|| self.pick()) else {
            return;
        };
        let sent = match ask {
            Ask::List => client.directory(ROOT),
            Ask::Read(whose, key) => client.read(&path(whose, key)),
        };
        match sent {
            Ok(ticket) => self.sent = Some((ticket, ask, entry)),
            Err(_) => self.next = Some((ask, entry)),
        }
    }

    /// When to call [`Policies::advance`] again if no message comes.
    #[must_use]
    pub const fn deadline(&self) -> Option<Nanos> {
        self.retry
    }

    fn pick(&mut self) -> Option<(Ask, Entry)> {
        if core::mem::take(&mut self.list) {
            return Some((Ask::List, Entry::NONE));
        }
        let whose = self.stale.pop()?;
        Some((Ask::Read(whose, Key::Volume), self.entry(whose)))
    }

    fn entry(&self, whose: Whose) -> Entry {
        match whose {
            None => self.default,
            Some(dom) => {
                let found = self.guests.iter().find(|(of, _)| *of == dom);
                found.map_or(Entry::NONE, |(_, entry)| *entry)
            }
        }
    }

    /// Notes that the policy of this name is to be read; false if there is no room to.
    fn mark(&mut self, name: &str) -> bool {
        let dom = index(name).and_then(|dom| u16::try_from(dom).ok());
        let whose = match dom {
            Some(dom) => Some(DomId(dom)),
            None if name == DEFAULT => None,
            None => return true,
        };
        self.stale.contains(&whose) || self.stale.push(whose).is_ok()
    }

    /// Keeps what was read.
    fn put(&mut self, whose: Whose, entry: Entry) {
        self.changes = self.changes.wrapping_add(1);
        self.known |= self.stale.is_empty();
        let Some(dom) = whose else {
            self.default = entry;
            return;
        };
        let place = self.guests.iter().position(|(of, _)| *of == dom);
        match (place, entry == Entry::NONE) {
            (Some(place), true) => {
                self.guests.swap_remove(place);
                self.full = false;
            }
            (Some(place), false) => {
                if let Some(place) = self.guests.get_mut(place) {
                    place.1 = entry;
                }
            }
            (None, true) => {}
            (None, false) => self.full |= self.guests.push((dom, entry)).is_err(),
        }
    }
}

/// What is wrong with dom0's nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyFault {
    /// A value makes no sense.
    #[expect(private_interfaces, reason = "to be shown, not to be told apart")]
    Bad(Whose, Key),
    /// There are more policies than room for them.
    Full,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(whose, key) => {
                let path = path(*whose, *key);
                write!(out, "{path}: bad value, what was before counts")
            }
            Self::Full => write!(out, "{ROOT}: more than {GUESTS} guests, some are left out"),
        }
    }
}

/// The path of a node.
fn path(whose: Whose, key: Key) -> String<PATH_OCTETS> {
    use fmt::Write;
    let mut path = String::new();
    // It fits: a number has five digits at most.
    let _ = match whose {
        None => write!(path, "{ROOT}/{DEFAULT}/{}", key.name()),
        Some(dom) => write!(path, "{ROOT}/{}/{}", dom.0, key.name()),
    };
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_heard_before_dom0_s_word_is_known() {
        let mut policies = Policies::new();
        assert!(policies.of(DomId(3)).muted);
        policies.put(None, Entry::NONE);
        assert_eq!(policies.of(DomId(3)), Policy::default());
    }

    #[test]
    fn the_longest_path_fits() {
        let longest = path(Some(DomId(u16::MAX)), Key::Volume);
        assert_eq!(longest, "control/policy/65535/volume");
        assert_eq!(path(None, Key::Microphone), "control/policy/default/mic");
    }
}
