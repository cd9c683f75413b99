//! An initramfs in the making: names to contents, written as newc cpio.

use super::tree::Tree;
use anyhow::{Context, Result};
use cpio::newc::{Builder, trailer};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Archives can be laid end to end in multiples of this.
const BLOCK: usize = 512;
const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_777;
const CHARACTER: u32 = 0o020_000;

#[derive(Debug)]
struct Entry {
    mode: u32,
    device: (u32, u32),
    bytes: Vec<u8>,
}

/// A file tree in memory.
#[derive(Debug, Default)]
pub struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// A directory and those above it.
    pub fn directory(&mut self, path: &str) {
        let mut at = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if !at.is_empty() {
                at.push('/');
            }
            at.push_str(part);
            self.entries.entry(at.clone()).or_insert(Entry {
                mode: DIRECTORY,
                device: (0, 0),
                bytes: Vec::new(),
            });
        }
    }

    fn put(&mut self, path: &str, mode: u32, device: (u32, u32), bytes: Vec<u8>) {
        if let Some((dir, _)) = path.rsplit_once('/') {
            self.directory(dir);
        }
        self.entries.insert(
            path.to_string(),
            Entry {
                mode,
                device,
                bytes,
            },
        );
    }

    /// A file with these contents and permission bits.
    pub fn file(&mut self, path: &str, permissions: u32, bytes: impl Into<Vec<u8>>) {
        self.put(path, REGULAR | permissions, (0, 0), bytes.into());
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, to: &str) {
        self.put(path, LINK, (0, 0), to.into());
    }

    /// A character device.
    pub fn character(&mut self, path: &str, major: u32, minor: u32) {
        self.put(path, CHARACTER | 0o666, (major, minor), Vec::new());
    }

    /// A copy of a host file, executable.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn copy(&mut self, path: &str, from: &Path) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.file(path, 0o755, bytes);
        Ok(())
    }

    /// A program of `tree` at `path`, with every library it needs.
    ///
    /// # Errors
    /// The program or a library is missing.
    pub fn program(&mut self, tree: &Tree, program: &str, path: &str) -> Result<()> {
        let from = tree.file(program)?;
        for (name, library) in tree.libraries(&from)? {
            let dir = if name.starts_with("ld-linux") {
                "lib64"
            } else {
                "lib"
            };
            self.copy(&format!("{dir}/{name}"), &library)?;
        }
        self.copy(
            "lib64/ld-linux-x86-64.so.2",
            &tree.library("ld-linux-x86-64.so.2")?,
        )?;
        self.copy(path, &from)
    }

    /// The archive's octets, ready to be followed by another.
    ///
    /// # Errors
    /// A file is too large for the format.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for (number, (name, entry)) in (1..).zip(&self.entries) {
            let builder = Builder::new(name).ino(number).nlink(1).mode(entry.mode);
            let builder = builder
                .rdev_major(entry.device.0)
                .rdev_minor(entry.device.1);
            let mut writer = builder.write(&mut out, u32::try_from(entry.bytes.len())?);
            std::io::Write::write_all(&mut writer, &entry.bytes)?;
            writer.finish()?;
        }
        trailer(&mut out)?;
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        Ok(out)
    }
}
