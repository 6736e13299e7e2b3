//! The operator's declarations of how dates, times, numbers and booleans are written in CSV files
//! and in JSON strings.
//! Parsing is done by the connectors.

mod pattern;

use std::fmt;

pub use pattern::{Item, NumberOf, Pattern, PatternError};

use crate::schema::DataType;

/// How the text of a column is spelled. The default is the program's own spelling of each type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Formats {
    /// Of dates.
    pub date: DateFormat,
    /// Of timestamps.
    pub timestamp: TimestampFormat,
    /// Where timestamps without an offset were taken.
    pub zone: Zone,
    /// What becomes of a second's digits beyond the sixth.
    pub fraction: Fraction,
    /// The first of the hundred years that years of two digits stand for. A pattern that has such
    /// years needs it.
    pub pivot: Option<u16>,
    /// Of numbers.
    pub numbers: Numbers,
    /// The words for true and false, in place of the usual ones.
    pub booleans: Option<Words>,
}

/// How dates are spelled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DateFormat {
    /// `YYYY-MM-DD`.
    #[default]
    Iso,
    /// Whole days since 1970-01-01.
    EpochDays,
    /// By a pattern.
    Pattern(Pattern),
}

/// How timestamps are spelled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TimestampFormat {
    /// RFC 3339, `T` or a space between.
    #[default]
    Rfc3339,
    /// A number since 1970-01-01T00:00:00Z.
    Epoch(Unit),
    /// By a pattern.
    Pattern(Pattern),
}

/// What a number since 1970 counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

impl Unit {
    /// All of them, by their names in a manifest.
    pub const NAMES: [(&'static str, Unit); 4] = [
        ("epoch-seconds", Unit::Seconds),
        ("epoch-milliseconds", Unit::Milliseconds),
        ("epoch-microseconds", Unit::Microseconds),
        ("epoch-nanoseconds", Unit::Nanoseconds),
    ];

    /// The power of ten of a microsecond that one of it is.
    pub fn exponent(self) -> i32 {
        match self {
            Unit::Seconds => 6,
            Unit::Milliseconds => 3,
            Unit::Microseconds => 0,
            Unit::Nanoseconds => -3,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Unit::NAMES.iter().find(|(_, unit)| unit == self);
        f.pad(name.map_or("", |(name, _)| name))
    }
}

/// The name of [`DateFormat::EpochDays`] in a manifest.
pub const EPOCH_DAYS: &str = "epoch-days";

/// An offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zone {
    minutes: i16,
}

impl Zone {
    /// `+HH:MM`, `-HH:MM`, `Z` or `UTC`.
    pub fn parse(text: &str) -> Option<Zone> {
        if matches!(text, "Z" | "UTC") {
            return Some(Zone::default());
        }
        let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = *text.as_bytes() else {
            return None;
        };
        let digit = |b: u8| b.is_ascii_digit().then(|| i16::from(b - b'0'));
        let hours = digit(h1)? * 10 + digit(h2)?;
        let minutes = digit(m1)? * 10 + digit(m2)?;
        let all = hours * 60 + minutes;
        (hours < 24 && minutes < 60).then_some(Zone {
            minutes: if sign == b'-' { -all } else { all },
        })
    }

    /// Minutes east of UTC.
    pub fn minutes(self) -> i64 {
        self.minutes.into()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minutes < 0 { '-' } else { '+' };
        let minutes = self.minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// What becomes of a second's digits beyond the sixth that are not zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fraction {
    /// Their row is rejected.
    #[default]
    Reject,
    /// They are dropped: the time is the microsecond in which it lies.
    Cut,
}

/// How numbers are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    decimal: u8,
    thousands: Option<char>,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers {
            decimal: b'.',
            thousands: None,
        }
    }
}

impl Numbers {
    /// Signs that may stand before the digits after the point.
    pub const DECIMAL: [char; 2] = ['.', ','];
    /// Signs that may stand between groups of three digits; the last three are spaces: of a
    /// typewriter, one that does not break, and a narrow one that does not.
    pub const THOUSANDS: [char; 8] = ['.', ',', '\'', '\u{2019}', '_', ' ', '\u{a0}', '\u{202f}'];

    /// Numbers with these signs; none if they are not of those or the same.
    pub fn new(decimal: char, thousands: Option<char>) -> Option<Numbers> {
        let known = Numbers::DECIMAL.contains(&decimal)
            && thousands.is_none_or(|t| t != decimal && Numbers::THOUSANDS.contains(&t));
        known.then_some(Numbers {
            decimal: if decimal == ',' { b',' } else { b'.' },
            thousands,
        })
    }

    /// The sign before the digits after the point.
    pub fn decimal(self) -> u8 {
        self.decimal
    }

    /// The sign between groups of three digits.
    pub fn thousands(self) -> Option<char> {
        self.thousands
    }
}

/// Words for true and false, without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    yes: Vec<String>,
    no: Vec<String>,
}

impl Words {
    /// These words; none if there are none of one kind, or if one is of both.
    pub fn new(yes: &[String], no: &[String]) -> Option<Words> {
        let lower = |words: &[String]| words.iter().map(|w| w.to_lowercase()).collect();
        let words = Words {
            yes: lower(yes),
            no: lower(no),
        };
        let told_apart = words.yes.iter().all(|w| !words.no.contains(w));
        (told_apart && !words.yes.is_empty() && !words.no.is_empty()).then_some(words)
    }

    /// What a word stands for.
    pub fn read(&self, word: &str) -> Option<bool> {
        let is = |words: &[String]| {
            words.iter().any(|w| {
                w.eq_ignore_ascii_case(word) || !word.is_ascii() && *w == word.to_lowercase()
            })
        };
        if is(&self.yes) {
            Some(true)
        } else {
            is(&self.no).then_some(false)
        }
    }

    /// All of them, in lower case.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.yes.iter().chain(&self.no).map(String::as_str)
    }
}

impl Formats {
    /// Whether it says something of columns of this type.
    pub fn concerns(&self, data_type: DataType) -> bool {
        let own = Formats::default();
        match data_type {
            DataType::Date => self.date != own.date,
            DataType::Timestamp => {
                self.timestamp != own.timestamp
                    || self.zone != own.zone
                    || self.fraction != own.fraction
            }
            DataType::Int64 => self.numbers.thousands.is_some(),
            DataType::Float64 | DataType::Decimal { .. } => self.numbers != own.numbers,
            DataType::Boolean => self.booleans.is_some(),
            DataType::Text | DataType::Bytes | DataType::Opaque => false,
        }
    }

    /// The spelling of this type in a few words, for messages; none where it is the program's own.
    pub fn of(&self, data_type: DataType) -> Option<String> {
        if !self.concerns(data_type) {
            return None;
        }
        Some(match data_type {
            DataType::Date => format!("`date: {}`", self.date),
            DataType::Timestamp => format!("`timestamp: {}`", self.timestamp),
            DataType::Boolean => "the words of `true` and `false`".into(),
            _ => match self.numbers.thousands {
                Some(sign) => format!(
                    "`decimal: \"{}\"`, `thousands: \"{sign}\"`",
                    char::from(self.numbers.decimal)
                ),
                None => format!("`decimal: \"{}\"`", char::from(self.numbers.decimal)),
            },
        })
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DateFormat::Iso => f.write_str("%Y-%m-%d"),
            DateFormat::EpochDays => f.write_str(EPOCH_DAYS),
            DateFormat::Pattern(pattern) => pattern.fmt(f),
        }
    }
}

impl fmt::Display for TimestampFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimestampFormat::Rfc3339 => f.write_str("RFC 3339"),
            TimestampFormat::Epoch(unit) => unit.fmt(f),
            TimestampFormat::Pattern(pattern) => pattern.fmt(f),
        }
    }
}

/// All of it in one line, by which two spellings are told apart.
impl fmt::Display for Formats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "date={:?} timestamp={:?} zone={} fraction={:?} pivot={:?} decimal={} thousands={:?}",
            self.date.to_string(),
            self.timestamp.to_string(),
            self.zone,
            self.fraction,
            self.pivot,
            char::from(self.numbers.decimal),
            self.numbers.thousands,
        )?;
        match &self.booleans {
            None => Ok(()),
            Some(words) => write!(f, " true={:?} false={:?}", words.yes, words.no),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_offsets() {
        for (text, minutes) in [
            ("+01:00", Some(60)),
            ("-05:30", Some(-330)),
            ("Z", Some(0)),
            ("UTC", Some(0)),
            ("+1:00", None),
            ("+24:00", None),
            ("+00:60", None),
            ("Europe/Berlin", None),
            ("", None),
        ] {
            assert_eq!(Zone::parse(text).map(Zone::minutes), minutes, "{text}");
        }
        assert_eq!(Zone::parse("-05:30").unwrap().to_string(), "-05:30");
    }

    #[test]
    fn signs_of_numbers_are_told_apart() {
        assert!(Numbers::new(',', Some('.')).is_some());
        assert!(Numbers::new(',', Some('\u{202f}')).is_some());
        assert!(Numbers::new(',', Some(',')).is_none());
        assert!(Numbers::new('.', Some('3')).is_none());
        assert!(Numbers::new('-', None).is_none());
    }

    #[test]
    fn words_are_read_in_any_case() {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let words = Words::new(&list(&["ja", "Œuf"]), &list(&["NEIN"])).unwrap();
        assert_eq!(words.read("JA"), Some(true));
        assert_eq!(words.read("œUF"), Some(true));
        assert_eq!(words.read("nein"), Some(false));
        assert_eq!(words.read("true"), None);
        assert!(Words::new(&list(&["x"]), &list(&["X"])).is_none());
        assert!(Words::new(&list(&["x"]), &[]).is_none());
    }
}
