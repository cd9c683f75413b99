//! From guests' samples to the card's: decode, map channels, resample, scale, sum, round once.
//!
//! ```text
//!  same layout as the card ──────────────── gain ─┐
//!  any other ─► decode ─► fold ─► resample ─ gain ─► sum ─► round, saturate ─► card
//! ```
//!
//! Everything is fixed point. A sum is exact however many streams there are, and is rounded once:
//! a lone 16-bit stream reaches a 16-bit card bit for bit. All memory is taken in
//! [`Mixer::new`] and by the [`Voice`]s themselves; rendering allocates nothing.
#![no_std]
#![deny(unsafe_code)] // Allowed in simd.rs alone: vector loads, stores and calls.

extern crate alloc;

mod capture;
pub mod card;
#[cfg(target_arch = "x86_64")]
mod carry;
mod columns;
mod convert;
#[cfg(target_arch = "x86_64")]
mod convolve;
pub mod decode;
pub mod encode;
mod filter;
pub mod format;
pub mod gain;
mod input;
mod kernel;
mod law;
pub mod layout;
mod mend;
mod mixer;
#[cfg(target_arch = "x86_64")]
mod narrow;
mod noise;
mod pairs;
mod path;
mod place;
mod plan;
mod resample;
mod rows;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
mod steps;
mod sums;
mod table;
mod tier;
mod unfold;
mod voice;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use input::Input;
pub use kernel::Tier;
pub use mixer::{MAX_VOICES, Mixer};
pub use resample::Quality;
#[cfg(target_arch = "x86_64")]
pub use simd::Avx2;
pub use voice::Voice;

use crate::format::SampleFormat;

/// Most channels that a stream or a card has.
pub const MAX_CHANNELS: usize = 8;
/// Most channels, by the name that the data plane uses.
pub const CHANNELS: usize = MAX_CHANNELS;
/// Lowest rate of a stream or a card, in frames per second.
pub const MIN_RATE: u32 = 5_512;
/// Highest rate of a stream or a card, in frames per second.
pub const MAX_RATE: u32 = 192_000;

/// What a stream's frames look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// The shape of a sample.
    pub format: SampleFormat,
    /// Frames per second, [`MIN_RATE`] to [`MAX_RATE`].
    pub rate: u32,
    /// Samples per frame, 1 to [`MAX_CHANNELS`].
    pub channels: u8,
}

/// Why a stream cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// The format has no samples to mix: S/PDIF subframes, MPEG, GSM, and IMA ADPCM, of which
    /// sndif does not say how its blocks lie.
    Format(SampleFormat),
    /// The rate, or the card's, is out of range.
    Rate(u32),
    /// The number of channels, or the card's, is out of range.
    Channels(u8),
}
