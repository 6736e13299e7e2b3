//! Parses text in a format that the operator has declared. The text must match exactly: no spaces
//! around it, no groups of two digits, no dates that do not exist.

mod moment;

use std::fmt::Write as _;

use glovebox_core::formats::{DateFormat, Fraction, Numbers, TimestampFormat, Unit};
use glovebox_core::{DataType, Formats, Schema};

use crate::csv::cells;

/// What an operator has said of one column, as far as it is about the column's type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spelling<'a>(pub(crate) &'a Formats);

/// What was said of a column, if it is about its type.
pub(crate) fn spelling(
    formats: &[Formats],
    column: usize,
    data_type: DataType,
) -> Option<Spelling<'_>> {
    let formats = formats.get(column)?;
    formats.concerns(data_type).then_some(Spelling(formats))
}

/// What was said of all columns, for [`glovebox_core::Source::dialect`]; nothing where nothing was.
pub(crate) fn dialect(formats: &[Formats]) -> String {
    let own = Formats::default();
    let mut said = String::new();
    for (column, formats) in formats.iter().enumerate().filter(|(_, f)| **f != own) {
        // Writing to a String cannot fail.
        let _ = write!(said, " formats[{column}]=({formats})");
    }
    said
}

/// What an operator could say of a column most of whose cells were not of its type.
pub(crate) fn advice(schema: &Schema, formats: &[Formats], column: &str) -> Option<String> {
    let place = schema.position(column)?;
    let data_type = schema.fields.get(place)?.data_type;
    if let Some(said) = formats.get(place).and_then(|f| f.of(data_type)) {
        return Some(format!(
            "most cells of `{column}` are not of type {data_type} according to {said} in `formats:`"
        ));
    }
    let (own, option) = match data_type {
        DataType::Date => ("2027-01-31", "date: \"%d.%m.%Y\""),
        DataType::Timestamp => (
            "2027-01-31T12:00:00Z",
            "timestamp: \"%d.%m.%Y %H:%M:%S\" }`, or `formats: { timestamp: epoch-seconds",
        ),
        DataType::Int64 => {
            return Some(format!(
                "most cells of `{column}` are not of type int64, like 1234567; if they have a thousands \
                separator, declare it: `formats: {{ thousands: \".\" }}`; if they have a decimal \
                point, like 17.0, declare decimal(18,0)"
            ));
        }
        DataType::Float64 | DataType::Decimal { .. } => {
            ("1234.5", "decimal: \",\", thousands: \".\"")
        }
        DataType::Boolean => ("true", "true: [yes], false: [no]"),
        DataType::Text | DataType::Bytes | DataType::Opaque => return None,
    };
    Some(format!(
        "most cells of `{column}` are not of type {data_type}, like {own}; if they are written \
        differently, declare how: `formats: {{ {option} }}`"
    ))
}

impl Spelling<'_> {
    pub(crate) fn int64(self, cell: &[u8]) -> Option<i64> {
        plain(cell, self.0.numbers, cells::int64)
    }

    pub(crate) fn float64(self, cell: &[u8]) -> Option<f64> {
        if matches!(cell, b"NaN" | b"Infinity" | b"-Infinity") {
            return cells::float64(cell);
        }
        plain(cell, self.0.numbers, cells::float64)
    }

    pub(crate) fn decimal(self, cell: &[u8], precision: u8, scale: u8) -> Option<i128> {
        plain(cell, self.0.numbers, |cell| {
            cells::decimal(cell, precision, scale)
        })
    }

    pub(crate) fn boolean(self, cell: &[u8]) -> Option<bool> {
        match &self.0.booleans {
            None => cells::boolean(cell),
            Some(words) => words.read(std::str::from_utf8(cell).ok()?),
        }
    }

    pub(crate) fn date(self, cell: &[u8]) -> Option<i32> {
        match &self.0.date {
            DateFormat::Iso => cells::date(cell),
            DateFormat::EpochDays => i32::try_from(cells::int64(cell)?).ok(),
            DateFormat::Pattern(pattern) => {
                let moment = moment::read(pattern, self.0.pivot, cell)?;
                Some(moment.days)
            }
        }
    }

    /// `exponents` says whether a number since 1970 may have one, as JSON's numbers may.
    pub(crate) fn timestamp(self, cell: &[u8], exponents: bool) -> Option<i64> {
        let Formats { zone, fraction, .. } = self.0;
        match &self.0.timestamp {
            TimestampFormat::Rfc3339 => cells::timestamp_in(cell, zone.minutes(), *fraction),
            TimestampFormat::Epoch(unit) => since_epoch(cell, *unit, *fraction, exponents),
            TimestampFormat::Pattern(pattern) => {
                let moment = moment::read(pattern, self.0.pivot, cell)?;
                moment.micros(zone.minutes(), *fraction)
            }
        }
    }
}

/// A number in the program's own spelling: without signs between its groups, with a point.
fn plain<T>(cell: &[u8], numbers: Numbers, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let (sign, rest) = match cell.split_first() {
        Some((b'-' | b'+', rest)) => cell.split_at(cell.len() - rest.len()),
        _ => (&b""[..], cell),
    };
    let is_end = |b: &u8| *b == numbers.decimal() || matches!(b, b'e' | b'E');
    let end = rest.iter().position(is_end).unwrap_or(rest.len());
    let (whole, tail) = rest.split_at(end);
    let mut plain = Vec::with_capacity(cell.len());
    plain.extend_from_slice(sign);
    ungrouped(whole, numbers.thousands(), &mut plain)?;
    match tail.strip_prefix(&[numbers.decimal()]) {
        // A second sign, or one of another spelling, is no digit.
        Some(after) if after.contains(&b'.') => return None,
        Some(after) => {
            plain.push(b'.');
            plain.extend_from_slice(after);
        }
        None => plain.extend_from_slice(tail),
    }
    read(&plain)
}

/// Appends the digits of a whole number. Signs between groups are all there or none is, and each
/// group but the first has three digits.
fn ungrouped(whole: &[u8], sign: Option<char>, out: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4];
    let sign = sign.map(|s| s.encode_utf8(&mut buffer).as_bytes());
    let mut rest = whole;
    let mut first = true;
    loop {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (group, after) = rest.split_at(digits);
        out.extend_from_slice(group);
        if !first && digits != 3 {
            return None;
        }
        if after.is_empty() {
            return Some(());
        }
        rest = after.strip_prefix(sign?)?;
        if first && !(1..=3).contains(&digits) {
            return None;
        }
        first = false;
    }
}

/// A number of units since 1970 in microseconds, by its digits.
fn since_epoch(cell: &[u8], unit: Unit, fraction: Fraction, exponents: bool) -> Option<i64> {
    let (mantissa, exponent) = match memchr::memchr2(b'e', b'E', cell) {
        None => (cell, 0),
        Some(_) if !exponents => return None,
        Some(mark) => {
            let (mantissa, exponent) = cell.split_at(mark);
            let exponent = std::str::from_utf8(exponent.get(1..)?).ok()?;
            (mantissa, exponent.parse::<i32>().ok()?)
        }
    };
    let point = memchr::memchr(b'.', mantissa).unwrap_or(mantissa.len());
    let (whole, after) = mantissa.split_at(point);
    let after = after.strip_prefix(b".").unwrap_or_default();
    if point < mantissa.len() && (after.is_empty() || whole.is_empty()) {
        return None;
    }
    let mut digits = whole.to_vec();
    digits.extend_from_slice(after);
    let number = cells::decimal(&digits, 38, 0)?;
    if number == 0 {
        return Some(0);
    }
    let places = i32::try_from(after.len()).ok()?;
    let power = unit.exponent().checked_add(exponent)?.checked_sub(places)?;
    let scale = 10i128.checked_pow(power.unsigned_abs());
    let micros = if power >= 0 {
        number.checked_mul(scale?)?
    } else {
        // What is divided by more than it can be is less than a microsecond.
        let scale = scale.unwrap_or(i128::MAX);
        if number.rem_euclid(scale) != 0 && fraction == Fraction::Reject {
            return None;
        }
        number.div_euclid(scale)
    };
    i64::try_from(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_core::formats::Words;

    fn numbers(decimal: char, thousands: Option<char>) -> Formats {
        Formats {
            numbers: Numbers::new(decimal, thousands).unwrap(),
            ..Formats::default()
        }
    }

    #[test]
    fn a_decimal_comma_takes_the_place_of_the_point() {
        let formats = numbers(',', None);
        for (cell, value) in [
            ("1,5", Some(1.5)),
            ("-0,25", Some(-0.25)),
            (",5", Some(0.5)),
            ("1,5e3", Some(1500.0)),
            ("7", Some(7.0)),
            ("1.5", None),
            ("1,5,0", None),
            ("1,5.0", None),
            ("1.234,5", None),
            ("1e400", None),
            ("Infinity", Some(f64::INFINITY)),
            ("", None),
            (",", None),
        ] {
            assert_eq!(Spelling(&formats).float64(cell.as_bytes()), value, "{cell}");
        }
        assert_eq!(Spelling(&formats).decimal(b"12,500", 10, 2), Some(1250));
        assert_eq!(Spelling(&formats).decimal(b"12,505", 10, 2), None);
    }

    #[test]
    fn groups_have_three_digits() {
        let formats = numbers(',', Some('.'));
        for (cell, value) in [
            ("1.234,5", Some(12345)),
            ("1.234.567", Some(12_345_670)),
            ("-12.345,6", Some(-123_456)),
            ("1234,5", Some(12345)),
            ("12.34,5", None),
            ("1.23", None),
            ("1234.567", None),
            (".123", None),
            ("1..234", None),
            ("1.234.", None),
            ("1.234,567.8", None),
            ("1,234.5", None),
            ("0,1.234", None),
        ] {
            let read = Spelling(&formats).decimal(cell.as_bytes(), 20, 1);
            assert_eq!(read, value, "{cell}");
        }
        assert_eq!(Spelling(&formats).int64(b"1.234.567"), Some(1_234_567));
        assert_eq!(Spelling(&formats).int64(b"1.2345"), None);
        let narrow = numbers(',', Some('\u{202f}'));
        assert_eq!(
            Spelling(&narrow).int64("12\u{202f}345".as_bytes()),
            Some(12_345)
        );
        assert_eq!(Spelling(&narrow).int64(b"12 345"), None);
    }

    #[test]
    fn words_take_the_place_of_true_and_false() {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let formats = Formats {
            booleans: Words::new(&list(&["yes", "ja"]), &list(&["no", "nein"])),
            ..Formats::default()
        };
        assert_eq!(Spelling(&formats).boolean(b"JA"), Some(true));
        assert_eq!(Spelling(&formats).boolean(b"no"), Some(false));
        assert_eq!(Spelling(&formats).boolean(b"true"), None);
        assert_eq!(Spelling(&formats).boolean(b"\xff"), None);
    }

    #[test]
    fn numbers_since_1970_are_exact() {
        let read = |cell: &str, unit, fraction| since_epoch(cell.as_bytes(), unit, fraction, true);
        for (cell, unit, value) in [
            ("1700000000", Unit::Seconds, Some(1_700_000_000_000_000)),
            ("1700000000.5", Unit::Seconds, Some(1_700_000_000_500_000)),
            ("1.7e9", Unit::Seconds, Some(1_700_000_000_000_000)),
            (
                "1700000000123",
                Unit::Milliseconds,
                Some(1_700_000_000_123_000),
            ),
            ("-1", Unit::Milliseconds, Some(-1000)),
            (
                "1700000000123456",
                Unit::Microseconds,
                Some(1_700_000_000_123_456),
            ),
            (
                "1700000000123456000",
                Unit::Nanoseconds,
                Some(1_700_000_000_123_456),
            ),
            ("1700000000123456789", Unit::Nanoseconds, None),
            ("0.0000001", Unit::Seconds, None),
            ("9300000000000", Unit::Seconds, None),
            ("1e400", Unit::Seconds, None),
            ("0e400", Unit::Seconds, Some(0)),
            ("1.", Unit::Seconds, None),
            (".5", Unit::Seconds, None),
            ("--1", Unit::Seconds, None),
            ("1 ", Unit::Seconds, None),
            ("", Unit::Seconds, None),
        ] {
            assert_eq!(read(cell, unit, Fraction::Reject), value, "{cell}");
        }
        let cut = |cell| read(cell, Unit::Nanoseconds, Fraction::Cut);
        assert_eq!(cut("1700000000123456789"), Some(1_700_000_000_123_456));
        assert_eq!(cut("-1"), Some(-1), "the microsecond in which it lies");
        assert_eq!(
            since_epoch(b"1e3", Unit::Seconds, Fraction::Cut, false),
            None
        );
    }
}
