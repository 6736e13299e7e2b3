//! A value of one of the types, and how it is spelled wherever we read and write text.

use glovebox_core::DataType;

use crate::calendar::{write_date, write_timestamp};
use crate::csv::cells;
pub use crate::csv::cells::{date, decimal, timestamp};
use crate::values::{write_decimal, write_hex};

/// A value of a column's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// None.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Int64(i64),
    /// A number.
    Float64(f64),
    /// An exact number, as its digits.
    Decimal(String),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

impl Cell {
    /// The value that a text spells; none if it is not of this type. Text and null have no
    /// spelling of their own: every text is a text.
    pub fn parse(text: &str, data_type: DataType) -> Option<Cell> {
        let bytes = text.as_bytes();
        Some(match data_type {
            DataType::Boolean => Cell::Boolean(cells::boolean(bytes)?),
            DataType::Int64 => Cell::Int64(cells::int64(bytes)?),
            DataType::Float64 => Cell::Float64(cells::float64(bytes).filter(|v| !v.is_nan())?),
            DataType::Decimal { precision, scale } => {
                let value = cells::decimal(bytes, precision, scale)?;
                let mut digits = Vec::new();
                write_decimal(value, scale.into(), &mut digits);
                Cell::Decimal(String::from_utf8(digits).ok()?)
            }
            // PostgreSQL's text has no NUL, and SQLite's functions stop there.
            DataType::Text => Cell::Text(text.to_owned()).filter(!text.contains('\0'))?,
            DataType::Bytes => {
                let mut out = Vec::new();
                cells::bytes(bytes, &mut out)?;
                Cell::Bytes(out)
            }
            DataType::Date => Cell::Date(cells::date(bytes)?),
            DataType::Timestamp => Cell::Timestamp(cells::timestamp(bytes)?),
            // No dataset declares one: its cells have no form of ours.
            DataType::Opaque => return None,
        })
    }

    fn filter(self, good: bool) -> Option<Self> {
        good.then_some(self)
    }

    /// What [`Cell::parse`] reads back; none of null.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Cell::Null => return None,
            Cell::Boolean(value) => value.to_string(),
            Cell::Int64(value) => value.to_string(),
            Cell::Float64(value) if value.is_infinite() => if *value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }
            .into(),
            Cell::Float64(value) => value.to_string(),
            Cell::Decimal(text) | Cell::Text(text) => text.clone(),
            Cell::Bytes(bytes) => written(|out| write_hex(bytes, out)),
            Cell::Date(days) => written(|out| write_date((*days).into(), out)),
            Cell::Timestamp(micros) => written(|out| write_timestamp(*micros, out)),
        })
    }

    /// A moment as our SQLite tables store it: always six digits of a second, so that the order
    /// of the text is the order of time.
    pub fn sqlite_timestamp(micros: i64) -> String {
        let seconds = written(|out| write_timestamp(micros - micros.rem_euclid(1_000_000), out));
        let whole = seconds.trim_end_matches('Z');
        format!("{whole}.{:06}Z", micros.rem_euclid(1_000_000))
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_from_their_spelling() {
        let decimal = DataType::Decimal {
            precision: 10,
            scale: 2,
        };
        for (text, data_type, shown) in [
            ("true", DataType::Boolean, "true"),
            ("-7", DataType::Int64, "-7"),
            ("1e3", DataType::Float64, "1000"),
            ("-Infinity", DataType::Float64, "-Infinity"),
            ("7.5", decimal, "7.50"),
            ("ä,\"b", DataType::Text, "ä,\"b"),
            ("\\x00FF", DataType::Bytes, "\\x00ff"),
            ("2024-02-29", DataType::Date, "2024-02-29"),
        ] {
            let cell = Cell::parse(text, data_type).unwrap();
            assert_eq!(cell.text().unwrap(), shown);
            assert_eq!(Cell::parse(shown, data_type).unwrap(), cell);
        }
        for (text, data_type) in [
            ("maybe", DataType::Boolean),
            ("1.5", DataType::Int64),
            ("NaN", DataType::Float64),
            ("7.555", decimal),
            ("a\0b", DataType::Text),
            ("00ff", DataType::Bytes),
            ("2023-02-29", DataType::Date),
            ("yesterday", DataType::Timestamp),
        ] {
            assert_eq!(Cell::parse(text, data_type), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_stored_with_six_digits() {
        let parse = |t| match Cell::parse(t, DataType::Timestamp).unwrap() {
            Cell::Timestamp(micros) => micros,
            other => panic!("{other:?}"),
        };
        for (text, stored) in [
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05.000000Z"),
            ("2024-01-02T03:04:05.5+01:00", "2024-01-02T02:04:05.500000Z"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Cell::sqlite_timestamp(parse(text)), stored);
        }
    }
}
