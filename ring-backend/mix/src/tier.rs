//! Sends the work to the inner loops of a tier, and to the plain ones what vectors leave over.

#[cfg(target_arch = "x86_64")]
use super::carry::v256::PART_SIZE;
#[cfg(target_arch = "x86_64")]
use super::convolve::{self, Left};
use super::kernel::{Fir, Sink, Tier};
use super::path::Cursor;
use super::plan::Plan;
use super::scalar;
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Starts, call};
use super::sums::Sums;
use core::fmt;

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => "sse2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
        })
    }
}

impl Tier {
    /// Every tier that this processor can run, slowest first.
    #[must_use]
    pub fn every() -> heapless::Vec<Self, 4> {
        let mut tiers = heapless::Vec::new();
        let _ = tiers.push(Self::Scalar);
        #[cfg(target_arch = "x86_64")]
        {
            let _ = tiers.push(Self::Sse2);
            let avx2 = Avx2::detected();
            for token in [avx2.and_then(Avx2::without_vnni), avx2]
                .into_iter()
                .flatten()
            {
                let _ = tiers.push(Self::Avx2(token));
            }
        }
        tiers
    }

    /// The fastest tier that this processor can run.
    #[must_use]
    pub fn detected() -> Self {
        Self::every().last().copied().unwrap_or(Self::Scalar)
    }

    /// Sums 16-bit streams with 16-bit multiplies, and what was gathered of others, into the card's
    /// samples; returns the octets done, from the first on, none if they are too few. The plain
    /// loop does the rest.
    #[inline]
    pub(super) fn mix_narrow(
        self,
        plan: &Plan,
        starts: &Starts<'_>,
        gathered: Option<&[i64]>,
        out: &mut [u8],
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Avx2(token) if out.len() >= PART_SIZE => match token.vnni() {
                Some(vnni) => call::vnni::narrow(vnni, plan, starts, gathered, out),
                None => call::v256::narrow(token, plan, starts, gathered, out),
            },
            Self::Scalar => 0,
            _ => narrow128(plan, starts, gathered, out),
        }
        #[cfg(not(target_arch = "x86_64"))]
        0
    }

    /// The same of streams of 16 and of 32 bits.
    pub(super) fn mix(
        self,
        plan: &Plan,
        starts: [&Starts<'_>; 2],
        gathered: Option<&[i64]>,
        sink: Sink,
        out: &mut [u8],
    ) -> usize {
        if plan.narrow() {
            return self.mix_narrow(plan, starts[0], gathered, out);
        }
        self.mix_wide(plan, starts, gathered, sink, out)
    }

    /// The same where 16-bit multiplies will not do for all of them.
    #[inline]
    pub(super) fn mix_wide(
        self,
        plan: &Plan,
        starts: [&Starts<'_>; 2],
        gathered: Option<&[i64]>,
        sink: Sink,
        out: &mut [u8],
    ) -> usize {
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        {
            if let Self::Avx2(token) = self {
                done = call::v256::wide(token, plan, starts, gathered, sink, out);
            }
            if done == 0 && self != Self::Scalar {
                done = call::v128::wide((), plan, starts, gathered, sink, out);
            }
        }
        done
    }

    /// Adds samples times gains to the sums.
    pub(super) fn gather(
        self,
        samples: &[i32],
        gains: &[i32; 8],
        channels: usize,
        sums: &mut Sums<'_>,
    ) {
        let (sums, over) = sums.or_over();
        let (used, _) = gains.split_at(channels.min(gains.len()));
        let first = used.first().copied().unwrap_or(0);
        let mut spread = [first; 8];
        let uniform = used.iter().all(|&gain| gain == first);
        if !uniform {
            for (lane, &gain) in spread.iter_mut().zip(used.iter().cycle()) {
                *lane = gain;
            }
        }
        let done = match self {
            _ if !uniform && !8_usize.is_multiple_of(channels) => 0,
            Self::Scalar => 0,
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => call::v128::gather((), samples, &spread, over, sums),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => call::v256::gather(token, samples, &spread, over, sums),
        };
        if let (true, Some(rest)) = (over, sums.get_mut(done..)) {
            rest.fill(0);
        }
        scalar::gather(samples, gains, channels, done, sums);
    }

    /// Resamples: makes `frames` frames of each stream's outputs.
    pub(super) fn fir(
        self,
        fir: &Fir<'_>,
        cursor: &Cursor,
        frames: usize,
        left: &mut Left,
        out: &mut [i32],
    ) {
        match self {
            Self::Scalar => scalar::fir(fir, cursor, frames, out),
            #[cfg(target_arch = "x86_64")]
            _ => convolve::fir(self, fir, cursor, frames, left, out),
        }
    }

    /// Parts samples of two channels in high and low ones of each, four planes of as many samples
    /// as there are frames; returns how many frames it did, and whether any low sample of theirs is
    /// not 0.
    pub(super) fn part(self, frames: &[[i32; 2]], planes: &mut [i16]) -> (usize, bool) {
        match self {
            Self::Scalar => (0, false),
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => call::v128::part((), frames, planes),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => call::v256::part(token, frames, planes),
        }
    }
}

/// With 128-bit vectors, in a frame of its own: a short block costs others what that takes.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn narrow128(plan: &Plan, starts: &Starts<'_>, gathered: Option<&[i64]>, out: &mut [u8]) -> usize {
    call::v128::narrow((), plan, starts, gathered, out)
}
