//! The backend as the kernel sees it: one value, one call.
//!
//! [`Backend::poll`] serves sound first, then the toolstack, then the status. It does all that can
//! be done at that moment, never waits, and says when it wants to be called again if no event
//! comes.

use crate::control::{Control, DataPlane};
use crate::master::{Master, Masters};
use crate::orders::{Orders, Shutdown};
use crate::policy::Policies;
use crate::statistics::Held;
use crate::status::{LoopCounters, Scene, Status};
use crate::world::{Card, Nanos};
use crate::xenstore::{Client, Incoming, Lost, Transport};
use core::fmt;

/// Messages from xenstore taken in one poll.
const MESSAGES_PER_POLL: usize = 128;

/// How long guests have to close what they play when this domain ends.
pub const GOODBYE_MILLIS: u64 = 2_500;

/// Everything between the traits of [`crate::world`], for a data plane `P`.
#[derive(Debug)]
pub struct Backend<P> {
    client: Client,
    control: Control,
    orders: Orders,
    policies: Policies,
    masters: Masters,
    status: Status,
    plane: P,
    lost: bool,
    /// An order to end came: until when guests may close.
    leaving: Option<Nanos>,
    over: bool,
}

impl<P> Backend<P> {
    /// A backend for up to `devices` devices (see [`Control::new`]) that goes on with a xenstore
    /// client that start-up used. Allocates, and never again.
    #[must_use]
    // In the caller's frame its parts would be scalars, each stored by itself: 0.8 KB.
    #[inline(never)]
    pub fn with_plane(plane: P, devices: usize, client: Client) -> Self {
        let control = Control::new(devices);
        let status = Status::new(control.slots().count());
        Self {
            client,
            control,
            orders: Orders::new(),
            policies: Policies::new(),
            masters: Masters::default(),
            status,
            plane,
            lost: false,
            leaving: None,
            over: false,
        }
    }

    /// Publishes what card there is; `rate` is the one it runs at, or 0 without a card.
    pub fn describe_card(&mut self, card: &str, rate: u32) {
        self.status.set_card(card, rate);
    }

    /// Publishes what outputs and inputs there are and what is plugged in.
    pub fn describe_jacks(&mut self, jacks: &dyn fmt::Display) {
        self.status.set_jacks(jacks);
    }

    /// What dom0 wants of the card itself, if it says otherwise than at the last call. How much of
    /// that the card makes is to be told to [`Backend::describe_levels`].
    pub fn take_master(&mut self) -> Option<Master> {
        self.masters.take_change()
    }

    /// Publishes how loud the card itself is, and what is wrong with what dom0 wants of it.
    pub fn describe_levels(&mut self, levels: &dyn fmt::Display) {
        match self.masters.fault() {
            Some(fault) => self
                .status
                .set_levels(&format_args!("{levels} error={fault}")),
            None => self.status.set_levels(levels),
        }
    }

    /// Publishes what outputs and inputs have which names, and which of them count now.
    pub fn describe_routes(&mut self, routes: &dyn fmt::Display) {
        self.status.set_routes(routes);
    }

    /// Publishes how the domain started.
    pub fn describe_start(&mut self, ready: &dyn fmt::Display) {
        self.status.set_ready(ready);
    }

    /// Publishes the loop's counters the next time that anything is published.
    pub fn count_loop(&mut self, counters: LoopCounters) {
        self.status.set_loop(counters);
    }

    /// How the toolstack ordered the domain to end, once it did and guests have let go. They are
    /// asked first: a guest whose stream is open when this domain is gone waits six seconds for
    /// answers, takes no new card until then, and may crash when it gets one.
    #[must_use]
    pub fn shutdown_requested(&self) -> Option<Shutdown> {
        self.orders.shutdown().filter(|_| self.over || self.lost)
    }

    /// Begins to end, and notes when that is done; returns when to look again.
    fn leave(&mut self, now: Nanos) -> Option<Nanos> {
        let order = self.orders.shutdown().filter(|_| !self.over)?;
        if order == Shutdown::Crash {
            self.over = true;
            return None;
        }
        if self.leaving.is_none() {
            self.part(now);
        }
        let end = *self.leaving.get_or_insert(now.plus_millis(GOODBYE_MILLIS));
        self.over = self.parted() || now >= end;
        (!self.over).then_some(end)
    }

    /// Has guests let go, as [`Backend::poll`] goes on to be called.
    pub fn part(&mut self, now: Nanos) {
        self.control.retire(now);
    }

    /// Whether no guest holds on to anything any more, as far as can be known.
    #[must_use]
    pub fn parted(&self) -> bool {
        self.lost || self.control.taken() == 0
    }

    /// Whether an order of the toolstack's was refused since the last call: this domain cannot be
    /// suspended.
    pub fn take_refusal(&mut self) -> bool {
        self.orders.take_refusal()
    }

    /// Whether the connection to xenstore failed: sound goes on, devices stay as they are.
    #[must_use]
    pub fn xenstore_lost(&self) -> bool {
        self.lost
    }

    /// The control plane, to look at.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The data plane, to look at.
    #[must_use]
    pub fn plane(&self) -> &P {
        &self.plane
    }

    /// The data plane, to set what is not in xenstore.
    pub fn plane_mut(&mut self) -> &mut P {
        &mut self.plane
    }

    /// The xenstore client, to look at.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Does what there is to do at `now`. Returns when to call again if no event comes before;
    /// `None` if nothing is due.
    pub fn poll<W, C: Card, T: Transport>(
        &mut self,
        now: Nanos,
        world: &mut W,
        mut card: Option<&mut C>,
        store: &mut T,
    ) -> Option<Nanos>
    where
        P: DataPlane<W>,
    {
        let mut sound = self.plane.poll(now, world, card.as_deref_mut());
        while let Some((slot, fault)) = self.plane.take_fault() {
            self.control.fault(slot, &fault);
        }
        self.status.set_active(sound.is_some());
        if self.lost {
            return sound;
        }
        let (changes, rules) = (self.control.changes(), self.policies.changes());
        let more = self.talk(now, world, store);
        let changed = changes != self.control.changes();
        if changed || rules != self.policies.changes() {
            self.rule();
        }
        let Ok(more) = more else {
            self.lost = true;
            return sound;
        };
        if changed {
            // What was connected just now may have requests waiting.
            sound = self.plane.poll(now, world, card);
        }
        let deadlines = [
            self.leave(now),
            sound,
            more.then_some(now),
            self.control.deadline(now),
            self.orders.deadline(),
            self.policies.deadline(),
            self.masters.deadline(),
            self.status.deadline(&self.control, &self.policies),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Tells the data plane what each guest may do.
    fn rule<W>(&mut self)
    where
        P: DataPlane<W>,
    {
        for device in self
            .control
            .slots()
            .filter_map(|slot| self.control.device(slot))
        {
            self.plane
                .set_policy(device.dom, self.policies.of(device.dom));
        }
        for slot in self.control.slots() {
            self.control.misroute(slot, self.plane.misrouted(slot));
        }
    }

    /// Exchanges messages with xenstore until nothing moves; true if more may be waiting.
    fn talk<W, T: Transport>(
        &mut self,
        now: Nanos,
        world: &mut W,
        store: &mut T,
    ) -> Result<bool, Lost>
    where
        P: DataPlane<W>,
    {
        for _ in 0..MESSAGES_PER_POLL {
            self.orders.advance(now, &mut self.client);
            self.policies.advance(now, &mut self.client);
            self.masters.advance(now, &mut self.client);
            if self.orders.take_refresh() {
                self.status.refresh();
                self.plane.meter(now);
            }
            self.control
                .advance(now, &mut self.client, &mut self.plane, world);
            let held = Held {
                watches: self.client.watches(),
                devices: self.control.taken(),
                ..self.plane.held(world)
            };
            let scene = Scene {
                control: &self.control,
                policies: &self.policies,
                plane: &self.plane,
                held,
            };
            self.status.advance(now, &mut self.client, &scene);
            match self.client.poll(store)? {
                None => return Ok(false),
                Some(Incoming::Event { path, token }) => {
                    // An event of a watch that start-up set is nobody's here.
                    if self.orders.event(path, token) {
                        self.policies.event(path);
                        self.masters.event(path);
                    } else {
                        self.control.event(path, token);
                    }
                }
                Some(Incoming::Reply(reply)) => {
                    // A reply to nobody: start-up gave up on the request.
                    let _ = self.control.reply(&reply)
                        || self.orders.reply(now, &reply)
                        || self.policies.reply(now, &reply)
                        || self.masters.reply(now, &reply)
                        || self.status.reply(&reply);
                }
            }
        }
        Ok(true)
    }
}
