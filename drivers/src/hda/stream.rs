//! A stream and its ring of pages (§3.6).
//!
//! One page is one entry of the buffer descriptor list, so nothing larger than a page has to be
//! contiguous for the device. Nothing the device reads to find its way changes while it runs.

use super::CardError;
use super::controller::{Controller, position_at};
use super::cyclic::Cyclic;
pub use super::cyclic::RING_PAGES;
use super::position::Position;
use super::regs::{
    GCTL, INT_GLOBAL, INTCTL, INTSTS, SD_CAUSES, SD_DEIE, SD_DESE, SD_FEIE, SD_FIFOE, SD_IOCE,
    SD_RUN, SD_SRST, SD_TAG_OUTPUT, StreamRegs,
};
use super::rings::{high, low};
use super::verb::{StreamFormat, StreamTag};
use crate::{Clock, DmaMemory, DmaPage, Micros, Regs};

/// How long a stream may take to follow its reset bit or its run bit.
const SETTLE: Micros = Micros::millis(5);
/// How long a position may stand still before the other way to read it is asked.
const SUSPECT: Micros = Micros::millis(20);
/// `SDnFIFOS` of chips whose FIFO may be chosen: 128 octets instead of 192.
const SMALL_FIFO: u16 = 0x7F;
/// Looks at the causes of one interrupt. An edge is sent only when something new comes after
/// all were clear.
const LOOKS: u8 = 4;

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

/// An output or input stream with its ring.
pub struct Stream<P> {
    regs: StreamRegs,
    input: bool,
    /// Bits that go with the tag.
    direction: u8,
    tag: StreamTag,
    format: StreamFormat,
    octets_per_second: u32,
    /// The pages.
    pub(super) ring: Cyclic<P>,
    position: Option<Position>,
    /// Whether the position buffer tells the position: of an input, whose octets it counts once they
    /// are in memory, and where `SDnLPIB` was caught lying.
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

impl<P: DmaPage> Stream<P> {
    /// Takes pages for a ring and describes them to the controller's first output.
    ///
    /// # Errors
    /// `NoOutputStream` or `NoMemory`.
    pub fn output<R: Regs, C: Clock, M: DmaMemory<Page = P>>(
        controller: &Controller<R, C, P>,
        memory: &mut M,
        setup: StreamSetup,
    ) -> Result<Self, CardError> {
        let output = controller.capabilities().output();
        let (regs, bidirectional) = output.ok_or(CardError::NoOutputStream)?;
        let mut stream = Self::new(controller, memory, setup, regs)?;
        stream.direction = if bidirectional { SD_TAG_OUTPUT } else { 0 };
        Ok(stream)
    }

    /// The same for the first input.
    ///
    /// # Errors
    /// `NoInputStream` or `NoMemory`.
    pub fn input<R: Regs, C: Clock, M: DmaMemory<Page = P>>(
        controller: &Controller<R, C, P>,
        memory: &mut M,
        setup: StreamSetup,
    ) -> Result<Self, CardError> {
        let input = controller.capabilities().input();
        let regs = input.ok_or(CardError::NoInputStream)?;
        let mut stream = Self::new(controller, memory, setup, regs)?;
        stream.input = true;
        stream.by_buffer = true;
        Ok(stream)
    }

    fn new<R: Regs, C: Clock, M: DmaMemory<Page = P>>(
        controller: &Controller<R, C, P>,
        memory: &mut M,
        setup: StreamSetup,
        regs: StreamRegs,
    ) -> Result<Self, CardError> {
        let ring = Cyclic::new(setup.pages, || {
            controller.page(memory).ok_or(CardError::NoMemory)
        })?;
        Ok(Self {
            regs,
            input: false,
            direction: 0,
            tag: setup.tag,
            format: setup.format,
            octets_per_second: setup.octets_per_second,
            ring,
            position: None,
            by_buffer: false,
            witness: None,
        })
    }

    /// Resets and programs the stream and lets it run from the start of a silent ring. An input
    /// interrupts nobody.
    ///
    /// # Errors
    /// `StreamNoReset`, `StreamNotProgrammed`, `StreamNoRun` or `Absent`; it does not run then.
    pub fn start<R: Regs, C: Clock>(
        &mut self,
        controller: &mut Controller<R, C, P>,
        interrupts: bool,
    ) -> Result<(), CardError> {
        self.stop(controller)?;
        self.ring.clear(0, self.ring.octets());
        self.reset(controller)?;
        self.program(controller)?;

        let Controller {
            regs, clock, page, ..
        } = controller;
        self.regs.sts().write(regs, SD_CAUSES);
        let causes = if interrupts && !self.input {
            INTCTL.write(regs, INT_GLOBAL | self.regs.interrupt());
            SD_IOCE | SD_FEIE | SD_DEIE
        } else {
            self.mask(regs);
            0
        };
        self.witness = None;
        // The controller writes there only once something moved.
        page.write(position_at(self.regs), &[0; 4]);
        let ctl = self.regs.ctl();
        ctl.write(regs, causes);
        ctl.write(regs, causes | SD_RUN);
        self.position = Some(Position::new(
            self.ring.length(),
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
        let tag = (self.tag.get() << 4) | self.direction;
        let last = self.ring.last();
        let list = self.ring.list();
        stream.tag().write(regs, tag);
        stream.cbl().write(regs, self.ring.length());
        stream.fmt().write(regs, self.format.get());
        if controller.quirks.fifo && !self.input {
            stream.fifos().write(regs, SMALL_FIFO);
        }
        stream.lvi().write(regs, last);
        stream.bdpl().write(regs, low(list));
        stream.bdpu().write(regs, high(list));
        // A list that is not where we put it would have the engine read anything.
        let kept = stream.tag().read(regs) & 0xF8 == tag
            && stream.cbl().read(regs) == self.ring.length()
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
        self.mask(regs);
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

    /// Takes the output's interrupts away: the input has none.
    fn mask(&self, regs: &mut impl Regs) {
        if !self.input {
            INTCTL.write(regs, 0);
        }
    }

    /// The octets that the stream took, or brought, since its start.
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

    /// Octets of an input before its position that may not be in memory yet.
    #[must_use]
    pub fn unstored_octets<R: Regs, C: Clock>(&self, controller: &Controller<R, C, P>) -> u16 {
        match controller.position_of(self.regs) {
            Some(_) if self.by_buffer => 0,
            _ => self.fifo_octets(controller),
        }
    }

    /// Octets that may be in the stream's FIFO: an output took them past its position, an input
    /// has not brought the last ones that the link counts.
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
}
