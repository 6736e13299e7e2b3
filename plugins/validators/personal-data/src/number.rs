//! The numbers that people, accounts, securities and vehicles are given, in the forms in which they
//! are written. The formulas are those of `glovebox-numbers`.

use glovebox_numbers::kind_named;

use crate::cell::Cell;

fn is(kind: &str, number: &[u8]) -> bool {
    kind_named(kind).is_some_and(|kind| (kind.check)(number))
}

/// Whether a cell without its separators is so long and of a kind.
fn of(cell: &Cell<'_>, len: usize, kind: &str) -> bool {
    cell.of_len(len).is_some_and(|number| is(kind, number))
}

/// Luhn's check digit, beginnings and lengths of issuers, and no groups but theirs.
pub(crate) fn card(cell: &Cell<'_>) -> bool {
    let Some(number) = &cell.compact else {
        return false;
    };
    let four = |group: &str| group.len() == 4;
    let groups = |sign| {
        let mut groups: Vec<&str> = cell.text.split(sign).collect();
        let last = groups.pop();
        groups.len() >= 3 && groups.into_iter().all(four) && last.is_some_and(|l| l.len() <= 4)
    };
    let grouped = cell.is_bare_or(&[4, 6, 5]) || cell.is_bare_or(&[4, 6, 4]);
    let prefix = number
        .get(..4)
        .and_then(|four| std::str::from_utf8(four).ok()?.parse().ok());
    let issued = matches!(
        prefix,
        Some(
            2221..=2720
            | 3000..=3059
            | 3095
            | 3400..=3499
            | 3528..=3899
            | 4000..=4999
            | 5018..=5099
            | 5100..=5599
            | 5600..=5899
            | 6011
            | 6200..=6399
            | 6440..=6599
            | 6700..=6799,
        )
    );
    issued && (grouped || groups(' ') || groups('-')) && is("card", number)
}

pub(crate) fn iban(cell: &Cell<'_>) -> bool {
    let number = cell.compact.as_ref().filter(|n| n.len() >= 15);
    number.is_some_and(|number| is("iban", number))
}

pub(crate) fn aba(cell: &Cell<'_>) -> bool {
    cell.is_bare() && of(cell, 9, "aba")
}

pub(crate) fn isin(cell: &Cell<'_>) -> bool {
    cell.is_bare() && of(cell, 12, "isin")
}

pub(crate) fn vin(cell: &Cell<'_>) -> bool {
    let letters = |number: &[u8]| number.iter().any(u8::is_ascii_uppercase);
    cell.is_bare() && cell.of_len(17).is_some_and(letters) && of(cell, 17, "vin")
}

fn american(cell: &Cell<'_>) -> bool {
    cell.is_grouped('-', &[3, 2, 4]) || cell.is_grouped(' ', &[3, 2, 4])
}

pub(crate) fn us_ssn(cell: &Cell<'_>) -> bool {
    american(cell) && of(cell, 9, "us-ssn")
}

/// Of all nine digits, 89 % are one.
pub(crate) fn us_ssn_digits(cell: &Cell<'_>) -> bool {
    cell.is_bare() && of(cell, 9, "us-ssn")
}

pub(crate) fn us_itin(cell: &Cell<'_>) -> bool {
    american(cell) && of(cell, 9, "us-itin")
}

/// In the ranges that are given out: 400 to 499 and 600 to 799 in England and Wales, 320 to 399 in
/// Northern Ireland. An ISBN of ten digits has the same check digit.
pub(crate) fn nhs(cell: &Cell<'_>) -> bool {
    let range =
        |number: &[u8]| matches!(number, [b'4' | b'6' | b'7', ..] | [b'3', b'2'..=b'9', ..]);
    cell.is_bare_or(&[3, 3, 4]) && cell.of_len(10).is_some_and(range) && of(cell, 10, "nhs")
}

pub(crate) fn nino(cell: &Cell<'_>) -> bool {
    (cell.is_bare_or(&[2, 2, 2, 2, 1]) || cell.is_grouped(' ', &[2, 6, 1])) && of(cell, 9, "nino")
}

pub(crate) fn aadhaar(cell: &Cell<'_>) -> bool {
    cell.is_bare_or(&[4, 4, 4]) && of(cell, 12, "aadhaar")
}

pub(crate) fn steuer_id(cell: &Cell<'_>) -> bool {
    cell.is_bare_or(&[2, 3, 3, 3]) && of(cell, 11, "steuer-id")
}

pub(crate) fn personalausweis(cell: &Cell<'_>) -> bool {
    cell.is_bare() && of(cell, 10, "personalausweis")
}

pub(crate) fn dni(cell: &Cell<'_>) -> bool {
    of(cell, 9, "dni")
}

pub(crate) fn nie(cell: &Cell<'_>) -> bool {
    of(cell, 9, "nie")
}

/// With the sex, and a month or what stands for an unknown one.
pub(crate) fn nir(cell: &Cell<'_>) -> bool {
    let person = |number: &[u8]| match number {
        [b'1'..=b'4' | b'7' | b'8', _, _, a, b, ..] => {
            let month = u32::from(a.wrapping_sub(b'0')) * 10 + u32::from(b.wrapping_sub(b'0'));
            matches!(month, 1..=12 | 20..=42 | 50..=99)
        }
        _ => false,
    };
    cell.of_len(15).is_some_and(person) && of(cell, 15, "nir")
}

pub(crate) fn pesel(cell: &Cell<'_>) -> bool {
    cell.is_bare() && of(cell, 11, "pesel")
}
