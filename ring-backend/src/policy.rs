//! What dom0 lets each guest do.
//!
//! The guest is known by its domain's number alone, and what is allowed comes from this domain's
//! own directory, where no guest may write: nobody can pretend to be another.

/// What one guest may do. Nobody hears the microphone unless that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// How loud it is, in 0.001 dB; multiplied with what the guest sets itself.
    pub volume: i32,
    /// Not heard, whatever its volume.
    pub muted: bool,
    /// Its capture streams get what the microphone hears; else zeros.
    pub microphone: bool,
}
