//! Levels in the terminal, as they move.

use crate::session::Session;
use crate::status::{self, Stream};
use anyhow::Result;
use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

/// As often as the audio domain renews its numbers.
const STEP: Duration = Duration::from_millis(500);
/// Cells of a meter, and the dB that each stands for.
const CELLS: usize = 24;
const CELL_DB: f64 = 2.5;

/// Shows `rounds` rounds, or goes on until it is interrupted.
///
/// # Errors
/// xenstored refused, or `out` cannot be written.
pub fn run(session: &mut Session, rounds: Option<u32>, out: &mut dyn Write) -> Result<()> {
    let mut round = 0;
    while rounds.is_none_or(|rounds| round < rounds) {
        session.look()?;
        if session.audio().is_some() {
            status::ask(session)?;
        }
        sleep(STEP);
        let text = status::look(session)?.text(meter);
        // Home, then each line and what is left of the line before it, then the rest of the screen.
        let text = text.replace('\n', "\x1b[K\n");
        write!(out, "\x1b[H{text}\x1b[J")?;
        out.flush()?;
        round += 1;
    }
    Ok(())
}

/// A bar as long as the level is high, over 60 dB.
fn meter(stream: &Stream) -> String {
    let level = stream.level().unwrap_or(f64::NEG_INFINITY);
    let lit = (level / CELL_DB + CELLS as f64)
        .ceil()
        .clamp(0.0, CELLS as f64) as usize;
    format!(
        "[{}{}] {}",
        "#".repeat(lit),
        ".".repeat(CELLS - lit),
        status::level(stream)
    )
}
