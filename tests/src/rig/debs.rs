//! Debian packages: fetched with apt's own tools, unpacked, never installed.
//!
//! apt runs with a private state (lists, status, cache) so the host's is neither read nor changed.
//! The host's hooks are left out, its ways to the network (proxies, credentials) are kept.

use super::place;
use super::sources::Mirrors;
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Lists younger than this are not fetched again.
const LISTS_FRESH: Duration = Duration::from_secs(3600);
const LIBRARIES: &[&str] = &[
    "libxencall1",
    "libxendevicemodel1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenhypfs1",
    "libxenstore4",
    "libxentoolcore1",
    "libxentoollog1",
    "libyajl2",
    "xenstore-utils",
    "libc6",
    "libgcc-s1",
    "libuuid1",
    "zlib1g",
    "liblzma5",
    "libzstd1",
];

/// Packages that are used together, unpacked into one tree.
#[derive(Clone, Debug)]
pub struct Set {
    name: &'static str,
    /// Tried in this order.
    from: &'static [Origin],
    packages: &'static [&'static str],
    /// Also what these depend on: libraries only.
    closure: bool,
}

#[derive(Clone, Copy, Debug)]
struct Origin {
    release: &'static str,
    /// The suite to prefer, if not the release itself.
    suite: Option<&'static str>,
}

const BOOKWORM: Origin = Origin {
    release: "bookworm",
    suite: None,
};
const BACKPORTS: Origin = Origin {
    release: "bookworm",
    suite: Some("bookworm-backports"),
};
const TRIXIE: Origin = Origin {
    release: "trixie",
    suite: None,
};

/// QEMU 10 and its libraries: independent of what the host has installed.
pub const QEMU: Set = Set {
    name: "qemu",
    from: &[BACKPORTS, TRIXIE],
    packages: &["qemu-system-x86"],
    closure: true,
};
/// Xen 4.17 and its toolstack.
pub const XEN_4_17: Set = Set {
    name: "xen-4.17",
    from: &[BOOKWORM],
    packages: &[
        "xen-utils-4.17",
        "libxenmisc4.17",
        "xen-hypervisor-4.17-amd64",
    ],
    closure: false,
};
/// Xen 4.20 and its toolstack.
pub const XEN_4_20: Set = Set {
    name: "xen-4.20",
    from: &[TRIXIE],
    packages: &[
        "xen-utils-4.20",
        "libxenmisc4.20",
        "xen-hypervisor-4.20-amd64",
    ],
    closure: false,
};
/// What Linux guests and dom0 consist of. The kernel's package is found through its metapackage.
pub const LINUX: Set = Set {
    name: "linux",
    from: &[BOOKWORM],
    packages: &[
        "linux-image-amd64",
        "busybox-static",
        "alsa-utils",
        "libasound2",
        "libasound2-data",
        "libc6",
    ],
    closure: false,
};

/// An unpacked set.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// Where its files are.
    pub root: PathBuf,
    /// The packages it was made of, one file name a line.
    pub manifest: String,
}

/// Gives the unpacked `set`, fetching it if this is the first time.
///
/// # Errors
/// No mirror, no network, no such package; says which.
pub fn unpacked(root: &Path, set: &Set) -> Result<Unpacked> {
    let tree = root.join("debs").join(set.name);
    if !tree.exists() {
        fetch(root, set, &tree)
            .with_context(|| format!("fetching the packages of {}", set.name))?;
    }
    let manifest = fs::read_to_string(tree.join("manifest"))?;
    Ok(Unpacked {
        root: tree,
        manifest,
    })
}

fn fetch(root: &Path, set: &Set, tree: &Path) -> Result<()> {
    for tool in ["apt-get", "apt-cache", "dpkg-deb"] {
        let found = Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        ensure!(
            found.is_ok(),
            "the rig needs {tool}: it runs on Debian and what derives from it"
        );
    }
    let mut failures = Vec::new();
    for origin in set.from {
        match fetch_from(root, set, *origin, tree) {
            Ok(()) => return Ok(()),
            Err(error) => {
                let suite = origin.suite.unwrap_or(origin.release);
                failures.push(format!("from {suite}: {error:#}"));
            }
        }
    }
    bail!("{}", failures.join("\n"))
}

fn fetch_from(root: &Path, set: &Set, origin: Origin, tree: &Path) -> Result<()> {
    let apt = Apt::new(root, origin)?;
    apt.update()?;
    let files = apt.plan(set)?;
    place::whole(tree, |partial| {
        let store = partial.join("archives");
        fs::create_dir_all(&store)?;
        apt.download(set.name, &files, &store)?;
        for file in &files {
            run(Command::new("dpkg-deb")
                .arg("-x")
                .arg(store.join(&file.file))
                .arg(partial))?;
        }
        fs::remove_dir_all(&store)?;
        let names: Vec<&str> = files.iter().map(|file| file.file.as_str()).collect();
        fs::write(partial.join("manifest"), names.join("\n") + "\n")?;
        Ok(())
    })
}

/// A package file as apt announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Deb {
    name: String,
    version: String,
    file: String,
    octets: u64,
}

/// apt with a state of its own.
struct Apt {
    dir: PathBuf,
    origin: Origin,
}

impl Apt {
    fn new(root: &Path, origin: Origin) -> Result<Self> {
        let dir = root
            .join("apt")
            .join(origin.suite.unwrap_or(origin.release));
        for part in ["lists/partial", "cache/archives/partial", "state"] {
            fs::create_dir_all(dir.join(part))?;
        }
        let status = dir.join("state/status");
        if !status.exists() {
            fs::write(&status, "")?;
        }
        let sources = Mirrors::of_host()?.lines(origin.release, origin.suite.is_some());
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

    fn update(&self) -> Result<()> {
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
    fn plan(&self, set: &Set) -> Result<Vec<Deb>> {
        let mut names: Vec<String> = set.packages.iter().map(ToString::to_string).collect();
        if set.name.starts_with("xen") {
            names.extend(LIBRARIES.iter().map(ToString::to_string));
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

    fn download(&self, set: &str, debs: &[Deb], into: &Path) -> Result<()> {
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
fn run(command: &mut Command) -> Result<String> {
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
