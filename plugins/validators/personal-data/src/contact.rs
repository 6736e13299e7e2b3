//! How people and their devices are reached: e-mail, phone, IP and MAC addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::cell::Cell;

pub(crate) fn email(cell: &Cell<'_>) -> bool {
    is_email(cell.text)
}

/// `local@domain.tld`, in the characters that addresses have in use.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || "._%+-'!#&*/=?^{|}~".contains(c));
    let label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let top = domain.rsplit_once('.').map(|(_, top)| top);
    local_ok
        && domain.split('.').all(label)
        && top
            .is_some_and(|top| top.len() >= 2 && top.chars().all(|c| c.is_alphabetic() || c == '-'))
}

/// The digits of a text that has only what phone numbers are written with; an extension is cut off.
fn digits(text: &str) -> Option<(String, &str)> {
    let (number, extension) = match text.split_once(['x', 'X']) {
        Some((number, extension)) => (number.trim_end().trim_end_matches("e"), extension),
        None => (text, ""),
    };
    let number = number.trim_end();
    let signs = number
        .chars()
        .all(|c| c.is_ascii_digit() || " -.()/+".contains(c));
    let extended = extension
        .chars()
        .all(|c| c.is_ascii_digit() || c == ' ' || c == 't' || c == '.');
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    (signs && extended && extension.len() <= 8).then_some((digits, number))
}

/// With a country's code, or in the groups of countries that have some of their own.
pub(crate) fn phone(cell: &Cell<'_>) -> bool {
    is_phone(cell.text)
}

pub(crate) fn is_phone(text: &str) -> bool {
    let Some((digits, number)) = digits(text) else {
        return false;
    };
    if let Some(rest) = number
        .strip_prefix('+')
        .or_else(|| number.strip_prefix("(+"))
    {
        let known = rest.starts_with(|c: char| ('1'..='9').contains(&c));
        return known && (8..=15).contains(&digits.len());
    }
    let groups: Vec<&str> = number
        .split([' ', '-', '.', '/', '(', ')'])
        .filter(|group| !group.is_empty())
        .collect();
    if groups.len() < 2 {
        return false;
    }
    let lens: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let exchange = |group: Option<&&str>| {
        group.is_some_and(|group| group.starts_with(|c: char| ('2'..='9').contains(&c)))
    };
    // North America's, with 1 in front or without.
    let american = match lens.as_slice() {
        [1, 3, 3, 4] => {
            digits.starts_with('1') && exchange(groups.get(1)) && exchange(groups.get(2))
        }
        [3, 3, 4] => exchange(groups.first()) && exchange(groups.get(1)),
        _ => false,
    };
    // A prefix for calls within the country, or to another one.
    let prefixed = digits.starts_with('0')
        && (8..=14).contains(&digits.len())
        // One sign before a hyphen is a part of the number of a book.
        && lens.first().is_some_and(|first| *first > 1)
        && !is_date(&lens)
        && lens != [3, 2, 4]
        && (digits.len() >= 9 || number.starts_with('(') || number.contains(['-', '/']));
    american || prefixed
}

/// Whether groups of digits are those of a date.
fn is_date(lens: &[usize]) -> bool {
    matches!(lens, [1..=2, 1..=2, 2 | 4] | [4, 1..=2, 1..=2])
}

/// Digits that many countries have as phone numbers, and much else has, too.
pub(crate) fn phone_digits(cell: &Cell<'_>) -> bool {
    let Some((digits, number)) = digits(cell.text) else {
        return false;
    };
    let lens: Vec<usize> = number
        .split([' ', '-', '.', '(', ')', '/'])
        .filter(|group| !group.is_empty())
        .map(str::len)
        .collect();
    match lens.as_slice() {
        [all] => {
            let national = digits.starts_with('0') && !digits.starts_with("00");
            (9..=12).contains(all) && (national || *all >= 9) && !digits.starts_with("000")
        }
        groups => (8..=13).contains(&digits.len()) && groups.len() <= 6 && !is_date(groups),
    }
}

/// Of version 6; of version 4 with parts that versions of programs do not have.
pub(crate) fn ip(cell: &Cell<'_>) -> bool {
    if let Ok(address) = cell.text.parse::<Ipv4Addr>() {
        let [a, ..] = address.octets();
        let large = address.octets().iter().filter(|octet| **octet > 31).count();
        return a > 31 || large >= 2;
    }
    cell.text.contains(':') && cell.text.parse::<Ipv6Addr>().is_ok()
}

pub(crate) fn ip_quad(cell: &Cell<'_>) -> bool {
    cell.text.parse::<Ipv4Addr>().is_ok()
}

/// Six pairs of hexadecimal digits, or three groups of four.
pub(crate) fn mac(cell: &Cell<'_>) -> bool {
    let groups = |sign: char, count: usize, len: usize| {
        let mut groups = 0;
        cell.text.split(sign).all(|group| {
            groups += 1;
            group.len() == len && group.bytes().all(|b| b.is_ascii_hexdigit())
        }) && groups == count
    };
    groups(':', 6, 2) || groups('-', 6, 2) || groups('.', 3, 4)
}
