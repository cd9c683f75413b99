//! The command ring and the response ring, CORB and RIRB (§4.4).
//!
//! One command is outstanding at a time. `RINTCNT` is 1 and the response interrupt is noted even
//! though nobody waits for it: QEMU stops reading commands after `RINTCNT` responses until
//! `RIRBSTS` is cleared, and sets that bit only if it may interrupt. `INTCTL.CIE` stays off.

use super::regs::{
    CORBCTL, CORBCTL_RUN, CORBLBASE, CORBRP, CORBRP_RST, CORBSIZE, CORBUBASE, CORBWP, RINTCNT,
    RIRBCTL, RIRBCTL_INT, RIRBCTL_RUN, RIRBLBASE, RIRBSIZE, RIRBSTS, RIRBSTS_INT, RIRBSTS_OVERRUN,
    RIRBUBASE, RIRBWP, RIRBWP_RST, ReadWrite, Reg,
};
use super::verb::CodecAddress;
use crate::{Clock, DmaPage, Micros, Regs};

/// How long a codec may take to answer. Two link frames (42 µs) are normal; the rest is for a
/// domain that is not scheduled.
const ANSWER: Micros = Micros::millis(40);
/// How long a ring may take to start, stop or reset its pointer.
const SETTLE: Micros = Micros::millis(1);
/// Where the RIRB lies in the controller's page. The CORB lies at its start, 1 KiB at most.
const RIRB_AT: usize = 2048;
/// Octets of a response.
const RESPONSE: usize = 8;
/// `RIRB` second word: nobody asked for this response.
const UNSOLICITED: u32 = 1 << 4;

/// Both rings, in the controller's page.
pub(super) struct Rings {
    corb_entries: u16,
    rirb_entries: u16,
    /// Our own copies: what the device shows is only compared with them.
    written: u16,
    read: u16,
    /// Whether a codec reported something on its own since somebody asked.
    reported: bool,
}

/// The largest size that a size register offers, chosen in it; the number of entries (§3.3.24).
fn choose_size(regs: &mut impl Regs, register: Reg<u8, ReadWrite>) -> u16 {
    let offered = register.read(regs);
    let (code, entries) = if offered & 0x40 != 0 {
        (2, 256)
    } else if offered & 0x20 != 0 {
        (1, 16)
    } else if offered & 0x10 != 0 {
        (0, 2)
    } else {
        // Nothing on offer: old chips with a fixed ring say what it is instead.
        match offered & 3 {
            0 => (0, 2),
            1 => (1, 16),
            _ => (2, 256),
        }
    };
    register.write(regs, (offered & !3) | code);
    entries
}

/// Stops both rings; a bounded wait whose failure the next reset deals with.
pub(super) fn stop(regs: &mut impl Regs, clock: &impl Clock) {
    CORBCTL.write(regs, 0);
    RIRBCTL.write(regs, 0);
    clock.wait_for(SETTLE, || {
        CORBCTL.read(regs) & CORBCTL_RUN == 0 && RIRBCTL.read(regs) & RIRBCTL_RUN == 0
    });
}

impl Rings {
    /// Starts both rings in `page`; `None` if they do not run.
    pub(super) fn start(
        regs: &mut impl Regs,
        clock: &impl Clock,
        page: &impl DmaPage,
    ) -> Option<Self> {
        let mut rings = Self {
            corb_entries: 2,
            rirb_entries: 2,
            written: 0,
            read: 0,
            reported: false,
        };
        if rings.restart(regs, clock, page) {
            Some(rings)
        } else {
            stop(regs, clock);
            None
        }
    }

    /// Empties both rings and runs them; whether they do.
    pub(super) fn restart(
        &mut self,
        regs: &mut impl Regs,
        clock: &impl Clock,
        page: &impl DmaPage,
    ) -> bool {
        stop(regs, clock);
        let corb = page.bus_address();
        let rirb = corb.saturating_add(RIRB_AT as u64);
        self.corb_entries = choose_size(regs, CORBSIZE);
        CORBLBASE.write(regs, low(corb));
        CORBUBASE.write(regs, high(corb));
        CORBWP.write(regs, 0);
        // Some chips clear the bit by themselves and some ignore it, so neither wait decides
        // anything.
        CORBRP.write(regs, CORBRP_RST);
        clock.wait_for(SETTLE, || CORBRP.read(regs) & CORBRP_RST != 0);
        CORBRP.write(regs, 0);
        clock.wait_for(SETTLE, || CORBRP.read(regs) & CORBRP_RST == 0);

        self.rirb_entries = choose_size(regs, RIRBSIZE);
        RIRBLBASE.write(regs, low(rirb));
        RIRBUBASE.write(regs, high(rirb));
        RIRBWP.write(regs, RIRBWP_RST);
        RINTCNT.write(regs, 1);
        RIRBSTS.write(regs, RIRBSTS_INT | RIRBSTS_OVERRUN);
        self.written = 0;
        self.read = 0;

        // Rings that are not where we put them would have the engines use any page.
        let placed = CORBLBASE.read(regs) & !0x7F == low(corb)
            && CORBUBASE.read(regs) == high(corb)
            && RIRBLBASE.read(regs) & !0x7F == low(rirb)
            && RIRBUBASE.read(regs) == high(rirb);
        if !placed {
            return false;
        }
        RIRBCTL.write(regs, RIRBCTL_INT | RIRBCTL_RUN);
        CORBCTL.write(regs, CORBCTL_RUN);
        clock.wait_for(SETTLE, || {
            CORBCTL.read(regs) & CORBCTL_RUN != 0 && RIRBCTL.read(regs) & RIRBCTL_RUN != 0
        })
    }

    /// Sends one command; `None` if its codec does not answer in time.
    pub(super) fn ask(
        &mut self,
        regs: &mut impl Regs,
        clock: &impl Clock,
        page: &mut impl DmaPage,
        codec: CodecAddress,
        command: u32,
    ) -> Option<u32> {
        // Whatever arrived late belongs to nobody.
        self.drain(regs, page, codec);
        self.written = next(self.written, self.corb_entries);
        let slot = usize::from(self.written).saturating_mul(4);
        page.write(slot, &command.to_le_bytes());
        CORBWP.write(regs, self.written);
        let mut answer = None;
        clock.wait_for(ANSWER, || {
            answer = self.drain(regs, page, codec);
            answer.is_some()
        });
        answer
    }

    /// Whether a codec reported something on its own since the last call.
    pub(super) fn reported(&mut self, regs: &mut impl Regs, page: &impl DmaPage) -> bool {
        if RIRBWP.read(regs) != self.read {
            self.drain(regs, page, CodecAddress::FIRST);
        }
        core::mem::take(&mut self.reported)
    }

    /// Takes every response that is there; the last solicited one of `codec`.
    fn drain(
        &mut self,
        regs: &mut impl Regs,
        page: &impl DmaPage,
        codec: CodecAddress,
    ) -> Option<u32> {
        let shown = RIRBWP.read(regs);
        if shown >= self.rirb_entries {
            // Off the ring: the device is gone or lies. There is nothing to take.
            return None;
        }
        let mut answer = None;
        for _ in 0..self.rirb_entries {
            if self.read == shown {
                break;
            }
            self.read = next(self.read, self.rirb_entries);
            let (response, from) = response(page, self.read);
            if from & (UNSOLICITED | 0xF) == u32::from(codec.get()) {
                answer = Some(response);
            }
            self.reported |= from & UNSOLICITED != 0;
        }
        let status = RIRBSTS.read(regs);
        if status & (RIRBSTS_INT | RIRBSTS_OVERRUN) != 0 {
            RIRBSTS.write(regs, RIRBSTS_INT | RIRBSTS_OVERRUN);
        }
        answer
    }
}

/// A response and the word that says whose it is.
fn response(page: &impl DmaPage, entry: u16) -> (u32, u32) {
    let mut octets = [[0; 4]; 2];
    let at = usize::from(entry).saturating_mul(RESPONSE);
    let at = at.saturating_add(RIRB_AT);
    page.read(at, octets.as_flattened_mut());
    let [response, from] = octets;
    (u32::from_le_bytes(response), u32::from_le_bytes(from))
}

/// The entry after `entry` of a ring with `entries` of them.
fn next(entry: u16, entries: u16) -> u16 {
    let after = entry.saturating_add(1);
    if after < entries { after } else { 0 }
}

/// The lower half of a bus address.
pub(super) fn low(address: u64) -> u32 {
    let [a, b, c, d, ..] = address.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The upper half of a bus address.
pub(super) fn high(address: u64) -> u32 {
    low(address >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_in_halves() {
        assert_eq!(low(0x1_2345_6789), 0x2345_6789);
        assert_eq!(high(0x1_2345_6789), 1);
    }

    #[test]
    fn the_entry_after_the_last_is_the_first() {
        assert_eq!(next(0, 256), 1);
        assert_eq!(next(255, 256), 0);
        assert_eq!(next(1, 2), 0);
    }
}
