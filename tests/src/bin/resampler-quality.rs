//! How well the resampler does: `cargo run --release -p tests --bin resampler-quality`.
//!
//! Tones of -3 dBFS go through the mixer's public interface in 32 bits and are fitted in what
//! comes out; what is left is noise, images and aliases. The table is printed and written to
//! target/bench/resampler-quality.json, a picture to resampler-quality.png beside it. Every
//! inner loop computes the same bits, which the tests hold: the processor makes no difference.

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use ring_backend::format::SampleFormat;
use ring_backend::mix::Quality;
use rustfft::{FftPlannerScalar, num_complex::Complex};
use serde_json::{Value, json};
use std::f64::consts::TAU;
use std::fs;
use std::path::Path;
use tests::judge::resampling::{AMPLITUDE, Case, Heard, measure, play};

/// The rates that sndif names.
const NAMED: [u32; 12] = [
    5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 64_000, 96_000, 176_400, 192_000,
];
/// Ratios that are looked at closely.
const CLOSE: [(u32, u32); 6] = [
    (44_100, 48_000),
    (48_000, 44_100),
    (44_100, 96_000),
    (96_000, 48_000),
    (8_000, 48_000),
    (192_000, 44_100),
];
/// Tones, at 44.1 kHz; at other rates they are as much of the lower one.
const TONES: [f64; 8] = [
    101.0, 997.0, 5_003.0, 9_970.0, 14_970.0, 17_990.0, 18_970.0, 19_970.0,
];
/// What the lower rate does not have: tones above half of 44.1 kHz, downwards.
const ABOVE: [f64; 2] = [22_500.0, 23_500.0];

#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    quality: Quality,
    drift_ppm: Option<f64>,
}

const WAYS: [Way; 3] = [
    Way {
        name: "best",
        quality: Quality::Best,
        drift_ppm: None,
    },
    Way {
        name: "light",
        quality: Quality::Light,
        drift_ppm: None,
    },
    Way {
        name: "best, +100 ppm",
        quality: Quality::Best,
        drift_ppm: Some(100.0),
    },
];

impl Way {
    const fn case(&self, from: u32, to: u32) -> Case {
        Case {
            from,
            to,
            quality: self.quality,
            drift_ppm: self.drift_ppm,
            format: SampleFormat::S32Le,
        }
    }
}

fn scaled(hertz: f64, from: u32, to: u32) -> f64 {
    hertz / 44_100.0 * f64::from(from.min(to))
}

/// The least SNR of the tones up to `top` Hz at 44.1 kHz.
fn worst(heard: &[(f64, Heard)], top: f64) -> f64 {
    let within = heard.iter().filter(|(tone, _)| *tone <= top);
    within
        .map(|(_, heard)| heard.snr_db)
        .fold(f64::INFINITY, f64::min)
}

fn closely(way: &Way, from: u32, to: u32) -> Value {
    let case = way.case(from, to);
    let hear = |tone: &f64| (*tone, measure(&case, scaled(*tone, from, to)));
    let heard: Vec<(f64, Heard)> = TONES.iter().map(hear).collect();
    let at = |tone: f64| {
        heard
            .iter()
            .find(|(t, _)| *t == tone)
            .map(|(_, heard)| heard)
    };
    let snr = |tone| at(tone).map_or(f64::NAN, |heard| heard.snr_db);
    let gain = |tone| at(tone).map_or(f64::NAN, |heard| heard.gain_db);
    let rest = at(19_970.0).map_or(f64::NAN, |heard| heard.rest_db);
    // Upwards, what is left of a tone near the top is its images.
    let image = (from < to).then_some(rest);
    let aliases: Vec<f64> = ABOVE
        .iter()
        .filter(|_| from > to)
        .map(|tone| measure(&case, scaled(*tone, from, to)).total_db)
        .collect();
    let latency = heard[0].1.latency_ms;
    let shown = |number: Option<f64>| number.map_or("-".to_owned(), |n| format!("{n:.1}"));
    println!(
        "{:<15} {from:>6} > {to:<6} {latency:>5.2} {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>8.3} \
         {:>8.3} {:>8} {:>8} {:>8}",
        way.name,
        snr(997.0),
        snr(9_970.0),
        snr(17_990.0),
        worst(&heard, 18_000.0),
        worst(&heard, 20_000.0),
        gain(17_990.0),
        gain(19_970.0),
        shown(image),
        shown(aliases.first().copied()),
        shown(aliases.get(1).copied()),
    );
    json!({
        "tier": way.name, "from": from, "to": to, "latency_ms": latency,
        "snr_db": heard.iter().map(|(tone, heard)| json!([tone, heard.snr_db])).collect::<Vec<_>>(),
        "thd_n_db": -snr(997.0),
        "worst_snr_18k_db": worst(&heard, 18_000.0), "worst_snr_20k_db": worst(&heard, 20_000.0),
        "droop_18k_db": gain(17_990.0), "droop_20k_db": gain(19_970.0),
        "image_20k_db": image, "alias_22k5_db": aliases.first(), "alias_23k5_db": aliases.get(1),
    })
}

/// The worst of tones up to 18 of 44.1 kHz over all named rates to `to`.
fn widely(way: &Way, to: u32) -> (f64, u32) {
    let mut worst = (f64::INFINITY, to);
    for from in NAMED.into_iter().filter(|from| *from != to) {
        for tone in [997.0, 9_970.0, 17_990.0] {
            let snr = measure(&way.case(from, to), scaled(tone, from, to)).snr_db;
            if snr < worst.0 {
                worst = (snr, from);
            }
        }
    }
    worst
}

fn main() -> Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    fs::create_dir_all(&dir).context("making target/bench")?;
    println!(
        "{:<15} {:>15} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "",
        "ratio",
        "ms",
        "SNR 1k",
        "10k",
        "18k",
        "<= 18k",
        "<= 20k",
        "dB @18k",
        "@20k",
        "image",
        "alias",
        "alias"
    );
    let mut rows = Vec::new();
    for way in &WAYS {
        for (from, to) in CLOSE {
            rows.push(closely(way, from, to));
        }
    }
    println!("\nleast SNR to 18 of 44.1 kHz, of all named rates to");
    let mut wide = Vec::new();
    for way in &WAYS {
        for to in NAMED {
            let (snr, from) = widely(way, to);
            println!("{:<15} {to:>6} {snr:>7.1}  (from {from})", way.name);
            wide.push(json!({"tier": way.name, "to": to, "worst_snr_db": snr, "from": from}));
        }
    }
    let report = json!({"level_dbfs": -3.0, "ratios": rows, "named": wide});
    fs::write(dir.join("resampler-quality.json"), format!("{report:#}\n"))?;
    draw(&dir.join("resampler-quality.png"))?;
    println!("\ntarget/bench/resampler-quality.json  target/bench/resampler-quality.png");
    Ok(())
}

const LABEL: (&str, u32) = ("sans-serif", 18);

/// Frequency responses above a sweep's spectrogram.
fn draw(path: &Path) -> Result<()> {
    register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| anyhow!("the built-in font does not load"))?;
    let root = BitMapBackend::new(path, (1_400, 1_200)).into_drawing_area();
    root.fill(&WHITE)?;
    let (upper, lower) = root.split_vertically(500);
    let (left, right) = upper.split_horizontally(700);
    response(&left, "gain of tones, dB", 16_000.0..24_000.0, -160.0..10.0)?;
    response(&right, "the same, closer", 10_000.0..21_000.0, -0.5..0.1)?;
    sweep(&lower)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn response(
    area: &Area<'_>,
    title: &str,
    hertz: std::ops::Range<f64>,
    db: std::ops::Range<f64>,
) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(title, LABEL)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(hertz.clone(), db.clone())?;
    chart.configure_mesh().x_desc("Hz").draw()?;
    let cases = [
        ("best 44.1 > 48", &WAYS[0], 44_100, 48_000, BLUE),
        ("best 48 > 44.1", &WAYS[0], 48_000, 44_100, RED),
        ("light 44.1 > 48", &WAYS[1], 44_100, 48_000, GREEN),
    ];
    for (name, way, from, to, colour) in cases {
        let top = hertz.end.min(f64::from(from) / 2.0 - 50.0);
        let steps = 160;
        let points = (0..=steps).map(|step| {
            let tone = hertz.start + (top - hertz.start) * f64::from(step) / f64::from(steps);
            // What comes out of a tone that the card cannot have is all alias.
            let heard = measure(&way.case(from, to), tone + 0.37);
            (tone, heard.total_db.clamp(db.start, db.end))
        });
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(LABEL)
        .draw()?;
    Ok(())
}

/// Frames of one spectrum of the sweep.
const WINDOW: usize = 2_048;
const SWEEP_FRAMES: usize = 48_000 * 2;
/// What is drawn darkest.
const FLOOR_DB: f64 = -180.0;

/// A sweep from 0 to half the rate, best, 44.1 to 48 kHz.
fn sweep(area: &Area<'_>) -> Result<()> {
    let case = WAYS[0].case(44_100, 48_000);
    let frames = SWEEP_FRAMES as f64 * 44_100.0 / 48_000.0;
    let (samples, _) = play(&case, SWEEP_FRAMES, |frame| {
        let at = frame as f64;
        (TAU * (at * at / frames / 4.0).fract()).sin() * AMPLITUDE
    });
    let seconds = SWEEP_FRAMES as f64 / 48_000.0;
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(
            "a sweep to 22.05 kHz, 44.1 > 48 kHz, best: 0 dBFS is bright, -180 dBFS dark",
            LABEL,
        )
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..seconds, 0.0..24_000.0)?;
    let fft = FftPlannerScalar::new().plan_fft_forward(WINDOW);
    let window = kaiser();
    let sum: f64 = window.iter().sum();
    let (columns, rows) = (660, 330);
    for column in 0..columns {
        let start = (SWEEP_FRAMES - WINDOW) * column / columns;
        let mut spectrum: Vec<Complex<f64>> = samples[start..start + WINDOW]
            .iter()
            .zip(&window)
            .map(|(sample, window)| Complex::new(sample * window, 0.0))
            .collect();
        fft.process(&mut spectrum);
        let left = seconds * column as f64 / columns as f64;
        let right = seconds * (column + 1) as f64 / columns as f64;
        chart.draw_series((0..rows).map(|row| {
            let bins = WINDOW / 2 * row / rows..WINDOW / 2 * (row + 1) / rows;
            let peak = spectrum[bins]
                .iter()
                .map(|bin| bin.norm())
                .fold(0.0, f64::max);
            let db = 20.0 * (2.0 * peak / sum).max(1e-12).log10();
            let heat = (1.0 - db / FLOOR_DB).clamp(0.0, 1.0);
            let colour = HSLColor(0.7 - 0.7 * heat, 0.9, 0.06 + 0.5 * heat);
            let low = 24_000.0 * row as f64 / rows as f64;
            let high = 24_000.0 * (row + 1) as f64 / rows as f64;
            Rectangle::new([(left, low), (right, high)], colour.filled())
        }))?;
    }
    let mesh = &mut chart.configure_mesh();
    mesh.disable_mesh().x_desc("seconds").y_desc("Hz").draw()?;
    Ok(())
}

/// Kaiser's window with side lobes below -190 dB.
fn kaiser() -> Vec<f64> {
    let bessel = |x: f64| {
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..100 {
            term *= (x / 2.0 / f64::from(k)).powi(2);
            sum += term;
        }
        sum
    };
    (0..WINDOW)
        .map(|n| {
            let y = 2.0 * n as f64 / (WINDOW - 1) as f64 - 1.0;
            bessel(20.5 * (1.0 - y * y).sqrt())
        })
        .collect()
}
