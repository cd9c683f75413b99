//! Many guests at once.

use super::matrix::Finding;
use super::sound::xruns;
use super::{Setup, go};
use crate::judge::recording::RATE;
use crate::judge::tone::Fit;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// How many, and the tone of each.
const GUESTS: usize = 8;
const STEP: f64 = 300.0;
const LOWEST: f64 = 700.0;

/// Eight Linux guests play a tone each: all are heard, equally loud, with nothing between them.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(_: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let script = include_str!("../../scripts/crowd.sh");
    let (outcome, recording) = go(setup.run(script), &[])?;
    let judge = || -> Result<String> {
        for number in 1..=GUESTS {
            xruns(&outcome, &format!("g{number}"))?;
        }
        let left = recording.channel(0);
        let longest = recording.sounding(RATE as usize / 2);
        let longest = longest.into_iter().max_by_key(std::ops::Range::len);
        let all = longest.context("nothing is heard")?;
        let middle = all.start + all.len() / 2;
        let tones: Vec<f64> = (0..GUESTS)
            .map(|number| LOWEST + STEP * number as f64)
            .collect();
        let second = left
            .get(middle..middle + RATE as usize)
            .context("too short")?;
        let fit = Fit::new(second, &tones);
        let levels: Vec<f64> = (0..GUESTS).map(|number| fit.level_db(number)).collect();
        let loudest = levels.iter().copied().fold(f64::MIN, f64::max);
        let softest = levels.iter().copied().fold(f64::MAX, f64::min);
        let snr = fit.snr_db(0);
        ensure!(
            loudest - softest < 0.1 && snr > 40.0,
            "{levels:?}, {snr} dB"
        );
        Ok(format!(
            "no xrun; each at {loudest:.1} dBFS, {snr:.0} dB above the rest"
        ))
    };
    Ok(vec![Finding::of("eight guests play at once", judge())])
}
