//! A cell's bytes as a value of its declared type.
//! It never rounds, trims or guesses: anything that is not exactly a value of the type is rejected.

use glovebox_core::formats::Fraction;

use crate::calendar;

/// Digits with an optional sign, as Rust reads them.
pub(crate) fn int64(cell: &[u8]) -> Option<i64> {
    let (digits, negative) = match cell.split_first()? {
        (b'-', digits) => (digits, true),
        (b'+', digits) => (digits, false),
        _ => (cell, false),
    };
    // 18 digits cannot overflow.
    if (1..=18).contains(&digits.len()) {
        let mut value = 0i64;
        for &b in digits {
            value = value * 10 + i64::from(digit(b)?);
        }
        return Some(if negative { -value } else { value });
    }
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// A decimal number with an optional exponent, as Rust reads it, correctly rounded; `NaN`,
/// `Infinity` and `-Infinity` in just that spelling, which is PostgreSQL's and our sinks'. A
/// number too large for the type is none, nor is one so small that it would become zero.
pub(crate) fn float64(cell: &[u8]) -> Option<f64> {
    if let Some(value) = short_float(cell) {
        return Some(value);
    }
    match cell {
        b"NaN" => return Some(f64::NAN),
        b"Infinity" => return Some(f64::INFINITY),
        b"-Infinity" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let value: f64 = std::str::from_utf8(cell).ok()?.parse().ok()?;
    let lost = value == 0.0 && {
        let mut mantissa = cell.iter().take_while(|b| !matches!(b, b'e' | b'E'));
        mantissa.any(|b| matches!(b, b'1'..=b'9'))
    };
    (value.is_finite() && !lost).then_some(value)
}

/// A number of at most 15 digits without an exponent: digits and power of ten are then exact, and
/// their quotient is rounded once (Clinger, "How to Read Floating Point Numbers Accurately").
fn short_float(cell: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    if cell.len() > 16 {
        return None;
    }
    let (digits, negative) = match cell.split_first()? {
        (b'-', digits) => (digits, true),
        _ => (cell, false),
    };
    let mut value = 0u64;
    let mut point = None;
    for (i, &b) in digits.iter().enumerate() {
        if b == b'.' && point.is_none() {
            point = Some(i);
            continue;
        }
        value = value * 10 + u64::from(digit(b)?);
    }
    let count = digits.len() - usize::from(point.is_some());
    if !(1..=15).contains(&count) {
        return None;
    }
    let after = point.map_or(0, |p| digits.len() - p - 1);
    let magnitude = value as f64 / POWERS.get(after)?;
    Some(if negative { -magnitude } else { magnitude })
}

/// `true` and `false`, `t` and `f` in any case; `1` and `0`.
pub(crate) fn boolean(cell: &[u8]) -> Option<bool> {
    match cell {
        b"1" | b"t" | b"T" => Some(true),
        b"0" | b"f" | b"F" => Some(false),
        _ if cell.eq_ignore_ascii_case(b"true") => Some(true),
        _ if cell.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// Digits with an optional sign and point, at most `scale` of them after it but for zeros, and
/// `precision` in all once filled up to the scale; no exponent.
pub fn decimal(cell: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (digits, negative) = match cell.split_first()? {
        (b'-', digits) => (digits, true),
        (b'+', digits) => (digits, false),
        _ => (cell, false),
    };
    let point = memchr::memchr(b'.', digits).unwrap_or(digits.len());
    let whole = digits.get(..point)?;
    let mut fraction = digits.get(point + 1..).unwrap_or_default();
    while fraction.len() > usize::from(scale) {
        fraction = fraction.strip_suffix(b"0")?;
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0i128;
    for &b in whole.iter().chain(fraction) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit(b)?))?;
    }
    let missing = u32::from(scale) - u32::try_from(fraction.len()).ok()?;
    let value = value.checked_mul(10i128.checked_pow(missing)?)?;
    // 10^38 is the least number of 39 digits, and fits.
    let fits = value < 10i128.checked_pow(u32::from(precision))?;
    fits.then_some(if negative { -value } else { value })
}

/// `\x` and pairs of hexadecimal digits, as PostgreSQL writes bytes; appended to `out`.
pub(crate) fn bytes(cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let digits = cell.strip_prefix(b"\\x")?;
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    let start = out.len();
    for [high, low] in pairs {
        match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => {
                out.truncate(start);
                return None;
            }
        }
    }
    Some(())
}

/// `YYYY-MM-DD`, in days since 1970-01-01.
pub fn date(cell: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *cell else {
        return None;
    };
    let year = number(&[y1, y2, y3, y4])?;
    calendar::days(year, number(&[m1, m2])?, number(&[d1, d2])?)
}

/// RFC 3339: a date, `T` or a space, `HH:MM:SS`, an optional fraction, and `Z` or an offset as
/// `+HH:MM` or `+HH`; UTC without one. Digits after the sixth of the fraction must be zeros. In
/// microseconds since 1970-01-01T00:00:00Z.
pub fn timestamp(cell: &[u8]) -> Option<i64> {
    timestamp_in(cell, 0, Fraction::Reject)
}

/// The same, with so many minutes east of UTC where the cell has no offset, and another rule for
/// the digits after the sixth.
#[inline]
pub(crate) fn timestamp_in(cell: &[u8], zone: i64, finer: Fraction) -> Option<i64> {
    let (day, rest) = cell.split_first_chunk::<10>()?;
    let day = i64::from(date(day)?);
    let (time, mut rest) = rest.split_first_chunk::<9>()?;
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = *time else {
        return None;
    };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0i64;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, after) = fraction.split_at(count);
        let (kept, beyond) = digits.split_at(count.min(6));
        let is_finer = beyond.iter().any(|&b| b != b'0');
        if digits.is_empty() || is_finer && finer == Fraction::Reject {
            return None;
        }
        let filled = kept.iter().copied().chain(std::iter::repeat(b'0')).take(6);
        for b in filled {
            micros = micros * 10 + i64::from(digit(b)?);
        }
        rest = after;
    }
    let offset = match *rest {
        [] => zone,
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2] => signed(sign, minutes(&[h1, h2], b"00")?),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            signed(sign, minutes(&[h1, h2], &[m1, m2])?)
        }
        _ => return None,
    };
    let seconds = i64::from(hour * 3600 + minute * 60 + second) - offset * 60;
    Some((day * 86_400 + seconds) * 1_000_000 + micros)
}

fn minutes(hours: &[u8], minutes: &[u8]) -> Option<i64> {
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(i64::from(hours * 60 + minutes))
}

fn signed(sign: u8, value: i64) -> i64 {
    if sign == b'-' { -value } else { value }
}

/// A few digits and nothing else.
fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |value, &b| Some(value * 10 + u32::from(digit(b)?)))
}

#[inline]
fn digit(b: u8) -> Option<u8> {
    let value = b.wrapping_sub(b'0');
    (value < 10).then_some(value)
}

fn hex(b: u8) -> Option<u8> {
    char::from(b)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_whole() {
        for (cell, value) in [
            ("0", Some(0)),
            ("-42", Some(-42)),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("1.0", None),
            ("1.", None),
            (".0", None),
            (" 1", None),
            ("1 ", None),
            ("1e3", None),
            ("--1", None),
        ] {
            assert_eq!(int64(cell.as_bytes()), value, "{cell}");
        }
    }

    #[test]
    fn floats_have_one_spelling_for_each_special_value() {
        assert!(float64(b"NaN").is_some_and(f64::is_nan));
        assert_eq!(float64(b"-Infinity"), Some(f64::NEG_INFINITY));
        for cell in [
            "nan",
            "inf",
            "-inf",
            "infinity",
            "1e400",
            "-1e400",
            "1e-400",
            "-0.1E-500",
            "",
            ".",
            "-",
            "1,5",
            " 1",
        ] {
            assert_eq!(float64(cell.as_bytes()), None, "{cell}");
        }
        let tiny = format!("0.{}1", "0".repeat(400));
        assert_eq!(float64(tiny.as_bytes()), None);
        assert_eq!(float64(b"4.9e-324"), Some(f64::from_bits(1)));
        assert_eq!(float64(b"0e-400"), Some(0.0));
        assert_eq!(float64(b"-0").map(f64::to_bits), Some((-0.0f64).to_bits()));
    }

    proptest! {
        #[test]
        fn floats_are_read_as_rust_reads_them(cell in "[+-]?[0-9]{0,17}(\\.[0-9]{0,17})?(e-?[0-9]{1,2})?") {
            let expected = cell.parse::<f64>().ok().map(f64::to_bits);
            prop_assert_eq!(float64(cell.as_bytes()).map(f64::to_bits), expected);
        }

        #[test]
        fn integers_are_read_as_rust_reads_them(cell in "[+-]?[0-9]{0,20}") {
            prop_assert_eq!(int64(cell.as_bytes()), cell.parse().ok());
        }
    }

    #[test]
    fn decimals_are_exact() {
        for (cell, value) in [
            ("1.23", Some(123)),
            ("-1.2", Some(-120)),
            (".5", Some(50)),
            ("5.", Some(500)),
            ("999.99", Some(99_999)),
            ("1000.00", None),
            ("1.234", None),
            ("1.230", Some(123)),
            ("999.990000", Some(99_999)),
            ("1.2340", None),
            (".000", Some(0)),
            ("1e2", None),
            (".", None),
            ("", None),
            ("1.2.3", None),
        ] {
            assert_eq!(decimal(cell.as_bytes(), 5, 2), value, "{cell}");
        }
        let nines = "9".repeat(38);
        assert_eq!(decimal(nines.as_bytes(), 38, 0), nines.parse().ok());
        assert_eq!(
            decimal(b"100000000000000000000000000000000000000", 38, 0),
            None
        );
        assert_eq!(decimal("9".repeat(60).as_bytes(), 38, 0), None);
    }

    #[test]
    fn booleans_are_words_letters_or_digits() {
        for cell in ["true", "TRUE", "t", "T", "1"] {
            assert_eq!(boolean(cell.as_bytes()), Some(true), "{cell}");
        }
        for cell in ["false", "False", "f", "F", "0"] {
            assert_eq!(boolean(cell.as_bytes()), Some(false), "{cell}");
        }
        for cell in ["yes", "on", "2", "", "tr"] {
            assert_eq!(boolean(cell.as_bytes()), None, "{cell}");
        }
    }

    #[test]
    fn bytes_are_hexadecimal_pairs() {
        let read = |cell: &[u8]| {
            let mut out = vec![9];
            bytes(cell, &mut out).map(|()| out)
        };
        assert_eq!(read(b"\\x00fFAb"), Some(vec![9, 0, 0xff, 0xab]));
        assert_eq!(read(b"\\x"), Some(vec![9]));
        for cell in [&b"\\x0"[..], b"\\xzz", b"00", b"", b"\\X00"] {
            assert_eq!(read(cell), None);
        }
    }

    #[test]
    fn dates_are_days_that_exist() {
        for (cell, value) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("1900-02-29", None),
            ("2023-13-01", None),
            ("2023-00-01", None),
            ("2023-04-31", None),
            ("2023-4-30", None),
            ("20230430", None),
        ] {
            assert_eq!(date(cell.as_bytes()), value, "{cell}");
        }
    }

    #[test]
    fn timestamps_are_instants() {
        for (cell, value) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01 00:00:01", Some(1_000_000)),
            ("1970-01-01T00:00:00.5Z", Some(500_000)),
            ("1970-01-01t00:00:00.000001z", Some(1)),
            ("1970-01-01T00:00:00.000001000Z", Some(1)),
            ("1970-01-01T00:00:00.0000011Z", None),
            ("1970-01-01T02:30:00+02:30", Some(0)),
            ("1969-12-31T23:00:00-01", Some(0)),
            ("1970-01-01T24:00:00Z", None),
            ("1970-01-01T00:00:60Z", None),
            ("1970-01-01T00:00Z", None),
            ("1970-01-01", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00+0230", None),
        ] {
            assert_eq!(timestamp(cell.as_bytes()), value, "{cell}");
        }
    }
}
