//! Sums that are begun by whoever comes first.

use core::mem::replace;

/// Sums that streams are added to. What they hold from before is nothing: the first to be added
/// writes over it.
pub struct Sums<'a> {
    sums: &'a mut [i64],
    begun: bool,
}

impl<'a> Sums<'a> {
    /// None yet.
    pub fn new(sums: &'a mut [i64]) -> Self {
        let begun = false;
        Self { sums, begun }
    }

    /// The sums so far.
    pub fn begun(&mut self) -> &mut [i64] {
        if !replace(&mut self.begun, true) {
            self.sums.fill(0);
        }
        self.sums
    }

    /// The same for whoever writes over them where nothing was added yet, which is told.
    pub fn or_over(&mut self) -> (&mut [i64], bool) {
        let over = !replace(&mut self.begun, true);
        (self.sums, over)
    }
}
