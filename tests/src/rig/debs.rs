//! Debian packages: fetched with apt's own tools, unpacked, never installed.
//!
//! What was unpacked stays: later runs need no network and test the same versions.

use super::apt::{Apt, run};
use super::place;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every Xen toolstack needs besides its own packages.
pub(super) const LIBRARIES: &[&str] = &[
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
    pub(super) name: &'static str,
    /// Tried in this order.
    from: &'static [Origin],
    pub(super) packages: &'static [&'static str],
    /// Also what these depend on: libraries only.
    pub(super) closure: bool,
}

/// Where a set may come from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub(super) release: &'static str,
    /// The suite to prefer, if not the release itself.
    pub(super) suite: Option<&'static str>,
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

/// Debian 13's kernel, for guests that run it.
pub const LINUX_6_12: Set = Set {
    name: "linux-6.12",
    from: &[TRIXIE],
    packages: &["linux-image-amd64"],
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
