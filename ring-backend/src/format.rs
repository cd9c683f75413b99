//! The sample formats of sndif, as numbers, names and shapes.

/// A set of sample formats: bit `n` stands for wire number `n` (`XENSND_PCM_FORMAT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FormatSet(pub u64);
