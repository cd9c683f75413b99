//! What every tier computes, in plain integers: the specification of the fast ones.

use super::kernel::{Direct, Fir, Sink, accumulator_slot};
use super::resample::Cursor;
use super::table::Plan;
use core::ops::Range;

/// Sums from sample `from` on: exact, rounded once, to nearest, and saturated.
pub fn mix(
    direct: &[Direct<'_>],
    gathered: Option<&[i64]>,
    sink: Sink,
    from: usize,
    out: &mut [u8],
) {
    let octets = sink.octets();
    for (sample, out) in out.chunks_exact_mut(octets).enumerate().skip(from) {
        let mut sum = gathered
            .and_then(|sums| sums.get(accumulator_slot(sample)))
            .copied()
            .unwrap_or(0);
        for source in direct {
            sum += source.sample(sample) * i64::from(source.gain(sample));
        }
        let value = sink.round(sum).to_le_bytes();
        out.copy_from_slice(value.split_at(4 - octets).1);
    }
}

/// Adds samples from sample `from` on, times a gain per channel, to the sums.
pub fn gather(samples: &[i32], gains: &[i32; 8], channels: usize, from: usize, sums: &mut [i64]) {
    for (index, &sample) in samples.iter().enumerate().skip(from) {
        let gain = gains.get(index % channels.max(1)).copied().unwrap_or(0);
        if let Some(sum) = sums.get_mut(accumulator_slot(index)) {
            *sum += i64::from(sample) * i64::from(gain);
        }
    }
}

/// Makes `frames` frames of each stream's interleaved outputs, in units of 2^-29.
pub fn fir(fir: &Fir<'_>, cursor: &mut Cursor, frames: usize, out: &mut [i32]) {
    let Plan {
        shape,
        rows,
        between,
    } = fir.table.plan;
    let mut start = 0;
    for frame in 0..frames {
        start += cursor.advance();
        let (row, rest) = if between {
            cursor.nearest(rows)
        } else {
            (cursor.row(), 0)
        };
        for channel in 0..fir.streams * fir.channels {
            let place = fir.place(channel) + frame * fir.channels;
            let Some(sample) = out.get_mut(place) else {
                continue;
            };
            *sample = 0;
            for from in (0..shape.taps).step_by(BLOCK) {
                let taps = from..(from + BLOCK).min(shape.taps);
                *sample += block(fir, channel, start, row, rest, taps);
            }
        }
    }
}

/// Taps whose partial sums stay within 32 bits.
pub const BLOCK: usize = 192;

/// What some taps are, `start` frames after the history's first, at `rest` rows past `row`.
///
/// Products of low halves are left out: all that the others are cut to is larger. Cross products
/// are summed eight ways, and each sum is rounded to what the products of high halves have.
fn block(
    fir: &Fir<'_>,
    channel: usize,
    start: usize,
    row: usize,
    rest: i64,
    taps: Range<usize>,
) -> i32 {
    let planes = 2 * channel * fir.stride;
    let (high, low) = (planes + start, planes + fir.stride + start);
    let (mut sum, mut crosses) = (0_i32, [2_048_i32; 8]);
    let (mut slopes, mut bends) = ([0_i32; 8], [0_i32; 8]);
    for tap in taps {
        let samples = (fir.samples.get(high + tap), fir.samples.get(low + tap));
        let (Some(&h), Some(&l)) = samples else {
            continue;
        };
        let [a, b, slope, bend] = fir.table.tap(row, tap).map(i32::from);
        let (h, l) = (i32::from(h), i32::from(l));
        sum += h * a;
        let lane = (tap >> 1) & 7;
        let sums = [&mut crosses, &mut slopes, &mut bends];
        for (sums, product) in sums.into_iter().zip([h * b + l * a, h * slope, h * bend]) {
            if let Some(sum) = sums.get_mut(lane) {
                *sum += product;
            }
        }
    }
    let eighths = |sums: [i32; 8]| sums.iter().map(|sum| sum >> 3).sum();
    sum += crosses.iter().map(|cross| cross >> 12).sum::<i32>();
    if fir.table.plan.between {
        sum += fir.table.change(eighths(slopes), eighths(bends), rest);
    }
    sum
}
