//! The resampler's coefficient tables, shared by every stream of a ratio.
//!
//! Their memory is taken once. A table is filled a few rows at a time, so that a guest that asks
//! for a new rate costs the others nothing but that; until it is full, its streams are silent.

use super::filter::{COEFFICIENT_BITS, HIGH_BITS, Kernel, TIME_BITS, VALUE_BITS};
pub use super::rows::{EDGE, LANE, Plan};
use alloc::vec;
use alloc::vec::Vec;

/// Chebyshev's points of a parabola through three values of [-1/2, 1/2]: 0 and this, 40 bits.
const OFFSET: i64 = 476_102_500_705;

/// Coefficients of [`LANE`] taps in a row, where vectors like them.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub struct Sixteen(pub [i16; LANE]);

/// Coefficients per unit of slope, both per row, as a power of two. The steepest slope of a sinc
/// is 1.371 (2f)^2 per frame, and there are 192 rows per frame of the lower rate: at most 29,950,
/// which leaves room for what a partial sum adds to its steepest pair.
pub const SLOPE_BITS: u32 = 22;

/// A table in use.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// What it holds.
    pub plan: Plan,
    /// Its rows.
    pub rows: &'a [Sixteen],
}

impl Table<'_> {
    /// The coefficients of a tap in a row: high half with 14 fraction bits, low half with 26,
    /// change per row with 26 or, where it is steep, 22, and half the change of that with 26; the
    /// last two are 0 where the table has exact phases. At the ends a tap has one coefficient and
    /// its change per row.
    #[inline(never)]
    #[must_use]
    pub fn tap(&self, row: usize, tap: usize) -> [i16; 4] {
        let mut values = [0; 4];
        let planes = self.plan.planes() >> u32::from(self.plan.at_edge(tap));
        for (plane, value) in values.iter_mut().enumerate().take(planes) {
            *value = get(self.rows, self.plan.place(row, plane, tap));
        }
        values
    }
}

/// What an output is more than at the nearest row, from the sum of the slopes there (in eighths),
/// and from how far it is, with 16 fraction bits.
#[inline]
#[must_use]
pub const fn change(slope: i32, rest: i16) -> i32 {
    // 24 bits of the one times 16 of the other, the lower ones times less, as pairs of 16-bit
    // multiplies have it.
    let (high, middle) = (slope >> 16, (slope >> 8) & 0xFF);
    let rest = rest as i32;
    (high * rest + middle * ((rest + 128) >> 8) + (1 << 4)) >> (SLOPE_BITS - 17)
}

/// A table's place in the memory.
struct Entry {
    plan: Plan,
    start: usize,
    /// Pairs of rows that are done.
    filled: usize,
    /// The last render that used it.
    used: u64,
    /// Open streams that need it.
    holders: usize,
    /// Whether those are of an unusual rate.
    odd: bool,
}

impl Entry {
    const fn whole(&self) -> bool {
        self.filled * 2 > self.plan.stored_rows()
    }
}

/// All tables.
pub struct Tables {
    /// In the order in which they lie, without gaps.
    entries: heapless::Vec<Entry, 32>,
    data: Vec<Sixteen>,
    now: u64,
}

impl Tables {
    /// Coefficients in all: every rate that sndif names finds its place beside all others on any
    /// usual card, with tables of less quality for some on a 44.1 kHz card.
    const CAPACITY: usize = 259_200;
    /// Coefficients that a table of exact phases may have where one for the times in between would
    /// have fewer: such streams are worth it.
    pub const SMALL: usize = 33_024;
    /// Coefficients above which a table is a long one: more than that of any ratio upwards.
    const LONG: usize = 49_408;

    /// Coefficients that unusual rates may hold: a guest with odd wishes shall not keep others
    /// from the usual ones.
    const ODD_MOST: usize = 33_024;

    /// Takes the memory: 506 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            entries: heapless::Vec::new(),
            data: vec![Sixteen([0; LANE]); Self::CAPACITY / LANE],
            now: 2,
        }
    }

    /// Begins another render: tables not used since the one before may be replaced.
    pub fn tick(&mut self) {
        self.now = self.now.saturating_add(1);
    }

    /// The number of the render under way.
    #[must_use]
    pub const fn round(&self) -> u64 {
        self.now
    }

    /// Keeps a place for the table of `plan` until it is released as often. `false` where those
    /// that are held leave no room for it, or for another `odd` one, or for another long one: of
    /// those there is only one at a time.
    #[must_use]
    pub fn hold(&mut self, plan: &Plan, odd: bool) -> bool {
        let (mut odds, mut longs) = (0, 0);
        for entry in self.entries.iter().filter(|entry| entry.holders > 0) {
            if entry.plan != *plan {
                odds += if entry.odd { entry.plan.len() } else { 0 };
                longs += usize::from(entry.plan.len() > Self::LONG);
            }
        }
        if (odd && odds + plan.len() > Self::ODD_MOST) || (plan.len() > Self::LONG && longs > 0) {
            return false;
        }
        let Some(entry) = self.place(plan).and_then(|at| self.entries.get_mut(at)) else {
            return false;
        };
        entry.odd = odd;
        entry.holders += 1;
        true
    }

    /// Gives the place of a table back.
    pub fn release(&mut self, plan: &Plan) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.plan == *plan) {
            entry.holders = entry.holders.saturating_sub(1);
        }
    }

    /// Works on the table of `plan` by at most `budget` evaluations of its filter, and gives it
    /// when it is whole.
    pub fn get(&mut self, plan: Plan, budget: &mut usize) -> Option<Table<'_>> {
        let now = self.now;
        let place = self.place(&plan)?;
        let entry = self.entries.get_mut(place)?;
        entry.used = now;
        let place = entry.start..entry.start + plan.len() / LANE;
        let rows = self.data.get_mut(place)?;
        if !entry.whole() {
            let kernel = Kernel::new(plan.shape);
            let cost = plan.shape.taps * if plan.between { 3 } else { 1 };
            while *budget > 0 && !entry.whole() {
                *budget = budget.saturating_sub(cost);
                Draft { plan, rows }.fill_pair(&kernel, entry.filled);
                entry.filled += 1;
            }
        }
        entry.whole().then_some(Table { plan, rows })
    }

    /// The entry of `plan`, or else a new one in the place of those used longest ago.
    fn place(&mut self, plan: &Plan) -> Option<usize> {
        if let Some(place) = self.entries.iter().position(|entry| entry.plan == *plan) {
            return Some(place);
        }
        let mut left = Self::CAPACITY - self.entries.iter().map(|it| it.plan.len()).sum::<usize>();
        while left < plan.len() || self.entries.is_full() {
            let idle = |entry: &Entry| entry.holders == 0 && entry.used + 1 < self.now;
            let (oldest, entry) = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| idle(entry))
                .min_by_key(|(_, entry)| entry.used)?;
            left += entry.plan.len();
            self.entries.remove(oldest);
        }
        let mut end = 0;
        for entry in &mut self.entries {
            let len = entry.plan.len() / LANE;
            if entry.start != end {
                self.data.copy_within(entry.start..entry.start + len, end);
                entry.start = end;
            }
            end += len;
        }
        let entry = Entry {
            plan: *plan,
            start: end,
            filled: 0,
            used: 0,
            holders: 0,
            odd: false,
        };
        self.entries.push(entry).ok()?;
        Some(self.entries.len() - 1)
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::new()
    }
}

/// A table that is being filled, from both ends: the filter is even, so a row's mirror comes for
/// free.
struct Draft<'t> {
    plan: Plan,
    rows: &'t mut [Sixteen],
}

impl Draft<'_> {
    fn fill_pair(&mut self, kernel: &Kernel, row: usize) {
        let plan = self.plan;
        let taps = plan.shape.taps;
        let mirror = plan.rows - row;
        let per_row = (1_i64 << TIME_BITS) / plan.rows as i64;
        let phase = ((row as i64) << TIME_BITS) / plan.rows as i64;
        let offset = ((i128::from(OFFSET) * i128::from(per_row)) >> TIME_BITS) as i64;
        let mut sum = 0_i32;
        for tap in 0..taps {
            let t = ((tap as i64 - (taps as i64 / 2 - 1)) << TIME_BITS) - phase;
            let value = kernel.at(t);
            let edge = plan.at_edge(tap);
            let kept = if edge {
                plan.shape.family.edge_bits()
            } else {
                COEFFICIENT_BITS
            };
            let coefficient = round(i128::from(value), VALUE_BITS - kept);
            sum += coefficient << (COEFFICIENT_BITS - kept);
            self.put((row, mirror), tap, coefficient);
            if plan.between {
                // Later in the row is earlier in the filter.
                let (after, before) = (kernel.at(t - offset), kernel.at(t + offset));
                let slope =
                    i128::from(after - before) * (1 << (TIME_BITS - 1)) / i128::from(OFFSET);
                let bend = i128::from(after - value) + i128::from(before - value);
                let bend = (((bend << (TIME_BITS - 1)) / i128::from(OFFSET)) << TIME_BITS)
                    / i128::from(OFFSET);
                if edge {
                    // There the slopes' own changes are nothing.
                    let slope = round(slope, VALUE_BITS - kept) as i16;
                    self.set(plan.place(row, 1, tap), slope);
                    self.set(plan.place(mirror, 1, taps - 1 - tap), -slope);
                    continue;
                }
                let steep = plan.steep().contains(&((tap - EDGE) / LANE));
                let bits = VALUE_BITS - if steep { SLOPE_BITS } else { COEFFICIENT_BITS };
                // Sixteen times finer than steep slopes are: curvatures are that much smaller. What
                // is lost where they are next to nothing is less than what cutting would add.
                let mut bend = round(bend, VALUE_BITS - COEFFICIENT_BITS) as i16;
                if steep && bend.abs() < 16 {
                    bend = 0;
                }
                // What curvatures add to slopes is cut, which is half a unit less on average.
                let half = i128::from(bend != 0) << (bits - 1);
                self.set(plan.place(row, 2, tap), round(slope + half, bits) as i16);
                self.set(plan.place(row, 3, tap), bend);
                let tap = taps - 1 - tap;
                self.set(plan.place(mirror, 2, tap), round(half - slope, bits) as i16);
                self.set(plan.place(mirror, 3, tap), bend);
            }
        }
        // A row's rounding errors are put into its largest coefficient, so that a constant stays
        // what it is at every phase. Where the mirror is the row itself both ends share them.
        let missing = (1 << COEFFICIENT_BITS) - sum;
        let middle = taps / 2 - usize::from(row * 2 <= plan.rows);
        let there = self.coefficient(row, middle);
        if row == mirror {
            self.put((row, mirror), middle, there + missing / 2);
        } else {
            self.put((row, mirror), middle, there + missing);
        }
    }

    fn put(&mut self, rows: (usize, usize), tap: usize, value: i32) {
        let plan = self.plan;
        let taps = plan.shape.taps;
        const LOW_BITS: u32 = COEFFICIENT_BITS - HIGH_BITS;
        let high = (value + (1 << (LOW_BITS - 1))) >> LOW_BITS;
        let low = value - (high << LOW_BITS);
        for (row, tap) in [(rows.0, tap), (rows.1, taps - 1 - tap)] {
            if row >= plan.stored_rows() {
                continue;
            }
            if plan.at_edge(tap) {
                self.set(plan.place(row, 0, tap), value as i16);
            } else {
                self.set(plan.place(row, 0, tap), high as i16);
                self.set(plan.place(row, 1, tap), low as i16);
            }
        }
    }

    fn coefficient(&self, row: usize, tap: usize) -> i32 {
        let get = |plane| i32::from(get(self.rows, self.plan.place(row, plane, tap)));
        (get(0) << 12) + get(1)
    }

    fn set(&mut self, (lane, tap): (usize, usize), value: i16) {
        let cell = self.rows.get_mut(lane).and_then(|lane| lane.0.get_mut(tap));
        if let Some(cell) = cell {
            *cell = value;
        }
    }
}

#[inline(never)]
fn get(rows: &[Sixteen], (lane, tap): (usize, usize)) -> i16 {
    let lane = rows.get(lane);
    lane.and_then(|lane| lane.0.get(tap)).copied().unwrap_or(0)
}

fn round(value: i128, shift: u32) -> i32 {
    ((value + (1 << (shift - 1))) >> shift) as i32
}
