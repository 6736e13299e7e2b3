//! The numbers of goods: articles, books, devices, vehicles.

use crate::digits::{digits, luhn, weighted};

/// A GTIN of 8, 12, 13 or 14 digits (EAN-8, UPC-A, EAN-13, ITF-14): weights 3 and 1 from the last.
pub(crate) fn ean(text: &[u8]) -> bool {
    let digits = digits(text).filter(|_| matches!(text.len(), 8 | 12 | 13 | 14));
    digits.is_some_and(|digits| {
        let weights = [1, 3].into_iter().cycle();
        let sum: u32 = (digits.rev().zip(weights))
            .map(|(digit, weight)| digit * weight)
            .sum();
        sum.is_multiple_of(10)
    })
}

/// An ISBN of 13 digits, or of 10, whose last may be `X`.
pub(crate) fn isbn(text: &[u8]) -> bool {
    match text {
        [b'9', b'7', b'8' | b'9', ..] if text.len() == 13 => ean(text),
        [nine @ .., last] if nine.len() == 9 => {
            let check = match last {
                b'X' => Some(10),
                _ => char::from(*last).to_digit(10),
            };
            let sum = weighted(nine, [10, 9, 8, 7, 6, 5, 4, 3, 2]);
            let sum = sum.zip(check).map(|(sum, check)| sum + check);
            sum.is_some_and(|sum| sum.is_multiple_of(11))
        }
        _ => false,
    }
}

/// An IMEI with its check digit.
pub(crate) fn imei(text: &[u8]) -> bool {
    text.len() == 15 && luhn(text)
}

/// A vehicle's number: no I, O or Q, and a check digit at the ninth place.
pub(crate) fn vin(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    if text.len() != WEIGHTS.len() {
        return false;
    }
    let value = |character: u8| match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'H' => Some(character - b'A' + 1),
        b'J'..=b'N' => Some(character - b'J' + 1),
        b'P' => Some(7),
        b'R' => Some(9),
        b'S'..=b'Z' => Some(character - b'S' + 2),
        _ => None,
    };
    let sum = (text.iter().zip(WEIGHTS)).try_fold(0, |sum, (character, weight)| {
        Some(sum + u32::from(value(*character)?) * weight)
    });
    let check = sum.map(|sum| match sum % 11 {
        10 => 'X',
        rest => char::from_digit(rest, 10).unwrap_or('X'),
    });
    check.is_some() && check == text.get(8).copied().map(char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_their_standards() {
        // GS1 General Specifications; ISBN Users' Manual; TS.06 of the GSMA; 49 CFR 565.15 and
        // the 17 ones that test it.
        for article in [
            "96385074",
            "036000291452",
            "4006381333931",
            "10614141000415",
        ] {
            assert!(ean(article.as_bytes()), "{article}");
        }
        assert!(!ean(b"4006381333932") && !ean(b"0000000000000000"));
        assert!(isbn(b"9780306406157") && isbn(b"0306406152") && isbn(b"080442957X"));
        assert!(!isbn(b"9780306406158") && !isbn(b"X804429570") && !isbn(b"4006381333931"));
        assert!(imei(b"490154203237518") && !imei(b"490154203237519"));
        assert!(vin(b"1M8GDM9AXKP042788") && vin(b"11111111111111111"));
        assert!(!vin(b"1M8GDM9A0KP042788") && !vin(b"1M8GDM9AXKP04278O"));
    }
}
