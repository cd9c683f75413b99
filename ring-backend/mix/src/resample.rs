//! Where a stream is between its own frames, and which filter takes it from there.
//!
//! A resampler holds the last frames of its stream. For a while they are laid out beside new ones
//! in two planes per channel, the high 16 bits of each sample and 12 bits below them, as 16-bit
//! multiplies want them.

use super::filter::{Family, Shape, TIME_BITS};
use super::path::{BETWEEN_BITS, Cursor};
use super::table::{Plan, Tables};

/// Samples of history per voice, all channels together.
pub const HISTORY: usize = 1_536;
/// Phases per frame of the lower rate where the phases of a ratio are too many to have a row each.
const ROWS_BETWEEN: usize = 192;

/// The rates that sndif has names for, and one more that cards have.
const NAMED: [u32; 13] = [
    5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000, 176_400,
    192_000,
];

/// How much work resampling may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Quality {
    /// 64 frames of filter upwards, 0.73 ms at 44.1 kHz, and 103 frames downwards, 1.17 ms:
    /// 140 dB to 20 kHz.
    #[default]
    Best,
    /// 30 frames of filter, 0.36 ms at 44.1 kHz: 110 dB to 18 kHz.
    Light,
}

/// One stream's resampler.
pub struct Resampler {
    plan: Plan,
    /// Frames per second that come in and go out.
    rates: (u32, u32),
    start: Cursor,
    cursor: Cursor,
    channels: usize,
    /// Interleaved, as many as there are taps.
    past: [i32; HISTORY],
}

impl Resampler {
    /// A resampler that was not set up; it has no channels.
    #[must_use]
    pub const fn new() -> Self {
        // A function and not a constant, of which the image would hold all the zeros.
        Self {
            plan: Plan {
                shape: Shape {
                    family: Family::Up,
                    support: 1,
                    taps: 0,
                },
                rows: 1,
                between: false,
            },
            rates: (1, 1),
            start: Cursor::IDENTITY,
            cursor: Cursor::IDENTITY,
            channels: 0,
            past: [0; HISTORY],
        }
    }

    /// Sets up for a ratio, with `drift` in parts per 2^32 of it if it may move, and forgets the
    /// past.
    pub fn set_up(
        &mut self,
        from: u32,
        to: u32,
        channels: usize,
        quality: Quality,
        drift: Option<i32>,
    ) {
        let plan = plan(from, to, channels, quality, drift.is_some());
        self.plan = plan;
        self.rates = (from, to);
        self.channels = channels;
        if plan.between {
            let den = 1_i64 << BETWEEN_BITS;
            self.start.den = den;
            self.start.step = ((i128::from(from) << BETWEEN_BITS) / i128::from(to)) as i64;
        } else {
            let divisor = gcd(from, to);
            self.start.den = i64::from(to / divisor);
            self.start.step = i64::from(from / divisor);
        }
        self.start.phase = self.start.den - self.start.step;
        self.reset();
        self.set_drift(drift.unwrap_or(0));
    }

    /// Sets up again with the least of tables.
    pub fn lighten(&mut self, drift: Option<i32>) {
        let (from, to) = self.rates;
        self.set_up(from, to, self.channels, Quality::Light, drift);
    }

    /// Follows a card whose clock is off: `drift` in parts per 2^32 more input per output. Takes
    /// effect at the next output, without a step. Only where set up with a drift.
    pub fn set_drift(&mut self, drift: i32) {
        if self.plan.between {
            let more = (i128::from(self.start.step) * i128::from(drift)) >> 32;
            self.cursor.step = self.start.step + more as i64;
        }
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.cursor = self.start;
        self.past.fill(0);
    }

    /// Frames of filter.
    #[must_use]
    pub const fn taps(&self) -> usize {
        self.plan.shape.taps
    }

    /// Which table it needs.
    #[must_use]
    pub const fn plan(&self) -> Plan {
        self.plan
    }

    /// Whether its table would serve no other than streams of just this unusual rate.
    #[must_use]
    pub fn is_odd(&self) -> bool {
        let (from, to) = self.rates;
        let shared = self.plan.between && from <= to;
        !(shared || NAMED.contains(&from) && NAMED.contains(&to))
    }

    /// Its position.
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Its position, to be moved.
    pub const fn cursor_mut(&mut self) -> &mut Cursor {
        &mut self.cursor
    }

    /// Whether another does just the same to as many channels, from the same position on.
    #[must_use]
    pub fn in_step_with(&self, other: &Self) -> bool {
        self.cursor == other.cursor && self.channels == other.channels && self.plan == other.plan
    }

    /// Begins where it would be after so many outputs.
    pub fn begin_after(&mut self, outputs: u64) {
        let Cursor { step, den, .. } = self.cursor;
        let phase = i128::from(self.start.phase) + i128::from(outputs) * i128::from(step);
        self.cursor.phase = phase.rem_euclid(i128::from(den)) as i64;
    }

    /// Input frames that the next `outputs` outputs take.
    #[must_use]
    pub const fn frames_for(&self, outputs: usize) -> usize {
        self.cursor.frames_for(outputs)
    }

    /// The most outputs that take `frames` frames or fewer.
    #[must_use]
    pub const fn outputs_within(&self, frames: usize) -> usize {
        let Cursor { phase, step, den } = self.cursor;
        (((frames as i64 + 1) * den - 1 - phase) / step) as usize
    }

    /// Frames of the card that the filter delays by, rounded up.
    #[must_use]
    pub fn latency(&self) -> u32 {
        self.outputs_of(self.taps() as u64 / 2) as u32
    }

    /// Frames of the card that last as long as `frames` of the stream, rounded up.
    #[must_use]
    pub fn outputs_of(&self, frames: u64) -> u64 {
        let (den, step) = (self.start.den as u128, self.start.step.max(1) as u128);
        (u128::from(frames) * den).div_ceil(step) as u64
    }

    /// The samples of history, interleaved.
    #[must_use]
    pub fn past(&self) -> &[i32] {
        let len = self.taps() * self.channels;
        self.past.get(..len).unwrap_or(&[])
    }

    /// Keeps the newest of frames that begin with the history.
    pub fn keep(&mut self, frames: &[i32]) {
        let len = self.taps() * self.channels;
        let newest = frames
            .len()
            .checked_sub(len)
            .and_then(|at| frames.get(at..));
        if let (Some(past), Some(newest)) = (self.past.get_mut(..len), newest) {
            past.copy_from_slice(newest);
        }
    }
}

/// The table of a ratio.
fn plan(from: u32, to: u32, channels: usize, quality: Quality, drifts: bool) -> Plan {
    let most = HISTORY / channels.max(1) / 16 * 16;
    let shape = |family: Family| {
        let stretched = i128::from(family.support()) * i128::from(from.max(to)) / i128::from(to);
        let support = stretched.min((most as i128) << TIME_BITS) as i64;
        let taps = (support as u64).div_ceil(1 << TIME_BITS) as usize;
        Shape {
            family,
            support,
            taps: taps.next_multiple_of(16),
        }
    };
    let best = shape(if from > to { Family::Down } else { Family::Up });
    // Few have eight channels at 192 kHz.
    let shape = match quality {
        Quality::Best if best.taps < most => best,
        _ => shape(Family::Light),
    };
    let exact = Plan {
        shape,
        rows: (to / gcd(from, to)) as usize,
        between: false,
    };
    let rows = (ROWS_BETWEEN as u64 * u64::from(to)).div_ceil(u64::from(from.max(to)));
    let between = Plan {
        shape,
        rows: rows as usize,
        between: true,
    };
    if !drifts && exact.len() <= between.len().max(Tables::SMALL) {
        exact
    } else {
        between
    }
}

const fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}
