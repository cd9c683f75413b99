//! What single controllers want beyond the specification, as data.
//!
//! From Linux' `sound/hda/controllers/intel.c` (`azx_ids`, `azx_init_pci`, `azx_first_init`)
//! unless a row names something else. pciback drops writes to configuration space unless it is
//! permissive; every row of that kind is a fix that most machines do without.

/// One thing to set right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fix {
    /// These bits of an octet of configuration space.
    Octet {
        /// Where it is.
        at: u16,
        /// The bits.
        mask: u8,
        /// What they should be.
        value: u8,
    },
    /// "Enable no snoop" of the PCI Express device control: off.
    Snoop,
    /// Verbs travel by immediate command.
    Immediate,
    /// The size of an output's FIFO is software's to choose.
    Fifo,
    /// DMA addresses have this many bits, whatever `GCAP` says.
    Bits(u8),
}

/// Intel's before the PCH, ICH6 to ICH10 and ESB2: what they do with "no snoop" is right.
const ICH: [u16; 8] = [
    0x2668, 0x269A, 0x27D8, 0x284B, 0x293E, 0x293F, 0x3A3E, 0x3A6E,
];

/// Vendor, first and last device, and what they want.
type Row = (u16, u16, u16, Fix);

const INTEL: u16 = 0x8086;
const AMD: u16 = 0x1022;
const ATI: u16 = 0x1002;
const NVIDIA: u16 = 0x10DE;
const CREATIVE: u16 = 0x1102;
const TERADICI: u16 = 0x6549;
const GLENFLY: u16 = 0x6766;

/// A row for all devices of a vendor.
const fn all(vendor: u16, fix: Fix) -> Row {
    (vendor, 0, u16::MAX, fix)
}

/// A row for one device.
const fn one(vendor: u16, device: u16, fix: Fix) -> Row {
    (vendor, device, device, fix)
}

const fn octet(at: u16, mask: u8, value: u8) -> Fix {
    Fix::Octet { at, mask, value }
}

static TABLE: [Row; 22] = [
    // TCSEL: audio in traffic class 0, or there is noise.
    all(INTEL, octet(0x44, 0x07, 0)),
    all(INTEL, Fix::Snoop),
    // ICH6, ICH7, ESB2: SDnFIFOS is read-write (ICH6 data sheet, 18.2.39).
    one(INTEL, 0x2668, Fix::Fifo),
    one(INTEL, 0x27D8, Fix::Fifo),
    one(INTEL, 0x269A, Fix::Fifo),
    // Lunar Lake, Panther Lake and H, Wildcat Lake, Nova Lake and S.
    one(INTEL, 0xA828, Fix::Immediate),
    one(INTEL, 0xE428, Fix::Immediate),
    one(INTEL, 0xE328, Fix::Immediate),
    one(INTEL, 0x4D28, Fix::Immediate),
    one(INTEL, 0xD328, Fix::Immediate),
    one(INTEL, 0x6E50, Fix::Immediate),
    // Snoop.
    all(AMD, octet(0x42, 0x07, 0x02)),
    all(ATI, octet(0x42, 0x07, 0x02)),
    all(NVIDIA, octet(0x4E, 0x0F, 0x0F)),
    all(NVIDIA, octet(0x4D, 0x01, 0x01)),
    all(NVIDIA, octet(0x4C, 0x01, 0x01)),
    all(AMD, Fix::Bits(40)),
    all(ATI, Fix::Bits(40)),
    all(NVIDIA, Fix::Bits(40)),
    all(CREATIVE, Fix::Bits(32)),
    all(TERADICI, Fix::Bits(32)),
    all(GLENFLY, Fix::Bits(32)),
];

/// What the controller with this vendor (15:0) and device (31:16) wants.
pub fn of(id: u32) -> impl Iterator<Item = Fix> {
    let [a, b, c, d] = id.to_le_bytes();
    let (vendor, device) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    TABLE
        .iter()
        .filter(move |(of, first, last, _)| *of == vendor && (*first..=*last).contains(&device))
        .map(|row| row.3)
        .filter(move |fix| !matches!(fix, Fix::Snoop) || !ICH.contains(&device))
}

/// What of it concerns the controller's driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Verbs travel by immediate command.
    pub immediate: bool,
    /// The size of an output's FIFO is software's to choose.
    pub fifo: bool,
    /// Bits of a DMA address, where `GCAP` allows more than 32.
    pub bits: u8,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            immediate: false,
            fifo: false,
            bits: 64,
        }
    }
}

impl Quirks {
    /// Those of a controller.
    #[must_use]
    pub fn of(id: u32) -> Self {
        let mut quirks = Self::default();
        for fix in of(id) {
            match fix {
                Fix::Immediate => quirks.immediate = true,
                Fix::Fifo => quirks.fifo = true,
                Fix::Bits(bits) => quirks.bits = bits,
                Fix::Octet { .. } | Fix::Snoop => {}
            }
        }
        quirks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_gets_the_rows_of_its_vendor_and_its_own() {
        assert_eq!(of(0x2668_8086).count(), 2);
        assert!(of(0x1C20_8086).any(|fix| fix == Fix::Snoop));
        assert!(Quirks::of(0x2668_8086).fifo);
        assert!(Quirks::of(0xA828_8086).immediate);
        assert_eq!(Quirks::of(0x15E3_1022).bits, 40);
        assert_eq!(Quirks::of(0x0012_1102).bits, 32);
        assert_eq!(Quirks::of(0x293E_8086), Quirks::default());
    }
}
