//! Vectors of 128 and 256 bits under the same names, and the way into code that needs them.
//!
//! This file is the only one of the crate with `unsafe` in it. Each use is a load from or a store
//! to an array of the vector's size, a call of a function whose processor feature the caller's
//! [`Tier`](super::Tier) vouches for, a view of octets and samples that were counted before, or the
//! few instructions that are written in assembly.
#![allow(unsafe_code)]

use super::columns::{Channels, Columns, Place, Record, STREAMS};
use super::convolve::{Left, Part};
use super::kernel::Sink;
use super::path::Path;
use super::plan::Plan;
use super::table::{EDGE, LANE, Sixteen};
use super::{convolve, narrow, noise, wide};
use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use core::hint::black_box;
use core::marker::PhantomData;
use core::ptr::NonNull;

#[macro_use]
mod operations;
mod promises;
mod starts;
mod windows;

pub use operations::{Lane, fetch, vnni};
pub use promises::Vnni;
pub use starts::Starts;
use windows::{Ends, Window};

/// Declares a width's vectors, and those operations that differ in the intrinsic's name alone.
macro_rules! width {
    (
        $feature:literal, $vector:ident, $octets:literal, $load:ident, $store:ident,
        $every16:ident, $every32:ident, $every64:ident, $down32:ident,
        $right64:ident, $left64:ident, $($name:ident = $intrinsic:ident,)*
    ) => {
        /// A vector.
        pub type V = $vector;
        /// Octets of a vector.
        pub const OCTETS: usize = $octets;

        /// Reads a vector.
        #[inline]
        #[target_feature(enable = $feature)]
        pub fn load<T: Lane, const N: usize>(from: &[T; N]) -> V {
            const { assert!(size_of::<[T; N]>() == OCTETS) };
            // SAFETY: the array is as long as the vector, and the load needs no alignment.
            unsafe { $load(core::ptr::from_ref(from).cast()) }
        }

        /// Writes a vector.
        #[inline]
        #[target_feature(enable = $feature)]
        pub fn store<T: Lane, const N: usize>(to: &mut [T; N], value: V) {
            const { assert!(size_of::<[T; N]>() == OCTETS) };
            // SAFETY: the array is as long as the vector, and the store needs no alignment.
            unsafe { $store(core::ptr::from_mut(to).cast(), value) }
        }

        operations! { $feature,
            /// One 32-bit integer in every lane.
            every32(value: i32) -> V = $every32(value);
            /// One 16-bit integer in every lane.
            every16(value: i16) -> V = $every16(value);
            /// One 64-bit integer in every lane.
            every64(value: i64) -> V = $every64(value);
            /// Shifts 32-bit lanes right, filling with zeros.
            down32<const COUNT>(value: V) -> V = $down32::<COUNT>(value);
            /// Shifts 64-bit lanes right, filling with zeros.
            right64<const COUNT>(value: V) -> V = $right64::<COUNT>(value);
            /// Shifts 64-bit lanes left.
            left64<const COUNT>(value: V) -> V = $left64::<COUNT>(value);
            $(
                /// One instruction.
                $name(a: V, b: V) -> V = $intrinsic(a, b);
            )*
        }
    };
}

/// 128-bit vectors.
pub mod v128 {
    use super::Lane;
    pub use super::operations::v128::*;
    use core::arch::x86_64::*;

    /// Whether `mul_even` takes its factors as unsigned.
    pub const UNSIGNED: bool = true;
    /// Whether shifting by a count that is not known before takes two steps.
    pub const COUNTS_COST: bool = true;

    /// Adds products of 16-bit lanes, two to a sum, where that is: the compiler would add it to
    /// the product, and copy what it has to go on with.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn onto_madd16(mut sum: V, a: V, b: V) -> V {
        let product = _mm_madd_epi16(a, b);
        // SAFETY: adds registers.
        unsafe {
            core::arch::asm!(
                "paddd {sum}, {product}",
                sum = inout(xmm_reg) sum,
                product = in(xmm_reg) product,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sum
    }

    width! {
        "sse2", __m128i, 16, _mm_loadu_si128, _mm_storeu_si128,
        _mm_set1_epi16, _mm_set1_epi32, _mm_set1_epi64x, _mm_srli_epi32,
        _mm_srli_epi64, _mm_slli_epi64, add16 = _mm_add_epi16,
        add32 = _mm_add_epi32, add64 = _mm_add_epi64, sub64 = _mm_sub_epi64,
        top16 = _mm_mulhi_epi16,
        madd16 = _mm_madd_epi16, mul_even = _mm_mul_epu32,
        low16 = _mm_unpacklo_epi16, high16 = _mm_unpackhi_epi16,
        low32 = _mm_unpacklo_epi32, high32 = _mm_unpackhi_epi32,
        low64 = _mm_unpacklo_epi64, high64 = _mm_unpackhi_epi64,
        pack32 = _mm_packs_epi32, above32 = _mm_cmpgt_epi32,
        and = _mm_and_si128, or = _mm_or_si128, xor = _mm_xor_si128, and_not = _mm_andnot_si128,
    }
}

/// 256-bit vectors.
pub mod v256 {
    use super::Lane;
    pub use super::operations::v256::*;
    use core::arch::x86_64::*;

    /// Whether `mul_even` takes its factors as unsigned.
    pub const UNSIGNED: bool = false;
    /// Whether shifting by a count that is not known before takes two steps.
    pub const COUNTS_COST: bool = false;

    width! {
        "avx2", __m256i, 32, _mm256_loadu_si256, _mm256_storeu_si256,
        _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_srli_epi32,
        _mm256_srli_epi64, _mm256_slli_epi64,
        add16 = _mm256_add_epi16, add32 = _mm256_add_epi32,
        add64 = _mm256_add_epi64, sub64 = _mm256_sub_epi64, top16 = _mm256_mulhi_epi16,
        madd16 = _mm256_madd_epi16, mul_even = _mm256_mul_epi32,
        low16 = _mm256_unpacklo_epi16, high16 = _mm256_unpackhi_epi16,
        low32 = _mm256_unpacklo_epi32, high32 = _mm256_unpackhi_epi32,
        low64 = _mm256_unpacklo_epi64, high64 = _mm256_unpackhi_epi64,
        pack32 = _mm256_packs_epi32, above32 = _mm256_cmpgt_epi32,
        and = _mm256_and_si256, or = _mm256_or_si256, xor = _mm256_xor_si256,
        and_not = _mm256_andnot_si256,
    }
}

/// Adds the products of the `I`th pair of a lane's taps, of high parts and, apart, those with a low
/// part. In assembly: compilers take what multiplies and adds up in one step apart again where sums
/// seem to wait for each other.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
pub fn onto_pair<const I: usize>(
    sums: &mut [v256::V; 2],
    crosses: &mut [v256::V; 2],
    (row, window): (&[Sixteen; 2], &[Record; LANE / 2]),
) {
    const { assert!(I < LANE / 2 && size_of::<Record>() == 128) };
    // SAFETY: reads what is in the row and in the window, whose records are aligned.
    unsafe {
        core::arch::asm!(
            "vpbroadcastd {a}, [{row} + 4*{i}]",
            "vpbroadcastd {b}, [{row} + 4*{i} + 32]",
            "vmovdqa {high}, [{window} + 128*{i}]",
            "{{vex}} vpdpwssd {sum0}, {high}, {a}",
            "{{vex}} vpdpwssd {cross0}, {a}, [{window} + 128*{i} + 64]",
            "{{vex}} vpdpwssd {cross0}, {high}, {b}",
            "vmovdqa {high}, [{window} + 128*{i} + 32]",
            "{{vex}} vpdpwssd {sum1}, {high}, {a}",
            "{{vex}} vpdpwssd {cross1}, {a}, [{window} + 128*{i} + 96]",
            "{{vex}} vpdpwssd {cross1}, {high}, {b}",
            row = in(reg) row, window = in(reg) window, i = const I,
            a = out(ymm_reg) _, b = out(ymm_reg) _, high = out(ymm_reg) _,
            sum0 = inout(ymm_reg) sums[0], sum1 = inout(ymm_reg) sums[1],
            cross0 = inout(ymm_reg) crosses[0], cross1 = inout(ymm_reg) crosses[1],
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// A promise that the processor, and whatever runs us on it, has AVX2 and saves its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2 {
    /// AVX-VNNI as well.
    vnni: bool,
}

impl Avx2 {
    /// Asks the processor: CPUID for AVX2 and for XGETBV, and XCR0 for who saves the registers.
    #[must_use]
    pub fn detected() -> Option<Self> {
        const OSXSAVE_AND_AVX: u32 = 1 << 27 | 1 << 28;
        const AVX2: u32 = 1 << 5;
        const AVX_VNNI: u32 = 1 << 4;
        const SSE_AND_AVX_STATE: u64 = 6;
        if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE_AND_AVX != OSXSAVE_AND_AVX {
            return None;
        }
        // SAFETY: OSXSAVE says that the instruction may be used.
        let state = unsafe { _xgetbv(0) };
        let saved = state & SSE_AND_AVX_STATE == SSE_AND_AVX_STATE;
        let features = __cpuid_count(7, 0);
        let vnni = features.eax > 0 && __cpuid_count(7, 1).eax & AVX_VNNI != 0;
        (saved && features.ebx & AVX2 != 0).then_some(Self { vnni })
    }
}

/// Declares a call into one width's code.
macro_rules! entry {
    ($token:ty, $($path:ident)::+ as $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?) => {
        /// See there.
        #[inline]
        pub fn $name(_: $token, $($arg: $type),*) $(-> $out)? {
            // SAFETY: the token promises the feature.
            unsafe { $($path)::+($($arg),*) }
        }
    };
}

/// Declares all calls into one width's code.
macro_rules! entries {
    ($width:ident, $token:ty) => {
        /// Calls into the code of this width.
        pub mod $width {
            use super::*;

            entry!($token, narrow::$width::mix as narrow(
                plan: &Plan, starts: &Starts<'_>, gathered: Option<&[i64]>, out: &mut [u8])
                -> usize);
            entry!($token, convolve::$width::pair as pair(
                part: &Part<'_>, left: &mut Left, pairs: &mut [[i32; 2]]));
            entry!($token, convolve::$width::part as part(
                frames: &[[i32; 2]], planes: &mut [i16]) -> (usize, bool));
            entry!($token, noise::$width::fill as noise(
                words: &mut [[u32; 16]], added: &[[u32; 16]], out: &mut [[u8; 64]]));
            entry!($token, wide::$width::mix as wide(
                plan: &Plan, starts: [&Starts<'_>; 2], gathered: Option<&[i64]>, sink: Sink,
                out: &mut [u8]) -> usize);
            entry!($token, wide::$width::gather as gather(
                samples: &[i32], gains: &[i32; 8], over: bool, sums: &mut [i64]) -> usize);
        }
    };
}

/// The way in.
pub mod call {
    use super::*;

    entries!(v128, ());
    entries!(v256, Avx2);

    /// Calls into the code that has lanes for eight streams.
    pub mod columns {
        use super::*;

        entry!(Avx2, crate::columns::lay as lay(
            frames: [&[[i32; 2]]; STREAMS], half: usize, records: &mut [Record]) -> bool);
        entry!(Avx2, crate::columns::outputs as outputs(
            columns: &Columns<'_>, path: Path, out: &mut [Channels]));
        entry!(Avx2, crate::columns::gather as gather(
            gains: &Channels, out: &[Channels], sums: &mut [i64]));
    }

    /// Calls into the code that needs AVX-VNNI.
    pub mod vnni {
        use super::*;

        entry!(Vnni, crate::columns::output_at_once as output(
            columns: &Columns<'_>, place: Place<'_>, out: &mut Channels) -> Option<()>);
        entry!(Vnni, narrow::vnni::mix as narrow(
            plan: &Plan, starts: &Starts<'_>, gathered: Option<&[i64]>, out: &mut [u8]) -> usize);
    }
}

/// A part of every stream; made by [`Parts::at`] alone, which saw that each has `SIZE` octets
/// from `at` on.
#[derive(Clone, Copy)]
pub struct Block<'p, 'a, const SIZE: usize> {
    starts: &'p [NonNull<u8>],
    at: usize,
    of: PhantomData<&'a [u8]>,
}

impl<'p, 'a, const SIZE: usize> Block<'p, 'a, SIZE> {
    /// The streams' octets.
    #[inline]
    pub fn each(self) -> impl Iterator<Item = &'a [u8; SIZE]> {
        // SAFETY: the streams are borrowed for 'a and have the octets: `Starts` saw to it.
        let octets = move |start: &NonNull<u8>| unsafe { start.add(self.at).cast().as_ref() };
        self.starts.iter().map(octets)
    }

    /// The streams' octets, by twos.
    #[inline]
    pub fn pairs(self) -> impl ExactSizeIterator<Item = [&'a [u8; SIZE]; 2]> {
        self.starts.as_chunks().0.iter().map(move |pair: &[_; 2]| {
            // SAFETY: as above.
            pair.map(|start| unsafe { start.add(self.at).cast().as_ref() })
        })
    }
}

/// A row of coefficients, and as long a window of two channels' samples, or some lanes of those.
///
/// Made by [`Windows`] alone, which saw that all of it is there.
#[derive(Clone, Copy)]
pub struct View<'a, const PLANES: usize, const L: usize> {
    row: NonNull<Sixteen>,
    samples: NonNull<i16>,
    /// Samples from plane to plane.
    stride: usize,
    taps: usize,
    /// The first lane between the ends, and how many.
    first: usize,
    lanes: usize,
    of: PhantomData<&'a [i16]>,
}

impl<'a, const PLANES: usize, const L: usize> View<'a, PLANES, L> {
    /// Its lanes between the ends, and which they are.
    #[inline]
    pub fn each(self) -> impl Iterator<Item = (usize, Window<'a, PLANES>)> {
        let [first, lanes] = [[0, L], [self.first, self.lanes]][usize::from(L == 0)];
        (0..lanes).map(move |lane| {
            // SAFETY: all of it is borrowed for 'a, and this is one of the lanes.
            unsafe {
                let lane = first + lane;
                let sample = |plane| {
                    let at = EDGE + lane * LANE + plane * self.stride;
                    self.samples.add(at).cast().as_ref()
                };
                let planes = [[sample(0), sample(1)], [sample(2), sample(3)]];
                let row = self.row.add(PLANES / 2 + lane * PLANES);
                (lane, (row.cast().as_ref(), planes))
            }
        })
    }

    /// Its ends, which go with the first lane. Whether that is among its lanes is looked at each
    /// time: there is no loop for each answer.
    #[inline]
    pub fn ends(self) -> Option<Ends<'a>> {
        let taps = if L == 0 { self.taps } else { (L + 1) * LANE };
        (L > 0 || black_box(self.first) == 0).then(|| {
            // SAFETY: all of it is borrowed for 'a, the window has so many taps, and the row has
            // two lanes at least.
            unsafe {
                let sample = |end, plane| {
                    let at = end * (taps - EDGE) + plane * self.stride;
                    self.samples.add(at).cast().as_ref()
                };
                let ends = [0, 2].map(|plane| [sample(0, plane), sample(1, plane)]);
                (self.row.cast().as_ref(), ends)
            }
        })
    }
}

/// What some outputs are made of, one after the other.
pub struct Windows<'a, const PLANES: usize, const L: usize> {
    /// How many more there are.
    left: usize,
    path: Path,
    /// The first output's, before it is moved there.
    view: View<'a, PLANES, L>,
    row_octets: usize,
}

impl<'a, const PLANES: usize, const L: usize> Windows<'a, PLANES, L> {
    /// The next `count`, if there are as many, numbered from 0 on, and how far from its row each is.
    #[inline]
    pub fn next(
        &mut self,
        count: usize,
    ) -> impl Iterator<Item = (usize, View<'a, PLANES, L>, i16)> {
        let count = count.min(self.left);
        self.left -= count;
        (0..count).map(|i| {
            let start = self.path.advance();
            let (row, rest) = self.path.place(PLANES == 4, self.row_octets);
            // SAFETY: no output is beyond the last, whose row and window are there: [`Path::last`].
            let (row, samples) =
                unsafe { (self.view.row.byte_add(row), self.view.samples.add(start)) };
            let view = View {
                row,
                samples,
                ..self.view
            };
            (i, view, rest)
        })
    }
}
