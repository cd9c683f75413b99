//! 32-bit integers as samples of every playable format: what a capturing guest reads.
//!
//! One unit is 2^-31 of full scale. Shorter formats are rounded to nearest and saturated, the
//! companded ones by their own decision levels.

use super::law;
use crate::format::SampleFormat as F;

/// Encodes as many whole samples as both sides hold. Formats without samples become zeros.
///
/// One loop for all: what records is a stream or two, and a loop each would be a tenth of the
/// mixer's code.
pub fn encode(format: F, samples: &[i32], octets: &mut [u8]) {
    let size = format.octets().unwrap_or(0);
    if !format.playable() || size == 0 {
        octets.fill(0);
        return;
    }
    for (chunk, &sample) in octets.chunks_exact_mut(size).zip(samples) {
        let word = word(format, sample).to_le_bytes();
        for (octet, bits) in chunk.iter_mut().zip(word) {
            *octet = bits;
        }
        if matches!(
            format,
            F::S16Be | F::U16Be | F::S24Be | F::U24Be | F::S32Be | F::U32Be | F::F32Be | F::F64Be
        ) {
            chunk.reverse();
        }
    }
}

/// The bits of one sample, from the lowest on.
#[inline(never)]
const fn word(format: F, sample: i32) -> u64 {
    let bits = match format {
        F::S8 => top::<8>(sample),
        F::U8 => top::<8>(sample) ^ 0x80,
        F::S16Le | F::S16Be => top::<16>(sample),
        F::U16Le | F::U16Be => top::<16>(sample) ^ 0x8000,
        F::S24Le | F::S24Be => top::<24>(sample),
        F::U24Le | F::U24Be => top::<24>(sample) + 0x80_0000,
        F::S32Le | F::S32Be => sample,
        F::U32Le | F::U32Be => sample ^ i32::MIN,
        F::F32Le | F::F32Be => float(sample) as i32,
        F::F64Le | F::F64Be => return double(sample),
        F::MuLaw => law::linear_to_mu(sample) as i32,
        F::ALaw => law::linear_to_a(sample) as i32,
        F::Iec958Le | F::Iec958Be | F::ImaAdpcm | F::Mpeg | F::Gsm => 0,
    };
    bits as u64
}

/// The top `BITS` bits, rounded to nearest; saturated, as rounding can leave the range upwards.
const fn top<const BITS: u32>(sample: i32) -> i32 {
    sample.saturating_add(1 << (31 - BITS)) >> (32 - BITS)
}

/// The nearest IEEE 754 binary32 at full scale 1.0, ties to even.
#[must_use]
pub const fn float(sample: i32) -> u32 {
    let magnitude = sample.unsigned_abs();
    if magnitude == 0 {
        return 0;
    }
    let top = magnitude.ilog2();
    let sign = (sample as u32) & 0x8000_0000;
    // A mantissa that rounds up to 2^24 carries into the exponent, which is then right as well.
    let mantissa = if top <= 23 {
        magnitude << (23 - top)
    } else {
        let cut = top - 23;
        let even = (magnitude >> cut) & 1;
        (magnitude + (1 << (cut - 1)) - 1 + even) >> cut
    };
    sign | (((top + 95) << 23) + mantissa)
}

/// The IEEE 754 binary64 at full scale 1.0; exact.
#[must_use]
pub const fn double(sample: i32) -> u64 {
    let magnitude = sample.unsigned_abs() as u64;
    if magnitude == 0 {
        return 0;
    }
    let top = magnitude.ilog2();
    let sign = ((sample < 0) as u64) << 63;
    sign | ((((top + 991) as u64) << 52) + (magnitude << (52 - top)))
}
