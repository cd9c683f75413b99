//! The audio domain goes and comes back while its guests live.

use super::life::held;
use super::matrix::Finding;
use super::{Setup, go, keep, one_sided};
use crate::judge::exact::{self, Match};
use crate::judge::recording::RATE;
use crate::rig::Outcome;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Time from the audio domain being ready to a guest's sound, at most.
const BACK_MS: u64 = 2_000;

/// Runs `restart.sh` and judges all of it.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let files = ["one", "two"].map(|name| dir.join(format!("{name}.wav")));
    let noises = [
        one_sided(&files[0], 5, RATE as usize, 0)?,
        one_sided(&files[1], 6, RATE as usize, 1)?,
    ];
    let script = include_str!("../../scripts/restart.sh");
    let (outcome, recording) = go(setup.run(script), &files)?;
    let mut rounds = Vec::new();
    for (channel, noise) in noises.iter().enumerate() {
        let heard = keep(&recording.frames, channel);
        let mut rest = heard.as_slice();
        // How many whole ones came before, between and after the interruptions.
        let mut counts = vec![0];
        loop {
            match exact::find(noise, rest) {
                Match::At(at) => {
                    rest = &rest[at + noise.len()..];
                    *counts.last_mut().context("never empty")? += 1;
                }
                Match::Differs { from, agree, .. } => {
                    rest = &rest[from + agree..];
                    counts.push(0);
                }
                Match::Absent => break,
            }
        }
        rounds.push(counts);
    }
    let finding = |feature, number: usize, when: &str| {
        let judged = back(&outcome, when).and_then(|back| {
            for counts in &rounds {
                let whole = counts.get(number).copied().unwrap_or(0);
                ensure!(whole > 0, "no whole file was heard again: {counts:?}");
            }
            held(&outcome, when)?;
            Ok(format!("plays {back} ms after the audio domain is ready"))
        });
        Finding::of(feature, judged)
    };
    Ok(vec![
        finding("audio domain rebooted while guests play", 1, "rebooted"),
        finding(
            "audio domain destroyed and created while guests play",
            2,
            "destroyed",
        ),
        finding("audio domain crashed while guests play", 3, "crashed"),
    ])
}

/// Runs `crash.sh`: the audio domain crashes and is there again by itself.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn crash(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let file = dir.join("noise.wav");
    let noise = one_sided(&file, 7, 2 * RATE as usize, 0)?;
    let script = include_str!("../../scripts/crash.sh");
    let (outcome, recording) = go(setup.run(script), &[file])?;
    let back = outcome.said().find_map(|line| {
        let (_, rest) = line.split_once("back in ")?;
        Some(format!("back in {rest}"))
    });
    let heard = match exact::find(&noise, &keep(&recording.frames, 0)) {
        Match::At(_) => back.context("nothing said of when"),
        other => Err(anyhow::anyhow!("{other}")),
    };
    let feature = "audio domain crashed, started again by on_crash, serves";
    Ok(vec![Finding::of(feature, heard)])
}

/// How long it took until everybody played again, in milliseconds.
fn back(outcome: &Outcome, when: &str) -> Result<u64> {
    let mark = format!("{when}: everybody plays ");
    let mut lines = outcome.said().filter_map(|line| line.split_once(&mark));
    let (_, rest) = lines.next().context("nobody plays again")?;
    let millis = rest.split(' ').next().unwrap_or_default().parse()?;
    ensure!(
        millis <= BACK_MS,
        "plays {millis} ms after the audio domain is ready"
    );
    Ok(millis)
}
