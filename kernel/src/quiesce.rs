//! Makes the card quiet whatever else is broken: for shutdown and for faults.
//!
//! The card must not do DMA once this domain's memory may become somebody else's. So the means to
//! stop it lie here, apart from the driver, from the moment it may begin.

use crate::interrupt::Interrupt;
use crate::mmio::Mmio;
use crate::pci::Front;
use crate::time::DriverClock;
use drivers::Micros;
use drivers::hda::controller;
use drivers::pci::audio::AudioFunction;
use spin::Mutex;

/// What it takes to stop the card.
struct Brake {
    regs: Mmio,
    front: Front,
    function: AudioFunction,
    interrupt: Option<Interrupt>,
}

static BRAKE: Mutex<Option<Brake>> = Mutex::new(None);

/// Keeps the means to stop the card.
pub fn arm(regs: Mmio, front: Front, function: AudioFunction, interrupt: Option<Interrupt>) {
    *BRAKE.lock() = Some(Brake {
        regs,
        front,
        function,
        interrupt,
    });
}

/// How long pciback has for each of three operations.
const PATIENCE: Micros = Micros::millis(4);

/// Stops all streams, resets the controller and ends its right to DMA, in 24 ms at most. Once
/// only; later calls find nothing to do.
pub fn card() {
    // On a fault while this runs the lock is held, and the fault path goes on without.
    let Some(mut brake) = BRAKE.try_lock().and_then(|mut brake| brake.take()) else {
        return;
    };
    controller::quiesce(&mut brake.regs, &DriverClock);
    // The controller is in reset by now; dom0 may be too busy to see to this in time.
    brake.front.hurry(PATIENCE);
    if let Some(interrupt) = brake.interrupt {
        interrupt.release(&mut brake.front, brake.function.address);
    }
    let _ = brake.function.disable_dma(&mut brake.front);
}
