//! The heap: for start-up only.
//!
//! Everything that allocates does so while the domain starts, and keeps what it gets: memory is
//! handed out in order. [`seal`] ends that: a later allocation is a bug of ours and stops the
//! domain with a name, rather than making latency or memory use depend on what guests do.

use crate::mm;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use spin::Mutex;

/// The heap's addresses and whether start-up is over.
struct State {
    start: usize,
    next: usize,
    end: usize,
    sealed: bool,
}

/// The global allocator.
struct Allocator(Mutex<State>);

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(Mutex::new(State {
    start: 0,
    next: 0,
    end: 0,
    sealed: false,
}));

/// Adds `octets` of free memory, whole pages. False where there is not that much.
pub fn grow(octets: usize) -> bool {
    let octets = octets.next_multiple_of(mm::PAGE);
    let Some(start) = mm::take_low(octets) else {
        return false;
    };
    let mut state = ALLOCATOR.0.lock();
    if state.start == 0 {
        state.start = start;
        state.next = start;
    }
    // Free memory is taken in order, by nobody else once the heap exists: this follows the old.
    state.end = start + octets;
    true
}

/// Ends start-up: from here on an allocation is fatal.
pub fn seal() {
    ALLOCATOR.0.lock().sealed = true;
}

/// Octets in use and in all.
pub fn usage() -> (usize, usize) {
    let state = ALLOCATOR.0.lock();
    (state.next - state.start, state.end - state.start)
}

// SAFETY: what lies between `next` and `end` is mapped, belongs to nothing else, and is handed out
// once; only what was handed out last is taken back.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut state = self.0.lock();
        if state.sealed {
            drop(state);
            panic!("allocation of {} octets after start-up", layout.size());
        }
        let memory = state.next.next_multiple_of(layout.align());
        match memory.checked_add(layout.size()) {
            Some(end) if end <= state.end => {
                state.next = end;
                ptr::with_exposed_provenance_mut(memory)
            }
            _ => ptr::null_mut(),
        }
    }

    /// Of anything but the last the room is lost: start-up throws nothing else away.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let mut state = self.0.lock();
        if memory.addr() + layout.size() == state.next {
            state.next = memory.addr();
        }
    }
}
