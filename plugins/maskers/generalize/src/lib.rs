//! The masker `generalize`: makes numbers, dates and texts coarser. It refuses an option that
//! would leave a column of the step as it is.

use glovebox_sdk::calendar::{Civil, DAY};
use glovebox_sdk::prelude::*;
use glovebox_sdk::{Cells, Value};
use unicode_segmentation::UnicodeSegmentation as _;

/// Options of `generalize`; exactly one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Numbers become the lower bound of a bucket of this width.
    bucket: Option<Literal>,
    /// Dates and times become the start of this period.
    to: Option<Period>,
    /// Texts become their first so many characters.
    prefix: Option<u32>,
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// The 1st of January.
    Year,
    /// The 1st of the month.
    Month,
    /// Midnight UTC; for timestamps.
    Day,
}

/// What is done to columns, of which all have the types for it.
#[derive(Debug)]
pub enum Generalize {
    /// The bucket, which is read as the column's type for each column.
    Bucket(Literal),
    /// The period.
    To(Period),
    /// The number of characters.
    Prefix(usize),
}

impl Masker for Generalize {
    type Config = Config;
    const ABOUT: About = About::new(
        "generalize",
        env!("CARGO_PKG_VERSION"),
        "Makes numbers, dates and texts coarser.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, masks: &[Field], _fields: &[Field]) -> Result<Self, ConfigError> {
        match (config.bucket, config.to, config.prefix) {
            (Some(bucket), None, None) => {
                masks
                    .iter()
                    .try_for_each(|field| width(&bucket, field.data_type).map(|_| ()))?;
                Ok(Self::Bucket(bucket))
            }
            (None, Some(to), None) => {
                let (dates, days) = (DataType::Date, to == Period::Day);
                if days && masks.iter().any(|field| field.data_type == dates) {
                    return Err(ConfigError::new(
                        "/to",
                        "a date is already a day; choose `month`",
                    ));
                }
                expect_types(masks, "date or timestamp", |data_type| {
                    matches!(data_type, DataType::Date | DataType::Timestamp)
                })?;
                Ok(Self::To(to))
            }
            (None, None, Some(prefix)) => {
                expect_types(masks, "text", |data_type| data_type == DataType::Text)?;
                Ok(Self::Prefix(prefix as usize))
            }
            _ => Err(ConfigError::new(
                "",
                "write one of `bucket`, `to`, `prefix`",
            )),
        }
    }

    /// A number, date or time on a bound is its own mask; so is a text that is not longer.
    fn keeps(&self, _masked: &Field) -> Kept {
        match self {
            Self::Bucket(_) | Self::To(_) => Kept::Cells,
            Self::Prefix(count) => Kept::Characters(u32::try_from(*count).unwrap_or(u32::MAX)),
        }
    }

    fn mask(&self, column: &Column<'_>) -> Action {
        // A column that is not as `open` was told keeps nothing.
        self.replaced(column)
            .map_or(Action::Nullify(Target::Cells), Action::Replace)
    }
}

impl Generalize {
    fn replaced(&self, column: &Column<'_>) -> Option<NewColumn> {
        match (self, column.cells()?) {
            (Self::Bucket(bucket), cells) => {
                let width = width(bucket, column.field().data_type).ok()?;
                bucketed(&width, cells)
            }
            (Self::To(to), Cells::Date(cells)) => {
                Some(NewColumn::date(cells.iter().map(|cell| start(*to, cell?))))
            }
            (Self::To(to), Cells::Timestamp(cells)) => {
                let start = |micros: i64| {
                    let days = i32::try_from(micros.div_euclid(DAY)).ok()?;
                    i64::from(start(*to, days)?).checked_mul(DAY)
                };
                Some(NewColumn::timestamp(
                    cells
                        .iter()
                        .map(|cell| Some(start(cell?).unwrap_or(i64::MIN))),
                ))
            }
            (Self::Prefix(count), Cells::Text(cells)) => Some(NewColumn::text(
                cells.iter().map(|cell| Some(prefix(cell?, *count))),
            )),
            _ => None,
        }
    }
}

/// The width of a bucket as a number of the column's type.
fn width(bucket: &Literal, data_type: DataType) -> Result<Value, ConfigError> {
    let wrong = |message| Err(ConfigError::new("/bucket", message));
    let width = match data_type {
        DataType::Int64 | DataType::Float64 | DataType::Decimal(_) => {
            bucket.read(data_type, "/bucket")?
        }
        _ => return wrong("buckets are for int64, float64 and decimal columns"),
    };
    let positive = match width {
        Value::Int64(width) => width > 0,
        Value::Float64(width) => width > 0.0,
        Value::Decimal(width) => width > 0,
        _ => false,
    };
    // A number of an exact type that has no neighbour in its bucket stays what it is.
    let alone = matches!(width, Value::Int64(1) | Value::Decimal(1));
    match (positive, alone) {
        (true, false) => Ok(width),
        (true, true) => {
            wrong("each number would be its own bucket and stay unchanged; use a wider one")
        }
        (false, _) => wrong("a bucket must be wider than 0"),
    }
}

/// Each number's greatest multiple of the width that is not above it, so also for negative ones.
/// The least numbers of a type, whose bucket starts below it, become the type's least.
fn bucketed(width: &Value, cells: Cells<'_>) -> Option<NewColumn> {
    Some(match (width, cells) {
        (Value::Int64(width), Cells::Int64(cells)) => NewColumn::int64(
            cells
                .iter()
                .map(|cell| Some(cell?.div_euclid(*width).saturating_mul(*width))),
        ),
        (Value::Decimal(width), Cells::Decimal(cells)) => NewColumn::decimal(
            cells
                .iter()
                .map(|cell| Some(cell?.div_euclid(*width).saturating_mul(*width))),
        ),
        (Value::Float64(width), Cells::Float64(cells)) => NewColumn::float64(
            cells
                .iter()
                .map(|cell| Some((cell? / width).floor() * width)),
        ),
        _ => return None,
    })
}

/// The first day of a day's period; the least date for days whose period starts before it.
fn start(to: Period, days: i32) -> Option<i32> {
    let civil = Civil::from_days(days);
    let start = match to {
        Period::Day => civil,
        Period::Month => Civil { day: 1, ..civil },
        Period::Year => Civil {
            month: 1,
            day: 1,
            ..civil
        },
    };
    Some(start.days().unwrap_or(i32::MIN))
}

/// The first characters, as a reader takes them: a letter with its accents is one.
fn prefix(text: &str, count: usize) -> &str {
    let end = if text.is_ascii() {
        Some(count)
    } else {
        let mut characters = text.grapheme_indices(true);
        characters.nth(count).map(|(place, _)| place)
    };
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

export!(masker Generalize);

#[cfg(test)]
mod tests {
    use glovebox_sdk::calendar::{parse_date, parse_timestamp};
    use glovebox_sdk::testing::{Table, mask};

    use super::*;

    fn masked(config: &str, name: &str, table: &Table) -> Table {
        mask::<Generalize>(config, &[name], table).unwrap().table
    }

    #[test]
    fn numbers_become_their_buckets_lower_bound() {
        let table = Table::new()
            .int64("n", [Some(-1), Some(0), None, Some(19), Some(i64::MIN)])
            .float64(
                "x",
                [Some(-0.1), Some(0.0), None, Some(19.9), Some(f64::INFINITY)],
            )
            .decimal(
                "d",
                2,
                [Some(-1_i128), Some(0), None, Some(1999), Some(i128::MIN)],
            );
        let config = r#"{"bucket": 10}"#;
        let n = masked(config, "n", &table);
        assert_eq!(
            n.get_int64("n"),
            [Some(-10), Some(0), None, Some(10), Some(i64::MIN)]
        );
        let x = masked(config, "x", &table);
        assert_eq!(
            x.get_float64("x"),
            [
                Some(-10.0),
                Some(0.0),
                None,
                Some(10.0),
                Some(f64::INFINITY)
            ]
        );
        let d = masked(config, "d", &table);
        assert_eq!(
            d.get_decimal("d"),
            [Some(-1000), Some(0), None, Some(1000), Some(i128::MIN)]
        );
        let halves = masked(r#"{"bucket": 0.5}"#, "d", &table);
        assert_eq!(halves.get_decimal("d")[3], Some(1950));
    }

    #[test]
    fn days_become_the_start_of_their_period() {
        let days = ["2024-02-29", "1969-12-31", "2026-01-01"].map(parse_date);
        let table = Table::new().date("day", days.into_iter().chain([None, Some(i32::MIN)]));
        let months = ["2024-02-01", "1969-12-01", "2026-01-01"].map(parse_date);
        let month = masked(r#"{"to": "month"}"#, "day", &table);
        assert_eq!(
            month.get_date("day")[..4],
            [months[0], months[1], months[2], None]
        );
        let years = ["2024-01-01", "1969-01-01", "2026-01-01"].map(parse_date);
        let year = masked(r#"{"to": "year"}"#, "day", &table);
        assert_eq!(
            year.get_date("day"),
            [years[0], years[1], years[2], None, Some(i32::MIN)]
        );
    }

    #[test]
    fn times_become_the_start_of_their_period() {
        let at = parse_timestamp("1969-07-20T20:17:40.5Z");
        let table = Table::new().timestamp("at", [at, None, Some(i64::MIN)]);
        for (to, start) in [
            ("day", "1969-07-20"),
            ("month", "1969-07-01"),
            ("year", "1969-01-01"),
        ] {
            let times = masked(&format!(r#"{{"to": "{to}"}}"#), "at", &table);
            assert_eq!(
                times.get_timestamp("at")[..2],
                [parse_timestamp(start), None],
                "{to}"
            );
        }
    }

    #[test]
    fn texts_become_their_first_characters() {
        let table = Table::new().text("zip", [Some("8000-C"), Some("Ærøskøbing"), Some("é"), None]);
        let zip = masked(r#"{"prefix": 2}"#, "zip", &table);
        assert_eq!(
            zip.get_text("zip"),
            [Some("80"), Some("Ær"), Some("é"), None]
        );
        let accents = Table::new().text("zip", ["e\u{301}te\u{301}", "\u{e17}\u{e35}\u{e48}x"]);
        assert_eq!(
            masked(r#"{"prefix": 1}"#, "zip", &accents).get_text("zip"),
            [Some("e\u{301}"), Some("\u{e17}\u{e35}\u{e48}")]
        );
        let zip = masked(r#"{"prefix": 0}"#, "zip", &table);
        assert_eq!(zip.get_text("zip"), [Some(""), Some(""), Some(""), None]);
    }

    #[test]
    fn what_is_no_coarser_may_stay() {
        let table = Table::new().int64("n", [30]).text("zip", ["80"]);
        let keeps = |config, column| mask::<Generalize>(config, &[column], &table).unwrap().keeps;
        assert_eq!(keeps(r#"{"bucket": 10}"#, "n"), [Kept::Cells]);
        assert_eq!(keeps(r#"{"prefix": 2}"#, "zip"), [Kept::Characters(2)]);
    }

    #[test]
    fn an_empty_batch_stays_empty() {
        let table = Table::new().int64("n", [] as [i64; 0]);
        assert_eq!(masked(r#"{"bucket": 10}"#, "n", &table).rows(), 0);
    }

    #[test]
    fn options_must_suit_the_columns() {
        let table = Table::new()
            .int64("n", [1])
            .text("t", ["a"])
            .date("day", [1]);
        let path = |config, column| {
            mask::<Generalize>(config, &[column], &table)
                .unwrap_err()
                .path
        };
        assert_eq!(path("{}", "n"), "");
        assert_eq!(path(r#"{"bucket": 10, "prefix": 1}"#, "n"), "");
        assert_eq!(path(r#"{"bucket": 0}"#, "n"), "/bucket");
        assert_eq!(path(r#"{"bucket": -5}"#, "n"), "/bucket");
        assert_eq!(path(r#"{"bucket": 0.5}"#, "n"), "/bucket");
        assert_eq!(path(r#"{"bucket": 1}"#, "n"), "/bucket");
        let table = Table::new().decimal("d", 2, [1_i128]);
        let bucket = |config| mask::<Generalize>(config, &["d"], &table).map(|_| ());
        assert_eq!(bucket(r#"{"bucket": 0.01}"#).unwrap_err().path, "/bucket");
        assert!(bucket(r#"{"bucket": 0.02}"#).is_ok());
        assert!(bucket(r#"{"bucket": 1}"#).is_ok());
        assert_eq!(path(r#"{"bucket": 10}"#, "t"), "/bucket");
        assert_eq!(path(r#"{"to": "week"}"#, "day"), "/to");
        assert_eq!(path(r#"{"to": "day"}"#, "day"), "/to");
        assert_eq!(path(r#"{"to": "year"}"#, "n"), "");
        assert_eq!(path(r#"{"prefix": 1}"#, "n"), "");
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
