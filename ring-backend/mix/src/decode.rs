//! Samples of every playable format, as 32-bit integers.
//!
//! One unit is 2^-31 of full scale throughout. Floating point is taken apart as bits: nothing
//! here depends on a floating-point unit or its rounding mode.

use super::law;
use crate::format::SampleFormat as F;

/// Decodes as many whole samples as both sides hold. Formats without samples decode to silence.
pub fn decode(format: F, octets: &[u8], samples: &mut [i32]) {
    match format {
        F::S8 => each(octets, samples, |[a]| word([0, 0, 0, a])),
        F::U8 => each(octets, samples, |[a]| word([0, 0, 0, a ^ 0x80])),
        F::S16Le => each(octets, samples, |[a, b]| word([0, 0, a, b])),
        F::S16Be => each(octets, samples, |[b, a]| word([0, 0, a, b])),
        F::U16Le => each(octets, samples, |[a, b]| word([0, 0, a, b ^ 0x80])),
        F::U16Be => each(octets, samples, |[b, a]| word([0, 0, a, b ^ 0x80])),
        F::S24Le => each(octets, samples, |[a, b, c, _]| word([0, a, b, c])),
        F::S24Be => each(octets, samples, |[_, c, b, a]| word([0, a, b, c])),
        F::U24Le => each(octets, samples, |[a, b, c, _]| word([0, a, b, c ^ 0x80])),
        F::U24Be => each(octets, samples, |[_, c, b, a]| word([0, a, b, c ^ 0x80])),
        F::S32Le => each(octets, samples, i32::from_le_bytes),
        F::S32Be => each(octets, samples, i32::from_be_bytes),
        F::U32Le => each(octets, samples, |[a, b, c, d]| word([a, b, c, d ^ 0x80])),
        F::U32Be => each(octets, samples, |[d, c, b, a]| word([a, b, c, d ^ 0x80])),
        F::F32Le => each(octets, samples, |x| float(u32::from_le_bytes(x))),
        F::F32Be => each(octets, samples, |x| float(u32::from_be_bytes(x))),
        F::F64Le => each(octets, samples, |x| double(u64::from_le_bytes(x))),
        F::F64Be => each(octets, samples, |x| double(u64::from_be_bytes(x))),
        F::MuLaw => each(octets, samples, |[a]| law::mu_to_linear(a)),
        F::ALaw => each(octets, samples, |[a]| law::a_to_linear(a)),
        F::Iec958Le | F::Iec958Be | F::ImaAdpcm | F::Mpeg | F::Gsm => samples.fill(0),
    }
}

const fn word(octets: [u8; 4]) -> i32 {
    i32::from_le_bytes(octets)
}

#[inline]
fn each<const N: usize>(octets: &[u8], samples: &mut [i32], convert: impl Fn([u8; N]) -> i32) {
    let (chunks, _) = octets.as_chunks::<N>();
    for (sample, &chunk) in samples.iter_mut().zip(chunks) {
        *sample = convert(chunk);
    }
}

/// An IEEE 754 binary32 at full scale 1.0: rounded to nearest, half away from zero; beyond full
/// scale and infinite it saturates; not a number is silence.
#[must_use]
pub const fn float(bits: u32) -> i32 {
    let exponent = (bits >> 23) & 0xFF;
    let mantissa = (bits & 0x7F_FFFF) | 0x80_0000;
    let negative = bits >> 31 != 0;
    // The value is mantissa * 2^(exponent - 119) units.
    let magnitude = match exponent {
        0xFF if bits & 0x7F_FFFF != 0 => 0,
        127.. => 1 << 31,
        119.. => mantissa << (exponent - 119),
        95.. => (mantissa + (1 << (118 - exponent))) >> (119 - exponent),
        _ => 0,
    };
    signed(negative, magnitude)
}

/// An IEEE 754 binary64, by the same rules.
#[must_use]
pub const fn double(bits: u64) -> i32 {
    let exponent = (bits >> 52) & 0x7FF;
    let fraction = bits & 0xF_FFFF_FFFF_FFFF;
    let mantissa = fraction | (1 << 52);
    // The value is mantissa * 2^(exponent - 1044) units.
    let magnitude = match exponent {
        0x7FF if fraction != 0 => 0,
        1023.. => 1 << 31,
        991.. => ((mantissa + (1 << (1043 - exponent))) >> (1044 - exponent)) as u32,
        _ => 0,
    };
    signed(bits >> 63 != 0, magnitude)
}

const fn signed(negative: bool, magnitude: u32) -> i32 {
    if negative {
        // -2^31 is its own negation.
        (magnitude as i32).wrapping_neg()
    } else if magnitude > i32::MAX as u32 {
        i32::MAX
    } else {
        magnitude as i32
    }
}
