//! What can be wrong with a configuration, as one sentence for the administrator.

use super::tree::{Key, Place};
use crate::xenstore::StoreError;
use core::fmt;

/// What is wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It has to be there.
    Missing,
    /// It has to be a decimal number.
    NotANumber,
    /// The number has to lie within these bounds.
    OutOfRange(u32, u32),
    /// It has to be UTF-8.
    NotText,
    /// It has to be `p` or `c`.
    NotADirection,
    /// `channels-max` has to be at least `channels-min`.
    BelowMinimum,
    /// Not one item of the list is known.
    NothingKnown,
    /// The list names more rates than are kept.
    TooManyRates,
    /// The card has no PCM device.
    NoDevices,
    /// The PCM device has no stream.
    NoStreams,
    /// The directories below have to be numbered from 0 without gaps.
    Gap,
    /// More streams than a device may have.
    TooManyStreams,
    /// All its values together are longer than is kept.
    TooMuch,
    /// xenstore does not let us read it.
    Unreadable(StoreError),
}

/// Which node is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The directory.
    pub at: Place,
    /// The node in it, or the directory itself.
    pub key: Option<Key>,
    /// What is wrong.
    pub wrong: Wrong,
}

impl ConfigFault {
    /// A fault of the node `key` of the directory `at`.
    #[must_use]
    pub const fn new(at: Place, key: Option<Key>, wrong: Wrong) -> Self {
        Self { at, key, wrong }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at, self.key) {
            (Place::Card, None) => f.write_str("the frontend's directory: ")?,
            (at, None) => write!(f, "{at}: ")?,
            (Place::Card, Some(key)) => write!(f, "{}: ", key.name())?,
            (at, Some(key)) => write!(f, "{at}/{}: ", key.name())?,
        }
        match self.wrong {
            Wrong::Missing => f.write_str("is missing"),
            Wrong::NotANumber => f.write_str("is not a decimal number"),
            Wrong::OutOfRange(least, most) => write!(f, "is not between {least} and {most}"),
            Wrong::NotText => f.write_str("is not UTF-8"),
            Wrong::NotADirection => f.write_str("is neither p nor c"),
            Wrong::BelowMinimum => f.write_str("is less than channels-min"),
            Wrong::NothingKnown => f.write_str("names nothing that this backend can play"),
            Wrong::TooManyRates => f.write_str("names more than 16 rates"),
            Wrong::NoDevices => f.write_str("has no PCM device"),
            Wrong::NoStreams => f.write_str("has no stream"),
            Wrong::Gap => f.write_str("is not numbered 0, 1, 2 without gaps"),
            Wrong::TooManyStreams => f.write_str("is one stream too many; a card may have 16"),
            Wrong::TooMuch => f.write_str("holds more than this backend keeps"),
            Wrong::Unreadable(error) => write!(f, "cannot be read: {error}"),
        }
    }
}
