//! The shape of the card's frames.

/// How the card wants its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardSample {
    /// 16 bits, little endian.
    S16,
    /// 32-bit containers, left-justified, little endian; the card uses the top `bits`.
    S32 {
        /// Bits that the converter keeps: 20, 24 or 32.
        bits: u8,
    },
}

impl CardSample {
    /// Octets of one sample.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::S32 { .. } => 4,
        }
    }
}

/// The one format that a card's output, or its input, runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardFormat {
    /// Frames per second.
    pub rate: u32,
    /// Samples per frame.
    pub channels: u8,
    /// Shape of a sample.
    pub sample: CardSample,
}

impl CardFormat {
    /// Octets of one frame.
    #[must_use]
    pub const fn frame_octets(self) -> usize {
        self.channels as usize * self.sample.octets()
    }
}
