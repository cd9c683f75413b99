//! A recording as a picture: its waveform above its spectrogram.

use super::recording::{RATE, Recording};
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use rustfft::{FftPlannerScalar, num_complex::Complex};
use std::f64::consts::TAU;
use std::path::Path;

const WIDTH: u32 = 1400;
const HEIGHT: u32 = 800;
/// Frames of one spectrum.
const WINDOW: usize = 2048;
/// Highest frequency shown, in Hz.
const TOP_HZ: f64 = 6_000.0;
/// Rows of the spectrogram.
const ROWS: usize = (TOP_HZ as usize * WINDOW) / RATE as usize;

/// Draws `recording` into a PNG at `path`.
///
/// # Errors
/// The file cannot be written.
pub fn draw(recording: &Recording, title: &str, path: &Path) -> Result<()> {
    register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| anyhow!("the built-in font does not load"))?;
    let root = BitMapBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(title, ("sans-serif", 24))?;
    let (upper, lower) = root.split_vertically(HEIGHT / 3);
    waveform(recording, &upper)?;
    spectrogram(recording, &lower)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn waveform(recording: &Recording, area: &Area<'_>) -> Result<()> {
    let seconds = recording.seconds();
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..seconds, -1.0..1.0)?;
    chart
        .configure_mesh()
        .y_desc("left, full scale = 1")
        .draw()?;
    let samples = recording.channel(0);
    let column = (samples.len() / WIDTH as usize).max(1);
    chart.draw_series(samples.chunks(column).enumerate().map(|(index, chunk)| {
        let at = (index * column) as f64 / f64::from(RATE);
        let low = chunk.iter().copied().fold(f64::INFINITY, f64::min);
        let high = chunk.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        PathElement::new(vec![(at, low), (at, high)], BLUE)
    }))?;
    Ok(())
}

fn spectrogram(recording: &Recording, area: &Area<'_>) -> Result<()> {
    let seconds = recording.seconds();
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..seconds, 0.0..TOP_HZ)?;
    let samples = recording.channel(0);
    let fft = FftPlannerScalar::new().plan_fft_forward(WINDOW);
    let columns = (WIDTH / 2) as usize;
    let step = (samples.len() / columns).max(1);
    for start in (0..samples.len().saturating_sub(WINDOW)).step_by(step) {
        let mut spectrum: Vec<Complex<f64>> = samples[start..start + WINDOW]
            .iter()
            .enumerate()
            .map(|(n, sample)| {
                let hann = 0.5 - 0.5 * (TAU * n as f64 / WINDOW as f64).cos();
                Complex::new(sample * hann, 0.0)
            })
            .collect();
        fft.process(&mut spectrum);
        let left = start as f64 / f64::from(RATE);
        let right = left + step as f64 / f64::from(RATE);
        let row_hz = f64::from(RATE) / WINDOW as f64;
        chart.draw_series(spectrum[..ROWS].iter().enumerate().map(|(row, bin)| {
            // A full-scale sine peaks at WINDOW / 4 under a Hann window; show 100 dB.
            let db = 20.0 * (bin.norm() / (WINDOW as f64 / 4.0)).max(1e-9).log10();
            let heat = ((db + 100.0) / 100.0).clamp(0.0, 1.0);
            let colour = HSLColor(0.7 - 0.7 * heat, 0.9, 0.08 + 0.5 * heat);
            let low = row as f64 * row_hz;
            Rectangle::new([(left, low), (right, low + row_hz)], colour.filled())
        }))?;
    }
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("seconds")
        .y_desc("Hz")
        .draw()?;
    Ok(())
}
