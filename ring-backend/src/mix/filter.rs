//! The resampler's low-pass filters, computed in integers.
//!
//! A filter is a sinc under a Kaiser window, as a function of continuous time, so that any ratio
//! of rates takes its own phases from it. Nothing of it lies in the image: a table is computed
//! when a stream first needs it.

/// A continuous low-pass filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Length in input frames, even.
    pub taps: usize,
    /// The -6 dB point in cycles per input frame, with 40 fraction bits; 2^39 at most.
    pub cutoff: i64,
    /// Kaiser's beta, times 16.
    pub beta_16: u8,
}

/// Fraction bits of time.
pub const TIME_BITS: u32 = 40;
/// Fraction bits of what [`Kernel::at`] gives.
pub const VALUE_BITS: u32 = 62;

const TERMS: usize = 48;
/// Pi with 60 fraction bits.
const PI: i128 = 3_622_009_729_038_561_421;

/// A filter ready to be evaluated.
pub struct Kernel {
    shape: Shape,
    /// The window as a power series in 1 - (2t / taps)^2, with 62 fraction bits.
    series: [i64; TERMS],
}

const fn product(a: i64, b: i64) -> i64 {
    ((a as i128 * b as i128) >> VALUE_BITS) as i64
}

impl Kernel {
    /// Prepares the window of `shape`.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        // I0(z) is the sum of (z^2 / 4)^k / (k!)^2. Divided by I0(beta), it is a series in 1 - y^2
        // whose coefficients add up to 1.
        let quarter = (u128::from(shape.beta_16) * u128::from(shape.beta_16)) << 22; // 32 bits
        let mut terms = [0_u128; TERMS];
        let mut term: u128 = 1 << 40;
        let mut sum: u128 = 0;
        for (slot, k) in terms.iter_mut().zip(1_u128..) {
            *slot = term;
            sum += term;
            term = ((term * quarter) >> 32) / (k * k);
        }
        let series = terms.map(|term| ((term << VALUE_BITS) / sum) as i64);
        Self { shape, series }
    }

    /// The filter at `t` input frames from its middle, with 62 fraction bits.
    #[must_use]
    pub fn at(&self, t: i64) -> i64 {
        let t = t.abs();
        let half = (self.shape.taps as i64) << (TIME_BITS - 1);
        if t >= half {
            return 0;
        }
        let y = ((i128::from(t) << VALUE_BITS) / i128::from(half)) as i64;
        let z = (1 << VALUE_BITS) - product(y, y);
        let mut window = 0;
        for &coefficient in self.series.iter().rev() {
            window = product(window, z) + coefficient;
        }
        product(window, self.sinc(t))
    }

    /// sin(2 pi f t) / (pi t), which is 2f at 0.
    fn sinc(&self, t: i64) -> i64 {
        let doubled = 2 * self.shape.cutoff;
        // Below 2^-20 frames the sine is its argument to 40 bits.
        if t < 1 << (TIME_BITS - 20) {
            return doubled << (VALUE_BITS - TIME_BITS);
        }
        let half_turns = ((i128::from(doubled) * i128::from(t)) >> TIME_BITS) as i64;
        let denominator = (PI * i128::from(t)) >> 60;
        ((i128::from(sine(half_turns)) << TIME_BITS) / denominator) as i64
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
    for k in (1..=11).rev() {
        let step = product(sum, quarter_square) / (2 * k * (2 * k + 1)) * 4;
        sum = (1 << VALUE_BITS) - step;
    }
    let value = ((i128::from(angle) * i128::from(sum)) >> VALUE_BITS) as i64;
    if turns & 1 == 0 { value } else { -value }
}
