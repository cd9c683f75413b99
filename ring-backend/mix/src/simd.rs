//! Vectors of 128 and 256 bits under the same names, and the way into code that needs them.
//!
//! This module is the only one of the crate with `unsafe` in it. Each use is a load from or a store
//! to an array of the vector's size, a call of a function whose processor feature the caller's
//! [`Tier`](super::Tier) vouches for, or a view of octets and samples that were counted before.
#![allow(unsafe_code)]

use super::kernel::{Fir, Sink};
use super::plan::Plan;
use super::resample::Cursor;
use super::{convolve, narrow, noise, wide};
use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

mod reach;

pub use reach::{Block, Planes, Starts};

/// The integers that fill vectors.
pub trait Lane: Copy {}
impl Lane for u8 {}
impl Lane for i16 {}
impl Lane for i32 {}
impl Lane for u32 {}
impl Lane for i64 {}

/// Declares operations that take one processor feature, each as an expression.
macro_rules! operations {
    ($feature:literal, $(
        $(#[$meta:meta])*
        $name:ident $(<const $count:ident>)? ($($arg:ident: $type:ty),*) -> $out:ty = $body:expr;
    )*) => { $(
        $(#[$meta])*
        #[inline]
        #[target_feature(enable = $feature)]
        pub fn $name$(<const $count: i32>)?($($arg: $type),*) -> $out {
            $body
        }
    )* };
}

/// Declares a width's vectors, and those operations that differ in the intrinsic's name alone.
macro_rules! width {
    (
        $feature:literal, $vector:ident, $octets:literal, $load:ident, $store:ident,
        $every32:ident, $every64:ident, $right32:ident, $down32:ident, $left32:ident,
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
            /// One 64-bit integer in every lane.
            every64(value: i64) -> V = $every64(value);
            /// Shifts 32-bit lanes right by `count`, keeping the sign.
            right32(value: V, count: u32) -> V = $right32(value, _mm_cvtsi32_si128(count as i32));
            /// Shifts 32-bit lanes left by `count`.
            left32(value: V, count: u32) -> V = $left32(value, _mm_cvtsi32_si128(count as i32));
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
    use core::arch::x86_64::*;

    /// Whether `mul_even` takes its factors as unsigned.
    pub const UNSIGNED: bool = true;

    width! {
        "sse2", __m128i, 16, _mm_loadu_si128, _mm_storeu_si128,
        _mm_set1_epi32, _mm_set1_epi64x, _mm_sra_epi32, _mm_srli_epi32, _mm_sll_epi32,
        _mm_srli_epi64, _mm_slli_epi64,
        add32 = _mm_add_epi32, sub32 = _mm_sub_epi32,
        add64 = _mm_add_epi64, sub64 = _mm_sub_epi64,
        madd16 = _mm_madd_epi16, mul_even = _mm_mul_epu32,
        low16 = _mm_unpacklo_epi16, high16 = _mm_unpackhi_epi16,
        low32 = _mm_unpacklo_epi32, high32 = _mm_unpackhi_epi32,
        low64 = _mm_unpacklo_epi64, high64 = _mm_unpackhi_epi64,
        pack32 = _mm_packs_epi32, above32 = _mm_cmpgt_epi32,
        and = _mm_and_si128, or = _mm_or_si128, xor = _mm_xor_si128, and_not = _mm_andnot_si128,
    }

    operations! { "sse2",
        /// Adds products of 16-bit lanes, two to a sum.
        add_madd16(sum: V, a: V, b: V) -> V = add32(sum, madd16(a, b));
        /// Eight 16-bit integers in every 128 bits.
        every128(from: &[i16; 8]) -> V = load(from);
        /// The even 32-bit lanes of `even` and the odd ones of `odd`.
        weave32(even: V, odd: V) -> V = {
            let evens = _mm_set1_epi64x(0xFFFF_FFFF);
            _mm_or_si128(_mm_and_si128(even, evens), _mm_andnot_si128(evens, odd))
        };
        /// 16-bit samples as the high halves of 32-bit lanes.
        widen(from: &[u8; 8]) -> V =
            _mm_unpacklo_epi16(_mm_setzero_si128(), _mm_set1_epi64x(i64::from_le_bytes(*from)));
        /// The high halves of the lanes of `a` and then of `b`, in order.
        tops(a: V, b: V) -> V = _mm_packs_epi32(_mm_srai_epi32::<16>(a), _mm_srai_epi32::<16>(b));
        /// Whether any bit is set.
        any(value: V) -> bool =
            _mm_movemask_epi8(_mm_cmpeq_epi32(value, _mm_setzero_si128())) != 0xFFFF;
        /// The sum of a vector's 128-bit halves.
        halves32(value: V) -> __m128i = value;
    }
}

/// 256-bit vectors.
pub mod v256 {
    use super::Lane;
    use core::arch::x86_64::*;

    /// Whether `mul_even` takes its factors as unsigned.
    pub const UNSIGNED: bool = false;

    width! {
        "avx2", __m256i, 32, _mm256_loadu_si256, _mm256_storeu_si256,
        _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_sra_epi32, _mm256_srli_epi32,
        _mm256_sll_epi32, _mm256_srli_epi64, _mm256_slli_epi64,
        add32 = _mm256_add_epi32, sub32 = _mm256_sub_epi32,
        add64 = _mm256_add_epi64, sub64 = _mm256_sub_epi64,
        madd16 = _mm256_madd_epi16, mul_even = _mm256_mul_epi32,
        low16 = _mm256_unpacklo_epi16, high16 = _mm256_unpackhi_epi16,
        low32 = _mm256_unpacklo_epi32, high32 = _mm256_unpackhi_epi32,
        low64 = _mm256_unpacklo_epi64, high64 = _mm256_unpackhi_epi64,
        pack32 = _mm256_packs_epi32, above32 = _mm256_cmpgt_epi32,
        and = _mm256_and_si256, or = _mm256_or_si256, xor = _mm256_xor_si256,
        and_not = _mm256_andnot_si256,
    }

    operations! { "avx2",
        /// Adds products of 16-bit lanes, two to a sum.
        add_madd16(sum: V, a: V, b: V) -> V = add32(sum, madd16(a, b));
        /// Eight 16-bit integers in every 128 bits.
        every128(from: &[i16; 8]) -> V = _mm256_broadcastsi128_si256(super::v128::load(from));
        /// The even 32-bit lanes of `even` and the odd ones of `odd`.
        weave32(even: V, odd: V) -> V = _mm256_blend_epi32::<0xAA>(even, odd);
        /// 16-bit samples as the high halves of 32-bit lanes.
        widen(from: &[u8; 16]) -> V =
            _mm256_slli_epi32::<16>(_mm256_cvtepi16_epi32(super::v128::load(from)));
        /// The high halves of the lanes of `a` and then of `b`, in order.
        tops(a: V, b: V) -> V = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(
            _mm256_srai_epi32::<16>(a),
            _mm256_srai_epi32::<16>(b),
        ));
        /// Whether any bit is set.
        any(value: V) -> bool = _mm256_testz_si256(value, value) == 0;
        /// The sum of a vector's 128-bit halves.
        halves32(value: V) -> __m128i =
            _mm_add_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256::<1>(value));
    }
}

/// 256-bit vectors where the processor multiplies and adds up in one step (AVX-VNNI).
pub mod vnni {
    pub use super::v256::*;
    use core::arch::x86_64::_mm256_dpwssd_avx_epi32;

    operations! { "avx2,avxvnni",
        /// Adds products of 16-bit lanes, two to a sum.
        add_madd16(sum: V, a: V, b: V) -> V = _mm256_dpwssd_avx_epi32(sum, a, b);
    }
}

/// A promise that the processor, and whatever runs us on it, has AVX2 and saves its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2 {
    /// AVX-VNNI as well.
    vnni: bool,
}

/// The same of AVX-VNNI as well.
#[derive(Clone, Copy, Debug)]
pub struct Vnni(());

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

    /// The promise of AVX-VNNI, if it is there.
    #[must_use]
    pub fn vnni(self) -> Option<Vnni> {
        self.vnni.then_some(Vnni(()))
    }

    /// The same without AVX-VNNI; `None` where there is none.
    #[must_use]
    pub fn without_vnni(self) -> Option<Self> {
        self.vnni.then_some(Self { vnni: false })
    }

    /// Makes the promise.
    ///
    /// # Safety
    /// CPUID reports AVX2, and XCR0 has the bits of the SSE and AVX states set.
    #[must_use]
    pub const unsafe fn promised() -> Self {
        Self { vnni: false }
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
                plan: &Plan, starts: &Starts<'_>, out: &mut [u8]) -> usize);
            entry!($token, convolve::$width::fir as fir(
                fir: &Fir<'_>, cursor: &mut Cursor, frames: usize, out: &mut [i32]));
            entry!($token, noise::$width::fill as noise(
                state: &mut [u32; 16], out: &mut [[u8; 32]]));
            entry!($token, wide::$width::mix as wide(
                plan: &Plan, starts: [&Starts<'_>; 2], gathered: Option<&[i64]>, sink: Sink,
                out: &mut [u8]) -> usize);
            entry!($token, wide::$width::gather as gather(
                samples: &[i32], gains: &[i32; 8], sums: &mut [i64]) -> usize);
        }
    };
}

/// The way in.
pub mod call {
    use super::*;

    entries!(v128, ());
    entries!(v256, Avx2);

    /// Calls into the code that needs AVX-VNNI.
    pub mod vnni {
        use super::*;

        entry!(Vnni, narrow::vnni::mix as narrow(
            plan: &Plan, starts: &Starts<'_>, out: &mut [u8]) -> usize);
    }
}
