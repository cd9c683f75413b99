//! The configuration registers that are of use here (PCI Local Bus 3.0, chapter 6).

/// Vendor (15:0) and device (31:16).
pub const ID: u16 = 0x00;
/// Command, 16 bits.
pub const COMMAND: u16 = 0x04;
/// Status, 16 bits.
pub const STATUS: u16 = 0x06;
/// Revision (7:0), programming interface (15:8), subclass and class.
pub const CLASS: u16 = 0x08;
/// First base address register.
pub const BAR0: u16 = 0x10;
/// Second base address register.
pub const BAR1: u16 = 0x14;
/// Subsystem vendor (15:0) and subsystem (31:16).
pub const SUBSYSTEM: u16 = 0x2C;
/// First capability, 8 bits.
pub const CAPABILITIES: u16 = 0x34;
/// Interrupt line, 8 bits: for us the pirq of the line interrupt.
pub const INTERRUPT_LINE: u16 = 0x3C;

/// `COMMAND`: decode memory.
pub const COMMAND_MEMORY: u32 = 1 << 1;
/// `COMMAND`: may be master, that is do DMA.
pub const COMMAND_MASTER: u32 = 1 << 2;
/// `STATUS`: has capabilities.
pub const STATUS_CAPABILITIES: u32 = 1 << 4;
/// Capability: PCI Express.
pub const CAPABILITY_EXPRESS: u32 = 0x10;

/// What a base address register says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Where the window is on the host's bus.
    pub address: u64,
    /// Octets of the window.
    pub octets: u64,
}

/// Whether a memory BAR takes the next register as its upper half; `None` for an I/O BAR.
#[must_use]
pub const fn bar_is_wide(low: u32) -> Option<bool> {
    if low & 1 != 0 {
        None
    } else {
        Some((low >> 1) & 3 == 2)
    }
}

/// A memory BAR from its value and what it shows after all ones were written.
#[must_use]
pub const fn memory_bar(value: u64, mask: u64) -> Option<Bar> {
    let (address, mask) = (value & !0xF, mask & !0xF);
    if address == 0 || mask == 0 {
        return None;
    }
    Some(Bar {
        address,
        // The lowest bit that can be set.
        octets: mask & mask.wrapping_neg(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_large_as_its_lowest_bit() {
        let bar = memory_bar(0xFEBF_0000, 0xFFFF_C000).unwrap();
        assert_eq!((bar.address, bar.octets), (0xFEBF_0000, 0x4000));
        let wide = memory_bar(0x20_F110_0004, 0xFFFF_FFFF_FFFF_C004).unwrap();
        assert_eq!((wide.address, wide.octets), (0x20_F110_0000, 0x4000));
        assert_eq!(memory_bar(0, 0xFFFF_C000), None);
        assert_eq!(memory_bar(0xFEBF_0000, 0), None);
    }

    #[test]
    fn bars_tell_their_kind() {
        assert_eq!(bar_is_wide(0xC001), None);
        assert_eq!(bar_is_wide(0xFEBF_0000), Some(false));
        assert_eq!(bar_is_wide(0xF110_0004), Some(true));
    }
}
