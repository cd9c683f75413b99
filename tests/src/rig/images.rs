//! What the machine boots: hypervisor, kernel, dom0's and the guests' initramfs.
//!
//! Kernel, modules and programs are Debian's, unmodified. dom0 has busybox, `xl`, the xenstore and
//! console daemons; a guest has busybox and ALSA's own `aplay`, `arecord`, `amixer`, `speaker-test`.

use super::Xen;
use super::archive::Archive;
use super::debs::{self, Unpacked};
use super::place;
use super::tree::{Modules, Tree, unxz};
use anyhow::{Context, Result, bail};
use flate2::read::{GzDecoder, MultiGzDecoder};
use ruzstd::decoding::StreamingDecoder;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DOM0_INIT: &str = include_str!("dom0/init.sh");
const GUEST_INIT: &str = include_str!("dom0/guest-init.sh");
/// The code that makes the images is one of their inputs.
const SOURCES: [&str; 3] = [
    include_str!("images.rs"),
    include_str!("archive.rs"),
    include_str!("tree.rs"),
];

const DOM0_MODULES: [&str; 9] = [
    "xenfs",
    "xen-evtchn",
    "xen-gntdev",
    "xen-gntalloc",
    "xen-privcmd",
    "xen-pciback",
    "virtio_pci",
    "9pnet_virtio",
    "9p",
];
const GUEST_MODULES: [&str; 1] = ["snd_xen_front"];

/// The finished images.
#[derive(Clone, Debug)]
pub struct Images {
    /// Directory with `xen`, `vmlinux` and `dom0.cpio`.
    pub dir: PathBuf,
    /// Names their contents.
    pub key: String,
    /// Keeps them from being forgotten.
    _held: Arc<File>,
}

/// Gives the images for `xen`, building them if an input changed.
///
/// # Errors
/// A package cannot be had or lacks something.
pub fn images(root: &Path, xen: Xen) -> Result<Images> {
    let linux = debs::unpacked(root, &debs::LINUX)?;
    let tools = debs::unpacked(root, xen.set())?;
    let mut parts = vec![
        linux.manifest.as_str(),
        &tools.manifest,
        DOM0_INIT,
        GUEST_INIT,
    ];
    parts.extend(SOURCES);
    let key = place::key(&parts);
    let dir = root.join(format!("images-{}-{key}", xen.name()));
    if !dir.exists() {
        eprintln!("rig: building the images for Xen {}", xen.name());
        forget_older(root, &format!("images-{}-", xen.name()), "xen");
        place::whole(&dir, |partial| build(&linux, &tools, xen, partial))?;
    }
    let held = Arc::new(place::hold(&dir.join("xen"))?);
    Ok(Images {
        dir,
        key,
        _held: held,
    })
}

/// Removes directories that start with `prefix`, unless a run holds their file `held`: what they
/// hold is out of date.
pub(super) fn forget_older(root: &Path, prefix: &str, held: &str) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let path = entry.path();
            let busy = File::open(path.join(held)).is_ok_and(|file| file.try_lock().is_err());
            if !busy {
                let _ = fs::remove_dir_all(path);
            }
        }
    }
}

fn build(linux: &Unpacked, tools: &Unpacked, xen: Xen, into: &Path) -> Result<()> {
    let (linux, tools) = (Tree::new(&linux.root), Tree::new(&tools.root));
    let boot = |tree: &Tree, start: &str, end: &str| -> Result<Vec<u8>> {
        let files = tree.below("boot")?;
        let found = files.iter().find(|(name, _)| {
            let name = name.trim_start_matches("boot/");
            name.starts_with(start) && name.ends_with(end)
        });
        let (_, path) = found.with_context(|| format!("no boot/{start}*{end}"))?;
        Ok(fs::read(path)?)
    };
    let mut hypervisor = Vec::new();
    MultiGzDecoder::new(&*boot(&tools, "xen-", "-amd64.gz")?).read_to_end(&mut hypervisor)?;
    fs::write(into.join("xen"), hypervisor)?;
    let vmlinux = vmlinux(&boot(&linux, "vmlinuz-", "")?)?;
    fs::write(into.join("vmlinux"), &vmlinux)?;
    let guest = guest(&linux)?;
    fs::write(into.join("guest.cpio"), &guest)?;
    fs::write(
        into.join("dom0.cpio"),
        dom0(&linux, &tools, xen, vmlinux, guest)?,
    )?;
    Ok(())
}

/// The ELF kernel inside a bzImage: Xen starts it without unpacking, which saves ten seconds.
/// Offsets are of the x86 boot protocol's header (`setup_sects`, `payload_offset`, `payload_length`).
///
/// # Errors
/// It is no bzImage, or packed with something else than XZ, gzip or Zstandard.
pub fn vmlinux(image: &[u8]) -> Result<Vec<u8>> {
    let word = |at: usize| -> Result<usize> {
        let bytes = image.get(at..at + 4).context("the kernel is too short")?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |value, byte| (value << 8) | usize::from(*byte)))
    };
    let setup = usize::from(*image.get(0x1f1).context("the kernel is too short")?).max(4);
    let start = (setup + 1) * 512 + word(0x248)?;
    let payload = image
        .get(start..start + word(0x24c)?)
        .context("the kernel's payload is cut off")?;
    if payload.starts_with(b"\xfd7zXZ\0") {
        unxz(payload.to_vec())
    } else if payload.starts_with(b"\x1f\x8b") {
        let mut out = Vec::new();
        GzDecoder::new(payload).read_to_end(&mut out)?;
        Ok(out)
    } else if payload.starts_with(b"\x28\xb5\x2f\xfd") {
        let mut out = Vec::new();
        let mut decoder = StreamingDecoder::new(payload).context("the kernel's payload")?;
        decoder.read_to_end(&mut out)?;
        Ok(out)
    } else {
        bail!("the kernel is packed with none of XZ, gzip and Zstandard")
    }
}

/// What both initramfs begin with.
fn base(linux: &Tree) -> Result<Archive> {
    let mut archive = Archive::default();
    for dir in [
        "proc", "sys", "dev", "tmp", "run", "mnt", "root", "etc", "sbin", "usr/bin", "usr/sbin",
        "var/lib",
    ] {
        archive.directory(dir);
    }
    archive.character("dev/console", 5, 1);
    archive.character("dev/null", 1, 3);
    archive.link("var/run", "/run");
    archive.copy("bin/busybox", &linux.file("bin/busybox")?)?;
    archive.file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n");
    archive.file("etc/group", 0o644, "root:x:0:\naudio:x:29:\n");
    Ok(archive)
}

fn modules(archive: &mut Archive, linux: &Tree, names: &[&str]) -> Result<()> {
    let mut order = String::new();
    for (name, bytes) in Modules::of(linux)?.in_order(names)? {
        order.push_str(&name);
        order.push('\n');
        archive.file(&format!("modules/{name}.ko"), 0o644, bytes);
    }
    archive.file("modules/order", 0o644, order);
    Ok(())
}

fn guest(linux: &Tree) -> Result<Vec<u8>> {
    let mut archive = base(linux)?;
    for program in ["aplay", "amixer", "speaker-test"] {
        archive.program(
            linux,
            &format!("usr/bin/{program}"),
            &format!("bin/{program}"),
        )?;
    }
    archive.link("bin/arecord", "aplay");
    for (name, path) in linux.below("usr/share/alsa")? {
        archive.file(&name, 0o644, fs::read(path)?);
    }
    modules(&mut archive, linux, &GUEST_MODULES)?;
    archive.file("init", 0o755, GUEST_INIT);
    archive.bytes()
}

fn dom0(linux: &Tree, tools: &Tree, xen: Xen, vmlinux: Vec<u8>, guest: Vec<u8>) -> Result<Vec<u8>> {
    let mut archive = base(linux)?;
    let libexec = format!("usr/lib/xen-{}/bin", xen.name());
    for dir in [
        "run/xen",
        "run/xenstored",
        "var/lib/xen",
        "var/lib/xenstored",
        "var/log/xen/console",
        "etc/xen",
    ] {
        archive.directory(dir);
    }
    for program in ["xl", "xenstored", "xenconsoled", "xen-init-dom0"] {
        archive.program(
            tools,
            &format!("{libexec}/{program}"),
            &format!("bin/{program}"),
        )?;
    }
    // `xl console`, `xl save` and `xl restore` look for them there.
    for helper in ["xenconsole", "libxl-save-helper"] {
        let path = format!("{libexec}/{helper}");
        archive.program(tools, &path, &path)?;
    }
    archive.program(tools, "usr/bin/xenstore", "bin/xenstore")?;
    for command in [
        "ls", "read", "write", "list", "rm", "watch", "chmod", "exists",
    ] {
        archive.link(&format!("bin/xenstore-{command}"), "xenstore");
    }
    // pthread_cancel opens it by name, so no ELF header shows it.
    archive.copy("lib/libgcc_s.so.1", &tools.library("libgcc_s.so.1")?)?;
    archive.file("etc/xen/xl.conf", 0o644, "autoballoon=\"off\"\n");
    modules(&mut archive, linux, &DOM0_MODULES)?;
    archive.file("boot/vmlinux", 0o644, vmlinux);
    archive.file("boot/guest.cpio", 0o644, guest);
    archive.file("init", 0o755, DOM0_INIT);
    archive.bytes()
}
