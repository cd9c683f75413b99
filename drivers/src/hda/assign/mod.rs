//! Which converter plays at which output pin.
//!
//! There are often fewer converters than pins, and which pins share one decides what can be
//! heard and set apart. An [`Attempt`] hands converters out in a certain order and counts what
//! is bad about the outcome; several attempts in different orders are made and the least bad one
//! is kept. Orders and weights are those of Linux's generic parser (`parse_output_paths` of
//! `sound/pci/hda/hda_generic.c`), on which machines' firmware has been tried for years.

use heapless::Vec;

use super::graph::{Graph, Widget};
use super::groups::{GROUP, Groups};
use super::path::{AmpAt, Path};
use super::pins::Purpose;
use super::verb::Nid;
use reach::Reach;

mod reach;
mod retask;

/// Inputs that could serve as surround outputs and keep a converter for that.
const RETASKED: usize = 2;
/// Most of them that may keep one by mistake: one more, if both kinds of inputs have some.
const RETASKED_MOST: usize = RETASKED + 1;
/// Most pins of all groups with the retasked ones.
const SLOTS: usize = 3 * GROUP + RETASKED_MOST;

/// What is bad about an outcome, by what happened.
struct Weights {
    /// The first pin of a group has no converter.
    none_first: u32,
    /// The first pin shares one with the main group.
    shared_first: u32,
    /// The second shares one within the group or with its like of the main group.
    shared_second: u32,
    /// The same for a later one.
    shared_later: u32,
    /// A pin shares the first main one for want of any other.
    shared_main: u32,
}

const MAIN: Weights = Weights {
    none_first: 0x1_0000,
    shared_first: 0x1_0000,
    shared_second: 0x100,
    shared_later: 0x10,
    shared_main: 0x100,
};

const EXTRA: Weights = Weights {
    none_first: 0x4000,
    shared_first: 0x102,
    shared_second: 0x10,
    shared_later: 0x10,
    shared_main: 0x101,
};

/// A pin beyond the first has no converter, or no path from it.
const NONE: u32 = 0x4000;
/// Some inputs could become surround outputs, but not enough have a converter.
const HALF_RETASKED: u32 = 0x120;
/// A path has no volume, or no mute, for itself.
const SHARED_AMP: u32 = 0x10;

/// A pin and what plays at it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) purpose: Option<Purpose>,
    pub(super) pin: Nid,
    /// The converter, if it is this pin's own.
    dac: Option<Nid>,
    pub(super) path: Option<Path>,
    pub(super) volume: Option<AmpAt>,
    pub(super) mute: Option<AmpAt>,
}

/// One order of handing converters out, and its outcome so far.
struct Attempt<'a> {
    graph: &'a Graph,
    reach: &'a Reach,
    groups: &'a Groups,
    /// The main group, headphones, speakers, then retasked inputs.
    slots: Vec<Slot, SLOTS>,
}

/// Slots of a group.
type Span = core::ops::Range<usize>;

impl<'a> Attempt<'a> {
    fn new(graph: &'a Graph, reach: &'a Reach, groups: &'a Groups) -> Self {
        let mut slots = Vec::new();
        let lists = [
            (groups.main_purpose, &groups.main),
            (Purpose::Headphones, &groups.headphones),
            (Purpose::Speaker, &groups.speakers),
        ];
        for (purpose, list) in lists {
            for &pin in list {
                let _ = slots.push(Slot::new(Some(purpose), pin));
            }
        }
        Self {
            graph,
            reach,
            groups,
            slots,
        }
    }

    fn main(&self) -> Span {
        0..self.groups.main.len()
    }

    fn headphones(&self) -> Span {
        let start = self.main().end;
        start..start.saturating_add(self.groups.headphones.len())
    }

    fn speakers(&self) -> Span {
        let start = self.headphones().end;
        start..start.saturating_add(self.groups.speakers.len())
    }

    fn retasked(&self) -> Span {
        self.speakers().end..self.slots.len()
    }

    /// Hands all converters out; how bad the outcome is.
    fn run(&mut self, order: Order) -> u32 {
        let retask = self.groups.main.len() == 1 && self.groups.main_purpose != Purpose::Speaker;
        let mut found = order.single_first;
        while found {
            found = false;
            for span in [self.main(), self.headphones(), self.speakers()] {
                found |= self.take_singles(&span);
            }
            if order.retask_first && retask {
                let before = self.slots.len();
                self.retask(true);
                found |= self.slots.len() > before;
            }
        }
        let mut badness = self.assign(&self.main(), &MAIN);
        if order.retask_first && retask {
            self.retask(false);
        }
        for span in [self.headphones(), self.speakers()] {
            badness = badness.saturating_add(self.assign(&span, &EXTRA));
        }
        if retask {
            badness = badness.saturating_add(self.retask(false));
        }
        // Inputs beside a headphone jack would rather be its surround outputs.
        let beside = match self.groups.main_purpose {
            Purpose::Speaker => self.groups.headphones.first(),
            _ => None,
        };
        let beside = beside.is_some_and(|&pin| self.retaskable(pin).count() >= RETASKED);
        if beside || ![0, RETASKED].contains(&self.retasked().len()) {
            badness = badness.saturating_add(HALF_RETASKED);
        }
        badness
    }

    fn taken(&self, dac: Nid) -> bool {
        let paths = self.slots.iter().filter_map(|slot| slot.path.as_ref());
        paths.filter_map(Path::source).any(|used| used == dac)
    }

    /// Free analog converters that a pin reaches.
    fn free(&self, pin: Nid) -> impl Iterator<Item = Nid> {
        self.free_of(self.reach.set(pin) & self.reach.analog)
    }

    fn free_of(&self, set: u16) -> impl Iterator<Item = Nid> {
        let dacs = self.reach.dacs.iter().enumerate();
        dacs.filter(move |&(index, &dac)| set & (1 << index) != 0 && !self.taken(dac))
            .map(|(_, &dac)| dac)
    }

    /// The only free converter that a pin reaches, which may be a digital one.
    fn single(&self, pin: Nid) -> Option<Nid> {
        let mut free = self.free_of(self.reach.set(pin));
        free.next().filter(|_| free.next().is_none())
    }

    /// Gives pins that reach only one free converter that one; whether there were any.
    fn take_singles(&mut self, span: &Span) -> bool {
        let mut found = false;
        for at in span.clone() {
            let Some(pin) = self.without_dac(at) else {
                continue;
            };
            if let Some(dac) = self.single(pin)
                && let Some(slot) = self.slots.get_mut(at)
            {
                slot.path = Path::between(self.graph, pin, dac);
                slot.dac = slot.path.is_some().then_some(dac);
                found |= slot.path.is_some();
            }
        }
        found
    }

    fn without_dac(&self, at: usize) -> Option<Nid> {
        let slot = self.slots.get(at)?;
        slot.dac.is_none().then_some(slot.pin)
    }

    fn dac(&self, at: usize) -> Option<Nid> {
        self.slots.get(at)?.dac
    }

    /// Gives each pin of a group a converter: a free one, or one to share.
    fn assign(&mut self, span: &Span, weights: &Weights) -> u32 {
        let mut badness: u32 = 0;
        let mut add = |more: u32| badness = badness.saturating_add(more);
        for (index, at) in span.clone().enumerate() {
            let Some((pin, done)) = self.slots.get(at).map(|s| (s.pin, s.path.is_some())) else {
                continue;
            };
            if done {
                add(self.take_amps(at));
                continue;
            }
            let mut own = self.free(pin).next();
            if own.is_none() && index == 0 {
                own = self.steal(span, pin);
            }
            let dac = own.or_else(|| {
                let (dac, weight) = self.shared(span, index, pin, weights);
                add(weight);
                dac
            });
            let path = dac.and_then(|dac| Path::between(self.graph, pin, dac));
            if dac.is_some() && path.is_none() {
                add(NONE);
            }
            let found = path.is_some();
            if let Some(slot) = self.slots.get_mut(at) {
                slot.dac = own.filter(|_| found);
                slot.path = path;
            }
            if found {
                add(self.take_amps(at));
            }
        }
        badness
    }

    /// Takes the converter of a later pin of the group for the first.
    fn steal(&mut self, span: &Span, pin: Nid) -> Option<Nid> {
        let reach = self.reach;
        let later = self.slots.get_mut(span.clone())?.get_mut(1..)?;
        let of = |slot: &Slot| slot.dac.filter(|&dac| reach.reaches(pin, dac));
        let victim = later.iter_mut().find(|slot| of(slot).is_some())?;
        victim.path = None;
        (victim.volume, victim.mute) = (None, None);
        victim.dac.take()
    }

    /// A converter in use that a pin may share, and how bad that is.
    fn shared(&self, span: &Span, index: usize, pin: Nid, weights: &Weights) -> (Option<Nid>, u32) {
        let reached = |dac: Option<Nid>| dac.filter(|&dac| self.reach.reaches(pin, dac));
        // Its like in the main group, retasked inputs included.
        let like = match index.checked_sub(self.groups.main.len()) {
            None => self.dac(index),
            Some(more) => self.dac(self.retasked().start.saturating_add(more)),
        };
        let (like, first) = (reached(like), reached(self.dac(span.start)));
        let dac = if span.len() > 2 {
            like.or(first)
        } else {
            first.or(like)
        };
        if dac.is_some() {
            let weight = match index {
                0 => weights.shared_first,
                1 => weights.shared_second,
                _ => weights.shared_later,
            };
            return (dac, weight);
        }
        match reached(self.dac(0)) {
            None if index == 0 => (None, weights.none_first),
            None => (None, NONE),
            main => (main, weights.shared_main),
        }
    }

    /// Finds the volume and the mute of a path, if no other path has them.
    fn take_amps(&mut self, at: usize) -> u32 {
        let Some(slot) = self.slots.get(at) else {
            return 0;
        };
        if slot.volume.is_some() || slot.mute.is_some() {
            return 0;
        }
        let Some(path) = &slot.path else {
            return SHARED_AMP.saturating_mul(2);
        };
        let (volume, mute) = (path.output_volume(self.graph), path.output_mute(self.graph));
        let mine = |amp: Option<AmpAt>, of: fn(&Slot) -> Option<AmpAt>| {
            let others = || self.slots.iter().filter_map(of);
            amp.filter(|amp| !others().any(|other| other.same(*amp)))
        };
        let volume = mine(volume, |slot| slot.volume);
        let mute = mine(mute, |slot| slot.mute);
        if let Some(slot) = self.slots.get_mut(at) {
            (slot.volume, slot.mute) = (volume, mute);
        }
        let missing = u32::from(volume.is_none()).saturating_add(u32::from(mute.is_none()));
        SHARED_AMP.saturating_mul(missing)
    }
}

impl Slot {
    const fn new(purpose: Option<Purpose>, pin: Nid) -> Self {
        Self {
            purpose,
            pin,
            dac: None,
            path: None,
            volume: None,
            mute: None,
        }
    }
}

/// In which order converters are handed out.
#[derive(Clone, Copy)]
struct Order {
    /// Pins that reach only one come first.
    single_first: bool,
    /// Inputs that could be surround outputs come before headphones and speakers.
    retask_first: bool,
}

const ORDERS: [Order; 4] = {
    const fn order(single_first: bool, retask_first: bool) -> Order {
        Order {
            single_first,
            retask_first,
        }
    }
    [
        order(true, true),
        order(true, false),
        order(false, true),
        order(false, false),
    ]
};

/// The pins with their paths after the least bad of all attempts; `groups` say afterwards which
/// group was the main one in it.
pub(super) fn outputs(
    graph: &Graph,
    groups: &mut Groups,
    usable: fn(&Widget) -> bool,
) -> Vec<Slot, SLOTS> {
    // Headphones are the main output rather than speakers, unless there are fewer of them.
    if groups.main_purpose == Purpose::Speaker && groups.main.len() <= groups.headphones.len() {
        groups.make_main(Purpose::Headphones);
    }
    let reach = Reach::of(graph, groups, usable);
    let mut best: Option<(u32, Purpose, Order)> = None;
    for swapped in [false, true] {
        if swapped && !groups.swap_main() {
            break;
        }
        for order in ORDERS {
            let badness = Attempt::new(graph, &reach, groups).run(order);
            if best.is_none_or(|(least, ..)| badness < least) {
                best = Some((badness, groups.main_purpose, order));
            }
        }
        if best.is_some_and(|(least, ..)| least == 0) {
            break;
        }
    }
    let Some((_, purpose, order)) = best else {
        return Vec::new();
    };
    groups.make_main(purpose);
    let mut attempt = Attempt::new(graph, &reach, groups);
    attempt.run(order);
    attempt.slots
}
