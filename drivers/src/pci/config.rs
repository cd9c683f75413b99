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
/// Fifth base address register.
pub const BAR4: u16 = 0x20;
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

/// Whether a memory BAR takes the next register as its upper half; `None` for an I/O BAR.
#[must_use]
pub const fn bar_is_wide(low: u32) -> Option<bool> {
    if low & 1 != 0 {
        None
    } else {
        Some((low >> 1) & 3 == 2)
    }
}

/// The address in a memory BAR; `None` if it has none.
#[must_use]
pub const fn memory_bar(value: u64) -> Option<u64> {
    match value & !0xF {
        0 => None,
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_its_address_without_its_flags() {
        assert_eq!(memory_bar(0x20_F110_0004), Some(0x20_F110_0000));
        assert_eq!(memory_bar(0xC), None);
    }

    #[test]
    fn bars_tell_their_kind() {
        assert_eq!(bar_is_wide(0xC001), None);
        assert_eq!(bar_is_wide(0xFEBF_0000), Some(false));
        assert_eq!(bar_is_wide(0xF110_0004), Some(true));
    }
}
