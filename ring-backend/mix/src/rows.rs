//! How the rows of a coefficient table lie.

use super::filter::{Family, Shape};
use core::ops::Range;

/// Taps that lie together.
pub const LANE: usize = 16;
/// Taps at each end of a filter whose coefficients are small: 16 bits say them, and of samples the
/// high ones do.
pub const EDGE: usize = LANE / 2;

/// What a table holds; equal plans share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The filter.
    pub shape: Shape,
    /// Phases per input frame.
    pub rows: usize,
    /// Whether rows have slopes and curvatures, for the times in between.
    pub between: bool,
}

impl Plan {
    /// Coefficients of one tap, but for those at the ends, which have half as many.
    #[inline]
    #[must_use]
    pub const fn planes(&self) -> usize {
        if self.between { 4 } else { 2 }
    }

    /// Lanes of taps between the ends.
    #[must_use]
    pub const fn middle(&self) -> usize {
        (self.shape.taps / LANE).saturating_sub(1)
    }

    /// Which of those have slopes too steep to be 16 bits as fine as coefficients are.
    #[inline]
    #[must_use]
    pub const fn steep(&self) -> Range<usize> {
        let middle = self.middle();
        let flat = match self.shape.family {
            Family::Up => middle.saturating_sub(1),
            Family::Down => middle.saturating_sub(2 + middle % 2),
            // Frames that it lasts may be fewer than they should be, and slopes steeper.
            Family::Light => 0,
        };
        flat / 2..middle - flat / 2
    }

    /// Whether a tap is not between the ends.
    #[inline]
    #[must_use]
    pub const fn at_edge(&self, tap: usize) -> bool {
        tap < EDGE || tap >= self.shape.taps - EDGE
    }

    /// Coefficients of one row.
    #[must_use]
    pub const fn row_len(&self) -> usize {
        (self.middle() * self.planes() + self.planes() / 2) * LANE
    }

    /// Where a coefficient of a tap lies, and where in there: those of the ends first, then those
    /// between, whose planes take turns after every [`LANE`] taps.
    #[inline]
    #[must_use]
    pub const fn place(&self, row: usize, plane: usize, tap: usize) -> (usize, usize) {
        let start = row * (self.row_len() / LANE) + plane;
        if self.at_edge(tap) {
            (start, tap % LANE)
        } else {
            let tap = tap - EDGE;
            let middle = start + self.planes() / 2;
            (middle + tap / LANE * self.planes(), tap % LANE)
        }
    }

    /// Rows in memory: times in between are measured from the nearest row, so they need both ends.
    #[must_use]
    pub const fn stored_rows(&self) -> usize {
        self.rows + self.between as usize
    }

    /// Coefficients of the table.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.row_len() * self.stored_rows()
    }
}
