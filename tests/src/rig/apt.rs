//! apt with a state of its own: lists, status and cache are the rig's.
//!
//! The host's hooks are left out (they would clean the host's caches), its ways to the network
//! (proxies, retries, credentials) are kept.

use super::debs::{Origin, Set};
use super::sources::Mirrors;
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Lists younger than this are not fetched again.
const LISTS_FRESH: Duration = Duration::from_secs(3600);

/// A package file as apt announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deb {
    pub(super) name: String,
    version: String,
    pub(super) file: String,
    octets: u64,
}

/// apt with a state of its own.
pub(super) struct Apt {
    dir: PathBuf,
    origin: Origin,
}

impl Apt {
    pub(super) fn new(root: &Path, origin: Origin) -> Result<Self> {
        let name = origin.suite.unwrap_or(origin.release);
        let sources = Mirrors::of_host()?.lines(origin.release, origin.suite.is_some());
        Self::at(root.join("apt").join(name), origin, &sources)
    }

    /// The same for source packages, which not every mirror has.
    pub(super) fn of_sources(root: &Path, origin: Origin) -> Result<Self> {
        let name = format!("{}-source", origin.release);
        let sources = Mirrors::of_host()?.source_lines(origin.release);
        Self::at(root.join("apt").join(name), origin, &sources)
    }

    fn at(dir: PathBuf, origin: Origin, sources: &str) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial", "state"] {
            fs::create_dir_all(dir.join(part))?;
        }
        let status = dir.join("state/status");
        if !status.exists() {
            fs::write(&status, "")?;
        }
        fs::write(dir.join("sources.list"), sources)?;
        fs::write(dir.join("apt.conf"), configuration(&dir))?;
        Ok(Self { dir, origin })
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command
            .env("APT_CONFIG", self.dir.join("apt.conf"))
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }

    pub(super) fn update(&self) -> Result<()> {
        let stamp = self.dir.join("updated");
        let age = fs::metadata(&stamp)
            .and_then(|meta| meta.modified())
            .map(|at| SystemTime::now().duration_since(at));
        if matches!(age, Ok(Ok(age)) if age < LISTS_FRESH) {
            return Ok(());
        }
        let spinner = ProgressBar::new_spinner()
            .with_message(format!("apt lists of {}", self.origin.release));
        spinner.enable_steady_tick(Duration::from_millis(120));
        let done = run(self.command("apt-get").args([
            "update",
            "-q",
            "-o",
            "APT::Update::Error-Mode=any",
        ]));
        spinner.finish_and_clear();
        done.context("apt-get update with the host's mirrors failed")?;
        fs::write(stamp, "")?;
        Ok(())
    }

    /// Names, versions and sizes of the packages of `set`.
    pub(super) fn plan(&self, set: &Set) -> Result<Vec<Deb>> {
        let mut names: Vec<String> = set.packages.iter().map(ToString::to_string).collect();
        if set.name.starts_with("xen") {
            names.extend(super::debs::LIBRARIES.iter().map(ToString::to_string));
        }
        for name in &mut names {
            if let Some(real) = name
                .starts_with("linux-image")
                .then(|| self.kernel(name))
                .transpose()?
            {
                *name = real;
            }
        }
        let mut command = self.command("apt-get");
        command.args(["-qq", "--print-uris"]);
        if let Some(suite) = self.origin.suite {
            command.args(["-t", suite]);
        }
        if set.closure {
            command.args(["-y", "--no-install-recommends", "install"]);
        } else {
            command.arg("download");
        }
        let mut debs = announced(&run(command.args(&names))?);
        if set.closure {
            let own = |name: &str| {
                ["qemu-", "seabios", "ipxe-"]
                    .iter()
                    .any(|start| name.starts_with(start))
            };
            debs.retain(|deb| {
                deb.name.starts_with("lib") || deb.name == "zlib1g" || own(&deb.name)
            });
        }
        ensure!(!debs.is_empty(), "apt announces no file for {names:?}");
        Ok(debs)
    }

    /// The newest kernel package behind the metapackage.
    fn kernel(&self, meta: &str) -> Result<String> {
        let text = run(self.command("apt-cache").args(["depends", meta]))?;
        let found = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
        found
            .map(|rest| format!("linux-image-{rest}"))
            .with_context(|| format!("{meta} names no kernel"))
    }

    /// Fetches the files of a source package, checked against what the mirror signed.
    pub(super) fn source(&self, package: &str, into: &Path) -> Result<()> {
        let mut command = self.command("apt-get");
        command.args(["-qq", "source", "--download-only", package]);
        run(command.current_dir(into)).map(|_| ())
    }

    pub(super) fn download(&self, set: &str, debs: &[Deb], into: &Path) -> Result<()> {
        let total = debs.iter().map(|deb| deb.octets).sum();
        let release = self.origin.suite.unwrap_or(self.origin.release);
        eprintln!(
            "rig: downloading {} packages of {release} for {set}, {} MB",
            debs.len(),
            total / 1_000_000
        );
        let mut command = self.command("apt-get");
        command
            .args(["-qq", "download"])
            .current_dir(into)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .args(
                debs.iter()
                    .map(|deb| format!("{}={}", deb.name, deb.version)),
            )
            .spawn()?;
        let bar = ProgressBar::new(total).with_style(
            ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        while child.try_wait()?.is_none() {
            bar.set_position(octets_in(into));
            std::thread::sleep(Duration::from_millis(100));
        }
        bar.finish_and_clear();
        let output = child.wait_with_output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "apt-get download failed:\n{told}");
        for deb in debs {
            let size = fs::metadata(into.join(&deb.file)).map_or(0, |meta| meta.len());
            ensure!(
                size == deb.octets,
                "{} has {size} octets, not {}",
                deb.file,
                deb.octets
            );
        }
        Ok(())
    }
}

/// apt's configuration: private paths, none of the host's hooks, but its way to the network.
fn configuration(dir: &Path) -> String {
    let dumped = Command::new("apt-config").arg("dump").output();
    let host = dumped
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let mut lines: Vec<String> = [
        "http",
        "https",
        "ftp",
        "Retries",
        "Check-Date",
        "Check-Valid-Until",
    ]
    .iter()
    .flat_map(|name| {
        let start = format!("Acquire::{name}");
        host.lines()
            .filter(move |line| line.starts_with(&start))
            .map(str::to_string)
            .collect::<Vec<_>>()
    })
    .collect();
    let at = |part: &str| dir.join(part).display().to_string();
    for (name, value) in [
        ("Dir::State", at("state")),
        ("Dir::State::status", at("state/status")),
        ("Dir::State::Lists", at("lists")),
        ("Dir::Cache", at("cache")),
        ("Dir::Etc::SourceList", at("sources.list")),
        ("Dir::Etc::SourceParts", "/dev/null".to_string()),
        ("Dir::Etc::Parts", "/dev/null".to_string()),
        ("Dir::Etc::main", "/dev/null".to_string()),
        ("Dir::Etc::preferences", "/dev/null".to_string()),
        ("Dir::Etc::preferencesparts", "/dev/null".to_string()),
        ("APT::Architecture", "amd64".to_string()),
        ("APT::Architectures", "amd64".to_string()),
        ("APT::Install-Recommends", "false".to_string()),
        ("APT::Sandbox::User", String::new()),
        ("Acquire::Languages", "none".to_string()),
        ("Acquire::GzipIndexes", "true".to_string()),
    ] {
        lines.push(format!("{name} \"{value}\";"));
    }
    lines.join("\n") + "\n"
}

/// Lines like `'URI' FILE SIZE HASH`.
fn announced(text: &str) -> Vec<Deb> {
    let mut debs = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('\'')) {
        let mut words = line.split_whitespace().skip(1);
        let (Some(file), Some(octets)) = (words.next(), words.next()) else {
            continue;
        };
        let mut parts = file.split('_');
        let (Some(name), Some(version), Ok(octets)) = (parts.next(), parts.next(), octets.parse())
        else {
            continue;
        };
        let version = version
            .replace("%3a", ":")
            .replace("%2b", "+")
            .replace("%7e", "~");
        debs.push(Deb {
            name: name.to_string(),
            version,
            file: file.to_string(),
            octets,
        });
    }
    debs
}

fn octets_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|meta| meta.len())
        .sum()
}

/// Runs a tool to its end; its complaint becomes the error.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{:?}: {}\n{}",
        command.get_program(),
        output.status,
        told.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_announces_is_read_with_epochs_unescaped() {
        let text =
            "Reading...\n'http://m/pool/q_1%3a10.0_amd64.deb' q_1%3a10.0_amd64.deb 12 SHA256:00\n";
        let expected = Deb {
            name: "q".into(),
            version: "1:10.0".into(),
            file: "q_1%3a10.0_amd64.deb".into(),
            octets: 12,
        };
        assert_eq!(announced(text), [expected]);
    }
}
