//! The audio domain goes and comes back while its guests live.

use super::life::held;
use super::matrix::Finding;
use super::{Setup, go, keep, one_sided, said};
use crate::judge::exact::{self, Match};
use crate::judge::recording::{Frame, RATE};
use crate::rig::Outcome;
use anyhow::{Context, Result, anyhow, ensure};
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
    let whole = files.iter().zip(&noises).enumerate();
    let whole = whole.map(|(channel, (file, noise))| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let log = outcome.log(&name).lines();
        let played = log.filter(|line| line.trim() == "PLAYED").count();
        let heard = count(noise, &keep(&recording.frames, channel));
        ensure!(
            heard >= played && played > 6,
            "{name} played {played} times, heard {heard} times"
        );
        Ok(played)
    });
    let whole: Result<Vec<usize>> = whole.collect();
    let finding = |feature, when: &str| {
        let judged = back(&outcome, when).and_then(|back| {
            let whole = whole.as_ref().map_err(|error| anyhow!("{error:#}"))?;
            held(&outcome, when)?;
            let mark = format!("{when}: ready ");
            let mut ready = outcome.said().filter_map(|line| line.split_once(&mark));
            let ready = ready.next().map_or("", |(_, rest)| rest);
            Ok(format!(
                "ready {ready}, plays {back} ms after that; all of {whole:?} files whole"
            ))
        });
        Finding::of(feature, judged)
    };
    Ok(vec![
        finding(
            "audio domain rebooted while guests play, audioctl reattach",
            "rebooted",
        ),
        finding(
            "audio domain destroyed and created while guests rest",
            "destroyed",
        ),
        finding(
            "audio domain crashed while guests play, audioctl agent --reattach",
            "crashed",
        ),
        Finding::of(
            "audioctl through /dev/xen/xenbus",
            said(&outcome, "XENBUS 0")
                .next()
                .map(|_| "status".to_string())
                .context("it failed"),
        ),
    ])
}

/// How often all of the noise is heard.
fn count(noise: &[Frame], mut rest: &[Frame]) -> usize {
    let mut count = 0;
    loop {
        match exact::find(noise, rest) {
            Match::At(at) => {
                rest = &rest[at + noise.len()..];
                count += 1;
            }
            Match::Differs { from, agree, .. } => rest = &rest[from + agree.max(1)..],
            Match::Absent => return count,
        }
    }
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
