//! Everything that one guest's configuration can say, played by ALSA's own programs.

use super::matrix::{Finding, Verdict};
use super::{Setup, go, said};
use crate::judge::exact::{self, Match};
use crate::judge::recording::{RATE, Recording};
use crate::judge::tone::Fit;
use crate::rig::Outcome;
use crate::signal;
use anyhow::{Context, Result, bail, ensure};
use ring_backend::format::SampleFormat as F;
use ring_backend::mix::encode::encode;
use std::f64::consts::TAU;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Formats that xl can name, Linux' frontend knows and that carry samples.
const FORMATS: [F; 16] = [
    F::S8,
    F::U8,
    F::S16Le,
    F::S16Be,
    F::U16Le,
    F::U16Be,
    F::S24Le,
    F::S24Be,
    F::U24Le,
    F::U24Be,
    F::S32Le,
    F::S32Be,
    F::U32Le,
    F::U32Be,
    F::MuLaw,
    F::ALaw,
];
/// Rates that Linux' frontend knows.
const RATES: [u32; 12] = [
    5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 64_000, 96_000, 176_400, 192_000,
];
/// Most channels that are tried.
const CHANNELS: u32 = 8;
/// Hertz and level of every tone; only the first channel has one.
const FREQUENCY: f64 = 1_000.0;
const AMPLITUDE: f64 = 0.25;
/// Seconds of a tone.
const SECONDS: f64 = 0.3;

/// One playback of a tone.
#[derive(Clone, Copy, Debug)]
struct Case {
    format: F,
    rate: u32,
    channels: u32,
}

impl Case {
    /// ALSA's name of the format.
    fn alsa(self) -> String {
        self.format.name().to_uppercase()
    }

    fn octets(self) -> Vec<u8> {
        let frames = (SECONDS * f64::from(self.rate)) as u32;
        let samples: Vec<i32> = (0..frames)
            .flat_map(|frame| {
                let angle = TAU * FREQUENCY * f64::from(frame) / f64::from(self.rate);
                let tone = (AMPLITUDE * angle.sin() * f64::from(i32::MAX)) as i32;
                (0..self.channels).map(move |channel| if channel == 0 { tone } else { 0 })
            })
            .collect();
        let mut octets = vec![0; samples.len() * self.format.octets().unwrap_or(1)];
        encode(self.format, &samples, &mut octets);
        octets
    }
}

fn cases() -> Vec<Case> {
    let all = FORMATS.map(|format| (format, 48_000, 2));
    let rates = RATES.map(|rate| (F::S16Le, rate, 2));
    let channels = (1..=CHANNELS).map(|channels| (F::S16Le, 48_000, channels));
    let all = all.into_iter().chain(rates).chain(channels);
    all.map(|(format, rate, channels)| Case {
        format,
        rate,
        channels,
    })
    .collect()
}

/// A guest plays a file sample for sample.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn check(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let file = dir.join("noise.wav");
    let noise = signal::noise(1, 5 * RATE as usize);
    signal::write_stereo(&file, &noise)?;
    let script = include_str!("../../scripts/one_guest.sh");
    let (_, recording) = go(setup.run(script), &[file])?;
    let result = match exact::find(noise.as_chunks::<2>().0, &recording.frames) {
        Match::At(_) => Ok("sample for sample".to_string()),
        other => Err(anyhow::anyhow!("{other}")),
    };
    Ok(vec![Finding::of("aplay", result)])
}

/// Every format, rate and number of channels; several cards, devices and streams; what a stream
/// inherits; `aplay -v` and `speaker-test` as they come.
///
/// # Errors
/// The machine does not run, or the script fails.
pub fn cards(dir: &Path, setup: Setup) -> Result<Vec<Finding>> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut list = String::new();
    for (number, case) in cases().into_iter().enumerate() {
        let path = dir.join(format!("{number}.raw"));
        fs::write(&path, case.octets())?;
        files.push(path);
        list += &format!("{number} {} {} {}\n", case.alsa(), case.rate, case.channels);
    }
    let path = dir.join("list");
    fs::write(&path, list)?;
    files.push(path);
    let path = dir.join("noise.wav");
    let noise = signal::noise(9, 2 * RATE as usize);
    signal::write_stereo(&path, &noise)?;
    files.push(path);
    let script = include_str!("../../scripts/cards.sh");
    let (outcome, recording) = go(setup.run(script), &files)?;
    let mut findings = played(&outcome, &recording)?;
    findings.push(Finding::of("four PCM devices, six streams", seen(&outcome)));
    findings.push(Finding::of(
        "ALSA's conversion over mmap_emul",
        mended(&outcome),
    ));
    findings.push(Finding {
        feature: "several cards".to_string(),
        verdict: Verdict::Cannot,
        detail: "Linux' driver asks ALSA for card 0, whatever is there: the second is refused"
            .to_string(),
    });
    findings.push(Finding::of(
        "settings inherited by device and stream",
        inherited(&outcome),
    ));
    let noise = noise.as_chunks::<2>().0;
    let heard = match exact::find(noise, &recording.frames) {
        Match::At(_) => xruns(&outcome, "aplay"),
        other => Err(anyhow::anyhow!("{other}")),
    };
    findings.push(Finding::of("aplay -v", heard));
    findings.push(Finding::of("speaker-test", speaker(&outcome, &recording)));
    Ok(findings)
}

/// One finding for all formats, one for all rates, one for all numbers of channels.
fn played(outcome: &Outcome, recording: &Recording) -> Result<Vec<Finding>> {
    let left = recording.channel(0);
    // A pause of a tenth of a second lies between two.
    let stretches: Vec<Range<usize>> = recording
        .sounding(RATE as usize / 20)
        .into_iter()
        .filter(|stretch| stretch.len() > RATE as usize / 5)
        .collect();
    let cases = cases();
    let mut faults = [Vec::new(), Vec::new(), Vec::new()];
    let mut next = stretches.iter();
    for (number, case) in cases.iter().enumerate() {
        let group = usize::from(number >= FORMATS.len())
            + usize::from(number >= FORMATS.len() + RATES.len());
        let group = faults.get_mut(group).context("three groups")?;
        let name = format!("{} {} x{}", case.alsa(), case.rate, case.channels);
        let status = format!("CASE {number} ");
        let log = outcome.log("one").lines();
        let status = log
            .filter_map(|line| line.trim().strip_prefix(&status))
            .next();
        if status != Some("0") {
            group.push(format!(
                "{name}: aplay ended with {}",
                status.unwrap_or("nothing")
            ));
            continue;
        }
        let stretch = next.next().with_context(|| format!("{name}: not heard"))?;
        let middle = stretch.start + stretch.len() / 4..stretch.end - stretch.len() / 4;
        let fit = Fit::new(&left[middle], &[FREQUENCY]);
        let snr = fit.snr_db(0);
        // 8 bits have 50 dB; the laws about 37 at this level.
        if snr < 30.0 {
            group.push(format!(
                "{name}: {:.1} dBFS, SNR {snr:.1} dB",
                fit.level_db(0)
            ));
        }
    }
    let names = ["formats", "rates", "numbers of channels"];
    let counts = [FORMATS.len(), RATES.len(), CHANNELS as usize];
    let findings = faults
        .into_iter()
        .zip(names)
        .zip(counts)
        .map(|((faults, name), count)| {
            let result = if faults.is_empty() {
                Ok(format!("all {count} heard"))
            } else {
                Err(anyhow::anyhow!("{}", faults.join("; ")))
            };
            Finding::of(format!("every one of the {name}"), result)
        });
    Ok(findings.collect())
}

/// The guest saw what was configured.
fn seen(outcome: &Outcome) -> Result<String> {
    let log = outcome.log("two");
    let pcms: Vec<&str> = log
        .lines()
        .filter_map(|line| line.trim().strip_prefix("PCM "))
        .collect();
    ensure!(pcms.len() == 4, "{pcms:?}");
    let streams: usize = pcms
        .iter()
        .flat_map(|pcm| pcm.split(" : "))
        .filter_map(|part| {
            part.split_once("playback ")
                .or_else(|| part.split_once("capture "))
        })
        .filter_map(|(_, count)| count.trim().parse::<usize>().ok())
        .sum();
    ensure!(streams == 6, "{streams} streams: {pcms:?}");
    let played = log.lines().filter(|line| line.trim() == "PLAYED 0").count();
    ensure!(played == 5, "{played} of 5 played");
    Ok(pcms.join("; "))
}

/// ALSA converts where its configuration says so; without that word it cannot, which is the reason
/// to let the audio domain convert.
fn mended(outcome: &Outcome) -> Result<String> {
    let status = |mark: &str| {
        let log = outcome.log("two").lines();
        let mut lines = log.filter_map(|line| line.trim().strip_prefix(mark));
        lines.next().map(str::to_string)
    };
    ensure!(status("MENDED ").as_deref() == Some("0"), "not played");
    let plain = status("PLUGHW ").context("plughw was not tried")?;
    Ok(format!(
        "played; plughw without it {}",
        if plain == "0" { "as well" } else { "cannot" }
    ))
}

/// Each stream offers what the nearest level above it says.
fn inherited(outcome: &Outcome) -> Result<String> {
    let offered = |pcm: &str, key: &str| -> Result<String> {
        let mark = format!("OFFERS {pcm} ");
        let log = outcome.log("two").lines();
        let mut lines = log.filter_map(|line| line.trim().strip_prefix(&mark));
        let line = lines.find_map(|line| line.strip_prefix(&format!("{key}:")));
        Ok(line
            .with_context(|| format!("{pcm} offers no {key}"))?
            .trim()
            .to_string())
    };
    for (pcm, key, wanted) in [
        // The card's own.
        ("0,0", "RATE", "[44100 48000]"),
        ("0,0", "CHANNELS", "[1 2]"),
        // The device's.
        ("0,1", "CHANNELS", "1"),
        ("0,1", "RATE", "[44100 48000]"),
        // The stream's, on top of the card's.
        ("0,2", "RATE", "44100"),
        ("0,2", "CHANNELS", "[1 2]"),
        ("0,3", "RATE", "48000"),
    ] {
        let is = offered(pcm, key)?;
        ensure!(is == wanted, "{pcm} offers {key} {is}, not {wanted}");
    }
    Ok("as configured".to_string())
}

/// What the audio domain counted for a program.
pub(super) fn xruns(outcome: &Outcome, program: &str) -> Result<String> {
    let start = format!("STREAM {program} ");
    let line = said(outcome, &start)
        .next()
        .context("no line of its stream")?;
    ensure!(line.contains(" xruns=0 "), "{line}");
    Ok("no xrun".to_string())
}

/// speaker-test's tone stands in one channel, then in the other.
fn speaker(outcome: &Outcome, recording: &Recording) -> Result<String> {
    let sounds = |channel: usize| {
        let samples = recording.channel(channel);
        let other = recording.channel(1 - channel);
        let blocks = samples.chunks_exact(480).zip(other.chunks_exact(480));
        blocks
            .filter(|(own, other)| {
                other.iter().all(|sample| *sample == 0.0)
                    && Fit::new(own, &[440.0]).snr_db(0) > 30.0
            })
            .count()
    };
    let blocks = [sounds(0), sounds(1)];
    if blocks.iter().any(|&blocks| blocks < 100) {
        bail!("440 Hz stand alone for {blocks:?} hundredths of a second");
    }
    xruns(outcome, "speaker-test")
}
