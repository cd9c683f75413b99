//! Low power while nothing plays or records, and the way back.
//!
//! Down in steps that take microseconds each, with time between them, so that the caller's loop
//! never waits: external amplifiers first, then the pins and the codec, then controller and link.
//! In any other order the codec's shutting down is heard as a pop. Up in one go, by
//! [`Card::start`]: everything is set anew, since a codec may forget anything in D3 while the link
//! is in reset (§7.3.3.10), and what a pin drives is silent until its last verb. The same way leads
//! out of a fault.
//!
//! The function's own D3 (PCI power management) stays unused: it is dom0's to grant, and the way
//! back would take as long as dom0 pleases.

use super::CardError;
use super::card::{Card, Input};
use super::chips;
use super::codec::wait_for_power;
use super::controller;
use super::graph::{Kind, Widget};
use super::verb::{Verb, VerbFault, Verbs};
use crate::{Clock, DmaPage, Micros, Regs};

/// How long a card stays ready that does not play.
pub const IDLE: Micros = Micros::millis(5000);
/// How long an external amplifier takes to fall silent. Linux gives Realtek's 200 ms.
const AMPLIFIERS: Micros = Micros::millis(200);
/// How long a codec may take to power down before the link is stopped all the same.
const POWER_DOWN: Micros = Micros::millis(200);
/// Between two looks whether it has.
const LOOK: Micros = Micros::millis(50);
/// How long a codec's function group may take to power up again.
const POWER_UP: Micros = Micros::millis(100);
/// How long verbs may take in all on the way up.
const VERBS: Micros = Micros::millis(400);

/// How much of a card is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    /// All; since when it is known not to play.
    On {
        /// `None`: it plays, or nobody has asked since it stopped.
        idle: Option<Micros>,
    },
    /// External amplifiers are off, until the codec follows.
    Hushed {
        /// When it does.
        until: Micros,
    },
    /// The codec was told to power down.
    Leaving {
        /// How long it may take.
        until: Micros,
    },
    /// The controller is in reset, for low power or after a fault.
    Off,
}

impl Default for Power {
    fn default() -> Self {
        Self::On { idle: None }
    }
}

impl<R: Regs, C: Clock + Clone, P: DmaPage> Card<R, C, P> {
    /// Takes a card that has not played or recorded for [`IDLE`] a step further to low power, if it
    /// is time. When to call again; `None` if there is nothing left to do until it played once more.
    pub fn rest(&mut self, now: Micros) -> Option<Micros> {
        if self.stream.runs() || self.input.as_ref().is_some_and(Input::runs) {
            self.power = Power::default();
            return None;
        }
        let at = match self.power {
            Power::On { idle: None } => {
                self.power = Power::On { idle: Some(now) };
                now.plus(IDLE)
            }
            Power::On { idle: Some(since) } => since.plus(IDLE),
            Power::Hushed { until } => until,
            Power::Leaving { .. } => now,
            Power::Off => return None,
        };
        if now < at {
            Some(at)
        } else {
            self.descend(now)
        }
    }

    /// How often it went to low power, and how long the last way back took.
    #[must_use]
    pub const fn rests(&self) -> (u32, Micros) {
        (self.rests, self.woke_in)
    }

    /// Goes to low power at once, without a pop, in half a second at most.
    pub fn shut_down(&mut self) {
        if self.stop_input().is_err() || self.stop().is_err() {
            return;
        }
        let now = self.controller.clock.now();
        let mut next = match self.power {
            Power::On { .. } => self.descend(now),
            _ => Some(now),
        };
        // Steps and looks are fewer.
        for _ in 0..16 {
            let Some(at) = next else { break };
            let now = self.controller.clock.now();
            self.controller.clock.pause(at.since(now));
            next = self.rest(at.max(now));
        }
        self.quiesce();
    }

    /// The next step down; when the one after it is due.
    fn descend(&mut self, now: Micros) -> Option<Micros> {
        let power = match self.power {
            Power::On { .. } => self.hush().map(|amplifiers| {
                let until = if amplifiers {
                    now.plus(AMPLIFIERS)
                } else {
                    now
                };
                (Power::Hushed { until }, until)
            }),
            Power::Hushed { .. } => self.power_down().map(|()| {
                let until = now.plus(POWER_DOWN);
                (Power::Leaving { until }, now.plus(LOOK))
            }),
            Power::Leaving { until } => match self.has_left() {
                Ok(false) if now < until => Ok((self.power, now.plus(LOOK))),
                // The link goes last, and a codec that does not answer cannot be waited for.
                _ => {
                    self.rests = self.rests.saturating_add(1);
                    Err(VerbFault::Silent)
                }
            },
            Power::Off => return None,
        };
        if let Ok((power, next)) = power {
            self.power = power;
            Some(next)
        } else {
            self.quiesce();
            None
        }
    }

    /// Makes the card ready to start, out of whatever state it is in.
    ///
    /// # Errors
    /// What stood in the way; the device is quiet then.
    pub fn wake(&mut self) -> Result<(), CardError> {
        if !matches!(self.power, Power::On { .. }) {
            let begin = self.controller.clock.now();
            self.controller.limit_verbs(Some(begin.plus(VERBS)));
            let woken = self.ascend();
            self.controller.limit_verbs(None);
            if woken.is_err() {
                self.quiesce();
                return woken;
            }
            self.woke_in = self.controller.clock.now().since(begin);
        }
        self.power = Power::default();
        Ok(())
    }

    fn ascend(&mut self) -> Result<(), CardError> {
        let codec = self.codec.address;
        if self.power == Power::Off && !self.controller.renew()?.has(codec) {
            return Err(CardError::CodecSilent);
        }
        let clock = self.controller.clock.clone();
        let function = self.codec.function;
        self.controller.ask(codec, function, Verb::power_on())?;
        wait_for_power(&mut self.controller, &clock, codec, function, POWER_UP)?;
        self.set_up()?;
        let _ = self.set_input_up();
        Ok(())
    }

    /// Turns every external amplifier off; whether there is any.
    fn hush(&mut self) -> Result<bool, VerbFault> {
        let off = chips::amplify(&self.codec, false);
        self.each_pin(|pin| pin.pin.eapd(), off)
    }

    /// Ends what pins drive and powers the codec down.
    fn power_down(&mut self) -> Result<(), VerbFault> {
        self.each_pin(|pin| pin.pin.output(), Verb::pin_control(0))?;
        let (codec, function) = (self.codec.address, self.codec.function);
        self.controller.ask(codec, function, Verb::power_off())?;
        Ok(())
    }

    /// Whether the codec has powered down, or says that it cannot.
    fn has_left(&mut self) -> Result<bool, VerbFault> {
        let (codec, function) = (self.codec.address, self.codec.function);
        let state = self.controller.ask(codec, function, Verb::power_state())?;
        // Bits 7:4 are the state it is in, bit 8 says that it cannot do as told.
        Ok(state & 0x30 == 0x30 || state & 0x100 != 0)
    }

    /// Sends a verb to some pins; whether there are such.
    fn each_pin(&mut self, which: fn(&Widget) -> bool, verb: Verb) -> Result<bool, VerbFault> {
        let pins = self.codec.graph.widgets();
        let pins = pins.filter(|(_, widget)| widget.caps.kind() == Kind::Pin && which(widget));
        let mut any = false;
        for (pin, _) in pins {
            self.controller.ask(self.codec.address, pin, verb)?;
            any = true;
        }
        Ok(any)
    }

    /// Makes the device stop all DMA and interrupts, within 10 ms, and leaves it in reset.
    /// [`Card::start`] plays again, if it can be.
    pub fn quiesce(&mut self) {
        self.stream.forget_position();
        if let Some(input) = &mut self.input {
            input.forget_position();
        }
        controller::quiesce(&mut self.controller.regs, &self.controller.clock);
        self.power = Power::Off;
    }
}
