//! The controller's registers: offset, width and access in the type (§3.3).
//!
//! Every access here has exactly a register's own width: QEMU decodes nothing else, and real
//! chips do not mind.

use core::marker::PhantomData;

use crate::Regs;

/// A register that may be read and written.
#[derive(Clone, Copy, Debug)]
pub enum ReadWrite {}
/// A register whose writes mean nothing.
#[derive(Clone, Copy, Debug)]
pub enum ReadOnly {}

/// A register of width `W` (`u8`, `u16` or `u32`) and access `A`, at a fixed offset.
#[derive(Clone, Copy, Debug)]
pub struct Reg<W, A> {
    offset: usize,
    kind: PhantomData<(W, A)>,
}

/// What a register of some width holds.
pub trait Width: Copy {
    /// Reads one such register.
    fn read(regs: &impl Regs, offset: usize) -> Self;
    /// Writes one such register.
    fn write(regs: &mut impl Regs, offset: usize, value: Self);
}

impl Width for u8 {
    fn read(regs: &impl Regs, offset: usize) -> Self {
        regs.read8(offset)
    }
    fn write(regs: &mut impl Regs, offset: usize, value: Self) {
        regs.write8(offset, value);
    }
}

impl Width for u16 {
    fn read(regs: &impl Regs, offset: usize) -> Self {
        regs.read16(offset)
    }
    fn write(regs: &mut impl Regs, offset: usize, value: Self) {
        regs.write16(offset, value);
    }
}

impl Width for u32 {
    fn read(regs: &impl Regs, offset: usize) -> Self {
        regs.read32(offset)
    }
    fn write(regs: &mut impl Regs, offset: usize, value: Self) {
        regs.write32(offset, value);
    }
}

impl<W: Width, A> Reg<W, A> {
    const fn at(offset: usize) -> Self {
        Self {
            offset,
            kind: PhantomData,
        }
    }

    /// Octets from the start of the window.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }

    /// Reads the register.
    pub fn read(self, regs: &impl Regs) -> W {
        W::read(regs, self.offset)
    }
}

impl<W: Width> Reg<W, ReadWrite> {
    /// Writes the register.
    pub fn write(self, regs: &mut impl Regs, value: W) {
        W::write(regs, self.offset, value);
    }
}

/// Global capabilities, §3.3.2.
pub const GCAP: Reg<u16, ReadOnly> = Reg::at(0x00);
/// Global control, §3.3.7.
pub const GCTL: Reg<u32, ReadWrite> = Reg::at(0x08);
/// Which codecs may wake the link, §3.3.8.
pub const WAKEEN: Reg<u16, ReadWrite> = Reg::at(0x0C);
/// Which codecs reported a state change, one bit each; ones clear, §3.3.9.
pub const STATESTS: Reg<u16, ReadWrite> = Reg::at(0x0E);
/// Interrupt enables, §3.3.14.
pub const INTCTL: Reg<u32, ReadWrite> = Reg::at(0x20);
/// Pending interrupts, §3.3.15.
pub const INTSTS: Reg<u32, ReadOnly> = Reg::at(0x24);
/// CORB address, lower half, §3.3.18.
pub const CORBLBASE: Reg<u32, ReadWrite> = Reg::at(0x40);
/// CORB address, upper half, §3.3.19.
pub const CORBUBASE: Reg<u32, ReadWrite> = Reg::at(0x44);
/// Last command that software wrote, §3.3.20.
pub const CORBWP: Reg<u16, ReadWrite> = Reg::at(0x48);
/// Last command that the controller read, and its reset bit, §3.3.21.
pub const CORBRP: Reg<u16, ReadWrite> = Reg::at(0x4A);
/// CORB control, §3.3.22.
pub const CORBCTL: Reg<u8, ReadWrite> = Reg::at(0x4C);
/// CORB status; ones clear, §3.3.23.
pub const CORBSTS: Reg<u8, ReadWrite> = Reg::at(0x4D);
/// CORB size and the sizes on offer, §3.3.24.
pub const CORBSIZE: Reg<u8, ReadWrite> = Reg::at(0x4E);
/// RIRB address, lower half, §3.3.25.
pub const RIRBLBASE: Reg<u32, ReadWrite> = Reg::at(0x50);
/// RIRB address, upper half, §3.3.26.
pub const RIRBUBASE: Reg<u32, ReadWrite> = Reg::at(0x54);
/// Last response that the controller wrote, and its reset bit, §3.3.27.
pub const RIRBWP: Reg<u16, ReadWrite> = Reg::at(0x58);
/// Responses per interrupt, §3.3.28.
pub const RINTCNT: Reg<u16, ReadWrite> = Reg::at(0x5A);
/// RIRB control, §3.3.29.
pub const RIRBCTL: Reg<u8, ReadWrite> = Reg::at(0x5C);
/// RIRB status; ones clear, §3.3.30.
pub const RIRBSTS: Reg<u8, ReadWrite> = Reg::at(0x5D);
/// RIRB size and the sizes on offer, §3.3.31.
pub const RIRBSIZE: Reg<u8, ReadWrite> = Reg::at(0x5E);
/// Immediate command, §3.4.1.
pub const ICOI: Reg<u32, ReadWrite> = Reg::at(0x60);
/// Immediate response, §3.4.2.
pub const ICII: Reg<u32, ReadOnly> = Reg::at(0x64);
/// Immediate command status; the valid bit is cleared by a one, §3.4.3.
pub const ICIS: Reg<u16, ReadWrite> = Reg::at(0x68);
/// Position buffer address and enable, §3.3.32.
pub const DPLBASE: Reg<u32, ReadWrite> = Reg::at(0x70);
/// Position buffer address, upper half, §3.3.33.
pub const DPUBASE: Reg<u32, ReadWrite> = Reg::at(0x74);

/// `GCTL`: 0 holds the controller and the link in reset.
pub const GCTL_CRST: u32 = 1;
/// `GCTL`: what codecs report on their own is let through.
pub const GCTL_UNSOL: u32 = 1 << 8;
/// `CORBRP`: reset the pointer.
pub const CORBRP_RST: u16 = 1 << 15;
/// `CORBCTL`: run the DMA engine.
pub const CORBCTL_RUN: u8 = 1 << 1;
/// `RIRBWP`: reset the pointer.
pub const RIRBWP_RST: u16 = 1 << 15;
/// `RIRBCTL`: note `RINTCNT` responses in `RIRBSTS`.
pub const RIRBCTL_INT: u8 = 1 << 0;
/// `RIRBCTL`: run the DMA engine.
pub const RIRBCTL_RUN: u8 = 1 << 1;
/// `RIRBSTS`: `RINTCNT` responses came, or the ring ran empty of commands.
pub const RIRBSTS_INT: u8 = 1 << 0;
/// `RIRBSTS`: responses were lost.
pub const RIRBSTS_OVERRUN: u8 = 1 << 2;
/// `ICIS`: a command is on its way.
pub const ICIS_BUSY: u16 = 1 << 0;
/// `ICIS`: a response is there.
pub const ICIS_VALID: u16 = 1 << 1;
/// `DPLBASE`: write positions.
pub const DPLBASE_ENABLE: u32 = 1;
/// `INTCTL`, `INTSTS`: everything.
pub const INT_GLOBAL: u32 = 1 << 31;
/// `INTCTL`, `INTSTS`: the rings and the codecs.
pub const INT_CONTROLLER: u32 = 1 << 30;

/// The registers of one stream descriptor (§3.3.35 on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRegs {
    index: u8,
}

impl StreamRegs {
    /// Stream descriptor `index`: inputs come first, then outputs, then bidirectional ones.
    #[must_use]
    pub const fn new(index: u8) -> Self {
        Self { index }
    }

    /// Which descriptor it is.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.index
    }

    /// The descriptor's bit in `INTCTL` and `INTSTS`; none for an index past 29.
    #[must_use]
    pub const fn interrupt(self) -> u32 {
        if self.index < 30 { 1 << self.index } else { 0 }
    }

    const fn at<W: Width, A>(self, offset: usize) -> Reg<W, A> {
        let base = (self.index as usize).saturating_mul(0x20);
        Reg::at(base.saturating_add(offset).saturating_add(0x80))
    }

    /// Control bits 7:0.
    #[must_use]
    pub const fn ctl(self) -> Reg<u8, ReadWrite> {
        self.at(0x0)
    }
    /// Control bits 23:16: tag and direction.
    #[must_use]
    pub const fn tag(self) -> Reg<u8, ReadWrite> {
        self.at(0x2)
    }
    /// Status; ones clear. Only an access of its own clears it on QEMU.
    #[must_use]
    pub const fn sts(self) -> Reg<u8, ReadWrite> {
        self.at(0x3)
    }
    /// Link position in the cyclic buffer, in octets.
    #[must_use]
    pub const fn lpib(self) -> Reg<u32, ReadOnly> {
        self.at(0x4)
    }
    /// Cyclic buffer length in octets.
    #[must_use]
    pub const fn cbl(self) -> Reg<u32, ReadWrite> {
        self.at(0x8)
    }
    /// Last valid index of the buffer descriptor list.
    #[must_use]
    pub const fn lvi(self) -> Reg<u16, ReadWrite> {
        self.at(0xC)
    }
    /// FIFO size in octets, valid once the format is set. Writable on few chips only.
    #[must_use]
    pub const fn fifos(self) -> Reg<u16, ReadWrite> {
        self.at(0x10)
    }
    /// Format.
    #[must_use]
    pub const fn fmt(self) -> Reg<u16, ReadWrite> {
        self.at(0x12)
    }
    /// Buffer descriptor list address, lower half.
    #[must_use]
    pub const fn bdpl(self) -> Reg<u32, ReadWrite> {
        self.at(0x18)
    }
    /// Buffer descriptor list address, upper half.
    #[must_use]
    pub const fn bdpu(self) -> Reg<u32, ReadWrite> {
        self.at(0x1C)
    }
}

/// `SDnCTL`: hold the stream in reset.
pub const SD_SRST: u8 = 1 << 0;
/// `SDnCTL`: run the DMA engine.
pub const SD_RUN: u8 = 1 << 1;
/// `SDnCTL`: interrupt on completed buffers that ask for it.
pub const SD_IOCE: u8 = 1 << 2;
/// `SDnCTL`: interrupt on FIFO errors.
pub const SD_FEIE: u8 = 1 << 3;
/// `SDnCTL`: interrupt on descriptor errors.
pub const SD_DEIE: u8 = 1 << 4;
/// `SDnCTL` bits 23:16: a bidirectional stream is an output.
pub const SD_TAG_OUTPUT: u8 = 1 << 3;
/// `SDnSTS`: a buffer completed.
pub const SD_BCIS: u8 = 1 << 2;
/// `SDnSTS`: the FIFO ran empty.
pub const SD_FIFOE: u8 = 1 << 3;
/// `SDnSTS`: the descriptor list could not be read; the stream stopped.
pub const SD_DESE: u8 = 1 << 4;
/// `SDnSTS`: all causes that a one clears.
pub const SD_CAUSES: u8 = SD_BCIS | SD_FIFOE | SD_DESE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_registers_follow_each_other_in_steps_of_32() {
        assert_eq!(StreamRegs::new(0).ctl().offset(), 0x80);
        assert_eq!(StreamRegs::new(4).sts().offset(), 0x103);
        assert_eq!(StreamRegs::new(4).bdpu().offset(), 0x11C);
        assert_eq!(StreamRegs::new(4).interrupt(), 0x10);
        assert_eq!(StreamRegs::new(31).interrupt(), 0);
    }
}
