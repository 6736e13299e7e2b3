//! Dates of birth: a day, without a time, in a year in which people of today were born and most
//! things that have a date were not there yet.

use glovebox_sdk::calendar::Civil;

use crate::cell::Cell;

/// The years of birth that are taken for one.
const BORN: std::ops::RangeInclusive<i64> = 1915..=2012;

pub(crate) fn birth_date(cell: &Cell<'_>) -> bool {
    let (day, time) = cell.text.split_at_checked(10).unwrap_or((cell.text, ""));
    let midnight = time.trim_start_matches(['T', ' ']);
    let midnight = midnight
        .trim_end_matches(['Z', '0', ':', '.', '+'])
        .is_empty();
    midnight && (by(day, '-') || by(day, '.') || by(day, '/'))
}

fn by(text: &str, sign: char) -> bool {
    let parts: Vec<&str> = text.split(sign).collect();
    let [a, b, c] = parts.as_slice() else {
        return false;
    };
    let number = |part: &str| {
        let digits = part.bytes().all(|b| b.is_ascii_digit()) && part.len() <= 4;
        digits.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (Some(first), Some(second), Some(third)) = (number(a), number(b), number(c)) else {
        return false;
    };
    let exists = |year: i64, month: i64, day: i64| {
        let (Ok(month), Ok(day)) = (u8::try_from(month), u8::try_from(day)) else {
            return false;
        };
        let civil = Civil { year, month, day };
        BORN.contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && civil
                .days()
                .is_some_and(|days| Civil::from_days(days) == civil)
    };
    match (a.len(), c.len()) {
        (4, _) => exists(first, second, third),
        (_, 4) => exists(third, second, first) || exists(third, first, second),
        _ => false,
    }
}
