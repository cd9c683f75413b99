//! The machine as it is once dom0's toolstack is up, saved so that no run has to boot.

use super::console::{Console, Silence};
use super::machine::{Machine, Parts};
use super::{Kind, images, place};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for the first boot, on a loaded host.
const BOOT: Duration = Duration::from_secs(420);
/// Time to write the state.
const SAVE: Duration = Duration::from_secs(120);

/// A saved machine and what it needs to go on.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The parts it was made of.
    pub parts: Parts,
    /// QEMU's migration stream.
    pub state: PathBuf,
    /// Keeps it from being forgotten.
    _held: Arc<File>,
}

/// Gives the saved machine of this kind, making it if there is none that fits.
///
/// Processes that ask at the same time make it once.
///
/// # Errors
/// It does not boot; says where the logs are.
pub fn snapshot(root: &Path, kind: Kind) -> Result<Snapshot> {
    let _guard = place::lock(root)?;
    let parts = Parts::gather(root, kind)?;
    let clock = if kind.realtime { "realtime" } else { "icount" };
    let card = if kind.duplex { "duplex" } else { "output" };
    let cpu = match (kind.hvm, kind.avx2) {
        (true, _) => "hvm",
        (_, true) => "avx2",
        _ => "qemu64",
    };
    let prefix = format!("snapshot-{}-{clock}-{card}-{cpu}-", kind.xen.name());
    let dir = root.join(format!("{prefix}{}", parts.key()));
    let state = dir.join("state");
    if !dir.exists() {
        images::forget_older(root, &prefix, "state");
        place::whole(&dir, |partial| make(root, &parts, partial))?;
    }
    let held = Arc::new(place::hold(&state)?);
    Ok(Snapshot {
        parts,
        state,
        _held: held,
    })
}

fn make(root: &Path, parts: &Parts, into: &Path) -> Result<()> {
    let began = Instant::now();
    eprintln!("rig: booting the machine once to save it; later runs start from there");
    let run = place::run_dir(root)?;
    let (mut machine, _stdin, stdout) = Machine::start(parts, &run.path, None)?;
    let console = Console::new(stdout, &run.path.join("serial.log"))?;
    let mut last = Vec::new();
    loop {
        match console.line(began + BOOT) {
            Ok((_, line)) if line.contains("RIG READY") => break,
            Ok((_, line)) => last.push(line),
            Err(silence) => {
                machine.stop();
                let why = match silence {
                    Silence::Ended => "ended",
                    Silence::TimedOut => "did not come up in time",
                    Silence::Interrupted => "was interrupted",
                };
                let tail = last.split_off(last.len().saturating_sub(20)).join("\n");
                bail!(
                    "the machine {why}; all it said is in {}:\n{tail}",
                    run.path.display()
                );
            }
        }
    }
    // dom0 has asked for input by the time this sleep ends, also in a slow machine.
    std::thread::sleep(Duration::from_secs(1));
    machine.qmp.command("stop", json!({}))?;
    machine.qmp.command(
        "migrate",
        json!({ "uri": parts.kind().saved_in("saved", ">") }),
    )?;
    let status = machine
        .qmp
        .await_status("query-migrate", &["completed", "failed"], SAVE)?;
    machine.stop();
    if status != "completed" {
        bail!(
            "QEMU could not save the machine; its log is in {}",
            run.path.display()
        );
    }
    fs::rename(run.path.join("saved"), into.join("state")).context("keeping the saved machine")?;
    eprintln!("rig: saved after {:.0} s", began.elapsed().as_secs_f32());
    Ok(())
}
