//! The first Rust code: what Xen handed over, checked and brought into closed types.

use crate::console::{self, log};
use crate::hypercall::{self, Shutdown};
use crate::mm;
use crate::shared::Shared;
use crate::window::Window;
use crate::{event, grant, heap, time, trap, vector};
use core::arch::global_asm;
use core::slice;
use ring_backend::world::Nanos;
use spin::Once;
use xen_sys as xen;

global_asm!(include_str!("../../boot/entry.S"));
global_asm!(include_str!("../../boot/memory.S"));
global_asm!(include_str!("../../boot/notes.S"));

/// A ring page shared with a daemon in the toolstack's domain, and its event channel.
#[derive(Clone, Copy)]
pub struct DaemonRing {
    /// Where the page is mapped.
    pub page: usize,
    /// The port.
    pub port: u32,
}

/// What the domain builder says about this domain.
pub struct Boot {
    /// The time stamp counter at the first instruction.
    pub entry_tsc: u64,
    /// Machine address of the page shared with Xen.
    pub shared_info: u64,
    /// Where xenstored listens.
    pub store: Option<DaemonRing>,
    /// Where xenconsoled listens.
    pub console: Option<DaemonRing>,
    /// `extra=` of the domain's configuration.
    pub options: &'static str,
}

/// Called by `_start` on the domain's own stack.
///
/// # Safety
/// Called once, with Xen's start-of-day state.
#[unsafe(no_mangle)]
unsafe extern "C" fn start(info: *const xen::start_info, builder_stack: usize, tsc: u64) -> ! {
    // SAFETY: Xen hands over a valid page, which nothing else uses or changes.
    let info: &'static xen::start_info = unsafe { &*info };
    let memory = mm::Handover {
        pages: info.nr_pages as usize,
        p2m: info.mfn_list as usize,
        tables: info.pt_base as usize,
        free_from: builder_stack.next_multiple_of(mm::PAGE),
    };
    // SAFETY: these are the builder's own values, passed on once.
    unsafe { mm::init(&memory) };
    let privileged = info.flags & xen::SIF_INITDOMAIN != 0;
    let ring = |mfn: u64, port: u32| {
        // dom0 starts before both daemons.
        let mfn = Some(mfn).filter(|_| !privileged && port != 0)?;
        let page = mm::va_of_own(mfn)?;
        Some(DaemonRing { page, port })
    };
    // SAFETY: both variants are two integers; dom0's is told apart by the flag above.
    let console = unsafe { info.console.domU };
    crate::main(&Boot {
        entry_tsc: tsc,
        shared_info: info.shared_info,
        store: ring(info.store_mfn, info.store_evtchn),
        console: ring(console.mfn, console.evtchn),
        options: text(&info.cmd_line),
    })
}

/// Heap for what start-up needs before the card has its pages.
const FIRST_HEAP: usize = 64 * 1024;

static SHARED_INFO: Once<Shared> = Once::new();

/// Makes everything below `main` work: events, console, exceptions, time, grants and heap.
/// Returns when the domain's first instruction ran.
pub fn init(boot: &Boot) -> Nanos {
    let Ok(base) = Window::map_shared(boot.shared_info >> 12) else {
        // Without it there is neither time nor a console.
        hypercall::shutdown(Shutdown::Crash);
    };
    // SAFETY: mapped for good just now, and all users go through this.
    let info = SHARED_INFO.call_once(|| unsafe { Shared::new(base, mm::PAGE) });
    event::init(info);
    console::init(boot.console);
    time::init(info);
    if let Err(errno) = trap::init(info) {
        log!("exceptions will not be told of: {errno}");
    }
    vector::enable();
    if let Err(error) = grant::init() {
        log!("no grant table: {error}");
    }
    if !heap::grow(FIRST_HEAP) {
        panic!("not enough memory: {} pages", mm::pages());
    }
    time::at_tsc(boot.entry_tsc)
}

/// The text before the first NUL; nothing if it is not UTF-8.
fn text(octets: &'static [i8]) -> &'static str {
    // SAFETY: i8 and u8 have the same layout, and the slice keeps its bounds.
    let octets = unsafe { slice::from_raw_parts(octets.as_ptr().cast::<u8>(), octets.len()) };
    let text = octets.split(|&octet| octet == 0).next().unwrap_or_default();
    core::str::from_utf8(text).unwrap_or_default()
}
