//! The numbers that states give to persons, without those that a state never issues, where its rules
//! say so.

use glovebox_sdk::calendar::Civil;

use crate::digits::{base_36, digits, mod_11_10, number, verhoeff, weighted};

/// A social security number of the United States, which has rules and no check digit.
pub(crate) fn us_ssn(text: &[u8]) -> bool {
    /// Printed in advertisements, and void since.
    const VOID: [u64; 3] = [78_051_120, 219_099_999, 457_555_462];
    let Some(whole) = number(text).filter(|_| text.len() == 9) else {
        return false;
    };
    let (area, group, serial) = (whole / 1_000_000, whole / 10_000 % 100, whole % 10_000);
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0 && !VOID.contains(&whole)
}

/// A taxpayer's number of the United States, which has rules and no check digit.
pub(crate) fn us_itin(text: &[u8]) -> bool {
    let whole = number(text).filter(|_| text.len() == 9);
    whole.is_some_and(|whole| {
        whole >= 900_000_000
            && matches!(whole / 10_000 % 100, 50..=65 | 70..=88 | 90..=92 | 94..=99)
    })
}

/// A national insurance number of the United Kingdom, which has a form and no check digit.
pub(crate) fn nino(text: &[u8]) -> bool {
    let [first, second, six @ .., b'A'..=b'D'] = text else {
        return false;
    };
    let letter = |c: &u8| c.is_ascii_uppercase() && !b"DFIQUV".contains(c);
    let never = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    letter(first)
        && letter(second)
        && *second != b'O'
        && !never.contains(&&[*first, *second])
        && six.len() == 6
        && digits(six).is_some()
}

/// An NHS number: weights 10 to 2, modulo 11.
pub(crate) fn nhs(text: &[u8]) -> bool {
    weighted(text, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_some_and(|sum| sum.is_multiple_of(11))
}

/// An Aadhaar number: Verhoeff's check digit, no 0 or 1 at the start, and no palindrome.
pub(crate) fn aadhaar(text: &[u8]) -> bool {
    text.len() == 12
        && text.first().is_some_and(|first| *first > b'1')
        && !text.iter().eq(text.iter().rev())
        && verhoeff(text)
}

/// A German tax identification number: of the first ten digits one occurs twice or three times and
/// the others once.
pub(crate) fn steuer_id(text: &[u8]) -> bool {
    let Some(ten) = text.get(..10).filter(|_| text.len() == 11) else {
        return false;
    };
    let count = |digit: u8| ten.iter().filter(|other| **other == digit).count();
    let mut repeated = (b'0'..=b'9').map(count).filter(|times| *times > 1);
    !ten.starts_with(b"0")
        && matches!(repeated.next(), Some(2 | 3))
        && repeated.next().is_none()
        && mod_11_10(text)
}

/// The number of a German identity card: a letter that is no vowel, eight more
/// of these or digits, and a check digit of weights 7, 3 and 1, in which letters stand for 10 to 35.
pub(crate) fn personalausweis(text: &[u8]) -> bool {
    let [nine @ .., check] = text else {
        return false;
    };
    let sign = |c: &u8| c.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(c);
    let right = nine.len() == 9
        && check.is_ascii_digit()
        && nine.first().is_some_and(u8::is_ascii_uppercase)
        && nine.iter().all(sign);
    let values = nine.iter().filter_map(|c| base_36(*c));
    let sum: u32 = values
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(value, weight)| value * weight)
        .sum();
    right && u32::from(check.wrapping_sub(b'0')) == sum % 10
}

/// A French NIR with its key: 97 less the rest modulo 97, Corsica's departments being 19 and 18.
pub(crate) fn nir(text: &[u8]) -> bool {
    let (Some(start), Some(department), Some(end), Some(key)) = (
        text.get(..5).and_then(number),
        text.get(5..7),
        text.get(7..13).and_then(number),
        text.get(13..).and_then(number),
    ) else {
        return false;
    };
    let department = match department {
        b"2A" => Some(19),
        b"2B" => Some(18),
        department => number(department),
    };
    text.len() == 15
        && department.is_some_and(|department| {
            let whole = start * 100_000_000 + department * 1_000_000 + end;
            key == 97 - whole % 97
        })
}

/// A Spanish DNI: a letter for the number modulo 23.
pub(crate) fn dni(text: &[u8]) -> bool {
    matches!(text, [eight @ .., letter] if eight.len() == 8
        && number(eight).is_some_and(|number| spanish(number) == Some(*letter)))
}

/// A Spanish NIE: as a DNI, `X`, `Y` and `Z` standing for 0, 1 and 2.
pub(crate) fn nie(text: &[u8]) -> bool {
    matches!(text, [first @ b'X'..=b'Z', seven @ .., letter] if seven.len() == 7
    && number(seven).is_some_and(|number| {
        spanish(u64::from(first - b'X') * 10_000_000 + number) == Some(*letter)
    }))
}

fn spanish(number: u64) -> Option<u8> {
    let letters = b"TRWAGMYFPDXBNJZSQVHLCKE".iter();
    letters.copied().nth((number % 23) as usize)
}

/// A Polish PESEL: weights 1, 3, 7, 9, and a day of birth, whose month says the century.
pub(crate) fn pesel(text: &[u8]) -> bool {
    let part = |from: usize| text.get(from..from + 2).and_then(number);
    let (Some(year), Some(month), Some(day)) = (part(0), part(2), part(4)) else {
        return false;
    };
    let century = match month / 20 {
        4 => 1800,
        later => 1900 + later * 100,
    };
    let born = Civil {
        year: (century + year) as i64,
        month: (month % 20) as u8,
        day: day as u8,
    };
    let exists = (1..=12).contains(&born.month)
        && born.day > 0
        && born
            .days()
            .is_some_and(|days| Civil::from_days(days) == born);
    let sum = weighted(text, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    exists && sum.is_some_and(|sum| sum.is_multiple_of(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_authorities_print_as_examples() {
        // Aadhaar: UIDAI. Steuer-ID: Bundeszentralamt für Steuern. NIR: INSEE, and one of Corsica.
        assert!(aadhaar(b"234123412346") && !aadhaar(b"234123412347"));
        assert!(!aadhaar(b"222222222222") && !aadhaar(b"123412341234"));
        assert!(steuer_id(b"36574261809") && !steuer_id(b"36574261890"));
        assert!(!steuer_id(b"36554266806"), "two digits are repeated");
        assert!(nir(b"295109912611193") && nir(b"253072B07300470") && nir(b"253072A07300443"));
        assert!(!nir(b"295109912611199") && !nir(b"253072C07300443"));
        // NHS: the data dictionary's. DNI and NIE: Ministerio del Interior.
        assert!(nhs(b"9434765919") && nhs(b"4010232137") && !nhs(b"9434765918"));
        assert!(dni(b"12345678Z") && !dni(b"12345678A") && !dni(b"1234567L"));
        assert!(nie(b"X1234567L") && !nie(b"X1234567Z") && !nie(b"A1234567L"));
        // PESEL: the Ministry of Digital Affairs', and days that are in no calendar.
        assert!(pesel(b"44051401359") && pesel(b"02070803628") && !pesel(b"44051401358"));
        assert!(!pesel(b"02381307589") && !pesel(b"23022912347"));
    }

    #[test]
    fn numbers_without_check_digits_follow_the_rules_of_their_issuer() {
        // The Social Security Administration's rules since 2011; the IRS's ranges.
        assert!(us_ssn(b"536904399") && us_ssn(b"001010001"));
        for wrong in [
            "000121234",
            "666121234",
            "900121234",
            "123001234",
            "123450000",
            "078051120",
            "219099999",
            "12345678",
            "1234567890",
        ] {
            assert!(!us_ssn(wrong.as_bytes()), "{wrong}");
        }
        assert!(us_itin(b"912903456") && us_itin(b"999501234"));
        assert!(!us_itin(b"912933456") && !us_itin(b"912893456") && !us_itin(b"812903456"));
        // HMRC's example is QQ 12 34 56 A, which it never issues.
        assert!(nino(b"AB123456C") && !nino(b"QQ123456A") && !nino(b"GB123456A"));
        assert!(!nino(b"AO123456C") && !nino(b"AB123456E") && !nino(b"AB12345C"));
    }

    #[test]
    fn identity_cards_of_the_specimens() {
        // The specimens of the Bundesministerium des Innern, of 2010 and of 2021.
        assert!(personalausweis(b"T220001293") && personalausweis(b"L01X00T471"));
        assert!(!personalausweis(b"T220001294") && !personalausweis(b"A220001293"));
        assert!(!personalausweis(b"T22000129"));
    }
}
