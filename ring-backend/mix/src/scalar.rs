//! What every tier computes, in plain integers: the specification of the fast ones.

use super::kernel::{Direct, Fir, Sink, accumulator_slot};
use super::path::Cursor;
use super::table::{EDGE, LANE, change};
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
#[cold]
#[inline(never)]
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
            for from in (0..plan.middle()).step_by(BLOCK) {
                let lanes = from..(from + BLOCK).min(plan.middle());
                *sample += block(fir, channel, start, row, rest, lanes);
            }
        }
    }
}

/// Lanes whose partial sums stay within 32 bits.
pub const BLOCK: usize = 7;

/// What some lanes of taps are, `start` frames after the history's first, `rest` past `row`; with
/// the first lane, the taps of both ends.
///
/// Products of low halves are left out: all that the others are cut to is larger. Cross products
/// are summed four ways, and those of the ends to them; each sum is rounded to what the products of
/// high halves have. Steep slopes' products are summed eight ways; others change coefficients.
#[inline(never)]
fn block(
    fir: &Fir<'_>,
    channel: usize,
    start: usize,
    row: usize,
    rest: i16,
    lanes: Range<usize>,
) -> i32 {
    let [fine, coarse] = fir.table.plan.shape.family.shifts();
    let (taps, steep) = (fir.table.plan.shape.taps, fir.table.plan.steep());
    let planes = 2 * channel * fir.stride;
    let (high, low) = (planes + start, planes + fir.stride + start);
    let (mut sum, mut crosses, mut slopes) = (0_i32, [2_048_i32; 4], [0_i32; 8]);
    for tap in EDGE + lanes.start * LANE..EDGE + lanes.end * LANE {
        let samples = (fir.samples.get(high + tap), fir.samples.get(low + tap));
        let (Some(&h), Some(&l)) = samples else {
            continue;
        };
        let [a, b, slope, bend] = fir.table.tap(row, tap).map(i32::from);
        let (h, l) = (i32::from(h), i32::from(l));
        let rest = i32::from(rest);
        sum += h * a;
        // On the way to the output it changes.
        let (b, slope) = if steep.contains(&((tap - EDGE) / LANE)) {
            (b, slope + ((bend * (rest >> 4)) >> 16))
        } else {
            (b + (((slope + ((bend * rest) >> 16)) * rest) >> 16), 0)
        };
        if let (Some(cross), Some(sum)) = (
            crosses.get_mut(tap / 2 % 4),
            slopes.get_mut((tap - EDGE) / 2 % 8),
        ) {
            *cross += h * b + l * a;
            *sum += h * slope;
        }
    }
    crosses = crosses.map(|cross| cross >> fine);
    let ends = (0..EDGE).chain(taps - EDGE..taps);
    for tap in ends.filter(|_| lanes.start == 0) {
        let [whole, slope, ..] = fir.table.tap(row, tap).map(i32::from);
        let whole = whole + ((slope * i32::from(rest)) >> 16);
        if let (Some(&h), Some(cross)) = (fir.samples.get(high + tap), crosses.get_mut(tap / 2 % 4))
        {
            *cross += i32::from(h) * whole;
        }
    }
    sum += crosses.iter().map(|cross| cross >> coarse).sum::<i32>();
    sum + change(slopes.iter().map(|slope| slope >> 3).sum(), rest)
}
