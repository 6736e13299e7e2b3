//! Parses a cell with a pattern of dates and times.

use glovebox_core::formats::{Fraction, Item, NumberOf, Pattern};

use crate::calendar;

/// Both in the order of the year.
const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];

/// What a cell said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Days since 1970-01-01.
    pub(super) days: i32,
    seconds: i64,
    micros: i64,
    /// Whether more was said of the fraction than microseconds can hold.
    finer: bool,
    /// Minutes east of UTC, if it said so.
    offset: Option<i64>,
}

impl Moment {
    /// Microseconds since 1970-01-01T00:00:00Z; `zone` are the minutes east of UTC where the cell
    /// does not say.
    pub(super) fn micros(self, zone: i64, fraction: Fraction) -> Option<i64> {
        if self.finer && fraction == Fraction::Reject {
            return None;
        }
        let seconds = self.seconds - self.offset.unwrap_or(zone) * 60;
        Some((i64::from(self.days) * 86_400 + seconds) * 1_000_000 + self.micros)
    }
}

#[derive(Default)]
struct Parts {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    micros: i64,
    finer: bool,
    offset: Option<i64>,
}

/// Reads a cell. `pivot` is the first of the hundred years that two digits stand for.
pub(super) fn read(pattern: &Pattern, pivot: Option<u16>, cell: &[u8]) -> Option<Moment> {
    let mut parts = Parts::default();
    let mut rest = cell;
    for item in pattern.items() {
        rest = take(item, pivot, rest, &mut parts)?;
    }
    if !rest.is_empty() {
        return None;
    }
    let hour = match parts.afternoon {
        None => parts.hour,
        // 12 is the first hour of a half day.
        Some(afternoon) => parts.hour % 12 + if afternoon { 12 } else { 0 },
    };
    Some(Moment {
        days: calendar::days(parts.year, parts.month, parts.day)?,
        seconds: i64::from(hour * 3600 + parts.minute * 60 + parts.second),
        micros: parts.micros,
        finer: parts.finer,
        offset: parts.offset,
    })
}

/// Reads one item from the front of `rest`; what is left of it.
fn take<'a>(
    item: &Item,
    pivot: Option<u16>,
    rest: &'a [u8],
    parts: &mut Parts,
) -> Option<&'a [u8]> {
    match item {
        Item::Literal(text) => rest.strip_prefix(&**text),
        Item::Year => {
            let (year, rest) = digits(rest, 4)?;
            parts.year = year;
            Some(rest)
        }
        Item::ShortYear => {
            let (year, rest) = digits(rest, 2)?;
            let first = u32::from(pivot?);
            // Of the hundred years from `first` on, the one that ends so.
            parts.year = first + (year + 100 - first % 100) % 100;
            Some(rest)
        }
        Item::Number { of, short } => {
            let (value, rest) = match digits(rest, 2) {
                Some(found) => found,
                None if *short => digits(rest, 1)?,
                None => return None,
            };
            let (place, bounds) = match of {
                NumberOf::Month => (&mut parts.month, 1..=12),
                NumberOf::Day => (&mut parts.day, 1..=31),
                NumberOf::Hour => (&mut parts.hour, 0..=23),
                NumberOf::HalfHour => (&mut parts.hour, 1..=12),
                NumberOf::Minute => (&mut parts.minute, 0..=59),
                NumberOf::Second => (&mut parts.second, 0..=59),
            };
            *place = value;
            bounds.contains(&value).then_some(rest)
        }
        Item::ShortMonthName => month(rest, parts, |name| name.get(..3).unwrap_or(name)),
        Item::MonthName => month(rest, parts, |name| name),
        Item::HalfDay => {
            let (word, rest) = rest.split_at_checked(2)?;
            parts.afternoon = Some(match word.to_ascii_lowercase().as_slice() {
                b"am" => false,
                b"pm" => true,
                _ => return None,
            });
            Some(rest)
        }
        Item::Fraction => fraction(rest, parts),
        Item::PointFraction => match rest.strip_prefix(b".") {
            None => Some(rest),
            Some(rest) => fraction(rest, parts),
        },
        Item::Offset => offset(rest, parts),
    }
}

/// A number of just so many digits.
fn digits(rest: &[u8], count: usize) -> Option<(u32, &[u8])> {
    let (number, rest) = rest.split_at_checked(count)?;
    let value = number.iter().try_fold(0, |value, b| {
        b.is_ascii_digit().then(|| value * 10 + u32::from(b - b'0'))
    })?;
    Some((value, rest))
}

fn month<'a>(
    rest: &'a [u8],
    parts: &mut Parts,
    form: impl Fn(&'static [u8]) -> &'static [u8],
) -> Option<&'a [u8]> {
    for (number, name) in (1..).zip(MONTHS) {
        let name = form(name);
        if let Some((word, after)) = rest.split_at_checked(name.len())
            && word.eq_ignore_ascii_case(name)
        {
            parts.month = number;
            return Some(after);
        }
    }
    None
}

fn fraction<'a>(rest: &'a [u8], parts: &mut Parts) -> Option<&'a [u8]> {
    let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(count);
    let (kept, beyond) = digits.split_at(count.min(6));
    if digits.is_empty() {
        return None;
    }
    parts.finer = beyond.iter().any(|b| *b != b'0');
    let filled = kept.iter().copied().chain(std::iter::repeat(b'0'));
    parts.micros = filled
        .take(6)
        .fold(0, |value, b| value * 10 + i64::from(b - b'0'));
    Some(rest)
}

fn offset<'a>(rest: &'a [u8], parts: &mut Parts) -> Option<&'a [u8]> {
    let (sign, after) = rest.split_first()?;
    let negative = match sign {
        b'Z' | b'z' => {
            parts.offset = Some(0);
            return Some(after);
        }
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let (hours, after) = digits(after, 2)?;
    let (minutes, after) = match after.strip_prefix(b":") {
        Some(after) => digits(after, 2)?,
        None => digits(after, 2).unwrap_or((0, after)),
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let all = i64::from(hours * 60 + minutes);
    parts.offset = Some(if negative { -all } else { all });
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(pattern: &str, cell: &str) -> Option<i32> {
        let pattern = Pattern::date(pattern).unwrap();
        read(&pattern, Some(1930), cell.as_bytes()).map(|m| m.days)
    }

    fn time(pattern: &str, cell: &str, zone: i64) -> Option<i64> {
        let pattern = Pattern::timestamp(pattern).unwrap();
        read(&pattern, None, cell.as_bytes())?.micros(zone, Fraction::Reject)
    }

    #[test]
    fn days_are_read_in_any_order() {
        let day = calendar::days(2024, 2, 29);
        for (pattern, cell) in [
            ("%d.%m.%Y", "29.02.2024"),
            ("%d.%m.%Y", "29.2.2024"),
            ("%m/%d/%Y", "2/29/2024"),
            ("%Y%m%d", "20240229"),
            ("%d-%b-%Y", "29-FEB-2024"),
            ("%B %d, %Y", "february 29, 2024"),
            ("%d/%m/%y", "29/02/24"),
            ("%d.%m.%Y 00:00:00", "29.02.2024 00:00:00"),
        ] {
            assert_eq!(date(pattern, cell), day, "{cell}");
        }
        for (pattern, cell) in [
            ("%d.%m.%Y", "29.02.2023"),
            ("%d.%m.%Y", "29.02.24"),
            ("%d.%m.%Y", " 29.02.2024"),
            ("%d.%m.%Y", "29.02.2024 "),
            ("%d.%m.%Y", "29.02.20245"),
            ("%d.%m.%Y", "029.02.2024"),
            ("%d.%m.%Y", "2024-02-29"),
            ("%m/%d/%Y", "29/02/2024"),
            ("%Y%m%d", "2024229"),
            ("%d-%b-%Y", "29-Feber-2024"),
            ("%d.%m.%Y", ""),
            ("%d.%m.%Y", "29.02.+024"),
        ] {
            assert_eq!(date(pattern, cell), None, "{cell}");
        }
    }

    #[test]
    fn two_digits_are_of_the_hundred_years_from_the_pivot_on() {
        for (cell, year) in [("30", 1930), ("99", 1999), ("00", 2000), ("29", 2029)] {
            let read = date("%d/%m/%y", &format!("01/01/{cell}"));
            assert_eq!(read, calendar::days(year, 1, 1), "{cell}");
        }
        let pattern = Pattern::date("%d/%m/%y").unwrap();
        assert_eq!(read(&pattern, None, b"01/01/30"), None);
        let late = read(&pattern, Some(2000), b"01/01/00").map(|m| m.days);
        assert_eq!(late, calendar::days(2000, 1, 1));
    }

    #[test]
    fn times_are_instants() {
        let noon = time("%FT%T%z", "2024-02-29T12:00:00Z", 0);
        assert!(noon.is_some());
        for (pattern, cell, zone) in [
            ("%d/%m/%Y %H:%M:%S", "29/02/2024 13:00:00", 60),
            ("%d/%m/%Y %R", "29/02/2024 7:00", -300),
            ("%m/%d/%Y %I:%M %p", "2/29/2024 12:00 PM", 0),
            ("%F %T,%f", "2024-02-29 12:00:00,000000000", 0),
            ("%F %T%.f", "2024-02-29 12:00:00", 0),
            ("%F %T%.f", "2024-02-29 12:00:00.0", 0),
            ("%F %T %z", "2024-02-29 13:00:00 +0100", 600),
            ("%F %T %z", "2024-02-29 13:00:00 +01", 600),
            ("%F %T %z", "2024-02-29 10:30:00 -01:30", 600),
        ] {
            assert_eq!(time(pattern, cell, zone), noon, "{cell}");
        }
        let midnight = time("%F %I %p", "2024-02-29 12 am", 0);
        assert_eq!(midnight, time("%F", "2024-02-29", 0));
        assert_eq!(
            time("%F %T.%f", "2024-02-29 12:00:00.5", 0),
            noon.map(|n| n + 500_000)
        );
        for (pattern, cell) in [
            ("%F %T", "2024-02-29 24:00:00"),
            ("%F %T", "2024-02-29 23:59:60"),
            ("%F %T", "2024-02-29 23:59:9"),
            ("%F %I %p", "2024-02-29 13 pm"),
            ("%F %I %p", "2024-02-29 0 am"),
            ("%F %T.%f", "2024-02-29 12:00:00."),
            ("%F %T.%f", "2024-02-29 12:00:00.1234567"),
            ("%F %T %z", "2024-02-29 12:00:00 CET"),
            ("%F %T %z", "2024-02-29 12:00:00 +24:00"),
        ] {
            assert_eq!(time(pattern, cell, 0), None, "{cell}");
        }
    }

    #[test]
    fn what_is_finer_than_a_microsecond_is_cut_where_that_is_said() {
        let pattern = Pattern::timestamp("%F %T.%f").unwrap();
        let cell = b"1969-12-31 23:59:59.9999999";
        let moment = read(&pattern, None, cell).unwrap();
        assert_eq!(moment.micros(0, Fraction::Reject), None);
        assert_eq!(moment.micros(0, Fraction::Cut), Some(-1));
    }
}
