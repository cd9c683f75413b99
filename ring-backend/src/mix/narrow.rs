//! 16-bit streams into a 16-bit card: one 16-bit multiply-add per two streams.
//!
//! Streams are summed in pairs, the quietest class of gains first. Between classes the sum is
//! shifted by the two bits that the next class is coarser; as every shift rounds down and only the
//! last one decides, the result is that of the exact sum. Where 32 bits could overflow, the sum
//! is kept in two parts.

use super::kernel::Direct;
use heapless::Vec;

/// Most streams in one plan.
pub const STREAMS: usize = 64;
/// Sums of mantissas whose products with any samples stay within 32 bits.
const LIMIT: i32 = 65_536;
const PAIRS: usize = STREAMS / 2 + 5;

/// Two streams and their interleaved gains.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// Gains of samples 0 to 3 and 4 to 7, after which they repeat.
    gains: [[i16; 8]; 2],
}

/// Pairs whose products fit 32 bits together.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// Shift of the sum before these are added.
    shift: u32,
    first: usize,
    end: usize,
}

/// What to sum, in which order.
#[derive(Debug)]
pub struct Plan<'a> {
    pairs: Vec<Pair<'a>, PAIRS>,
    groups: Vec<Group, PAIRS>,
    /// Shift after the last group.
    shift: u32,
    /// Whether the groups together may need more than 32 bits.
    spills: bool,
}

impl<'a> Plan<'a> {
    /// An empty plan.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            pairs: Vec::new(),
            groups: Vec::new(),
            shift: 0,
            spills: false,
        }
    }

    /// Plans a sum; `None` where a stream has 32 bits or gains too far apart for 16.
    #[must_use]
    pub fn lay(&mut self, direct: &[Direct<'a>]) -> Option<()> {
        let plan = self;
        if direct.len() > STREAMS {
            return None;
        }
        let mut classes = 0_u8;
        for source in direct {
            if source.wide || !source.levels.narrow {
                return None;
            }
            classes |= 1 << source.levels.class;
        }
        let mut bound = 0_i32;
        let mut before = 4;
        for class in (0..5_u8).rev().filter(|class| classes & (1 << class) != 0) {
            let mut shift = 2 * (before - u32::from(class));
            if plan.groups.is_empty() {
                shift = 0;
            } else {
                // Rounding down adds one at most.
                bound = (bound >> shift) + 1;
            }
            before = u32::from(class);
            let mut group_bound = LIMIT;
            let mut waiting: Option<&Direct<'a>> = None;
            let of_class = direct.iter().filter(|source| source.levels.class == class);
            let mut rest = of_class.peekable();
            while let Some(source) = rest.next() {
                let (a, b) = match (waiting.take(), rest.peek().is_some()) {
                    (Some(a), _) => (a, Some(source)),
                    (None, true) => {
                        waiting = Some(source);
                        continue;
                    }
                    (None, false) => (source, None),
                };
                let top = a.levels.top + b.map_or(0, |b| b.levels.top);
                bound = bound.saturating_add(top);
                group_bound += top;
                plan.pairs.push(Pair::new(a, b)).ok()?;
                let end = plan.pairs.len();
                match plan.groups.last_mut() {
                    Some(group) if group_bound <= LIMIT => group.end = end,
                    _ => {
                        group_bound = top;
                        let first = end - 1;
                        plan.groups.push(Group { shift, first, end }).ok()?;
                        shift = 0;
                    }
                }
            }
        }
        plan.spills = bound > LIMIT;
        plan.shift = 2 * before;
        Some(())
    }
}

impl<'a> Pair<'a> {
    fn new(a: &Direct<'a>, b: Option<&Direct<'a>>) -> Self {
        let one = &a.levels.mantissas;
        let other = b.map_or(&[0; 8], |b| &b.levels.mantissas);
        let weave = |at: usize| {
            let mut gains = [0; 8];
            let both = one.iter().zip(other).skip(at);
            for (pair, (&a, &b)) in gains.chunks_exact_mut(2).zip(both) {
                pair.copy_from_slice(&[a, b]);
            }
            gains
        };
        Self {
            a: a.octets,
            b: b.unwrap_or(a).octets,
            gains: [weave(0), weave(4)],
        }
    }
}

macro_rules! kernel {
    ($width:ident, $feature:literal) => {
        /// The loops of this width.
        pub mod $width {
            use super::{Group, Pair, Plan};
            use crate::mix::simd::$width::*;

            /// Mixes; returns the octets done, which is all of `out` unless that is shorter than a
            /// vector.
            #[target_feature(enable = $feature)]
            pub fn mix(plan: &Plan<'_>, out: &mut [u8]) -> usize {
                let len = out.len();
                let mut at = 0;
                while at + 2 * OCTETS <= len {
                    block::<2>(plan, out, at);
                    at += 2 * OCTETS;
                }
                while at + OCTETS <= len {
                    block::<1>(plan, out, at);
                    at += OCTETS;
                }
                if at < len && len >= OCTETS {
                    // The rest once more with samples that are done: no stream is changed by it.
                    block::<1>(plan, out, len - OCTETS);
                    at = len;
                }
                at
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn block<const N: usize>(plan: &Plan<'_>, out: &mut [u8], at: usize) {
                let sums = if plan.spills {
                    spilling::<N>(plan, at)
                } else {
                    plain::<N>(plan, at)
                };
                let Some((out, _)) = out.get_mut(at..).map(|out| out.as_chunks_mut::<OCTETS>())
                else {
                    return;
                };
                for (out, [low, high]) in out.iter_mut().zip(sums) {
                    store(out, pack32(low, high));
                }
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn add<const N: usize>(
                plan: &Plan<'_>,
                group: &Group,
                at: usize,
                sums: &mut [[V; 2]; N],
            ) {
                let pairs = plan.pairs.get(group.first..group.end).unwrap_or(&[]);
                for Pair { a, b, gains } in pairs {
                    let (Some(a), Some(b)) =
                        (a.get(at..at + N * OCTETS), b.get(at..at + N * OCTETS))
                    else {
                        continue;
                    };
                    let gains = [every128(&gains[0]), every128(&gains[1])];
                    let (a, b) = (a.as_chunks::<OCTETS>().0, b.as_chunks::<OCTETS>().0);
                    for i in 0..N {
                        if let (Some(a), Some(b)) = (a.get(i), b.get(i)) {
                            let (a, b) = (load(a), load(b));
                            sums[i][0] = add32(sums[i][0], madd16(low16(a, b), gains[0]));
                            sums[i][1] = add32(sums[i][1], madd16(high16(a, b), gains[1]));
                        }
                    }
                }
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn plain<const N: usize>(plan: &Plan<'_>, at: usize) -> [[V; 2]; N] {
                let mut sums = [[every32(0); 2]; N];
                for group in &plan.groups {
                    if group.shift != 0 {
                        sums = shifted(sums, group.shift);
                    }
                    add(plan, group, at, &mut sums);
                }
                if plan.shift != 0 {
                    sums = shifted(sums, plan.shift);
                }
                let half = every32(1 << 13);
                for sum in &mut sums {
                    sum[0] = right32(add32(sum[0], half), 14);
                    sum[1] = right32(add32(sum[1], half), 14);
                }
                sums
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn shifted<const N: usize>(mut sums: [[V; 2]; N], shift: u32) -> [[V; 2]; N] {
                for sum in &mut sums {
                    sum[0] = right32(sum[0], shift);
                    sum[1] = right32(sum[1], shift);
                }
                sums
            }

            /// The sum is `high * 2^16 + low`, where `low` is what `total`, which wraps, has more
            /// than `high`; it is not negative.
            #[target_feature(enable = $feature)]
            fn spilling<const N: usize>(plan: &Plan<'_>, at: usize) -> [[V; 2]; N] {
                let mut highs = [[every32(0); 2]; N];
                let mut totals = highs;
                for group in &plan.groups {
                    if group.shift != 0 {
                        shift_parts(&mut highs, &mut totals, group.shift);
                    }
                    let mut sums = [[every32(0); 2]; N];
                    add(plan, group, at, &mut sums);
                    for i in 0..N {
                        for j in 0..2 {
                            highs[i][j] = add32(highs[i][j], right32(sums[i][j], 16));
                            totals[i][j] = add32(totals[i][j], sums[i][j]);
                        }
                    }
                }
                if plan.shift != 0 {
                    shift_parts(&mut highs, &mut totals, plan.shift);
                }
                let half = every32(1 << 13);
                for i in 0..N {
                    for j in 0..2 {
                        let low = sub32(totals[i][j], left32(highs[i][j], 16));
                        let low = right32(add32(low, half), 14);
                        highs[i][j] = add32(left32(highs[i][j], 2), low);
                    }
                }
                highs
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn shift_parts<const N: usize>(
                highs: &mut [[V; 2]; N],
                totals: &mut [[V; 2]; N],
                shift: u32,
            ) {
                let rest = every32((1 << shift) - 1);
                for i in 0..N {
                    for j in 0..2 {
                        // At most 64 groups: the low part is below 2^22, what comes from above
                        // below 2^24.
                        let high = highs[i][j];
                        let low = sub32(totals[i][j], left32(high, 16));
                        let low = add32(low, left32(and(high, rest), 16));
                        highs[i][j] = right32(high, shift);
                        totals[i][j] = add32(left32(highs[i][j], 16), right32(low, shift));
                    }
                }
            }
        }
    };
}

kernel!(v128, "sse2");
kernel!(v256, "avx2");
