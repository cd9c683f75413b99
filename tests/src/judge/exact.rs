//! Is this very sequence of frames in the recording?

use super::recording::Frame;
use std::fmt;

/// Where a sequence lies in a recording, or how it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// All of it, from this frame of the recording on.
    At(usize),
    /// It begins, then differs.
    Differs {
        /// The recording's frame where it begins.
        from: usize,
        /// Frames that agree.
        agree: usize,
        /// Where the rest continues in the recording, as an offset from where it should: frames
        /// inserted (positive) or lost (negative).
        slip: Option<i64>,
    },
    /// Its first frames are nowhere.
    Absent,
}

impl fmt::Display for Match {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(out, "sample for sample from frame {at}"),
            Self::Differs { from, agree, slip } => {
                write!(out, "begins at frame {from}, differs after {agree} frames")?;
                match slip {
                    Some(slip) => write!(out, ", goes on {slip:+} frames from where it should"),
                    None => write!(out, ", never goes on"),
                }
            }
            Self::Absent => write!(out, "its beginning is not in the recording"),
        }
    }
}

/// Frames that tell one place of a sequence from any other; noise needs far fewer.
const ANCHOR: usize = 32;

/// Finds `sequence`, which must be longer than an anchor and not silent, in `recording`.
#[must_use]
pub fn find(sequence: &[Frame], recording: &[Frame]) -> Match {
    let anchor = &sequence[..ANCHOR.min(sequence.len())];
    let Some(from) = position(anchor, recording, 0) else {
        return Match::Absent;
    };
    let agree = sequence
        .iter()
        .zip(&recording[from..])
        .take_while(|(expected, got)| expected == got)
        .count();
    if agree == sequence.len() {
        return Match::At(from);
    }
    // A slip shows as a later piece of the sequence standing elsewhere.
    let slip = (agree..sequence.len().saturating_sub(ANCHOR))
        .step_by(ANCHOR)
        .take(64)
        .find_map(|at| {
            let start = from + agree.saturating_sub(48_000);
            let piece = &sequence[at..at + ANCHOR];
            if piece.iter().all(|frame| frame == &piece[0]) {
                return None;
            }
            let found = position(piece, recording, start)?;
            Some(found as i64 - (from + at) as i64)
        });
    Match::Differs { from, agree, slip }
}

fn position(piece: &[Frame], recording: &[Frame], start: usize) -> Option<usize> {
    recording
        .get(start..)?
        .windows(piece.len())
        .position(|window| window == piece)
        .map(|at| at + start)
}
