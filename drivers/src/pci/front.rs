//! Operations on configuration space, one at a time, through the shared page.

use core::fmt;

use super::{Address, OpChannel};
use crate::{Clock, Micros};

/// How long the backend may take for an operation.
const ANSWER: Micros = Micros::millis(2000);
/// Wake-ups without an answer before the channel is given up, should time stand still.
const WAKE_UPS: u32 = 100_000;

/// `flags` of `struct xen_pci_sharedinfo`.
const FLAGS: usize = 0;
/// Set by us for an operation, cleared by the backend when it is done.
const ACTIVE: u32 = 1;
/// Fields of `struct xen_pci_op`, from the start of the page.
const CMD: usize = 4;
const ERR: usize = 8;
const DOMAIN: usize = 12;
const BUS: usize = 16;
const DEVFN: usize = 20;
const OFFSET: usize = 24;
const SIZE: usize = 28;
const VALUE: usize = 32;

/// Commands (`XEN_PCI_OP_*`).
#[derive(Clone, Copy)]
#[repr(u32)]
enum Command {
    Read = 0,
    Write = 1,
    EnableMsi = 2,
    DisableMsi = 3,
}

/// Width of a configuration access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Width {
    /// 8 bits.
    One = 1,
    /// 16 bits; the offset is even.
    Two = 2,
    /// 32 bits; the offset is a multiple of 4.
    Four = 4,
}

/// An operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpError {
    /// The backend did not answer. Nothing works on this channel any more: the backend may
    /// still be reading the page.
    NoAnswer,
    /// The backend refused, with its `XEN_PCI_ERR_*` or a negative errno.
    Refused(i32),
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("the PCI backend does not answer"),
            Self::Refused(error) => write!(f, "the PCI backend refused ({error})"),
        }
    }
}

impl core::error::Error for OpError {}

/// An interrupt source of this domain, to be bound to an event channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pirq(pub u32);

/// A connected PCI front-end.
pub struct PciFront<O, C> {
    channel: O,
    clock: C,
    patience: Micros,
    dead: bool,
}

impl<O: OpChannel, C: Clock> PciFront<O, C> {
    /// Uses a channel whose page and port have been offered to the backend.
    pub const fn new(channel: O, clock: C) -> Self {
        Self {
            channel,
            clock,
            patience: ANSWER,
            dead: false,
        }
    }

    /// Gives the backend this long for each operation from now on, 2 s unless said.
    pub const fn hurry(&mut self, patience: Micros) {
        self.patience = patience;
    }

    /// Reads configuration space; the value in the low bits.
    ///
    /// # Errors
    /// The backend refused or is silent.
    pub fn read(&mut self, of: Address, offset: u16, width: Width) -> Result<u32, OpError> {
        let value = self.run(Command::Read, of, offset, width as u32, 0)?;
        Ok(match width {
            Width::One => value & 0xFF,
            Width::Two => value & 0xFFFF,
            Width::Four => value,
        })
    }

    /// Writes configuration space. Success does not mean that the backend let it through: a
    /// field that it guards keeps its value.
    ///
    /// # Errors
    /// The backend refused or is silent.
    pub fn write(
        &mut self,
        of: Address,
        offset: u16,
        width: Width,
        value: u32,
    ) -> Result<(), OpError> {
        self.run(Command::Write, of, offset, width as u32, value)?;
        Ok(())
    }

    /// Has the function interrupt by message.
    ///
    /// # Errors
    /// The function has no MSI, or the backend refused or is silent.
    pub fn enable_msi(&mut self, of: Address) -> Result<Pirq, OpError> {
        self.run(Command::EnableMsi, of, 0, 0, 0).map(Pirq)
    }

    /// Ends what [`Self::enable_msi`] began; its pirq is gone.
    ///
    /// # Errors
    /// The backend refused or is silent.
    pub fn disable_msi(&mut self, of: Address) -> Result<(), OpError> {
        self.run(Command::DisableMsi, of, 0, 0, 0).map(|_| ())
    }

    fn run(
        &mut self,
        command: Command,
        of: Address,
        offset: u16,
        size: u32,
        value: u32,
    ) -> Result<u32, OpError> {
        if self.dead || self.active() {
            return Err(OpError::NoAnswer);
        }
        for (field, word) in [
            (CMD, command as u32),
            (ERR, 0),
            (DOMAIN, of.domain.into()),
            (BUS, of.bus.into()),
            (DEVFN, of.devfn.into()),
            (OFFSET, offset.into()),
            (SIZE, size),
            (VALUE, value),
        ] {
            self.channel.store(field, word);
        }
        self.channel.set_bits(FLAGS, ACTIVE);
        self.channel.notify();
        let deadline = self.clock.now().plus(self.patience);
        for _ in 0..WAKE_UPS {
            if !self.active() {
                break;
            }
            let left = deadline.since(self.clock.now());
            if left == Micros(0) {
                break;
            }
            self.channel.wait(left);
        }
        if self.active() {
            self.dead = true;
            return Err(OpError::NoAnswer);
        }
        match self.channel.load(ERR).cast_signed() {
            0 => Ok(self.channel.load(VALUE)),
            error => Err(OpError::Refused(error)),
        }
    }

    fn active(&self) -> bool {
        self.channel.load(FLAGS) & ACTIVE != 0
    }
}
