//! Guests that are not paravirtual.

use super::matrix::Finding;
use super::{Setup, go, keep, one_sided, said};
use crate::judge::exact::{self, Match};
use crate::judge::recording::RATE;
use crate::rig::Outcome;
use anyhow::{Result, ensure};
use std::path::Path;

/// Runs `kinds.sh`: a guest plays a file twice, from its start and after its card came back.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let file = dir.join("noise.wav");
    let noise = one_sided(&file, 11, 2 * RATE as usize, 1)?;
    let script = include_str!("../../scripts/kinds.sh");
    let (outcome, recording) = go(setup.run(script), &[file])?;
    let feature = "a guest boots, plays, and its card comes and goes";
    let heard = keep(&recording.frames, 1);
    Ok(vec![Finding::of(feature, judge(&outcome, &noise, &heard))])
}

fn judge(outcome: &Outcome, noise: &[[i16; 2]], mut rest: &[[i16; 2]]) -> Result<String> {
    for time in ["first", "second"] {
        match exact::find(noise, rest) {
            Match::At(at) => rest = &rest[at + noise.len()..],
            other => anyhow::bail!("the {time} time: {other}"),
        }
    }
    let held: Vec<&str> = said(outcome, "HELD ").collect();
    let [start, end] = held[..] else {
        anyhow::bail!("what is held was not told twice");
    };
    let (start, end) = (start.split_once(' '), end.split_once(' '));
    ensure!(
        start.map(|(_, held)| held) == end.map(|(_, held)| held),
        "{held:?}"
    );
    Ok("twice sample for sample; nothing is held after its end".to_string())
}
