//! Gains as integers, and the smooth way from one to the next.
//!
//! sndif counts volume in 0.001 dB (`XENSND_OP_SET_VOLUME`). A [`Gain`] is that amplitude as an
//! integer of 22 fraction bits, to the nearest.
//!
//! 16-bit samples that a 16-bit card can have as they are take a [short](Gain::short) one, of no
//! more bits than steps of 0.001 dB need: every step is another gain, within 0.0005 dB of what was
//! asked, down to -53.6 dB; below that a gain is within 2^-23 of full scale. Products of so few bits
//! leave room to sum them.

/// Fraction bits of a gain.
pub const GAIN_BITS: u32 = 22;

/// Most short gains are this in units of a power of two, or up to twice as much: the least whose
/// half unit is not more than half a step.
const LEAST: u128 = 8_686;

/// An amplitude: 0 is silence, `1 << 22` is unity, below 2 always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Gain(u32);

/// log2(10) / 20,000 with 64 fraction bits: octaves of amplitude per 0.001 dB.
const OCTAVES_PER_STEP: i128 = 3_063_937_869_882_636;

/// `ROOTS[i]` is 2^(2^-(i + 1)) with 62 fraction bits.
const ROOTS: [u64; 32] = {
    let mut roots = [0; 32];
    let mut square: u128 = 2 << 62;
    let mut i = 0;
    while i < 32 {
        square = root(square << 62);
        roots[i] = square as u64;
        i += 1;
    }
    roots
};

/// The integer square root.
const fn root(square: u128) -> u128 {
    let mut low: u128 = 0;
    let mut high: u128 = 1 << 64;
    while low + 1 < high {
        let middle = (low + high) / 2;
        // `middle` is below 2^64, so its square fits.
        if middle * middle <= square {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

impl Gain {
    /// Silence.
    pub const ZERO: Self = Self(0);
    /// The sample itself.
    pub const UNITY: Self = Self(1 << GAIN_BITS);
    /// The loudest, just below +6.02 dB.
    pub const MAX: Self = Self((2 << GAIN_BITS) - (1 << 9));

    /// The gain of a volume in 0.001 dB; what is louder than [`Gain::MAX`] becomes that.
    #[must_use]
    pub fn from_milli_db(milli_db: i32) -> Self {
        Self::rounded(milli_db, false)
    }

    /// The same in 14 or 15 bits of some power of two.
    #[must_use]
    pub fn short(milli_db: i32) -> Self {
        Self::rounded(milli_db, true)
    }

    fn rounded(milli_db: i32, short: bool) -> Self {
        if milli_db >= 6_020 {
            return Self::MAX;
        }
        if milli_db < -140_000 {
            return Self::ZERO;
        }
        let octaves = i128::from(milli_db) * OCTAVES_PER_STEP;
        let whole = (octaves >> 64) as i32; // -24 to 0
        let fraction = (octaves >> 32) as u32;
        let mut value: u128 = 1 << 62;
        for (i, &root) in ROOTS.iter().enumerate() {
            if fraction & (1 << (31 - i)) != 0 {
                value = (value * u128::from(root)) >> 62;
            }
        }
        let shift = 62 - GAIN_BITS as i32 - whole;
        // The value is from 1 to 2.
        let least = if value < (2 * LEAST) << 48 { 48 } else { 49 };
        let spare = if short { (least - shift).max(0) } else { 0 };
        let shift = shift + spare;
        Self((((value + (1 << (shift - 1))) >> shift) << spare) as u32)
    }

    /// The gain of an integer of [`GAIN_BITS`] fraction bits.
    pub(super) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The gain as an integer of [`GAIN_BITS`] fraction bits.
    #[must_use]
    pub const fn bits(self) -> i32 {
        self.0 as i32
    }

    /// The point `done / 2^log2_frames` of the way to `target`, on a curve that starts and ends
    /// level (3t^2 - 2t^3), so that neither the gain nor its slope jumps.
    #[must_use]
    pub fn towards(self, target: Self, done: u32, log2_frames: u32) -> Self {
        let t = i64::from(done);
        let frames = 1_i64 << log2_frames;
        let way = i64::from(target.0) - i64::from(self.0);
        // At most 2^10 frames: 2^23 * 3 * 2^30 fits.
        let moved = (way * (t * t * (3 * frames - 2 * t))) >> (3 * log2_frames);
        Self((i64::from(self.0) + moved) as u32)
    }
}

/// Frames of a ramp at `rate`, as a power of two: the last one not longer than 8 ms, 2^10 at most.
#[must_use]
pub const fn ramp_log2_frames(rate: u32) -> u32 {
    let frames = rate / 125;
    if frames < 2 {
        0
    } else if frames.ilog2() > 10 {
        10
    } else {
        frames.ilog2()
    }
}
