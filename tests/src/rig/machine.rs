//! QEMU: its command line and its process.
//!
//! The machine is the same whether it boots or is restored; only where it reads its state from
//! differs. All paths are relative to the run's directory, so no character in them can matter.

use super::debs::{self, Unpacked};
use super::images::Images;
use super::place;
use super::qmp::Qmp;
use super::tree::Tree;
use super::{Kind, images, microphone};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Time for QEMU to open its control socket, on a loaded host.
const START: Duration = Duration::from_secs(30);
/// The date every deterministic run begins at.
const EPOCH: &str = "2026-01-01T00:00:00";

/// What is needed to start a machine of one kind.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Kernel and initramfs.
    pub images: Images,
    qemu: Unpacked,
    kind: Kind,
}

impl Parts {
    /// Fetches and builds what is missing.
    ///
    /// # Errors
    /// Something cannot be had.
    pub fn gather(root: &Path, kind: Kind) -> Result<Self> {
        let set = if kind.hvm { &debs::QEMU_7 } else { &debs::QEMU };
        let qemu = debs::unpacked(root, set)?;
        Ok(Self {
            images: images::images(root, kind.xen)?,
            qemu,
            kind,
        })
    }

    /// What machine they make.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Names everything a saved state depends on.
    #[must_use]
    pub fn key(&self) -> String {
        place::key(&[
            &self.images.key,
            &self.qemu.manifest,
            &arguments(self.kind).join("\n"),
        ])
    }
}

/// QEMU's arguments, apart from where its state comes from.
fn arguments(kind: Kind) -> Vec<String> {
    let (codec, audio) = if kind.duplex {
        ("hda-duplex", microphone::audiodev("card"))
    } else {
        let wav = "wav,id=card,path=card.wav,out.frequency=48000";
        ("hda-output", wav.to_string())
    };
    let cpu = if kind.hvm {
        "qemu64,+svm,+npt"
    } else if kind.avx2 {
        "EPYC-Rome,-monitor"
    } else {
        "qemu64"
    };
    let mut arguments = format!(
        "-nodefaults -no-user-config -M q35 -accel tcg -cpu {cpu} -m 1536 -smp 1 -display none -vga none -nic none \
         -no-reboot -serial stdio -monitor none -qmp unix:qmp,server=on,wait=off -device intel-iommu,intremap=on \
         -device intel-hda,id=hda,addr=0x1b -device {codec},audiodev=card \
         -audiodev {audio} \
         -fsdev local,id=host,path=share,security_model=none -device virtio-9p-pci,fsdev=host,mount_tag=host,addr=0x4"
    )
    .split_whitespace()
    .map(str::to_string)
    .collect::<Vec<_>>();
    if !kind.realtime {
        let clock = format!("-icount shift=1,sleep=off -rtc clock=vm,base={EPOCH} -seed 1");
        arguments.extend(clock.split_whitespace().map(str::to_string));
    }
    let xen = "dom0_mem=512M,max:512M dom0_max_vcpus=1 com1=115200,8n1 console=com1 spec-ctrl=no xpti=no pv-l1tf=off \
               loglvl=info guest_loglvl=info";
    let initrd = "images/vmlinux console=hvc0 quiet mitigations=off,images/dom0.cpio";
    arguments
        .extend(["-kernel", "images/xen", "-append", xen, "-initrd", initrd].map(str::to_string));
    arguments
}

impl Kind {
    /// Where QEMU writes a saved state to (`>`) or reads it from (`<`), in its words. QEMU 7.2 has none
    /// for a file.
    pub(super) fn saved_in(self, file: &str, way: &str) -> String {
        if self.hvm {
            format!("exec:cat {way} {file}")
        } else {
            format!("file:{file}")
        }
    }
}

/// A running QEMU. It dies with this, or with the thread that started it.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    /// Its control socket.
    pub qmp: Qmp,
}

impl Machine {
    /// Starts QEMU in `dir`; `state` is a saved machine to go on with.
    ///
    /// # Errors
    /// It does not start; what it said is in `qemu.log` there.
    pub fn start(
        parts: &Parts,
        dir: &Path,
        state: Option<&Path>,
    ) -> Result<(Self, ChildStdin, ChildStdout)> {
        let link = dir.join("images");
        if !link.exists() {
            symlink(&parts.images.dir, &link)?;
        }
        let mut command = qemu(&parts.qemu.root)?;
        if parts.kind.duplex {
            microphone::prepare(dir)?;
            command.env("ALSA_CONFIG_PATH", microphone::CONFIG);
        }
        command.args(arguments(parts.kind));
        if let Some(state) = state {
            let link = dir.join("state");
            symlink(state, &link)?;
            command.args(["-incoming", &parts.kind.saved_in("state", "<")]);
        }
        let log = dir.join("qemu.log");
        command
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?);
        // Its own group: Ctrl-C on the terminal is for the rig, which then ends QEMU.
        command.process_group(0);
        let mut child = command.spawn().context("starting QEMU")?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // Seen through the process, the socket's path is short wherever the checkout lies.
        let socket = PathBuf::from(format!("/proc/{}/cwd/qmp", child.id()));
        let qmp = match Qmp::connect(&socket, START) {
            Ok(qmp) => qmp,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(error.context(format!("QEMU said: {}", said.trim())));
            }
        };
        let machine = Self { child, qmp };
        Ok((
            machine,
            stdin.context("no stdin")?,
            stdout.context("no stdout")?,
        ))
    }

    /// Waits for QEMU to end by itself; true if it did.
    pub fn ended(&mut self, patience: Duration) -> bool {
        let end = std::time::Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(None) if std::time::Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(10))
                }
                Ok(None) => return false,
                _ => return true,
            }
        }
    }

    /// Ends it now, if possible so that the recording is closed properly.
    pub fn stop(&mut self) {
        let _ = self.qmp.command("quit", serde_json::json!({}));
        if !self.ended(Duration::from_secs(5)) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The unpacked QEMU through its own loader, libraries and firmware, dying with its parent.
fn qemu(root: &Path) -> Result<Command> {
    let tree = Tree::new(root);
    let dirs: Vec<OsString> = tree
        .library_dirs()
        .into_iter()
        .map(PathBuf::into_os_string)
        .collect();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    command
        .arg(tree.library("ld-linux-x86-64.so.2")?)
        .arg("--library-path")
        .arg(dirs.join(&OsString::from(":")));
    command.arg(tree.file("usr/bin/qemu-system-x86_64")?);
    for data in ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"] {
        command.arg("-L").arg(root.join(data));
    }
    command.env(
        "QEMU_MODULE_DIR",
        root.join("usr/lib/x86_64-linux-gnu/qemu"),
    );
    Ok(command)
}
