//! The guest clock: Xen's system time, read without a hypercall.
//!
//! Xen publishes a time stamp counter reading with its system time and the counter's rate, under
//! a version that is odd while it writes (`xen.h`, `vcpu_time_info`).

use crate::hypercall;
use crate::shared::Shared;
use core::arch::x86_64::{_mm_lfence, _rdtsc};
use core::sync::atomic::{AtomicU64, Ordering};
use drivers::{Clock, Micros};
use ring_backend::world::Nanos;
use spin::Once;

/// `vcpu_info[0].time` in the shared page, and its fields.
const TIME: usize = 32;
const VERSION: usize = TIME;
const TSC_STAMP: usize = TIME + 8;
const SYSTEM_TIME: usize = TIME + 16;
const MULTIPLIER: usize = TIME + 24;
const SHIFT: usize = TIME + 28;

/// Tries before an inconsistent reading is used: the guard below still keeps time monotonic.
const TRIES: usize = 100;

static INFO: Once<&'static Shared> = Once::new();
static LATEST: AtomicU64 = AtomicU64::new(0);

/// Starts the clock.
pub fn init(shared_info: &'static Shared) {
    INFO.call_once(|| shared_info);
    // The tick would end every sleep; refused, it costs wake-ups and nothing else.
    let _ = hypercall::stop_periodic_timer();
}

/// Now, in nanoseconds since Xen booted; never goes back.
pub fn now() -> Nanos {
    let at = INFO.get().map_or(0, |info| system_time(info, read_tsc()));
    Nanos(LATEST.fetch_max(at, Ordering::Relaxed).max(at))
}

/// The system time at which the counter read `tsc`; for readings not long ago.
pub fn at_tsc(tsc: u64) -> Nanos {
    Nanos(INFO.get().map_or(0, |info| system_time(info, tsc)))
}

/// The time stamp counter, not read before what precedes it.
fn read_tsc() -> u64 {
    // SAFETY: every 64-bit processor has it.
    unsafe { _mm_lfence() };
    // SAFETY: Xen lets PV guests read the counter, or emulates it.
    unsafe { _rdtsc() }
}

/// Converts a counter reading by what Xen published last.
fn system_time(info: &Shared, tsc: u64) -> u64 {
    let mut time = 0;
    for _ in 0..TRIES {
        let version = info.load(VERSION);
        let stamp = wide(info, TSC_STAMP);
        let base = wide(info, SYSTEM_TIME);
        let multiplier = info.load(MULTIPLIER);
        let shift = info.load(SHIFT) as i8;
        // The counter and its stamp wrap; an emulated counter begins with the domain, so that its
        // first stamp lies below 0. Readings before the stamp are older than Xen's last update.
        let ticks = tsc.wrapping_sub(stamp).cast_signed();
        let before = ticks < 0;
        let ticks = ticks.unsigned_abs();
        let ticks = match shift {
            0.. => ticks << (shift as u32 & 63),
            _ => ticks >> (u32::from(shift.unsigned_abs()) & 63),
        };
        let span = ((u128::from(ticks) * u128::from(multiplier)) >> 32) as u64;
        time = if before {
            base.saturating_sub(span)
        } else {
            base.saturating_add(span)
        };
        if version & 1 == 0 && info.load(VERSION) == version {
            break;
        }
    }
    time
}

/// A 64-bit field.
fn wide(info: &Shared, offset: usize) -> u64 {
    let mut octets = [0; 8];
    info.copy_out(offset, &mut octets);
    u64::from_ne_bytes(octets)
}

/// Sleeps until `deadline`, whatever happens meanwhile. Only for start-up.
pub fn sleep_until(deadline: Nanos) {
    let before = now();
    while now() < deadline {
        if hypercall::poll(&[], Some(deadline.0)).is_err() {
            core::hint::spin_loop();
        }
    }
    crate::event::left_to_others(before);
}

/// Spans up to this are spun through. They come a few times during start-up, and who sleeps while
/// another domain is busy gets the processor back a millisecond late (Credit2's rate limit).
const SPIN_MICROS: u64 = 1000;

/// The clock that drivers wait by.
#[derive(Clone, Copy)]
pub struct DriverClock;

impl Clock for DriverClock {
    #[inline(never)]
    fn now(&self) -> Micros {
        Micros(now().0 / 1000)
    }

    fn pause(&self, span: Micros) {
        let deadline = Nanos(now().0.saturating_add(span.0.saturating_mul(1000)));
        if span.0 > SPIN_MICROS {
            return sleep_until(deadline);
        }
        while now() < deadline {
            core::hint::spin_loop();
        }
    }
}
