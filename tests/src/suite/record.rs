//! What the microphone hears, recorded by `arecord` in guests as long as they may.

use super::matrix::Finding;
use super::{Setup, go};
use crate::judge::exact::{self, Match};
use crate::judge::recording::{Frame, RATE};
use crate::rig::Outcome;
use crate::signal;
use anyhow::{Context, Result, bail, ensure};
use std::ops::Range;
use std::path::Path;

/// Seconds that the microphone hears noise, and that the guests record: the first until its end, the
/// second until it may no longer, in the middle.
const HEARD: usize = 120;
const RECORDS: [usize; 2] = [4, 5];
/// Octets of a WAV file before its sound.
const HEADER: usize = 44;

/// Noise of so many seconds in a raw file, as a microphone's.
///
/// # Errors
/// The file cannot be written.
pub(super) fn microphone(path: &Path, seed: u64, seconds: usize) -> Result<Vec<Frame>> {
    let noise = signal::noise(seed, seconds * RATE as usize);
    let octets = noise.iter().flat_map(|sample| sample.to_le_bytes());
    std::fs::write(path, octets.collect::<Vec<u8>>())?;
    Ok(noise.as_chunks::<2>().0.to_vec())
}

/// Runs `record.sh` and judges all of it.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let (heard, played) = (dir.join("heard.raw"), dir.join("played.wav"));
    let noise = microphone(&heard, 9, HEARD)?;
    let sound = signal::noise(10, 3 * RATE as usize);
    signal::write_stereo(&played, &sound)?;
    let run = setup.run(include_str!("../../scripts/record.sh"));
    let (outcome, recording) = go(run.microphone(&heard), &[played])?;
    let parts = recording.sounding(RATE as usize / 10);
    let parts: Vec<&[Frame]> = parts
        .into_iter()
        .filter_map(|part| recording.frames.get(part))
        .collect();
    // What one guest played while it recorded, then what each recorded.
    let part = |number: usize| {
        let part = parts.get(number).copied();
        part.with_context(|| format!("only {} stretches of sound", parts.len()))
    };
    let one = || whole(part(1)?, &noise, RECORDS[0] * RATE as usize);
    let beside = one().and_then(|range| {
        ensure!(
            part(0)? == sound.as_chunks::<2>().0,
            "what was played is not what is heard"
        );
        steady(&outcome, "one")?;
        Ok(format!("{} frames sample for sample", range.len()))
    });
    let two = || within(part(2)?, &noise);
    let same = one().and_then(|one| {
        let two = two()?;
        let both = one.start.max(two.start)..one.end.min(two.end);
        ensure!(
            both.len() > RATE as usize,
            "one records {one:?}, two {two:?}"
        );
        Ok(format!("{} frames are in both recordings", both.len()))
    });
    let revoked = two().and_then(|two| {
        steady(&outcome, "two")?;
        let whole = RECORDS[1] * RATE as usize;
        ensure!(two.len() < whole - RATE as usize, "heard to the end");
        let octets = told(&outcome, "two", "RECORDED")?;
        let wanted = format!("{}", whole * size_of::<Frame>() + HEADER);
        ensure!(octets == wanted, "{octets} octets were recorded");
        Ok(format!(
            "{} frames sample for sample, zeros from then on",
            two.len()
        ))
    });
    let silent = told(&outcome, "one", "NONE").and_then(|octets| {
        let wanted = format!("0 of {}", RATE as usize * size_of::<Frame>() + HEADER);
        ensure!(octets == wanted, "{octets} octets are not zero");
        Ok("zeros for as long as it records".to_string())
    });
    Ok(vec![
        Finding::of("arecord beside aplay", beside),
        Finding::of("two guests record the same at once", same),
        Finding::of("arecord in a guest that may not", silent),
        Finding::of("arecord in a guest that may no longer", revoked),
    ])
}

/// Where the frames lie in what the microphone heard, one after another.
pub(super) fn within(frames: &[Frame], noise: &[Frame]) -> Result<Range<usize>> {
    match exact::find(frames, noise) {
        Match::At(at) => Ok(at..at + frames.len()),
        other => bail!("{} frames: {other}", frames.len()),
    }
}

/// The same, and there are as many as were recorded but for the first hundredth of a second.
fn whole(frames: &[Frame], noise: &[Frame], wanted: usize) -> Result<Range<usize>> {
    ensure!(
        frames.len() > wanted - RATE as usize / 100,
        "{} of {wanted} frames are heard",
        frames.len()
    );
    within(frames, noise)
}

/// What a guest said after this word.
fn told(outcome: &Outcome, guest: &str, word: &str) -> Result<String> {
    let mut lines = outcome.log(guest).lines().map(str::trim);
    let line = lines.find_map(|line| line.strip_prefix(&format!("{word} ")));
    Ok(line.with_context(|| format!("no '{word}'"))?.to_string())
}

/// Neither aplay nor arecord ran dry or over.
fn steady(outcome: &Outcome, guest: &str) -> Result<()> {
    ensure!(
        !outcome.log(guest).contains("run!!!"),
        "{guest} had an xrun"
    );
    Ok(())
}
