//! Which speaker each channel feeds, and how one layout becomes another.
//!
//! sndif names no channel maps, so the order is the one its users have: Linux's standard maps
//! (`snd_pcm_std_chmaps`, sound/core/pcm_lib.c) for 1, 2, 4, 6 and 8 channels, and the natural
//! prefixes for 3, 5 and 7. Folding down follows ITU-R BS.775-3 table 2 (0.7071 for the centre
//! and for each surround, the LFE left out), scaled as a whole so that no output can clip.

use super::MAX_CHANNELS;
use core::hint::black_box;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    FrontLeft,
    FrontRight,
    RearLeft,
    RearRight,
    Centre,
    Low,
    SideLeft,
    SideRight,
    RearCentre,
}

use Speaker as S;

const fn speakers(channels: u8) -> &'static [Speaker] {
    const EIGHT: &[Speaker; 8] = &[
        S::FrontLeft,
        S::FrontRight,
        S::RearLeft,
        S::RearRight,
        S::Centre,
        S::Low,
        S::SideLeft,
        S::SideRight,
    ];
    match channels {
        1 => &[S::Centre],
        3 => &[S::FrontLeft, S::FrontRight, S::Centre],
        7 => &[
            S::FrontLeft,
            S::FrontRight,
            S::RearLeft,
            S::RearRight,
            S::Centre,
            S::Low,
            S::RearCentre,
        ],
        2 | 4 | 5 | 6 | 8 => EIGHT.split_at(channels as usize).0,
        _ => &[],
    }
}

const UNITY: i64 = 1 << 30;
/// 1 / sqrt(2) with 30 fraction bits.
const HALF_POWER: i64 = 759_250_125;

/// One layout's channels as sums of another's; coefficients have 30 fraction bits, and those of
/// one output add up to 1 at most.
#[derive(Clone, Debug)]
pub struct Matrix {
    inputs: u8,
    outputs: u8,
    coefficients: [[i32; MAX_CHANNELS]; MAX_CHANNELS],
}

impl Matrix {
    /// A matrix of no channels.
    pub const EMPTY: Self = Self {
        inputs: 0,
        outputs: 0,
        coefficients: [[0; MAX_CHANNELS]; MAX_CHANNELS],
    };

    /// The standard matrix from `inputs` to `outputs` channels, 1 to 8 each.
    #[must_use]
    pub fn standard(inputs: u8, outputs: u8) -> Self {
        let mut sums = [[0_i64; MAX_CHANNELS]; MAX_CHANNELS];
        let targets = speakers(outputs);
        for (input, &speaker) in speakers(inputs).iter().enumerate() {
            let mut add = |speaker: Speaker, amount: i64| {
                let found = targets.iter().position(|&target| target == speaker);
                if let Some(cell) = found.and_then(|o| sums.get_mut(o)?.get_mut(input)) {
                    *cell += amount;
                }
                found.is_some()
            };
            if inputs == 1 {
                // One channel is not a centre speaker: it goes to the front, as loud as it is.
                if !(add(S::FrontLeft, UNITY) & add(S::FrontRight, UNITY)) {
                    add(S::Centre, UNITY);
                }
            } else {
                fold(speaker, UNITY, &mut add);
            }
        }
        let rows = sums.iter().map(|row| row.iter().sum::<i64>());
        let scale = rows.max().unwrap_or(0).max(UNITY);
        Self {
            inputs,
            outputs,
            coefficients: sums.map(|row| row.map(|sum| (sum * UNITY / scale) as i32)),
        }
    }

    /// Channels that go in.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs as usize
    }

    /// Channels that come out.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.outputs as usize
    }

    /// Whether the channels pass through unchanged.
    #[must_use]
    pub const fn is_identity(&self) -> bool {
        self.inputs == self.outputs
    }

    /// The share of channel `input` in channel `output`, with 30 fraction bits.
    #[must_use]
    pub fn share(&self, output: usize, input: usize) -> i32 {
        let row = self.coefficients.get(output);
        row.and_then(|row| row.get(input)).copied().unwrap_or(0)
    }

    /// Applies the matrix, and a gain of 22 fraction bits per input channel, to one frame.
    pub fn apply(&self, input: &[i32], gains: &[i32; MAX_CHANNELS], output: &mut [i32]) {
        // Whose number is not known to be eight: code of its own for each row would be 4 KB.
        let rows = black_box(self.coefficients.as_slice());
        for (sample, row) in output.iter_mut().zip(rows) {
            let mut sum = 1_i64 << 29;
            for ((&x, &gain), &coefficient) in input.iter().zip(gains).zip(row) {
                // Gains are below 2 and the row adds up to 1 at most: below 2^62.
                let scaled = (i64::from(x) * i64::from(gain) + (1 << 21)) >> 22;
                sum += scaled * i64::from(coefficient);
            }
            *sample = (sum >> 30).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        }
    }
}

/// Hands a speaker's share to the nearest speakers that the target layout has.
fn fold(speaker: Speaker, amount: i64, add: &mut dyn FnMut(Speaker, i64) -> bool) {
    if add(speaker, amount) {
        return;
    }
    let softer = (amount * HALF_POWER) >> 30;
    match speaker {
        S::FrontLeft | S::FrontRight => {
            add(S::Centre, softer);
        }
        S::Centre => {
            add(S::FrontLeft, softer);
            add(S::FrontRight, softer);
        }
        S::RearLeft if add(S::SideLeft, amount) => {}
        S::SideLeft if add(S::RearLeft, amount) => {}
        S::RearRight if add(S::SideRight, amount) => {}
        S::SideRight if add(S::RearRight, amount) => {}
        S::RearLeft | S::SideLeft => fold(S::FrontLeft, softer, add),
        S::RearRight | S::SideRight => fold(S::FrontRight, softer, add),
        S::RearCentre => {
            fold(S::RearLeft, softer, add);
            fold(S::RearRight, softer, add);
        }
        S::Low => {}
    }
}
