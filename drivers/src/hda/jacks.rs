//! What is plugged in, and what follows from it.
//!
//! Jacks are looked at when the codec reports something on its own, and from time to time all
//! the same: reports may be lost, and some boards never send any. A report says too little to be
//! trusted, so it only makes all jacks be looked at again.
//!
//! Headphones silence what else plays. A microphone that is plugged in is recorded from instead of
//! the one that was, without the input's stream stopping.
//!
//! While the card rests nobody looks. [`Card::start`] does, before it lets anything be heard.

use core::fmt;

use super::bring_up::{self, drive, silence};
use super::card::Card;
use super::chips;
use super::choice::Choice;
use super::codec::Codec;
use super::configuration::{Configuration, Output};
use super::pins::Purpose;
use super::power::Power;
use super::verb::{Nid, Verb, VerbFault, Verbs};
use crate::{Clock, DmaPage, Micros, Regs};

/// Between two looks while the codec has never reported anything.
const LOOK: Micros = Micros::millis(300);
/// Between two looks once it has.
const LOOK_AGAIN: Micros = Micros::millis(3000);
/// How long looking may hold the loop.
const VERBS: Micros = Micros::millis(4);
/// How long an external amplifier takes to fall silent before its pin may be switched.
const AMPLIFIER: Micros = Micros::millis(200);

/// What is known of the jacks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jacks {
    /// A bit for each output, then for each input: something is plugged in.
    plugged: u64,
    /// The same as it was told to the caller.
    told: u64,
    /// A bit for each output that is being heard.
    driven: u32,
    /// A bit for each output whose amplifier is off and whose pin follows.
    hushed: u32,
    /// When it does.
    hushed_until: Micros,
    /// When to look next.
    next: Micros,
    /// Whether the codec reports on its own.
    reports: bool,
    /// How often looking failed in a row.
    failures: u8,
    /// Nothing is to be heard, whatever is plugged in.
    muted: bool,
    /// What a person would rather have.
    pub(super) choice: Choice,
}

impl Jacks {
    /// What the jack of an output says, if it says anything.
    #[must_use]
    pub fn output(&self, configuration: &Configuration, index: usize) -> Option<bool> {
        let output = configuration.outputs().get(index)?;
        output.senses.then(|| self.has(index))
    }

    /// What the jack of an input says, if it says anything.
    #[must_use]
    pub fn input(&self, configuration: &Configuration, index: usize) -> Option<bool> {
        let input = configuration.inputs().get(index)?;
        let at = configuration.outputs().len().saturating_add(index);
        input.senses.then(|| self.has(at))
    }

    /// The input to record from, by its index: the one that was chosen, if there is such; of
    /// microphones that take over from each other the last that is plugged in, otherwise the first
    /// input that is not plainly unplugged. Never the headphone jack, which plays.
    #[must_use]
    pub fn mic(&self, configuration: &Configuration) -> Option<usize> {
        if let Some(chosen) = self.choice.input(configuration) {
            return Some(chosen);
        }
        let plugged = |&index: &usize| self.input(configuration, index) != Some(false);
        let auto = configuration.auto_mic().filter(plugged).last();
        let own = || {
            let inputs = configuration.inputs().iter().enumerate();
            inputs.filter_map(|(index, input)| (!input.shared).then_some(index))
        };
        auto.or_else(|| own().find(plugged))
            .or_else(|| own().next())
    }

    const fn has(&self, index: usize) -> bool {
        index < 64 && self.plugged & (1 << index) != 0
    }

    /// Whether an output is to be heard: headphones silence the others, line-outs silence
    /// speakers, where their jacks are watched.
    fn wanted(&self, configuration: &Configuration, output: &Output) -> bool {
        !self.muted && self.sounds(configuration, output)
    }

    /// The same for a card that is not muted.
    pub(super) fn sounds(&self, configuration: &Configuration, output: &Output) -> bool {
        if let Some(chosen) = self.choice.sounds(configuration, output) {
            return chosen;
        }
        let watched = |pin: Nid| configuration.watched().contains(&pin);
        let plugged = |purpose| {
            let outputs = configuration.outputs().iter().enumerate();
            let mut of = outputs.filter(|(_, o)| o.purpose == purpose && watched(o.pin()));
            of.any(|(index, _)| self.has(index))
        };
        match output.purpose {
            Purpose::Headphones => true,
            Purpose::LineOut => !plugged(Purpose::Headphones),
            Purpose::Speaker => !plugged(Purpose::Headphones) && !plugged(Purpose::LineOut),
        }
    }

    /// Asks every jack.
    fn look(
        &mut self,
        verbs: &mut impl Verbs,
        codec: &Codec,
        configuration: &Configuration,
    ) -> Result<(), VerbFault> {
        let contrary = chips::contrary_jacks(codec);
        let mut plugged = 0;
        for (index, (pin, _)) in jacks(configuration).enumerate().filter(|(_, jack)| jack.1) {
            let widget = codec.graph.widget(pin);
            if widget.is_some_and(|widget| widget.pin.sense_on_request()) {
                verbs.ask(codec.address, pin, Verb::look())?;
            }
            let answer = verbs.ask(codec.address, pin, Verb::sense())?;
            if (answer >> 31 != 0) != contrary && index < 64 {
                plugged |= 1 << index;
            }
        }
        self.plugged = plugged;
        Ok(())
    }

    /// Lets nothing be heard, or what is to be.
    pub(super) const fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Whether something was plugged in or out since the last call.
    pub(super) const fn tell(&mut self) -> bool {
        let changed = self.plugged != self.told;
        self.told = self.plugged;
        changed
    }
}

/// Every output's pin, then every input's, with whether it has a jack that tells.
fn jacks(configuration: &Configuration) -> impl Iterator<Item = (Nid, bool)> {
    let outputs = configuration.outputs().iter().map(|o| (o.pin(), o.senses));
    outputs.chain(configuration.inputs().iter().map(|i| (i.pin(), i.senses)))
}

impl<R: Regs, C: Clock + Clone, P: DmaPage> Card<R, C, P> {
    /// What is known of the jacks.
    #[must_use]
    pub const fn jacks(&self) -> &Jacks {
        &self.jacks
    }

    /// All outputs and inputs in a person's words.
    #[must_use]
    pub const fn shown(&self) -> Shown<'_> {
        Shown {
            configuration: &self.configuration,
            jacks: &self.jacks,
        }
    }

    /// Lets every output be heard that is to be, after all paths were set up anew.
    pub(super) fn drive_outputs(&mut self) -> Result<(), VerbFault> {
        let stream = self.digital_stream();
        let Self {
            controller,
            codec,
            configuration,
            jacks: known,
            ..
        } = self;
        let address = codec.address;
        let mut tag: u8 = 0;
        for (pin, _) in jacks(configuration).filter(|jack| jack.1) {
            let widget = codec.graph.widget(pin);
            if widget.is_some_and(|widget| widget.caps.unsolicited()) {
                tag = tag.saturating_add(1);
                controller.ask(address, pin, Verb::report(tag))?;
            }
        }
        known.look(controller, codec, configuration)?;
        known.next = controller.clock.now().plus(LOOK);
        (known.driven, known.hushed, known.failures) = (0, 0, 0);
        for (index, output) in configuration.outputs().iter().enumerate() {
            if known.wanted(configuration, output) {
                drive(controller, codec, output)?;
                known.driven |= 1 << index;
            } else {
                silence(controller, codec, output)?;
            }
        }
        bring_up::drive_digital(controller, codec, configuration, stream)?;
        bring_up::amplify_for_others(controller, codec, configuration)
    }

    /// Looks at the jacks, if it is time or one was reported, and lets be heard what is to be.
    /// Whether something was plugged in or out. To be called often while the card plays; costs a
    /// register read then.
    pub fn follow_jacks(&mut self, now: Micros) -> bool {
        let any = || jacks(&self.configuration).any(|j| j.1);
        if matches!(self.power, Power::On { .. }) && (self.jacks.hushed != 0 || any()) {
            self.look_if_due(now);
        }
        self.jacks.tell()
    }

    /// Looks at the jacks now, and lets be heard what is to be.
    pub(super) fn look_now(&mut self, now: Micros) {
        self.jacks.next = now;
        self.look_if_due(now);
    }

    fn look_if_due(&mut self, now: Micros) {
        if self.controller.reported() {
            self.jacks.reports = true;
            self.jacks.next = now;
        }
        let hush = self.jacks.hushed != 0 && now >= self.jacks.hushed_until;
        if now < self.jacks.next && !hush {
            return;
        }
        self.controller.limit_verbs(Some(now.plus(VERBS)));
        let mut looked = self.look_and_switch(now, hush);
        if looked.is_ok() && self.records() {
            let now = self.controller.clock.now();
            self.controller.limit_verbs(Some(now.plus(VERBS)));
            looked = self.follow_mic();
        }
        self.controller.limit_verbs(None);
        let known = &mut self.jacks;
        let pause = if known.reports { LOOK_AGAIN } else { LOOK };
        known.failures = match looked {
            Ok(()) => 0,
            // A codec that does not answer would hold the loop each time.
            Err(_) => known.failures.saturating_add(1).min(8),
        };
        let longer = pause.0.saturating_mul(1 << known.failures);
        known.next = now.plus(Micros(longer));
    }

    fn look_and_switch(&mut self, now: Micros, hush: bool) -> Result<(), VerbFault> {
        let Self {
            controller,
            codec,
            configuration,
            jacks: known,
            ..
        } = self;
        known.look(controller, codec, configuration)?;
        let own = !chips::amplifies_for_all(codec);
        for (index, output) in configuration.outputs().iter().enumerate() {
            let bit = 1 << index;
            let (driven, hushed) = (known.driven & bit != 0, known.hushed & bit != 0);
            let pin = output.pin();
            let widget = codec.graph.widget(pin);
            let amplified = own && widget.is_some_and(|widget| widget.pin.eapd());
            match (known.wanted(configuration, output), driven) {
                (true, false) if !hushed => {
                    if amplified && chips::amplifies_on(codec) {
                        controller.ask(codec.address, pin, chips::amplify(codec, false))?;
                    }
                    drive(controller, codec, output)?;
                    known.driven |= bit;
                }
                // The pin still drives; the amplifier alone comes back.
                (true, false) => {
                    controller.ask(codec.address, pin, chips::amplify(codec, true))?;
                    known.driven |= bit;
                    known.hushed &= !bit;
                }
                (false, true) if amplified => {
                    controller.ask(codec.address, pin, chips::amplify(codec, false))?;
                    known.driven &= !bit;
                    known.hushed |= bit;
                    known.hushed_until = now.plus(AMPLIFIER);
                }
                (false, true) => {
                    controller.ask(codec.address, pin, Verb::pin_control(0))?;
                    known.driven &= !bit;
                }
                (false, false) if hushed && hush => {
                    controller.ask(codec.address, pin, Verb::pin_control(0))?;
                    if chips::amplifies_on(codec) {
                        controller.ask(codec.address, pin, chips::amplify(codec, true))?;
                    }
                    known.hushed &= !bit;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// All outputs and inputs in a person's words, with what their jacks say, and where there is a
/// choice which input is recorded from: "Headphone (front, unplugged), Speaker; Internal mic, Mic
/// (plugged); records from Mic".
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    configuration: &'a Configuration,
    jacks: &'a Jacks,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (index, output) in self.configuration.outputs().iter().enumerate() {
            let plugged = self.jacks.output(self.configuration, index);
            write!(f, "{separator}{}", output.named(plugged))?;
            separator = ", ";
        }
        for _ in self.configuration.digital() {
            write!(f, "{separator}S/PDIF")?;
            separator = ", ";
        }
        separator = "; ";
        for (index, input) in self.configuration.inputs().iter().enumerate() {
            let plugged = self.jacks.input(self.configuration, index);
            write!(f, "{separator}{}", input.named(plugged))?;
            separator = ", ";
        }
        let inputs = self.configuration.inputs();
        let live = self.jacks.mic(self.configuration);
        match live.and_then(|live| inputs.get(live)) {
            Some(live) if inputs.len() > 1 => write!(f, "; records from {}", live.named(None)),
            _ => Ok(()),
        }
    }
}
