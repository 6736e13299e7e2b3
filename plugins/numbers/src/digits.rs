//! Check digits that several kinds share, over ASCII digits and, where a formula has them, capital
//! letters.

/// The values of a text that has digits only, and at least one.
pub(crate) fn digits(text: &[u8]) -> Option<impl DoubleEndedIterator<Item = u32> + Clone + '_> {
    let right = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    right.then(|| text.iter().map(|digit| u32::from(digit - b'0')))
}

/// The number that digits stand for; they may be 18 at the most.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let digits = digits(text).filter(|_| text.len() <= 18)?;
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit)))
}

/// The sum of as many digits as there are weights, each times its weight.
pub(crate) fn weighted<const N: usize>(text: &[u8], weights: [u32; N]) -> Option<u32> {
    let digits = digits(text).filter(|_| text.len() == N)?;
    Some(
        digits
            .zip(weights)
            .map(|(digit, weight)| digit * weight)
            .sum(),
    )
}

/// The value of a digit or capital letter in base 36.
pub(crate) fn base_36(character: u8) -> Option<u32> {
    char::from(character)
        .to_digit(36)
        .filter(|_| !character.is_ascii_lowercase())
}

/// Luhn's check digit, which is the last one: ISO/IEC 7812-1, annex B.
pub(crate) fn luhn(text: &[u8]) -> bool {
    text.len() > 1 && digits(text).is_some_and(|digits| luhn_sum(digits.rev()).is_multiple_of(10))
}

/// The sum of digits from the last, of which each second is doubled and its own digits are added.
pub(crate) fn luhn_sum(digits: impl Iterator<Item = u32>) -> u32 {
    let double = |digit: u32| digit * 2 / 10 + digit * 2 % 10;
    let counted = digits.enumerate();
    counted.fold(0, |sum, (place, digit)| {
        (sum + if place % 2 == 0 { digit } else { double(digit) }) % 10
    })
}

/// MOD 97-10, whose two check digits are the last: ISO/IEC 7064. Letters stand for 10 to 35.
pub(crate) fn mod_97(text: &[u8]) -> bool {
    text.len() > 2 && mod_97_of(text.iter().copied()) == Some(1)
}

/// A number modulo 97, in which letters stand for 10 to 35.
pub(crate) fn mod_97_of(mut text: impl Iterator<Item = u8>) -> Option<u32> {
    text.try_fold(0, |rest, character| {
        let value = base_36(character)?;
        let shift = if value > 9 { 100 } else { 10 };
        Some((rest * shift + value) % 97)
    })
}

/// MOD 11,10, whose check digit is the last: ISO/IEC 7064.
pub(crate) fn mod_11_10(text: &[u8]) -> bool {
    let Some(mut digits) = digits(text) else {
        return false;
    };
    let Some(check) = digits.next_back() else {
        return false;
    };
    let product = digits.fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + check) % 10 == 1
}

/// The products of the dihedral group of ten elements; its row `a` and place `b` are `a * b`.
const PRODUCTS: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

/// Verhoeff's permutation, which is applied once more at each place from the last.
const PERMUTATION: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/// Verhoeff's check digit, which is the last one: J. Verhoeff, *Error Detecting Decimal Codes*,
/// Mathematical Centre Tracts 29, 1969.
pub(crate) fn verhoeff(text: &[u8]) -> bool {
    let product = |a: usize, b: usize| {
        let row = PRODUCTS.get(a)?;
        row.get(b).copied().map(usize::from)
    };
    let permuted = |digit: u32, times: usize| {
        (0..times).try_fold(digit as usize, |digit, _| PERMUTATION.get(digit).copied())
    };
    let Some(digits) = digits(text).filter(|_| text.len() > 1) else {
        return false;
    };
    // The permutation's eighth power is the identity.
    let check = (digits.rev().enumerate()).try_fold(0, |check, (place, digit)| {
        product(check, permuted(digit, place % 8)?)
    });
    check == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_are_right_and_their_neighbours_wrong() {
        // ISO/IEC 7812-1, annex B has 992739871 as its example; the digit for 7992739871 is 3.
        assert!(luhn(b"79927398713") && !luhn(b"79927398710") && !luhn(b"0"));
        // ISO/IEC 7064, clause 9: 794 has the check digits 44, 0794 the check digit 5.
        assert!(mod_97(b"79444") && !mod_97(b"79445") && !mod_97(b"01"));
        assert!(mod_11_10(b"07945") && !mod_11_10(b"07954"));
        // Verhoeff's 236 has the check digit 3.
        assert!(verhoeff(b"2363") && !verhoeff(b"2364") && !verhoeff(b"2633"));
    }

    #[test]
    fn what_is_no_number_is_wrong_under_each_formula() {
        for text in ["", "12a4", "1 4", "\u{663}\u{664}"] {
            for formula in [luhn, mod_97, mod_11_10, verhoeff] {
                assert!(!formula(text.as_bytes()), "{text}");
            }
        }
    }
}
