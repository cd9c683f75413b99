//! 32-bit integers as samples of every playable format: what a capturing guest reads.
//!
//! One unit is 2^-31 of full scale. Shorter formats are rounded to nearest and saturated, the
//! companded ones by their own decision levels.

use super::law;
use crate::format::SampleFormat as F;

/// Encodes as many whole samples as both sides hold. Formats without samples become zeros.
pub fn encode(format: F, samples: &[i32], octets: &mut [u8]) {
    match format {
        F::S8 => each(samples, octets, |s| [top::<8>(s) as u8]),
        F::U8 => each(samples, octets, |s| [top::<8>(s) as u8 ^ 0x80]),
        F::S16Le => each(samples, octets, |s| (top::<16>(s) as i16).to_le_bytes()),
        F::S16Be => each(samples, octets, |s| (top::<16>(s) as i16).to_be_bytes()),
        F::U16Le => each(samples, octets, |s| {
            (top::<16>(s) as u16 ^ 0x8000).to_le_bytes()
        }),
        F::U16Be => each(samples, octets, |s| {
            (top::<16>(s) as u16 ^ 0x8000).to_be_bytes()
        }),
        F::S24Le => each(samples, octets, |s| top::<24>(s).to_le_bytes()),
        F::S24Be => each(samples, octets, |s| top::<24>(s).to_be_bytes()),
        F::U24Le => each(samples, octets, |s| {
            (top::<24>(s) + 0x80_0000).to_le_bytes()
        }),
        F::U24Be => each(samples, octets, |s| {
            (top::<24>(s) + 0x80_0000).to_be_bytes()
        }),
        F::S32Le => each(samples, octets, i32::to_le_bytes),
        F::S32Be => each(samples, octets, i32::to_be_bytes),
        F::U32Le => each(samples, octets, |s| (s ^ i32::MIN).to_le_bytes()),
        F::U32Be => each(samples, octets, |s| (s ^ i32::MIN).to_be_bytes()),
        F::F32Le => each(samples, octets, |s| float(s).to_le_bytes()),
        F::F32Be => each(samples, octets, |s| float(s).to_be_bytes()),
        F::F64Le => each(samples, octets, |s| double(s).to_le_bytes()),
        F::F64Be => each(samples, octets, |s| double(s).to_be_bytes()),
        F::MuLaw => each(samples, octets, |s| [law::linear_to_mu(s)]),
        F::ALaw => each(samples, octets, |s| [law::linear_to_a(s)]),
        F::Iec958Le | F::Iec958Be | F::ImaAdpcm | F::Mpeg | F::Gsm => octets.fill(0),
    }
}

#[inline]
fn each<const N: usize>(samples: &[i32], octets: &mut [u8], convert: impl Fn(i32) -> [u8; N]) {
    let (chunks, _) = octets.as_chunks_mut::<N>();
    for (chunk, &sample) in chunks.iter_mut().zip(samples) {
        *chunk = convert(sample);
    }
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
