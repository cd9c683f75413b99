//! The resampler's inner loops: 16-bit multiply-adds over samples parted in two.

use super::convert::OUTPUTS;
use super::kernel::{Fir, Tier};
use super::path::{Cursor, Path};
use super::scalar::BLOCK;
use super::simd::{View, Windows, call, v128 as narrow};
use super::table::{EDGE, LANE, SLOPE_BITS};
use core::ops::Range;

/// The steep lanes of the usual three.
const STEEP: Range<usize> = 1..2;

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{EDGE, Fir, LANE, Path, Range, STEEP, View, Windows, change};
            use crate::simd::v128::{self, halves64};
            use crate::simd::$width::*;

            const LANES: usize = OCTETS / 2;
            /// Vectors of sixteen taps.
            const PARTS: usize = LANE / LANES;

            /// Makes two channels' outputs of what some lanes of taps are. Those are 0 if there are
            /// too few.
            #[target_feature(enable = $feature)]
            pub fn pair(
                fir: &Fir<'_>,
                path: Path,
                channel: usize,
                lanes: Range<usize>,
                pairs: &mut [[i32; 2]],
            ) {
                let plan = &fir.table.plan;
                let pass = match (plan.between, plan.middle()) {
                    (true, 3) if plan.steep() == STEEP => pass::<4, true, 3>,
                    (true, _) if PARTS == 2 => pass::<4, true, 0>,
                    (true, _) => return,
                    (_, 3) if fir.fine => pass::<2, true, 3>,
                    (_, 3) => pass::<2, false, 3>,
                    (_, 1) => pass::<2, true, 1>,
                    _ => pass::<2, true, 0>,
                };
                pass(fir, path, channel, lanes, pairs);
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
                fir: &Fir<'_>,
                path: Path,
                channel: usize,
                lanes: Range<usize>,
                pairs: &mut [[i32; 2]],
            ) -> Option<()> {
                let windows = Windows::<PLANES, L>::new(fir, channel, lanes, &path, pairs)?;
                let plan = &fir.table.plan;
                let steep = if L == 0 { plan.steep() } else { STEEP };
                let shifts = plan.shape.family.shifts();
                for (pair, view, rest) in windows {
                    *pair = output::<PLANES, FINE, L>(view, rest, steep.clone(), shifts);
                }
                Some(())
            }

            /// An output of two channels.
            #[inline]
            #[target_feature(enable = $feature)]
            fn output<const PLANES: usize, const FINE: bool, const L: usize>(
                view: View<'_, PLANES, L>,
                rest: i16,
                steep: Range<usize>,
                shifts: [u32; 2],
            ) -> [i32; 2] {
                let vector = |lane: &[i16; LANE], part| load(&lane.as_chunks::<LANES>().0[part]);
                let (mut sums, mut crosses) = ([every32(0); 2], [every32(0); 2]);
                let mut slopes = [[every32(0); 2]; PARTS];
                for (lane, (row, samples)) in view.each() {
                    let steep = PLANES == 4 && steep.contains(&lane);
                    for part in 0..PARTS {
                        let (a, mut b) = (vector(&row[0].0, part), vector(&row[1].0, part));
                        let mut slope = every32(0);
                        if PLANES == 4 {
                            let rest = every16(if steep { rest >> 4 } else { rest });
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
                let mut ends = [v128::every32(0); 2];
                if let Some((row, samples)) = view.ends() {
                    let half =
                        |lane: &[i16; LANE], end| v128::load(&lane.as_chunks::<EDGE>().0[end]);
                    let whole = [0, 1].map(|end| {
                        let whole = half(&row[0].0, end);
                        if PLANES == 2 {
                            return whole;
                        }
                        let change = v128::top16(half(&row[1].0, end), v128::every16(rest));
                        v128::add16(whole, change)
                    });
                    for c in 0..2 {
                        let end = |end| v128::madd16(v128::load(samples[c][end]), whole[end]);
                        ends[c] = v128::add32(end(0), end(1));
                    }
                }
                let (mut sums, crosses, ends) = (fours32(sums), fours32(crosses), joined(ends));
                for i in 0..PARTS {
                    // Of each cross product's sum a half is rounded up.
                    let cross = add32(crosses[i], every32(1 << 11));
                    let cross = add32(right32(cross, shifts[0]), ends[i]);
                    sums[i] = add32(sums[i], right32(cross, shifts[1]));
                }
                if PLANES == 2 {
                    return halves64(total(sums))[0];
                }
                let mut eighths = [every32(0); PARTS];
                for slopes in slopes {
                    let slopes = fours32(slopes.map(|slope| right32(slope, 3)));
                    for i in 0..PARTS {
                        eighths[i] = add32(eighths[i], slopes[i]);
                    }
                }
                let (values, slopes) = if PARTS == 1 {
                    // Two sums of each channel beside two of its slopes.
                    let (sum, eighth) = (sums[0], eighths[0]);
                    sums[0] = add32(low32(sum, eighth), high32(sum, eighth));
                    let [left, right] = halves(sums);
                    let all = v128::add32(v128::low32(left, right), v128::high32(left, right));
                    (all, v128::high64(all, all))
                } else {
                    (total(sums), total(eighths))
                };
                halves64(v128::add32(values, change(slopes, share256(rest))))[0]
            }

            /// The sums of the four lanes of two channels, and the same once more.
            #[inline]
            #[target_feature(enable = $feature)]
            fn total(sums: [V; PARTS]) -> v128::V {
                let [left, right] = halves(sums);
                let twos = v128::add32(v128::low32(left, right), v128::high32(left, right));
                v128::add32(twos, v128::high64(twos, twos))
            }
        }
    };
}

/// What outputs are more than at the nearest row, as the plain one of [`table`](super::table), from
/// how far they are and a 256th of that.
#[inline]
#[target_feature(enable = "sse2")]
fn change(slopes: narrow::V, rests: narrow::V) -> narrow::V {
    let middle = narrow::and(narrow::down32::<8>(slopes), narrow::every32(0xFF));
    let slopes = narrow::or(narrow::and_not(narrow::every32(0xFFFF), slopes), middle);
    let change = narrow::add32(narrow::madd16(slopes, rests), narrow::every32(1 << 4));
    narrow::right32(change, SLOPE_BITS - 17)
}

/// Makes `frames` frames of each stream's interleaved outputs, in units of 2^-29.
pub fn fir(tier: Tier, fir: &Fir<'_>, cursor: &Cursor, frames: usize, out: &mut [i32]) {
    let plan = &fir.table.plan;
    let path = cursor.path(plan);
    for lane in (0..plan.middle()).step_by(BLOCK) {
        let lanes = lane..(lane + BLOCK).min(plan.middle());
        for channel in (0..fir.streams * fir.channels).step_by(2) {
            let place = fir.place(channel);
            match out.get_mut(place..place + 2 * frames) {
                Some(out) if fir.channels == 2 && lane == 0 => {
                    pair(
                        tier,
                        fir,
                        path,
                        channel,
                        lanes.clone(),
                        out.as_chunks_mut().0,
                    );
                }
                _ => apart(tier, fir, path, channel, lanes.clone(), frames, out),
            }
        }
    }
}

#[inline(never)]
fn pair(
    tier: Tier,
    fir: &Fir<'_>,
    path: Path,
    channel: usize,
    lanes: Range<usize>,
    pairs: &mut [[i32; 2]],
) {
    let plan = &fir.table.plan;
    match tier {
        // Others are seldom, and have no code of their own.
        Tier::Avx2(token) if !plan.between || plan.steep() == STEEP => {
            call::v256::pair(token, fir, path, channel, lanes, pairs);
        }
        _ => call::v128::pair((), fir, path, channel, lanes, pairs),
    }
}

/// Makes outputs where they do not lie in twos, or where they are only parts.
#[inline(never)]
fn apart(
    tier: Tier,
    fir: &Fir<'_>,
    path: Path,
    channel: usize,
    lanes: Range<usize>,
    frames: usize,
    out: &mut [i32],
) {
    let first = lanes.start == 0;
    let mut pairs = [[0; 2]; OUTPUTS];
    let (pairs, _) = pairs.split_at_mut(frames.min(OUTPUTS));
    pair(tier, fir, path, channel, lanes, pairs);
    put(fir, channel, pairs, first, out);
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
