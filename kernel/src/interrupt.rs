//! The card's interrupt: a message that arrives as an event.
//!
//! The loop is paced by time and reads the card's position itself; the interrupt tells of errors
//! and is a safety net for a deadline that was lost. pciback turns the card's MSI into a PIRQ of
//! this domain (`XEN_PCI_OP_enable_msi`), and Xen the PIRQ into an event channel.

use crate::event;
use crate::hypercall::{self, Errno};
use crate::pci::Front;
use core::fmt;
use drivers::pci::Address;
use drivers::pci::front::OpError;
use ring_backend::world::LocalPort;

/// A bound interrupt.
#[derive(Clone, Copy, Debug)]
pub struct Interrupt {
    pirq: u32,
    port: LocalPort,
}

/// Why the card does not interrupt; it plays all the same.
#[derive(Clone, Copy, Debug)]
pub enum NoInterrupt {
    /// pciback enables no MSI.
    Msi(OpError),
    /// Xen does not bind the PIRQ.
    Bind(Errno),
}

impl fmt::Display for NoInterrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Msi(error) => write!(f, "no MSI: {error}"),
            Self::Bind(error) => write!(f, "no MSI: its PIRQ is not bound: {error}"),
        }
    }
}

impl Interrupt {
    /// Has the function at `of` interrupt by message and binds that to a port that ends sleeps.
    ///
    /// # Errors
    /// pciback or Xen refused; nothing is left enabled.
    pub fn bind(front: &mut Front, of: Address) -> Result<Self, NoInterrupt> {
        let pirq = front.enable_msi(of).map_err(NoInterrupt::Msi)?.0;
        match event::bind_pirq(pirq) {
            Ok(port) => Ok(Self { pirq, port }),
            Err(error) => {
                let _ = front.disable_msi(of);
                Err(NoInterrupt::Bind(error))
            }
        }
    }

    /// Whether it came since the last call; `serve` then clears its causes before the next one
    /// is let through.
    pub fn serve(&self, serve: impl FnOnce()) {
        if event::take(self.port) {
            serve();
            // A message that cannot be masked waits for this (`physdev.h`, PHYSDEVOP_eoi).
            hypercall::end_of_interrupt(self.pirq);
        }
    }

    /// Lets it end no sleep any more.
    pub fn ignore(&self) {
        event::listen(self.port, false);
    }

    /// Unbinds it, then has the function stop.
    pub fn release(self, front: &mut Front, of: Address) {
        event::close(self.port);
        let _ = front.disable_msi(of);
    }
}
