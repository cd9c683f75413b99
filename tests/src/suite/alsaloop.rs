//! ALSA's `alsaloop` in a guest: what the microphone hears goes back to the card.

use super::matrix::{Finding, Verdict};
use super::sound::xruns;
use super::{Setup, go, record};
use crate::judge::exact::{self, Match};
use crate::judge::recording::{RATE, Recording};
use crate::rig::{Extra, Outcome};
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::path::Path;

/// Seconds that the microphone hears noise.
const HEARD: usize = 30;
/// Seconds of it that are played at least, of the five that alsaloop runs.
const PLAYED: usize = 4;
/// Seconds of the run as it comes.
const SECONDS: usize = 3;
/// Frames of silence that lie between two runs at least.
const PAUSE: usize = RATE as usize / 20;
/// Frames at the end that are made quieter ever more, as alsaloop stops in the middle of sound.
const SLOPE: usize = 256;

/// With a latency that the machine's card allows, and without a resampler: no xrun, and what is
/// played is what is heard, sample for sample. Then as it comes, with a hundredth of a second.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let path = dir.join("heard.raw");
    let noise = record::microphone(&path, 16, HEARD)?;
    let run = setup.run(include_str!("../../scripts/alsaloop.sh"));
    let run = run.extra(Extra::AlsaLoop).extra(Extra::LinuxCard);
    let run = run.microphone(path);
    let (outcome, recording) = go(run, &[])?;
    let steady = steady(&outcome, &recording, &noise);
    Ok(vec![
        Finding::of("alsaloop with 100 ms of latency", steady),
        default(&outcome),
    ])
}

/// What alsaloop complained of.
fn complaints<'o>(outcome: &'o Outcome, run: &str) -> Vec<&'o str> {
    complaints_of(outcome.log("loop"), run)
}

fn complaints_of<'o>(log: &'o str, run: &str) -> Vec<&'o str> {
    let start = format!("{run} says: ");
    let lines = log.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with(&start))
        .filter(|line| line.contains("underrun") || line.contains("overrun"))
        .collect()
}

fn steady(outcome: &Outcome, recording: &Recording, heard: &[[i16; 2]]) -> Result<String> {
    let complaints = complaints(outcome, "steady");
    ensure!(complaints.is_empty(), "{}", complaints.join("; "));
    for stream in ["steady-0", "steady-1"] {
        xruns(outcome, stream)?;
    }
    let first = recording.sounding(PAUSE).into_iter().next();
    let stretch = first.context("nothing was heard")?;
    let frames = stretch.len();
    ensure!(
        frames >= PLAYED * RATE as usize,
        "{frames} frames are heard"
    );
    let whole = stretch.start..stretch.end.saturating_sub(SLOPE);
    match exact::find(&recording.frames[whole], heard) {
        Match::At(_) => Ok(format!(
            "no xrun, {frames} frames of the microphone sample for sample"
        )),
        other => bail!("{other}"),
    }
}

/// Where Linux' own driver, in a guest that has the card for itself, runs dry as often at least, it is
/// the machine's card that alsaloop cannot live with there: it takes and gives sound in steps longer
/// than what alsaloop wants to lie between.
fn default(outcome: &Outcome) -> Finding {
    let feature = "alsaloop as it comes, 10 ms of latency";
    let ours = complaints(outcome, "default").len();
    let steady = || {
        xruns(outcome, "default-0")?;
        xruns(outcome, "default-1")
    };
    match control(outcome) {
        Err(missing) => Finding::of(feature, Err(missing)),
        Ok(_) if ours == 0 => Finding::of(feature, steady()),
        Ok(control) => {
            let detail = format!(
                "{ours} times dry in {SECONDS} s; with Linux' own driver on the same card, and nothing between, \
                 {control} times"
            );
            let mut finding = Finding::of(feature, Err(anyhow!(detail)));
            if control >= ours {
                finding.verdict = Verdict::Cannot;
            }
            finding
        }
    }
}

/// How often it complained with Linux' own driver, where a tenth of a second is enough for it.
fn control(outcome: &Outcome) -> Result<usize> {
    let log = outcome.log("control");
    let mut lines = log.lines().map(str::trim);
    let ended = lines.any(|line| line.starts_with("DID default "));
    ensure!(ended, "alsaloop did not run with Linux' own driver");
    let steady = complaints_of(log, "steady").len();
    ensure!(
        steady == 0,
        "with Linux' own driver {steady} times dry at 100 ms, too"
    );
    Ok(complaints_of(log, "default").len())
}
