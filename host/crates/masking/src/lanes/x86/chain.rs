//! The state of one value in PBKDF2's loop: two constant hash states, one that changes, one sum.

use hmac::{Hmac, KeyInit, Mac};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Mask;

/// SHA-256's initial state, FIPS 180-4 §5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// SHA-256's round constants, FIPS 180-4 §4.2.2.
#[rustfmt::skip]
pub(super) const ROUND: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// In the loop every message is a hash behind one block: 32 bytes, the end mark, zeros, and the
/// 96 bytes of both counted in bits.
pub(super) const END_MARK: u32 = 0x8000_0000;
pub(super) const BITS: u32 = 96 * 8;

/// A value between the first iteration and the last.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub(super) struct Chain {
    /// The state after the value, padded for HMAC's inner hash.
    pub(super) inner: [u32; 8],
    /// The state after the value, padded for HMAC's outer hash.
    pub(super) outer: [u32; 8],
    /// The latest iteration's code.
    pub(super) last: [u32; 8],
    /// All iterations' codes, added by exclusive or.
    pub(super) sum: [u32; 8],
}

impl Chain {
    /// The first iteration done.
    pub(super) fn begin(value: &[u8], salt: &[u8]) -> Self {
        let mut padded = Zeroizing::new([0; 64]);
        if value.len() <= padded.len() {
            fill(padded.as_mut_slice(), value);
        } else {
            let mut digest = Zeroizing::new([0; 32]);
            digest.copy_from_slice(&Sha256::digest(value));
            fill(padded.as_mut_slice(), digest.as_slice());
        }
        let [inner, outer] = [0x36, 0x5c].map(|pad| {
            let mut block = Zeroizing::new(*padded);
            block.iter_mut().for_each(|byte| *byte ^= pad);
            let mut state = INITIAL;
            compress256(&mut state, std::slice::from_ref(&*block));
            state
        });
        let last = first(value, salt);
        Chain {
            inner,
            outer,
            last,
            sum: last,
        }
    }

    /// The mask, after the last iteration.
    pub(super) fn end(&self) -> Mask {
        let mut mask = Mask::default();
        for (bytes, word) in mask.as_chunks_mut::<4>().0.iter_mut().zip(self.sum) {
            *bytes = word.to_be_bytes();
        }
        mask
    }
}

fn fill(block: &mut [u8], with: &[u8]) {
    for (to, from) in block.iter_mut().zip(with) {
        *to = *from;
    }
}

/// The first iteration's code: that of the salt and the number of the block, which is one.
fn first(value: &[u8], salt: &[u8]) -> [u32; 8] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(value) else {
        unreachable!("HMAC-SHA-256 takes keys of any length")
    };
    mac.update(salt);
    mac.update(&1_u32.to_be_bytes());
    let code: Zeroizing<Mask> = Zeroizing::new(mac.finalize().into_bytes().into());
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(code.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}
