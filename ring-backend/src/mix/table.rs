//! The resampler's coefficient tables, shared by every stream of a ratio.
//!
//! Their memory is taken once. A table is filled a few rows at a time, so that a guest that asks
//! for a new rate costs the others nothing but that; until it is full, its streams are silent.

use super::filter::{Kernel, Shape, TIME_BITS};
use alloc::vec;
use alloc::vec::Vec;

/// Fraction bits of a coefficient: 14 in the high half, 12 more in the low half.
const COEFFICIENT_BITS: u32 = 26;
/// Chebyshev's points of a parabola through three values of [-1/2, 1/2]: 0 and this, 40 bits.
const OFFSET: i64 = 476_102_500_705;

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
    /// Coefficients of one row.
    #[must_use]
    pub const fn row_len(&self) -> usize {
        self.shape.taps * if self.between { 4 } else { 2 }
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

    /// Units of slope per unit of coefficient, both per row.
    const fn slope_scale(&self) -> i64 {
        // The steepest slope of a sinc is 1.371 (2f)^2 per frame, and 30,000 leaves room for what
        // a partial sum adds to its steepest pair. Only one 2f is divided out: a filter that is
        // longer by 1 / 2f has that many more taps so steep.
        let doubled = 2 * self.shape.cutoff;
        ((30_000 * self.rows as i128 * (1 << TIME_BITS)) * 512 / (702 * doubled as i128)) as i64
    }
}

/// A table in use.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// What it holds.
    pub plan: Plan,
    /// Its rows: high halves, low halves and, if the plan says so, slopes and curvatures.
    pub rows: &'a [i16],
    /// 2^17 over the units of slope, with 32 fraction bits.
    pub slope: i64,
}

struct Slot {
    plan: Option<Plan>,
    filled: usize,
    /// The last render that used it.
    used: u64,
    data: Vec<i16>,
}

/// All tables.
pub struct Tables {
    slots: [Slot; Self::SIZES.len()],
    now: u64,
}

impl Tables {
    /// Coefficients per slot: one for any ratio (times in between), three like 44.1 to 48 kHz, and
    /// eight small ones like 1:2, 2:3 or 1:6. On a 48 kHz card every rate that sndif names finds
    /// its place beside all others.
    const SIZES: [usize; 12] = [
        66_304, 33_024, 33_024, 33_024, 4_096, 4_096, 4_096, 4_096, 4_096, 4_096, 4_096, 4_096,
    ];
    /// The longest table.
    pub const LARGEST: usize = Self::SIZES[0];
    /// The longest table of exact phases.
    pub const LARGEST_EXACT: usize = Self::SIZES[1];

    /// Takes the memory: 396 KB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: Self::SIZES.map(|size| Slot {
                plan: None,
                filled: 0,
                used: 0,
                data: vec![0; size],
            }),
            now: 2,
        }
    }

    /// Begins another render: tables not used since the one before may be replaced.
    pub fn tick(&mut self) {
        self.now = self.now.saturating_add(1);
    }

    /// Works on the table of `plan` by at most `budget` evaluations of its filter, and gives it
    /// when it is whole.
    pub fn get(&mut self, plan: Plan, budget: &mut usize) -> Option<Table<'_>> {
        let now = self.now;
        let place = self.place(&plan)?;
        let slot = self.slots.get_mut(place)?;
        slot.used = now;
        if slot.filled * 2 < plan.stored_rows() + 1 {
            slot.fill(&plan, budget);
        }
        if slot.filled * 2 < plan.stored_rows() + 1 {
            return None;
        }
        Some(Table {
            plan,
            rows: slot.data.get(..plan.len())?,
            slope: ((1_i128 << (17 + 32)) / i128::from(plan.slope_scale())) as i64,
        })
    }

    /// The slot that holds `plan`, or else the smallest unused one that can.
    fn place(&mut self, plan: &Plan) -> Option<usize> {
        let holds = |slot: &Slot| slot.plan.as_ref() == Some(plan);
        if let Some(place) = self.slots.iter().position(holds) {
            return Some(place);
        }
        let (place, slot) = self
            .slots
            .iter_mut()
            .enumerate()
            .filter(|(_, slot)| slot.data.len() >= plan.len() && slot.used + 1 < self.now)
            .min_by_key(|(_, slot)| (slot.data.len(), slot.used))?;
        slot.plan = Some(*plan);
        slot.filled = 0;
        Some(place)
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    /// Fills rows from both ends: the filter is even, so a row's mirror comes for free.
    fn fill(&mut self, plan: &Plan, budget: &mut usize) {
        let kernel = Kernel::new(plan.shape);
        let cost = plan.shape.taps * if plan.between { 3 } else { 1 };
        while *budget > 0 && self.filled * 2 < plan.stored_rows() + 1 {
            *budget = budget.saturating_sub(cost);
            self.fill_pair(plan, &kernel, self.filled);
            self.filled += 1;
        }
    }

    fn fill_pair(&mut self, plan: &Plan, kernel: &Kernel, row: usize) {
        let taps = plan.shape.taps;
        let mirror = plan.rows - row;
        let per_row = (1_i64 << TIME_BITS) / plan.rows as i64;
        let phase = ((row as i64) << TIME_BITS) / plan.rows as i64;
        let offset = ((i128::from(OFFSET) * i128::from(per_row)) >> TIME_BITS) as i64;
        let mut sum = 0_i32;
        for tap in 0..taps {
            let t = ((tap as i64 - (taps as i64 / 2 - 1)) << TIME_BITS) - phase;
            let value = kernel.at(t);
            let coefficient = round(i128::from(value), 62 - COEFFICIENT_BITS);
            sum += coefficient;
            self.put(plan, (row, mirror), tap, coefficient);
            if plan.between {
                // Later in the row is earlier in the filter.
                let (after, before) = (kernel.at(t - offset), kernel.at(t + offset));
                let slope =
                    i128::from(after - before) * (1 << (TIME_BITS - 1)) / i128::from(OFFSET);
                let bend = i128::from(after - value) + i128::from(before - value);
                let bend = (((bend << (TIME_BITS - 1)) / i128::from(OFFSET)) << TIME_BITS)
                    / i128::from(OFFSET);
                let scale = i128::from(plan.slope_scale());
                let slope = round(slope * scale, 62) as i16;
                // Sixteen times finer than slopes are: curvatures are that much smaller.
                let bend = round(bend * scale, 58) as i16;
                let at = |row: usize, plane: usize, tap: usize| {
                    row * plan.row_len() + plane * taps + tap
                };
                self.set(at(row, 2, tap), slope);
                self.set(at(row, 3, tap), bend);
                self.set(at(mirror, 2, taps - 1 - tap), -slope);
                self.set(at(mirror, 3, taps - 1 - tap), bend);
            }
        }
        // A row's rounding errors are put into its largest coefficient, so that a constant stays
        // what it is at every phase. Where the mirror is the row itself both ends share them.
        let missing = (1 << COEFFICIENT_BITS) - sum;
        let middle = taps / 2 - usize::from(row * 2 <= plan.rows);
        let there = self.coefficient(plan, row, middle);
        if row == mirror {
            self.put(plan, (row, mirror), middle, there + missing / 2);
        } else {
            self.put(plan, (row, mirror), middle, there + missing);
        }
    }

    fn put(&mut self, plan: &Plan, rows: (usize, usize), tap: usize, value: i32) {
        let taps = plan.shape.taps;
        let high = (value + (1 << 11)) >> 12;
        let low = value - (high << 12);
        for (row, tap) in [(rows.0, tap), (rows.1, taps - 1 - tap)] {
            if row < plan.stored_rows() {
                self.set(row * plan.row_len() + tap, high as i16);
                self.set(row * plan.row_len() + taps + tap, low as i16);
            }
        }
    }

    fn coefficient(&self, plan: &Plan, row: usize, tap: usize) -> i32 {
        let at = row * plan.row_len() + tap;
        let get = |at: usize| i32::from(self.data.get(at).copied().unwrap_or(0));
        (get(at) << 12) + get(at + plan.shape.taps)
    }

    fn set(&mut self, at: usize, value: i16) {
        if let Some(cell) = self.data.get_mut(at) {
            *cell = value;
        }
    }
}

fn round(value: i128, shift: u32) -> i32 {
    ((value + (1 << (shift - 1))) >> shift) as i32
}
