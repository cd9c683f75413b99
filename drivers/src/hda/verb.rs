//! Commands to codecs and the meaning of their answers (§7.3).

use core::fmt;

/// A codec's address on the link, 0 to 14.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodecAddress(u8);

impl CodecAddress {
    /// The address of most codecs that are alone.
    pub const FIRST: Self = Self(0);
    /// Highest address that `STATESTS` can report.
    pub const LAST: u8 = 14;

    /// The codec at `address`; `None` past [`Self::LAST`].
    #[must_use]
    pub const fn new(address: u8) -> Option<Self> {
        if address <= Self::LAST {
            Some(Self(address))
        } else {
            None
        }
    }

    /// The address as a number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A node of a codec. 0 is the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nid(pub u8);

impl fmt::Display for Nid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

/// Why a verb has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerbFault {
    /// The codec did not answer in time.
    Silent,
    /// The caller's time for verbs is used up.
    OutOfTime,
    /// The controller is gone.
    Absent,
}

/// A way to send verbs to codecs.
pub trait Verbs {
    /// Sends one verb to a node and waits for the answer, a bounded time.
    ///
    /// # Errors
    /// No answer came.
    fn ask(&mut self, codec: CodecAddress, node: Nid, verb: Verb) -> Result<u32, VerbFault>;
}

/// A read-only parameter of a node (§7.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Parameter {
    /// Vendor (31:16) and device (15:0).
    Vendor = 0x00,
    /// Revision.
    Revision = 0x02,
    /// First child (23:16) and number of children (7:0).
    Children = 0x04,
    /// Type of a function group (7:0).
    FunctionType = 0x05,
    /// Widget capabilities.
    Widget = 0x09,
    /// PCM sizes and rates.
    Pcm = 0x0A,
    /// Stream formats.
    Formats = 0x0B,
    /// Pin capabilities.
    Pin = 0x0C,
    /// Input amplifier.
    InputAmp = 0x0D,
    /// Length of the connection list.
    Connections = 0x0E,
    /// Output amplifier.
    OutputAmp = 0x12,
}

/// A verb with its payload: bits 19:0 of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verb(u32);

/// Which amplifier of a widget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amp {
    /// The output amplifier.
    Output,
    /// The input amplifier of the connection with this index.
    Input(u8),
}

/// What general purpose pins have a bit each for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GpioRegister {
    /// Its level.
    Data = 0x15,
    /// Whether it is in use.
    Mask = 0x16,
    /// Whether it is an output.
    Direction = 0x17,
}

/// A level for an amplifier, both channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Mute bit.
    pub mute: bool,
    /// Gain in the amplifier's own steps, 0 to 127.
    pub gain: u8,
}

impl Verb {
    const fn long(id: u16, payload: u8) -> Self {
        Self(((id as u32 & 0xFFF) << 8) | payload as u32)
    }

    const fn short(id: u8, payload: u16) -> Self {
        Self(((id as u32 & 0xF) << 16) | payload as u32)
    }

    /// Reads a parameter (§7.3.3.1).
    #[must_use]
    pub const fn parameter(parameter: Parameter) -> Self {
        Self::long(0xF00, parameter as u8)
    }

    /// Chooses the connection with this index (§7.3.3.2).
    #[must_use]
    pub const fn select(index: u8) -> Self {
        Self::long(0x701, index)
    }

    /// Reads entries of the connection list from `index` on (§7.3.3.3).
    #[must_use]
    pub const fn connections(index: u8) -> Self {
        Self::long(0xF02, index)
    }

    /// Goes to power state D0 (§7.3.3.10).
    #[must_use]
    pub const fn power_on() -> Self {
        Self::long(0x705, 0)
    }

    /// Goes to power state D3: as little power as still answers verbs.
    #[must_use]
    pub const fn power_off() -> Self {
        Self::long(0x705, 3)
    }

    /// Reads the power state.
    #[must_use]
    pub const fn power_state() -> Self {
        Self::long(0xF05, 0)
    }

    /// Ties a converter to a stream's tag, from `channel` of its frames on (§7.3.3.11).
    #[must_use]
    pub const fn stream(tag: StreamTag, channel: u8) -> Self {
        Self::long(0x706, (tag.0 << 4) | (channel & 0xF))
    }

    /// Ties a converter to no stream.
    #[must_use]
    pub const fn no_stream() -> Self {
        Self::long(0x706, 0)
    }

    /// Sets a converter's format (§7.3.3.8).
    #[must_use]
    pub const fn format(format: StreamFormat) -> Self {
        Self::short(0x2, format.0)
    }

    /// Sets both channels of an amplifier (§7.3.3.7).
    #[must_use]
    pub const fn amp(amp: Amp, level: Level) -> Self {
        let side = match amp {
            Amp::Output => 1 << 15,
            Amp::Input(index) => (1 << 14) | ((index as u16 & 0xF) << 8),
        };
        let mute = (level.mute as u16) << 7;
        Self::short(0x3, side | (0b11 << 12) | mute | (level.gain as u16 & 0x7F))
    }

    /// Sets a pin's drivers (§7.3.3.13).
    #[must_use]
    pub const fn pin_control(bits: u8) -> Self {
        Self::long(0x707, bits)
    }

    /// Turns an external amplifier on (§7.3.3.16).
    #[must_use]
    pub const fn eapd_on() -> Self {
        Self::long(0x70C, 1 << 1)
    }

    /// Turns an external amplifier off.
    #[must_use]
    pub const fn eapd_off() -> Self {
        Self::long(0x70C, 0)
    }

    /// Lets a converter send on a digital link, as an original that may be copied, and says that its
    /// samples are sound (§7.3.3.9, IEC 60958-3).
    #[must_use]
    pub const fn digital_on() -> Self {
        const ENABLE: u8 = 1;
        const COPY: u8 = 1 << 4;
        const ORIGINAL: u8 = 1 << 7;
        Self::long(0x70D, ENABLE | COPY | ORIGINAL)
    }

    /// Says on a digital link what sends: a PCM coder.
    #[must_use]
    pub const fn digital_category() -> Self {
        Self::long(0x70E, 0x02)
    }

    /// Names a coefficient (§7.3.3.5).
    #[must_use]
    pub const fn coef_index(index: u8) -> Self {
        Self::short(0x5, index as u16)
    }

    /// Reads the coefficient that was named (§7.3.3.6).
    #[must_use]
    pub const fn coef() -> Self {
        Self::short(0xC, 0)
    }

    /// Sets the coefficient that was named.
    #[must_use]
    pub const fn set_coef(value: u16) -> Self {
        Self::short(0x4, value)
    }

    /// Reads a register of the general purpose pins (§7.3.3.22 to 24).
    #[must_use]
    pub const fn gpio(register: GpioRegister) -> Self {
        Self::long(0xF00 | register as u16, 0)
    }

    /// Sets a register of the general purpose pins, a bit for each pin.
    #[must_use]
    pub const fn set_gpio(register: GpioRegister, bits: u8) -> Self {
        Self::long(0x700 | register as u16, bits)
    }

    /// Tells a pin to report on its own, with this tag, 1 to 63 (§7.3.3.14).
    #[must_use]
    pub const fn report(tag: u8) -> Self {
        Self::long(0x708, 0x80 | (tag & 0x3F))
    }

    /// Tells a pin to look for a plug, where it does not by itself (§7.3.3.15).
    #[must_use]
    pub const fn look() -> Self {
        Self::long(0x709, 0)
    }

    /// Reads whether something is plugged in: bit 31.
    #[must_use]
    pub const fn sense() -> Self {
        Self::long(0xF09, 0)
    }

    /// Reads a pin's configuration default (§7.3.3.31).
    #[must_use]
    pub const fn pin_config() -> Self {
        Self::long(0xF1C, 0)
    }

    /// Reads the subsystem (§7.3.3.30).
    #[must_use]
    pub const fn subsystem() -> Self {
        Self::long(0xF20, 0)
    }

    /// The 32-bit command for the link (§7.3).
    #[must_use]
    pub const fn command(self, codec: CodecAddress, node: Nid) -> u32 {
        ((codec.0 as u32) << 28) | ((node.0 as u32) << 20) | (self.0 & 0xF_FFFF)
    }

    /// Bits 19:0: the verb and its payload.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// A stream's tag on the link, 1 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamTag(u8);

impl StreamTag {
    /// The first tag, for the output.
    pub const ONE: Self = Self(1);
    /// The second, for the input: not every controller tells the tags of inputs and outputs apart.
    pub const TWO: Self = Self(2);

    /// The tag as a number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Bits of a sample on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleBits {
    /// 16 bits, in 2 octets.
    B16,
    /// 20 bits, left-justified in 4 octets.
    B20,
    /// 24 bits, left-justified in 4 octets.
    B24,
    /// 32 bits, in 4 octets.
    B32,
}

impl SampleBits {
    /// Bits that the converter keeps.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::B16 => 16,
            Self::B20 => 20,
            Self::B24 => 24,
            Self::B32 => 32,
        }
    }

    /// Octets that a sample takes in memory.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::B16 => 2,
            _ => 4,
        }
    }
}

/// A stream format, the same for `SDnFMT` and converters (§3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFormat(u16);

impl StreamFormat {
    /// 48 kHz PCM of two channels.
    #[must_use]
    pub const fn stereo_48k(bits: SampleBits) -> Self {
        let size = match bits {
            SampleBits::B16 => 1,
            SampleBits::B20 => 2,
            SampleBits::B24 => 3,
            SampleBits::B32 => 4,
        };
        Self((size << 4) | 1)
    }

    /// The register's value.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests;
