//! Which registers there are, how wide, and what a write to them may change.

use super::Model;

/// One register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Register {
    pub offset: usize,
    pub octets: usize,
    /// Bits that take what is written.
    pub writable: u32,
    /// Bits that a one clears.
    pub clears: u32,
}

const fn reg(offset: usize, octets: usize, writable: u32, clears: u32) -> Register {
    Register {
        offset,
        octets,
        writable,
        clears,
    }
}

const COMMON: &[Register] = &[
    reg(0x00, 2, 0, 0),
    reg(0x02, 1, 0, 0),
    reg(0x03, 1, 0, 0),
    reg(0x04, 2, 0, 0),
    reg(0x06, 2, 0, 0),
    reg(0x08, 4, 0x103, 0),
    reg(0x0C, 2, 0x7FFF, 0),
    reg(0x0E, 2, 0, 0x7FFF),
    reg(0x20, 4, 0xC000_00FF, 0),
    reg(0x24, 4, 0, 0),
    reg(0x30, 4, 0, 0),
    reg(0x40, 4, 0xFFFF_FF80, 0),
    reg(0x44, 4, 0xFFFF_FFFF, 0),
    reg(0x48, 2, 0xFF, 0),
    reg(0x4A, 2, 0x80FF, 0),
    reg(0x4C, 1, 0x03, 0),
    reg(0x4D, 1, 0, 0x01),
    reg(0x4E, 1, 0, 0),
    reg(0x50, 4, 0xFFFF_FF80, 0),
    reg(0x54, 4, 0xFFFF_FFFF, 0),
    reg(0x58, 2, 0, 0),
    reg(0x5A, 2, 0xFF, 0),
    reg(0x5C, 1, 0x07, 0),
    reg(0x5D, 1, 0, 0x05),
    reg(0x5E, 1, 0, 0),
    reg(0x60, 4, 0xFFFF_FFFF, 0),
    reg(0x64, 4, 0, 0),
    reg(0x68, 2, 0x01, 0x02),
    reg(0x70, 4, 0xFFFF_FF81, 0),
    reg(0x74, 4, 0xFFFF_FFFF, 0),
];

/// One stream's registers, from its base.
const STREAM: &[Register] = &[
    reg(0x04, 4, 0, 0),
    reg(0x08, 4, 0xFFFF_FFFF, 0),
    reg(0x0C, 2, 0xFF, 0),
    reg(0x10, 2, 0, 0),
    reg(0x12, 2, 0x7F7F, 0),
    reg(0x18, 4, 0xFFFF_FF80, 0),
    reg(0x1C, 4, 0xFFFF_FFFF, 0),
];

/// Streams of the simulated controllers: four inputs, then four outputs.
pub(super) const STREAMS: usize = 8;

/// Where a stream's registers begin.
pub(super) const fn stream_base(index: usize) -> usize {
    0x80 + 0x20 * index
}

/// Every register of a model.
pub(super) fn registers(model: Model) -> Vec<Register> {
    let mut all = COMMON.to_vec();
    for base in (0..STREAMS).map(stream_base) {
        match model {
            // The status octet is plain data to an access of the whole word, and QEMU finds no
            // other octet than these.
            Model::Qemu => {
                all.push(reg(base, 4, 0x1CFF_FFFF, 0));
                all.push(reg(base + 2, 1, 0xFF, 0));
            }
            Model::Chip => {
                all.push(reg(base, 1, 0x1F, 0));
                all.push(reg(base + 2, 1, 0xFF, 0));
            }
        }
        all.push(reg(base + 3, 1, 0, 0x1C));
        let moved = STREAM.iter().map(|&register| Register {
            offset: base + register.offset,
            ..register
        });
        all.extend(moved);
    }
    all
}
