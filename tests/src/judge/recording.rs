//! Reading the card's recording.

use anyhow::{Context, Result, ensure};
use hound::WavReader;
use std::io::Cursor;
use std::path::Path;

/// Frames per second of every recording.
pub const RATE: u32 = 48_000;

/// A frame: left, right.
pub type Frame = [i16; 2];

/// What the card's DAC got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its frames, at [`RATE`].
    pub frames: Vec<Frame>,
}

impl Recording {
    /// Reads a 16-bit stereo 48 kHz WAV, also one whose writer died before it knew the length.
    ///
    /// # Errors
    /// The file is missing or of another shape.
    pub fn read(path: &Path) -> Result<Self> {
        let mut bytes =
            std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        mend_length(&mut bytes);
        let mut reader = WavReader::new(Cursor::new(bytes))
            .with_context(|| format!("{} is no WAV", path.display()))?;
        let spec = reader.spec();
        ensure!(
            (spec.channels, spec.sample_rate, spec.bits_per_sample) == (2, RATE, 16),
            "{} is {spec:?}, not 16-bit stereo at {RATE} Hz",
            path.display()
        );
        let samples = reader.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
        let (frames, _) = samples.as_chunks::<2>();
        Ok(Self {
            frames: frames.to_vec(),
        })
    }

    /// Its length in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.frames.len() as f64 / f64::from(RATE)
    }

    /// One channel, full scale = 1.
    #[must_use]
    pub fn channel(&self, channel: usize) -> Vec<f64> {
        self.frames
            .iter()
            .map(|frame| f64::from(frame[channel]) / 32_768.0)
            .collect()
    }

    /// The stretches that are not digital silence, as frame ranges. Pauses of up to `pause`
    /// frames belong to the stretch round them.
    #[must_use]
    pub fn sounding(&self, pause: usize) -> Vec<std::ops::Range<usize>> {
        let mut stretches: Vec<std::ops::Range<usize>> = Vec::new();
        for at in (0..self.frames.len()).filter(|&at| self.frames[at] != [0, 0]) {
            match stretches.last_mut() {
                Some(last) if at - last.end <= pause => last.end = at + 1,
                _ => stretches.push(at..at + 1),
            }
        }
        stretches
    }
}

/// Octets of a canonical WAV header with one `fmt ` chunk of 16 octets.
const HEADER: usize = 44;

/// Writes the real length into a canonical header that has none or too long a one.
fn mend_length(bytes: &mut [u8]) {
    if bytes.len() < HEADER || &bytes[36..40] != b"data" {
        return;
    }
    let real = (bytes.len() - HEADER) / 4 * 4;
    let said = u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]) as usize;
    if said == 0 || said > real {
        bytes[40..44].copy_from_slice(&(real as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&((real + HEADER - 8) as u32).to_le_bytes());
    }
}
