//! Where the rig keeps what it fetched, built and recorded.
//!
//! Everything lies under `target/rig`, so `cargo clean` removes it and nothing else is touched.
//! `AUDIODOM_RIG` names another directory.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for another process that is preparing the same things.
const PREPARING: Duration = Duration::from_secs(1800);
/// Memory of the host for each machine, QEMU's own included.
const MACHINE_MIB: usize = 2048;
/// Directories of finished runs that are kept.
const RUNS_KEPT: usize = 24;

/// The checkout this crate was built from.
#[must_use]
pub fn checkout() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// The rig's own directory, made if missing.
///
/// # Errors
/// It cannot be made.
pub fn root() -> Result<PathBuf> {
    let root = std::env::var_os("AUDIODOM_RIG")
        .map_or_else(|| checkout().join("target/rig"), PathBuf::from);
    fs::create_dir_all(&root).with_context(|| format!("making {}", root.display()))?;
    Ok(root.canonicalize()?)
}

/// A lock held until dropped; the kernel drops it with the process.
#[derive(Debug)]
pub struct Guard(#[expect(dead_code, reason = "held, not read")] File);

/// Waits until no other process prepares things under `root`.
///
/// # Errors
/// The other one does not finish within half an hour.
pub fn lock(root: &Path) -> Result<Guard> {
    let path = root.join("lock");
    let file = File::create(&path)?;
    let end = Instant::now() + PREPARING;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Guard(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {}
            Err(TryLockError::WouldBlock) => {
                bail!("{} is still held by another run", path.display())
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if !told {
            eprintln!("rig: another run is preparing the machine; waiting for it");
            told = true;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Opens a file so that others see it is in use, until it is closed.
///
/// # Errors
/// It is missing.
pub fn hold(path: &Path) -> Result<File> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    file.lock_shared()?;
    Ok(file)
}

/// Waits for room to run one more machine: each wants a processor and its memory.
///
/// # Errors
/// The others do not finish within half an hour.
pub fn slot(root: &Path) -> Result<Guard> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let slots = processors.min(memory_mib() / MACHINE_MIB).max(1);
    let end = Instant::now() + PREPARING;
    loop {
        for slot in 0..slots {
            let file = File::create(root.join(format!("slot-{slot}")))?;
            if file.try_lock().is_ok() {
                return Ok(Guard(file));
            }
        }
        if Instant::now() > end {
            bail!("{slots} other machines are still running");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The host's memory.
fn memory_mib() -> usize {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .map_or(0, |kib: usize| kib / 1024)
}

/// One run's directory; another run's sweep leaves it alone while this lives.
#[derive(Debug)]
pub struct RunDir {
    /// Where it is.
    pub path: PathBuf,
    _guard: Guard,
}

/// Makes a directory for one run and forgets the oldest finished ones.
///
/// # Errors
/// The file system refuses.
pub fn run_dir(root: &Path) -> Result<RunDir> {
    let runs = root.join("runs");
    fs::create_dir_all(&runs)?;
    sweep(&runs);
    let path = tempfile::Builder::new()
        .prefix(&format!("{}-", stamp()))
        .tempdir_in(&runs)?
        .keep();
    let file = File::create(path.join("lock"))?;
    file.lock()?;
    fs::create_dir_all(path.join("share/logs"))?;
    Ok(RunDir {
        path,
        _guard: Guard(file),
    })
}

/// Seconds since 1970: names sort by age.
fn stamp() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Removes the oldest runs; whatever is in use or refuses stays.
fn sweep(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let surplus = paths.len().saturating_sub(RUNS_KEPT);
    for path in paths.into_iter().take(surplus) {
        let busy = File::open(path.join("lock")).is_ok_and(|file| file.try_lock().is_err());
        if !busy {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// A short name for everything in `parts`: the same parts, the same name.
#[must_use]
pub fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Fills a directory under a temporary name, then gives it its own: it is whole or absent.
///
/// # Errors
/// Whatever `fill` reports.
pub fn whole(target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let partial = target.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)?;
    fill(&partial)?;
    fs::rename(&partial, target)?;
    Ok(())
}
