//! The card's outputs and inputs by the names that people use, and who is heard or hears where.
//!
//! All outputs that sound play one mix, and one input is recorded from at a time. So a guest, or a
//! stream whose `unique-id` is such a name, that is routed to an output is heard while that one
//! sounds and never elsewhere; one that is routed to an input hears while that one is recorded from.

use core::fmt;

/// An output or input of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Terminal {
    /// A built-in speaker.
    Speaker,
    /// A headphone jack.
    Headphone,
    /// A line-out jack.
    LineOut,
    /// S/PDIF.
    Digital,
    /// A built-in microphone.
    InternalMic,
    /// A microphone jack, nobody knows where.
    Mic,
    /// A microphone jack at the front.
    FrontMic,
    /// A microphone jack at the rear.
    RearMic,
    /// A microphone jack on a dock.
    DockMic,
    /// A line-in jack.
    LineIn,
    /// A CD drive's analog output.
    Cd,
    /// Another analog input.
    Aux,
}

impl Terminal {
    /// All, outputs first.
    pub const ALL: [Self; 12] = [
        Self::Speaker,
        Self::Headphone,
        Self::LineOut,
        Self::Digital,
        Self::InternalMic,
        Self::Mic,
        Self::FrontMic,
        Self::RearMic,
        Self::DockMic,
        Self::LineIn,
        Self::Cd,
        Self::Aux,
    ];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Speaker => "speaker",
            Self::Headphone => "headphone",
            Self::LineOut => "line-out",
            Self::Digital => "digital",
            Self::InternalMic => "internal-mic",
            Self::Mic => "mic",
            Self::FrontMic => "front-mic",
            Self::RearMic => "rear-mic",
            Self::DockMic => "dock-mic",
            Self::LineIn => "line-in",
            Self::Cd => "cd",
            Self::Aux => "aux",
        }
    }

    /// The terminal of a name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|terminal| terminal.name().as_bytes() == name)
    }

    /// Whether sound leaves the card there.
    #[must_use]
    pub const fn is_output(self) -> bool {
        (self as u8) <= Self::Digital as u8
    }
}

/// Some of the terminals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminals(u16);

impl Terminals {
    /// Every one.
    pub const ALL: Self = Self((1 << Terminal::ALL.len()) - 1);

    /// These and one more.
    #[must_use]
    pub const fn with(self, terminal: Terminal) -> Self {
        Self(self.0 | 1 << terminal as u8)
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn has(self, terminal: Terminal) -> bool {
        self.0 & 1 << terminal as u8 != 0
    }
}

/// Their names with commas between them; a hyphen if there are none.
impl fmt::Display for Terminals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for terminal in Terminal::ALL.into_iter().filter(|&one| self.has(one)) {
            write!(out, "{separator}{}", terminal.name())?;
            separator = ",";
        }
        out.write_str(if separator.is_empty() { "-" } else { "" })
    }
}

/// What the card has, and what of it counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routes {
    /// Its outputs and inputs.
    pub present: Terminals,
    /// The outputs that sound, and the input that is recorded from.
    pub live: Terminals,
}

impl Default for Routes {
    /// Where nothing is known of a card, or there is none, nobody is kept from it.
    fn default() -> Self {
        Self {
            present: Terminals::ALL,
            live: Terminals::ALL,
        }
    }
}

impl fmt::Display for Routes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "present={} live={}", self.present, self.live)
    }
}

/// Somebody is routed to what the card does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misrouted {
    /// Who: the stream by its `unique-id`, or the guest by its policy.
    pub stream: Option<u8>,
    /// Where to.
    pub to: Terminal,
    /// What there is.
    pub present: Terminals,
}

impl fmt::Display for Misrouted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to, present) = (self.to.name(), self.present);
        match self.stream {
            Some(stream) => write!(out, "unique-id of stream {stream}")?,
            None => out.write_str("output")?,
        }
        write!(out, ": the card has no {to}, but {present}: silent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_name_is_its_own_terminal_s() {
        for terminal in Terminal::ALL {
            assert_eq!(
                Terminal::from_name(terminal.name().as_bytes()),
                Some(terminal)
            );
            assert!(Terminals::ALL.has(terminal));
            assert!(!Terminals::default().has(terminal));
        }
        assert_eq!(Terminal::from_name(b"Speaker"), None);
        let outputs = Terminal::ALL.into_iter().filter(|one| one.is_output());
        assert_eq!(outputs.count(), 4);
    }

    #[test]
    fn a_set_names_what_is_in_it() {
        let two = Terminals::default()
            .with(Terminal::LineIn)
            .with(Terminal::Speaker);
        assert_eq!(two.to_string(), "speaker,line-in");
        assert_eq!(Terminals::default().to_string(), "-");
    }
}
