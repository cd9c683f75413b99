//! Fakes and judges shared by the tests, and the rig that boots the real machine.

pub mod codec_paths;
pub mod fake;
pub mod hda_sim;
pub mod judge;
pub mod report;
pub mod rig;
pub mod signal;
pub mod suite;
