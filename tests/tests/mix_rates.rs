//! Rates: all of them at once, as good as promised, and following a clock that moves.

use ring_backend::format::SampleFormat as F;
use ring_backend::mix::{Input, Mixer, Quality, StreamSpec, Voice};
use ring_backend::world::{CardFormat, CardSample};
use std::f64::consts::TAU;
use tests::judge::resampling::{Case, measure};

const RATES: [u32; 12] = [
    5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 64_000, 96_000, 176_400, 192_000,
];

fn card(rate: u32) -> CardFormat {
    CardFormat {
        rate,
        channels: 2,
        sample: CardSample::S32 { bits: 32 },
    }
}

fn open(format: F, rate: u32, drift: Option<i32>, card: CardFormat) -> Voice {
    let mut voice = Voice::new();
    voice.set_drift(drift);
    let spec = StreamSpec {
        format,
        rate,
        channels: 2,
    };
    voice.configure(spec, card).expect("a plain stream");
    voice
}

/// Renders a constant from all voices for long enough to fill every table on the way; returns the
/// last sample.
fn constant(mixer: &mut Mixer, voices: &mut [Voice], blocks: usize) -> i32 {
    let ring: Vec<u8> = [0_u8, 8, 0, 8].repeat(2_000);
    let mut out = vec![0; 48 * 8];
    for _ in 0..blocks {
        let mut inputs: Vec<Input<'_>> = voices
            .iter_mut()
            .map(|voice| {
                let octets = voice.source_frames_for(48) * 4;
                Input {
                    voice,
                    first: &ring[..octets],
                    second: &[],
                }
            })
            .collect();
        mixer.render(&mut inputs, 48, &mut out);
    }
    i32::from_le_bytes(out[out.len() - 4..].try_into().unwrap())
}

const LEVEL: i32 = 0x0800_0000;

#[test]
fn every_rate_of_the_protocol_sounds_at_once_on_every_usual_card() {
    for rate in [32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000] {
        let card = card(rate);
        let mut mixer = Mixer::new(card);
        let mut voices: Vec<Voice> = RATES.map(|rate| open(F::S16Le, rate, None, card)).into();
        for (voice, from) in voices.iter_mut().zip(RATES) {
            assert!(mixer.hold(voice), "{from} on {rate}");
        }
        let last = constant(&mut mixer, &mut voices, 700);
        let sum = LEVEL * RATES.len() as i32;
        let error = (last - sum).abs();
        assert!(error < 64 * RATES.len() as i32, "{rate}: {error}");
        for voice in &voices {
            assert!(mixer.prepare(voice));
        }
    }
}

#[test]
fn too_many_odd_rates_are_told_and_disturb_nobody() {
    for rate in [44_100, 48_000] {
        crowd(card(rate));
    }
}

fn crowd(card: CardFormat) {
    let mut mixer = Mixer::new(card);
    let mut held = Vec::new();
    let mut refused = None;
    for rate in (0..60).map(|step| 50_021 + 1_013 * step) {
        let mut voice = open(F::S16Le, rate, None, card);
        if mixer.hold(&mut voice) {
            held.push(voice);
        } else {
            refused = Some(voice);
            break;
        }
    }
    let mut refused = refused.expect("memory is finite");
    assert!(!held.is_empty());
    // Nor do they keep usual ones out, whatever those are.
    for rate in RATES {
        let mut voice = open(F::S16Le, rate, None, card);
        assert!(mixer.hold(&mut voice), "{rate} on {}", card.rate);
        held.push(voice);
    }
    let count = held.len() as i32;
    let last = constant(&mut mixer, &mut held, 900);
    assert!((last - LEVEL * count).abs() < 64 * count, "{last}");
    // A place that is given back is another's.
    for voice in &mut held {
        mixer.release(voice);
    }
    constant(&mut mixer, &mut [], 2);
    assert!(mixer.hold(&mut refused));
    let last = constant(&mut mixer, std::slice::from_mut(&mut refused), 900);
    // That is a light filter. Sixteen coefficients at its ends have 21 bits, and between rows what
    // they change by is cut: half a unit each, 108 dB below the level.
    assert!((last - LEVEL).abs() < 640, "{last}");
}

#[test]
fn a_clock_that_moves_is_followed_without_a_step() {
    let card = card(48_000);
    let mut mixer = Mixer::new(card);
    let mut voice = open(F::S32Le, 44_100, Some(0), card);
    while !mixer.prepare(&voice) {}
    let (mut at, mut out) = (0_usize, Vec::new());
    for block in 0..2_000 {
        // Within 1,000 ppm up and down, a little every millisecond.
        let ppm = (f64::from(block) / 200.0).sin() * 1_000.0;
        voice.set_drift(Some((ppm * 4_294.967) as i32));
        let frames = voice.source_frames_for(48);
        let octets: Vec<u8> = (at..at + frames)
            .flat_map(|frame| {
                let phase = TAU * 300.0 * frame as f64 / 44_100.0;
                let sample = (phase.sin() * 0.9 * 2_147_483_647.0) as i32;
                [sample.to_le_bytes(), sample.to_le_bytes()].concat()
            })
            .collect();
        at += frames;
        let mut block = vec![0; 48 * 8];
        let input = Input {
            voice: &mut voice,
            first: &octets,
            second: &[],
        };
        mixer.render(&mut [input], 48, &mut block);
        out.extend(block.as_chunks().0.iter().map(|&x| i32::from_le_bytes(x)));
    }
    let left: Vec<f64> = out
        .chunks(2)
        .skip(200)
        .map(|frame| f64::from(frame[0]) / 2_147_483_648.0)
        .collect();
    // A click stands out of the fourth difference, which a slow tone hardly has.
    let tone = 0.9 * (2.0 * (TAU * 301.0 / 48_000.0 / 2.0).sin()).powi(4);
    let fourth = |w: &[f64]| (w[0] - 4.0 * w[1] + 6.0 * w[2] - 4.0 * w[3] + w[4]).abs();
    let sharpest = left.windows(5).map(fourth).fold(0.0, f64::max);
    assert!(sharpest < tone + 1.2e-5, "{sharpest} over {tone}");
}

/// The promises of [`Quality`], by tones of -3 dBFS.
#[test]
fn tones_come_through_as_well_as_promised() {
    let case = |from, to, quality, drift_ppm| Case {
        from,
        to,
        quality,
        drift_ppm,
        format: F::S32Le,
    };
    let tones = [997.0, 9_970.0, 17_990.0, 19_970.0];
    for (from, to) in [(44_100, 48_000), (48_000, 44_100)] {
        for tone in tones {
            let heard = measure(&case(from, to, Quality::Best, None), tone);
            assert!(heard.snr_db >= 140.0, "{from} {to} {tone}: {heard:?}");
            assert!(heard.gain_db.abs() < 0.1, "{from} {to} {tone}: {heard:?}");
        }
        for tone in &tones[..3] {
            let heard = measure(&case(from, to, Quality::Light, None), *tone);
            assert!(heard.snr_db >= 100.0, "{from} {to} {tone}: {heard:?}");
            let heard = measure(&case(from, to, Quality::Best, Some(100.0)), *tone);
            assert!(
                heard.snr_db >= 130.0,
                "{from} {to} {tone} slewed: {heard:?}"
            );
        }
    }
    for tone in [22_500.0, 23_500.0] {
        let heard = measure(&case(48_000, 44_100, Quality::Best, None), tone);
        assert!(heard.rest_db <= -125.0, "{tone}: {heard:?}");
    }
}
