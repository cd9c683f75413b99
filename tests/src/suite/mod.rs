//! What a whole machine has to show, as checks that tests and `cargo rig suite` share.
//!
//! A check runs a script in dom0, judges what the card's DAC got and what was said, and gives a
//! finding for each feature. [`matrix`] keeps them.

pub mod alsaloop;
pub mod crowd;
pub mod delay;
pub mod kinds;
pub mod latency;
pub mod life;
pub mod matrix;
pub mod programs;
pub mod record;
pub mod restart;
pub mod sound;

use crate::judge::recording::{Frame, Recording};
use crate::rig::{Extra, Outcome, Run, Xen};
use crate::signal;
use anyhow::{Context, Result, ensure};
use matrix::{Finding, Verdict};
use std::fmt;
use std::path::{Path, PathBuf};

/// The kernel that guests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linux {
    /// Debian 12's.
    #[default]
    V6_1,
    /// Debian 13's.
    V6_12,
}

/// What guests are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Virtual {
    /// Paravirtual.
    #[default]
    Pv,
    /// Paravirtual but for the processor and its memory.
    Pvh,
    /// Fully virtual, with a device model.
    Hvm,
}

/// On what a check runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Hypervisor and toolstack.
    pub xen: Xen,
    /// The kernel of the guests.
    pub linux: Linux,
    /// And what they are.
    pub guests: Virtual,
}

impl Setup {
    const fn on(xen: Xen, linux: Linux) -> Self {
        Self {
            xen,
            linux,
            guests: Virtual::Pv,
        }
    }

    const fn with(self, guests: Virtual) -> Self {
        Self { guests, ..self }
    }

    /// Guest kind, kernel, Xen version.
    #[must_use]
    pub fn names(self) -> [&'static str; 3] {
        let kernel = match self.linux {
            Linux::V6_1 => "6.1",
            Linux::V6_12 => "6.12",
        };
        let guests = match self.guests {
            Virtual::Pv => "PV",
            Virtual::Pvh => "PVH",
            Virtual::Hvm => "HVM",
        };
        [guests, kernel, self.xen.name()]
    }

    /// A run of a script with guests as this says.
    #[must_use]
    pub fn run(self, script: &str) -> Run {
        let mut prelude = String::new();
        if self.linux == Linux::V6_12 {
            prelude.push_str("GUEST_KERNEL=/boot/vmlinux-6.12 GUEST_OVER=/boot/linux-6.12.cpio\n");
        }
        match self.guests {
            Virtual::Pv => {}
            Virtual::Pvh => prelude.push_str("GUEST_TYPE=pvh\n"),
            Virtual::Hvm => prelude.push_str("device_model || exit\n"),
        }
        let mut run = Run::new(prelude + script).xen(self.xen);
        if self.guests != Virtual::Pv {
            run = run.hvm();
        }
        if self.guests == Virtual::Hvm {
            run = run.extra(Extra::DeviceModel);
        }
        if self.linux == Linux::V6_12 {
            run = run.extra(Extra::Linux6_12);
        }
        run
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [guest, kernel, xen] = self.names();
        write!(out, "{guest} {kernel} Xen {xen}")
    }
}

/// A check: where it may put its material, and on what it runs.
pub type Check = fn(&Path, Setup) -> Result<Vec<Finding>>;

/// All checks by name.
pub const CHECKS: [(&str, Check); 15] = [
    ("sound", sound::check),
    ("life", life::check),
    ("restart", restart::check),
    ("crash", restart::crash),
    ("cards", sound::cards),
    ("save", life::save),
    ("programs", programs::check),
    ("alsaloop", alsaloop::check),
    ("latency", latency::check),
    ("delay", delay::check),
    ("record", record::check),
    ("capture", delay::recording),
    ("crowd", crowd::check),
    ("crowd32", crowd::small),
    ("kinds", kinds::check),
];

/// What the suite runs: each check on the usual setup, and those that may go wrong elsewhere on the
/// others.
const PLAN: [(&str, Setup); 24] = [
    ("cards", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("life", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("restart", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("crash", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("save", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("programs", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("alsaloop", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("latency", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("delay", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("record", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("record", Setup::on(Xen::V4_17, Linux::V6_12)),
    ("record", Setup::on(Xen::V4_20, Linux::V6_1)),
    ("capture", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("crowd", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("crowd32", Setup::on(Xen::V4_17, Linux::V6_1)),
    ("sound", Setup::on(Xen::V4_17, Linux::V6_12)),
    ("life", Setup::on(Xen::V4_20, Linux::V6_12)),
    ("restart", Setup::on(Xen::V4_20, Linux::V6_12)),
    ("sound", Setup::on(Xen::V4_20, Linux::V6_1)),
    ("sound", Setup::on(Xen::V4_20, Linux::V6_12)),
    (
        "kinds",
        Setup::on(Xen::V4_17, Linux::V6_1).with(Virtual::Pvh),
    ),
    (
        "kinds",
        Setup::on(Xen::V4_17, Linux::V6_12).with(Virtual::Pvh),
    ),
    (
        "kinds",
        Setup::on(Xen::V4_20, Linux::V6_1).with(Virtual::Pvh),
    ),
    (
        "kinds",
        Setup::on(Xen::V4_17, Linux::V6_1).with(Virtual::Hvm),
    ),
];

/// Runs the plan, or only what is named of it, and records it; whether nothing failed.
///
/// # Errors
/// The matrix cannot be written, or no check has that name.
pub fn run(only: &[String], xen: Option<Xen>) -> Result<bool> {
    for name in only {
        let known = CHECKS.iter().any(|(check, _)| check == name);
        ensure!(known, "no check is called {name}");
    }
    let mut good = true;
    for (name, setup) in PLAN {
        let wanted = only.is_empty() || only.iter().any(|check| check == name);
        if !wanted || xen.is_some_and(|xen| xen != setup.xen) {
            continue;
        }
        println!("{name} on {setup}");
        for finding in findings(name, setup)? {
            good &= finding.verdict != Verdict::Fail;
            println!("  {finding}");
        }
    }
    Ok(good)
}

/// Makes one check and records what it found. A check that cannot be made is a finding, too.
///
/// # Errors
/// The matrix cannot be written, or no check has that name.
pub fn findings(name: &str, setup: Setup) -> Result<Vec<Finding>> {
    let check = CHECKS.iter().find(|(check, _)| *check == name);
    let (_, check) = check.with_context(|| format!("no check is called {name}"))?;
    let dir = tempfile::tempdir()?;
    let findings = check(dir.path(), setup).unwrap_or_else(|error| {
        eprintln!("{name} on {setup}: {error:#}");
        vec![Finding::of(name, Err(error))]
    });
    matrix::record(name, setup, &findings)?;
    Ok(findings)
}

/// Runs a script with files for its guests, below `/material`; the script must do well.
fn go(run: Run, files: &[PathBuf]) -> Result<(Outcome, Recording)> {
    let mut run = run.timeout(std::time::Duration::from_secs(2_400));
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        run = run.guest_file(file, format!("/material/{name}"));
    }
    let outcome = run.go()?;
    ensure!(outcome.status == 0, "{outcome}");
    let recording = Recording::read(&outcome.wav)?;
    Ok((outcome, recording))
}

/// Noise in one channel, silence in the other; as frames, and as a WAV or raw file.
fn one_sided(path: &Path, seed: u64, frames: usize, channel: usize) -> Result<Vec<Frame>> {
    let mut samples = signal::noise(seed, frames);
    let others = samples.iter_mut().skip(1 - channel).step_by(2);
    others.for_each(|sample| *sample = 0);
    if path.extension().is_some_and(|end| end == "raw") {
        let octets: Vec<u8> = samples
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        std::fs::write(path, octets)?;
    } else {
        signal::write_stereo(path, &samples)?;
    }
    Ok(keep(samples.as_chunks::<2>().0, channel))
}

/// One channel of frames, as their first.
fn keep(frames: &[Frame], channel: usize) -> Vec<Frame> {
    frames.iter().map(|frame| [frame[channel], 0]).collect()
}

/// What the script said after `start`, line by line.
fn said<'o>(outcome: &'o Outcome, start: &'o str) -> impl Iterator<Item = &'o str> {
    outcome
        .said()
        .filter_map(move |line| line.strip_prefix(start))
}
