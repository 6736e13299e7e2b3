//! PBKDF2's loop with the processor's SHA-256 instructions, several values interleaved.
//!
//! One value leaves the unit idle most of the time, since each instruction waits for the one
//! before; a second value's fill the gaps.

// Every index below counts lanes or is a constant within an array of known length.
#![allow(clippy::indexing_slicing)]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_extract_epi32, _mm_set_epi32,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32,
    _mm_xor_si128,
};

use super::chain::{BITS, Chain, END_MARK, ROUND};

/// A state as the instructions want it: words a, b, e, f and words c, d, g, h.
type State = [__m128i; 2];

/// Iterations after the first.
#[target_feature(enable = "sha,sse4.1,ssse3")]
pub(super) fn run<const N: usize>(chains: &mut [Chain; N], iterations: u32) {
    let zero = [load(&[0; 8]); N];
    let (mut inner, mut outer, mut last, mut sum) = (zero, zero, zero, zero);
    for (l, chain) in chains.iter().enumerate() {
        inner[l] = load(&chain.inner);
        outer[l] = load(&chain.outer);
        last[l] = load(&chain.last);
        sum[l] = load(&chain.sum);
    }
    for _ in 0..iterations {
        last = compress(&outer, &compress(&inner, &last));
        for l in 0..N {
            sum[l][0] = _mm_xor_si128(sum[l][0], last[l][0]);
            sum[l][1] = _mm_xor_si128(sum[l][1], last[l][1]);
        }
    }
    for (l, chain) in chains.iter_mut().enumerate() {
        chain.last = store(last[l]);
        chain.sum = store(sum[l]);
    }
}

/// Two rounds and two more, of every lane.
macro_rules! rounds {
    ($n:literal, $state:ident, $words:expr) => {
        for l in 0..N {
            let [abef, cdgh] = $state[l];
            let constants = _mm_set_epi32(
                ROUND[4 * $n + 3].cast_signed(),
                ROUND[4 * $n + 2].cast_signed(),
                ROUND[4 * $n + 1].cast_signed(),
                ROUND[4 * $n].cast_signed(),
            );
            let words = _mm_add_epi32($words[l], constants);
            let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
            let abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0e));
            $state[l] = [abef, cdgh];
        }
    };
}

/// The next four words of every lane's message, in place of the oldest.
macro_rules! schedule {
    ($w0:ident, $w1:ident, $w2:ident, $w3:ident) => {
        for l in 0..N {
            let sum = _mm_add_epi32(
                _mm_sha256msg1_epu32($w0[l], $w1[l]),
                _mm_alignr_epi8($w3[l], $w2[l], 4),
            );
            $w0[l] = _mm_sha256msg2_epu32(sum, $w3[l]);
        }
    };
}

/// The states that follow when each lane's message is the other state with its padding.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress<const N: usize>(from: &[State; N], message: &[State; N]) -> [State; N] {
    let mut w0 = [_mm_set_epi32(0, 0, 0, 0); N];
    let mut w1 = w0;
    let mut w2 = [_mm_set_epi32(0, 0, 0, END_MARK.cast_signed()); N];
    let mut w3 = [_mm_set_epi32(BITS.cast_signed(), 0, 0, 0); N];
    for l in 0..N {
        [w0[l], w1[l]] = in_order(message[l]);
    }
    let mut state = *from;
    rounds!(0, state, w0);
    rounds!(1, state, w1);
    rounds!(2, state, w2);
    rounds!(3, state, w3);
    schedule!(w0, w1, w2, w3);
    rounds!(4, state, w0);
    schedule!(w1, w2, w3, w0);
    rounds!(5, state, w1);
    schedule!(w2, w3, w0, w1);
    rounds!(6, state, w2);
    schedule!(w3, w0, w1, w2);
    rounds!(7, state, w3);
    schedule!(w0, w1, w2, w3);
    rounds!(8, state, w0);
    schedule!(w1, w2, w3, w0);
    rounds!(9, state, w1);
    schedule!(w2, w3, w0, w1);
    rounds!(10, state, w2);
    schedule!(w3, w0, w1, w2);
    rounds!(11, state, w3);
    schedule!(w0, w1, w2, w3);
    rounds!(12, state, w0);
    schedule!(w1, w2, w3, w0);
    rounds!(13, state, w1);
    schedule!(w2, w3, w0, w1);
    rounds!(14, state, w2);
    schedule!(w3, w0, w1, w2);
    rounds!(15, state, w3);
    for l in 0..N {
        state[l][0] = _mm_add_epi32(state[l][0], from[l][0]);
        state[l][1] = _mm_add_epi32(state[l][1], from[l][1]);
    }
    state
}

/// Words a to d and e to h, the first one lowest.
#[inline]
#[target_feature(enable = "sse4.1,ssse3")]
fn in_order([abef, cdgh]: State) -> [__m128i; 2] {
    let feba = _mm_shuffle_epi32(abef, 0x1b);
    let dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    [
        _mm_blend_epi16(feba, dchg, 0xf0),
        _mm_alignr_epi8(dchg, feba, 8),
    ]
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn load(words: &[u32; 8]) -> State {
    let [a, b, c, d, e, f, g, h] = words.map(u32::cast_signed);
    [_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h)]
}

#[inline]
#[target_feature(enable = "sse4.1,ssse3")]
fn store(state: State) -> [u32; 8] {
    let [abcd, efgh] = in_order(state);
    [
        _mm_extract_epi32(abcd, 0),
        _mm_extract_epi32(abcd, 1),
        _mm_extract_epi32(abcd, 2),
        _mm_extract_epi32(abcd, 3),
        _mm_extract_epi32(efgh, 0),
        _mm_extract_epi32(efgh, 1),
        _mm_extract_epi32(efgh, 2),
        _mm_extract_epi32(efgh, 3),
    ]
    .map(i32::cast_unsigned)
}
