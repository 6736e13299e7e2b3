//! The validator `length`: finds texts that are too short or too long. It refuses to judge nulls,
//! which are `required`'s.

use glovebox_sdk::prelude::*;

/// Options of `length`; `min`, `max` or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The least length that is right.
    min: Option<u32>,
    /// The greatest length that is right.
    max: Option<u32>,
    /// What is counted.
    #[serde(default)]
    unit: Unit,
}

/// What a text's length counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Unicode scalar values, as PostgreSQL counts for `varchar(n)`.
    #[default]
    Characters,
    /// Bytes of UTF-8.
    Bytes,
}

/// One rule for each granted column, and the lengths that are right.
#[derive(Debug)]
pub struct Length {
    rules: Vec<Rule>,
    right: std::ops::RangeInclusive<usize>,
    unit: Unit,
}

impl Validator for Length {
    type Config = Config;
    const ABOUT: About = About::new(
        "length",
        env!("CARGO_PKG_VERSION"),
        "Finds texts that are too short or too long.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, fields: &[Field]) -> Result<Self, ConfigError> {
        let Config { min, max, unit } = config;
        expect_types(fields, "text", |data_type| data_type == DataType::Text)?;
        let units = match unit {
            Unit::Characters => "characters",
            Unit::Bytes => "bytes",
        };
        let wrong = match (min, max) {
            (None, None) => return Err(ConfigError::new("", "write `min`, `max` or both")),
            (Some(min), Some(max)) if min > max => {
                return Err(ConfigError::new(
                    "/max",
                    "`max` is below `min`, so no length is allowed",
                ));
            }
            (Some(min), Some(max)) => format!("is not {min} to {max} {units} long"),
            (Some(min), None) => format!("is shorter than {min} {units}"),
            (None, Some(max)) => format!("is longer than {max} {units}"),
        };
        let rule = |(column, field): (usize, &Field)| {
            Rule::of_column("length", column, format!("`{}` {wrong}", field.name))
        };
        let rules = fields.iter().enumerate().map(rule).collect();
        let right = min.unwrap_or(0) as usize..=max.map_or(usize::MAX, |max| max as usize);
        Ok(Self { rules, right, unit })
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings) {
        for (rule, column) in batch.columns().enumerate() {
            let Some(text) = column.text() else {
                findings.add_all(rule, batch);
                continue;
            };
            for (row, cell) in text.iter().enumerate() {
                let length = cell.map(|cell| match self.unit {
                    Unit::Characters => cell.chars().count(),
                    Unit::Bytes => cell.len(),
                });
                if length.is_some_and(|length| !self.right.contains(&length)) {
                    findings.add(rule, row);
                }
            }
        }
    }
}

export!(validator Length);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, validate};

    use super::Length;

    fn names() -> Table {
        Table::new().text(
            "name",
            [Some(""), Some("é"), None, Some("née"), Some("nées")],
        )
    }

    fn rows(config: &str) -> Vec<u32> {
        let validated = validate::<Length>(config, &names()).unwrap();
        validated.violations().iter().map(|(row, _)| *row).collect()
    }

    #[test]
    fn both_bounds_are_right() {
        assert_eq!(rows(r#"{"min": 1, "max": 3}"#), [0, 4]);
        assert_eq!(rows(r#"{"min": 3}"#), [0, 1]);
        assert_eq!(rows(r#"{"max": 0}"#), [1, 3, 4]);
        let validated = validate::<Length>(r#"{"max": 3}"#, &names()).unwrap();
        assert_eq!(
            validated.violations(),
            [(4, "`name` is longer than 3 characters")]
        );
    }

    #[test]
    fn bytes_may_be_counted() {
        assert_eq!(rows(r#"{"min": 2, "max": 4, "unit": "bytes"}"#), [0, 4]);
    }

    #[test]
    fn an_empty_batch_has_no_findings() {
        let table = Table::new().text("name", [] as [&str; 0]);
        assert_eq!(
            validate::<Length>(r#"{"min": 1}"#, &table)
                .unwrap()
                .findings,
            []
        );
    }

    #[test]
    fn lengths_must_be_possible() {
        let path = |config| validate::<Length>(config, &names()).unwrap_err().path;
        assert_eq!(path("{}"), "");
        assert_eq!(path(r#"{"min": 2, "max": 1}"#), "/max");
        assert_eq!(path(r#"{"min": -1}"#), "/min");
        assert_eq!(path(r#"{"max": 1, "unit": "words"}"#), "/unit");
        let table = Table::new().int64("n", [1]);
        assert_eq!(
            validate::<Length>(r#"{"min": 1}"#, &table)
                .unwrap_err()
                .path,
            ""
        );
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
