//! What some guests have beyond the standard one's files: another kernel, sound servers.
//!
//! It is given to dom0 with a run's own files, so the saved machine stays the same for all.

use super::archive::Archive;
use super::debs::{self, Set};
use super::images;
use super::place;
use super::tree::{Modules, Tree};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A guest's extras; each is a directory of files that go to dom0's `/boot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Debian 13's kernel: `vmlinux-6.12`, and its modules in `linux-6.12.cpio`.
    Linux6_12,
}

impl Extra {
    const fn name(self) -> &'static str {
        match self {
            Self::Linux6_12 => "linux-6.12",
        }
    }

    const fn set(self) -> &'static Set {
        match self {
            Self::Linux6_12 => &debs::LINUX_6_12,
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
        })?;
    }
    Ok(dir)
}

/// Debian 13's kernel and the frontend's modules, laid over those of the standard guest.
fn linux(tree: &Tree, into: &Path) -> Result<()> {
    let files = tree.below("boot")?;
    let found = files
        .iter()
        .find(|(name, _)| name.starts_with("boot/vmlinuz-"));
    let (_, path) = found.context("no boot/vmlinuz-*")?;
    fs::write(
        into.join("vmlinux-6.12"),
        images::vmlinux(&fs::read(path)?)?,
    )?;
    let mut archive = Archive::default();
    let mut order = String::new();
    for (name, bytes) in Modules::of(tree)?.in_order(&["snd_xen_front"])? {
        order.push_str(&name);
        order.push('\n');
        archive.file(&format!("modules/{name}.ko"), 0o644, bytes);
    }
    archive.file("modules/order", 0o644, order);
    fs::write(into.join("linux-6.12.cpio"), archive.bytes()?)?;
    Ok(())
}
