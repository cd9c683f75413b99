//! What every tier computes, in plain integers: the specification of the fast ones.

use super::kernel::{Direct, Fir, Sink, accumulator_slot};
use super::resample::Cursor;

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

/// Computes interleaved outputs, in units of 2^-29.
pub fn fir(fir: &Fir<'_>, cursor: &mut Cursor, out: &mut [i32]) {
    let mut start = 0;
    for frame in out.chunks_exact_mut(fir.channels) {
        start += cursor.advance();
        let (row, rest) = fir.phase(cursor);
        for (channel, sample) in frame.iter_mut().enumerate() {
            let Some((high, low)) = fir.window(channel, start) else {
                continue;
            };
            let mut value = dot(high, low, row.high, row.low);
            if fir.table.plan.between {
                let slope = partial_sums(high, row.slope);
                let bend = partial_sums(high, row.bend);
                value = fir.between(value, slope, bend, rest);
            }
            *sample = value;
        }
    }
}

/// Taps whose partial sums stay within 32 bits.
pub const BLOCK: usize = 192;

fn dot(high: &[i16], low: &[i16], row_high: &[i16], row_low: &[i16]) -> i32 {
    let (mut sum, mut rest) = (0_i32, 0_i32);
    let blocks = high.chunks(BLOCK).zip(low.chunks(BLOCK));
    let rows = row_high.chunks(BLOCK).zip(row_low.chunks(BLOCK));
    for ((high, low), (row_high, row_low)) in blocks.zip(rows) {
        let mut cross = [0_i32; 8];
        let samples = high.iter().zip(low);
        let coefficients = row_high.iter().zip(row_low);
        for (tap, ((&h, &l), (&a, &b))) in samples.zip(coefficients).enumerate() {
            let (h, l, a, b) = (i32::from(h), i32::from(l), i32::from(a), i32::from(b));
            sum += h * a;
            if let Some(cross) = cross.get_mut((tap >> 1) & 7) {
                *cross += h * b + l * a;
            }
        }
        rest += cross.iter().map(|cross| cross >> 4).sum::<i32>();
    }
    sum + ((rest + 128) >> 8)
}

fn partial_sums(high: &[i16], row: &[i16]) -> i32 {
    let mut sums = [0_i32; 8];
    for (tap, (&h, &a)) in high.iter().zip(row).enumerate() {
        if let Some(sum) = sums.get_mut((tap >> 1) & 7) {
            *sum += i32::from(h) * i32::from(a);
        }
    }
    sums.iter().map(|sum| sum >> 3).sum()
}
