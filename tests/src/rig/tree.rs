//! Files of unpacked packages: programs with their libraries, kernel modules with theirs.

use anyhow::{Context, Result, bail};
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSection};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Links followed before giving up.
const LINKS: usize = 16;
const LIBRARY_DIRS: [&str; 4] = [
    "usr/lib/x86_64-linux-gnu",
    "lib/x86_64-linux-gnu",
    "lib64",
    "usr/lib64",
];

/// A package tree. Links inside it mean paths inside it, never the host's.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The tree under `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// The file at `path`, links resolved inside the tree. `/usr` may be merged or not.
    ///
    /// # Errors
    /// There is none.
    pub fn file(&self, path: &str) -> Result<PathBuf> {
        let other = path
            .strip_prefix("usr/")
            .map_or_else(|| format!("usr/{path}"), str::to_string);
        let found = self.resolve(path).or_else(|| self.resolve(&other));
        found.with_context(|| format!("no {path} in {}", self.root.display()))
    }

    fn resolve(&self, path: &str) -> Option<PathBuf> {
        let mut at = self.root.join(path);
        for _ in 0..LINKS {
            let Ok(target) = fs::read_link(&at) else {
                return at.is_file().then_some(at);
            };
            at = match target.strip_prefix("/") {
                Ok(absolute) => self.root.join(absolute),
                Err(_) => at.parent()?.join(target),
            };
        }
        None
    }

    /// The shared library called `name`.
    ///
    /// # Errors
    /// It is not in this tree.
    pub fn library(&self, name: &str) -> Result<PathBuf> {
        let found = LIBRARY_DIRS
            .iter()
            .find_map(|dir| self.resolve(&format!("{dir}/{name}")));
        // Private ones lie elsewhere, where an RPATH says.
        let found = found.or_else(|| {
            let files = self.below("usr/lib").ok()?;
            let end = format!("/{name}");
            let (inside, _) = files
                .into_iter()
                .find(|(inside, _)| inside.ends_with(&end))?;
            self.resolve(&inside)
        });
        found.with_context(|| format!("no library {name} in {}", self.root.display()))
    }

    /// Every library `program` needs, directly or not, by name.
    ///
    /// # Errors
    /// One is missing, or something is no ELF file.
    pub fn libraries(&self, program: &Path) -> Result<BTreeMap<String, PathBuf>> {
        let mut found = BTreeMap::new();
        let mut open = needed(program)?;
        while let Some(name) = open.pop() {
            if found.contains_key(&name) {
                continue;
            }
            let path = self.library(&name)?;
            open.extend(needed(&path)?);
            found.insert(name, path);
        }
        Ok(found)
    }

    /// Directories that hold libraries, for a dynamic loader.
    #[must_use]
    pub fn library_dirs(&self) -> Vec<PathBuf> {
        LIBRARY_DIRS
            .iter()
            .map(|dir| self.root.join(dir))
            .filter(|dir| dir.is_dir())
            .collect()
    }

    /// All files below `dir` as (path inside the tree, path on the host), sorted.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn below(&self, dir: &str) -> Result<Vec<(String, PathBuf)>> {
        let mut files = Vec::new();
        let mut open = vec![self.root.join(dir)];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
                let path = entry?.path();
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                } else if let Ok(inside) = path.strip_prefix(&self.root) {
                    files.push((inside.display().to_string(), path.clone()));
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

/// The libraries an ELF file names; none for a static one.
fn needed(path: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(path)?;
    let broken = || format!("{} is no ELF file", path.display());
    let header = FileHeader64::<Endianness>::parse(&*bytes).with_context(broken)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, &*bytes)?;
    let mut names = Vec::new();
    let table = sections.dynamic_table(endian, &*bytes)?;
    for entry in table.iter().filter(|entry| entry.tag == DT_NEEDED) {
        names.push(String::from_utf8_lossy(table.string(entry)?).into_owned());
    }
    Ok(names)
}

/// The modules of a kernel package.
#[derive(Debug)]
pub struct Modules {
    paths: BTreeMap<String, PathBuf>,
}

impl Modules {
    /// Finds them in `tree`.
    ///
    /// # Errors
    /// There are none.
    pub fn of(tree: &Tree) -> Result<Self> {
        let mut paths = BTreeMap::new();
        let files = tree
            .below("lib/modules")
            .or_else(|_| tree.below("usr/lib/modules"))?;
        for (_, path) in files {
            let file = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if let Some(name) = file
                .strip_suffix(".xz")
                .unwrap_or(&file)
                .strip_suffix(".ko")
            {
                paths.insert(name.replace('-', "_"), path);
            }
        }
        Ok(Self { paths })
    }

    /// `names` and what they depend on, in the order to load them, with their contents.
    /// What is not a module is taken to be built in.
    ///
    /// # Errors
    /// A module cannot be read.
    pub fn in_order(&self, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
        let mut out = Vec::new();
        for name in names {
            self.place(name, &mut out, LINKS)?;
        }
        Ok(out)
    }

    fn place(&self, name: &str, out: &mut Vec<(String, Vec<u8>)>, depth: usize) -> Result<()> {
        let name = name.replace('-', "_");
        let Some(path) = self.paths.get(&name) else {
            return Ok(());
        };
        if out.iter().any(|(placed, _)| *placed == name) {
            return Ok(());
        }
        if depth == 0 {
            bail!("the dependencies of {name} are circular");
        }
        let bytes =
            unxz(fs::read(path)?).with_context(|| format!("unpacking {}", path.display()))?;
        for dependency in dependencies(&bytes)? {
            self.place(&dependency, out, depth - 1)?;
        }
        out.push((name, bytes));
        Ok(())
    }
}

/// What a module's `depends=` names.
fn dependencies(module: &[u8]) -> Result<Vec<String>> {
    let elf = ElfFile64::<Endianness>::parse(module)?;
    let section = elf
        .section_by_name(".modinfo")
        .context("a module without .modinfo")?;
    let text = section.data()?;
    let lists = text
        .split(|byte| *byte == 0)
        .filter_map(|item| item.strip_prefix(b"depends="));
    let names = lists
        .flat_map(|list| list.split(|byte| *byte == b','))
        .filter(|name| !name.is_empty());
    Ok(names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}

/// Unpacks XZ; other bytes come back as they are.
///
/// # Errors
/// The stream is broken.
pub fn unxz(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(b"\xfd7zXZ\0") {
        return Ok(bytes);
    }
    let mut out = Vec::new();
    lzma_rust2::XzReader::new(&*bytes, false).read_to_end(&mut out)?;
    Ok(out)
}
