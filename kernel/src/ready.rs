//! What the administrator is told once: that the domain is ready, how fast, and how large.

use crate::console::log;
use crate::event;
use crate::heap;
use crate::mm;
use crate::time;
use core::fmt;
use ring_backend::mix::Tier;
use ring_backend::world::Nanos;

/// A span in milliseconds with one decimal.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1_000_000, self.0 / 100_000 % 10)
    }
}

/// What the domain is when it begins to serve.
pub struct Ready {
    took: u64,
    awake: u64,
    image: usize,
    heap_used: usize,
    heap: usize,
}

impl Ready {
    /// Takes stock, of a start-up that began at `entered`.
    pub fn now(entered: Nanos) -> Self {
        let (heap_used, heap) = heap::usage();
        let took = time::now().0.saturating_sub(entered.0);
        let (_, asleep) = event::sleeps();
        Self {
            took,
            awake: took.saturating_sub(asleep),
            image: mm::image_octets(),
            heap_used,
            heap,
        }
    }

    /// Tells the console.
    pub fn announce(&self, card: &str) {
        log!("ready in {} ms, {card}, {self}", Millis(self.took));
    }
}

/// As `key=value`, for xenstore and for scripts that read the console.
impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |octets: usize| octets / 1024;
        write!(
            f,
            "tier={} boot_ready_ms={} boot_awake_ms={} domain_memory_kib={} image_kib={} heap_used_kib={} heap_free_kib={} \
             stack_used_kib={} pages_free={}",
            Tier::detected(),
            Millis(self.took),
            Millis(self.awake),
            kib(mm::pages() * mm::PAGE),
            kib(self.image),
            kib(self.heap_used),
            kib(self.heap - self.heap_used),
            kib(mm::stack_octets()),
            mm::free_octets() / mm::PAGE,
        )
    }
}
