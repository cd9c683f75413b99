//! What a pin is for, by the default that firmware wrote (§7.3.3.31).

use core::fmt;

/// What an output pin leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A line-out jack.
    LineOut,
    /// A built-in speaker.
    Speaker,
    /// A headphone jack.
    Headphones,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineOut => "Line out",
            Self::Speaker => "Speaker",
            Self::Headphones => "Headphones",
        })
    }
}

/// What an input pin is fed by, in the order in which they matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A microphone.
    Mic,
    /// A line-in jack.
    LineIn,
    /// A CD drive's analog output.
    Cd,
    /// Something else that is analog.
    Aux,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mic => "mic",
            Self::LineIn => "line in",
            Self::Cd => "CD",
            Self::Aux => "aux",
        })
    }
}

/// Where a pin's jack or device is; later ones are closer at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Built in, with or without a jack.
    Internal,
    /// On a dock.
    Dock,
    /// Outside, no more is known.
    Outside,
    /// At the rear.
    Rear,
    /// At the front.
    Front,
}

/// What a connected pin carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// An analog output.
    Output(Purpose),
    /// An analog input.
    Input(Source),
    /// S/PDIF, HDMI and the like, either way.
    Digital,
    /// Modems, telephony and what is reserved.
    Other,
}

/// A pin's configuration default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinConfig(pub u32);

impl PinConfig {
    const fn field(self, shift: u32) -> u32 {
        (self.0 >> shift) & 0xF
    }

    /// Whether anything is connected.
    #[must_use]
    pub const fn connected(self) -> bool {
        self.0 >> 30 != 1
    }

    /// Whether what is connected is fixed to the pin, with or without a jack beside it.
    #[must_use]
    pub const fn fixed(self) -> bool {
        self.0 >> 30 >= 2
    }

    /// What the pin carries, if it is connected at all.
    #[must_use]
    pub const fn usage(self) -> Option<Use> {
        if !self.connected() {
            return None;
        }
        Some(match self.field(20) {
            // Some firmware calls its fixed speaker a line-out.
            0 if !self.fixed() => Use::Output(Purpose::LineOut),
            0 | 1 => Use::Output(Purpose::Speaker),
            2 => Use::Output(Purpose::Headphones),
            3 => Use::Input(Source::Cd),
            8 => Use::Input(Source::LineIn),
            9 => Use::Input(Source::Aux),
            0xA => Use::Input(Source::Mic),
            4 | 5 | 0xC | 0xD => Use::Digital,
            _ => Use::Other,
        })
    }

    /// Whether the pin is an S/PDIF output that somebody may have connected; HDMI is none.
    #[must_use]
    pub const fn spdif_output(self) -> bool {
        const HDMI: u32 = 0x18;
        self.connected() && self.field(20) == 4 && self.location() != HDMI
    }

    /// Where the jack or device is.
    #[must_use]
    pub const fn place(self) -> Place {
        match (self.field(28) & 3, self.field(24)) {
            _ if self.fixed() => Place::Internal,
            (1, _) => Place::Internal,
            (2, _) => Place::Dock,
            (0, 1) => Place::Rear,
            (0, 2) => Place::Front,
            _ => Place::Outside,
        }
    }

    /// The location as it is written, 6 bits.
    #[must_use]
    pub const fn location(self) -> u32 {
        (self.0 >> 24) & 0x3F
    }

    /// Whether the jack has no switch that tells a plug.
    #[must_use]
    pub const fn blind(self) -> bool {
        self.field(8) & 1 != 0
    }

    /// Which pins belong together; lower ones matter more, and 0 is reserved.
    #[must_use]
    pub const fn association(self) -> u32 {
        self.field(4)
    }

    /// The order within an association.
    #[must_use]
    pub const fn sequence(self) -> u32 {
        self.field(0)
    }

    /// The order among all pins of a kind.
    pub(super) const fn key(self) -> u32 {
        self.0 & 0xFF
    }
}
