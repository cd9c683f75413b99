//! Eight streams in step, a lane of vectors to a channel: what is read of the table serves all of
//! them, and nothing is summed across lanes.
//!
//! Two samples of a channel in a row share a lane, as 16-bit multiply-adds want them. An output's
//! filter begins at any frame, so there are records of pairs that begin at even frames and others
//! of pairs that begin at odd ones. With 128-bit vectors all of that gains nothing: there the
//! coefficients would have to be spread by instructions of their own.

use super::path::Path;
use super::simd::v256::*;
use super::table::{LANE, Sixteen, Table};

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
const STREAMS: usize = 4;
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
}

/// Records of as many frames.
#[must_use]
pub const fn records(frames: usize) -> usize {
    frames.next_multiple_of(STREAMS)
}

/// Lays out a stream's frames as column `column`; there is one frame more than records. Returns
/// whether any low sample of theirs is not 0.
#[target_feature(enable = "avx2")]
pub fn lay(frames: &[[i32; 2]], column: usize, records: &mut [Record]) -> bool {
    let place = column % COLUMNS;
    let (evens, odds) = records.split_at_mut(records.len() / 2);
    let evens = evens.as_chunks_mut::<{ STREAMS / 2 }>().0.iter_mut();
    let records = evens.zip(odds.as_chunks_mut::<{ STREAMS / 2 }>().0);
    let nexts = frames.get(1..).unwrap_or(&[]).as_chunks::<STREAMS>().0;
    let frames = frames.as_chunks::<STREAMS>().0.iter().zip(nexts);
    let mut any_low = every32(0);
    for ((frame, next), (evens, odds)) in frames.zip(records) {
        let [frame, next] = [frame, next].map(|four| {
            let lanes = four.as_flattened().first_chunk::<8>();
            lanes.map_or(every32(0), |lanes| load(lanes))
        });
        let high = or(down32::<16>(frame), and(next, every32(-1 << 16)));
        let below = and(down32::<4>(frame), every32(0xFFF));
        any_low = or(any_low, below);
        let low = or(below, and(left64::<12>(next), every32(0xFFF << 16)));
        for (part, value) in [high, low].into_iter().enumerate() {
            let pieces = pieces(value);
            for i in 0..STREAMS / 2 {
                evens[i].0[part].as_flattened_mut().as_chunks_mut().0[place] = pieces[2 * i];
                odds[i].0[part].as_flattened_mut().as_chunks_mut().0[place] = pieces[2 * i + 1];
            }
        }
    }
    any(any_low)
}

/// Makes all columns' outputs.
#[target_feature(enable = "avx2")]
pub fn outputs(columns: &Columns<'_>, path: Path, out: &mut [Channels]) {
    if columns.fine {
        pass::<true>(columns, path, out);
    } else {
        pass::<false>(columns, path, out);
    }
}

#[target_feature(enable = "avx2")]
fn pass<const FINE: bool>(columns: &Columns<'_>, mut path: Path, out: &mut [Channels]) {
    let (evens, odds) = columns.records.split_at(columns.records.len() / 2);
    let rows = columns.table.rows.as_chunks::<2>().0;
    let lanes = columns.table.plan.shape.taps / LANE;
    for out in out {
        let start = path.advance();
        let windows = if start.is_multiple_of(2) { evens } else { odds };
        let row = path.row() * lanes;
        let (Some(row), Some(window)) = (
            rows.get(row..row + lanes),
            windows.get(start / 2..start / 2 + lanes * LANE / 2),
        ) else {
            return;
        };
        let mut sums = ([every32(0); 2], [[every32(HALF); 2]; 4]);
        for (row, window) in row.iter().zip(window.as_chunks::<{ LANE / 2 }>().0) {
            let windows = window.as_chunks().0;
            sums = add_four::<FINE, 0>(sums, row, &windows[0]);
            sums = add_four::<FINE, 1>(sums, row, &windows[1]);
        }
        let (mut sums, crosses) = sums;
        for n in 0..2 {
            for crosses in crosses {
                sums[n] = add32(sums[n], right32(crosses[n], 12));
            }
            store(&mut out[n], sums[n]);
        }
    }
}

/// Sums of products of high parts, and, four ways, of those with a low part.
type Sums = ([V; 2], [[V; 2]; 4]);

/// Adds the products of eight taps.
#[inline]
#[target_feature(enable = "avx2")]
fn add_four<const FINE: bool, const EIGHT: usize>(
    (mut sums, mut crosses): Sums,
    row: &[Sixteen; 2],
    window: &[Record; 4],
) -> Sums {
    for i in 0..4 {
        let a = spread(&row[0].0.as_chunks::<2>().0[4 * EIGHT + i]);
        let b = spread(&row[1].0.as_chunks::<2>().0[4 * EIGHT + i]);
        let Record([highs, lows]) = &window[i];
        for n in 0..2 {
            let high = load(&highs[n]);
            sums[n] = add_madd16(sums[n], high, a);
            crosses[i][n] = add_madd16(crosses[i][n], high, b);
            if FINE {
                crosses[i][n] = add_madd16(crosses[i][n], load(&lows[n]), a);
            }
        }
    }
    (sums, crosses)
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
