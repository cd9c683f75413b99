//! Many guests at once.

use super::life::held;
use super::matrix::Finding;
use super::sound::xruns;
use super::{Setup, go, said};
use crate::judge::recording::{RATE, Recording};
use crate::judge::tone::Fit;
use crate::rig::Outcome;
use anyhow::{Context, Result, bail, ensure};
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

/// Small guests that play at once: one for each bit of a stereo frame.
const SMALL: u32 = 32;

/// 32 small guests play one bit of the frame each, so that none is hidden by another: each is heard
/// from its first frame to its last, and the next guest is told why there is no place for it.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn small(_: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let script = include_str!("../../scripts/crowd32.sh");
    let (outcome, recording) = go(setup.run(script), &[])?;
    let all = || -> Result<String> {
        let all = (0..SMALL).map(|bit| plane(&outcome, &recording, bit));
        let frames = all.collect::<Result<Vec<usize>>>()?;
        for number in 0..SMALL {
            xruns(&outcome, &format!("s{number}"))?;
        }
        let least = frames.iter().min().copied().unwrap_or_default();
        let most = frames.iter().max().copied().unwrap_or_default();
        ensure!(least > 10 * RATE as usize, "heard for {least} frames only");
        let rate = RATE as usize;
        let (own, all) = shares(&outcome)?;
        Ok(format!(
            "each sample for sample, for {} to {} s; the audio domain has {own:.0} % of the \
             processor, all domains {all:.0} %",
            least / rate,
            most / rate
        ))
    };
    let all = all();
    let refused = "the audio domain serves as many devices as it can already";
    let refused = outcome.said().any(|line| line.contains(refused));
    let refused = refused
        .then(|| "its device's error says so; the others play on".to_string())
        .context("not refused");
    Ok(vec![
        Finding::of("32 small guests play at once", all),
        Finding::of("one guest more than there is place for", refused),
        Finding::of("all 32 leave", held(&outcome, "end")),
    ])
}

/// What the audio domain and all domains together had of the processor while all played, in percent.
fn shares(outcome: &Outcome) -> Result<(f64, f64)> {
    let read = |when: &str| -> Result<[f64; 3]> {
        let start = format!("TIMES {when} ");
        let line = said(outcome, &start).next().context("no times")?;
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        numbers?.try_into().ok().context("not three numbers")
    };
    let ([from, own, all], [to, own_then, all_then]) = (read("before")?, read("after")?);
    // Milliseconds, and tenths of a second.
    let share = |tenths: f64| 100.0 * 100.0 * tenths / (to - from);
    Ok((share(own_then - own), share(all_then - all)))
}

/// Compares one bit of what was heard with what its guest played; for how many frames it did.
fn plane(outcome: &Outcome, recording: &Recording, bit: u32) -> Result<usize> {
    let start = format!("BIT {bit} ");
    let told = said(outcome, &start).next().context("it did not end")?;
    let Some((_, frames)) = told.split_once("PLAYED ") else {
        bail!("guest {bit}: {told}");
    };
    // Behind it is how late the guest itself was.
    let (frames, own) = frames.trim().split_once(' ').unwrap_or((frames, ""));
    let frames: usize = frames.trim().parse()?;
    let mut noise = Noise::new(bit);
    let played: Vec<bool> = (0..frames).map(|_| noise.next()).collect();
    let heard = recording.frames.iter().map(|frame| {
        let [left, right] = frame.map(|sample| u32::from(sample.cast_unsigned()));
        (right << 16 | left) >> bit & 1 == 1
    });
    let heard: Vec<bool> = heard.collect();
    let first = |bits: &[bool]| bits.iter().position(|bit| *bit).context("nothing is heard");
    let at = first(&heard)?
        .checked_sub(first(&played)?)
        .context("its beginning is not heard")?;
    let all = heard.get(at..).unwrap_or_default();
    let wrong = played
        .iter()
        .zip(all)
        .position(|(played, heard)| played != heard);
    if let Some(wrong) = wrong {
        bail!("guest {bit} differs after {wrong} of {frames} frames; it says {own}");
    }
    ensure!(all.len() >= frames, "guest {bit}: its end is not heard");
    ensure!(
        !all[frames..].contains(&true),
        "guest {bit} is heard after its end"
    );
    Ok(frames)
}

/// The ones and zeros that a small guest plays, as `kernel/src/guest.rs` makes them.
struct Noise(u32);

impl Noise {
    const fn new(bit: u32) -> Self {
        Self((bit + 1).wrapping_mul(0x9E37_79B9))
    }

    const fn next(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 & 1 == 1
    }
}
