//! What the mixer makes of formats that the card does not take, and how it finishes.

use super::*;
use hound::{SampleFormat, WavSpec, WavWriter};
use std::f64::consts::TAU;
use tests::judge::tone::Fit;

const SECONDS: f64 = 3.0;

/// Hertz of each tone; all are at -12 dBFS.
const FLOAT: f64 = 440.0;
const OCTETS: f64 = 1_000.0;
const EIGHT: f64 = 1_703.0;

fn tone(rate: u32, channels: u16, frequency: f64) -> Tone {
    Tone {
        rate,
        channels,
        frequency,
        amplitude: 0.25,
        seconds: SECONDS,
    }
}

/// A tone in floating point, stereo, at 44.1 kHz.
fn write_float(path: &Path) {
    let spec = WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let mut writer = WavWriter::create(path, spec).expect("the material is written");
    for frame in 0..(SECONDS * 44_100.0) as u32 {
        let angle = TAU * FLOAT * f64::from(frame) / 44_100.0;
        let sample = (0.25 * angle.sin()) as f32;
        for _ in 0..2 {
            writer
                .write_sample(sample)
                .expect("the material is written");
        }
    }
    writer.finalize().expect("the material is written");
}

#[test]
fn floating_point_octets_and_eight_channels_are_heard_as_they_are_meant() {
    let dir = material("formats");
    let [float, octets, eight] =
        ["float", "octets", "eight"].map(|name| dir.join(format!("{name}.wav")));
    write_float(&float);
    tone(22_050, 1, OCTETS)
        .write(&octets, 8)
        .expect("the material is written");
    tone(48_000, 8, EIGHT)
        .write(&eight, 16)
        .expect("the material is written");
    let script = include_str!("../../scripts/formats.sh");
    let (outcome, recording) = run(script, &[&float, &octets, &eight]);
    // Octets hold 50 dB of a full-scale sine, so 38 of this one.
    for (name, frequency, snr) in [
        ("float, 44.1 kHz, 2 channels", FLOAT, 80.0),
        ("u8, 22.05 kHz, 1 channel", OCTETS, 36.0),
        ("s16, 48 kHz, 8 channels", EIGHT, 80.0),
    ] {
        let expected = Expected {
            frequency,
            amplitude: 0.25,
        };
        for channel in 0..2 {
            let heard = tone::judge(&recording.channel(channel), &[expected])
                .unwrap_or_else(|| panic!("{name} is not heard\n{outcome}"));
            let verdict = &heard.tones[0];
            println!(
                "{name}, channel {channel}: {:.2} dBFS, SNR {:.1} dB, {:.2} s",
                verdict.level_db,
                verdict.snr_db,
                heard.seconds()
            );
            assert_eq!(verdict.pieces, 1, "{name}: {heard:?}");
            assert!(heard.seconds() > SECONDS - 0.1, "{name}: {heard:?}");
            assert!((verdict.level_db + 12.04).abs() < 0.1, "{name}: {heard:?}");
            assert!(verdict.snr_db > snr, "{name}: {heard:?}");
        }
    }
}

#[test]
fn dither_keeps_what_is_below_the_last_bit_and_the_limiter_what_is_near_full_scale() {
    const FAINT: f64 = 0.4;
    let dir = material("finish");
    let [faint, loud] = ["faint", "loud"].map(|name| dir.join(format!("{name}.wav")));
    let write = |path: &Path, frequency, amplitude| {
        let tone = Tone {
            amplitude,
            ..tone(48_000, 2, frequency)
        };
        tone.write(path, 32).expect("the material is written");
    };
    write(&faint, OCTETS, FAINT / 32_768.0);
    write(&loud, FLOAT, 0.999);
    let script = include_str!("../../scripts/finish.sh");
    let (outcome, recording) = run(script, &[&faint, &loud]);

    let peak = |frames: &[Frame]| frames.iter().flatten().map(|s| s.unsigned_abs()).max();
    let start = recording.frames.iter().position(|frame| *frame != [0; 2]);
    let start = start.unwrap_or_else(|| panic!("nothing is heard\n{outcome}"));
    // Rounded to the nearest, a tone below half a step is silence.
    let frames = (2.5 * f64::from(RATE)) as usize;
    let quiet = &recording.channel(0)[start..start + frames];
    let fit = Fit::new(quiet, &[OCTETS]);
    let steps = |value: f64| value * 32_768.0;
    let (amplitude, noise) = (steps(fit.tones[0].amplitude), steps(fit.residual_rms));
    println!("a tone of {FAINT} steps: {amplitude:.3} of them in noise of {noise:.3}");
    assert!((amplitude - FAINT).abs() < 0.02, "{amplitude}\n{outcome}");
    // A triangle of two steps and the rounding together: half a step.
    assert!((noise - 0.5).abs() < 0.02, "{noise}\n{outcome}");

    let highest = peak(&recording.frames).unwrap_or_default();
    println!("a tone of {:.0} steps: {highest} at most", 0.999 * 32_768.0);
    assert!((29_000..32_700).contains(&highest), "{highest}\n{outcome}");
}
