//! dom0's console: kept whole in `serial.log`, handed on line by line.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a wait lasts before it looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(200);

/// Why no line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The machine ended.
    Ended,
    /// The time is up.
    TimedOut,
    /// The user pressed Ctrl-C, or the process was told to end.
    Interrupted,
}

/// The lines of a console, as they come.
#[derive(Debug)]
pub struct Console {
    lines: Receiver<(Instant, String)>,
    reader: Option<JoinHandle<()>>,
}

impl Console {
    /// Reads `from` until it ends, keeping every octet in the file `log`.
    ///
    /// # Errors
    /// The log cannot be created.
    pub fn new(mut from: impl Read + Send + 'static, log: &Path) -> Result<Self> {
        let mut log = File::create(log)?;
        let (sender, lines) = channel();
        let reader = std::thread::spawn(move || {
            let mut line = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(octets @ 1..) = from.read(&mut buffer) {
                let read = buffer.get(..octets).unwrap_or_default();
                let _ = log.write_all(read);
                for byte in read {
                    if *byte == b'\n' {
                        let _ = sender.send((Instant::now(), plain(&line)));
                        line.clear();
                    } else {
                        line.push(*byte);
                    }
                }
            }
            if !line.is_empty() {
                let _ = sender.send((Instant::now(), plain(&line)));
            }
        });
        Ok(Self {
            lines,
            reader: Some(reader),
        })
    }

    /// The next line, if it comes before `end`.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn line(&self, end: Instant) -> Result<(Instant, String), Silence> {
        loop {
            if interrupted() {
                return Err(Silence::Interrupted);
            }
            let rest = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(rest.min(LOOK)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => return Err(Silence::Ended),
                Err(RecvTimeoutError::Timeout) if rest.is_zero() => return Err(Silence::TimedOut),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // The machine is gone by now, so its output ends.
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A line without terminal controls.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                if letters.next() == Some('[') {
                    for code in letters.by_ref() {
                        if code.is_ascii_alphabetic() {
                            break;
                        }
                    }
                }
            }
            '\t' => out.push('\t'),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Makes Ctrl-C and termination end a run in order. For programs; tests just die, and QEMU with them.
///
/// # Errors
/// Another handler is installed.
pub fn heed_interrupts() -> Result<()> {
    let flag = Arc::clone(INTERRUPTED.get_or_init(Arc::default));
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .context("installing the handler of Ctrl-C")
}

/// Was the process told to end?
pub fn interrupted() -> bool {
    INTERRUPTED
        .get()
        .is_some_and(|flag| flag.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_controls_are_left_out_of_lines() {
        assert_eq!(plain(b"\x1b[1;32mgreen\x1b[m\r\tx\x1bc"), "green\tx");
    }

    #[test]
    fn a_console_without_a_last_newline_still_gives_its_last_line() {
        let dir = tempfile::tempdir().unwrap();
        let console = Console::new(&b"one\ntwo"[..], &dir.path().join("log")).unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        assert_eq!(console.line(end).unwrap().1, "one");
        assert_eq!(console.line(end).unwrap().1, "two");
        assert_eq!(console.line(end), Err(Silence::Ended));
    }
}
