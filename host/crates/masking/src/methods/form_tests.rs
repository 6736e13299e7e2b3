use proptest::prelude::*;

use super::*;

const DIGITS: &str = "0123456789";
const CAPITALS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn form(alphabet: &str, first: usize, last: usize, luhn: bool) -> FormCipher {
    let form = Form::new(Alphabet::new(alphabet).unwrap(), first, last, luhn).unwrap();
    FormCipher::new(&[5; 32], form).unwrap()
}

fn there(cipher: &FormCipher, text: &str) -> Result<String, Refusal> {
    let mut buffer = FormBuffer::default();
    cipher.encrypt(b"t", text, &mut buffer).map(str::to_owned)
}

fn back(cipher: &FormCipher, text: &str) -> Result<String, Refusal> {
    let mut buffer = FormBuffer::default();
    cipher.decrypt(b"t", text, &mut buffer).map(str::to_owned)
}

#[test]
fn other_signs_stay_in_place_and_do_not_change_the_digits() {
    let cipher = form(DIGITS, 0, 0, false);
    let masked = there(&cipher, "123-45-6789").unwrap();
    let dashes: Vec<_> = masked.match_indices('-').map(|(at, _)| at).collect();
    assert_eq!((dashes, masked.len()), (vec![3, 6], 11));
    assert_eq!(
        there(&cipher, "123456789").unwrap(),
        masked.replace('-', "")
    );
    assert_eq!(back(&cipher, &masked).unwrap(), "123-45-6789");
}

#[test]
fn without_kept_signs_it_is_plain_ff1() {
    let cipher = form(DIGITS, 0, 0, false);
    let mut digits = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    Ff1::new(&[5; 32], 10)
        .unwrap()
        .encrypt(b"t", &mut digits)
        .unwrap();
    let plain: String = digits.iter().map(|d| d.to_string()).collect();
    assert_eq!(there(&cipher, "123456789").unwrap(), plain);
}

#[test]
fn kept_signs_stay_and_tell_the_others_apart() {
    let cipher = form(CAPITALS, 2, 3, false);
    let masked = there(&cipher, "DE-1234 5678-XYZ").unwrap();
    assert!(
        masked.starts_with("DE-") && masked.ends_with("-XYZ"),
        "{masked}"
    );
    assert_eq!(back(&cipher, &masked).unwrap(), "DE-1234 5678-XYZ");
    let middle = |text: &str| there(&cipher, text).unwrap()[3..12].to_owned();
    assert_ne!(middle("DE-1234 5678-XYZ"), middle("FR-1234 5678-XYZ"));
    assert_ne!(middle("DE-1234 5678-XYZ"), middle("DE-1234 5678-XYA"));
}

#[test]
fn a_card_number_has_a_right_check_digit_and_comes_back() {
    for (first, last) in [(0, 0), (6, 0), (0, 4), (4, 4), (0, 1)] {
        let cipher = form(DIGITS, first, last, true);
        for card in ["4111 1111 1111 1111", "5555-5555-5555-4444"] {
            let masked = there(&cipher, card).unwrap();
            assert_ne!(masked, card);
            let digits = |text: &str| -> Vec<u16> {
                text.chars()
                    .filter_map(|c| c.to_digit(10))
                    .map(|d| d as u16)
                    .collect()
            };
            let (before, after) = (digits(card), digits(&masked));
            assert!(luhn_holds(&after));
            assert_eq!(before[..first], after[..first]);
            assert_eq!(before[16 - last..], after[16 - last..]);
            assert_eq!(back(&cipher, &masked).unwrap(), card);
        }
    }
}

/// Each mask leads back to its number alone, so that no two numbers share one.
#[test]
fn walking_to_a_right_check_digit_is_undone() {
    let cipher = form(DIGITS, 0, 1, true);
    let mut buffer = FormBuffer::default();
    let mut right = 0;
    for number in (0..10_000_000_u32).step_by(271) {
        let text = format!("{number:07}0");
        let masked = match cipher.encrypt(b"t", &text, &mut buffer) {
            Ok(masked) => masked.to_owned(),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::CheckDigit);
                continue;
            }
        };
        assert!(masked.ends_with('0'));
        assert_eq!(back(&cipher, &masked), Ok(text));
        right += 1;
    }
    assert!(
        (3_000..4_400).contains(&right),
        "{right} of 36,901 have a right check digit"
    );
}

#[test]
fn what_cannot_be_given_back_or_would_stay_readable_is_refused() {
    let plain = form(DIGITS, 0, 0, false);
    let card = form(DIGITS, 6, 4, true);
    let cases = [
        (&plain, "", Refusal::Domain),
        (&plain, "12345", Refusal::Domain),
        (&plain, "---", Refusal::Domain),
        (&plain, "Jane Doe 123456789", Refusal::Alphabet),
        (&plain, "12345678９", Refusal::Alphabet),
        (&plain, "123456789é", Refusal::Alphabet),
        // Six digits are left, of which the check digit leaves a tenth.
        (&card, "4111111111111111", Refusal::Domain),
        (
            &form(DIGITS, 4, 4, true),
            "4111111111111112",
            Refusal::CheckDigit,
        ),
        (
            &form(DIGITS, 6, 0, true),
            "4111111111111112",
            Refusal::CheckDigit,
        ),
        (
            &form(DIGITS, 90, 0, false),
            "4111111111111112",
            Refusal::Domain,
        ),
        (
            &form(DIGITS, usize::MAX, 1, false),
            "4111111111111112",
            Refusal::Domain,
        ),
    ];
    for (cipher, text, refusal) in cases {
        assert_eq!(there(cipher, text), Err(refusal), "{text}");
        assert_eq!(back(cipher, text), Err(refusal), "{text}");
    }
}

#[test]
fn takes_tells_beforehand_what_is_refused() {
    for (first, last, luhn) in [(0, 0, false), (2, 1, false), (3, 0, true), (0, 2, true)] {
        let cipher = form(DIGITS, first, last, luhn);
        for length in 0..20 {
            let refused = there(&cipher, &"0".repeat(length)) == Err(Refusal::Domain);
            assert_eq!(cipher.form.takes(length), !refused, "{length} digits");
        }
    }
}

#[test]
fn alphabets_are_checked() {
    let twice = Alphabet::new("äbcä").err();
    assert_eq!(twice, Some(ParameterError::AlphabetTwice));
    assert_eq!(
        Alphabet::new("aba").err(),
        Some(ParameterError::AlphabetTwice)
    );
    for few in ["", "a"] {
        assert_eq!(
            Alphabet::new(few).err(),
            Some(ParameterError::AlphabetLength)
        );
    }
    let all: String = ('\u{100}'..).take(65_537).collect();
    assert_eq!(
        Alphabet::new(&all).err(),
        Some(ParameterError::AlphabetLength)
    );
    let letters = Alphabet::new(CAPITALS).unwrap();
    let luhn = Form::new(letters, 0, 0, true).err();
    assert_eq!(luhn, Some(ParameterError::LuhnAlphabet));
}

#[test]
fn any_text_of_any_alphabet_keeps_its_form_and_comes_back() {
    let cipher = form("ぁあぃいぅうぇえぉおäöüßabcdefghij0123456789", 1, 2, false);
    proptest!(|(text in "[あ-おäöüßa-j0-9 .,/+-]{0,90}")| {
        let Ok(masked) = there(&cipher, &text) else {
            let signs = text.chars().filter(|c| cipher.form.alphabet.numeral(*c).is_some());
            prop_assert!(signs.count() < 3 + 4);
            return Ok(());
        };
        for (before, after) in text.chars().zip(masked.chars()) {
            let numeral = |sign| cipher.form.alphabet.numeral(sign).is_some();
            prop_assert!(numeral(before) == numeral(after));
            prop_assert!(numeral(before) || before == after);
        }
        prop_assert_eq!(back(&cipher, &masked), Ok(text));
    });
}

#[test]
fn a_cell_may_be_long_and_not_longer() {
    let form = Form::new(Alphabet::new("0123456789").unwrap(), 0, 0, false).unwrap();
    let cipher = FormCipher::new(&[7; 32], form).unwrap();
    let (mut there, mut back) = (FormBuffer::default(), FormBuffer::default());
    let longest = "7".repeat(MAX_SIGNS);
    let masked = cipher.encrypt(b"t", &longest, &mut there).unwrap();
    assert_eq!(cipher.decrypt(b"t", masked, &mut back), Ok(&*longest));
    let longer = format!("{longest}7");
    assert_eq!(
        cipher.encrypt(b"t", &longer, &mut there).err(),
        Some(Refusal::Length)
    );
}
