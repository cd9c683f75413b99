//! What every tier computes, in plain integers: the specification of the fast ones.

use super::kernel::{Direct, Fir, Sink, accumulator_slot};
use super::path::Cursor;
use super::table::{LANE, change};
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
pub fn fir(fir: &Fir<'_>, cursor: &Cursor, frames: usize, out: &mut [i32]) {
    let plan = fir.table.plan;
    let mut path = cursor.path(&plan);
    for frame in 0..frames {
        let start = path.advance();
        let (row, rest) = if plan.between {
            path.nearest()
        } else {
            (path.row(), 0)
        };
        for channel in 0..fir.streams * fir.channels {
            let place = fir.place(channel) + frame * fir.channels;
            let Some(sample) = out.get_mut(place) else {
                continue;
            };
            *sample = 0;
            for from in (0..plan.shape.taps).step_by(BLOCK) {
                let taps = from..(from + BLOCK).min(plan.shape.taps);
                *sample += block(fir, channel, start, row, rest, taps);
            }
        }
    }
}

/// Taps whose partial sums stay within 32 bits.
pub const BLOCK: usize = 7 * LANE;

/// What some taps are, `start` frames after the history's first, `rest` past `row`.
///
/// Products of low halves are left out: all that the others are cut to is larger. Cross products
/// are summed four ways, and each sum is rounded to what the products of high halves have; those
/// of slopes are summed eight ways.
fn block(
    fir: &Fir<'_>,
    channel: usize,
    start: usize,
    row: usize,
    rest: i16,
    taps: Range<usize>,
) -> i32 {
    let planes = 2 * channel * fir.stride;
    let (high, low) = (planes + start, planes + fir.stride + start);
    let (mut sum, mut crosses, mut slopes) = (0_i32, [2_048_i32; 4], [0_i32; 8]);
    for tap in taps {
        let samples = (fir.samples.get(high + tap), fir.samples.get(low + tap));
        let (Some(&h), Some(&l)) = samples else {
            continue;
        };
        let [a, b, slope, bend] = fir.table.tap(row, tap).map(i32::from);
        let (h, l) = (i32::from(h), i32::from(l));
        sum += h * a;
        // On the way to the output it changes.
        let slope = slope + ((bend * i32::from(rest >> 4)) >> 16);
        if let (Some(cross), Some(sum)) =
            (crosses.get_mut(tap / 2 % 4), slopes.get_mut(tap / 2 % 8))
        {
            *cross += h * b + l * a;
            *sum += h * slope;
        }
    }
    sum += crosses.iter().map(|cross| cross >> 12).sum::<i32>();
    sum + change(slopes.iter().map(|slope| slope >> 3).sum(), rest)
}
