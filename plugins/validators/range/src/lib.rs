//! The validator `range`: finds numbers, dates and times outside of a range. It refuses to judge
//! nulls, which are `required`'s.

use glovebox_sdk::Value;
use glovebox_sdk::prelude::*;

/// Options of `range`; at least one of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The least value that is right.
    min: Option<Literal>,
    /// The greatest value that is right.
    max: Option<Literal>,
}

/// One rule for each granted column, and the bounds as its type.
#[derive(Debug)]
pub struct Range {
    rules: Vec<Rule>,
    bounds: Vec<Bounds>,
}

#[derive(Debug)]
struct Bounds {
    min: Option<Value>,
    max: Option<Value>,
}

impl Validator for Range {
    type Config = Config;
    const ABOUT: About = About::new(
        "range",
        env!("CARGO_PKG_VERSION"),
        "Finds numbers, dates and times outside a range.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, fields: &[Field]) -> Result<Self, ConfigError> {
        let Config { min, max } = config;
        let expected = "int64, float64, decimal, date or timestamp";
        expect_types(fields, expected, |data_type| {
            !matches!(
                data_type,
                DataType::Text | DataType::Bytes | DataType::Boolean
            )
        })?;
        let wrong = match (&min, &max) {
            (None, None) => return Err(ConfigError::new("", "write `min`, `max` or both")),
            (Some(min), Some(max)) => format!("is not from {min} to {max}"),
            (Some(min), None) => format!("is below {min}"),
            (None, Some(max)) => format!("is above {max}"),
        };

        let (mut rules, mut bounds) = (Vec::new(), Vec::new());
        for (column, field) in fields.iter().enumerate() {
            let read = |literal: &Option<Literal>, path| {
                literal
                    .as_ref()
                    .map(|literal| literal.read(field.data_type, path))
                    .transpose()
            };
            let (min, max) = (read(&min, "/min")?, read(&max, "/max")?);
            if let (Some(min), Some(max)) = (&min, &max)
                && min.as_cell() > max.as_cell()
            {
                return Err(ConfigError::new(
                    "/max",
                    "`max` is below `min`, so no value is allowed",
                ));
            }
            rules.push(Rule::of_column(
                "range",
                column,
                format!("`{}` {wrong}", field.name),
            ));
            bounds.push(Bounds { min, max });
        }
        Ok(Self { rules, bounds })
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings) {
        for ((rule, column), Bounds { min, max }) in batch.columns().enumerate().zip(&self.bounds) {
            let Some(cells) = column.cells() else {
                findings.add_all(rule, batch);
                continue;
            };
            let (min, max) = (
                min.as_ref().map(Value::as_cell),
                max.as_ref().map(Value::as_cell),
            );
            cells.for_each(|row, cell| {
                // NaN compares with nothing, and so is in no range.
                let within =
                    |cell| min.is_none_or(|min| cell >= min) && max.is_none_or(|max| cell <= max);
                if cell.is_some_and(|cell| !within(cell)) {
                    findings.add(rule, row);
                }
            });
        }
    }
}

export!(validator Range);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, validate};

    use super::Range;

    fn rows(config: &str, table: &Table) -> Vec<u32> {
        let validated = validate::<Range>(config, table).unwrap();
        validated.violations().iter().map(|(row, _)| *row).collect()
    }

    #[test]
    fn both_bounds_belong_to_the_range() {
        let table = Table::new().int64("n", [Some(-2), Some(-1), None, Some(3), Some(4)]);
        let validated = validate::<Range>(r#"{"min": -1, "max": 3}"#, &table).unwrap();
        assert_eq!(
            validated.violations(),
            [
                (0, "`n` is not from -1 to 3"),
                (4, "`n` is not from -1 to 3")
            ]
        );
        assert_eq!(rows(r#"{"min": 3}"#, &table), [0, 1]);
        assert_eq!(rows(r#"{"max": -2}"#, &table), [1, 3, 4]);
    }

    #[test]
    fn a_nan_is_in_no_range() {
        let table = Table::new().float64("x", [f64::NAN, f64::NEG_INFINITY, 0.5, f64::INFINITY]);
        assert_eq!(rows(r#"{"max": 1}"#, &table), [0, 3]);
        assert_eq!(rows(r#"{"min": 0.5}"#, &table), [0, 1]);
    }

    #[test]
    fn decimals_dates_and_times_are_judged_as_what_they_are() {
        let table = Table::new().decimal("price", 2, [Some(999_i128), Some(1000), None]);
        assert_eq!(rows(r#"{"max": 9.99}"#, &table), [1]);
        let table = Table::new().date("day", [Some(-1), Some(0), None]);
        assert_eq!(rows(r#"{"min": "1970-01-01"}"#, &table), [0]);
        let table = Table::new().timestamp("at", [Some(-1), Some(0), Some(1)]);
        assert_eq!(rows(r#"{"max": "1970-01-01T00:00:00Z"}"#, &table), [2]);
    }

    #[test]
    fn an_empty_batch_has_no_findings() {
        assert!(rows(r#"{"min": 1}"#, &Table::new().int64("n", [] as [i64; 0])).is_empty());
    }

    #[test]
    fn a_range_must_be_one_and_suit_the_columns() {
        let table = Table::new().int64("n", [1]);
        let path = |config| validate::<Range>(config, &table).unwrap_err().path;
        assert_eq!(path("{}"), "");
        assert_eq!(path(r#"{"min": 2, "max": 1}"#), "/max");
        assert_eq!(path(r#"{"min": 0.5}"#), "/min");
        assert_eq!(path(r#"{"min": 1, "step": 2}"#), "/step");
        let error = validate::<Range>(r#"{"min": 1}"#, &Table::new().text("t", ["a"])).unwrap_err();
        assert!(error.message.starts_with("column `t` is text"), "{error}");
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
