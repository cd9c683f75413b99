//! Vectors of 128 and 256 bits under the same names, and the way into code that needs them.
//!
//! This is the only file of the crate with `unsafe` in it. Each use is a load from or a store to
//! an array of the vector's size, or a call of a function whose processor feature the caller's
//! [`Tier`](super::Tier) vouches for.
#![allow(unsafe_code)]

use super::kernel::{Direct, Fir, Sink};
use super::narrow::Plan;
use super::resample::Cursor;
use super::{convolve, narrow, wide};
use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// The integers that fill vectors.
pub trait Lane: Copy {}
impl Lane for u8 {}
impl Lane for i16 {}
impl Lane for i32 {}
impl Lane for i64 {}

/// Declares the operations that are one instruction in either width.
macro_rules! operations {
    ($feature:literal, $($name:ident ( $($arg:ident),* ) = $intrinsic:ident;)*) => { $(
        #[inline]
        #[target_feature(enable = $feature)]
        pub fn $name($($arg: V),*) -> V {
            $intrinsic($($arg),*)
        }
    )* };
}

/// 128-bit vectors.
pub mod v128 {
    use super::Lane;
    use core::arch::x86_64::*;

    /// A vector.
    pub type V = __m128i;
    /// Octets of a vector.
    pub const OCTETS: usize = 16;

    operations! { "sse2",
        add32(a, b) = _mm_add_epi32;
        sub32(a, b) = _mm_sub_epi32;
        add64(a, b) = _mm_add_epi64;
        sub64(a, b) = _mm_sub_epi64;
        madd16(a, b) = _mm_madd_epi16;
        low16(a, b) = _mm_unpacklo_epi16;
        high16(a, b) = _mm_unpackhi_epi16;
        low32(a, b) = _mm_unpacklo_epi32;
        high32(a, b) = _mm_unpackhi_epi32;
        low64(a, b) = _mm_unpacklo_epi64;
        high64(a, b) = _mm_unpackhi_epi64;
        pack32(a, b) = _mm_packs_epi32;
        mul_even(a, b) = _mm_mul_epu32;
        above32(a, b) = _mm_cmpgt_epi32;
        and(a, b) = _mm_and_si128;
        or(a, b) = _mm_or_si128;
        xor(a, b) = _mm_xor_si128;
        and_not(a, b) = _mm_andnot_si128;
    }

    /// Reads a vector.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn load<T: Lane, const N: usize>(from: &[T; N]) -> V {
        const { assert!(size_of::<[T; N]>() == OCTETS) };
        // SAFETY: the array is as long as the vector, and the load needs no alignment.
        unsafe { _mm_loadu_si128(core::ptr::from_ref(from).cast()) }
    }

    /// Writes a vector.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn store<T: Lane, const N: usize>(to: &mut [T; N], value: V) {
        const { assert!(size_of::<[T; N]>() == OCTETS) };
        // SAFETY: the array is as long as the vector, and the store needs no alignment.
        unsafe { _mm_storeu_si128(core::ptr::from_mut(to).cast(), value) }
    }

    /// Eight 16-bit integers in every 128 bits.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn every128(from: &[i16; 8]) -> V {
        load(from)
    }

    /// One 32-bit integer in every lane.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn every32(value: i32) -> V {
        _mm_set1_epi32(value)
    }

    /// One 64-bit integer in every lane.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn every64(value: i64) -> V {
        _mm_set1_epi64x(value)
    }

    /// Shifts 32-bit lanes right by `count`, keeping the sign.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn right32(value: V, count: u32) -> V {
        _mm_sra_epi32(value, _mm_cvtsi32_si128(count as i32))
    }

    /// Shifts 32-bit lanes left by `count`.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn left32(value: V, count: u32) -> V {
        _mm_sll_epi32(value, _mm_cvtsi32_si128(count as i32))
    }

    /// Shifts 64-bit lanes right, filling with zeros.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn right64<const COUNT: i32>(value: V) -> V {
        _mm_srli_epi64::<COUNT>(value)
    }

    /// The even 32-bit lanes of `even` and the odd ones of `odd`.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn weave32(even: V, odd: V) -> V {
        let evens = _mm_set1_epi64x(0xFFFF_FFFF);
        _mm_or_si128(_mm_and_si128(even, evens), _mm_andnot_si128(evens, odd))
    }

    /// Shifts 64-bit lanes left.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn left64<const COUNT: i32>(value: V) -> V {
        _mm_slli_epi64::<COUNT>(value)
    }

    /// 16-bit samples as the high halves of 32-bit lanes.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn widen(from: &[u8; 8]) -> V {
        _mm_unpacklo_epi16(
            _mm_setzero_si128(),
            _mm_set1_epi64x(i64::from_le_bytes(*from)),
        )
    }

    /// The high halves of the lanes of `a` and then of `b`, in order.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn tops(a: V, b: V) -> V {
        _mm_packs_epi32(_mm_srai_epi32::<16>(a), _mm_srai_epi32::<16>(b))
    }

    /// The sum of a vector's 128-bit halves.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn halves32(value: V) -> __m128i {
        value
    }
}

/// 256-bit vectors.
pub mod v256 {
    use super::Lane;
    use core::arch::x86_64::*;

    /// A vector.
    pub type V = __m256i;
    /// Octets of a vector.
    pub const OCTETS: usize = 32;

    operations! { "avx2",
        add32(a, b) = _mm256_add_epi32;
        sub32(a, b) = _mm256_sub_epi32;
        add64(a, b) = _mm256_add_epi64;
        sub64(a, b) = _mm256_sub_epi64;
        madd16(a, b) = _mm256_madd_epi16;
        low16(a, b) = _mm256_unpacklo_epi16;
        high16(a, b) = _mm256_unpackhi_epi16;
        low32(a, b) = _mm256_unpacklo_epi32;
        high32(a, b) = _mm256_unpackhi_epi32;
        low64(a, b) = _mm256_unpacklo_epi64;
        high64(a, b) = _mm256_unpackhi_epi64;
        pack32(a, b) = _mm256_packs_epi32;
        mul_even(a, b) = _mm256_mul_epu32;
        above32(a, b) = _mm256_cmpgt_epi32;
        and(a, b) = _mm256_and_si256;
        or(a, b) = _mm256_or_si256;
        xor(a, b) = _mm256_xor_si256;
        and_not(a, b) = _mm256_andnot_si256;
    }

    /// Reads a vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn load<T: Lane, const N: usize>(from: &[T; N]) -> V {
        const { assert!(size_of::<[T; N]>() == OCTETS) };
        // SAFETY: the array is as long as the vector, and the load needs no alignment.
        unsafe { _mm256_loadu_si256(core::ptr::from_ref(from).cast()) }
    }

    /// Writes a vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn store<T: Lane, const N: usize>(to: &mut [T; N], value: V) {
        const { assert!(size_of::<[T; N]>() == OCTETS) };
        // SAFETY: the array is as long as the vector, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(core::ptr::from_mut(to).cast(), value) }
    }

    /// Eight 16-bit integers in every 128 bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn every128(from: &[i16; 8]) -> V {
        _mm256_broadcastsi128_si256(super::v128::load(from))
    }

    /// One 32-bit integer in every lane.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn every32(value: i32) -> V {
        _mm256_set1_epi32(value)
    }

    /// One 64-bit integer in every lane.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn every64(value: i64) -> V {
        _mm256_set1_epi64x(value)
    }

    /// Shifts 32-bit lanes right by `count`, keeping the sign.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn right32(value: V, count: u32) -> V {
        _mm256_sra_epi32(value, _mm_cvtsi32_si128(count as i32))
    }

    /// Shifts 32-bit lanes left by `count`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn left32(value: V, count: u32) -> V {
        _mm256_sll_epi32(value, _mm_cvtsi32_si128(count as i32))
    }

    /// Shifts 64-bit lanes right, filling with zeros.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn right64<const COUNT: i32>(value: V) -> V {
        _mm256_srli_epi64::<COUNT>(value)
    }

    /// Shifts 64-bit lanes left.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn left64<const COUNT: i32>(value: V) -> V {
        _mm256_slli_epi64::<COUNT>(value)
    }

    /// The even 32-bit lanes of `even` and the odd ones of `odd`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn weave32(even: V, odd: V) -> V {
        _mm256_blend_epi32::<0xAA>(even, odd)
    }

    /// 16-bit samples as the high halves of 32-bit lanes.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn widen(from: &[u8; 16]) -> V {
        _mm256_slli_epi32::<16>(_mm256_cvtepi16_epi32(super::v128::load(from)))
    }

    /// The high halves of the lanes of `a` and then of `b`, in order.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn tops(a: V, b: V) -> V {
        let packed = _mm256_packs_epi32(_mm256_srai_epi32::<16>(a), _mm256_srai_epi32::<16>(b));
        _mm256_permute4x64_epi64::<0b11_01_10_00>(packed)
    }

    /// The sum of a vector's 128-bit halves.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn halves32(value: V) -> __m128i {
        let high = _mm256_extracti128_si256::<1>(value);
        _mm_add_epi32(_mm256_castsi256_si128(value), high)
    }
}

/// A promise that the processor, and whatever runs us on it, has AVX2 and saves its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// Asks the processor: CPUID for AVX2 and for XGETBV, and XCR0 for who saves the registers.
    #[must_use]
    pub fn detected() -> Option<Self> {
        const OSXSAVE_AND_AVX: u32 = 1 << 27 | 1 << 28;
        const AVX2: u32 = 1 << 5;
        const SSE_AND_AVX_STATE: u64 = 6;
        if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE_AND_AVX != OSXSAVE_AND_AVX {
            return None;
        }
        // SAFETY: OSXSAVE says that the instruction may be used.
        let state = unsafe { _xgetbv(0) };
        let saved = state & SSE_AND_AVX_STATE == SSE_AND_AVX_STATE;
        (saved && __cpuid_count(7, 0).ebx & AVX2 != 0).then_some(Self(()))
    }

    /// Makes the promise.
    ///
    /// # Safety
    /// CPUID reports AVX2, and XCR0 has the bits of the SSE and AVX states set.
    #[must_use]
    pub const unsafe fn promised() -> Self {
        Self(())
    }
}

/// Declares the calls into one width's code.
macro_rules! entries {
    ($width:ident, $token:ty) => {
        /// Calls into the code of this width.
        pub mod $width {
            use super::*;

            /// See [`narrow`].
            #[inline]
            pub fn narrow(_: $token, plan: &Plan<'_, '_>, out: &mut [u8]) -> usize {
                // SAFETY: the token promises the feature.
                unsafe { narrow::$width::mix(plan, out) }
            }

            /// See [`wide`].
            #[inline]
            pub fn wide(
                _: $token,
                direct: &[Direct<'_>],
                gathered: Option<&[i64]>,
                sink: Sink,
                out: &mut [u8],
            ) -> usize {
                // SAFETY: the token promises the feature.
                unsafe { wide::$width::mix(direct, gathered, sink, out) }
            }

            /// See [`wide`].
            #[inline]
            pub fn gather(_: $token, samples: &[i32], gains: &[i32; 8], sums: &mut [i64]) -> usize {
                // SAFETY: the token promises the feature.
                unsafe { wide::$width::gather(samples, gains, sums) }
            }

            /// See [`convolve`].
            #[inline]
            pub fn fir(_: $token, fir: &Fir<'_>, cursor: &mut Cursor, out: &mut [i32]) {
                // SAFETY: the token promises the feature.
                unsafe { convolve::$width::fir(fir, cursor, out) }
            }
        }
    };
}

/// The way in.
pub mod call {
    use super::*;

    entries!(v128, ());
    entries!(v256, Avx2);
}
