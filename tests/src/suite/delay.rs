//! What a program in a guest is told of the card's position, beside the position itself.
//!
//! The guest may read the card's registers: it notes what ALSA says together with the register in
//! which the card shows how far it has fetched, read right before and right after. The recording has
//! all that the card fetched since its start, so where the guest's file lies in it says which fetched
//! frame was the guest's first.

use super::matrix::Finding;
use super::{Setup, go, record};
use crate::judge::exact::{self, Match};
use crate::judge::recording::{Frame, RATE};
use crate::{rig, signal};
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::path::Path;

/// What is played, and how: seconds and aplay's words.
const PLAYS: [(usize, &str); 2] = [(8, ""), (6, "--buffer-size=8192 --period-size=1024")];
/// How two devices record at once.
const RECORDS: [&str; 2] = ["as it comes", "--buffer-size=8192 --period-size=1024"];
/// Most that what is told may be wrong, in milliseconds.
const MOST_MS: f64 = 2.0;
/// Frames of each of the card's rings: their registers begin anew there.
const RING: i64 = 8_192;
/// Frames that QEMU's card fetches at once. Where it fetched more while the guest looked, nobody knows
/// which count what ALSA says belongs to.
const STEP: i64 = RATE as i64 / 1_000;
/// Fewer looks than this prove nothing.
const LOOKS: usize = 100;

/// One look of the guest, in frames.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// The card's register, before and after.
    card: [i64; 2],
    /// `hw_ptr`: where ALSA takes the card to be. `appl_ptr` less this is what it calls the delay.
    told: i64,
}

/// A guest plays with ALSA's default buffer and with one of 171 ms; what it is told is right within
/// two milliseconds.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let mut files = vec![rig::card_watch()?];
    let mut played: Vec<Vec<Frame>> = Vec::new();
    let mut list = String::new();
    for (number, (seconds, how)) in (0_u32..).zip(PLAYS) {
        let path = dir.join(format!("{number}.wav"));
        let noise = signal::noise(17 + u64::from(number), seconds * RATE as usize);
        signal::write_stereo(&path, &noise)?;
        files.push(path);
        played.push(noise.as_chunks::<2>().0.to_vec());
        list += &format!("{number}.wav {how}\n");
    }
    let path = dir.join("list");
    std::fs::write(&path, list)?;
    files.push(path);
    let script = include_str!("../../scripts/delay.sh");
    let (outcome, recording) = go(setup.run(script), &files)?;
    let looks = read(outcome.log("one"))?;
    ensure!(looks.len() == PLAYS.len(), "{} files noted", looks.len());
    let plays = PLAYS.into_iter().zip(&played).zip(&looks);
    let findings = plays.map(|(((_, how), played), looks)| {
        let how = if how.is_empty() { "as it comes" } else { how };
        let result = match exact::find(played, &recording.frames) {
            Match::At(first) => judge(looks, first),
            other => Err(anyhow!("{other}")),
        };
        Finding::of(format!("delay of aplay {how}"), result)
    });
    Ok(findings.collect())
}

/// Two devices of a guest record the same, one with ALSA's default buffer and one with one of 171 ms;
/// what they are told is right within two milliseconds. The card's first frame is the first of the
/// microphone.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn recording(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let path = dir.join("heard.raw");
    let noise = record::microphone(&path, 19, 60)?;
    let script = include_str!("../../scripts/capture.sh");
    let run = setup.run(script).microphone(path);
    let (outcome, heard) = go(run, &[rig::card_watch()?])?;
    let looks = read(outcome.log("one"))?;
    let parts = heard.sounding(RATE as usize / 10);
    let count = RECORDS.len();
    ensure!(
        looks.len() == count && parts.len() == count,
        "{} devices noted, {} recordings",
        looks.len(),
        parts.len()
    );
    let recorded = RECORDS.iter().zip(parts).zip(&looks);
    let findings = recorded.map(|((how, part), looks)| {
        let part = heard.frames.get(part).unwrap_or_default();
        let result = record::within(part, &noise).and_then(|at| judge(looks, at.start));
        Finding::of(format!("delay of arecord {how}"), result)
    });
    Ok(findings.collect())
}

/// The looks at each file.
fn read(log: &str) -> Result<Vec<Vec<Look>>> {
    let mut all: Vec<Vec<Look>> = Vec::new();
    for line in log.lines().map(str::trim) {
        if line.starts_with("FILE ") {
            all.push(Vec::new());
        }
        if let Some(rest) = line.strip_prefix("LOOK ") {
            let words: Vec<i64> = rest
                .split_whitespace()
                .map_while(|word| word.parse().ok())
                .collect();
            let &[before, after, told, appl, delay] = words.as_slice() else {
                bail!("{line}");
            };
            // What is still to be played, or still to be read.
            ensure!((appl - told).abs() == delay, "{line}");
            let look = Look {
                card: [before, after],
                told,
            };
            all.last_mut().context("a look at no file")?.push(look);
        }
    }
    Ok(all)
}

/// How wrong it was, where the guest's first frame is the one that the card fetched after `first`
/// others. Only what is left after whole rounds of the ring can be seen.
fn judge(looks: &[Look], first: usize) -> Result<String> {
    let first = i64::try_from(first)?;
    let sure = looks
        .iter()
        .filter(|look| (look.card[1] - look.card[0]).rem_euclid(RING) <= STEP);
    let wrong: Vec<f64> = sure
        .map(|look| {
            let moved = (look.card[1] - look.card[0]).rem_euclid(RING);
            let ahead = look.told - (look.card[0] - first);
            let ahead = (ahead + RING / 2).rem_euclid(RING) - RING / 2;
            (ahead as f64 - moved as f64 / 2.0) * 1e3 / f64::from(RATE)
        })
        .collect();
    let count = wrong.len();
    ensure!(count >= LOOKS, "{count} of {} looks count", looks.len());
    let mean = wrong.iter().sum::<f64>() / count as f64;
    let most = wrong.iter().copied().fold(f64::MIN, f64::max);
    let least = wrong.iter().copied().fold(f64::MAX, f64::min);
    let within = wrong.iter().filter(|ms| ms.abs() <= MOST_MS).count();
    let text = format!(
        "told {least:+.2} to {most:+.2} ms from where the card is, {mean:+.2} on average; {within} of \
         {count} looks within {MOST_MS} ms"
    );
    ensure!(within == count, "{text}");
    Ok(text)
}
