//! QEMU's control socket: one command at a time.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Events skipped before an answer.
const EVENTS: usize = 1000;

/// A connection ready for commands.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects to the socket at `path`, which may still have to appear.
    ///
    /// # Errors
    /// It does not appear before `patience` ends, or does not greet.
    pub fn connect(path: &Path, patience: Duration) -> Result<Self> {
        let end = Instant::now() + patience;
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(error).context("QEMU opened no control socket"),
            }
        };
        stream.set_read_timeout(Some(ANSWER))?;
        let mut qmp = Self {
            reader: BufReader::new(stream),
        };
        qmp.line()?;
        qmp.command("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        let octets = self
            .reader
            .read_line(&mut line)
            .context("QEMU does not answer")?;
        if octets == 0 {
            bail!("QEMU closed its control socket");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Executes one command and returns its result.
    ///
    /// # Errors
    /// QEMU refuses it or does not answer.
    pub fn command(&mut self, name: &str, arguments: Value) -> Result<Value> {
        let command = json!({ "execute": name, "arguments": arguments });
        writeln!(self.reader.get_mut(), "{command}")?;
        for _ in 0..EVENTS {
            let mut answer = self.line()?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {name}: {error}");
            }
            if let Some(result) = answer.get_mut("return") {
                return Ok(result.take());
            }
        }
        bail!("QEMU sends events but does not answer {name}")
    }

    /// Asks `query` until its `status` is one of `wanted`.
    ///
    /// # Errors
    /// It is not before `patience` ends.
    pub fn await_status(
        &mut self,
        query: &str,
        wanted: &[&str],
        patience: Duration,
    ) -> Result<String> {
        let end = Instant::now() + patience;
        loop {
            let answer = self.command(query, json!({}))?;
            let status = answer
                .get("status")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_string();
            if wanted.contains(&status.as_str()) {
                return Ok(status);
            }
            if Instant::now() > end {
                bail!("{query} still says '{status}': {answer}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
