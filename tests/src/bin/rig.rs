//! The machine at your fingertips: `cargo rig shell`, `cargo rig run SCRIPT`.

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tests::rig::{self, Extra, Run, Xen};
use tests::suite;

/// Boots a whole Xen machine under QEMU, with the audio domain's image at hand.
#[derive(Parser)]
#[command(name = "cargo rig")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Runs a shell script in dom0; its status becomes this command's.
    Run {
        /// The script; `-` reads it from stdin.
        script: PathBuf,
        /// Ends the run after this many seconds.
        #[arg(long, default_value_t = 300)]
        timeout: u64,
        /// Puts what the card played here.
        #[arg(long, value_name = "FILE")]
        wav: Option<PathBuf>,
        /// Also shows what Xen and the kernel print.
        #[arg(long, short)]
        verbose: bool,
        #[command(flatten)]
        machine: Machine,
    },
    /// Gives you dom0's shell; Ctrl-] or `exit` ends it.
    Shell {
        #[command(flatten)]
        machine: Machine,
    },
    /// Everything that takes long: kinds of guests, kernels, versions of Xen, programs. Prints a
    /// table of what was proven here or by the tests, and writes target/rig/matrix.json.
    Suite {
        /// Runs these checks only: sound, life, restart, crash, cards, save, programs, alsaloop,
        /// latency, delay, record, capture, crowd, crowd32, kinds.
        checks: Vec<String>,
        /// Runs them on this Xen only.
        #[arg(long)]
        xen: Option<Xen>,
        /// Only prints what is known.
        #[arg(long)]
        table: bool,
    },
    /// Fetches, builds and saves everything a run needs.
    Prepare {
        #[command(flatten)]
        machine: Machine,
    },
}

#[derive(Args)]
struct Machine {
    /// Xen's version: 4.17 or 4.20.
    #[arg(long, default_value = "4.17")]
    xen: Xen,
    /// Time passes as on the host instead of by counted instructions.
    #[arg(long)]
    realtime: bool,
    /// The card can record as well.
    #[arg(long)]
    duplex: bool,
    /// The card records this file: raw 16-bit stereo at 48 kHz.
    #[arg(long, value_name = "FILE")]
    microphone: Option<PathBuf>,
    /// The processor has AVX2.
    #[arg(long)]
    avx2: bool,
    /// The processor helps guests that are not paravirtual: `GUEST_TYPE=pvh`.
    #[arg(long, conflicts_with = "avx2")]
    hvm: bool,
    /// Uses this audio domain image instead of building one.
    #[arg(long, value_name = "ELF")]
    kernel: Option<PathBuf>,
    /// Builds no audio domain image.
    #[arg(long, conflicts_with = "kernel")]
    no_kernel: bool,
    /// Gives every guest this file at this path.
    #[arg(long, value_name = "HOST:PATH")]
    guest_file: Vec<String>,
    /// Debian 13's kernel for guests: `GUEST_KERNEL=/boot/vmlinux-6.12 GUEST_OVER=/boot/linux-6.12.cpio`.
    #[arg(long)]
    linux_6_12: bool,
    /// PulseAudio for guests: `GUEST_OVER=/boot/pulseaudio.cpio`.
    #[arg(long)]
    pulseaudio: bool,
    /// PipeWire for guests: `GUEST_OVER=/boot/pipewire.cpio`.
    #[arg(long)]
    pipewire: bool,
    /// A device model for dom0: `device_model` makes guests what it is for.
    #[arg(long, requires = "hvm")]
    device_model: bool,
}

impl Machine {
    fn run(self, script: String) -> Result<Run> {
        let mut run = Run::new(script).xen(self.xen);
        if self.realtime {
            run = run.realtime();
        }
        if self.duplex {
            run = run.duplex();
        }
        if let Some(heard) = self.microphone {
            run = run.microphone(heard);
        }
        if self.avx2 {
            run = run.avx2();
        }
        if self.hvm {
            run = run.hvm();
        }
        if let Some(kernel) = self.kernel {
            run = run.kernel(kernel);
        }
        if self.no_kernel {
            run = run.without_audiodom();
        }
        if self.linux_6_12 {
            run = run.extra(Extra::Linux6_12);
        }
        if self.pulseaudio {
            run = run.extra(Extra::PulseAudio);
        }
        if self.pipewire {
            run = run.extra(Extra::PipeWire);
        }
        if self.device_model {
            run = run.extra(Extra::DeviceModel);
        }
        for pair in self.guest_file {
            let (host, guest) = pair
                .rsplit_once(':')
                .with_context(|| format!("'{pair}' is not HOST:PATH"))?;
            run = run.guest_file(host, guest);
        }
        Ok(run)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    rig::heed_interrupts()
        .and_then(|()| act(cli.what))
        .unwrap_or_else(|error| {
            eprintln!("rig: {error:#}");
            ExitCode::FAILURE
        })
}

fn act(what: What) -> Result<ExitCode> {
    match what {
        What::Run {
            script,
            timeout,
            wav,
            verbose,
            machine,
        } => {
            let text = std::io::read_to_string(open(&script)?)?;
            let mut run = machine
                .run(text)?
                .timeout(Duration::from_secs(timeout))
                .echo(verbose);
            if let Some(wav) = wav {
                run = run.wav(wav);
            }
            let outcome = run.go()?;
            if outcome.status != 0 {
                eprintln!("{outcome}");
            }
            Ok(ExitCode::from(u8::try_from(outcome.status).unwrap_or(1)))
        }
        What::Shell { machine } => {
            rig::shell(&machine.run(String::new())?).map(|()| ExitCode::SUCCESS)
        }
        What::Suite { checks, xen, table } => {
            let good = table || suite::run(&checks, xen)?;
            print!("{}", suite::matrix::table()?);
            Ok(if good {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        What::Prepare { machine } => {
            rig::prepare(&machine.run(String::new())?).map(|()| ExitCode::SUCCESS)
        }
    }
}

fn open(script: &std::path::Path) -> Result<Box<dyn std::io::Read>> {
    if script.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let file =
        std::fs::File::open(script).with_context(|| format!("opening {}", script.display()))?;
    Ok(Box::new(file))
}
