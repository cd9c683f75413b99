//! Outputs and inputs in a person's words.

use core::fmt;

use super::configuration::{Input, Output};
use super::pins::{Place, Purpose, Source};

impl Output {
    /// The output in a person's words, with what its jack says: "Headphone (front, plugged)".
    #[must_use]
    pub const fn named(&self, plugged: Option<bool>) -> Named {
        Named {
            what: match self.purpose {
                Purpose::LineOut => "Line out",
                Purpose::Speaker => "Speaker",
                Purpose::Headphones => "Headphone",
            },
            place: self.place,
            plugged,
        }
    }
}

impl Input {
    /// The input in a person's words, with what its jack says: "Internal mic".
    #[must_use]
    pub const fn named(&self, plugged: Option<bool>) -> Named {
        Named {
            what: match (self.source, self.place) {
                (Source::Mic, Place::Internal) => "Internal mic",
                (Source::Mic, _) if self.shared => "Headphone mic",
                (Source::Mic, _) => "Mic",
                (Source::LineIn, _) => "Line in",
                (Source::Cd, _) => "CD",
                (Source::Aux, _) => "Aux",
            },
            place: self.place,
            plugged,
        }
    }
}

/// An output or input in a person's words.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    what: &'static str,
    place: Place,
    plugged: Option<bool>,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        let place = match self.place {
            Place::Internal | Place::Outside => None,
            Place::Dock => Some("dock"),
            Place::Rear => Some("rear"),
            Place::Front => Some("front"),
        };
        let plugged = match self.plugged {
            None => None,
            Some(true) => Some("plugged"),
            Some(false) => Some("unplugged"),
        };
        match (place, plugged) {
            (Some(place), Some(plugged)) => write!(f, " ({place}, {plugged})"),
            (Some(one), None) | (None, Some(one)) => write!(f, " ({one})"),
            (None, None) => Ok(()),
        }
    }
}
