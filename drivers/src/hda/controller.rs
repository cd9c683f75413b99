//! The controller: reset, verbs by whichever way works, and off (§3.3, §4).

pub use super::capabilities::Capabilities;
use super::quirks::Quirks;
use super::regs::{
    DPLBASE, DPLBASE_ENABLE, DPUBASE, GCAP, GCTL, GCTL_CRST, GCTL_UNSOL, INTCTL, SD_RUN, STATESTS,
    StreamRegs, WAKEEN,
};
use super::verb::{CodecAddress, Nid, Verb, VerbFault, Verbs};
use super::{CardError, immediate, rings, rings::Rings};
use crate::{Clock, DmaMemory, DmaPage, Micros, Regs};

/// How long `CRST` may take either way.
const CRST: Micros = Micros::millis(100);
/// How long reset is held; 100 µs are asked for (§5.5.1.2).
const HOLD: Micros = Micros(500);
/// How long codecs have to report; 521 µs, 25 frames, are asked for (§4.3).
const REPORT: Micros = Micros::millis(1);
/// How long `RUN` may take to clear at [`quiesce`].
const HALT: Micros = Micros(200);
/// How long `CRST` may take at [`quiesce`].
const HALT_CRST: Micros = Micros::millis(1);
/// Where the position buffer lies in the controller's page, between both rings: 8 octets for each
/// of at most 30 streams.
const POSITIONS_AT: usize = 1024;

/// How verbs travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// By CORB and RIRB; by immediate commands if those do not work.
    #[default]
    Rings,
    /// By immediate commands alone (Lunar Lake and later want this).
    Immediate,
}

/// Codecs that reported after reset: one bit for each address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codecs(u16);

impl Codecs {
    /// Whether the codec at `address` reported.
    #[must_use]
    pub const fn has(self, address: CodecAddress) -> bool {
        (self.0 >> address.get()) & 1 != 0
    }

    /// The addresses that reported, lowest first.
    pub fn addresses(self) -> impl Iterator<Item = CodecAddress> {
        (0..=CodecAddress::LAST)
            .filter(move |address| (self.0 >> address) & 1 != 0)
            .filter_map(CodecAddress::new)
    }
}

enum Link {
    Rings(Rings),
    Immediate,
}

/// A controller out of reset. Dropping it ends all DMA.
pub struct Controller<R: Regs, C: Clock, P: DmaPage> {
    /// Its registers.
    pub(super) regs: R,
    /// Time.
    pub(super) clock: C,
    capabilities: Capabilities,
    pub(super) quirks: Quirks,
    link: Link,
    /// Both rings and the position buffer.
    pub(super) page: P,
    /// Whether the controller writes positions into it.
    positions: bool,
    /// When verbs end, so that a slow codec cannot hold start-up.
    until: Option<Micros>,
}

impl<R: Regs, C: Clock, P: DmaPage> Controller<R, C, P> {
    /// Resets the controller, whatever it was doing, and finds its codecs.
    ///
    /// # Errors
    /// `Absent`, `NoReset`, `NoMemory` or `NoCodec`; the device is quiet then.
    pub fn reset<M: DmaMemory<Page = P>>(
        mut regs: R,
        memory: &mut M,
        clock: C,
        transport: Transport,
        quirks: Quirks,
    ) -> Result<(Self, Codecs), CardError> {
        let codecs = find_codecs(&mut regs, &clock)?;
        let capabilities = Capabilities::parse(GCAP.read(&regs));
        let Some(page) = page(memory, reach(capabilities, quirks)) else {
            quiesce(&mut regs, &clock);
            return Err(CardError::NoMemory);
        };
        let rings = match transport {
            Transport::Rings if !quirks.immediate => Rings::start(&mut regs, &clock, &page),
            _ => None,
        };
        let positions = write_positions(&mut regs, &page);
        let controller = Self {
            regs,
            clock,
            capabilities,
            quirks,
            link: rings.map_or(Link::Immediate, Link::Rings),
            page,
            positions,
            until: None,
        };
        Ok((controller, codecs))
    }

    /// Resets the controller once more, with what it got the first time; its codecs.
    ///
    /// # Errors
    /// As [`Self::reset`].
    pub fn renew(&mut self) -> Result<Codecs, CardError> {
        let Self {
            regs,
            clock,
            link,
            page,
            ..
        } = self;
        let codecs = find_codecs(regs, clock)?;
        if let Link::Rings(rings) = link
            && !rings.restart(regs, clock, page)
        {
            *link = Link::Immediate;
        }
        self.positions = write_positions(regs, page);
        Ok(codecs)
    }

    /// What the controller wrote into the position buffer for a stream, if it writes at all.
    pub(super) fn position_of(&self, stream: StreamRegs) -> Option<u32> {
        let mut octets = [0; 4];
        self.page.read(position_at(stream), &mut octets);
        self.positions.then_some(u32::from_le_bytes(octets))
    }

    /// What the controller has.
    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// How verbs travel now.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        match self.link {
            Link::Rings(_) => Transport::Rings,
            Link::Immediate => Transport::Immediate,
        }
    }

    /// Refuses verbs from `until` on; `None` for no such limit.
    pub const fn limit_verbs(&mut self, until: Option<Micros>) {
        self.until = until;
    }

    /// Whether a codec reported something on its own since the last call; never by immediate
    /// commands.
    pub(super) fn reported(&mut self) -> bool {
        match &mut self.link {
            Link::Rings(rings) => rings.reported(&mut self.regs, &self.page),
            Link::Immediate => false,
        }
    }

    /// Takes a page that the controller can reach.
    pub fn page<M: DmaMemory<Page = P>>(&self, memory: &mut M) -> Option<P> {
        page(memory, reach(self.capabilities, self.quirks))
    }
}

impl<R: Regs, C: Clock, P: DmaPage> Drop for Controller<R, C, P> {
    fn drop(&mut self) {
        quiesce(&mut self.regs, &self.clock);
    }
}

impl<R: Regs, C: Clock, P: DmaPage> Verbs for Controller<R, C, P> {
    fn ask(&mut self, codec: CodecAddress, node: Nid, verb: Verb) -> Result<u32, VerbFault> {
        if self.until.is_some_and(|until| self.clock.now() >= until) {
            return Err(VerbFault::OutOfTime);
        }
        let command = verb.command(codec, node);
        let Self {
            regs,
            clock,
            link,
            page,
            ..
        } = self;
        if let Link::Rings(rings) = link {
            if let Some(answer) = rings.ask(regs, clock, page, codec, command) {
                return Ok(answer);
            }
            // Is it the codec or the rings? The other way tells.
            rings::stop(regs, clock);
        }
        let mut answer = immediate::ask(regs, clock, command);
        if answer.is_none() && matches!(link, Link::Immediate) {
            // There is no third way. Every verb here may be said twice.
            answer = immediate::ask(regs, clock, command);
        }
        match (&answer, &mut *link) {
            (Some(_), _) => *link = Link::Immediate,
            (None, Link::Rings(rings)) => {
                if !rings.restart(regs, clock, page) {
                    *link = Link::Immediate;
                }
            }
            (None, Link::Immediate) => {}
        }
        match answer {
            Some(answer) if answer != u32::MAX => Ok(answer),
            _ if GCTL.read(regs) == u32::MAX => Err(VerbFault::Absent),
            Some(answer) => Ok(answer),
            None => Err(VerbFault::Silent),
        }
    }
}

/// Bits of a DMA address.
const fn reach(capabilities: Capabilities, quirks: Quirks) -> u8 {
    if capabilities.wide { quirks.bits } else { 32 }
}

/// A page whose address has so many bits: any that has, or one that was asked for below 4 GiB.
fn page<M: DmaMemory>(memory: &mut M, bits: u8) -> Option<M::Page> {
    let past = |page: &M::Page| page.bus_address().checked_shr(bits.into()).unwrap_or(0);
    let any = if bits > 32 { memory.page(false) } else { None };
    any.filter(|page| past(page) == 0)
        .or_else(|| memory.page(true).filter(|page| past(page) == 0))
}

/// Where it writes that of a stream.
pub(super) fn position_at(stream: StreamRegs) -> usize {
    let at = usize::from(stream.index()).saturating_mul(8);
    at.saturating_add(POSITIONS_AT)
}

/// Has the controller write positions into its page; whether it does.
fn write_positions(regs: &mut impl Regs, page: &impl DmaPage) -> bool {
    let at = page.bus_address().saturating_add(POSITIONS_AT as u64);
    DPUBASE.write(regs, rings::high(at));
    let low = rings::low(at) | DPLBASE_ENABLE;
    DPLBASE.write(regs, low);
    let kept = DPLBASE.read(regs) == low && DPUBASE.read(regs) == rings::high(at);
    if !kept {
        // It would write somewhere else.
        DPLBASE.write(regs, 0);
    }
    kept
}

/// Takes the controller through reset; the codecs that report. It is quiet if there are none.
fn find_codecs(regs: &mut impl Regs, clock: &impl Clock) -> Result<Codecs, CardError> {
    if GCTL.read(regs) == u32::MAX || GCAP.read(regs) == u16::MAX {
        return Err(CardError::Absent);
    }
    let mut codecs = link_reset(regs, clock)?;
    if codecs.0 == 0 {
        // Some southbridges miss their codecs at the first try.
        codecs = link_reset(regs, clock)?;
    }
    if codecs.0 == 0 {
        quiesce(regs, clock);
        return Err(CardError::NoCodec);
    }
    Ok(codecs)
}

/// Takes the link through reset (§4.2.2); the codecs that report.
fn link_reset(regs: &mut impl Regs, clock: &impl Clock) -> Result<Codecs, CardError> {
    if GCTL.read(regs) & GCTL_CRST != 0 {
        // Engines first: a reset under running DMA hangs some chips.
        halt(regs, clock);
        STATESTS.write(regs, 0x7FFF);
    }
    GCTL.write(regs, 0);
    if !clock.wait_for(CRST, || GCTL.read(regs) & GCTL_CRST == 0) {
        return Err(no_reset(regs));
    }
    clock.pause(HOLD);
    GCTL.write(regs, GCTL_CRST);
    if !clock.wait_for(CRST, || GCTL.read(regs) & GCTL_CRST != 0) {
        return Err(CardError::NoReset);
    }
    clock.pause(REPORT);
    if GCTL.read(regs) == u32::MAX {
        return Err(CardError::Absent);
    }
    WAKEEN.write(regs, 0);
    INTCTL.write(regs, 0);
    GCTL.write(regs, GCTL_CRST | GCTL_UNSOL);
    let reported = STATESTS.read(regs) & 0x7FFF;
    STATESTS.write(regs, reported);
    Ok(Codecs(reported))
}

fn no_reset(regs: &impl Regs) -> CardError {
    if GCTL.read(regs) == u32::MAX {
        CardError::Absent
    } else {
        CardError::NoReset
    }
}

/// Stops every DMA engine and all interrupts.
fn halt(regs: &mut impl Regs, clock: &impl Clock) {
    INTCTL.write(regs, 0);
    let streams = Capabilities::parse(GCAP.read(regs)).streams();
    for stream in (0..streams).map(StreamRegs::new) {
        let ctl = stream.ctl();
        ctl.write(regs, ctl.read(regs) & !SD_RUN);
    }
    for stream in (0..streams).map(StreamRegs::new) {
        clock.wait_for(HALT, || stream.ctl().read(regs) & SD_RUN == 0);
    }
    rings::stop(regs, clock);
    DPLBASE.write(regs, 0);
}

/// Makes the device stop all DMA and interrupts, within 10 ms, and leaves it in reset.
///
/// Needs nothing but registers, so it also serves from a panic. The pages may be reused after it.
pub fn quiesce(regs: &mut impl Regs, clock: &impl Clock) {
    if GCTL.read(regs) == u32::MAX {
        return;
    }
    if GCTL.read(regs) & GCTL_CRST != 0 {
        halt(regs, clock);
    }
    GCTL.write(regs, 0);
    clock.wait_for(HALT_CRST, || GCTL.read(regs) & GCTL_CRST == 0);
}
