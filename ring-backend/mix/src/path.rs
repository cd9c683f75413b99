//! Positions of outputs in a stream and in a table.

use super::table::Plan;

/// Fraction bits of a position where it is not a row's.
pub const BETWEEN_BITS: u32 = 40;
const HALF_A_ROW: u64 = 1 << (BETWEEN_BITS - 1);

/// The position of the next output between input frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// In `1 / den` input frames; below 0 only before the first frame.
    pub phase: i64,
    /// From output to output.
    pub step: i64,
    pub den: i64,
}

impl Cursor {
    /// From frame to frame.
    pub const IDENTITY: Self = Self {
        phase: 0,
        step: 1,
        den: 1,
    };

    /// The way of the next outputs through the table of `plan`.
    #[inline(never)]
    #[must_use]
    pub const fn path(&self, plan: &Plan) -> Path {
        let Self { phase, step, den } = *self;
        let rows = if plan.between { plan.rows as i64 } else { 1 };
        Path {
            phase: (phase.rem_euclid(den) * rows) as u64,
            part: (step % den * rows) as u64,
            span: (den * rows) as u64,
            whole: (step / den) as usize,
            start: phase.div_euclid(den) as usize,
        }
    }

    /// Advances past `outputs` outputs.
    pub const fn skip(&mut self, outputs: usize) {
        self.phase = (self.phase + outputs as i64 * self.step).rem_euclid(self.den);
    }

    /// Input frames that the next `outputs` outputs take.
    #[inline(never)]
    #[must_use]
    pub const fn frames_for(&self, outputs: usize) -> usize {
        if outputs <= 1 << 16 {
            // At most 2^46 per step.
            return (self.phase + outputs as i64 * self.step).div_euclid(self.den) as usize;
        }
        let end = self.phase as i128 + outputs as i128 * self.step as i128;
        end.div_euclid(self.den as i128) as usize
    }
}

/// Positions of outputs, one after the other, in a stream and a table.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// Rows, below `span`; between them with [`BETWEEN_BITS`] fraction bits.
    phase: u64,
    /// How many more the next output is at, beside whole frames.
    part: u64,
    /// How many a frame has.
    span: u64,
    /// Frames from output to output, rounded down.
    whole: usize,
    /// The frame where the output's filter begins, less than none only at first.
    start: usize,
}

impl Path {
    /// Moves on to the next output, and tells where in the stream its filter begins.
    #[inline]
    pub const fn advance(&mut self) -> usize {
        // Which outputs are a frame further is hard to foretell: no branch.
        self.phase += self.part;
        let (phase, same) = self.phase.overflowing_sub(self.span);
        self.phase = if same { self.phase } else { phase };
        self.start = self.start.wrapping_add(self.whole + !same as usize);
        self.start
    }

    /// The highest row, and the last place in the stream, that the next `outputs` outputs come to,
    /// one at least; `None` where they leave the stream.
    ///
    /// Vectors are read there unchecked. Phases stay below the span, for they begin there and no
    /// part is more. So places grow by one for every span that there is in all parts.
    #[inline(never)]
    #[must_use]
    pub fn last(&self, between: bool, outputs: usize) -> Option<(usize, usize)> {
        if self.phase >= self.span || self.part > self.span || self.span > 1 << 62 {
            return None;
        }
        let mut end = None;
        for outputs in [1, outputs.max(1)] {
            let whole = self.whole.checked_mul(outputs)?;
            let parts = self.part.checked_mul(outputs as u64)?;
            let spans = self.phase.checked_add(parts)? / self.span;
            let more = i64::try_from(whole.checked_add(spans as usize)?).ok()?;
            end = usize::try_from((self.start as i64).checked_add(more)?).ok();
            end?;
        }
        let row = if between {
            (self.span - 1 + HALF_A_ROW) >> BETWEEN_BITS
        } else {
            self.span - 1
        };
        Some((row as usize, end?))
    }

    /// The same where a row has a length: [`Path::row`] is where one begins.
    #[must_use]
    pub fn in_units(self, of: u64) -> Option<Self> {
        Some(Self {
            phase: self.phase.checked_mul(of)?,
            part: self.part.checked_mul(of)?,
            span: self.span.checked_mul(of)?,
            ..self
        })
    }

    /// Where its row begins, of rows of some length, and how far on from there it is: the nearest
    /// row if positions are `between` rows, and otherwise its own, in whose units it is already.
    #[inline]
    #[must_use]
    pub const fn place(&self, between: bool, row_len: usize) -> (usize, i16) {
        if between {
            let (row, rest) = self.nearest();
            (row * row_len, rest)
        } else {
            (self.row(), 0)
        }
    }

    /// The row of this position, where every position has one.
    #[inline]
    #[must_use]
    pub const fn row(&self) -> usize {
        self.phase as usize
    }

    /// The nearest row, and how far on from it in rows with 16 fraction bits, where positions are
    /// not rows' only.
    #[inline]
    #[must_use]
    pub const fn nearest(&self) -> (usize, i16) {
        let row = ((self.phase + HALF_A_ROW) >> BETWEEN_BITS) as usize;
        let rest = (self.phase >> (BETWEEN_BITS - 16)) as i16;
        (row, rest)
    }
}
