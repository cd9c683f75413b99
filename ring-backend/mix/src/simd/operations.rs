//! What takes more than one instruction, or others in each width. Nothing here is unsafe.
#![deny(unsafe_code)]

/// Of 128-bit vectors.
pub mod v128 {
    use crate::simd::v128::{V, add32, load, madd16};
    use core::arch::x86_64::*;

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
        /// Each two octets' sum.
        couples8(value: V) -> V =
            _mm_add_epi16(_mm_and_si128(value, _mm_set1_epi16(0xFF)), _mm_srli_epi16::<8>(value));
        /// The sum of a vector's 128-bit halves.
        halves32(value: V) -> __m128i = value;
    }
}

/// Of 256-bit vectors.
pub mod v256 {
    use crate::simd::v128;
    use crate::simd::v256::{V, add32, madd16};
    use core::arch::x86_64::*;

    operations! { "avx2",
        /// Adds products of 16-bit lanes, two to a sum.
        add_madd16(sum: V, a: V, b: V) -> V = add32(sum, madd16(a, b));
        /// Eight 16-bit integers in every 128 bits.
        every128(from: &[i16; 8]) -> V = _mm256_broadcastsi128_si256(v128::load(from));
        /// The even 32-bit lanes of `even` and the odd ones of `odd`.
        weave32(even: V, odd: V) -> V = _mm256_blend_epi32::<0xAA>(even, odd);
        /// 16-bit samples as the high halves of 32-bit lanes.
        widen(from: &[u8; 16]) -> V =
            _mm256_slli_epi32::<16>(_mm256_cvtepi16_epi32(v128::load(from)));
        /// The high halves of the lanes of `a` and then of `b`, in order.
        tops(a: V, b: V) -> V = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(
            _mm256_srai_epi32::<16>(a),
            _mm256_srai_epi32::<16>(b),
        ));
        /// Whether any bit is set.
        any(value: V) -> bool = _mm256_testz_si256(value, value) == 0;
        /// Each two octets' sum.
        couples8(value: V) -> V = _mm256_maddubs_epi16(value, _mm256_set1_epi8(1));
        /// The sum of a vector's 128-bit halves.
        halves32(value: V) -> __m128i =
            _mm_add_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256::<1>(value));
    }
}

/// 256-bit vectors where the processor multiplies and adds up in one step (AVX-VNNI).
pub mod vnni {
    pub use crate::simd::v256::*;
    use core::arch::x86_64::_mm256_dpwssd_avx_epi32;

    operations! { "avx2,avxvnni",
        /// Adds products of 16-bit lanes, two to a sum.
        add_madd16(sum: V, a: V, b: V) -> V = _mm256_dpwssd_avx_epi32(sum, a, b);
    }
}
