//! The resampler's inner loops: 16-bit multiply-adds over samples parted in two.

use super::convert::OUTPUTS;
use super::kernel::{Fir, Tier};
use super::path::{Cursor, Path};
use super::scalar::BLOCK;
use super::simd::{View, Windows, call};
use super::table::{EDGE, LANE, SLOPE_BITS, change};
use core::ops::Range;

/// The steep lanes of the usual three.
const STEEP: Range<usize> = 1..2;

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{EDGE, Fours, LANE, Left, Part, ROUND, Range, SLOPE_BITS, STEEP};
            use super::{View, Windows, share, single};
            use crate::simd::v128;
            use crate::simd::$width::*;

            const LANES: usize = OCTETS / 2;
            /// Vectors of sixteen taps.
            const PARTS: usize = LANE / LANES;

            /// Makes two channels' outputs of what some lanes of taps are. Those are 0 if there are
            /// too few.
            #[target_feature(enable = $feature)]
            pub fn pair(part: &Part<'_>, left: &mut Left, pairs: &mut [[i32; 2]]) {
                let plan = &part.fir.table.plan;
                let pass = match (plan.between, plan.middle()) {
                    (true, 3) if plan.steep() == STEEP => pass::<4, true, 3>,
                    (true, _) if PARTS == 2 => pass::<4, true, 0>,
                    (true, _) => return,
                    (_, 3) if part.fir.fine => pass::<2, true, 3>,
                    (_, 3) => pass::<2, false, 3>,
                    (_, 1) => pass::<2, true, 1>,
                    _ => pass::<2, true, 0>,
                };
                pass(part, left, pairs);
            }

            /// Parts interleaved samples of two channels in high and low ones of each, planes one
            /// after the other; returns how many frames it did, and whether any low sample of theirs
            /// is not 0.
            #[target_feature(enable = $feature)]
            pub fn part(frames: &[[i32; 2]], planes: &mut [i16]) -> (usize, bool) {
                let Some(last) = frames.len().checked_sub(LANES) else {
                    return (0, false);
                };
                // The last ones make a block with some that are done.
                let any = [0, last].map(|from| blocks(frames, from, planes));
                (frames.len(), any[0] || any[1])
            }

            /// The same of whole blocks from one frame on.
            #[inline(never)]
            #[target_feature(enable = $feature)]
            fn blocks(frames: &[[i32; 2]], from: usize, planes: &mut [i16]) -> bool {
                let mut set = every32(0);
                let mut planes = planes.chunks_exact_mut(frames.len());
                let mut next = || {
                    let plane = planes.next().and_then(|plane| plane.get_mut(from..));
                    plane
                        .unwrap_or_default()
                        .as_chunks_mut::<LANES>()
                        .0
                        .iter_mut()
                };
                let (high, low, other_high, other_low) = (next(), next(), next(), next());
                let planes = high.zip(low).zip(other_high).zip(other_low);
                let blocks = frames.get(from..).unwrap_or_default();
                let blocks = blocks.as_chunks::<LANES>().0.iter();
                for (block, (((high, low), other_high), other_low)) in blocks.zip(planes) {
                    let block = block.as_flattened().as_chunks::<{ LANES / 2 }>().0;
                    let [a, b, c, d] = [0, 1, 2, 3].map(|i| load(&block[i]));
                    let left = [even32(a, b), even32(c, d)];
                    let right = [odd32(a, b), odd32(c, d)];
                    for (side, high, low) in [(left, high, low), (right, other_high, other_low)] {
                        let below = side.map(|it| and(down32::<4>(it), every32(0xFFF)));
                        set = or(set, or(below[0], below[1]));
                        store(high, pack_even(side.map(|it| right32(it, 16))));
                        store(low, pack_even(below));
                    }
                }
                any(set)
            }

            /// Makes two channels' outputs of what some lanes of taps are, the first `L` and all that
            /// there are if that is not 0. `None` where there are too few.
            #[target_feature(enable = $feature)]
            fn pass<const PLANES: usize, const FINE: bool, const L: usize>(
                part: &Part<'_>,
                left: &mut Left,
                pairs: &mut [[i32; 2]],
            ) -> Option<()> {
                let mut windows = Windows::<PLANES, L>::new(part, pairs.len())?;
                let plan = &part.fir.table.plan;
                let steep = if L == 0 { plan.steep() } else { STEEP };
                let shifts = plan.shape.family.shifts();
                for pairs in pairs.chunks_mut(ROUND) {
                    for (i, view, rest) in windows.next(pairs.len().min(ROUND)) {
                        let (sum, slope) =
                            output::<PLANES, FINE, L>(view, rest, steep.clone(), shifts);
                        put_fours(&mut left.sums[i], sum);
                        if PLANES == 4 {
                            put_fours(&mut left.slopes[i], slope);
                            left.shares[i] = share(rest);
                        }
                    }
                    totals(left, PLANES == 4, pairs);
                }
                Some(())
            }

            /// Four sums of each of an output's two channels, and of their slopes in eighths.
            #[inline]
            #[target_feature(enable = $feature)]
            fn output<const PLANES: usize, const FINE: bool, const L: usize>(
                view: View<'_, PLANES, L>,
                rest: i16,
                steep: Range<usize>,
                shifts: [u32; 2],
            ) -> ([V; PARTS], [V; PARTS]) {
                let vector = |lane: &[i16; LANE], part| load(&lane.as_chunks::<LANES>().0[part]);
                let (mut sums, mut crosses) = ([every32(0); 2], [every32(0); 2]);
                let mut slopes = [[every32(0); 2]; PARTS];
                let rest = every16(rest);
                for (lane, (row, samples)) in view.each() {
                    let steep = PLANES == 4 && steep.contains(&lane);
                    for part in 0..PARTS {
                        let (a, mut b) = (vector(&row[0].0, part), vector(&row[1].0, part));
                        let mut slope = every32(0);
                        if PLANES == 4 {
                            let rest = if steep { right16::<4>(rest) } else { rest };
                            let bend = top16(vector(&row[3].0, part), rest);
                            slope = add16(vector(&row[2].0, part), bend);
                            if !steep {
                                b = add16(b, top16(slope, rest));
                            }
                        }
                        for c in 0..2 {
                            let high = vector(samples[c][0], part);
                            sums[c] = add_madd16(sums[c], high, a);
                            crosses[c] = add_madd16(crosses[c], high, b);
                            if FINE {
                                let low = vector(samples[c][1], part);
                                crosses[c] = add_madd16(crosses[c], low, a);
                            }
                            if steep {
                                slopes[part][c] = add_madd16(slopes[part][c], high, slope);
                            }
                        }
                    }
                }
                let mut ends = [every32(0); PARTS];
                if let Some((row, samples)) = view.ends() {
                    for end in 0..2 {
                        let mut whole = every128(&row[0].0.as_chunks::<EDGE>().0[end]);
                        if PLANES == 4 {
                            let slope = every128(&row[1].0.as_chunks::<EDGE>().0[end]);
                            whole = add16(whole, top16(slope, rest));
                        }
                        let highs = joined(samples.map(|channel| v128::load(channel[end])));
                        for i in 0..PARTS {
                            ends[i] = add_madd16(ends[i], highs[i], whole);
                        }
                    }
                }
                let (mut sums, crosses) = (fours32(sums), fours32(crosses));
                for i in 0..PARTS {
                    // Of each cross product's sum a half is rounded up.
                    let cross = add32(crosses[i], every32(1 << 11));
                    let cross = add32(right32(cross, shifts[0]), ends[i]);
                    sums[i] = add32(sums[i], right32(cross, shifts[1]));
                }
                let mut eighths = [every32(0); PARTS];
                for slopes in slopes {
                    let slopes = fours32(slopes.map(|slope| right32(slope, 3)));
                    for i in 0..PARTS {
                        eighths[i] = add32(eighths[i], slopes[i]);
                    }
                }
                (sums, eighths)
            }

            /// Keeps sums for [`totals`].
            #[inline]
            #[target_feature(enable = $feature)]
            fn put_fours(to: &mut Fours, sums: [V; PARTS]) {
                let to = to.as_chunks_mut::<{ 8 / PARTS }>().0;
                for i in 0..PARTS {
                    store(&mut to[i], sums[i]);
                }
            }

            /// Adds up what was kept of outputs, four at a time, and what they change by on the way
            /// from their rows.
            #[inline(never)]
            #[target_feature(enable = $feature)]
            fn totals(left: &Left, change: bool, pairs: &mut [[i32; 2]]) {
                let (sums, slopes) = (left.sums.as_chunks().0, left.slopes.as_chunks().0);
                let shares = left.shares.as_chunks::<4>().0;
                let each = sums.iter().zip(slopes).zip(shares);
                let (whole, rest) = pairs.as_chunks_mut::<4>();
                let first = 4 * whole.len();
                for (pairs, ((sums, slopes), shares)) in whole.iter_mut().zip(each) {
                    let mut values = across(sums);
                    if change {
                        let slopes = across(slopes);
                        let shares = every128(&shares.as_flattened().as_chunks().0[0]);
                        for i in 0..PARTS {
                            let middle = and(down32::<8>(slopes[i]), every32(0xFF));
                            let high = and_not(every32(0xFFFF), slopes[i]);
                            let half = every32(1 << 4);
                            let change = add_madd16(half, or(high, middle), shares);
                            values[i] = add32(values[i], right32(change, SLOPE_BITS - 17));
                        }
                    }
                    let [left, right] = halves(values);
                    let pairs = pairs.as_flattened_mut().as_chunks_mut::<4>().0;
                    v128::store(&mut pairs[0], v128::low32(left, right));
                    v128::store(&mut pairs[1], v128::high32(left, right));
                }
                for (i, sample) in (2 * first..).zip(rest.as_flattened_mut()) {
                    *sample = single(left, change, i);
                }
            }

            /// The sums of each four of four outputs: of their left channels, and then of their right
            /// ones.
            #[inline]
            #[target_feature(enable = $feature)]
            fn across(fours: &[Fours; 4]) -> [V; PARTS] {
                let mut sums = [every32(0); PARTS];
                for i in 0..PARTS {
                    let part = |fours: &Fours| load(&fours.as_chunks::<{ 8 / PARTS }>().0[i]);
                    let [a, b, c, d] = fours.each_ref().map(part);
                    let [a, b] = [(a, b), (c, d)].map(|(a, b)| add32(low32(a, b), high32(a, b)));
                    sums[i] = add32(low64(a, b), high64(a, b));
                }
                sums
            }
        }
    };
}

/// Outputs that are made at a time: each leaves a few sums that four of them are added up of at once.
const ROUND: usize = 32;
/// Sums of an output's left channel, and then of its right one.
type Fours = [i32; 8];

/// What outputs leave to be added up, some of them at a time.
#[derive(Clone, Debug)]
pub struct Left {
    sums: [Fours; ROUND],
    /// Those of slopes, in eighths.
    slopes: [Fours; ROUND],
    /// What [`share`] gives.
    shares: [[i16; 2]; ROUND],
}

impl Left {
    /// Nothing yet.
    pub const NONE: Self = Self {
        sums: [[0; 8]; ROUND],
        slopes: [[0; 8]; ROUND],
        shares: [[0; 2]; ROUND],
    };
}

/// Adds up what was left of a channel of an output, one at a time, where there are too few for
/// vectors: the `i`th sample.
#[cold]
#[inline(never)]
fn single(left: &Left, changes: bool, i: usize) -> i32 {
    let total = |of: &[Fours]| {
        let four: Option<&[i32; 4]> = of.as_flattened().as_chunks().0.get(i);
        four.map_or(0, |[a, b, c, d]| a + b + c + d)
    };
    let mut sample = total(&left.sums);
    if let (true, Some(share)) = (changes, left.shares.get(i / 2)) {
        sample += change(total(&left.slopes), share[1]);
    }
    sample
}

/// A 256th of how far an output is from its row, rounded, and the whole of it: what the plain
/// [`change`] multiplies by.
#[inline]
const fn share(rest: i16) -> [i16; 2] {
    [((rest as i32 + 128) >> 8) as i16, rest]
}

/// What two channels' outputs are made of, or a part of it.
pub struct Part<'a> {
    pub fir: &'a Fir<'a>,
    /// The outputs' way.
    pub path: Path,
    /// The first of the two, and another one follows.
    pub channel: usize,
    /// Lanes of taps.
    pub lanes: Range<usize>,
}

/// Makes `frames` frames of each stream's interleaved outputs, in units of 2^-29.
pub fn fir(
    tier: Tier,
    fir: &Fir<'_>,
    cursor: &Cursor,
    frames: usize,
    left: &mut Left,
    out: &mut [i32],
) {
    let plan = &fir.table.plan;
    let path = cursor.path(plan);
    for lane in (0..plan.middle()).step_by(BLOCK) {
        for channel in (0..fir.streams * fir.channels).step_by(2) {
            let part = Part {
                fir,
                path,
                channel,
                lanes: lane..(lane + BLOCK).min(plan.middle()),
            };
            let place = fir.place(channel);
            match out.get_mut(place..place + 2 * frames) {
                Some(out) if fir.channels == 2 && lane == 0 => {
                    pair(tier, &part, left, out.as_chunks_mut().0);
                }
                _ => apart(tier, &part, frames, left, out),
            }
        }
    }
}

#[inline(never)]
fn pair(tier: Tier, part: &Part<'_>, left: &mut Left, pairs: &mut [[i32; 2]]) {
    let plan = &part.fir.table.plan;
    match tier {
        // Others are seldom, and have no code of their own.
        Tier::Avx2(token) if !plan.between || plan.steep() == STEEP => {
            call::v256::pair(token, part, left, pairs);
        }
        _ => call::v128::pair((), part, left, pairs),
    }
}

/// Makes outputs where they do not lie in twos, or where they are only parts.
#[inline(never)]
fn apart(tier: Tier, part: &Part<'_>, frames: usize, left: &mut Left, out: &mut [i32]) {
    let mut pairs = [[0; 2]; OUTPUTS];
    let (pairs, _) = pairs.split_at_mut(frames.min(OUTPUTS));
    pair(tier, part, left, pairs);
    put(part.fir, part.channel, pairs, part.lanes.start == 0, out);
}

/// Makes outputs of what two channels are, or adds it if it is not the `first`. Channels that
/// there are not come out nowhere.
fn put(fir: &Fir<'_>, channel: usize, pairs: &[[i32; 2]], first: bool, out: &mut [i32]) {
    let keep = if first { 0 } else { -1 };
    for (frame, values) in pairs.iter().enumerate() {
        for (channel, value) in (channel..fir.streams * fir.channels).zip(values) {
            if let Some(out) = out.get_mut(fir.place(channel) + frame * fir.channels) {
                *out = (*out & keep) + value;
            }
        }
    }
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
