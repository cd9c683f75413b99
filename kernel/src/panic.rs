//! The end on a fault of our own: quiet the card, say why, let guests close, go.
//!
//! A fault on the way here ends the domain at once.

use crate::console;
use crate::hypercall::{self, Shutdown};
use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

static FAILED: AtomicBool = AtomicBool::new(false);

/// Quiets the card and writes the epitaph.
fn fall_silent(epitaph: fmt::Arguments<'_>) {
    if FAILED.swap(true, Ordering::Relaxed) {
        hypercall::shutdown(Shutdown::Crash);
    }
    crate::quiesce::card();
    console::last_line(epitaph);
}

/// Ends the domain with an epitaph, at once: memory may be wrong.
pub fn fail(epitaph: fmt::Arguments<'_>) -> ! {
    fall_silent(epitaph);
    hypercall::shutdown(Shutdown::Crash)
}

/// Rust's own checks end here. They come before the harm, so guests can still be served.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(place) => fall_silent(format_args!(
            "fatal: {} ({}:{})",
            info.message(),
            place.file(),
            place.line()
        )),
        None => fall_silent(format_args!("fatal: {}", info.message())),
    }
    #[cfg(not(feature = "guest"))]
    crate::serving::farewell();
    hypercall::shutdown(Shutdown::Crash)
}
