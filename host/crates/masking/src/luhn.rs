//! Luhn's formula (ISO/IEC 7812-1): the check digit of payment cards and devices.

/// The sum, modulo 10, of digits from the last one on, of which every second is doubled. It is 0 where the
/// check digit is right.
pub(crate) fn sum(from_the_last: impl Iterator<Item = u16>) -> u16 {
    let doubled = |digit: u16| digit * 2 - if digit > 4 { 9 } else { 0 };
    let digits = from_the_last.enumerate();
    digits.fold(0, |sum, (place, digit)| {
        let digit = if place % 2 == 1 {
            doubled(digit)
        } else {
            digit
        };
        (sum + digit) % 10
    })
}

/// The check digit that is to follow these digits, from the last one on.
pub(crate) fn check_digit(from_the_last: impl Iterator<Item = u16>) -> u16 {
    (10 - sum(std::iter::once(0).chain(from_the_last))) % 10
}
