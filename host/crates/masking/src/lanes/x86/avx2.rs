//! Eight lanes in AVX2 vectors.

// Every index below counts lanes or words of a state.
#![allow(clippy::indexing_slicing)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_set1_epi32, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_xor_si256,
};

type V = __m256i;

wide!("avx2", 8);

#[inline]
#[target_feature(enable = "avx2")]
fn load(words: &[u32; 8]) -> V {
    // SAFETY: 32 bytes are readable there, and the instruction takes any alignment.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_loadu_si256(words.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(vector: V) -> [u32; 8] {
    let mut words = [0_u32; 8];
    // SAFETY: 32 bytes are writable there, and the instruction takes any alignment.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_storeu_si256(words.as_mut_ptr().cast(), vector);
    }
    words
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u32) -> V {
    _mm256_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: V, b: V) -> V {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: V, b: V) -> V {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn choice(x: V, y: V, z: V) -> V {
    xor(z, _mm256_and_si256(x, xor(y, z)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority(x: V, y: V, z: V) -> V {
    _mm256_or_si256(
        _mm256_and_si256(x, y),
        _mm256_and_si256(z, _mm256_or_si256(x, y)),
    )
}

/// Rotated to the right by `R`; `L` is the rest of 32, which a constant cannot compute itself.
#[inline]
#[target_feature(enable = "avx2")]
fn rotated<const R: i32, const L: i32>(x: V) -> V {
    const { assert!(R + L == 32) };
    _mm256_or_si256(_mm256_srli_epi32::<R>(x), _mm256_slli_epi32::<L>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma_0(x: V) -> V {
    xor(
        rotated::<2, 30>(x),
        xor(rotated::<13, 19>(x), rotated::<22, 10>(x)),
    )
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma_1(x: V) -> V {
    xor(
        rotated::<6, 26>(x),
        xor(rotated::<11, 21>(x), rotated::<25, 7>(x)),
    )
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma_0(x: V) -> V {
    xor(
        rotated::<7, 25>(x),
        xor(rotated::<18, 14>(x), _mm256_srli_epi32::<3>(x)),
    )
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma_1(x: V) -> V {
    xor(
        rotated::<17, 15>(x),
        xor(rotated::<19, 13>(x), _mm256_srli_epi32::<10>(x)),
    )
}
