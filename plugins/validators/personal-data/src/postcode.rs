//! Postcodes: those whose form little else has, and plain digits.

use crate::cell::Cell;

/// The form of a text: `9` for a digit, `A` for a letter, and other characters as they are.
fn form(text: &str) -> Option<String> {
    let sign = |c: char| match c {
        '0'..='9' => Some('9'),
        'A'..='Z' => Some('A'),
        ' ' | '-' => Some(c),
        _ => None,
    };
    let form = |text: &str| text.chars().map(sign).collect();
    (text.len() <= 10).then(|| form(text)).flatten()
}

/// Of the United Kingdom, Canada, the Netherlands, Poland, Portugal, Brazil, Sweden and Czechia, and
/// the long ones of the United States.
pub(crate) fn postcode(cell: &Cell<'_>) -> bool {
    let Some(form) = form(cell.text) else {
        return false;
    };
    matches!(
        form.as_str(),
        "A9 9AA"
            | "A99 9AA"
            | "AA9 9AA"
            | "AA99 9AA"
            | "A9A 9AA"
            | "AA9A 9AA"
            | "A9A 9A9"
            | "9999 AA"
            | "9999AA"
            | "99-999"
            | "9999-999"
            | "99999-999"
            | "999 99"
            | "99999-9999"
    )
}

/// Four to six digits, or the short form of a code of eight.
pub(crate) fn postcode_digits(cell: &Cell<'_>) -> bool {
    let digits = cell.text.bytes().all(|b| b.is_ascii_digit());
    digits && matches!(cell.text.len(), 4..=6 | 8)
}
