//! What came of a run.

use super::place::RunDir;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Lines shown of each log when a run failed.
const TAIL: usize = 25;

/// A line of dom0's console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Since the run began, in the host's time.
    pub at: Duration,
    /// Without its end and terminal controls.
    pub text: String,
}

impl Line {
    /// Did Xen, the kernel or the rig say it, not the script?
    #[must_use]
    pub fn is_machine(&self) -> bool {
        let kernel = self
            .text
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'));
        let kernel = kernel.is_some_and(|(time, _)| time.trim().parse::<f64>().is_ok());
        self.text.starts_with("(XEN)") || self.text.starts_with("RIG ") || kernel
    }
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "[{:7.2}] {}", self.at.as_secs_f64(), self.text)
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The script's exit status; 124 if time ran out, 125 if the machine ended without one.
    pub status: i32,
    /// Did time run out?
    pub timed_out: bool,
    /// dom0's console.
    pub lines: Vec<Line>,
    /// What the card played.
    pub wav: PathBuf,
    /// Each domain's console, by name.
    pub logs: BTreeMap<String, String>,
    /// All logs: `serial.log`, `qemu.log`, and dom0's in `share/logs`.
    pub dir: PathBuf,
    /// From the restore to the end, in the host's time.
    pub took: Duration,
    pub(super) _run: RunDir,
}

impl Outcome {
    /// What the script printed, without Xen's and the kernel's lines.
    pub fn said(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter(|line| !line.is_machine())
            .map(|line| line.text.as_str())
    }

    /// The console of the domain called `name`; empty if it never had one.
    #[must_use]
    pub fn log(&self, name: &str) -> &str {
        self.logs.get(name).map_or("", String::as_str)
    }
}

/// The end of every log, for a failed test's message.
impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.timed_out {
            " (time ran out)"
        } else {
            ""
        };
        writeln!(
            out,
            "status {}{how} after {:.1} s",
            self.status,
            self.took.as_secs_f32()
        )?;
        writeln!(out, "--- end of dom0's console")?;
        for line in self
            .lines
            .iter()
            .skip(self.lines.len().saturating_sub(TAIL))
        {
            writeln!(out, "{line}")?;
        }
        for (name, text) in &self.logs {
            writeln!(out, "--- end of {name}'s console")?;
            let lines: Vec<&str> = text.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
                writeln!(out, "{line}")?;
            }
        }
        write!(out, "--- all logs are in {}", self.dir.display())
    }
}
