//! What the card of a duplex machine hears: a file.
//!
//! QEMU's WAV backend has no input, its ALSA backend has, and ALSA's own `file` plug-in reads a
//! file where it would record. Nothing of the host's sound is touched. Neither end of it has a
//! clock: QEMU's timer asks for what a buffer holds, so the buffer is as long as the timer's
//! period, and the card's rate is the timer's.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::Path;

/// ALSA's configuration, in the run's directory.
pub const CONFIG: &str = "asound.conf";
/// What is heard: 16-bit stereo at 48 kHz. Ten minutes at least, silent at the end, since nothing
/// comes any more where the file ends.
pub const HEARD: &str = "microphone.raw";
const OCTETS: u64 = 600 * 48_000 * 4;

/// Plays into `card.wav` and hears [`HEARD`].
const PLUGINS: &str = r#"
pcm.speaker { type file slave.pcm { type null } file "card.wav" format "wav" }
pcm.microphone { type file slave.pcm { type null } file "/dev/null" infile "microphone.raw" format "raw" }
"#;

/// QEMU's argument for it.
pub fn audiodev(id: &str) -> String {
    // In microseconds: a period of QEMU's timer.
    const PERIOD: u32 = 10_000;
    let mut text = format!("alsa,id={id},timer-period={PERIOD}");
    for (side, device) in [("in", "microphone"), ("out", "speaker")] {
        text += &format!(
            ",{side}.dev={device},{side}.try-poll=off,{side}.frequency=48000,{side}.buffer-length={PERIOD},\
             {side}.period-length={}",
            PERIOD / 2
        );
    }
    text
}

/// Makes what is missing in the run's directory.
pub fn prepare(dir: &Path) -> Result<()> {
    fs::write(dir.join(CONFIG), PLUGINS)?;
    let path = dir.join(HEARD);
    let heard = File::options().create(true).append(true).open(&path);
    let heard = heard.with_context(|| format!("making {}", path.display()))?;
    let there = heard.metadata()?.len();
    heard.set_len(there.max(OCTETS))?;
    Ok(())
}
