//! Values in a `with:` block that a plugin compares with cells: parsed once, as the column's type.
//! Values that the column can never contain are refused, such as 1.5 for int64.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{ConfigError, DataType, Value, calendar};

/// A value in a `with:` block whose type follows from the column that it is compared with.
///
/// Dates are written `2026-11-21`, timestamps `2026-11-21T22:30:00Z`, and decimals as numbers or,
/// where a number would lose digits, as text.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(untagged, expecting = "expected a text, a number, true or false")]
pub enum Literal {
    /// `true` or `false`
    Boolean(bool),
    /// a whole number
    Whole(i64),
    /// a number
    Number(f64),
    /// a text, a date, a timestamp, or a decimal
    Text(String),
}

/// As in messages: texts as they are, numbers as they were written.
impl fmt::Display for Literal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(out),
            Self::Whole(value) => value.fmt(out),
            Self::Number(value) => value.fmt(out),
            Self::Text(value) => value.fmt(out),
        }
    }
}

impl Literal {
    /// Reads the literal as a value of a column's type; `path` is its place in the `with:` block.
    ///
    /// # Errors
    /// When it is not a value of that type; bytes have no literals.
    pub fn read(&self, data_type: DataType, path: &str) -> Result<Value, ConfigError> {
        let (value, expected) = match (data_type, self) {
            (DataType::Boolean, Self::Boolean(value)) => (Some(Value::Boolean(*value)), ""),
            (DataType::Boolean, _) => (None, "`true` or `false`"),
            (DataType::Int64, Self::Whole(value)) => (Some(Value::Int64(*value)), ""),
            (DataType::Int64, _) => (None, "a whole number"),
            (DataType::Float64, Self::Whole(value)) => (Some(Value::Float64(*value as f64)), ""),
            (DataType::Float64, Self::Number(value)) => (Some(Value::Float64(*value)), ""),
            (DataType::Float64, _) => (None, "a number"),
            (DataType::Decimal(decimal), literal) => {
                let text = match literal {
                    Self::Whole(value) => value.to_string(),
                    Self::Number(value) => value.to_string(),
                    Self::Text(text) => text.clone(),
                    Self::Boolean(_) => String::new(),
                };
                let value = parse_decimal(&text, decimal.scale).map(Value::Decimal);
                let expected = "a decimal number with no more decimal places than the column has";
                (value, expected)
            }
            (DataType::Text, Self::Text(text)) => (Some(Value::Text(text.clone())), ""),
            (DataType::Text, _) => (None, "a text; put numbers in quotes"),
            (DataType::Date, Self::Text(text)) => (
                calendar::parse_date(text).map(Value::Date),
                "a date such as 2026-11-21",
            ),
            (DataType::Date, _) => (None, "a date such as 2026-11-21"),
            (DataType::Timestamp, Self::Text(text)) => (
                calendar::parse_timestamp(text).map(Value::Timestamp),
                "a timestamp such as 2026-11-21T22:30:00Z",
            ),
            (DataType::Timestamp, _) => (None, "a timestamp such as 2026-11-21T22:30:00Z"),
            (DataType::Bytes, _) => (None, "nothing, because bytes cannot be written here"),
        };
        let type_name = crate::config::type_name(data_type);
        value.ok_or_else(|| {
            ConfigError::new(
                path,
                format!("the column is {type_name}: expected {expected}"),
            )
        })
    }
}

/// Reads a decimal number as whole numbers of 10^-scale. `None` for anything else, and for more
/// digits than the scale or 128 bits can hold.
fn parse_decimal(text: &str, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    if whole.is_empty() {
        return None;
    }
    let zeros = std::iter::repeat_n(b'0', missing);
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(zeros) {
        let digit = digit.is_ascii_digit().then(|| i128::from(digit - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecimalType;

    #[test]
    fn decimals_are_read_exactly() {
        assert_eq!(parse_decimal("12.34", 2), Some(1234));
        assert_eq!(parse_decimal("-0.5", 2), Some(-50));
        assert_eq!(parse_decimal("7", 3), Some(7000));
        assert_eq!(
            parse_decimal("1.500", 1),
            Some(15),
            "zeros at the end say nothing"
        );
        assert_eq!(parse_decimal("0.125", 2), None, "a digit too many");
        for text in ["", "-", ".5", "1e3", "1,5", "--1", "9".repeat(40).as_str()] {
            assert_eq!(parse_decimal(text, 2), None, "{text}");
        }
    }

    #[test]
    fn a_literal_takes_its_type_from_the_column() {
        let read = |literal: Literal, data_type| literal.read(data_type, "/min");
        let text = |text: &str| Literal::Text(text.to_owned());
        let decimal = DataType::Decimal(DecimalType {
            precision: 10,
            scale: 1,
        });
        assert_eq!(
            read(Literal::Whole(3), DataType::Float64),
            Ok(Value::Float64(3.0))
        );
        assert_eq!(read(Literal::Number(0.5), decimal), Ok(Value::Decimal(5)));
        assert_eq!(read(text("0.5"), decimal), Ok(Value::Decimal(5)));
        assert_eq!(read(text("1970-01-02"), DataType::Date), Ok(Value::Date(1)));
        assert_eq!(
            read(text("1970-01-01T00:00:01Z"), DataType::Timestamp),
            Ok(Value::Timestamp(1_000_000))
        );
        let error = read(Literal::Number(1.5), DataType::Int64).unwrap_err();
        assert_eq!(
            error.to_string(),
            "at /min: the column is int64: expected a whole number"
        );
        assert!(read(Literal::Whole(1), DataType::Text).is_err());
        assert!(read(text("x"), DataType::Bytes).is_err());
        assert!(read(Literal::Boolean(true), decimal).is_err());
    }
}
