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

/// PulseAudio and PipeWire play files through their ALSA sinks: no xrun, and every sample in the
/// recording. Neither converts anything, as card and file agree. PulseAudio gets a second file, for
/// the other channel, while it plays the first: it writes anew what it has written already.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let [pulse, second, wire] =
        ["pulse", "second", "wire"].map(|name| dir.join(name).with_extension("wav"));
    let sent = [
        one_sided(&pulse, 10, SECONDS * RATE as usize, 0)?,
        one_sided(&second, 12, SECONDS * RATE as usize / 2, 1)?,
        one_sided(&wire, 14, SECONDS * RATE as usize, 0)?,
    ];
    let script = include_str!("../../scripts/programs.sh");
    let run = setup.run(script);
    let run = run.extra(Extra::PulseAudio).extra(Extra::PipeWire);
    let (outcome, recording) = go(run, &[pulse, second, wire])?;
    let judge = |program: &str, noise: &[_], channel| -> Result<String> {
        let counted = xruns(&outcome, program)?;
        match exact::find(noise, &keep(&recording.frames, channel)) {
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
    let pulse = judge("pulseaudio", &sent[0], 0).map(|text| format!("{text}; it says {latency}"));
    // Its two channels are linked one after the other while it plays already.
    let wire = judge("pipewire", &sent[2][RATE as usize..], 0);
    Ok(vec![
        Finding::of("PulseAudio's ALSA sink", pulse),
        Finding::of(
            "PulseAudio's second stream",
            judge("pulseaudio", &sent[1], 1),
        ),
        Finding::of("PipeWire's ALSA sink", wire),
    ])
}
