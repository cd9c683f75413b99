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
/// QEMU 7.2 and its libraries, for guests with hardware's help: 10.0 takes every read of a control
/// register of theirs for one of CR0, so that Xen gives a guest that looks for the address of a page
/// fault (CR2) zero.
pub const QEMU_7: Set = Set {
    name: "qemu-7",
    from: &[BOOKWORM],
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

/// The device model of guests that have all of a PC, its firmware and libraries. It is the one that
/// Debian builds for dom0, and fits its toolstack 4.17.
pub const DEVICE_MODEL: Set = Set {
    name: "device-model",
    from: &[BOOKWORM],
    packages: &["qemu-system-xen"],
    closure: true,
};

/// PulseAudio and the libraries of what a guest needs of it.
pub const PULSEAUDIO: Set = Set {
    name: "pulseaudio",
    from: &[BOOKWORM],
    packages: &[
        "pulseaudio",
        "pulseaudio-utils",
        "libpulse0",
        "libasound2",
        "libasyncns0",
        "libbsd0",
        "libc6",
        "libcap2",
        "libcom-err2",
        "libdbus-1-3",
        "libflac12",
        "libgcc-s1",
        "libgcrypt20",
        "libgomp1",
        "libgpg-error0",
        "libgssapi-krb5-2",
        "libk5crypto3",
        "libkeyutils1",
        "libkrb5-3",
        "libkrb5support0",
        "libltdl7",
        "liblz4-1",
        "liblzma5",
        "libmd0",
        "libmp3lame0",
        "libmpg123-0",
        "libnsl2",
        "libogg0",
        "libopus0",
        "liborc-0.4-0",
        "libsndfile1",
        "libsoxr0",
        "libspeexdsp1",
        "libssl3",
        "libstdc++6",
        "libsystemd0",
        "libtdb1",
        "libtirpc3",
        "libudev1",
        "libvorbis0a",
        "libvorbisenc2",
        "libwrap0",
        "libx11-6",
        "libx11-xcb1",
        "libxau6",
        "libxcb1",
        "libxdmcp6",
        "libzstd1",
    ],
    closure: false,
};
/// PipeWire and the libraries of what a guest needs of it.
pub const PIPEWIRE: Set = Set {
    name: "pipewire",
    from: &[BOOKWORM],
    packages: &[
        "pipewire",
        "pipewire-bin",
        "libpipewire-0.3-0",
        "libpipewire-0.3-modules",
        "libspa-0.2-modules",
        "libasound2",
        "libc6",
        "libcap2",
        "libdbus-1-3",
        "libflac12",
        "libgcc-s1",
        "libglib2.0-0",
        "libgcrypt20",
        "libpcre2-8-0",
        "libgpg-error0",
        "liblz4-1",
        "liblzma5",
        "libmp3lame0",
        "libmpg123-0",
        "libncursesw6",
        "libogg0",
        "libopus0",
        "libreadline8",
        "libsndfile1",
        "libstdc++6",
        "libsystemd0",
        "libtinfo6",
        "libudev1",
        "libvorbis0a",
        "libvorbisenc2",
        "libzstd1",
    ],
    closure: false,
};
/// `alsaloop` and its libraries.
pub const ALSALOOP: Set = Set {
    name: "alsaloop",
    from: &[BOOKWORM],
    packages: &["alsa-utils", "libasound2", "libsamplerate0", "libc6"],
    closure: false,
};

/// What programs of ALSA's library are built with, and run.
pub const ALSA_DEVELOPMENT: Set = Set {
    name: "alsa-development",
    from: &[BOOKWORM],
    packages: &[
        "libasound2",
        "libasound2-dev",
        "libc6",
        "libc6-dev",
        "linux-libc-dev",
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

/// Gives what upstream wrote of a source package of Debian 12, without Debian's changes.
///
/// # Errors
/// The host's mirror has no source packages, or `tar` cannot unpack it.
pub fn source(root: &Path, package: &str) -> Result<PathBuf> {
    let tree = root.join("debs").join(format!("{package}-source"));
    if !tree.exists() {
        tools()?;
        place::whole(&tree, |partial| {
            source_from(root, BOOKWORM, package, partial)
        })
        .with_context(|| format!("fetching the source package {package}"))?;
    }
    Ok(tree)
}

fn source_from(root: &Path, origin: Origin, package: &str, partial: &Path) -> Result<()> {
    let apt = Apt::of_sources(root, origin)?;
    apt.update()?;
    let store = partial.join("archives");
    fs::create_dir_all(&store)?;
    apt.source(package, &store)?;
    let files: Vec<PathBuf> = fs::read_dir(&store)?
        .flatten()
        .map(|file| file.path())
        .collect();
    let upstream = files.iter().find(|path| {
        let name = path.to_string_lossy();
        name.contains(".orig.tar.") && !name.ends_with(".asc")
    });
    let upstream = upstream.context("it has no archive of upstream's")?;
    run(Command::new("tar")
        .args(["-x", "--strip-components=1", "-f"])
        .arg(upstream)
        .arg("-C")
        .arg(partial))?;
    fs::remove_dir_all(&store)?;
    Ok(())
}

fn tools() -> Result<()> {
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
    Ok(())
}

fn fetch(root: &Path, set: &Set, tree: &Path) -> Result<()> {
    tools()?;
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
