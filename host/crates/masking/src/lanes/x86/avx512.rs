//! Sixteen lanes in AVX-512 vectors. The operations for this width: a rotation is one instruction
//! here, and so is any function of three words.

// Every index below counts lanes or words of a state.
#![allow(clippy::indexing_slicing)]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32,
    _mm512_srli_epi32, _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_xor_si512,
};

type V = __m512i;

wide!("avx512f", 16);

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u32; 16]) -> V {
    // SAFETY: 64 bytes are readable there, and the instruction takes any alignment.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_loadu_si512(words.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(vector: V) -> [u32; 16] {
    let mut words = [0_u32; 16];
    // SAFETY: 64 bytes are writable there, and the instruction takes any alignment.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_storeu_si512(words.as_mut_ptr().cast(), vector);
    }
    words
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> V {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: V, b: V) -> V {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: V, b: V) -> V {
    _mm512_xor_si512(a, b)
}

// The numbers of the functions of three words are their truth tables: bit 4x + 2y + z is the
// result for bits x, y and z.

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(x: V, y: V, z: V) -> V {
    _mm512_ternarylogic_epi32::<0b1001_0110>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn choice(x: V, y: V, z: V) -> V {
    _mm512_ternarylogic_epi32::<0b1100_1010>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn majority(x: V, y: V, z: V) -> V {
    _mm512_ternarylogic_epi32::<0b1110_1000>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma_0(x: V) -> V {
    xor3(
        _mm512_ror_epi32::<2>(x),
        _mm512_ror_epi32::<13>(x),
        _mm512_ror_epi32::<22>(x),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma_1(x: V) -> V {
    xor3(
        _mm512_ror_epi32::<6>(x),
        _mm512_ror_epi32::<11>(x),
        _mm512_ror_epi32::<25>(x),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma_0(x: V) -> V {
    xor3(
        _mm512_ror_epi32::<7>(x),
        _mm512_ror_epi32::<18>(x),
        _mm512_srli_epi32::<3>(x),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma_1(x: V) -> V {
    xor3(
        _mm512_ror_epi32::<17>(x),
        _mm512_ror_epi32::<19>(x),
        _mm512_srli_epi32::<10>(x),
    )
}
