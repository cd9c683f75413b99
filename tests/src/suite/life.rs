//! Cards that come and go, guests that stop in every way, while another guest plays on.

use super::matrix::Finding;
use super::{Setup, go, keep, one_sided, said};
use crate::judge::exact::{self, Match};
use crate::judge::recording::{Frame, RATE};
use crate::rig::Outcome;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Seconds of the keeper's noise, and how often it plays them.
const KEPT: (usize, usize) = (6, 9);

/// Runs `lives.sh` and judges all of it.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let (left, right) = (dir.join("left.raw"), dir.join("right.wav"));
    let kept = one_sided(&left, 3, KEPT.0 * RATE as usize, 0)?;
    let moved = one_sided(&right, 4, 3 * RATE as usize, 1)?;
    let script = include_str!("../../scripts/lives.sh");
    let (outcome, recording) = go(setup.run(script), &[left, right])?;
    let rest = keep(&recording.frames, 1);
    let mut rest = rest.as_slice();
    let held = |when| held(&outcome, when);
    let mut findings = Vec::new();
    let mut note = |feature: &str, result: Result<String>| {
        findings.push(Finding::of(feature, result));
    };
    note(
        "vsnd-attach to a running guest, vsnd-list",
        whole(&moved, &mut rest).and_then(|at| {
            ensure!(
                outcome
                    .said()
                    .any(|line| line.contains("unique-id: \"main\"")),
                "not listed"
            );
            Ok(at)
        }),
    );
    note(
        "driver unloaded and loaded 24 times",
        whole(&moved, &mut rest),
    );
    note("vsnd-detach at rest", held("detach"));
    note(
        "guest paused and unpaused in mid-play",
        interrupted(&moved, &mut rest, true),
    );
    note(
        "vsnd-detach in mid-play",
        interrupted(&moved, &mut rest, false).and_then(|_| held("middle")),
    );
    note("guest rebooted", whole(&moved, &mut rest));
    note(
        "guest crashed in mid-play",
        interrupted(&moved, &mut rest, false).and_then(|_| held("crash")),
    );
    let all = kept.repeat(KEPT.1);
    note(
        "another guest meanwhile",
        match exact::find(&all, &keep(&recording.frames, 0)) {
            Match::At(_) => Ok(format!("{} s sample for sample", all.len() / RATE as usize)),
            other => Err(anyhow::anyhow!("{other}\n{outcome}")),
        },
    );
    Ok(findings)
}

/// Runs `save.sh`: a guest is saved and restored, the audio domain refuses to be.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn save(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let file = dir.join("right.wav");
    let noise = one_sided(&file, 8, RATE as usize, 1)?;
    let script = include_str!("../../scripts/save.sh");
    let (outcome, recording) = go(setup.run(script), &[file])?;
    let heard = keep(&recording.frames, 1);
    let mut rest = heard.as_slice();
    let restored = whole(&noise, &mut rest)
        .and_then(|_| whole(&noise, &mut rest))
        .map(|_| "plays again sample for sample".to_string());
    let refused = match said(&outcome, "REFUSED ").next() {
        Some("0") | None => Err(anyhow::anyhow!("not refused")),
        Some(_) => Ok("refused, and goes on".to_string()),
    };
    Ok(vec![
        Finding::of("guest saved and restored", restored),
        Finding::of("save of the audio domain refused", refused),
    ])
}

/// The audio domain holds at this time what it held at the start.
pub(super) fn held(outcome: &Outcome, when: &str) -> Result<String> {
    let line = |when: &str| {
        let start = format!("HELD {when} ");
        let found = said(outcome, &start).next().map(str::to_string);
        found.with_context(|| format!("nothing held at '{when}'"))
    };
    let (start, now) = (line("start")?, line(when)?);
    ensure!(start == now, "held {start} at the start, {now} then");
    Ok(format!("held again: {now}"))
}

/// All of the noise comes next; what follows it is left.
fn whole(noise: &[Frame], rest: &mut &[Frame]) -> Result<String> {
    match exact::find(noise, rest) {
        Match::At(at) => {
            *rest = &rest[at + noise.len()..];
            Ok("sample for sample".to_string())
        }
        other => Err(anyhow::anyhow!("{other}")),
    }
}

/// The noise begins, for a second at least, and ends early, or goes on after a gap to its end.
fn interrupted(noise: &[Frame], rest: &mut &[Frame], goes_on: bool) -> Result<String> {
    let Match::Differs { from, agree, .. } = exact::find(noise, rest) else {
        anyhow::bail!("it is not heard, or not interrupted");
    };
    ensure!(agree > RATE as usize / 2, "heard for {agree} frames only");
    *rest = &rest[from + agree..];
    if !goes_on {
        return Ok(format!("heard for {agree} frames"));
    }
    let tail = &noise[noise.len() - RATE as usize / 2..];
    whole(tail, rest).context("its end is not heard")?;
    Ok(format!("heard for {agree} frames, and goes on to its end"))
}
