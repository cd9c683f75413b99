//! Sound servers in guests, unmodified.

use super::matrix::Finding;
use super::sound::xruns;
use super::{Setup, go, keep, one_sided};
use crate::judge::exact::{self, Match};
use crate::judge::recording::RATE;
use crate::rig::Extra;
use anyhow::{Result, bail};
use std::path::Path;

/// Seconds that each plays.
const SECONDS: usize = 6;

/// PulseAudio and PipeWire play a file each through their ALSA sinks: no xrun, and every sample of
/// it in the recording. Neither converts anything, as card and file agree.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let (pulse, wire) = (dir.join("pulse.wav"), dir.join("wire.wav"));
    let sent = [
        one_sided(&pulse, 10, SECONDS * RATE as usize, 0)?,
        one_sided(&wire, 11, SECONDS * RATE as usize, 0)?,
    ];
    let script = include_str!("../../scripts/programs.sh");
    let run = setup.run(script);
    let run = run.extra(Extra::PulseAudio).extra(Extra::PipeWire);
    let (outcome, recording) = go(run, &[pulse, wire])?;
    let heard = keep(&recording.frames, 0);
    let judge = |program: &str, noise: &[_]| -> Result<String> {
        let counted = xruns(&outcome, program)?;
        match exact::find(noise, &heard) {
            Match::At(_) => Ok(format!(
                "{counted}, {} frames sample for sample",
                noise.len()
            )),
            other => bail!("{other}"),
        }
    };
    let log = outcome.log("pulse").lines();
    let mut figures = log.filter_map(|line| line.trim().strip_prefix("Latency: "));
    let latency = figures.next().unwrap_or("nothing");
    let pulse = judge("pulseaudio", &sent[0]).map(|text| format!("{text}; it says {latency}"));
    // Its two channels are linked one after the other while it plays already.
    let wire = judge("pipewire", &sent[1][RATE as usize..]);
    Ok(vec![
        Finding::of("PulseAudio's ALSA sink", pulse),
        Finding::of("PipeWire's ALSA sink", wire),
    ])
}
