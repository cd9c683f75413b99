//! One run: a script in dom0 of a restored machine.

use super::build;
use super::console::{Console, Silence};
use super::extra::{self, Extra};
use super::machine::Machine;
use super::outcome::{Line, Outcome};
use super::place::{self, RunDir};
use super::snapshot::{Snapshot, snapshot};
use super::{Kind, Xen, microphone};
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

/// Where scripts that need it find a guest of a few pages.
const STAND_IN: &str = "/boot/stand-in";
/// Time for a restored machine to be told to go on.
const RESTORE: Duration = Duration::from_secs(60);
/// Time for dom0 to hand over its logs when a run hangs.
const DUMP: Duration = Duration::from_secs(60);
/// Time from the script's end to power off.
const POWER_OFF: Duration = Duration::from_secs(60);

/// A run to be made.
#[derive(Clone, Debug)]
pub struct Run {
    script: String,
    files: Vec<(PathBuf, String)>,
    extras: Vec<Extra>,
    kind: Kind,
    wav: Option<PathBuf>,
    heard: Option<PathBuf>,
    kernel: Option<PathBuf>,
    needs_kernel: bool,
    timeout: Duration,
    echo: Option<bool>,
}

impl Run {
    /// A run of the shell `script` in dom0, with what `dom0/lib.sh` defines at hand.
    #[must_use]
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            files: Vec::new(),
            extras: Vec::new(),
            kind: Kind::default(),
            wav: None,
            heard: None,
            kernel: None,
            needs_kernel: true,
            timeout: Duration::from_secs(300),
            echo: None,
        }
    }

    /// Gives every guest a copy of the host's file at this absolute path.
    #[must_use]
    pub fn guest_file(mut self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        self.files.push((host.into(), guest.into()));
        self
    }

    /// Puts an extra of guests into dom0's `/boot`.
    #[must_use]
    pub fn extra(mut self, extra: Extra) -> Self {
        self.extras.push(extra);
        self
    }

    /// Boots this Xen.
    #[must_use]
    pub fn xen(mut self, xen: Xen) -> Self {
        self.kind.xen = xen;
        self
    }

    /// Lets time pass as on the host instead of counting instructions: audio is heard, not compared.
    #[must_use]
    pub fn realtime(mut self) -> Self {
        self.kind.realtime = true;
        self
    }

    /// Gives the machine a card that can record, too.
    #[must_use]
    pub fn duplex(mut self) -> Self {
        self.kind.duplex = true;
        self
    }

    /// Gives it one that records this file of 16-bit stereo at 48 kHz, from the first time on that
    /// it listens.
    #[must_use]
    pub fn microphone(mut self, heard: impl Into<PathBuf>) -> Self {
        self.heard = Some(heard.into());
        self.duplex()
    }

    /// Gives the machine a processor with AVX2.
    #[must_use]
    pub fn avx2(mut self) -> Self {
        self.kind.avx2 = true;
        self
    }

    /// Gives the machine a processor that helps guests which are not paravirtual.
    #[must_use]
    pub fn hvm(mut self) -> Self {
        self.kind.hvm = true;
        self
    }

    /// Puts what the card played here.
    #[must_use]
    pub fn wav(mut self, path: impl Into<PathBuf>) -> Self {
        self.wav = Some(path.into());
        self
    }

    /// Uses this audio domain image instead of building one.
    #[must_use]
    pub fn kernel(mut self, elf: impl Into<PathBuf>) -> Self {
        self.kernel = Some(elf.into());
        self
    }

    /// Builds no audio domain image: the script does not need it.
    #[must_use]
    pub fn without_audiodom(mut self) -> Self {
        self.needs_kernel = false;
        self
    }

    /// Ends the run after this much of the host's time, preparation not counted.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Shows the script's output on stdout as it comes, or all of dom0's console if `verbose`.
    #[must_use]
    pub fn echo(mut self, verbose: bool) -> Self {
        self.echo = Some(verbose);
        self
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Makes the run. The script's own failure is an outcome, not an error.
    ///
    /// # Errors
    /// The machine cannot be built or started, or the run was interrupted.
    pub fn go(&self) -> Result<Outcome> {
        let root = place::root()?;
        let snapshot = snapshot(&root, self.kind)?;
        let _slot = place::slot(&root)?;
        let run = self.prepare(&root)?;
        fs::write(run.path.join("share/mode"), "script\n")?;
        fs::write(run.path.join("share/script.sh"), &self.script)?;
        let began = Instant::now();
        let (mut machine, stdin, stdout) = resume(&snapshot, &run)?;
        let console = Console::new(stdout, &run.path.join("serial.log"))?;
        let end = began + self.timeout;
        let mut lines = Vec::new();
        let silence = loop {
            match console.line(end) {
                Ok((at, text)) => {
                    let done = text.starts_with("RIG EXIT");
                    self.take(
                        &mut lines,
                        Line {
                            at: at - began,
                            text,
                        },
                    );
                    if done {
                        break None;
                    }
                }
                Err(silence) => break Some(silence),
            }
        };
        if silence == Some(Silence::TimedOut) {
            dump(&mut machine, stdin, &console);
        } else if silence.is_none() && !machine.ended(POWER_OFF) {
            eprintln!("rig: dom0 did not power off");
        }
        machine.stop();
        if silence == Some(Silence::Interrupted) {
            bail!("interrupted; logs are in {}", run.path.display());
        }
        self.outcome(run, lines, silence, began)
    }

    fn take(&self, lines: &mut Vec<Line>, line: Line) {
        if self
            .echo
            .is_some_and(|verbose| verbose || !line.is_machine())
        {
            // Whoever listened may be gone; the run goes on.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        lines.push(line);
    }

    /// Fills the run's shared directory.
    pub(super) fn prepare(&self, root: &Path) -> Result<RunDir> {
        let kernel = self.image()?;
        let run = place::run_dir(root)?;
        let share = run.path.join("share");
        let guest = share.join("guest");
        fs::create_dir_all(&guest)?;
        for (host, path) in &self.files {
            let to = guest.join(path.trim_start_matches('/'));
            ensure!(
                !path.split('/').any(|part| part == ".."),
                "{path} is no path in a guest"
            );
            fs::create_dir_all(to.parent().context("a file needs a name")?)?;
            fs::copy(host, &to).with_context(|| format!("copying {}", host.display()))?;
        }
        for &extra in &self.extras {
            let boot = share.join("boot");
            fs::create_dir_all(&boot)?;
            for file in fs::read_dir(extra::extra(root, extra)?)?.flatten() {
                fs::hard_link(file.path(), boot.join(file.file_name()))?;
            }
        }
        if let Some(kernel) = kernel {
            let to = share.join("audiodom");
            fs::copy(&kernel, to).with_context(|| format!("copying {}", kernel.display()))?;
        }
        // Only for the shell and for scripts that use it: every octet that dom0 copies takes time.
        if self.script.is_empty() || self.script.contains("audioctl") {
            fs::copy(build::audioctl()?, share.join("audioctl")).context("copying audioctl")?;
        }
        if self.script.contains(STAND_IN) {
            let boot = share.join("boot");
            fs::create_dir_all(&boot)?;
            fs::copy(build::stand_in()?, boot.join("stand-in"))
                .context("copying the small guest")?;
        }
        if let Some(heard) = &self.heard {
            fs::copy(heard, run.path.join(microphone::HEARD))
                .with_context(|| format!("copying {}", heard.display()))?;
        }
        fs::write(share.join("lib.sh"), include_str!("dom0/lib.sh"))?;
        fs::write(share.join("session.sh"), include_str!("dom0/session.sh"))?;
        fs::write(share.join("guest.cfg"), include_str!("dom0/guest.cfg"))?;
        fs::write(share.join("audio-dom.cfg"), audio_dom_cfg()?)?;
        Ok(run)
    }

    /// The audio domain's ELF, built if none was named.
    fn image(&self) -> Result<Option<PathBuf>> {
        if self.kernel.is_some() || !self.needs_kernel {
            return Ok(self.kernel.clone());
        }
        build::image().map(Some)
    }

    fn outcome(
        &self,
        run: RunDir,
        lines: Vec<Line>,
        silence: Option<Silence>,
        began: Instant,
    ) -> Result<Outcome> {
        let status = fs::read_to_string(run.path.join("share/status"))
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let mut logs = BTreeMap::new();
        for entry in fs::read_dir(run.path.join("share/logs"))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(name) = name
                .strip_prefix("guest-")
                .and_then(|name| name.strip_suffix(".log"))
            {
                let text = fs::read(entry.path())?;
                logs.insert(
                    name.to_string(),
                    String::from_utf8_lossy(&text).replace('\r', ""),
                );
            }
        }
        let mut wav = run.path.join("card.wav");
        if let Some(to) = &self.wav {
            fs::copy(&wav, to)
                .with_context(|| format!("copying the recording to {}", to.display()))?;
            wav.clone_from(to);
        }
        let took = began.elapsed();
        let dir = run.path.clone();
        let status = status.unwrap_or(if silence == Some(Silence::TimedOut) {
            124
        } else {
            125
        });
        Ok(Outcome {
            status,
            timed_out: silence == Some(Silence::TimedOut),
            lines,
            wav,
            logs,
            dir,
            took,
            _run: run,
        })
    }
}

/// The project's own configuration of the audio domain, with the image where dom0 has it.
fn audio_dom_cfg() -> Result<String> {
    let path = place::checkout().join("boot/audio-dom.cfg");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().map(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        if name == "kernel" {
            "kernel = \"/boot/audiodom\""
        } else {
            line
        }
    });
    Ok(lines.collect::<Vec<_>>().join("\n") + "\n")
}

/// A restored machine that has been told to go on, and its console's two ends.
pub(super) fn resume(
    snapshot: &Snapshot,
    run: &RunDir,
) -> Result<(Machine, ChildStdin, ChildStdout)> {
    let (mut machine, mut stdin, stdout) =
        Machine::start(&snapshot.parts, &run.path, Some(&snapshot.state))?;
    machine.qmp.await_status(
        "query-status",
        &["paused", "prelaunch", "postmigrate"],
        RESTORE,
    )?;
    // Sent before time goes on, the word arrives at the same instant of every run.
    stdin.write_all(b"\n")?;
    stdin.flush()?;
    for _ in 0..3 {
        machine.qmp.command("query-status", json!({}))?;
    }
    machine.qmp.command("cont", json!({}))?;
    Ok((machine, stdin, stdout))
}

/// Asks dom0, and if it is silent Xen itself, what they are doing.
fn dump(machine: &mut Machine, mut stdin: ChildStdin, console: &Console) {
    let _ = stdin.write_all(b"dump\n").and_then(|()| stdin.flush());
    let end = Instant::now() + DUMP;
    while let Ok((_, line)) = console.line(end) {
        if line.starts_with("RIG DUMPED") {
            return;
        }
    }
    // Three times Ctrl-A turns the serial port to Xen; then registers of all domains and its queues.
    let _ = stdin
        .write_all(b"\x01\x01\x010dqr")
        .and_then(|()| stdin.flush());
    let end = Instant::now() + Duration::from_secs(3);
    while console.line(end).is_ok() {}
    let _ = machine.qmp.command("query-status", json!({}));
}
