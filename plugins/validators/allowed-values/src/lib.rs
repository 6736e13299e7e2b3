//! The validator `allowed-values`: finds cells that are not among some values. It refuses to judge
//! nulls, which are `required`'s.

use std::cmp::Ordering;

use glovebox_sdk::prelude::*;
use glovebox_sdk::{Cell, Value};
use unicase::UniCase;
use unicode_normalization::UnicodeNormalization as _;

/// Options of `allowed-values`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The values that are right; at least one.
    values: Vec<Literal>,
    /// Whether upper and lower case are the same.
    #[serde(default)]
    ignore_case: bool,
}

/// One rule for each granted column, and the values as its type.
#[derive(Debug)]
pub struct AllowedValues {
    rules: Vec<Rule>,
    /// Sorted, and folded where case is ignored.
    allowed: Vec<Vec<Value>>,
    ignore_case: bool,
}

impl Validator for AllowedValues {
    type Config = Config;
    const ABOUT: About = About::new(
        "allowed-values",
        env!("CARGO_PKG_VERSION"),
        "Finds cells that are not in a list of values.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, fields: &[Field]) -> Result<Self, ConfigError> {
        let Config {
            values,
            ignore_case,
        } = config;
        if values.is_empty() {
            return Err(ConfigError::new("/values", "write at least one value"));
        }
        if ignore_case && fields.iter().any(|field| field.data_type != DataType::Text) {
            return Err(ConfigError::new(
                "/ignore-case",
                "only text columns have case",
            ));
        }
        let read = |field: &Field| {
            let values = values.iter().enumerate().map(|(place, literal)| {
                let value = literal.read(field.data_type, &format!("/values/{place}"))?;
                Ok(match value {
                    Value::Text(text) if ignore_case => Value::Text(folded(&text)),
                    value => value,
                })
            });
            let mut values = values.collect::<Result<Vec<Value>, ConfigError>>()?;
            values.sort_by(|a, b| order(a, b.as_cell()));
            Ok(values)
        };
        let allowed = fields.iter().map(read).collect::<Result<_, _>>()?;
        let rule = |(column, field): (usize, &Field)| {
            let message = format!("`{}` is not an allowed value", field.name);
            Rule::of_column("allowed-values", column, message)
        };
        Ok(Self {
            rules: fields.iter().enumerate().map(rule).collect(),
            allowed,
            ignore_case,
        })
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings) {
        let mut lower = String::new();
        for ((rule, column), allowed) in batch.columns().enumerate().zip(&self.allowed) {
            let Some(cells) = column.cells() else {
                findings.add_all(rule, batch);
                continue;
            };
            cells.for_each(|row, cell| {
                let right = match cell {
                    None => true,
                    Some(Cell::Text(text)) if self.ignore_case => {
                        if text.is_ascii() {
                            lower.clear();
                            lower.push_str(text);
                            lower.make_ascii_lowercase();
                        } else {
                            lower = folded(text);
                        }
                        is_among(allowed, Cell::Text(&lower))
                    }
                    Some(cell) => is_among(allowed, cell),
                };
                if !right {
                    findings.add(rule, row);
                }
            });
        }
    }
}

/// The form in which texts are the same if they differ only in case: by full case folding, with
/// accents taken apart before and after (The Unicode Standard, section 3.13, D145).
fn folded(text: &str) -> String {
    let apart: String = text.nfd().collect();
    UniCase::unicode(apart.as_str())
        .to_folded_case()
        .nfd()
        .collect()
}

fn is_among(allowed: &[Value], cell: Cell<'_>) -> bool {
    allowed.binary_search_by(|value| order(value, cell)).is_ok()
}

/// Puts a cell without a place in the order, which NaN is, beside every value.
fn order(value: &Value, cell: Cell<'_>) -> Ordering {
    value.as_cell().partial_cmp(&cell).unwrap_or(Ordering::Less)
}

export!(validator AllowedValues);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, validate};

    use super::AllowedValues;

    fn rows(config: &str, table: &Table) -> Vec<u32> {
        let validated = validate::<AllowedValues>(config, table).unwrap();
        validated.violations().iter().map(|(row, _)| *row).collect()
    }

    #[test]
    fn cells_outside_of_the_values_are_found() {
        let table = Table::new().text("state", [Some("open"), Some("Open"), None, Some("")]);
        let config = r#"{"values": ["shut", "open"]}"#;
        let validated = validate::<AllowedValues>(config, &table).unwrap();
        assert_eq!(
            validated.violations(),
            [
                (1, "`state` is not an allowed value"),
                (3, "`state` is not an allowed value")
            ]
        );
    }

    #[test]
    fn case_may_be_ignored_in_every_script() {
        let table = Table::new().text("city", ["ÅRHUS", "århus", "OSLO", "Ærø", "Lima"]);
        let config = r#"{"values": ["Århus", "Oslo", "ÆRØ"], "ignore-case": true}"#;
        assert_eq!(rows(config, &table), [4]);
    }

    #[test]
    fn case_is_folded_in_full() {
        for (value, same, other) in [
            (
                "straße",
                &["STRASSE", "Strasse", "STRA\u{1e9e}E"][..],
                "strase",
            ),
            ("ὀδυσσεύς", &["ὈΔΥΣΣΕΎΣ", "ὀδυσσεύσ"], "ὀδυσσεύ"),
            ("\u{2126}", &["ω", "Ω"], "o"),
            ("\u{212a}elvin", &["KELVIN", "kelvin"], "celvin"),
            ("İ", &["i\u{307}", "I\u{307}"], "ı"),
            ("ＡＢ", &["ａｂ"], "ab"),
            ("\u{fb01}n", &["FIN", "fin"], "fn"),
            ("café", &["CAFÉ", "cafe\u{301}", "CAFE\u{301}"], "cafe"),
            ("ǆ", &["Ǆ", "ǅ"], "dž"),
            ("ſ", &["s", "S"], "f"),
            ("I", &["i"], "ı"),
        ] {
            let config = format!(r#"{{"values": ["{value}"], "ignore-case": true}}"#);
            let mut cells = same.to_vec();
            cells.extend([value, other]);
            let wrong = u32::try_from(same.len() + 1).unwrap();
            let table = Table::new().text("t", cells);
            assert_eq!(rows(&config, &table), [wrong], "{value}");
        }
        // Without it nothing is folded, nor composed.
        let table = Table::new().text("t", ["cafe\u{301}"]);
        assert_eq!(rows(r#"{"values": ["café"]}"#, &table), [0]);
    }

    #[test]
    fn other_types_are_judged_as_what_they_are() {
        let table = Table::new().int64("n", [Some(-1), Some(2), None, Some(3)]);
        assert_eq!(rows(r#"{"values": [3, -1, 3]}"#, &table), [1]);
        let table = Table::new().decimal("d", 1, [5_i128, 50]);
        assert_eq!(rows(r#"{"values": [0.5]}"#, &table), [1]);
        let table = Table::new().float64("x", [f64::NAN, 0.5]);
        assert_eq!(rows(r#"{"values": [0.5, 1]}"#, &table), [0]);
        let table = Table::new().boolean("b", [true, false]);
        assert_eq!(rows(r#"{"values": [true]}"#, &table), [1]);
        let table = Table::new().date("day", [0, 1]);
        assert_eq!(rows(r#"{"values": ["1970-01-02"]}"#, &table), [0]);
    }

    #[test]
    fn an_empty_batch_has_no_findings() {
        assert!(
            rows(
                r#"{"values": ["a"]}"#,
                &Table::new().text("t", [] as [&str; 0])
            )
            .is_empty()
        );
    }

    #[test]
    fn values_must_be_given_and_suit_the_columns() {
        let table = Table::new().int64("n", [1]);
        let path = |config| validate::<AllowedValues>(config, &table).unwrap_err().path;
        assert_eq!(path(r#"{"values": []}"#), "/values");
        assert_eq!(path(r#"{"values": [1, "two"]}"#), "/values/1");
        assert_eq!(path(r#"{"values": [1, null]}"#), "/values/1");
        assert_eq!(
            path(r#"{"values": [1], "ignore-case": true}"#),
            "/ignore-case"
        );
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
