//! Lines for the administrator: xenconsoled's ring, or the hypervisor's console.
//!
//! Writing never waits. What does not fit the ring because nobody empties it is dropped and
//! counted: a console is not worth a late sample.

use crate::event;
use crate::hypercall;
use crate::shared::Shared;
use crate::start::DaemonRing;
use core::convert::Infallible;
use core::fmt;
use embedded_io::{ErrorType, Write};
use ring_backend::world::LocalPort;
use spin::Mutex;

/// The output half of the ring (`xen/include/public/io/console.h`).
const OUT: usize = 1024;
const OUT_OCTETS: u32 = 2048;
const OUT_CONS: usize = 3080;
const OUT_PROD: usize = 3084;

/// Where lines go.
pub struct Console {
    ring: Option<(Shared, LocalPort)>,
    lost: u64,
}

static CONSOLE: Mutex<Console> = Mutex::new(Console {
    ring: None,
    lost: 0,
});

/// Opens the ring; without one, lines go to the hypervisor.
pub fn init(ring: Option<DaemonRing>) {
    if let Some(ring) = ring {
        // SAFETY: the builder made this page for xenconsoled; nothing else here uses it.
        let page = unsafe { Shared::new(ring.page, crate::mm::PAGE) };
        CONSOLE.lock().ring = Some((page, LocalPort(ring.port)));
    }
}

/// Writes one line.
pub fn line(text: fmt::Arguments<'_>) {
    let mut console = CONSOLE.lock();
    // A console cannot fail.
    let _ = fmt::Write::write_fmt(&mut *console, format_args!("audiodom: {text}\r\n"));
    let _ = console.flush();
}

/// Writes one line to every console there is, whoever held them; for the last words.
pub fn last_line(text: fmt::Arguments<'_>) {
    // SAFETY: the domain has one vCPU and no upcalls: a holder never runs again.
    unsafe { CONSOLE.force_unlock() };
    line(text);
    if CONSOLE.lock().ring.is_some() {
        let mut hypervisor = Console {
            ring: None,
            lost: 0,
        };
        let _ = fmt::Write::write_fmt(&mut hypervisor, format_args!("audiodom: {text}\n"));
    }
}

/// Writes a line to the console: `log!("card: {}", name)`.
macro_rules! log {
    ($($text:tt)*) => { $crate::console::line(format_args!($($text)*)) };
}
pub(crate) use log;

impl ErrorType for Console {
    type Error = Infallible;
}

impl Write for Console {
    fn write(&mut self, text: &[u8]) -> Result<usize, Infallible> {
        let Some((ring, _)) = &self.ring else {
            // Refused to most domains; then there is no console at all.
            let _ = hypercall::console_write(text);
            return Ok(text.len());
        };
        let produced = ring.load(OUT_PROD);
        let used = produced.wrapping_sub(ring.load(OUT_CONS)).min(OUT_OCTETS);
        let room = (OUT_OCTETS - used) as usize;
        let kept = text.get(..room).unwrap_or(text);
        let at = (produced % OUT_OCTETS) as usize;
        let (first, second) = kept.split_at(kept.len().min(OUT_OCTETS as usize - at));
        ring.copy_in(OUT + at, first);
        ring.copy_in(OUT, second);
        ring.store(OUT_PROD, produced.wrapping_add(kept.len() as u32));
        self.lost += (text.len() - kept.len()) as u64;
        Ok(text.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        if let Some((_, port)) = &self.ring {
            event::notify(*port);
        }
        Ok(())
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let _ = self.write_all(text.as_bytes());
        Ok(())
    }
}
