//! The transformer `keep`: keeps the rows whose cell fulfils a condition. It refuses to keep a row
//! without a cell, whatever the condition, because a null fulfils nothing.

mod condition;

use condition::{Comparison, Condition};
use glovebox_sdk::prelude::*;

/// Options of `keep`: the column, and one comparison.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The column that is looked at, one of the step's `reads`.
    column: String,
    /// Keeps cells that are this value.
    equals: Option<Literal>,
    /// Keeps texts that start with this one.
    starts_with: Option<String>,
    /// Keeps cells that are one of these values.
    #[serde(rename = "in")]
    is_in: Option<Vec<Literal>>,
    /// Keeps cells less (earlier) than this value.
    less_than: Option<Literal>,
    /// Keeps cells less (earlier) than this value, or equal to it.
    at_most: Option<Literal>,
    /// Keeps cells greater (later) than this value.
    greater_than: Option<Literal>,
    /// Keeps cells greater (later) than this value, or equal to it.
    at_least: Option<Literal>,
    /// Keeps the cells that the comparison would not; nulls are kept neither way.
    #[serde(default)]
    not: bool,
}

/// The condition, and the index of the column that it is about.
#[derive(Debug)]
pub struct Keep {
    column: usize,
    condition: Condition,
    not: bool,
}

impl Transformer for Keep {
    type Config = Config;
    const ABOUT: About = About::new(
        "keep",
        env!("CARGO_PKG_VERSION"),
        "Keeps rows by a column's cells.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, fields: &[Field], adds: &[Field]) -> Result<Self, ConfigError> {
        if !adds.is_empty() {
            return Err(ConfigError::new(
                "",
                "`keep` adds no columns; remove `adds:`",
            ));
        }
        let granted = fields
            .iter()
            .enumerate()
            .find(|(_, field)| field.name == config.column);
        let Some((column, field)) = granted else {
            let message = format!("add `{}` to the step's `reads:`", config.column);
            return Err(ConfigError::new("/column", message));
        };
        let not = config.not;
        let condition = Condition::new(config.comparison()?, field.data_type)?;
        Ok(Self {
            column,
            condition,
            not,
        })
    }

    fn apply(&self, batch: &Batch<'_>) -> Transformed {
        let none = || RowMask::all(batch.rows(), false);
        let column = batch.column(self.column);
        let kept = column.and_then(|column| self.condition.rows(&column, self.not));
        Transformed::keep(kept.unwrap_or_else(none))
    }
}

impl Config {
    fn comparison(self) -> Result<Comparison, ConfigError> {
        let given = [
            self.equals.map(Comparison::Equals),
            self.starts_with.map(Comparison::StartsWith),
            self.is_in.map(Comparison::In),
            self.less_than.map(Comparison::LessThan),
            self.at_most.map(Comparison::AtMost),
            self.greater_than.map(Comparison::GreaterThan),
            self.at_least.map(Comparison::AtLeast),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(comparison), None) => Ok(comparison),
            (Some(_), Some(second)) => {
                let message = "write one comparison per step; use two steps for two conditions";
                Err(ConfigError::new(second.path(), message))
            }
            (None, _) => Err(ConfigError::new(
                "",
                "write one of `equals`, `starts-with`, `in`, `less-than`, `at-most`, \
                 `greater-than`, `at-least`",
            )),
        }
    }
}

export!(transformer Keep);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, field, transform};

    use super::*;

    fn table() -> Table {
        Table::new()
            .text(
                "product",
                [
                    Some("Halal Mouse"),
                    None,
                    Some("Headphones"),
                    Some("Ḥalāl"),
                    Some(""),
                ],
            )
            .int64("n", [Some(-3), Some(0), None, Some(7), Some(8)])
            .float64(
                "x",
                [Some(-0.5), Some(f64::NAN), Some(1.0), None, Some(2.5)],
            )
            .decimal(
                "price",
                2,
                [Some(-100_i128), Some(0), Some(1999), None, Some(2000)],
            )
            .date("day", [Some(-1), Some(0), Some(1), Some(2), None])
            .timestamp(
                "at",
                [Some(-1), Some(0), Some(1_000_000), None, Some(2_000_000)],
            )
            .boolean(
                "ok",
                [Some(true), Some(false), None, Some(true), Some(false)],
            )
    }

    /// The numbers of the rows that are kept.
    fn kept(config: &str) -> Vec<u64> {
        transform::<Keep>(config, &[], &table())
            .unwrap()
            .view()
            .row_numbers()
            .collect()
    }

    fn wrong(config: &str) -> ConfigError {
        transform::<Keep>(config, &[], &table()).unwrap_err()
    }

    #[test]
    fn texts_are_kept() {
        assert_eq!(
            kept(r#"{"column": "product", "starts-with": "Halal"}"#),
            [0]
        );
        assert_eq!(
            kept(r#"{"column": "product", "starts-with": ""}"#),
            [0, 2, 3, 4]
        );
        assert_eq!(kept(r#"{"column": "product", "equals": "Ḥalāl"}"#), [3]);
        assert_eq!(
            kept(r#"{"column": "product", "in": ["", "Headphones"]}"#),
            [2, 4]
        );
        assert_eq!(kept(r#"{"column": "product", "less-than": "He"}"#), [0, 4]);
    }

    #[test]
    fn numbers_are_kept() {
        assert_eq!(kept(r#"{"column": "n", "less-than": 0}"#), [0]);
        assert_eq!(kept(r#"{"column": "n", "at-most": 0}"#), [0, 1]);
        assert_eq!(kept(r#"{"column": "n", "greater-than": 7}"#), [4]);
        assert_eq!(kept(r#"{"column": "n", "at-least": 7}"#), [3, 4]);
        assert_eq!(kept(r#"{"column": "n", "in": [8, -3, 8]}"#), [0, 4]);
        assert_eq!(kept(r#"{"column": "n", "in": []}"#), [] as [u64; 0]);
        assert_eq!(kept(r#"{"column": "x", "at-least": 1}"#), [2, 4]);
        assert_eq!(kept(r#"{"column": "x", "in": [1.0, 2.5]}"#), [2, 4]);
        assert_eq!(kept(r#"{"column": "price", "greater-than": 19.99}"#), [4]);
        assert_eq!(kept(r#"{"column": "price", "equals": "-1"}"#), [0]);
    }

    #[test]
    fn days_times_and_booleans_are_kept() {
        assert_eq!(
            kept(r#"{"column": "day", "at-least": "1970-01-02"}"#),
            [2, 3]
        );
        assert_eq!(
            kept(r#"{"column": "at", "less-than": "1970-01-01T00:00:00Z"}"#),
            [0]
        );
        assert_eq!(kept(r#"{"column": "ok", "equals": true}"#), [0, 3]);
    }

    #[test]
    fn not_keeps_the_others_but_never_nulls() {
        assert_eq!(
            kept(r#"{"column": "product", "starts-with": "Ha", "not": true}"#),
            [2, 3, 4]
        );
        assert_eq!(
            kept(r#"{"column": "ok", "equals": true, "not": true}"#),
            [1, 4]
        );
        assert_eq!(
            kept(r#"{"column": "x", "less-than": 9, "not": true}"#),
            [1],
            "NaN is not less"
        );
    }

    #[test]
    fn an_empty_batch_keeps_nothing() {
        let table = Table::new().text("product", [] as [&str; 0]);
        let config = r#"{"column": "product", "equals": "x"}"#;
        assert_eq!(transform::<Keep>(config, &[], &table).unwrap().rows(), 0);
    }

    #[test]
    fn a_wrong_block_is_refused_with_its_place() {
        assert_eq!(wrong("{}").message, "missing field `column`");
        assert_eq!(
            wrong(r#"{"column": "secret", "equals": 1}"#).path,
            "/column"
        );
        assert_eq!(wrong(r#"{"column": "n"}"#).path, "");
        assert_eq!(
            wrong(r#"{"column": "n", "equals": 1, "at-least": 2}"#).path,
            "/at-least"
        );
        assert_eq!(wrong(r#"{"column": "n", "equals": 1.5}"#).path, "/equals");
        assert_eq!(wrong(r#"{"column": "n", "in": [1, "2"]}"#).path, "/in/1");
        assert_eq!(
            wrong(r#"{"column": "n", "starts-with": "1"}"#).path,
            "/starts-with"
        );
        assert_eq!(
            wrong(r#"{"column": "ok", "less-than": true}"#).path,
            "/less-than"
        );
        assert_eq!(
            wrong(r#"{"column": "day", "equals": "2026-02-30"}"#).path,
            "/equals"
        );
        assert_eq!(wrong(r#"{"column": "n", "equal": 1}"#).path, "/equal");
        let adds = [field("id", DataType::Text)];
        let config = r#"{"column": "n", "equals": 1}"#;
        let error = transform::<Keep>(config, &adds, &table()).unwrap_err();
        assert_eq!(error.message, "`keep` adds no columns; remove `adds:`");
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
