//! Patterns of dates and times, in `strftime`'s notation.
//! chrono has the same notation, but accepts too much: spaces before numbers, years of any
//! length, so that `01.02.24` would be the year 24.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A pattern that names a day, and perhaps a time of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Arc<str>,
    items: Arc<[Item]>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// These bytes.
    Literal(Box<[u8]>),
    /// A number of one or two digits; of just two where another digit may follow.
    Number {
        /// What it counts.
        of: NumberOf,
        /// Whether one digit is enough.
        short: bool,
    },
    /// A year of four digits.
    Year,
    /// A year of two digits, whose century the operator says.
    ShortYear,
    /// The English name of a month, in three letters, in any case.
    ShortMonthName,
    /// The English name of a month, in any case.
    MonthName,
    /// `am` or `pm`, in any case.
    HalfDay,
    /// One or more digits of a second's fraction.
    Fraction,
    /// A point and one or more digits of a second's fraction, or nothing.
    PointFraction,
    /// `Z`, or an offset as `+HH`, `+HHMM` or `+HH:MM`.
    Offset,
}

/// What a number of two digits counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberOf {
    /// 1 to 12.
    Month,
    /// 1 to 31.
    Day,
    /// 0 to 23.
    Hour,
    /// 1 to 12.
    HalfHour,
    /// 0 to 59.
    Minute,
    /// 0 to 59.
    Second,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// The bytes of the pattern at fault; none is the pattern as a whole.
    pub at: Option<Range<usize>>,
    /// What is wrong with them.
    pub problem: String,
    /// What to write instead.
    pub help: String,
}

/// The items that there are, for messages.
const ITEMS: &str = "the known items are: %Y %m %d %b %B %y, and of a time %H %I %p %M %S %f %.f \
                    %z; \
                         %F, %T and %R stand for several of them";

/// The parts of a moment that an item may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    HalfDay,
    Minute,
    Second,
    Fraction,
    Offset,
}

impl Pattern {
    /// A pattern of dates: year, month and day, and nothing of a time.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn date(text: &str) -> Result<Pattern, PatternError> {
        let pattern = Pattern::parse(text)?;
        if pattern.items.iter().any(is_of_time) {
            return Err(whole(
                "a date has no time",
                "declare the column as `timestamp`; if all times are midnight, write the zeros in \
                the pattern: \"%d.%m.%Y 00:00:00\"",
            ));
        }
        Ok(pattern)
    }

    /// A pattern of timestamps: year, month and day, and as much of a time as there is; the rest
    /// is zero.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn timestamp(text: &str) -> Result<Pattern, PatternError> {
        let pattern = Pattern::parse(text)?;
        let has = |part| pattern.parts().any(|p| p == part);
        let half = pattern.items.contains(&Item::HalfDay);
        let twelve = pattern.items.iter().any(|i| {
            matches!(
                i,
                Item::Number {
                    of: NumberOf::HalfHour,
                    ..
                }
            )
        });
        for (part, needs, problem, help) in [
            (Part::Minute, Part::Hour, "minutes need an hour", "add %H"),
            (Part::Second, Part::Minute, "seconds need minutes", "add %M"),
            (
                Part::Fraction,
                Part::Second,
                "a fraction needs its second",
                "add %S",
            ),
        ] {
            if has(part) && !has(needs) {
                return Err(whole(problem, help));
            }
        }
        match (twelve, half) {
            (true, false) => Err(whole(
                "hours from 1 to 12 need am or pm",
                "add %p for am and pm, or write %H for hours from 0 to 23",
            )),
            (false, true) => Err(whole(
                "%p is for hours from 1 to 12",
                "write %I instead of %H",
            )),
            _ => Ok(pattern),
        }
    }

    /// Its items, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Whether it has years of two digits.
    pub fn has_short_years(&self) -> bool {
        self.items.contains(&Item::ShortYear)
    }

    fn parts(&self) -> impl Iterator<Item = Part> {
        self.items.iter().filter_map(part)
    }

    fn parse(text: &str) -> Result<Pattern, PatternError> {
        let mut items: Vec<Item> = Vec::new();
        let mut seen: Vec<Part> = Vec::new();
        let mut rest = text.char_indices().peekable();
        while let Some((start, c)) = rest.next() {
            if c != '%' {
                literal(&mut items, c);
                continue;
            }
            let mut end = start + 1;
            let mut letter = rest.next();
            let point = matches!(letter, Some((_, '.')));
            if point {
                letter = rest.next();
            }
            if let Some((at, c)) = letter {
                end = at + c.len_utf8();
            }
            let wrong = |problem: String, help: &str| PatternError {
                at: Some(start..end),
                problem,
                help: help.to_owned(),
            };
            let written = text.get(start..end).unwrap_or_default();
            if !point && matches!(letter, Some((_, '%'))) {
                literal(&mut items, '%');
                continue;
            }
            let Some(found) = named(point, letter.map(|(_, c)| c)) else {
                return Err(wrong(
                    format!("`{written}` is not a known item"),
                    &help_for(written),
                ));
            };
            for item in found {
                if let Some(part) = part(&item) {
                    if seen.contains(&part) {
                        return Err(wrong(
                            format!("`{written}` repeats a part"),
                            "use each part once",
                        ));
                    }
                    seen.push(part);
                }
                items.push(item);
            }
        }
        complete(&items, &seen)?;
        fix_lengths(&mut items);
        Ok(Pattern {
            text: text.into(),
            items: items.into(),
        })
    }
}

/// What a letter behind a `%` stands for, which a point may stand between.
fn named(point: bool, letter: Option<char>) -> Option<Vec<Item>> {
    Some(match (point, letter?) {
        (true, 'f') => vec![Item::PointFraction],
        (false, 'Y') => vec![Item::Year],
        (false, 'y') => vec![Item::ShortYear],
        (false, 'm') => vec![number(NumberOf::Month)],
        (false, 'b') => vec![Item::ShortMonthName],
        (false, 'B') => vec![Item::MonthName],
        (false, 'd') => vec![number(NumberOf::Day)],
        (false, 'H') => vec![number(NumberOf::Hour)],
        (false, 'I') => vec![number(NumberOf::HalfHour)],
        (false, 'p') => vec![Item::HalfDay],
        (false, 'M') => vec![number(NumberOf::Minute)],
        (false, 'S') => vec![number(NumberOf::Second)],
        (false, 'f') => vec![Item::Fraction],
        (false, 'z') => vec![Item::Offset],
        (false, 'F') => vec![
            Item::Year,
            sign("-"),
            number(NumberOf::Month),
            sign("-"),
            number(NumberOf::Day),
        ],
        (false, 'T') => vec![
            number(NumberOf::Hour),
            sign(":"),
            number(NumberOf::Minute),
            sign(":"),
            number(NumberOf::Second),
        ],
        (false, 'R') => vec![number(NumberOf::Hour), sign(":"), number(NumberOf::Minute)],
        _ => return None,
    })
}

/// Whether a pattern has a date, and an end to each of its numbers.
fn complete(items: &[Item], seen: &[Part]) -> Result<(), PatternError> {
    if seen.is_empty() {
        return Err(whole(
            "there is no `%` in this pattern",
            "write it like \"%d.%m.%Y\"",
        ));
    }
    for (needed, name, item) in [
        (Part::Year, "year", "%Y"),
        (Part::Month, "month", "%m"),
        (Part::Day, "day", "%d"),
    ] {
        if !seen.contains(&needed) {
            return Err(whole(
                &format!("this pattern has no {name}"),
                &format!("add {item}"),
            ));
        }
    }
    let mut pairs = items.iter().zip(items.iter().skip(1));
    if pairs.any(|(a, b)| matches!(a, Item::Fraction | Item::PointFraction) && digits(b).0) {
        return Err(whole(
            "digits follow a fraction, so its end is ambiguous",
            "put a character in between, like \"%S.%f %d\"",
        ));
    }
    Ok(())
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

fn whole(problem: &str, help: &str) -> PatternError {
    PatternError {
        at: None,
        problem: problem.to_owned(),
        help: help.to_owned(),
    }
}

fn number(of: NumberOf) -> Item {
    Item::Number { of, short: true }
}

fn sign(text: &str) -> Item {
    Item::Literal(text.as_bytes().into())
}

fn literal(items: &mut Vec<Item>, c: char) {
    let mut bytes = match items.pop() {
        Some(Item::Literal(before)) => before.into_vec(),
        Some(other) => {
            items.push(other);
            Vec::new()
        }
        None => Vec::new(),
    };
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    items.push(Item::Literal(bytes.into()));
}

/// A number beside something that may be a digit has two digits: `%Y%m%d` could not be cut
/// otherwise. So have minutes and seconds, of which nobody leaves one out.
fn fix_lengths(items: &mut [Item]) {
    let edges: Vec<(bool, bool)> = items.iter().map(digits).collect();
    let before = std::iter::once(false).chain(edges.iter().map(|(_, last)| *last));
    let after = edges.iter().skip(1).map(|(first, _)| *first);
    let around = before.zip(after.chain(std::iter::once(false)));
    for (item, (before, after)) in items.iter_mut().zip(around) {
        if let Item::Number { of, short } = item {
            let clock = matches!(of, NumberOf::Minute | NumberOf::Second);
            *short = !before && !after && !clock;
        }
    }
}

/// Whether what an item stands for may begin with a digit, and whether it may end with one.
fn digits(item: &Item) -> (bool, bool) {
    match item {
        Item::Number { .. } | Item::Year | Item::ShortYear | Item::Fraction => (true, true),
        Item::Literal(text) => {
            let is_digit = |b: Option<&u8>| b.is_some_and(u8::is_ascii_digit);
            (is_digit(text.first()), is_digit(text.last()))
        }
        Item::PointFraction | Item::Offset => (false, true),
        Item::ShortMonthName | Item::MonthName | Item::HalfDay => (false, false),
    }
}

fn part(item: &Item) -> Option<Part> {
    Some(match item {
        Item::Literal(_) => return None,
        Item::Year | Item::ShortYear => Part::Year,
        Item::ShortMonthName | Item::MonthName => Part::Month,
        Item::HalfDay => Part::HalfDay,
        Item::Fraction | Item::PointFraction => Part::Fraction,
        Item::Offset => Part::Offset,
        Item::Number { of, .. } => match of {
            NumberOf::Month => Part::Month,
            NumberOf::Day => Part::Day,
            NumberOf::Hour | NumberOf::HalfHour => Part::Hour,
            NumberOf::Minute => Part::Minute,
            NumberOf::Second => Part::Second,
        },
    })
}

fn is_of_time(item: &Item) -> bool {
    !matches!(
        part(item),
        None | Some(Part::Year | Part::Month | Part::Day)
    )
}

/// What to write instead of something that is no item.
fn help_for(written: &str) -> String {
    match written {
        "%e" | "%-d" | "%-" => "%d, %m and %H already accept one or two digits".into(),
        "%s" => "write `epoch-seconds` instead of the pattern".into(),
        "%Z" => {
            "zone names are not supported: write the name as text in the pattern, and its offset \
            in `zone:`"
                .into()
        }
        "%D" => "write %m/%d/%y, with `pivot:` for the century".into(),
        "%h" => "write %b".into(),
        "%N" | "%L" | "%3f" | "%6f" | "%9f" => "write %f for the digits of a fraction".into(),
        "%" => "write %% for a percent sign".into(),
        _ => ITEMS.into(),
    }
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
