//! Immediate commands: one verb through three registers, no DMA (§3.4).

use super::regs::{ICII, ICIS, ICIS_BUSY, ICIS_VALID, ICOI};
use crate::{Clock, Micros, Regs};

/// How long an answer may take. Link frames last 21 µs and an answer comes within two.
const ANSWER: Micros = Micros::millis(4);

/// Sends one command; `None` if nothing answers.
pub(super) fn ask(regs: &mut impl Regs, clock: &impl Clock, command: u32) -> Option<u32> {
    ICIS.write(regs, ICIS_VALID);
    ICOI.write(regs, command);
    ICIS.write(regs, ICIS_BUSY | ICIS_VALID);
    let answered = clock.wait_for(ANSWER, || {
        ICIS.read(regs) & (ICIS_BUSY | ICIS_VALID) == ICIS_VALID
    });
    if answered {
        Some(ICII.read(regs))
    } else {
        // Withdrawn, or the next command would be refused.
        ICIS.write(regs, 0);
        None
    }
}
