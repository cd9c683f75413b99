//! What an administrator can read: `data/…` below this domain's xenstore directory.
//!
//! ```text
//! data/state                      running devices=2 connected=1, or `no card devices=…`
//! data/card                       what the kernel says of the card
//! data/jacks                      outputs; inputs, and whether something is plugged in
//! data/levels                     volume=… mute=… gain=… of the card itself, 0.001 dB
//! data/routes                     present=… live=…: outputs and inputs by name, and which count now
//! data/loop                       now_ns=… wakeups=… busy_ns=… card_rests=… card_wake_us=…
//! data/ready                      what the kernel says of its start, once it is over
//! data/held                       pages=… ports=… watches=… devices=… streams=… buffers=…
//! data/policy                     the node of a policy that makes no sense, if there is one
//! data/mic                        how many guests hear the microphone now, and their numbers
//! data/guest/<domid>/<dev>/state  the backend's xenbus state
//!                         /error  what is wrong, if anything
//!                         /stream-<n>  playing=1 format=s16_le rate=48000 channels=2 …
//! ```
//!
//! One node for a stream's numbers: a domain may own 1000 nodes, and its devices' directories count.
//! A pass goes over all nodes and writes those whose text changed, one at a time. There are at most
//! two passes a second, and none while nothing changes: an idle domain sets no timer for this.

mod text;

use crate::control::{Control, DataPlane};
use crate::link::{DeviceSlot, STREAMS_PER_DEVICE};
use crate::policy::Policies;
use crate::statistics::Held;
use crate::world::{DomId, Nanos};
use crate::xenbus::State;
use crate::xenstore::{Client, PATH_OCTETS, Reply, Ticket};
use alloc::boxed::Box;
use core::fmt;
use heapless::String;
use text::{device_node, hearing, loop_text, path, text};

/// Time between the beginnings of two passes.
const PASS_MILLIS: u64 = 500;
/// Octets of a value; a stream's line with every number at its largest has 190.
const VALUE_OCTETS: usize = 224;
/// Nodes of the whole domain: `state`, `card`, `loop`, `ready`, `policy`, `mic`, `jacks`, `levels`,
/// `routes`, `held`.
const DOMAIN_NODES: usize = 10;
/// Nodes of a device: removal of an older one's, `state`, `error`, its streams.
const DEVICE_NODES: usize = 3 + STREAMS_PER_DEVICE;
/// Octets of the card's description that are kept.
pub const CARD_OCTETS: usize = 128;

type Value = String<VALUE_OCTETS>;
type Path = String<PATH_OCTETS>;

/// The kernel's counters of its one loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LoopCounters {
    /// When they were read.
    pub now: Nanos,
    /// Times the loop woke.
    pub wakeups: u64,
    /// Time spent awake, in nanoseconds.
    pub busy_ns: u64,
    /// Times the card went to low power.
    pub rests: u32,
    /// How long it took to wake from that last, in microseconds.
    pub wake_us: u64,
}

/// What is written of one slot's device: a fingerprint per node, 0 for a node that is not there.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    of: Option<(DomId, u32)>,
    nodes: [u64; DEVICE_NODES],
}

/// One request of a pass: a node and its new value, or nothing if it is to go.
type Change = (Path, Option<Value>);

/// What is looked at.
#[derive(Debug)]
pub struct Scene<'s, P> {
    /// The devices.
    pub control: &'s Control,
    /// What their guests may do.
    pub policies: &'s Policies,
    /// Their streams.
    pub plane: &'s P,
    /// What is held of guests.
    pub held: Held,
}

/// Counts what changes other than numbers of streams.
fn changes(control: &Control, policies: &Policies) -> u32 {
    control.changes().wrapping_add(policies.changes())
}

/// The status publisher. One request in flight.
#[derive(Debug)]
pub struct Status {
    domain: [u64; DOMAIN_NODES],
    rows: Box<[Row]>,
    card: String<CARD_OCTETS>,
    counters: Option<LoopCounters>,
    held: Held,
    ready: Value,
    jacks: Value,
    levels: Value,
    routes: Value,
    card_rate: u32,
    /// What was published last belongs to this count of the control plane's changes.
    changes: Option<u32>,
    active: bool,
    dirty: bool,
    /// The next node of the pass under way.
    at: Option<usize>,
    sent: Option<(Ticket, usize)>,
    next_pass: Nanos,
}

impl Status {
    /// A publisher for a table of `devices` devices. Allocates, and never again.
    #[must_use]
    pub fn new(devices: usize) -> Self {
        Self {
            domain: [0; DOMAIN_NODES],
            rows: (0..devices).map(|_| Row::default()).collect(),
            card: String::new(),
            counters: None,
            held: Held::default(),
            ready: Value::new(),
            jacks: Value::new(),
            levels: Value::new(),
            routes: Value::new(),
            card_rate: 0,
            changes: None,
            active: false,
            dirty: true,
            at: None,
            sent: None,
            next_pass: Nanos(0),
        }
    }

    /// Says what card there is, cut after [`CARD_OCTETS`]; `rate` is the one it runs at, or 0.
    pub fn set_card(&mut self, card: &str, rate: u32) {
        self.card.clear();
        for letter in card.chars() {
            if self.card.push(letter).is_err() {
                break;
            }
        }
        self.card_rate = rate;
        self.dirty = true;
    }

    /// Says how the domain started, cut to what a node's value holds here.
    pub fn set_ready(&mut self, ready: &dyn fmt::Display) {
        self.ready = text(ready);
        self.dirty = true;
    }

    /// Says what outputs and inputs there are and what is plugged in, cut likewise.
    pub fn set_jacks(&mut self, jacks: &dyn fmt::Display) {
        self.jacks = text(jacks);
        self.dirty = true;
    }

    /// Says how loud the card itself is, cut likewise.
    pub fn set_levels(&mut self, levels: &dyn fmt::Display) {
        self.levels = text(levels);
        self.dirty = true;
    }

    /// Says what can be routed to, cut likewise.
    pub fn set_routes(&mut self, routes: &dyn fmt::Display) {
        self.routes = text(routes);
        self.dirty = true;
    }

    /// Gives the loop's counters; they are published when something else is.
    pub fn set_loop(&mut self, counters: LoopCounters) {
        self.counters = Some(counters);
    }

    /// Publishes what changed, though nothing else calls for it.
    pub const fn refresh(&mut self) {
        self.dirty = true;
    }

    /// Says whether sound is moving, so that numbers change.
    pub fn set_active(&mut self, active: bool) {
        // One more pass after the last sound, for the final numbers.
        self.dirty |= active != self.active;
        self.active = active;
    }

    /// Takes a reply; false if it is not ours.
    pub fn reply(&mut self, reply: &Reply<'_>) -> bool {
        let Some((_, node)) = self.sent.filter(|&(ticket, _)| ticket == reply.ticket) else {
            return false;
        };
        self.sent = None;
        if reply.result.is_err()
            && let Some(fingerprint) = self.fingerprint(node)
        {
            // Written again in the next pass; that nothing is there needs no second try.
            *fingerprint = 0;
        }
        true
    }

    /// Goes on with the pass, or begins one if it is time.
    pub fn advance<W, P: DataPlane<W>>(
        &mut self,
        now: Nanos,
        client: &mut Client,
        scene: &Scene<'_, P>,
    ) {
        if self.sent.is_some() {
            return;
        }
        let changes = changes(scene.control, scene.policies);
        self.dirty |= self.changes != Some(changes) || self.held != scene.held;
        self.held = scene.held;
        let mut node = match self.at {
            Some(node) => node,
            None if (self.dirty || self.active) && now >= self.next_pass => {
                self.dirty = false;
                self.changes = Some(changes);
                self.next_pass = now.plus_millis(PASS_MILLIS);
                0
            }
            None => return,
        };
        let end = self.rows.len() * DEVICE_NODES + DOMAIN_NODES;
        while node < end {
            let old = self.fingerprint(node).copied();
            if let Some(change) = self.change(node, scene) {
                let sent = match &change {
                    (path, Some(value)) => client.write(path, value.as_bytes()),
                    (path, None) => client.rm(path),
                };
                if let Ok(ticket) = sent {
                    self.sent = Some((ticket, node));
                    node += 1;
                } else if let (Some(place), Some(old)) = (self.fingerprint(node), old) {
                    // No room now: the same again when there is.
                    *place = old;
                }
                self.at = Some(node);
                return;
            }
            node += 1;
        }
        self.at = None;
    }

    /// When to call [`Status::advance`] again if no message comes.
    #[must_use]
    pub fn deadline(&self, control: &Control, policies: &Policies) -> Option<Nanos> {
        let changes = changes(control, policies);
        let dirty = self.dirty || self.active || self.changes != Some(changes);
        // While a pass is under way a reply comes.
        (self.at.is_none() && dirty).then_some(self.next_pass)
    }

    fn fingerprint(&mut self, node: usize) -> Option<&mut u64> {
        match node.checked_sub(DOMAIN_NODES) {
            None => self.domain.get_mut(node),
            Some(rest) => self
                .rows
                .get_mut(rest / DEVICE_NODES)?
                .nodes
                .get_mut(rest % DEVICE_NODES),
        }
    }

    /// What to do about a node, if its text is not what it was. Notes the new text.
    // Its texts, in the frame of what polls everything, would lengthen all code there: 0.6 KB.
    #[inline(never)]
    fn change<W, P: DataPlane<W>>(&mut self, node: usize, scene: &Scene<'_, P>) -> Option<Change> {
        let control = scene.control;
        let Some(rest) = node.checked_sub(DOMAIN_NODES) else {
            let (leaf, value) = match node {
                0 => ("state", self.domain_state(control)),
                1 => ("card", text(&self.card)),
                2 => ("loop", self.counters.map(loop_text).unwrap_or_default()),
                3 => ("ready", self.ready.clone()),
                4 => (
                    "policy",
                    scene
                        .policies
                        .fault()
                        .map(|fault| text(&fault))
                        .unwrap_or_default(),
                ),
                5 => ("mic", hearing(scene)),
                6 => ("jacks", self.jacks.clone()),
                7 => ("levels", self.levels.clone()),
                8 => ("routes", self.routes.clone()),
                _ => ("held", text(&scene.held)),
            };
            return self.renew(node, path(format_args!("data/{leaf}")), value);
        };
        let slot = DeviceSlot(u8::try_from(rest / DEVICE_NODES).ok()?);
        let device = control.device(slot);
        let of = device.map(|device| (device.dom, device.dev));
        let row = self.rows.get_mut(usize::from(slot.0))?;
        if rest % DEVICE_NODES == 0 {
            let old = row.of.filter(|_| row.of != of);
            if row.of != of {
                *row = Row {
                    of,
                    ..Row::default()
                };
            }
            let (dom, dev) = old?;
            // The same device in another slot starts over below.
            for other in self.rows.iter_mut().filter(|row| row.of == old) {
                other.nodes = [0; DEVICE_NODES];
                self.dirty = true;
            }
            return Some((removal(control, dom, dev), None));
        }
        let device = device?;
        let (leaf, value) = device_node(&device, rest % DEVICE_NODES, self.card_rate, scene.plane)?;
        let path = path(format_args!(
            "data/guest/{}/{}/{leaf}",
            device.dom.0, device.dev
        ));
        self.renew(node, path, value)
    }

    /// Notes a node's text; a change if it is another than before.
    fn renew(&mut self, node: usize, path: Path, value: Value) -> Option<Change> {
        let value = Some(value).filter(|value| !value.is_empty());
        let print = value
            .as_ref()
            .map_or(0, |value| fingerprint(value.as_bytes()));
        let place = self.fingerprint(node)?;
        if *place == print {
            return None;
        }
        *place = print;
        Some((path, value))
    }

    fn domain_state(&self, control: &Control) -> Value {
        let mut devices = 0_u32;
        let mut connected = 0_u32;
        for device in control.slots().filter_map(|slot| control.device(slot)) {
            devices += 1;
            connected += u32::from(device.state == State::Connected);
        }
        let silent = self.card_rate == 0 && !self.card.is_empty();
        let word = if silent { "no card" } else { "running" };
        text(&format_args!(
            "{word} devices={devices} connected={connected}"
        ))
    }
}

/// What to remove when a device went: its own directory, or its guest's if that has no other.
fn removal(control: &Control, dom: DomId, dev: u32) -> Path {
    let mut others = control.slots().filter_map(|slot| control.device(slot));
    if others.any(|other| other.dom == dom) {
        path(format_args!("data/guest/{}/{dev}", dom.0))
    } else {
        path(format_args!("data/guest/{}", dom.0))
    }
}

/// FNV-1a, 64 bits; never 0, which stands for no text.
fn fingerprint(octets: &[u8]) -> u64 {
    let hash = octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
        });
    hash.max(1)
}
