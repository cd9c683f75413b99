//! Finds the sound card among this domain's functions and switches it on and off.

use core::fmt;

use super::config::{
    BAR0, BAR1, BAR4, CAPABILITIES, CAPABILITY_EXPRESS, CLASS, COMMAND, COMMAND_MASTER,
    COMMAND_MEMORY, ID, INTERRUPT_LINE, STATUS, STATUS_CAPABILITIES, bar_is_wide, memory_bar,
};
use super::front::{OpError, PciFront, Width};
use super::handshake::Function;
use super::{Address, OpChannel};
use crate::Clock;
use crate::hda::quirks::{self, Fix};

/// Class and subclass of an HD Audio function.
const HD_AUDIO: u32 = 0x0403;
/// Of one with a DSP before it, which need not be used.
const WITH_DSP: u32 = 0x0401;
/// Octets of the registers that are of use: the last is that of stream descriptor 29 at 0x43C.
pub const REGISTERS: usize = 0x1000;
/// Capabilities followed before a list counts as endless.
const CAPABILITY_LIMIT: u8 = 48;

const INTEL: u32 = 0x8086;
/// `CGCTL` of Intel's since Skylake, and MISCBDCGE in it: gates the clock under a link reset.
const CGCTL: u16 = 0x48;
const MISCBDCGE: u32 = 1 << 6;

/// Why there is no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioError {
    /// None of the functions is an HD Audio controller.
    NoAudioFunction,
    /// Its registers are not in memory, or nowhere.
    NoRegisters,
    /// It does not decode memory or may not do DMA.
    NotEnabled,
    /// The backend.
    Op(OpError),
}

impl From<OpError> for AudioError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAudioFunction => f.write_str("no function given is an HD Audio controller"),
            Self::NoRegisters => f.write_str("the controller's registers are not in memory"),
            Self::NotEnabled => f.write_str("the controller cannot be enabled"),
            Self::Op(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AudioError {}

/// An HD Audio function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFunction {
    /// Where operations find it.
    pub address: Address,
    /// Which function of the host it is.
    pub host: Option<Address>,
    /// Vendor (15:0) and device (31:16).
    pub id: u32,
    /// Machine address of its registers, [`REGISTERS`] octets.
    pub registers: u64,
}

/// Finds the first HD Audio function and where its registers are.
///
/// # Errors
/// There is none, or the backend failed.
pub fn find<O: OpChannel, C: Clock>(
    front: &mut PciFront<O, C>,
    functions: &[Function],
) -> Result<AudioFunction, AudioError> {
    for function in functions {
        let address = function.address;
        let class = front.read(address, CLASS, Width::Four)? >> 16;
        if class != HD_AUDIO && class != WITH_DSP {
            continue;
        }
        let id = front.read(address, ID, Width::Four)?;
        if class == WITH_DSP && id & 0xFFFF != INTEL {
            continue;
        }
        return Ok(AudioFunction {
            address,
            host: function.host,
            id,
            registers: registers(front, address)?,
        });
    }
    Err(AudioError::NoAudioFunction)
}

/// Where BAR 0 is. It is not sized: the specification reserves 16 KiB for it (§3.1.3), and what
/// is used of that lies in the first page.
fn registers<O: OpChannel, C: Clock>(
    front: &mut PciFront<O, C>,
    address: Address,
) -> Result<u64, AudioError> {
    let low = front.read(address, BAR0, Width::Four)?;
    let high = if bar_is_wide(low).ok_or(AudioError::NoRegisters)? {
        front.read(address, BAR1, Width::Four)?
    } else {
        0
    };
    memory_bar((u64::from(high) << 32) | u64::from(low)).ok_or(AudioError::NoRegisters)
}

impl AudioFunction {
    /// Lets the function decode memory and do DMA.
    ///
    /// # Errors
    /// `NotEnabled` if it does not keep that, or the backend failed.
    pub fn enable<O: OpChannel, C: Clock>(
        &self,
        front: &mut PciFront<O, C>,
    ) -> Result<(), AudioError> {
        const ON: u32 = COMMAND_MEMORY | COMMAND_MASTER;
        let command = front.read(self.address, COMMAND, Width::Two)?;
        front.write(self.address, COMMAND, Width::Two, command | ON)?;
        if front.read(self.address, COMMAND, Width::Two)? & ON == ON {
            Ok(())
        } else {
            Err(AudioError::NotEnabled)
        }
    }

    /// Ends the function's right to do DMA, for good measure once it is quiet.
    ///
    /// # Errors
    /// The backend failed.
    pub fn disable_dma<O: OpChannel, C: Clock>(
        &self,
        front: &mut PciFront<O, C>,
    ) -> Result<(), AudioError> {
        let command = front.read(self.address, COMMAND, Width::Two)?;
        front.write(self.address, COMMAND, Width::Two, command & !COMMAND_MASTER)?;
        Ok(())
    }

    /// The pirq of the line interrupt, for a function without MSI.
    ///
    /// # Errors
    /// The backend failed.
    pub fn line_interrupt<O: OpChannel, C: Clock>(
        &self,
        front: &mut PciFront<O, C>,
    ) -> Result<super::front::Pirq, AudioError> {
        let line = front.read(self.address, INTERRUPT_LINE, Width::One)?;
        Ok(super::front::Pirq(line))
    }

    /// Asks for what Linux sets on such controllers (see [`quirks`]). The backend drops or refuses
    /// these writes unless it is permissive, and the card mostly works without them.
    ///
    /// # Errors
    /// The backend is silent.
    pub fn tune<O: OpChannel, C: Clock>(
        &self,
        front: &mut PciFront<O, C>,
    ) -> Result<(), AudioError> {
        for fix in quirks::of(self.id) {
            match fix {
                Fix::Octet { at, mask, value } => {
                    self.update(front, at, mask.into(), value.into())?;
                }
                Fix::Snoop => self.snoop(front)?,
                Fix::Immediate | Fix::Fifo | Fix::Bits(_) => {}
            }
        }
        Ok(())
    }

    /// Clears "enable no snoop" of the PCI Express device control (PCIe 3.0, 7.8.4).
    fn snoop<O: OpChannel, C: Clock>(&self, front: &mut PciFront<O, C>) -> Result<(), AudioError> {
        let Some(capability) = self.capability(front, CAPABILITY_EXPRESS)? else {
            return Ok(());
        };
        let no_snoop = 1 << (11 - 8);
        self.update(front, capability.saturating_add(9), no_snoop, 0)?;
        // Those with a DSP, which has a BAR, have this too. Linux gates the clock again after the
        // reset, to save power; here another reset may come at any time.
        if front.read(self.address, BAR4, Width::Four)? != 0 {
            self.update(front, CGCTL, MISCBDCGE, 0)?;
        }
        Ok(())
    }

    /// Where a capability is, if the function has it.
    fn capability<O: OpChannel, C: Clock>(
        &self,
        front: &mut PciFront<O, C>,
        id: u32,
    ) -> Result<Option<u16>, AudioError> {
        let status = front.read(self.address, STATUS, Width::Two)?;
        if status & STATUS_CAPABILITIES == 0 {
            return Ok(None);
        }
        let mut at = front.read(self.address, CAPABILITIES, Width::One)?;
        for _ in 0..CAPABILITY_LIMIT {
            let offset = match u16::try_from(at & 0xFC) {
                Ok(offset) if offset >= 0x40 => offset,
                _ => break,
            };
            let header = front.read(self.address, offset, Width::Two)?;
            if header & 0xFF == id {
                return Ok(Some(offset));
            }
            at = header >> 8;
        }
        Ok(None)
    }

    /// Sets the bits of `mask` in an octet to those of `value`.
    fn update<O: OpChannel, C: Clock>(
        &self,
        front: &mut PciFront<O, C>,
        offset: u16,
        mask: u32,
        value: u32,
    ) -> Result<(), AudioError> {
        let before = front.read(self.address, offset, Width::One)?;
        let after = (before & !mask) | value;
        if after == before {
            return Ok(());
        }
        match front.write(self.address, offset, Width::One, after) {
            Ok(()) | Err(OpError::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
