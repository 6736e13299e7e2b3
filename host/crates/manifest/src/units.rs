//! Parses quantities: sizes, durations, shares, dates, column types.

use std::time::Duration;

use chrono::NaiveDate;
use glovebox_core::DataType;

use super::model::rejects::AtMost;
use super::near::closest;

const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

const TIMES: &[(&str, u64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// What to write where a size is asked for.
pub(crate) const SIZE_HELP: &str = "write an integer with B, KiB, MiB or GiB, like 64MiB";

/// What to write where a duration is asked for.
pub const TIME_HELP: &str = "write an integer with ms, s, min, h or d, like 500ms or 2s";

/// `64MiB`; none if it is not a size, or more than 64 bits.
pub fn size(text: &str) -> Option<u64> {
    quantity(text, SIZES)
}

/// `500ms`; none if it is not a duration.
pub fn duration(text: &str) -> Option<Duration> {
    quantity(text, TIMES).map(Duration::from_millis)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The size in the largest unit that fits it.
pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, SIZES)
}

/// The duration in the largest unit that fits it.
pub fn show_duration(duration: Duration) -> String {
    show(
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        TIMES,
    )
}

fn show(amount: u64, units: &[(&str, u64)]) -> String {
    let fits = units
        .iter()
        .find(|(_, factor)| amount >= *factor && amount.is_multiple_of(*factor));
    match fits.or(units.last()) {
        Some((name, factor)) => format!("{}{name}", amount / factor),
        None => amount.to_string(),
    }
}

/// `50%` or `12.5%`, 0 to 100.
pub(crate) fn share(text: &str) -> Option<AtMost> {
    let number = text.strip_suffix('%')?.trim_end();
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let percent: f64 = number.parse().ok()?;
    (0.0..=100.0)
        .contains(&percent)
        .then_some(AtMost::Share(percent / 100.0))
}

/// `2027-01-31`, a day that exists.
pub(crate) fn date(text: &str) -> Option<NaiveDate> {
    // chrono would read `2027-1-31` and `+2027-01-31` too.
    let shape = |(i, b): (usize, u8)| match i {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    };
    let is_shaped = text.len() == 10 && text.bytes().enumerate().all(shape);
    is_shaped.then(|| text.parse().ok()).flatten()
}

/// The names of the types, for messages.
pub(crate) const TYPES: &[&str] = &[
    "text",
    "int64",
    "float64",
    "boolean",
    "bytes",
    "date",
    "timestamp",
    "decimal",
];

/// Why a text is not a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotAType {
    /// No type of that name; perhaps this one was meant.
    Unknown(Option<&'static str>),
    /// `decimal` without its two numbers, or with ones that make no sense.
    Decimal,
}

/// `text`, `decimal(12,2)`.
pub(crate) fn data_type(text: &str) -> Result<DataType, NotAType> {
    Ok(match text {
        "text" => DataType::Text,
        "int64" => DataType::Int64,
        "float64" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "bytes" => DataType::Bytes,
        "date" => DataType::Date,
        "timestamp" => DataType::Timestamp,
        _ => return decimal(text),
    })
}

fn decimal(text: &str) -> Result<DataType, NotAType> {
    let Some(rest) = text.strip_prefix("decimal") else {
        return Err(NotAType::Unknown(meant(text)));
    };
    let numbers = rest
        .trim()
        .strip_prefix('(')
        .and_then(|r| r.strip_suffix(')'))
        .and_then(|r| r.split_once(','));
    let (precision, scale) = numbers.ok_or(NotAType::Decimal)?;
    let digits = |part: &str| part.trim().parse::<u8>().map_err(|_| NotAType::Decimal);
    let (precision, scale) = (digits(precision)?, digits(scale)?);
    if (1..=38).contains(&precision) && scale <= precision {
        Ok(DataType::Decimal { precision, scale })
    } else {
        Err(NotAType::Decimal)
    }
}

/// The type that other systems call so.
fn meant(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let base = lower.split('(').next().unwrap_or_default().trim();
    Some(match base {
        "string" | "str" | "varchar" | "char" | "utf8" | "uuid" | "json" => "text",
        "int" | "integer" | "bigint" | "long" | "int32" | "smallint" | "i64" => "int64",
        "float" | "double" | "number" | "real" | "f64" | "float32" => "float64",
        "bool" => "boolean",
        "binary" | "bytea" | "blob" => "bytes",
        "datetime" | "timestamptz" | "time" | "instant" => "timestamp",
        "numeric" | "money" => "decimal(12,2)",
        _ => return closest(base, TYPES.iter().copied()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_need_a_unit_they_know() {
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("0 B"), Some(0));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("2 min"), Some(Duration::from_secs(120)));
        assert_eq!(duration("90d"), Some(Duration::from_secs(7_776_000)));
        for bad in [
            "",
            "64",
            "MiB",
            "64MB",
            "-1B",
            "1.5MiB",
            "99999999999GiB",
            "64mib",
            "６B",
        ] {
            assert_eq!(size(bad), None, "{bad}");
        }
        for bad in ["1", "1m", "s", "1s1", "-1s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read() {
        for bytes in [0, 1, 1023, 1024, 1500, 64 << 20, 3 << 30] {
            assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
        for ms in [0, 1, 999, 1000, 60_000, 90_000, 7_200_000] {
            let d = Duration::from_millis(ms);
            assert_eq!(duration(&show_duration(d)), Some(d));
        }
    }

    #[test]
    fn shares_lie_between_nothing_and_all() {
        assert_eq!(share("50%"), Some(AtMost::Share(0.5)));
        assert_eq!(share("12.5 %"), Some(AtMost::Share(0.125)));
        for bad in ["50", "%", "101%", "-1%", "nan%", "1e1%", "inf%"] {
            assert_eq!(share(bad), None, "{bad}");
        }
        assert!(!AtMost::Share(0.5).exceeded_by(3, 6));
        assert!(AtMost::Share(0.5).exceeded_by(4, 6));
        assert!(AtMost::Rows(0).exceeded_by(1, 6));
    }

    #[test]
    fn dates_are_days_that_exist() {
        assert_eq!(
            date("2028-02-29").map(|d| d.to_string()),
            Some("2028-02-29".into())
        );
        for bad in [
            "2027-02-29",
            "2027-13-01",
            "2027-1-31",
            "31.1.2027",
            "2027-01-31-",
            "+027-01-01",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn types_are_read_as_they_are_shown() {
        for text in [
            "text",
            "int64",
            "float64",
            "boolean",
            "bytes",
            "date",
            "timestamp",
            "decimal(12,2)",
        ] {
            assert_eq!(data_type(text).map(|t| t.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(
            data_type("decimal( 38 , 0 )"),
            Ok(DataType::Decimal {
                precision: 38,
                scale: 0
            })
        );
        for bad in [
            "decimal",
            "decimal(39,0)",
            "decimal(2,3)",
            "decimal(0,0)",
            "decimal(1)",
        ] {
            assert_eq!(data_type(bad), Err(NotAType::Decimal), "{bad}");
        }
        assert_eq!(
            data_type("varchar(20)"),
            Err(NotAType::Unknown(Some("text")))
        );
        assert_eq!(
            data_type("flaot64"),
            Err(NotAType::Unknown(Some("float64")))
        );
        assert_eq!(data_type("zebra"), Err(NotAType::Unknown(None)));
    }
}
