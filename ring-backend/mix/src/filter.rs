//! The resampler's low-pass filters, computed in integers.
//!
//! A filter is a function of continuous time, so that any ratio of rates takes its own phases
//! from it: a sum of cosines over its support, of which the image holds the amplitudes alone. A
//! table is computed from them when a stream first needs it.
//!
//! Amplitude k is the filter's gain at k cycles per support. They were found by weighted minimax
//! (least squares, reweighted until no error sticks out): gain within 0.01 dB up to 17 kHz and
//! 0.05 dB at 20 kHz, images and aliases below a floor that falls with frequency, so that all of
//! them together stay below what one may have. The first is held at 1/2 and their alternating sum
//! at 0: a constant stays what it is, and nothing jumps where the support ends.

/// Which filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Passes 20 of 44.1 kHz, nothing from 24.1 kHz on: images are to be kept out.
    Up,
    /// Passes 20 of 44.1 kHz, nothing from 22.5 kHz on: aliases are to be kept out.
    Down,
    /// Passes 18 of 44.1 kHz, nothing from 26.1 kHz on, either way.
    Light,
}

impl Family {
    /// Frames of the lower rate that the filter lasts, with 40 fraction bits.
    #[must_use]
    pub const fn support(self) -> i64 {
        let tenths = match self {
            Self::Up => 640,
            // 112 frames of 48 kHz.
            Self::Down => 1_029,
            // 32 frames of 48 kHz.
            Self::Light => 294,
        };
        (tenths << TIME_BITS) / 10
    }

    /// Fraction bits of coefficients at the filter's ends, where so many leave them 16 bits in all.
    #[must_use]
    pub const fn edge_bits(self) -> u32 {
        match self {
            Self::Up => 25,
            Self::Down => 26,
            Self::Light => 21,
        }
    }

    /// How far sums of cross products are shifted to be what those of the ends are, and both of
    /// them to be what products of high halves are.
    #[must_use]
    pub const fn shifts(self) -> [u32; 2] {
        let bits = self.edge_bits();
        [COEFFICIENT_BITS - bits, bits - HIGH_BITS]
    }

    /// Gains at multiples of a cycle per support, with 30 fraction bits; half of it at 0.
    const fn amplitudes(self) -> &'static [i32] {
        match self {
            Self::Up => &UP,
            Self::Down => &DOWN,
            Self::Light => &LIGHT,
        }
    }
}

/// A continuous low-pass filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its amplitudes.
    pub family: Family,
    /// Input frames that it lasts, with 40 fraction bits.
    pub support: i64,
    /// Input frames that are multiplied for an output: even, and no fewer than it lasts.
    pub taps: usize,
}

/// Fraction bits of time.
pub const TIME_BITS: u32 = 40;
/// Fraction bits of a coefficient.
pub const COEFFICIENT_BITS: u32 = 26;
/// Fraction bits of its high half.
pub const HIGH_BITS: u32 = 14;
/// Fraction bits of what [`Kernel::at`] gives.
pub const VALUE_BITS: u32 = 62;
/// Fraction bits of sums of cosines.
const SUM_BITS: u32 = 48;

/// Pi with 60 fraction bits.
const PI: i128 = 3_622_009_729_038_561_421;

/// A filter ready to be evaluated.
pub struct Kernel {
    amplitudes: &'static [i32],
    half: i64,
    /// 2 / support with 62 fraction bits.
    scale: i64,
}

const fn product(a: i64, b: i64) -> i64 {
    ((a as i128 * b as i128) >> VALUE_BITS) as i64
}

impl Kernel {
    /// Prepares `shape`.
    #[must_use]
    pub const fn new(shape: Shape) -> Self {
        Self {
            amplitudes: shape.family.amplitudes(),
            half: shape.support / 2,
            scale: ((2_i128 << (TIME_BITS + VALUE_BITS)) / shape.support as i128) as i64,
        }
    }

    /// The filter at `t` input frames from its middle, with 62 fraction bits.
    #[must_use]
    pub fn at(&self, t: i64) -> i64 {
        if t.abs() >= self.half {
            return 0;
        }
        let half_turns = product(t, self.scale);
        let cosine = sine(half_turns + (1 << (TIME_BITS - 1)));
        // Clenshaw's recurrence. No sum exceeds the square of their number.
        let (mut sum, mut before) = (0_i64, 0_i64);
        for &amplitude in self.amplitudes.iter().rev() {
            let amplitude = i64::from(amplitude) << (SUM_BITS - 30);
            let next = amplitude - before + 2 * product(sum, cosine);
            (before, sum) = (sum, next);
        }
        // The last step has the cosine once, not twice.
        let sum = sum - product(before, cosine);
        ((i128::from(sum) * i128::from(self.scale)) >> SUM_BITS) as i64
    }
}

/// sin(pi x), `x` with 40 fraction bits, the sine with 62.
fn sine(x: i64) -> i64 {
    let turns = (x + (1 << (TIME_BITS - 1))) >> TIME_BITS;
    let rest = x - (turns << TIME_BITS);
    let angle = ((PI * i128::from(rest)) >> (60 + TIME_BITS - VALUE_BITS)) as i64;
    // The angle is below 1.6, so its square at 62 bits would not fit: a quarter of it does.
    let quarter_square = ((i128::from(angle) * i128::from(angle)) >> (VALUE_BITS + 2)) as i64;
    let mut sum = 1_i64 << VALUE_BITS;
    for share in SHARES {
        sum = (1 << VALUE_BITS) - product(product(sum, quarter_square), share) * 4;
    }
    let value = ((i128::from(angle) * i128::from(sum)) >> VALUE_BITS) as i64;
    if turns & 1 == 0 { value } else { -value }
}

/// 1 / (2k (2k + 1)) for k from 11 down to 1, with 62 fraction bits.
const SHARES: [i64; 11] = {
    let mut shares = [0; 11];
    let mut k = 11;
    while k > 0 {
        shares[11 - k] = (1 << VALUE_BITS) / (2 * k * (2 * k + 1)) as i64;
        k -= 1;
    }
    shares
};

#[rustfmt::skip]
const UP: [i32; 39] = [
    536_870_912, 1_074_040_623, 1_073_445_424, 1_074_007_935, 1_073_519_725, 1_073_909_784,
    1_073_635_318, 1_073_782_037, 1_073_769_376, 1_073_648_816, 1_073_895_495, 1_073_534_523,
    1_073_992_662, 1_073_460_102, 1_074_041_318, 1_073_438_190, 1_074_034_883, 1_073_472_415,
    1_073_976_986, 1_073_550_384, 1_073_885_323, 1_073_647_483, 1_073_793_131, 1_073_719_497,
    1_073_767_578, 1_073_569_678, 1_074_128_118, 1_073_257_228, 1_073_887_772, 1_067_265_599,
    873_603_681, 461_299_528, 130_857_606, 15_998_631, 497_086, -4, 2, -45, 8,
];

#[rustfmt::skip]
const DOWN: [i32; 57] = [
    536_870_912, 1_073_854_293, 1_073_625_146, 1_073_856_630, 1_073_631_267, 1_073_846_605,
    1_073_644_137, 1_073_831_196, 1_073_661_851, 1_073_811_486, 1_073_683_250, 1_073_788_644,
    1_073_707_318, 1_073_763_557, 1_073_733_227, 1_073_737_072, 1_073_759_880, 1_073_710_748,
    1_073_785_496, 1_073_686_100, 1_073_808_920, 1_073_664_174, 1_073_829_070, 1_073_646_084,
    1_073_844_790, 1_073_633_071, 1_073_854_810, 1_073_626_194, 1_073_858_515, 1_073_625_627,
    1_073_856_031, 1_073_630_992, 1_073_848_058, 1_073_641_279, 1_073_835_755, 1_073_654_602,
    1_073_823_022, 1_073_665_577, 1_073_816_569, 1_073_661_832, 1_073_860_501, 1_073_540_936,
    1_074_053_379, 1_073_294_831, 1_074_319_884, 1_073_053_802, 1_075_052_905, 1_046_425_761,
    797_958_991, 373_057_068, 87_486_115, 7_592_391, 90_831, 113, 167, 19, -113,
];

#[rustfmt::skip]
const LIGHT: [i32; 22] = [
    536_870_912, 1_073_485_642, 1_074_004_081, 1_073_491_047, 1_073_975_585, 1_073_527_742,
    1_073_937_126, 1_073_559_019, 1_073_924_334, 1_073_536_259, 1_074_006_846, 1_073_189_248,
    1_071_986_994, 955_926_677, 581_763_303, 185_660_623, 22_252_089, 341_264, 1_831, 2_440,
    -2_055, 1_085,
];
