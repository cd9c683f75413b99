//! What the inner loops are given, and which of them runs.

use super::MAX_CHANNELS;
use super::gain::{GAIN_BITS, Gain};
#[cfg(target_arch = "x86_64")]
use super::simd::Avx2;
use super::table::Table;
use crate::card::CardSample;

/// Which inner loops run. All compute the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Plain integers: what the others are held against.
    Scalar,
    /// 128-bit vectors, which every processor of the target has.
    #[cfg(target_arch = "x86_64")]
    Sse2,
    /// 256-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
}

/// Where the samples go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Whether they have 32 bits, and not 16.
    wide: bool,
    /// Bits of 32 that the card does not have.
    dropped: u32,
    /// Whether loud sums are bent, and not cut.
    soft: bool,
}

/// Fraction bits of a sum below one unit of a 32-bit sample: those of a gain.
const SUM_BITS: u32 = GAIN_BITS;

impl Sink {
    /// The card's samples; its bits are taken to be 16 to 32.
    #[must_use]
    pub fn new(sample: CardSample) -> Self {
        match sample {
            CardSample::S16 => Self {
                wide: false,
                dropped: 16,
                soft: false,
            },
            CardSample::S32 { bits } => Self {
                wide: true,
                dropped: 32 - u32::from(bits.clamp(16, 32)),
                soft: false,
            },
        }
    }

    /// Octets per sample.
    #[must_use]
    pub const fn octets(self) -> usize {
        if self.wide { 4 } else { 2 }
    }

    /// Half of the last place that is kept, as a sum.
    #[must_use]
    pub const fn half(self) -> i64 {
        1 << (SUM_BITS + self.dropped - 1)
    }

    /// The places of a sum that the card does not have.
    #[must_use]
    pub const fn places(self) -> u32 {
        SUM_BITS + self.dropped
    }

    /// The gain of noise in 256ths of the card's last place, if there is anything below that.
    #[must_use]
    pub fn noise(self) -> Option<Levels> {
        let shift = self.dropped.checked_sub(2)?;
        Levels::new(&[Gain::from_bits(1 << shift)])
    }

    /// The bits that are kept of a 32-bit sample.
    #[must_use]
    pub const fn mask(self) -> i32 {
        -1 << self.dropped
    }

    /// The same with loud sums bent, or cut.
    #[must_use]
    pub const fn with_soft(self, soft: bool) -> Self {
        Self { soft, ..self }
    }

    /// Whether loud sums are bent.
    #[must_use]
    pub const fn soft(self) -> bool {
        self.soft
    }

    /// Sums are the card's as they are while their high words are below this, and not below its
    /// negative: at full scale, or 1.2 dB below it.
    #[must_use]
    pub const fn knee(self) -> i32 {
        if self.soft { 7 << 18 } else { 1 << 21 }
    }

    /// A sum rounded to nearest, saturated, left-justified.
    #[must_use]
    pub const fn round(self, sum: i64) -> i32 {
        self.place_seldom(sum + self.half())
    }

    /// [`Sink::place`], once in the code for all who seldom need it.
    #[inline(never)]
    #[must_use]
    pub const fn place_seldom(self, sum: i64) -> i32 {
        self.place(sum)
    }

    /// The same of a sum with half a place added.
    #[must_use]
    pub const fn place(self, sum: i64) -> i32 {
        let units = sum >> SUM_BITS;
        let knee = (self.knee() as i64) << (32 - SUM_BITS);
        if units >= -knee && units < knee {
            return units as i32 & self.mask();
        }
        // What is above the knee nears what is between it and full scale, and never reaches it;
        // at the knee it begins as steep as what is below. 24 dB above full scale it is flat.
        let room = (1 << 31) - knee;
        let over = units.unsigned_abs().saturating_sub(knee as u64);
        let over = if over < 1 << 35 { over as i64 } else { 1 << 35 };
        let value = knee
            + if room > 0 {
                room * over / (room + over)
            } else {
                0
            };
        let value = if units < 0 { -value } else { value };
        let value = if value > i32::MAX as i64 {
            i32::MAX
        } else {
            value as i32
        };
        value & self.mask()
    }
}

/// Where the sum of a sample lies: within every eight, the even ones first, as 32-bit multiplies
/// leave them.
#[inline]
#[must_use]
pub const fn accumulator_slot(sample: usize) -> usize {
    (sample & !7) | ((sample & 1) << 2) | ((sample >> 1) & 3)
}

/// The gains of eight samples in a row, after which they repeat, in the shapes that loops want.
#[derive(Clone, Copy, Debug, Default)]
pub struct Levels {
    /// With 22 fraction bits.
    pub gains: [i32; MAX_CHANNELS],
    /// Fraction bits that they need.
    pub places: u32,
    /// Whether the gains repeat within four samples.
    pub narrow: bool,
}

impl Levels {
    /// Spreads the gains of `channels` over eight samples; `None` where they do not repeat within
    /// eight.
    #[must_use]
    pub fn new(channels: &[Gain]) -> Option<Self> {
        let first = channels.first().copied()?;
        let mut period = channels;
        if channels.iter().all(|&gain| gain == first) {
            period = core::slice::from_ref(&first);
        } else if !MAX_CHANNELS.is_multiple_of(channels.len()) {
            return None;
        }
        let mut levels = Self {
            narrow: 4_usize.is_multiple_of(period.len()),
            ..Self::default()
        };
        for (bits, &gain) in levels.gains.iter_mut().zip(period.iter().cycle()) {
            *bits = gain.bits();
        }
        levels.places = places_of(levels.gains);
        Some(levels)
    }
}

/// Fraction bits that gains need.
#[must_use]
#[inline(never)]
pub fn places_of(gains: [i32; MAX_CHANNELS]) -> u32 {
    let any = gains.into_iter().fold(0, |any, gain| any | gain);
    GAIN_BITS.saturating_sub(any.trailing_zeros())
}

/// A stream that needs nothing but its gain: its octets in the card's own layout.
#[derive(Clone, Copy, Debug)]
pub struct Direct<'a> {
    /// 16-bit or 32-bit little-endian samples.
    pub octets: &'a [u8],
    /// Whether they have 32 bits.
    pub wide: bool,
    /// Their gains.
    pub levels: &'a Levels,
}

impl Direct<'_> {
    /// Sample `index` in units of 2^-31.
    #[must_use]
    pub fn sample(&self, index: usize) -> i64 {
        if self.wide {
            let (samples, _) = self.octets.as_chunks();
            samples
                .get(index)
                .map_or(0, |&x| i64::from(i32::from_le_bytes(x)))
        } else {
            let (samples, _) = self.octets.as_chunks();
            samples
                .get(index)
                .map_or(0, |&x| i64::from(i16::from_le_bytes(x)) << 16)
        }
    }

    /// The gain of sample `index`.
    #[must_use]
    pub fn gain(&self, index: usize) -> i32 {
        self.levels
            .gains
            .get(index % MAX_CHANNELS)
            .copied()
            .unwrap_or(0)
    }
}

/// Frames of one stream, or of two in step, and the table that resamples them.
#[derive(Clone, Copy, Debug)]
pub struct Fir<'a> {
    /// The coefficients.
    pub table: Table<'a>,
    /// Two planes of `stride` samples per channel, first of the first stream's: the samples' high
    /// 16 bits and the 12 bits below them, of history and then of new frames.
    pub samples: &'a [i16],
    /// Samples per plane.
    pub stride: usize,
    /// Channels of each stream.
    pub channels: usize,
    /// Streams.
    pub streams: usize,
    /// Samples from the first stream's first output to the other's.
    pub room: usize,
    /// Whether any low sample is not 0.
    pub fine: bool,
}

impl Fir<'_> {
    /// Where a channel's first output goes.
    #[inline]
    #[must_use]
    pub const fn place(&self, channel: usize) -> usize {
        channel / self.channels * self.room + channel % self.channels
    }
}
