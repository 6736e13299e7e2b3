//! Free text in which something personal stands beside other words.

use crate::cell::{Cell, compact};
use crate::contact::{email, is_email, is_phone, phone};
use crate::{name, number};

/// Whether the cell holds an e-mail address, a phone number, an account, a card, a social security
/// number or a name with a title or of two known parts, and is not one itself.
pub(crate) fn free_text(cell: &Cell<'_>) -> bool {
    let words: Vec<&str> = cell.text.split_whitespace().collect();
    let whole = [
        email,
        phone,
        number::iban,
        number::card,
        number::us_ssn,
        name::person,
    ];
    if words.len() < 2 && !cell.text.contains(['<', '"', ';', ':']) {
        return false;
    }
    if whole.iter().any(|is| is(cell)) {
        return false;
    }
    has_email(cell.text)
        || words.len() >= 3 && (has_number(cell.text) || has_iban(&words) || name::within(&words))
}

fn has_email(text: &str) -> bool {
    let around = |c: char| !(c.is_alphanumeric() || "._%+-'@".contains(c));
    text.contains('@')
        && text
            .split(around)
            .any(|word| is_email(word.trim_matches(['.', '\'', '-'])))
}

/// A phone or card number or a social security number, among words.
fn has_number(text: &str) -> bool {
    let of_number = |c: char| c.is_ascii_digit() || " -.()+/".contains(c);
    text.split(|c| !of_number(c)).any(|run| {
        let run = run
            .trim_matches([' ', '-', '.', '/'])
            .trim_end_matches(['(', '+'])
            .trim();
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        if digits < 9 {
            return false;
        }
        let international = run.starts_with('+') || run.starts_with('(') || digits >= 10;
        is_phone(run) && international
            || Cell::new(run).is_some_and(|cell| number::card(&cell) || number::us_ssn(&cell))
    })
}

/// An account's number, in one word or in several.
fn has_iban(words: &[&str]) -> bool {
    words.iter().enumerate().any(|(at, word)| {
        let begins = matches!(word.as_bytes(), [a, b, c, d, ..]
            if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit());
        let mut joined = String::new();
        begins && words.iter().skip(at).take(9).any(|part| {
            joined.push_str(part.trim_matches(['.', ',', ';', ')']));
            let number = compact(&joined).filter(|n| n.len() >= 15);
            number.is_some_and(|n| glovebox_numbers::kind_named("iban").is_some_and(|k| (k.check)(&n)))
        })
    })
}
