//! The end on a fault of our own: quiet the card, say why, go.
//!
//! Nothing here allocates or waits longer than a few milliseconds. A fault on the way here ends
//! the domain at once.

use crate::console;
use crate::hypercall::{self, Shutdown};
use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

static FAILED: AtomicBool = AtomicBool::new(false);

/// Ends the domain with an epitaph.
pub fn fail(epitaph: fmt::Arguments<'_>) -> ! {
    if FAILED.swap(true, Ordering::Relaxed) {
        hypercall::shutdown(Shutdown::Crash);
    }
    crate::quiesce::card();
    console::last_line(epitaph);
    hypercall::shutdown(Shutdown::Crash)
}

/// Rust's own checks end here.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(place) => fail(format_args!(
            "fatal: {} ({}:{})",
            info.message(),
            place.file(),
            place.line()
        )),
        None => fail(format_args!("fatal: {}", info.message())),
    }
}
