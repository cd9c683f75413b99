//! What some guests have beyond the standard one's files: another kernel, sound servers.
//!
//! It is given to dom0 with a run's own files, so the saved machine stays the same for all.

use super::archive::Archive;
use super::debs::{self, Set};
use super::images;
use super::place;
use super::tree::{Modules, Tree};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A guest's extras; each is a directory of files that go to dom0's `/boot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Debian 13's kernel: `vmlinux-6.12`, and its modules in `linux-6.12.cpio`.
    Linux6_12,
    /// PulseAudio, its programs and configuration as Debian has them: `pulseaudio.cpio`.
    PulseAudio,
    /// PipeWire in the same way: `pipewire.cpio`.
    PipeWire,
    /// What dom0 needs for guests that have all of a PC: `device-model.cpio`, to be laid over dom0's own
    /// files, and the kernel as such a guest's firmware starts it, `vmlinuz`.
    DeviceModel,
    /// `alsaloop` of ALSA's programs, which needs a library that the others do not: `alsaloop.cpio`.
    AlsaLoop,
    /// `latency` of the tests of ALSA's library, built from Debian's source package as it is:
    /// `latency.cpio`.
    Latency,
    /// What a guest needs to drive the machine's card itself, with Linux' own driver:
    /// `linux-card.cpio`.
    LinuxCard,
}

impl Extra {
    const fn name(self) -> &'static str {
        match self {
            Self::Linux6_12 => "linux-6.12",
            Self::PulseAudio => "pulseaudio",
            Self::PipeWire => "pipewire",
            Self::DeviceModel => "device-model",
            Self::AlsaLoop => "alsaloop",
            Self::Latency => "latency",
            Self::LinuxCard => "linux-card",
        }
    }

    const fn set(self) -> &'static Set {
        match self {
            Self::Linux6_12 => &debs::LINUX_6_12,
            Self::PulseAudio => &debs::PULSEAUDIO,
            Self::PipeWire => &debs::PIPEWIRE,
            Self::DeviceModel => &debs::DEVICE_MODEL,
            Self::AlsaLoop => &debs::ALSALOOP,
            Self::Latency => &debs::ALSA_DEVELOPMENT,
            Self::LinuxCard => &debs::LINUX,
        }
    }
}

/// Gives the directory of an extra, making it if an input changed.
///
/// # Errors
/// A package cannot be had or lacks something.
pub(super) fn extra(root: &Path, extra: Extra) -> Result<PathBuf> {
    let _guard = place::lock(root)?;
    let unpacked = debs::unpacked(root, extra.set())?;
    let key = place::key(&[&unpacked.manifest, include_str!("extra.rs")]);
    let prefix = format!("extra-{}-", extra.name());
    let dir = root.join(format!("{prefix}{key}"));
    if !dir.exists() {
        eprintln!("rig: building {}", extra.name());
        images::forget_older(root, &prefix, "");
        let tree = Tree::new(&unpacked.root);
        place::whole(&dir, |into| match extra {
            Extra::Linux6_12 => linux(&tree, into),
            Extra::PulseAudio => pulseaudio(&tree, into),
            Extra::PipeWire => pipewire(&tree, into),
            Extra::DeviceModel => device_model(root, &tree, into),
            Extra::AlsaLoop => alsaloop(&tree, into),
            Extra::Latency => latency(root, &unpacked.root, into),
            Extra::LinuxCard => linux_card(&tree, into),
        })?;
    }
    Ok(dir)
}

/// The kernel of a tree, as it is packed.
fn vmlinuz(tree: &Tree) -> Result<PathBuf> {
    let files = tree.below("boot")?;
    let found = files
        .into_iter()
        .find(|(name, _)| name.starts_with("boot/vmlinuz-"));
    Ok(found.context("no boot/vmlinuz-*")?.1)
}

/// Debian 13's kernel and the frontend's modules, laid over those of the standard guest.
fn linux(tree: &Tree, into: &Path) -> Result<()> {
    fs::write(
        into.join("vmlinux-6.12"),
        images::vmlinux(&fs::read(vmlinuz(tree)?)?)?,
    )?;
    fs::write(
        into.join("linux-6.12.cpio"),
        modules(tree, &["snd_xen_front"])?,
    )?;
    Ok(())
}

/// The card's codec is looked for before its driver, which asks for no module here.
fn linux_card(tree: &Tree, into: &Path) -> Result<()> {
    let names = ["xen_pcifront", "snd_hda_codec_generic", "snd_hda_intel"];
    fs::write(into.join("linux-card.cpio"), modules(tree, &names)?)?;
    Ok(())
}

/// Modules in the place of the standard guest's.
fn modules(tree: &Tree, names: &[&str]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    let mut order = String::new();
    for (name, bytes) in Modules::of(tree)?.in_order(names)? {
        order.push_str(&name);
        order.push('\n');
        archive.file(&format!("modules/{name}.ko"), 0o644, bytes);
    }
    archive.file("modules/order", 0o644, order);
    archive.bytes()
}

/// The device model where libxl looks for it, with what of its firmware a guest without disk, network
/// and screen starts from.
fn device_model(root: &Path, tree: &Tree, into: &Path) -> Result<()> {
    let mut archive = Archive::default();
    let program = "usr/libexec/xen-qemu-system-i386";
    archive.program(tree, program, program)?;
    for name in ["kvmvapic", "linuxboot", "linuxboot_dma"] {
        let path = format!("usr/share/qemu/{name}.bin");
        archive.copy(&path, &tree.file(&path)?)?;
    }
    // It wants a keyboard's map though nobody types.
    for path in [
        "usr/share/seabios/bios-256k.bin",
        "usr/share/qemu/keymaps/en-us",
    ] {
        archive.copy(path, &tree.file(path)?)?;
    }
    let tools = debs::unpacked(root, &debs::XEN_4_17)?;
    let loader = "usr/lib/xen-4.17/boot/hvmloader";
    archive.copy(loader, &Tree::new(&tools.root).file(loader)?)?;
    fs::write(into.join("device-model.cpio"), archive.bytes()?)?;
    let linux = debs::unpacked(root, &debs::LINUX)?;
    fs::copy(vmlinuz(&Tree::new(&linux.root))?, into.join("vmlinuz"))?;
    Ok(())
}

/// What PulseAudio is made of: the server with the modules of its default configuration that can do
/// something without D-Bus or X, and the programs that play through it.
fn pulseaudio(tree: &Tree, into: &Path) -> Result<()> {
    let mut archive = Archive::default();
    for program in ["pulseaudio", "pactl", "pacat"] {
        let from = format!("usr/bin/{program}");
        archive.program(tree, &from, &from)?;
    }
    archive.link("usr/bin/paplay", "pacat");
    let wanted = |name: &str| {
        let leaf = name.rsplit('/').next().unwrap_or_default();
        let unfit = [
            "x11",
            "webrtc",
            "echo",
            "equalizer",
            "rtp",
            "rygel",
            "mmkbd",
            "jack",
        ];
        let unfit = unfit
            .iter()
            .chain(&["dbus", "systemd", "udev", "surround", "oss"]);
        leaf.ends_with(".so") && !unfit.into_iter().any(|word| leaf.contains(word))
    };
    let modules = tree.below("usr/lib")?;
    let modules = modules
        .iter()
        .filter(|(name, _)| name.starts_with("usr/lib/pulse-") && wanted(name));
    plugins(&mut archive, tree, modules)?;
    for dir in ["etc/pulse", "usr/share/pulseaudio"] {
        copies(&mut archive, tree, dir)?;
    }
    fs::write(into.join("pulseaudio.cpio"), archive.bytes()?)?;
    Ok(())
}

/// What PipeWire is made of: the server of its `minimal.conf`, which needs no session manager.
fn pipewire(tree: &Tree, into: &Path) -> Result<()> {
    let mut archive = Archive::default();
    for program in [
        "pipewire", "pw-cat", "pw-link", "pw-cli", "pw-top", "pw-dump",
    ] {
        let from = format!("usr/bin/{program}");
        archive.program(tree, &from, &from)?;
    }
    archive.link("usr/bin/pw-play", "pw-cat");
    let library = "usr/lib/x86_64-linux-gnu";
    let parts = [
        "alsa",
        "audioconvert",
        "audiomixer",
        "audiotestsrc",
        "support/libspa-support",
        "control",
    ];
    let modules = [
        "access",
        "adapter",
        "client-node",
        "client-device",
        "session-manager",
        "link-factory",
        "metadata",
        "profiler",
    ];
    let modules = modules
        .iter()
        .chain(&["protocol-native", "rt", "spa-node", "spa-device"]);
    let mut wanted: Vec<String> = parts
        .map(|part| format!("{library}/spa-0.2/{part}"))
        .to_vec();
    wanted.extend(modules.map(|name| format!("{library}/pipewire-0.3/libpipewire-module-{name}")));
    let files = tree.below(library)?;
    let files = files
        .iter()
        .filter(|(name, _)| wanted.iter().any(|start| name.starts_with(start)));
    plugins(&mut archive, tree, files)?;
    copies(&mut archive, tree, "usr/share/pipewire")?;
    fs::write(into.join("pipewire.cpio"), archive.bytes()?)?;
    Ok(())
}

fn alsaloop(tree: &Tree, into: &Path) -> Result<()> {
    let mut archive = Archive::default();
    let from = "usr/bin/alsaloop";
    archive.program(tree, from, from)?;
    fs::write(into.join("alsaloop.cpio"), archive.bytes()?)?;
    Ok(())
}

/// Builds the program with Debian 12's headers and libraries, whatever the host has.
fn latency(root: &Path, sysroot: &Path, into: &Path) -> Result<()> {
    let source = debs::source(root, "alsa-lib")?.join("test/latency.c");
    let text =
        fs::read_to_string(&source).with_context(|| format!("reading {}", source.display()))?;
    // It names a header of a built tree; where Debian has the same one is the only difference.
    let [from, to] = ["\"../include/asoundlib.h\"", "<alsa/asoundlib.h>"];
    ensure!(text.contains(from), "latency.c does not include {from}");
    let program = "usr/bin/alsa-latency";
    let code = into.join("latency.c");
    fs::write(&code, text.replace(from, to))?;
    fs::create_dir_all(sysroot.join("usr/bin"))?;
    let built = Command::new("gcc")
        .arg(format!("--sysroot={}", sysroot.display()))
        .args(["-w", "-O2", "-o"])
        .arg(sysroot.join(program))
        .arg(&code)
        .args(["-lasound", "-lm"])
        .output()
        .context("ALSA's latency is built with gcc")?;
    fs::remove_file(&code)?;
    let told = String::from_utf8_lossy(&built.stderr);
    ensure!(built.status.success(), "building ALSA's latency: {told}");
    let mut archive = Archive::default();
    archive.program(&Tree::new(sysroot), program, "usr/bin/latency")?;
    fs::write(into.join("latency.cpio"), archive.bytes()?)?;
    Ok(())
}

/// Libraries that are opened by their path, with those that they need.
fn plugins<'f>(
    archive: &mut Archive,
    tree: &Tree,
    files: impl Iterator<Item = &'f (String, PathBuf)>,
) -> Result<()> {
    for (name, _) in files {
        archive.program(tree, name, name)?;
    }
    Ok(())
}

fn copies(archive: &mut Archive, tree: &Tree, dir: &str) -> Result<()> {
    for (name, _) in tree.below(dir)? {
        // A link may lead to what another package would bring.
        if let Ok(path) = tree.file(&name) {
            archive.file(&name, 0o644, fs::read(path)?);
        }
    }
    Ok(())
}
