//! Eight streams in step, a lane of vectors to a channel: what is read of the table serves all of
//! them, and nothing is summed across lanes.
//!
//! Two samples of a channel in a row share a lane, as 16-bit multiply-adds want them. An output's
//! filter begins at any frame, so there are records of pairs that begin at even frames and others
//! of pairs that begin at odd ones. With 128-bit vectors all of that gains nothing: there the
//! coefficients would have to be spread by instructions of their own.

use super::path::Path;
use super::simd::{Vnni, call, onto_pair, v256::*};
use super::table::{EDGE, LANE, Sixteen, Table};
use core::hint::black_box;

/// Streams that are resampled together at most.
pub const COLUMNS: usize = 8;
/// The least that are worth it.
pub const LEAST: usize = 7;

/// An integer of every channel.
pub type Channels = [[i32; 8]; 2];
/// Two samples of every channel: high parts, and then low parts. None of their vectors lies across
/// two lines of cache, which would be read twice.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct Record(pub [Channels; 2]);

/// Streams of a vector.
pub const STREAMS: usize = 4;
/// Sums that cross products are parted in: pairs of the taps of an end.
const WAYS: usize = EDGE / 2;
/// Rounds a cross product's partial sum.
const HALF: i32 = 1 << 11;

/// Stereo streams that are resampled together, and their table.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// The coefficients: exact phases, and no more taps than sums have room for.
    pub table: Table<'a>,
    /// What was laid out, and no more.
    pub records: &'a [Record],
    /// Whether any low sample is not 0.
    pub fine: bool,
    /// The promise of AVX-VNNI, if it is there.
    pub vnni: Option<Vnni>,
}

/// Records of as many frames.
#[must_use]
pub const fn records(frames: usize) -> usize {
    frames.next_multiple_of(STREAMS)
}

/// Lays out the frames of a vector's streams, the `half`th; there is one frame of each more than
/// records. Returns whether any low sample of theirs is not 0.
#[target_feature(enable = "avx2")]
pub fn lay(frames: [&[[i32; 2]]; STREAMS], half: usize, records: &mut [Record]) -> bool {
    let half = half % 2;
    let (evens, odds) = records.split_at_mut(records.len() / 2);
    let [Some(a), Some(b), Some(c), Some(d)] = frames.map(|frames| frames.first_chunk()) else {
        return false;
    };
    let [mut even, _] = turn64([a, b, c, d]);
    let [a, b, c, d] = frames.map(|frames| frames.get(1..).unwrap_or_default().as_chunks().0);
    let nexts = a.iter().zip(b).zip(c.iter().zip(d));
    let mut any_low = every32(0);
    for (((a, b), (c, d)), records) in nexts.zip(evens.iter_mut().zip(odds)) {
        let [odd, next] = turn64([a, b, c, d]);
        for (record, frame, next) in [(records.0, even, odd), (records.1, odd, next)] {
            let high = or(down32::<16>(frame), and(next, every32(-1 << 16)));
            let below = and(left64::<16>(next), every32(-1 << 16));
            let low = down16::<4>(or(and(frame, every32(0xFFFF)), below));
            any_low = or(any_low, low);
            store(&mut record.0[0][half], high);
            store(&mut record.0[1][half], low);
        }
        even = next;
    }
    any(any_low)
}

/// Does something with each pair of a lane's taps. A loop the compiler would unroll too late to keep
/// sums in registers.
macro_rules! each_pair {
    ($i:ident, $body:block) => {
        each_pair!($i, $body, 0 1 2 3 4 5 6 7)
    };
    ($i:ident, $body:block, $($at:literal)*) => { $({
        const $i: usize = $at;
        $body
    })* };
}

/// Makes all columns' outputs.
#[target_feature(enable = "avx2")]
pub fn outputs(columns: &Columns<'_>, path: Path, out: &mut [Channels]) {
    let (evens, odds) = columns.records.split_at(columns.records.len() / 2);
    let (plan, rows) = (&columns.table.plan, columns.table.rows);
    let (taps, row_len) = (plan.shape.taps, plan.row_len() / LANE);
    // A multiply for each row would wait among those of vectors, and what comes next for it.
    let Some(mut path) = path.in_units(row_len as u64) else {
        return;
    };
    let mut next = || {
        let start = path.advance();
        let windows = if start.is_multiple_of(2) { evens } else { odds };
        let window = windows.get(start / 2..start / 2 + taps / 2)?;
        Some((window, rows.get(path.row()..path.row() + row_len)?))
    };
    // An output ahead: these steps wait for each other, and each for vectors at its port.
    let mut place = next();
    for out in out {
        let Some(here) = place else {
            return;
        };
        place = next();
        let done = match columns.vnni {
            Some(token) => call::vnni::output(token, columns, here, out),
            None => output(columns, here, out),
        };
        if done.is_none() {
            return;
        }
    }
}

/// Of an output, the window and the row.
pub type Place<'a> = (&'a [Record], &'a [Sixteen]);

macro_rules! output {
    ($name:ident, $feature:literal, $middle:ident) => {
        /// Makes an output of all columns.
        #[inline]
        #[target_feature(enable = $feature)]
        pub fn $name(
            columns: &Columns<'_>,
            (window, row): Place<'_>,
            out: &mut Channels,
        ) -> Option<()> {
            let [fine, coarse] = columns.table.plan.shape.family.shifts();
            let (ends, row) = row.split_first()?;
            let (head, window) = window.split_first_chunk()?;
            let (window, tail) = window.split_last_chunk()?;
            let lanes = (row.as_chunks().0, window.as_chunks().0);
            let (mut sums, crosses) = $middle(lanes, columns.fine);
            let ends = ends.0.as_chunks::<2>().0;
            for (i, mut crosses) in crosses.into_iter().enumerate() {
                let sides: [(_, &[Record; WAYS]); 2] = [(&ends[i], head), (&ends[WAYS + i], tail)];
                crosses = crosses.map(|cross| right32(cross, fine));
                for (whole, records) in sides {
                    let whole = spread(whole);
                    for (cross, high) in crosses.iter_mut().zip(&records[i].0[0]) {
                        *cross = add_madd16(*cross, load(high), whole);
                    }
                }
                for n in 0..2 {
                    sums[n] = add32(sums[n], right32(crosses[n], coarse));
                }
            }
            for n in 0..2 {
                store(&mut out[n], sums[n]);
            }
            Some(())
        }
    };
}

output!(output, "avx2", high_and_low);
output!(output_at_once, "avx2,avxvnni", all);

/// Lanes of a row between the ends, and of a window.
type Lanes<'a> = (&'a [[Sixteen; 2]], &'a [[Record; LANE / 2]]);

/// Adds the products of all lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn high_and_low((row, window): Lanes<'_>, fine: bool) -> Sums {
    let lanes = row.iter().zip(window);
    let (mut sums, mut crosses) = ([every32(0); 2], [[every32(HALF); 2]; WAYS]);
    for (row, window) in lanes.clone() {
        let (a, b) = (halves(&row[0]), halves(&row[1]));
        let windows = window.as_chunks().0;
        (sums, crosses) = add_high((sums, crosses), [a[0], b[0]], &windows[0]);
        (sums, crosses) = add_high((sums, crosses), [a[1], b[1]], &windows[1]);
    }
    // Looked at each time: there is no loop for each answer.
    if black_box(fine) {
        for (row, window) in lanes {
            let a = halves(&row[0]);
            let windows = window.as_chunks().0;
            crosses = add_low(crosses, a[0], &windows[0]);
            crosses = add_low(crosses, a[1], &windows[1]);
        }
    }
    (sums, crosses)
}

/// The same where one step multiplies and adds up. It takes long enough for sums of high parts to be
/// parted in two, which would wait for each other, and low parts cost little enough to be looked at
/// always.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn all((row, window): Lanes<'_>, _fine: bool) -> Sums {
    let (mut sums, mut crosses) = ([[every32(0); 2]; 2], [[every32(HALF); 2]; WAYS]);
    for lane in row.iter().zip(window) {
        each_pair!(I, {
            onto_pair::<I>(&mut sums[I % 2], &mut crosses[I % WAYS], lane);
        });
    }
    let [a, b] = sums;
    ([add32(a[0], b[0]), add32(a[1], b[1])], crosses)
}

/// Coefficients in pairs, half and half.
#[inline]
fn halves(lane: &Sixteen) -> [&[[i16; 2]; WAYS]; 2] {
    let halves = lane.0.as_chunks().0.as_chunks().0;
    [&halves[0], &halves[1]]
}

/// Sums of products of high parts, and, four ways, of those with a low part.
type Sums = ([V; 2], [[V; 2]; WAYS]);

/// Adds the products of eight taps' high samples.
#[inline]
#[target_feature(enable = "avx2")]
fn add_high(
    (mut sums, mut crosses): Sums,
    [a, b]: [&[[i16; 2]; WAYS]; 2],
    window: &[Record; WAYS],
) -> Sums {
    for i in 0..WAYS {
        let (a, b) = (spread(&a[i]), spread(&b[i]));
        for n in 0..2 {
            let high = load(&window[i].0[0][n]);
            sums[n] = add_madd16(sums[n], high, a);
            crosses[i][n] = add_madd16(crosses[i][n], high, b);
        }
    }
    (sums, crosses)
}

/// The same of low samples.
#[inline]
#[target_feature(enable = "avx2")]
fn add_low(
    mut crosses: [[V; 2]; WAYS],
    a: &[[i16; 2]; WAYS],
    window: &[Record; WAYS],
) -> [[V; 2]; WAYS] {
    for i in 0..WAYS {
        let a = spread(&a[i]);
        for (cross, low) in crosses[i].iter_mut().zip(&window[i].0[1]) {
            *cross = add_madd16(*cross, load(low), a);
        }
    }
    crosses
}

/// Adds the outputs times each channel's gain to the sums.
#[target_feature(enable = "avx2")]
pub fn gather(gains: &Channels, out: &[Channels], sums: &mut [i64]) {
    let even = [load(&gains[0]), load(&gains[1])];
    let odd = [swap32(even[0]), swap32(even[1])];
    let fours = out.as_chunks::<4>().0.iter();
    for (four, sums) in fours.zip(sums.as_chunks_mut::<8>().0) {
        let mut totals = [[every64(0); 4]; 2];
        for i in 0..4 {
            let (a, b) = (load(&four[i][0]), load(&four[i][1]));
            totals[0][i] = add64(mul_even(a, even[0]), mul_even(b, even[1]));
            let (a, b) = (right64::<32>(a), right64::<32>(b));
            totals[1][i] = add64(mul_even(a, odd[0]), mul_even(b, odd[1]));
        }
        let (left, right) = sums.split_at_mut(4);
        for (sums, totals) in [left, right].into_iter().zip(totals) {
            if let Some(sums) = sums.first_chunk_mut() {
                store(sums, add64(load::<i64, 4>(sums), across64(totals)));
            }
        }
    }
}
