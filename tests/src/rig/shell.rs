//! The machine on the user's terminal.

use super::console::interrupted;
use super::place;
use super::snapshot::snapshot;
use super::{Run, run};
use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs;
use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

/// Ctrl-].
const ESCAPE: u8 = 0x1d;

/// Boots the machine of `run` and connects the terminal with dom0 until either side ends it.
///
/// # Errors
/// There is no terminal, or the machine does not start.
pub fn shell(run: &Run) -> Result<()> {
    ensure!(
        isatty(stdin()) && isatty(stdout()),
        "the shell needs a terminal; `rig run` does not"
    );
    let root = place::root()?;
    let snapshot = snapshot(&root, run.kind())?;
    let dir = run.prepare(&root)?;
    fs::write(dir.path.join("share/mode"), "shell\n")?;
    let size = tcgetwinsize(stdout())?;
    let term = std::env::var("TERM").unwrap_or_else(|_| "vt100".to_string());
    fs::write(
        dir.path.join("share/terminal"),
        format!("{} {} {term}\n", size.ws_col, size.ws_row),
    )?;
    let (mut machine, to, from) = run::resume(&snapshot, &dir)?;
    let raw = Raw::enter()?;
    let ended = connect(to, from);
    drop(raw);
    if ended? {
        machine.ended(Duration::from_secs(20));
    }
    machine.stop();
    println!(
        "\nwhat the card played: {}",
        dir.path.join("card.wav").display()
    );
    Ok(())
}

/// The terminal in raw mode until dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> Result<Self> {
        let before = tcgetattr(stdin()).context("asking the terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// Carries octets both ways; true if the machine ended it.
fn connect(mut to: ChildStdin, mut from: ChildStdout) -> Result<bool> {
    let mut buffer = [0; 4096];
    let tick = Timespec {
        tv_sec: 0,
        tv_nsec: 200_000_000,
    };
    loop {
        let terminal = stdin();
        let mut ready = [
            PollFd::new(&terminal, PollFlags::IN),
            PollFd::new(&from, PollFlags::IN),
        ];
        poll(&mut ready, Some(&tick)).or_else(|error| {
            if error == rustix::io::Errno::INTR {
                Ok(0)
            } else {
                Err(error)
            }
        })?;
        let (typed, printed) = (
            !ready[0].revents().is_empty(),
            !ready[1].revents().is_empty(),
        );
        if interrupted() {
            return Ok(false);
        }
        if printed {
            let octets = from.read(&mut buffer)?;
            if octets == 0 {
                return Ok(true);
            }
            let mut terminal = std::io::stdout().lock();
            terminal.write_all(buffer.get(..octets).unwrap_or_default())?;
            terminal.flush()?;
        }
        if typed {
            let octets = rustix::io::read(terminal, &mut buffer)?;
            let keys = buffer.get(..octets).unwrap_or_default();
            if octets == 0 || keys.contains(&ESCAPE) {
                return Ok(false);
            }
            to.write_all(keys)?;
            to.flush()?;
        }
    }
}
