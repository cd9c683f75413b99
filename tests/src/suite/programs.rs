//! Sound servers in guests, unmodified.

use super::matrix::Finding;
use super::sound::xruns;
use super::{Setup, go, keep, one_sided};
use crate::judge::exact::{self, Match};
use crate::judge::recording::{Frame, RATE};
use crate::rig::{Extra, Outcome};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Seconds that each plays.
const SECONDS: usize = 6;

/// PulseAudio and PipeWire play files through their ALSA sinks: no xrun, and every sample in the
/// recording. Neither converts anything, as card and file agree. PulseAudio gets a second file, for
/// the other channel, while it plays the first: it writes anew what it has written already.
///
/// PipeWire loses the end of what its client plays before ALSA gets it. So a plug-in of ALSA keeps
/// what PipeWire hands over; all of that has to be heard.
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
    let judge = |program: &str, noise: &[Frame], channel| -> Result<String> {
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
    let wire = handed(&outcome).and_then(|frames| {
        let heard = judge(
            "pipewire",
            sent[2].get(..frames).context("more than all")?,
            0,
        )?;
        let short = sent[2].len() - frames;
        Ok(format!(
            "{heard}: all that it handed to ALSA, {short} less than its client played"
        ))
    });
    Ok(vec![
        Finding::of("PulseAudio's ALSA sink", pulse),
        Finding::of(
            "PulseAudio's second stream",
            judge("pulseaudio", &sent[1], 1),
        ),
        Finding::of("PipeWire's ALSA sink", wire),
    ])
}

/// Frames of its client's file that PipeWire handed to ALSA, from the first on.
fn handed(outcome: &Outcome) -> Result<usize> {
    let mut lines = outcome.log("wire").lines();
    let octet = lines.find_map(|line| line.trim().strip_prefix("KEPT "));
    let octet: usize = octet
        .context("nothing is known of what was kept")?
        .parse()?;
    // The first octet that differs, counted from one.
    let frames = (octet - 1) / size_of::<Frame>();
    let least = (SECONDS - 1) * RATE as usize;
    ensure!(frames >= least, "PipeWire handed {frames} frames to ALSA");
    Ok(frames)
}
