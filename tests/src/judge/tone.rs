//! Tones of known frequency in a recording: their level, purity and unbroken length.
//!
//! Guest and card share one clock here, so a tone's frequency in the recording is known exactly
//! and one least-squares fit over the whole stretch must leave nothing but noise: a frame lost,
//! repeated or spoilt anywhere shows in what is left.

use super::recording::RATE;
use std::f64::consts::TAU;
use std::ops::Range;

/// Frames of a block when looking for where a tone stands: 10 ms.
const BLOCK: usize = 480;
/// Frames left out at either end of a stretch: starts and ends are not the tone's fault.
const MARGIN: usize = 2 * BLOCK;

/// Finds every stretch in which a tone of `frequency` Hz stands at `amplitude` (within 0.5 dB),
/// whatever else of `others` sounds; whole 10 ms blocks.
#[must_use]
pub fn stretches(
    samples: &[f64],
    frequency: f64,
    amplitude: f64,
    others: &[f64],
) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut all = vec![frequency];
    all.extend_from_slice(others);
    for (index, block) in samples.chunks_exact(BLOCK).enumerate() {
        let fit = Fit::new(block, &all);
        let ratio = 20.0 * (fit.tones[0].amplitude.max(1e-9) / amplitude).log10();
        if ratio.abs() > 0.5 {
            continue;
        }
        let start = index * BLOCK;
        match found.last_mut() {
            Some(last) if last.end == start => last.end = start + BLOCK,
            _ => found.push(start..start + BLOCK),
        }
    }
    found
}

/// One tone of a fit.
#[derive(Clone, Copy, Debug)]
pub struct Fitted {
    /// Of full scale.
    pub amplitude: f64,
    /// Radians at the stretch's first frame.
    pub phase: f64,
}

/// Sines of known frequencies and a constant, fitted by least squares.
#[derive(Clone, Debug)]
pub struct Fit {
    /// In the order of the frequencies given.
    pub tones: Vec<Fitted>,
    /// Root mean square of what is left.
    pub residual_rms: f64,
    /// Largest magnitude of what is left.
    pub residual_peak: f64,
    /// Where that is, in frames from the stretch's first.
    pub residual_peak_at: usize,
}

impl Fit {
    /// Fits `frequencies` (Hz) to `samples`.
    #[must_use]
    pub fn new(samples: &[f64], frequencies: &[f64]) -> Self {
        let basis = |n: usize| -> Vec<f64> {
            let mut row = vec![1.0];
            for frequency in frequencies {
                let angle = TAU * (frequency * n as f64 / f64::from(RATE)).fract();
                row.push(angle.sin());
                row.push(angle.cos());
            }
            row
        };
        let size = 1 + 2 * frequencies.len();
        let mut normal = vec![vec![0.0; size + 1]; size];
        for (n, sample) in samples.iter().enumerate() {
            let row = basis(n);
            for i in 0..size {
                for j in 0..size {
                    normal[i][j] += row[i] * row[j];
                }
                normal[i][size] += row[i] * sample;
            }
        }
        let weights = solve(normal);
        let (mut sum, mut peak, mut peak_at) = (0.0, 0.0, 0);
        for (n, sample) in samples.iter().enumerate() {
            let model: f64 = basis(n).iter().zip(&weights).map(|(b, w)| b * w).sum();
            let left = (sample - model).abs();
            sum += left * left;
            if left > peak {
                (peak, peak_at) = (left, n);
            }
        }
        Self {
            tones: weights[1..]
                .chunks_exact(2)
                .map(|pair| Fitted {
                    amplitude: pair[0].hypot(pair[1]),
                    phase: pair[1].atan2(pair[0]),
                })
                .collect(),
            residual_rms: (sum / samples.len().max(1) as f64).sqrt(),
            residual_peak: peak,
            residual_peak_at: peak_at,
        }
    }

    /// The tone's power over all that is left, in dB.
    #[must_use]
    pub fn snr_db(&self, tone: usize) -> f64 {
        let rms = self.tones[tone].amplitude / std::f64::consts::SQRT_2;
        20.0 * (rms / self.residual_rms.max(1e-12)).log10()
    }

    /// The tone's level in dB of a full-scale sine.
    #[must_use]
    pub fn level_db(&self, tone: usize) -> f64 {
        20.0 * self.tones[tone].amplitude.max(1e-12).log10()
    }
}

/// A tone that should be heard.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Hertz.
    pub frequency: f64,
    /// Of full scale.
    pub amplitude: f64,
}

/// What is said of one tone.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// All frames in which it stands, ends included.
    pub stretch: Range<usize>,
    /// Separate stretches of at least 50 ms; a sound tone has one.
    pub pieces: usize,
    /// Level in dBFS, over the frames shared with the other tones.
    pub level_db: f64,
    /// Against everything but the tones expected, over the same frames.
    pub snr_db: f64,
}

/// What is said of tones that sound at once.
#[derive(Clone, Debug)]
pub struct Together {
    /// In the order asked for.
    pub tones: Vec<Verdict>,
    /// The frames in which all of them stand, margins left out.
    pub shared: Range<usize>,
    /// Peak of what is left there over its root mean square: a click stands out.
    pub crest: f64,
    /// The recording's frame where that peak is.
    pub worst_at: usize,
}

impl Together {
    /// Seconds for which all tones stand.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.shared.len() as f64 / f64::from(RATE)
    }
}

/// Judges tones over the frames in which all of them stand; `None` where one is not heard, or
/// never together with the others.
#[must_use]
pub fn judge(samples: &[f64], expected: &[Expected]) -> Option<Together> {
    let mut tones = Vec::new();
    let (mut start, mut end) = (0, usize::MAX);
    for tone in expected {
        let others: Vec<f64> = expected
            .iter()
            .map(|other| other.frequency)
            .filter(|&frequency| frequency != tone.frequency)
            .collect();
        let pieces: Vec<_> = stretches(samples, tone.frequency, tone.amplitude, &others)
            .into_iter()
            .filter(|piece| piece.len() >= 5 * BLOCK)
            .collect();
        let longest = pieces.iter().max_by_key(|piece| piece.len())?.clone();
        (start, end) = (start.max(longest.start), end.min(longest.end));
        tones.push((longest, pieces.len()));
    }
    let shared = start + MARGIN..end.checked_sub(MARGIN)?;
    let part = samples
        .get(shared.clone())
        .filter(|part| !part.is_empty())?;
    let frequencies: Vec<f64> = expected.iter().map(|tone| tone.frequency).collect();
    let fit = Fit::new(part, &frequencies);
    Some(Together {
        tones: tones
            .into_iter()
            .enumerate()
            .map(|(index, (stretch, pieces))| Verdict {
                stretch,
                pieces,
                level_db: fit.level_db(index),
                snr_db: fit.snr_db(index),
            })
            .collect(),
        crest: fit.residual_peak / fit.residual_rms.max(1e-12),
        worst_at: shared.start + fit.residual_peak_at,
        shared,
    })
}

/// Gaussian elimination with partial pivoting on rows `[a | b]`.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let size = rows.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))
            .unwrap_or(column);
        rows.swap(column, pivot);
        let pivot_row = rows[column].clone();
        for (index, row) in rows.iter_mut().enumerate() {
            if index == column {
                continue;
            }
            let factor = row[column] / pivot_row[column];
            for (cell, pivot) in row.iter_mut().zip(&pivot_row).skip(column) {
                *cell -= factor * pivot;
            }
        }
    }
    (0..size)
        .map(|index| rows[index][size] / rows[index][index])
        .collect()
}
