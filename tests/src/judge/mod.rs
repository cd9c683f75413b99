//! What a recording holds, judged sample by sample.
//!
//! A recording is what QEMU's card gave to its host: 16-bit stereo at 48 kHz. The judges are
//! themselves judged in `tests/tests/judge.rs`, against faults put in on purpose.

pub mod exact;
pub mod plot;
pub mod recording;
pub mod resampling;
pub mod tone;
