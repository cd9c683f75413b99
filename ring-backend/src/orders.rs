//! What the toolstack orders this domain to do: `control/shutdown` and `control/sysrq`.
//!
//! Source: `docs/misc/xenstore-paths.pandoc` of Xen. An order is acknowledged by emptying the node;
//! the toolstack then waits for the domain to end. Of the keys of `xl sysrq`, `c` means here what
//! it means to Linux: crash on purpose, to see that `on_crash` does what it should.
//!
//! Writing anything to `control/refresh` makes the domain publish its numbers: while nothing
//! changes it publishes none.

use crate::world::Nanos;
use crate::xenstore::{Client, Reply, StoreError, Ticket};

/// The watched directory and its nodes, relative to this domain's directory.
const CONTROL: &str = "control";
const SHUTDOWN: &str = "control/shutdown";
const SYSRQ: &str = "control/sysrq";
const REFRESH: &str = "control/refresh";
const TOKEN: &str = "s";
/// How long to wait after xenstore refused the watch.
const RETRY_MILLIS: u64 = 1_000;

/// How the domain is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// `poweroff` or `halt`.
    PowerOff,
    /// `reboot`.
    Reboot,
    /// `xl sysrq DOMAIN c`.
    Crash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Watch,
    OfferPowerOff,
    OfferReboot,
    Read,
    Acknowledge,
    ReadKey,
}

/// The toolstack's orders. One request in flight.
#[derive(Debug)]
pub struct Orders {
    /// What is to be asked next, in this order.
    todo: Option<Step>,
    sent: Option<(Ticket, Step)>,
    changed: bool,
    pressed: bool,
    retry: Option<Nanos>,
    order: Option<Shutdown>,
    told: Option<Shutdown>,
    refused: bool,
    refresh: bool,
}

impl Default for Orders {
    fn default() -> Self {
        Self::new()
    }
}

impl Orders {
    /// No orders yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            todo: Some(Step::OfferPowerOff),
            sent: None,
            changed: false,
            pressed: false,
            retry: None,
            order: None,
            told: None,
            refused: false,
            refresh: false,
        }
    }

    /// How the domain was ordered to end. Given once the order is acknowledged.
    #[must_use]
    pub const fn shutdown(&self) -> Option<Shutdown> {
        self.told
    }

    /// Whether an order was refused since the last call: to suspend, or one that is not known.
    pub const fn take_refusal(&mut self) -> bool {
        core::mem::replace(&mut self.refused, false)
    }

    /// Whether the numbers were asked for since the last call.
    pub const fn take_refresh(&mut self) -> bool {
        core::mem::replace(&mut self.refresh, false)
    }

    /// Takes a watch event; false if it is not of the watch on `control`.
    pub fn event(&mut self, path: &str, token: &str) -> bool {
        let ours = token == TOKEN;
        match path {
            REFRESH => self.refresh |= ours,
            SYSRQ => self.pressed |= ours,
            CONTROL | SHUTDOWN => self.changed |= ours,
            _ => {}
        }
        ours
    }

    /// Takes a reply; false if it is not ours.
    pub fn reply(&mut self, now: Nanos, reply: &Reply<'_>) -> bool {
        let Some((_, step)) = self.sent.filter(|&(ticket, _)| ticket == reply.ticket) else {
            return false;
        };
        self.sent = None;
        match (step, reply.result) {
            (Step::OfferPowerOff, _) => self.todo = Some(Step::OfferReboot),
            (Step::OfferReboot, _) | (Step::Watch, Ok(_) | Err(StoreError::Exists)) => {
                self.todo = (step == Step::OfferReboot).then_some(Step::Watch);
            }
            (Step::Watch, Err(_)) => {
                self.todo = Some(Step::Watch);
                self.retry = Some(now.plus_millis(RETRY_MILLIS));
            }
            (Step::Read, Ok(value)) => {
                self.order = match value {
                    b"poweroff" | b"halt" => Some(Shutdown::PowerOff),
                    b"reboot" => Some(Shutdown::Reboot),
                    // A domain with a device passed through cannot be suspended.
                    _ => None,
                };
                self.refused |= self.order.is_none() && !value.is_empty();
                self.todo = (!value.is_empty()).then_some(Step::Acknowledge);
            }
            (Step::Read | Step::ReadKey, Err(_)) => {}
            (Step::ReadKey, Ok(key)) => {
                self.told = self.told.or((key == b"c").then_some(Shutdown::Crash));
            }
            (Step::Acknowledge, _) => self.told = self.told.or(self.order),
        }
        true
    }

    /// Sends the next request, if there is one and room for it.
    pub fn advance(&mut self, now: Nanos, client: &mut Client) {
        if self.sent.is_some() || self.retry.is_some_and(|retry| now < retry) {
            return;
        }
        self.retry = None;
        if self.todo.is_none() && self.changed {
            self.changed = false;
            self.todo = Some(Step::Read);
        }
        if self.todo.is_none() && core::mem::take(&mut self.pressed) {
            self.todo = Some(Step::ReadKey);
        }
        let Some(step) = self.todo else {
            return;
        };
        let sent = match step {
            Step::Watch => client.watch(CONTROL, TOKEN),
            Step::OfferPowerOff => client.write("control/feature-poweroff", b"1"),
            Step::OfferReboot => client.write("control/feature-reboot", b"1"),
            Step::Read => client.read(SHUTDOWN),
            Step::ReadKey => client.read(SYSRQ),
            Step::Acknowledge => client.write(SHUTDOWN, b""),
        };
        if let Ok(ticket) = sent {
            self.todo = None;
            self.sent = Some((ticket, step));
        }
    }

    /// When to call [`Orders::advance`] again if no message comes.
    #[must_use]
    pub const fn deadline(&self) -> Option<Nanos> {
        self.retry
    }
}
