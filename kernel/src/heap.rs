//! The heap: for start-up only.
//!
//! Everything that allocates does so while the domain starts. [`seal`] ends that: a later
//! allocation is a bug of ours and stops the domain with a name, rather than making latency or
//! memory use depend on what guests do.

use crate::mm;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use linked_list_allocator::Heap;
use spin::Mutex;

/// The heap and whether start-up is over.
struct State {
    heap: Heap,
    ready: bool,
    sealed: bool,
}

/// The global allocator.
struct Allocator(Mutex<State>);

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(Mutex::new(State {
    heap: Heap::empty(),
    ready: false,
    sealed: false,
}));

/// Adds `octets` of free memory, whole pages. False where there is not that much.
pub fn grow(octets: usize) -> bool {
    let octets = octets.next_multiple_of(mm::PAGE);
    let Some(start) = mm::take_low(octets) else {
        return false;
    };
    let mut state = ALLOCATOR.0.lock();
    if state.ready {
        // SAFETY: free memory is taken in order, by nobody else once the heap exists: the new
        // octets follow the old and belong to nothing.
        unsafe { state.heap.extend(octets) };
    } else {
        // SAFETY: the range is mapped and belongs to nothing else.
        unsafe { state.heap.init(start as *mut u8, octets) };
        state.ready = true;
    }
    true
}

/// Ends start-up: from here on an allocation is fatal.
pub fn seal() {
    ALLOCATOR.0.lock().sealed = true;
}

/// Octets in use and in all.
pub fn usage() -> (usize, usize) {
    let state = ALLOCATOR.0.lock();
    (state.heap.used(), state.heap.size())
}

// SAFETY: memory comes from one `Heap` behind a lock; `dealloc` gets back what `alloc` gave.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut state = self.0.lock();
        if state.sealed {
            drop(state);
            panic!("allocation of {} octets after start-up", layout.size());
        }
        state
            .heap
            .allocate_first_fit(layout)
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let Some(memory) = NonNull::new(memory) else {
            return;
        };
        let mut state = self.0.lock();
        // SAFETY: the caller got this memory from `alloc` with this layout.
        unsafe { state.heap.deallocate(memory, layout) };
    }
}
