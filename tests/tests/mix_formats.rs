//! Every sample format, both ways: exhaustive where that is possible.

use ring_backend::format::{FormatSet, SampleFormat as F};
use ring_backend::mix::decode::decode;
use ring_backend::mix::encode::encode;
use ring_backend::mix::{StreamSpec, Unsupported, Voice};
use ring_backend::world::{CardFormat, CardSample};

fn one(format: F, octets: &[u8]) -> i32 {
    let mut sample = [0];
    decode(format, octets, &mut sample);
    sample[0]
}

fn back(format: F, sample: i32) -> Vec<u8> {
    let mut octets = vec![0; format.octets().unwrap()];
    encode(format, &[sample], &mut octets);
    octets
}

#[test]
fn all_8_and_16_bit_samples_have_their_value_and_come_back() {
    for byte in 0..=u8::MAX {
        assert_eq!(one(F::S8, &[byte]), i32::from(byte as i8) << 24);
        assert_eq!(one(F::U8, &[byte]), (i32::from(byte) - 128) << 24);
        for format in [F::S8, F::U8, F::ALaw] {
            assert_eq!(back(format, one(format, &[byte])), [byte]);
        }
        // Mu-law has two zeros, and only one of them is written.
        let expected = if byte == 0x7F { 0xFF } else { byte };
        assert_eq!(back(F::MuLaw, one(F::MuLaw, &[byte])), [expected]);
    }
    for word in 0..=u16::MAX {
        let (little, big) = (word.to_le_bytes(), word.to_be_bytes());
        let (signed, unsigned) = (i32::from(word as i16), i32::from(word) - 0x8000);
        for (format, octets, value) in [
            (F::S16Le, little, signed),
            (F::S16Be, big, signed),
            (F::U16Le, little, unsigned),
            (F::U16Be, big, unsigned),
        ] {
            assert_eq!(one(format, &octets), value << 16);
            assert_eq!(back(format, value << 16), octets);
        }
    }
}

#[test]
fn the_companding_laws_have_the_values_of_g_711_and_encode_to_the_nearest() {
    assert_eq!(one(F::MuLaw, &[0x80]) >> 16, 32_124);
    assert_eq!(one(F::MuLaw, &[0x00]) >> 16, -32_124);
    assert_eq!(one(F::MuLaw, &[0xFF]), 0);
    assert_eq!(one(F::ALaw, &[0xAA]) >> 16, 32_256);
    assert_eq!(one(F::ALaw, &[0xD5]) >> 16, 8);
    for format in [F::MuLaw, F::ALaw] {
        let values: Vec<i32> = (0..=255).map(|octet| one(format, &[octet]) >> 16).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        sorted.dedup();
        for sample in i16::MIN..=i16::MAX {
            let sample = i32::from(sample);
            let code = back(format, sample << 16)[0];
            let error = (values[usize::from(code)] - sample).abs();
            // Where steps double, both laws decide as the wider step would.
            let chosen = sorted.partition_point(|&value| value < values[usize::from(code)]);
            let below = chosen.checked_sub(1).map(|at| sorted[at + 1] - sorted[at]);
            let above = sorted.get(chosen + 1).map(|next| next - sorted[chosen]);
            let step = below.max(above).unwrap();
            let clips = sample.abs() >= values.iter().copied().max().unwrap();
            assert!(
                clips || 2 * error <= step,
                "{format:?} {sample}: off by {error} in a step of {step}"
            );
        }
    }
}

#[test]
fn wide_integers_come_back_in_either_order() {
    for step in 0..200_000_u32 {
        let word = step.wrapping_mul(0x9E37_79B9);
        for format in [F::S32Le, F::S32Be, F::U32Le, F::U32Be] {
            let octets = word.to_le_bytes();
            assert_eq!(back(format, one(format, &octets)), octets);
        }
        let value = (word as i32) >> 8;
        let low = (value as u32) & 0xFF_FFFF;
        let lifted = ((value + 0x80_0000) as u32) & 0xFF_FFFF;
        for (format, octets) in [
            (F::S24Le, low.to_le_bytes()),
            (F::S24Be, low.to_be_bytes()),
            (F::U24Le, lifted.to_le_bytes()),
            (F::U24Be, lifted.to_be_bytes()),
        ] {
            assert_eq!(one(format, &octets), value << 8, "{format:?}");
            assert_eq!(one(format, &back(format, value << 8)), value << 8);
        }
    }
    // What lies above 24 bits means nothing.
    assert_eq!(one(F::S24Le, &[1, 0, 0x80, 0x55]), i32::MIN + 256);
}

#[test]
fn floats_convert_as_floating_point_arithmetic_would() {
    for step in 0..=u32::MAX / 2_053 {
        let bits = step * 2_053;
        let value = f32::from_bits(bits);
        let expected = (f64::from(value) * 2_147_483_648.0).round() as i32; // NaN becomes 0
        assert_eq!(one(F::F32Le, &bits.to_le_bytes()), expected, "{value}");
        assert_eq!(one(F::F32Be, &bits.to_be_bytes()), expected);
        let sample = bits as i32;
        let float = (f64::from(sample) / 2_147_483_648.0) as f32;
        assert_eq!(back(F::F32Le, sample), float.to_le_bytes());
    }
    let mut bits = 1_u64;
    for _ in 0..500_000 {
        bits = bits.wrapping_mul(0xD129_0D3A_5B1F_0E4D).rotate_left(23) | 1;
        // Half of them within full scale.
        let value = match bits & 2 {
            0 => f64::from_bits(bits),
            _ => f64::from_bits((bits & !(0x7FF << 52)) | ((0x3FF - (bits >> 58)) << 52)),
        };
        let expected = (value * 2_147_483_648.0).round() as i32;
        assert_eq!(one(F::F64Le, &value.to_le_bytes()), expected, "{value}");
        assert_eq!(one(F::F64Be, &value.to_be_bytes()), expected);
        let sample = bits as i32;
        let double = f64::from(sample) / 2_147_483_648.0;
        assert_eq!(back(F::F64Be, sample), double.to_be_bytes());
    }
    for harmless in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.0, 1e-45] {
        let sample = one(F::F32Le, &harmless.to_le_bytes());
        let expected = if harmless.is_infinite() { i32::MAX } else { 0 };
        assert!(
            sample == expected || sample == -expected - 1,
            "{harmless}: {sample}"
        );
    }
}

#[test]
fn silence_decodes_to_next_to_nothing_in_every_format() {
    for format in FormatSet::PLAYABLE.iter() {
        let sample = one(format, &format.silence());
        assert!(sample.unsigned_abs() <= 8 << 16, "{format:?}: {sample}");
    }
}

#[test]
fn what_has_no_samples_is_refused_by_name() {
    let card = CardFormat {
        rate: 48_000,
        channels: 2,
        sample: CardSample::S16,
    };
    for format in [F::Iec958Le, F::Iec958Be, F::ImaAdpcm, F::Mpeg, F::Gsm] {
        let spec = StreamSpec {
            format,
            rate: 48_000,
            channels: 2,
        };
        let refused = Voice::new().configure(spec, card);
        assert_eq!(refused, Err(Unsupported::Format(format)));
    }
}
