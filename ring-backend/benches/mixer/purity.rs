//! How clean other engines' resampling is, so that none looks fast for doing less.

use crate::peers::Convert;
use ring_backend::format::SampleFormat;
use ring_backend::mix::{Input, Mixer, Quality, StreamSpec, Tier, Voice};
use ring_backend::world::{CardFormat, CardSample};
use std::f64::consts::TAU;

/// Output frames that are left out at first, those that are looked at, and those of a call.
const SKIPPED: usize = 24_000;
const LOOKED_AT: usize = 9_600;
const CALL: usize = 480;

/// The least of the ratios of a tone to all else that becomes of it, of some tones up to a part `highest`
/// of the input's rate; `None` where the engine makes nothing of them. `step` is how many frames of
/// input an output is after the one before.
pub fn worst_db(engine: &mut Convert, step: f64, highest: f64) -> Option<f64> {
    let mut worst = f64::INFINITY;
    for part in [0.05, 0.5, 0.8, 0.9, 1.0] {
        worst = worst.min(ratio_db(engine, step, TAU * part * highest)?);
    }
    Some(worst)
}

fn ratio_db(engine: &mut Convert, step: f64, turn: f64) -> Option<f64> {
    let wanted = SKIPPED + LOOKED_AT;
    let frames = ((wanted + 16 * CALL) as f64 * step) as usize;
    let input: Vec<f32> = (0..frames)
        .map(|frame| (0.7 * (turn * frame as f64).sin()) as f32)
        .flat_map(|sample| [sample; 2])
        .collect();
    let (mut at, mut heard) = (0, Vec::new());
    while heard.len() < wanted {
        let mut out = [0.0; 2 * CALL];
        let rest = input.get(2 * at..).filter(|rest| rest.len() >= 4 * CALL)?;
        let (taken, made) = engine(rest, &mut out);
        if taken + made == 0 {
            return None;
        }
        at += taken;
        heard.extend(out.chunks(2).take(made).map(|frame| f64::from(frame[0])));
    }
    let heard = &heard[SKIPPED..wanted];
    Some(rest_db(heard, turn * step))
}

/// The ratio of a sine wave of so many radians a frame, found by least squares, to what is left.
fn rest_db(samples: &[f64], turn: f64) -> f64 {
    let basis = |frame: usize| {
        let (sine, cosine) = (turn * frame as f64).sin_cos();
        [sine, cosine]
    };
    let (mut squares, mut products) = ([[0.0; 2]; 2], [0.0; 2]);
    for (frame, sample) in samples.iter().enumerate() {
        let waves = basis(frame);
        for i in 0..2 {
            products[i] += waves[i] * sample;
            for j in 0..2 {
                squares[i][j] += waves[i] * waves[j];
            }
        }
    }
    let [[a, b], [c, d]] = squares;
    let of = a * d - b * c;
    let fit = [
        (products[0] * d - products[1] * b) / of,
        (products[1] * a - products[0] * c) / of,
    ];
    let (mut tone, mut rest) = (0.0, 0.0);
    for (frame, sample) in samples.iter().enumerate() {
        let [sine, cosine] = basis(frame);
        let value = fit[0] * sine + fit[1] * cosine;
        tone += value * value;
        rest += (sample - value) * (sample - value);
    }
    10.0 * (tone / rest).log10()
}

/// This crate's engine as those, and its step.
pub fn ours(rates: (u32, u32), quality: Quality, drift: Option<i32>, tier: Tier) -> (Convert, f64) {
    let card = CardFormat {
        rate: rates.1,
        channels: 2,
        sample: CardSample::S32 { bits: 32 },
    };
    let spec = StreamSpec {
        format: SampleFormat::F32Le,
        rate: rates.0,
        channels: 2,
    };
    let mut mixer = Mixer::with_tier(card, tier);
    let mut voice = Voice::new();
    voice.set_quality(quality);
    voice.set_drift(drift);
    voice.configure(spec, card).expect("plain PCM");
    while !mixer.prepare(&voice) {}
    let engine = move |input: &[f32], out: &mut [f32]| {
        let frames = out.len() / 2;
        let taken = voice.source_frames_for(frames);
        let octets: Vec<u8> = input
            .iter()
            .take(2 * taken)
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        let mut made = vec![0; frames * card.frame_octets()];
        let input = Input {
            voice: &mut voice,
            first: &octets,
            second: &[],
        };
        mixer.render(&mut [input], frames, &mut made);
        for (out, octets) in out.iter_mut().zip(made.as_chunks().0) {
            *out = (f64::from(i32::from_le_bytes(*octets)) / 2.0_f64.powi(31)) as f32;
        }
        (taken, frames)
    };
    let drift = f64::from(drift.unwrap_or(0)) / 2.0_f64.powi(32);
    let step = f64::from(rates.0) / f64::from(rates.1) * (1.0 + drift);
    (Box::new(engine), step)
}
