//! An output stream and its ring of pages (§3.6).
//!
//! One page is one entry of the buffer descriptor list, so nothing larger than a page has to be
//! contiguous for the device. Nothing the device reads to find its way changes while it runs.

use heapless::Vec;

use super::CardError;
use super::controller::Controller;
use super::position::Position;
use super::regs::{
    GCTL, INT_GLOBAL, INTCTL, INTSTS, SD_CAUSES, SD_DEIE, SD_DESE, SD_FEIE, SD_FIFOE, SD_IOCE,
    SD_RUN, SD_SRST, SD_TAG_OUTPUT, StreamRegs,
};
use super::rings::{high, low};
use super::verb::{StreamFormat, StreamTag};
use crate::{Clock, DmaMemory, DmaPage, Micros, PAGE_OCTETS, Regs};

/// Most pages of a ring.
pub const RING_PAGES: usize = 64;
/// How long a stream may take to follow its reset bit or its run bit.
const SETTLE: Micros = Micros::millis(5);
/// How long a position may stand still before the other way to read it is asked.
const SUSPECT: Micros = Micros::millis(20);
/// `SDnFIFOS` of chips whose FIFO may be chosen: 128 octets instead of 192.
const SMALL_FIFO: u16 = 0x7F;
/// Looks at the causes of one interrupt. An edge is sent only when something new comes after
/// all were clear.
const LOOKS: u8 = 4;
/// Zeros to write from.
static SILENCE: [u8; 512] = [0; 512];

/// What an interrupt was about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// Half of the ring was played.
    pub half: bool,
    /// The link wanted samples that the DMA engine had not fetched in time.
    pub fifo_error: bool,
    /// The DMA engine could not read its descriptors; it has stopped.
    pub descriptor_error: bool,
    /// There were so many that they were switched off.
    pub storm: bool,
}

/// An output stream with its ring.
pub struct OutputStream<P> {
    regs: StreamRegs,
    bidirectional: bool,
    tag: StreamTag,
    format: StreamFormat,
    octets_per_second: u32,
    descriptors: P,
    ring: Vec<P, RING_PAGES>,
    position: Option<Position>,
    /// Whether the position buffer tells the position, because `SDnLPIB` was caught lying.
    by_buffer: bool,
    /// What the other one showed when this one was first seen to stand still.
    witness: Option<u32>,
}

/// What a stream is made with.
#[derive(Clone, Copy, Debug)]
pub struct StreamSetup {
    /// Pages of the ring: at least 2, at most [`RING_PAGES`].
    pub pages: u8,
    /// Tag on the link.
    pub tag: StreamTag,
    /// Format on the link.
    pub format: StreamFormat,
    /// Octets in a second of it.
    pub octets_per_second: u32,
}

impl<P: DmaPage> OutputStream<P> {
    /// Takes pages for a ring and describes them to the controller's first output.
    ///
    /// # Errors
    /// `NoOutputStream` or `NoMemory`.
    pub fn new<R: Regs, C: Clock, M: DmaMemory<Page = P>>(
        controller: &Controller<R, C, P>,
        memory: &mut M,
        setup: StreamSetup,
    ) -> Result<Self, CardError> {
        let (regs, bidirectional) = controller
            .capabilities()
            .output()
            .ok_or(CardError::NoOutputStream)?;
        let mut page = || controller.page(memory).ok_or(CardError::NoMemory);
        let mut descriptors = page()?;
        let mut ring = Vec::new();
        let pages = usize::from(setup.pages).clamp(2, RING_PAGES);
        for index in 0..pages {
            let page = page()?;
            // Two interrupts a round, as a safety net for whoever watches the position.
            let last_of_half = index.saturating_add(1) == pages / 2;
            let last = index.saturating_add(1) == pages;
            let entry = descriptor(page.bus_address(), last_of_half || last);
            descriptors.write(index.saturating_mul(entry.len()), &entry);
            if ring.push(page).is_err() {
                return Err(CardError::NoMemory);
            }
        }
        Ok(Self {
            regs,
            bidirectional,
            tag: setup.tag,
            format: setup.format,
            octets_per_second: setup.octets_per_second,
            descriptors,
            ring,
            position: None,
            by_buffer: false,
            witness: None,
        })
    }

    /// Octets of the ring.
    #[must_use]
    pub fn ring_octets(&self) -> usize {
        self.ring.len().saturating_mul(PAGE_OCTETS)
    }

    fn ring_length(&self) -> u32 {
        u32::try_from(self.ring_octets()).unwrap_or(0)
    }

    /// Resets and programs the stream and lets it run from the start of a silent ring.
    ///
    /// # Errors
    /// `StreamNoReset`, `StreamNotProgrammed`, `StreamNoRun` or `Absent`; it does not run then.
    pub fn start<R: Regs, C: Clock>(
        &mut self,
        controller: &mut Controller<R, C, P>,
        interrupts: bool,
    ) -> Result<(), CardError> {
        self.stop(controller)?;
        self.clear(0, self.ring_octets());
        self.reset(controller)?;
        self.program(controller)?;

        let Controller { regs, clock, .. } = controller;
        self.regs.sts().write(regs, SD_CAUSES);
        let causes = if interrupts {
            INTCTL.write(regs, INT_GLOBAL | self.regs.interrupt());
            SD_IOCE | SD_FEIE | SD_DEIE
        } else {
            INTCTL.write(regs, 0);
            0
        };
        self.witness = None;
        let ctl = self.regs.ctl();
        ctl.write(regs, causes);
        ctl.write(regs, causes | SD_RUN);
        self.position = Some(Position::new(
            self.ring_length(),
            self.octets_per_second,
            clock.now(),
        ));
        let runs = clock.wait_for(SETTLE, || ctl.read(regs) & (SD_RUN | SD_SRST) == SD_RUN);
        if runs {
            Ok(())
        } else {
            ctl.write(regs, 0);
            self.position = None;
            Err(CardError::StreamNoRun)
        }
    }

    /// Takes the stream through reset (§3.3.35): the only state in which all is known.
    fn reset<R: Regs, C: Clock>(
        &self,
        controller: &mut Controller<R, C, P>,
    ) -> Result<(), CardError> {
        let Controller { regs, clock, .. } = controller;
        let ctl = self.regs.ctl();
        ctl.write(regs, SD_SRST);
        let entered = clock.wait_for(SETTLE, || ctl.read(regs) & SD_SRST != 0);
        ctl.write(regs, 0);
        let left = clock.wait_for(SETTLE, || ctl.read(regs) & SD_SRST == 0);
        if entered && left {
            Ok(())
        } else {
            Err(CardError::StreamNoReset)
        }
    }

    fn program<R: Regs, C: Clock>(
        &self,
        controller: &mut Controller<R, C, P>,
    ) -> Result<(), CardError> {
        let regs = &mut controller.regs;
        let stream = self.regs;
        let direction = if self.bidirectional { SD_TAG_OUTPUT } else { 0 };
        let tag = (self.tag.get() << 4) | direction;
        let last = u16::try_from(self.ring.len().saturating_sub(1)).unwrap_or(0);
        let list = self.descriptors.bus_address();
        stream.tag().write(regs, tag);
        stream.cbl().write(regs, self.ring_length());
        stream.fmt().write(regs, self.format.get());
        if controller.quirks.fifo {
            stream.fifos().write(regs, SMALL_FIFO);
        }
        stream.lvi().write(regs, last);
        stream.bdpl().write(regs, low(list));
        stream.bdpu().write(regs, high(list));
        // A list that is not where we put it would have the engine read anything.
        let kept = stream.tag().read(regs) & 0xF8 == tag
            && stream.cbl().read(regs) == self.ring_length()
            && stream.fmt().read(regs) == self.format.get()
            && stream.lvi().read(regs) & 0xFF == last
            && stream.bdpl().read(regs) & !0x7F == low(list)
            && stream.bdpu().read(regs) == high(list);
        if kept {
            Ok(())
        } else {
            Err(CardError::StreamNotProgrammed)
        }
    }

    /// Stops the stream; its position ends.
    ///
    /// # Errors
    /// `StreamNoRun`, `Absent`: it may still run.
    pub fn stop<R: Regs, C: Clock>(
        &mut self,
        controller: &mut Controller<R, C, P>,
    ) -> Result<(), CardError> {
        self.position = None;
        let Controller { regs, clock, .. } = controller;
        let ctl = self.regs.ctl();
        INTCTL.write(regs, 0);
        ctl.write(regs, 0);
        if clock.wait_for(SETTLE, || ctl.read(regs) & SD_RUN == 0) {
            self.regs.sts().write(regs, SD_CAUSES);
            Ok(())
        } else if ctl.read(regs) == u8::MAX {
            Err(CardError::Absent)
        } else {
            Err(CardError::StreamNoRun)
        }
    }

    /// The octets that the stream took since its start.
    ///
    /// `SDnLPIB` tells where the link is, the position buffer what the DMA engine fetched, a FIFO
    /// ahead of that. On some controllers either is stuck or wrong, so where the one does not move
    /// and the other does, the other is used from then on.
    ///
    /// # Errors
    /// `PositionLost`: it does not run, stands still or makes no sense. `Absent`.
    pub fn position<R: Regs, C: Clock>(
        &mut self,
        controller: &Controller<R, C, P>,
        now: Micros,
    ) -> Result<u64, CardError> {
        let position = self.position.as_mut().ok_or(CardError::PositionLost)?;
        let link = self.regs.lpib().read(&controller.regs);
        if link == u32::MAX && GCTL.read(&controller.regs) == u32::MAX {
            return Err(CardError::Absent);
        }
        let buffer = controller.position_of(self.regs);
        let (offset, other) = match buffer {
            Some(buffer) if self.by_buffer => (buffer, Some(link)),
            _ => (link, buffer),
        };
        let total = position.advance(offset, now);
        match other {
            _ if position.moves() => self.witness = None,
            // They differ by the FIFO, so what counts is whether the other one moves.
            Some(other) if self.witness.is_some_and(|before| before != other) => {
                if position.stands(now, SUSPECT)
                    && let Some(taken) = position.retake(other, now)
                {
                    self.by_buffer = !self.by_buffer;
                    self.witness = None;
                    return Ok(taken);
                }
            }
            _ if self.witness.is_none() => self.witness = other,
            _ => {}
        }
        total
    }

    /// Whether the stream was started and not stopped since.
    #[must_use]
    pub const fn runs(&self) -> bool {
        self.position.is_some()
    }

    /// Ends the position of a stream that something else stopped.
    pub(super) fn forget_position(&mut self) {
        self.position = None;
    }

    /// Octets that the stream may have taken past its position: they are in its FIFO.
    #[must_use]
    pub fn fifo_octets<R: Regs, C: Clock>(&self, controller: &Controller<R, C, P>) -> u16 {
        // Larger is no FIFO but a device that is gone.
        self.regs.fifos().read(&controller.regs).min(1024)
    }

    /// Clears every cause of an interrupt; what they were.
    pub fn interrupt<R: Regs, C: Clock>(&self, controller: &mut Controller<R, C, P>) -> Causes {
        let regs = &mut controller.regs;
        let mut causes = Causes::default();
        for _ in 0..LOOKS {
            let pending = INTSTS.read(regs);
            if pending & self.regs.interrupt() == 0 || pending == u32::MAX {
                break;
            }
            let status = self.regs.sts().read(regs);
            self.regs.sts().write(regs, status & SD_CAUSES);
            causes.half |= status & super::regs::SD_BCIS != 0;
            causes.fifo_error |= status & SD_FIFOE != 0;
            causes.descriptor_error |= status & SD_DESE != 0;
        }
        causes
    }

    /// Writes at octet `at` of all octets since the start, round the end of the ring.
    pub fn write(&mut self, at: u64, mut octets: &[u8]) {
        let mut offset = self.offset(at);
        while !octets.is_empty() {
            let within = offset % PAGE_OCTETS;
            let room = PAGE_OCTETS.saturating_sub(within).min(octets.len());
            let (now, later) = octets.split_at_checked(room).unwrap_or((octets, &[]));
            if let Some(page) = self.ring.get_mut(offset / PAGE_OCTETS) {
                page.write(within, now);
            }
            offset = offset.saturating_add(room);
            if offset >= self.ring_octets() {
                offset = 0;
            }
            octets = later;
        }
    }

    /// Writes `octets` zeros at octet `at`, at most a ring of them.
    pub fn clear(&mut self, at: u64, octets: usize) {
        let mut left = octets.min(self.ring_octets());
        let mut at = at;
        while let Some(zeros) = SILENCE.get(..left.min(SILENCE.len()))
            && !zeros.is_empty()
        {
            self.write(at, zeros);
            at = at.wrapping_add(zeros.len() as u64);
            left = left.saturating_sub(zeros.len());
        }
    }

    fn offset(&self, at: u64) -> usize {
        let within = at.checked_rem(u64::from(self.ring_length())).unwrap_or(0);
        usize::try_from(within).unwrap_or(0)
    }
}

/// One entry of a buffer descriptor list: a whole page (§3.6.3).
fn descriptor(address: u64, interrupt: bool) -> [u8; 16] {
    let mut entry = [[0; 4]; 4];
    let [a, b, length, flags] = &mut entry;
    *a = low(address).to_le_bytes();
    *b = high(address).to_le_bytes();
    *length = 4096_u32.to_le_bytes();
    *flags = u32::from(interrupt).to_le_bytes();
    let mut octets = [0; 16];
    octets.copy_from_slice(entry.as_flattened());
    octets
}

const _: () = assert!(PAGE_OCTETS == 4096);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_a_whole_page() {
        assert_eq!(
            descriptor(0x1_2345_6000, true),
            [0, 0x60, 0x45, 0x23, 1, 0, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0]
        );
    }
}
