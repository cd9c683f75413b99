//! Fakes and judges shared by the tests, and the rig that boots the real machine.

pub mod judge;
pub mod signal;
