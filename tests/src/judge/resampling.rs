//! What becomes of a tone on its way through the resampler, by the mixer's public interface.

use super::recording::RATE;
use super::tone::Fit;
use ring_backend::format::SampleFormat;
use ring_backend::mix::{Input, Mixer, Quality, StreamSpec, Voice};
use ring_backend::world::{CardFormat, CardSample};
use std::f64::consts::TAU;

/// Amplitude of the tones: -3 dBFS.
pub const AMPLITUDE: f64 = 0.707_945_784;
/// Frames of the card that are judged.
const JUDGED: usize = 4_096;
/// Frames of the card per render.
const BLOCK: usize = 480;

/// One way through the resampler.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The stream's rate.
    pub from: u32,
    /// The card's rate.
    pub to: u32,
    /// How much work it may be.
    pub quality: Quality,
    /// How much faster than its rate the stream is, where the ratio may move.
    pub drift_ppm: Option<f64>,
    /// The stream's samples: 16-bit or 32-bit little-endian.
    pub format: SampleFormat,
}

/// What was heard of a tone.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Its level over what went in.
    pub gain_db: f64,
    /// Its power over all else that was heard.
    pub snr_db: f64,
    /// All that was heard over what went in.
    pub total_db: f64,
    /// All that is not the tone over what went in: images, aliases and noise.
    pub rest_db: f64,
    /// How far behind the tone comes out, in milliseconds, by the voice's own account.
    pub latency_ms: f64,
}

impl Case {
    const fn drift(&self) -> Option<i32> {
        match self.drift_ppm {
            Some(ppm) => Some((ppm * 4_294.967_296) as i32),
            None => None,
        }
    }

    /// Input frames per frame of the card.
    fn step(&self) -> f64 {
        let drift = f64::from(self.drift().unwrap_or(0)) / 4_294_967_296.0;
        f64::from(self.from) / f64::from(self.to) * (1.0 + drift)
    }
}

/// Plays what `signal` gives for each input frame on both channels; returns the left channel of
/// `frames` frames of the card from when the filter is full, and the latency that the voice tells.
///
/// # Panics
/// The case is none that the mixer takes.
#[must_use]
pub fn play(case: &Case, frames: usize, signal: impl Fn(usize) -> f64) -> (Vec<f64>, f64) {
    let card = CardFormat {
        rate: case.to,
        channels: 2,
        sample: CardSample::S32 { bits: 32 },
    };
    let spec = StreamSpec {
        format: case.format,
        rate: case.from,
        channels: 2,
    };
    let mut voice = Voice::new();
    voice.set_quality(case.quality);
    voice.set_drift(case.drift());
    voice.configure(spec, card).expect("a rate within range");
    let mut mixer = Mixer::new(card);
    while !mixer.prepare(&voice) {}
    let skipped = 2 * voice.latency_frames() as usize + BLOCK;
    let mut out = vec![0_u8; (skipped + frames) * card.frame_octets()];
    let mut at = 0;
    for block in out.chunks_mut(BLOCK * card.frame_octets()) {
        let count = block.len() / card.frame_octets();
        let need = voice.source_frames_for(count);
        let octets: Vec<u8> = (at..at + need)
            .flat_map(|frame| {
                let sample = signal(frame);
                if case.format == SampleFormat::S16Le {
                    let sample = (sample * 32_767.0).round() as i16;
                    [sample, sample].map(i16::to_le_bytes).concat()
                } else {
                    let sample = (sample * 2_147_483_647.0).round() as i32;
                    [sample, sample].map(i32::to_le_bytes).concat()
                }
            })
            .collect();
        at += need;
        let input = Input {
            voice: &mut voice,
            first: &octets,
            second: &[],
        };
        mixer.render(&mut [input], count, block);
    }
    let left = out.as_chunks::<8>().0.iter().skip(skipped).map(|frame| {
        let sample = i32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
        f64::from(sample) / 2_147_483_648.0
    });
    let latency = f64::from(voice.latency_frames()) / f64::from(case.to) * 1_000.0;
    (left.collect(), latency)
}

/// Sends a tone of `hertz` through, in the stream's time, and fits it in the card's.
#[must_use]
pub fn measure(case: &Case, hertz: f64) -> Heard {
    let (judged, latency_ms) = play(case, JUDGED, |frame| {
        (TAU * (hertz * frame as f64 / f64::from(case.from)).fract()).sin() * AMPLITUDE
    });
    let per_frame = hertz / f64::from(case.from) * case.step();
    let fit = Fit::new(&judged, &[per_frame * f64::from(RATE)]);
    let rms = AMPLITUDE / std::f64::consts::SQRT_2;
    let power = judged.iter().map(|x| x * x).sum::<f64>() / JUDGED as f64;
    let db = |ratio: f64| 20.0 * ratio.max(1e-12).log10();
    Heard {
        gain_db: db(fit.tones[0].amplitude / AMPLITUDE),
        snr_db: fit.snr_db(0),
        total_db: db(power.sqrt() / rms),
        rest_db: db(fit.residual_rms / rms),
        latency_ms,
    }
}
