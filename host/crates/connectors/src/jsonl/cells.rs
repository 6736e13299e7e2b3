//! A JSON value as a cell of its column's type.

use std::borrow::Cow;

use crate::csv::cells;
use crate::rows::Flaw;

/// The content of a string, and any other value as it is written.
pub(super) fn content(raw: &str) -> Result<Cow<'_, str>, Flaw> {
    let Some(inner) = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')) else {
        return Ok(Cow::Borrowed(raw));
    };
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inner));
    }
    // The line was valid JSON, so what is left to be wrong is half a surrogate pair.
    serde_json::from_str(raw)
        .map(Cow::Owned)
        .map_err(|_| Flaw::Utf8)
}

/// A text column takes strings; of any other value, nested ones too, its JSON.
pub(super) fn text(raw: &str) -> Result<Cow<'_, str>, Flaw> {
    let text = content(raw)?;
    // JSON has no NUL but by an escape, and what has none is as it is written.
    match &text {
        Cow::Owned(text) if memchr::memchr(0, text.as_bytes()).is_some() => Err(Flaw::Nul),
        _ => Ok(text),
    }
}

/// A scalar: its content, and whether that is text, which an operator may have said how to read.
pub(super) struct Scalar<'a> {
    pub(super) content: Cow<'a, str>,
    pub(super) is_text: bool,
}

impl Scalar<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        self.content.as_bytes()
    }
}

/// A scalar's content, if it is one.
pub(super) fn scalar(raw: &str) -> Result<Scalar<'_>, Flaw> {
    match raw.as_bytes().first() {
        Some(b'{' | b'[') => Err(Flaw::Type),
        first => Ok(Scalar {
            content: content(raw)?,
            is_text: first == Some(&b'"'),
        }),
    }
}

/// A whole number, in whatever spelling JSON has for it: `17`, `17.0`, `1.7e1`.
pub(super) fn int64(cell: &[u8]) -> Option<i64> {
    cells::int64(cell).or_else(|| i64::try_from(decimal(cell, 38, 0)?).ok())
}

/// As in CSV files, and with an exponent: `1.5e2` is 150, by its digits.
pub(super) fn decimal(cell: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let Some(mark) = memchr::memchr2(b'e', b'E', cell) else {
        return cells::decimal(cell, precision, scale);
    };
    let (mantissa, exponent) = (cell.get(..mark)?, cell.get(mark + 1..)?);
    let exponent: i32 = std::str::from_utf8(exponent).ok()?.parse().ok()?;
    let (sign, digits) = match mantissa.split_first()? {
        (b'-', digits) => (&b"-"[..], digits),
        _ => (&b""[..], mantissa),
    };
    let point = memchr::memchr(b'.', digits).unwrap_or(digits.len());
    let whole = digits.get(..point)?;
    let fraction = digits.get(point + 1..).unwrap_or_default();
    let all: Vec<u8> = whole.iter().chain(fraction).copied().collect();
    if !all.iter().any(|&b| b != b'0') {
        return cells::decimal(&all, precision, scale);
    }
    // Where the point is to stand among the digits; no decimal of ours has it farther out.
    let place = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    if !(-80..=80).contains(&place) {
        return None;
    }
    let mut moved = sign.to_vec();
    let leading = usize::try_from(-place).unwrap_or(0);
    let place = usize::try_from(place).unwrap_or(0);
    let (before, after) = all.split_at(place.min(all.len()));
    moved.extend_from_slice(before);
    moved.extend(std::iter::repeat_n(b'0', place.saturating_sub(all.len())));
    moved.push(b'.');
    moved.extend(std::iter::repeat_n(b'0', leading));
    moved.extend_from_slice(after);
    cells::decimal(&moved, precision, scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_are_their_content_and_all_else_its_json() {
        for (raw, found) in [
            (r#""a""#, Ok("a")),
            (r#""\u00e9\n""#, Ok("é\n")),
            (r#""\ud83d\ude00""#, Ok("😀")),
            (r#""""#, Ok("")),
            ("12345678901234567890123", Ok("12345678901234567890123")),
            ("true", Ok("true")),
            (r#"{"b": [1, "x"]}"#, Ok(r#"{"b": [1, "x"]}"#)),
            (r#""\ud800""#, Err(Flaw::Utf8)),
            (r#""a\u0000""#, Err(Flaw::Nul)),
        ] {
            assert_eq!(text(raw).as_deref(), found.as_deref(), "{raw}");
        }
        assert_eq!(scalar("[1]").err(), Some(Flaw::Type));
    }

    #[test]
    fn integers_are_exact_in_any_spelling() {
        for (cell, value) in [
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775807.000", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1.0", Some(1)),
            ("1e3", Some(1000)),
            ("12.5e1", Some(125)),
            ("1.5", None),
            ("1e-1", None),
            ("10e-1", Some(1)),
            ("0e99999", Some(0)),
            ("-0.0", Some(0)),
            ("1e400", None),
            (".", None),
            ("-.0", None),
            ("", None),
        ] {
            assert_eq!(int64(cell.as_bytes()), value, "{cell}");
        }
    }

    #[test]
    fn decimals_keep_their_digits() {
        for (cell, value) in [
            ("0.1", Some(100)),
            ("1e-3", Some(1)),
            ("1E-4", None),
            ("123.456", Some(123_456)),
            ("1.2345", None),
            ("1.2340", Some(1234)),
            ("-1.5e2", Some(-150_000)),
            (
                "99999999999999999999999999999999999.999",
                Some(10i128.pow(38) - 1),
            ),
            ("1e35", None),
            ("1e34", Some(10i128.pow(37))),
            ("0.00000000000000000000000000000000000000001e40", Some(100)),
        ] {
            assert_eq!(decimal(cell.as_bytes(), 38, 3), value, "{cell}");
        }
    }

    proptest! {
        #[test]
        fn a_moved_point_is_the_same_number(digits in -999_999_999i64..1_000_000_000, by in 0u32..12) {
            let moved = format!("{digits}e-{by}");
            let expected = i128::from(digits) * 10i128.pow(12 - by);
            prop_assert_eq!(decimal(moved.as_bytes(), 38, 12), Some(expected));
        }
    }
}
