//! ALSA's `alsaloop` in a guest: what the microphone hears goes back to the card.

use super::matrix::Finding;
use super::sound::xruns;
use super::{Setup, go};
use crate::judge::exact::{self, Match};
use crate::judge::recording::{RATE, Recording};
use crate::rig::{Extra, Outcome};
use crate::signal;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Seconds that the microphone hears noise.
const HEARD: usize = 30;
/// Seconds of it that are played at least, of the five that alsaloop runs.
const PLAYED: usize = 4;
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
    let noise = signal::noise(16, HEARD * RATE as usize);
    let octets = noise.iter().flat_map(|sample| sample.to_le_bytes());
    std::fs::write(&path, octets.collect::<Vec<u8>>())?;
    let run = setup.run(include_str!("../../scripts/alsaloop.sh"));
    let run = run.extra(Extra::AlsaLoop).microphone(path);
    let (outcome, recording) = go(run, &[])?;
    let steady = steady(&outcome, &recording, noise.as_chunks::<2>().0);
    Ok(vec![
        Finding::of("alsaloop with 100 ms of latency", steady),
        default(&outcome, &recording),
    ])
}

/// What alsaloop complained of.
fn complaints<'o>(outcome: &'o Outcome, run: &str) -> Vec<&'o str> {
    let start = format!("{run} says: ");
    let lines = outcome.log("loop").lines().map(str::trim);
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

/// QEMU's card takes and gives the sound of 30 ms at once, three times what alsaloop wants to lie
/// between. That may be why it runs dry; it is a failure as long as that is not shown.
fn default(outcome: &Outcome, recording: &Recording) -> Finding {
    let feature = "alsaloop as it comes, 10 ms of latency";
    let played = xruns(outcome, "default-0");
    let recorded = xruns(outcome, "default-1");
    let dry = complaints(outcome, "default").len();
    let steady = recording.sounding(PAUSE).into_iter().next();
    let end = steady.map_or(0, |stretch| stretch.end);
    let frames = recording.frames.iter().skip(end);
    let heard = frames.filter(|frame| **frame != [0, 0]).count();
    let detail = format!("{dry} times dry, {heard} frames heard");
    match (played, recorded) {
        (Ok(none), Ok(_)) if dry == 0 => Finding::of(feature, Ok(none)),
        (_, recorded) => Finding::of(feature, recorded.and_then(|_| bail!("{detail}"))),
    }
}
