//! Which columns of an application's table can store which cells.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use glovebox_core::DataType;

use crate::database::decimal::{Digits, shown, significant};
use crate::database::set_aside::SetAside;

/// What a column asks of cells beside their type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing.
    Own,
    /// At most so many characters, as it is declared.
    Characters(usize),
    /// Text that SQLite would not take for a number.
    Words,
    /// Whole numbers that a float holds.
    Whole,
    /// Exact numbers that come back from SQLite's numbers as they went in.
    Number {
        /// The digits that the column declares.
        digits: Option<Digits>,
        /// Whether it keeps whole numbers.
        integer: bool,
        /// Whether it makes floats of them.
        real: bool,
    },
}

/// <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    /// Cells stay as they are.
    Blob,
    Real,
    Numeric,
}

fn affinity(declared: &str, strict: bool) -> Affinity {
    let has = |word: &str| declared.contains(word);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if has("BLOB") || declared.is_empty() || (strict && declared == "ANY") {
        Affinity::Blob
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// What a column of that declared type, in capitals, asks of such cells; none if it does not take
/// them.
pub(super) fn form(data_type: DataType, declared: &str, strict: bool) -> Option<Form> {
    use Affinity::{Blob, Integer, Numeric, Real, Text};
    let affinity = affinity(declared, strict);
    // Cells of any type stay as they are where none, or any, is declared.
    if affinity == Blob && !declared.contains("BLOB") {
        return (data_type != DataType::Opaque).then_some(Form::Own);
    }
    let has = |word: &str| declared.contains(word);
    let of_numbers = ["NUM", "DEC", "BOOL", "MONEY"].into_iter().any(has);
    let arguments = arguments(declared);
    Some(match (data_type, affinity) {
        (DataType::Boolean | DataType::Int64, Integer | Numeric) => Form::Own,
        (DataType::Int64, Real) => Form::Whole,
        (DataType::Float64, Real | Numeric) => Form::Own,
        (DataType::Decimal { .. } | DataType::Text, Text) => match arguments {
            Some((length, _)) => Form::Characters(length),
            None => Form::Own,
        },
        (DataType::Decimal { .. }, Integer | Real | Numeric) => Form::Number {
            digits: arguments.filter(|_| affinity == Numeric).and_then(digits),
            integer: affinity == Integer,
            real: affinity == Real,
        },
        (DataType::Text, Numeric) if !of_numbers => Form::Words,
        (DataType::Date | DataType::Timestamp, Text) => match arguments {
            Some((length, _)) if length < written(data_type) => return None,
            _ => Form::Own,
        },
        // What looks like a date looks like no number.
        (DataType::Date | DataType::Timestamp, Numeric) if has("DATE") || has("TIME") => Form::Own,
        (DataType::Bytes, Blob) => Form::Own,
        (DataType::Bytes, Numeric) if has("BINARY") => Form::Own,
        _ => return None,
    })
}

/// What to tell of the types that take such cells.
pub(super) fn accepted(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "INTEGER, or BOOLEAN or another of numeric affinity",
        DataType::Int64 => "INTEGER, or another of integer, numeric or real affinity",
        DataType::Float64 => "REAL, or another of real or numeric affinity",
        DataType::Decimal { .. } => "TEXT, or one of numeric, integer or real affinity",
        DataType::Text => "TEXT, or another of text affinity, such as VARCHAR(100)",
        DataType::Date | DataType::Timestamp => "TEXT, or DATE, DATETIME or TIMESTAMP",
        DataType::Bytes => "BLOB",
        DataType::Opaque => "another sink, since only PostgreSQL accepts opaque columns",
    }
}

/// The characters of a date or a time as they are stored.
fn written(data_type: DataType) -> usize {
    match data_type {
        DataType::Date => "2027-01-31".len(),
        _ => "2027-01-31T00:00:00.000000Z".len(),
    }
}

/// The numbers in parentheses of a declared type.
fn arguments(declared: &str) -> Option<(usize, Option<usize>)> {
    let (_, rest) = declared.split_once('(')?;
    let (inner, _) = rest.split_once(')')?;
    let mut numbers = inner.split(',').map(|n| n.trim().parse().ok());
    let first = numbers.next()??;
    Some((first, numbers.next().flatten()))
}

fn digits((precision, scale): (usize, Option<usize>)) -> Option<Digits> {
    Some(Digits {
        precision: i32::try_from(precision).ok()?,
        scale: i32::try_from(scale.unwrap_or(0)).ok()?,
    })
}

impl Form {
    /// Sets the rows aside whose cell the column does not take; none if it is of another type.
    pub(super) fn check(
        self,
        cells: &ArrayRef,
        name: &Arc<str>,
        aside: &mut SetAside,
    ) -> Option<()> {
        let mut look = |rule: &str, message: &str, fits: &dyn Fn(usize) -> bool| {
            for row in 0..cells.len() {
                if cells.is_valid(row) && !fits(row) {
                    aside.add(row, name, rule, message);
                }
            }
        };
        match self {
            Form::Own => {}
            Form::Characters(most) => {
                let message = format!("longer than the {most} characters that the column declares");
                let fits = |text: &str| text.len() <= most || text.chars().count() <= most;
                match cells.as_string_opt::<i32>() {
                    Some(a) => look("too-long", &message, &|row| fits(a.value(row))),
                    None => {
                        let a = cells.as_primitive_opt::<Decimal128Type>()?;
                        look("too-long", &message, &|row| fits(&a.value_as_string(row)));
                    }
                }
            }
            Form::Words => {
                let a = cells.as_string_opt::<i32>()?;
                let message = "text that looks like a number, which the column would convert";
                look("type", message, &|row| !looks_like_a_number(a.value(row)));
            }
            Form::Whole => {
                let a = cells.as_primitive_opt::<Int64Type>()?;
                let message = "an integer that the column's floats cannot represent";
                look("range", message, &|row| {
                    i128::from(a.value(row)) == (a.value(row) as f64) as i128
                });
            }
            Form::Number {
                digits,
                integer,
                real,
            } => {
                let a = cells.as_primitive_opt::<Decimal128Type>()?;
                let scale = u8::try_from(a.scale()).ok()?;
                let unit = Digits {
                    precision: 38,
                    scale: 0,
                };
                let message = match digits {
                    Some(digits) => format!("more digits than {digits} holds"),
                    None if integer => "not a 64-bit integer".into(),
                    None => "more than the 15 digits that SQLite's numbers can represent".into(),
                };
                look("range", &message, &|row| {
                    let value = a.value(row);
                    let declared = digits.is_none_or(|digits| digits.take(value, scale));
                    let whole = unit.take(value, scale)
                        && shown(value, scale)
                            .split('.')
                            .next()
                            .is_some_and(|whole| whole.parse::<i64>().is_ok());
                    let held = match (integer, real) {
                        (true, _) => whole && (scale == 0 || significant(value) <= 15),
                        (false, false) if scale == 0 => whole || significant(value) <= 15,
                        _ => significant(value) <= 15,
                    };
                    declared && held
                });
            }
        }
        Some(())
    }
}

/// Whether SQLite's numeric affinity would make a number of a text.
fn looks_like_a_number(text: &str) -> bool {
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r');
    let text = text.trim_matches(space);
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let text = text.to_ascii_lowercase();
    let (number, exponent) = match text.split_once('e') {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text.as_str(), None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mantissa = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let power = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa && power
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECIMAL: DataType = DataType::Decimal {
        precision: 12,
        scale: 2,
    };

    #[test]
    fn columns_as_applications_declare_them_take_their_cells() {
        for (data_type, declared, wanted) in [
            (DataType::Text, "VARCHAR(100)", Form::Characters(100)),
            (DataType::Text, "NVARCHAR(20)", Form::Characters(20)),
            (DataType::Text, "CLOB", Form::Own),
            (DataType::Text, "", Form::Own),
            (DataType::Text, "JSON", Form::Words),
            (DataType::Timestamp, "DATETIME", Form::Own),
            (DataType::Date, "DATE", Form::Own),
            (DataType::Int64, "INT", Form::Own),
            (DataType::Int64, "UNSIGNED BIG INT", Form::Own),
            (DataType::Int64, "NUMERIC", Form::Own),
            (DataType::Int64, "DOUBLE", Form::Whole),
            (DataType::Boolean, "BOOLEAN", Form::Own),
            (DataType::Boolean, "TINYINT(1)", Form::Own),
            (DataType::Float64, "DOUBLE PRECISION", Form::Own),
            (DataType::Float64, "NUMERIC", Form::Own),
            (DataType::Bytes, "VARBINARY(16)", Form::Own),
        ] {
            assert_eq!(form(data_type, declared, false), Some(wanted), "{declared}");
        }
        let found = form(DECIMAL, "DECIMAL(10,2)", false);
        let digits = Some(Digits {
            precision: 10,
            scale: 2,
        });
        let wanted = Form::Number {
            digits,
            integer: false,
            real: false,
        };
        assert_eq!(found, Some(wanted));
    }

    #[test]
    fn types_that_would_change_a_cell_are_refused() {
        for (data_type, declared) in [
            (DataType::Text, "INTEGER"),
            (DataType::Text, "DECIMAL(10,2)"),
            (DataType::Text, "BLOB"),
            (DataType::Int64, "TEXT"),
            (DataType::Float64, "INTEGER"),
            (DataType::Timestamp, "VARCHAR(20)"),
            (DataType::Timestamp, "NUMERIC"),
            (DataType::Bytes, "TEXT"),
            (DataType::Opaque, ""),
        ] {
            assert_eq!(form(data_type, declared, false), None, "{declared}");
        }
    }

    #[test]
    fn what_sqlite_makes_a_number_is_known() {
        for number in ["1", " -1.5 ", "+.5", "5.", "1e5", "1E-5", "007"] {
            assert!(looks_like_a_number(number), "{number}");
        }
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "0x10",
            "2027-01-31",
            "1 2",
            "NaN",
            "{}",
        ] {
            assert!(!looks_like_a_number(text), "{text}");
        }
    }
}
