//! Which outputs sound and which input is recorded from: as jacks have it, or as a person does.
//!
//! What a person chose and the card does not have counts for nothing: then jacks say.

use super::card::{Card, TAG};
use super::configuration::{Configuration, Input, Output};
use super::pins::{Place, Purpose, Source};
use super::verb::StreamTag;
use crate::{Clock, DmaPage, Regs};

/// The outputs that sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sounding {
    /// What is plugged in silences others.
    #[default]
    Sensed,
    /// All do, whatever is plugged in.
    All,
    /// Those of one purpose alone.
    Only(Purpose),
    /// The digital ones alone.
    Digital,
}

/// The input to record from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pickup {
    /// What feeds it.
    pub source: Source,
    /// Where it is; `None`: anywhere.
    pub place: Option<Place>,
}

impl Pickup {
    /// Whether it is this input, which the headphone jack never is: it plays.
    const fn is(self, input: &Input) -> bool {
        let there = match self.place {
            Some(place) => place as u8 == input.place as u8,
            None => true,
        };
        self.source as u8 == input.source as u8 && there && !input.shared
    }
}

/// What a person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The outputs that sound.
    pub sounding: Sounding,
    /// The input; `None`: as jacks have it.
    pub pickup: Option<Pickup>,
}

impl Choice {
    /// The outputs that sound, of those that there are.
    fn counts(self, configuration: &Configuration) -> Sounding {
        let mut outputs = configuration.outputs().iter();
        let there = match self.sounding {
            Sounding::Only(purpose) => outputs.any(|output| output.purpose == purpose),
            Sounding::Digital => !configuration.digital().is_empty(),
            Sounding::Sensed | Sounding::All => true,
        };
        if there {
            self.sounding
        } else {
            Sounding::Sensed
        }
    }

    /// Whether an output sounds; `None`: jacks say.
    pub(super) fn sounds(self, configuration: &Configuration, output: &Output) -> Option<bool> {
        match self.counts(configuration) {
            Sounding::Sensed => None,
            Sounding::All => Some(true),
            Sounding::Only(purpose) => Some(output.purpose == purpose),
            Sounding::Digital => Some(false),
        }
    }

    /// Whether the digital outputs sound, which no jack silences.
    pub(super) fn digital(self, configuration: &Configuration) -> bool {
        !matches!(self.counts(configuration), Sounding::Only(_))
    }

    /// The input by its index; `None`: jacks say.
    pub(super) fn input(self, configuration: &Configuration) -> Option<usize> {
        let pickup = self.pickup?;
        let mut inputs = configuration.inputs().iter();
        inputs.position(|input| pickup.is(input))
    }
}

impl<R: Regs, C: Clock + Clone, P: DmaPage> Card<R, C, P> {
    /// What digital outputs send: the stream, or silence.
    pub(super) fn digital_stream(&self) -> Option<StreamTag> {
        let sound = !self.levels.muted && self.sounds_digital();
        sound.then_some(TAG)
    }

    /// Whether an output is the one to sound now, however loud.
    #[must_use]
    pub fn sounds(&self, output: &Output) -> bool {
        self.jacks.sounds(&self.configuration, output)
    }

    /// Whether digital outputs are to sound now.
    #[must_use]
    pub fn sounds_digital(&self) -> bool {
        self.levels.choice.digital(&self.configuration)
    }
}
