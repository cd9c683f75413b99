//! What takes more than one instruction, or others in each width. Nothing here is unsafe.
#![deny(unsafe_code)]

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// The integers, or frames of them, that fill vectors.
pub trait Lane: Copy {}
impl Lane for u8 {}
impl Lane for i16 {}
impl Lane for i32 {}
impl Lane for u32 {}
impl Lane for i64 {}
impl Lane for [i32; 2] {}

/// Has octets fetched that are wanted soon.
#[inline]
#[target_feature(enable = "sse")]
pub fn fetch<const SIZE: usize>(octets: &[u8; SIZE]) {
    for line in octets.as_chunks::<64>().0 {
        _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
    }
}

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

/// Of 128-bit vectors.
pub mod v128 {
    use crate::simd::v128::{V, add32, load, madd16};
    use core::arch::x86_64::*;

    operations! { "sse2",
        /// Adds products of 16-bit lanes, two to a sum.
        add_madd16(sum: V, a: V, b: V) -> V = add32(sum, madd16(a, b));
        /// Shifts 32-bit lanes right by `count`, keeping the sign.
        right32(value: V, count: u32) -> V = _mm_sra_epi32(value, _mm_cvtsi32_si128(count as i32));
        /// The same by a count that [`low5`] gave.
        shift32(value: V, count: V) -> V = _mm_sra_epi32(value, count);
        /// The count of bits 0 to 4 of integers that are all the same.
        low5(of: &[i32; 4]) -> V = _mm_cvtsi32_si128(of[0] & 31);
        /// The integers' high halves alone, where they are.
        high_halves(of: &[i32; 4]) -> V = _mm_and_si128(load(of), _mm_set1_epi32(-1 << 16));
        /// Shifts 64-bit lanes right by a count that lies ready, filling with zeros.
        down64(value: V, count: &[i64; 2]) -> V = _mm_srl_epi64(value, load(count));
        /// The even 32-bit lanes of `even` and the odd ones of `odd`.
        weave32(even: V, odd: V) -> V = {
            let evens = _mm_set1_epi64x(0xFFFF_FFFF);
            _mm_or_si128(_mm_and_si128(even, evens), _mm_andnot_si128(evens, odd))
        };
        /// The same of what is kept of each: bits of `low` and of `high`, in the lanes that are.
        join32(even: V, odd: V, low: V, high: V) -> V =
            _mm_or_si128(_mm_and_si128(even, low), _mm_and_si128(odd, high));
        /// Shifts 16-bit lanes right, keeping the sign.
        right16<const COUNT>(value: V) -> V = _mm_srai_epi16::<COUNT>(value);
        /// Fours of 32-bit lanes in the order in which two vectors of 16-bit lanes are unpacked.
        quads(pair: [V; 2]) -> [V; 2] = pair;
        /// Eight 16-bit integers in every 128 bits.
        every128(from: &[i16; 8]) -> V = load(from);
        /// The odd 32-bit lanes, each a place early; what is in the odd places is left open.
        odds(value: V) -> V = _mm_shuffle_epi32::<0b11_11_01_01>(value);
        /// 16-bit samples as the high halves of 32-bit lanes.
        widen(from: &[u8; 8]) -> V =
            _mm_unpacklo_epi16(_mm_setzero_si128(), _mm_set1_epi64x(i64::from_le_bytes(*from)));
        /// The high halves of the lanes of `a` and then of `b`, in order.
        tops(a: V, b: V) -> V = _mm_packs_epi32(_mm_srai_epi32::<16>(a), _mm_srai_epi32::<16>(b));
        /// Whether any bit is set.
        any(value: V) -> bool =
            _mm_movemask_epi8(_mm_cmpeq_epi32(value, _mm_setzero_si128())) != 0xFFFF;
        /// Which 16-bit lanes are the highest or the lowest number.
        extreme16(value: V) -> V =
            _mm_cmplt_epi16(_mm_add_epi16(value, _mm_set1_epi16(1)), _mm_set1_epi16(-32_766));
        /// What each even octet is more than the odd one after it.
        couples8(value: V) -> V =
            _mm_sub_epi16(_mm_and_si128(value, _mm_set1_epi16(0xFF)), _mm_srli_epi16::<8>(value));
        /// The even 32-bit lanes of two vectors; which of them come first is left open.
        even32(a: V, b: V) -> V = _mm_castps_si128(
            _mm_shuffle_ps::<0b10_00_10_00>(_mm_castsi128_ps(a), _mm_castsi128_ps(b)));
        /// The odd ones.
        odd32(a: V, b: V) -> V = _mm_castps_si128(
            _mm_shuffle_ps::<0b11_01_11_01>(_mm_castsi128_ps(a), _mm_castsi128_ps(b)));
        /// The low halves of what two of those gave, in order; they fit in there.
        pack_even(pair: [V; 2]) -> V = _mm_packs_epi32(pair[0], pair[1]);
        /// Swaps each two 32-bit lanes.
        swap32(value: V) -> V = _mm_shuffle_epi32::<0b10_11_00_01>(value);
        /// Four sums of each of two vectors, the first one's first.
        fours32(pair: [V; 2]) -> [V; 2] = pair;
        /// Two vectors as they are.
        halves(pair: [V; 2]) -> [V; 2] = pair;
        /// The same.
        joined(pair: [V; 2]) -> [V; 2] = pair;
    }
}

/// Of 256-bit vectors.
pub mod v256 {
    use crate::simd::v128;
    use crate::simd::v256::{V, add32, add64, madd16};
    use core::arch::x86_64::*;

    operations! { "avx2",
        /// Adds products of 16-bit lanes, two to a sum.
        add_madd16(sum: V, a: V, b: V) -> V = add32(sum, madd16(a, b));
        /// The same.
        onto_madd16(sum: V, a: V, b: V) -> V = add32(sum, madd16(a, b));
        /// Shifts 32-bit lanes right by `count`, below 32, keeping the sign.
        right32(value: V, count: u32) -> V =
            _mm256_srav_epi32(value, _mm256_set1_epi32(count as i32));
        /// The same by counts that [`low5`] gave, which are below 32.
        shift32(value: V, counts: V) -> V = _mm256_srav_epi32(value, counts);
        /// The counts of bits 0 to 4 of integers that are all the same: that they are is not told,
        /// as shifting all lanes by one count takes two steps, and each by its own takes one.
        low5(of: &[i32; 4]) -> V = _mm256_and_si256(
            _mm256_broadcastsi128_si256(v128::load(of)), _mm256_set1_epi32(31));
        /// The integers' high halves alone, where they are.
        high_halves(of: &[i32; 4]) -> V = _mm256_and_si256(
            _mm256_broadcastsi128_si256(v128::load(of)), _mm256_set1_epi32(-1 << 16));
        /// Shifts 64-bit lanes right by a count that lies ready, filling with zeros.
        down64(value: V, count: &[i64; 2]) -> V = _mm256_srl_epi64(value, v128::load(count));
        /// The even 32-bit lanes of `even` and the odd ones of `odd`.
        weave32(even: V, odd: V) -> V = _mm256_blend_epi32::<0xAA>(even, odd);
        /// The same of what is kept of each: bits of `low` and of `high`, in the lanes that are.
        join32(even: V, odd: V, low: V, high: V) -> V =
            _mm256_and_si256(_mm256_blend_epi32::<0xAA>(even, odd), _mm256_or_si256(low, high));
        /// Shifts 16-bit lanes right, keeping the sign.
        right16<const COUNT>(value: V) -> V = _mm256_srai_epi16::<COUNT>(value);
        /// Fours of 32-bit lanes in the order in which two vectors of 16-bit lanes are unpacked.
        quads(pair: [V; 2]) -> [V; 2] = [
            _mm256_permute2x128_si256::<0x20>(pair[0], pair[1]),
            _mm256_permute2x128_si256::<0x31>(pair[0], pair[1]),
        ];
        /// Eight 16-bit integers in every 128 bits.
        every128(from: &[i16; 8]) -> V = _mm256_broadcastsi128_si256(v128::load(from));
        /// The odd 32-bit lanes, each a place early; what is in the odd places is left open.
        odds(value: V) -> V = _mm256_srli_epi64::<32>(value);
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
        /// Which 16-bit lanes are the highest or the lowest number.
        extreme16(value: V) -> V = _mm256_cmpgt_epi16(
            _mm256_set1_epi16(-32_766),
            _mm256_add_epi16(value, _mm256_set1_epi16(1)),
        );
        /// What each even octet is more than the odd one after it.
        couples8(value: V) -> V = _mm256_maddubs_epi16(value, _mm256_set1_epi16(-0xFF));
        /// The even 32-bit lanes of two vectors; which of them come first is left open.
        even32(a: V, b: V) -> V = _mm256_castps_si256(
            _mm256_shuffle_ps::<0b10_00_10_00>(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)));
        /// The odd ones.
        odd32(a: V, b: V) -> V = _mm256_castps_si256(
            _mm256_shuffle_ps::<0b11_01_11_01>(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)));
        /// The low halves of what two of those gave, in order; they fit in there.
        pack_even(pair: [V; 2]) -> V = _mm256_permutevar8x32_epi32(
            _mm256_packs_epi32(pair[0], pair[1]),
            _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7),
        );
        /// The first frames of four streams, in order, and their second ones.
        turn64(of: [&[[i32; 2]; 2]; 4]) -> [V; 2] = {
            let [a, b, c, d] = of.map(|frames| v128::load(frames));
            let (a, b) = (_mm256_set_m128i(c, a), _mm256_set_m128i(d, b));
            [_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)]
        };
        /// Shifts 16-bit lanes right, filling with zeros.
        down16<const COUNT>(value: V) -> V = _mm256_srli_epi16::<COUNT>(value);
        /// A pair of 16-bit integers in every 32-bit lane.
        spread(pair: &[i16; 2]) -> V =
            _mm256_set1_epi32(i32::from(pair[0] as u16) | i32::from(pair[1]) << 16);
        /// Swaps each two 32-bit lanes.
        swap32(value: V) -> V = _mm256_shuffle_epi32::<0b10_11_00_01>(value);
        /// The sums of all 64-bit lanes of each of four vectors.
        across64(of: [V; 4]) -> V = {
            let (a, b) = (twos64(of[0], of[1]), twos64(of[2], of[3]));
            add64(
                _mm256_permute2x128_si256::<0x20>(a, b),
                _mm256_permute2x128_si256::<0x31>(a, b),
            )
        };
        /// The sums of each two 64-bit lanes of two vectors, in turns, within 128 bits.
        twos64(a: V, b: V) -> V =
            add64(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
        /// Four sums of each of two vectors, the first one's first.
        fours32(pair: [V; 2]) -> [V; 1] = [add32(
            _mm256_permute2x128_si256::<0x20>(pair[0], pair[1]),
            _mm256_permute2x128_si256::<0x31>(pair[0], pair[1]),
        )];
        /// One vector of two halves.
        joined(pair: [__m128i; 2]) -> [V; 1] = [_mm256_set_m128i(pair[1], pair[0])];
        /// A vector's halves.
        halves(pair: [V; 1]) -> [__m128i; 2] =
            [_mm256_castsi256_si128(pair[0]), _mm256_extracti128_si256::<1>(pair[0])];
    }
}

/// 256-bit vectors where the processor multiplies and adds up in one step (AVX-VNNI).
pub mod vnni {
    pub use crate::simd::v256::*;
    use core::arch::x86_64::_mm256_dpwssd_avx_epi32;

    operations! { "avx2,avxvnni",
        /// Adds products of 16-bit lanes, two to a sum.
        add_madd16(sum: V, a: V, b: V) -> V = _mm256_dpwssd_avx_epi32(sum, a, b);
        /// The same.
        onto_madd16(sum: V, a: V, b: V) -> V = _mm256_dpwssd_avx_epi32(sum, a, b);
    }
}
