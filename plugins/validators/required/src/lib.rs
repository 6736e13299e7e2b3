//! The validator `required`: finds cells that are missing. It refuses to judge what is there.

use glovebox_sdk::prelude::*;

/// Options of `required`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Whether a text without characters counts as there.
    #[serde(default)]
    allow_empty: bool,
}

/// One rule for each granted column.
#[derive(Debug)]
pub struct Required {
    allow_empty: bool,
    rules: Vec<Rule>,
}

impl Validator for Required {
    type Config = Config;
    const ABOUT: About = About::new(
        "required",
        env!("CARGO_PKG_VERSION"),
        "Finds cells that are missing.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, fields: &[Field]) -> Result<Self, ConfigError> {
        let rule = |(column, field): (usize, &Field)| {
            Rule::of_column("required", column, format!("`{}` is missing", field.name))
        };
        let rules = fields.iter().enumerate().map(rule).collect();
        Ok(Self {
            allow_empty: config.allow_empty,
            rules,
        })
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings) {
        for (rule, column) in batch.columns().enumerate() {
            let mut missing = |row| findings.add(rule, row);
            match column.text() {
                Some(text) if !self.allow_empty => {
                    let empty = |(_, cell): &(usize, Option<&str>)| cell.is_none_or(str::is_empty);
                    text.iter()
                        .enumerate()
                        .filter(empty)
                        .for_each(|(row, _)| missing(row));
                }
                _ => (0..batch.rows())
                    .filter(|row| !column.is_present(*row))
                    .for_each(missing),
            }
        }
    }
}

export!(validator Required);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, validate};

    use super::Required;

    fn people() -> Table {
        let ages = [Some(30), None, Some(0), None];
        Table::new()
            .text("name", [Some("Ann"), Some(""), None, Some("é")])
            .int64("age", ages)
    }

    #[test]
    fn nulls_and_empty_texts_are_missing() {
        let validated = validate::<Required>("", &people()).unwrap();
        assert_eq!(
            validated.violations(),
            [
                (1, "`name` is missing"),
                (1, "`age` is missing"),
                (2, "`name` is missing"),
                (3, "`age` is missing")
            ]
        );
        assert!(validated.rules.iter().all(|rule| rule.id == "required"));
    }

    #[test]
    fn empty_texts_may_be_allowed() {
        let validated = validate::<Required>(r#"{"allow-empty": true}"#, &people()).unwrap();
        assert_eq!(validated.findings, [(0, vec![2]), (1, vec![1, 3])]);
    }

    #[test]
    fn an_empty_batch_has_no_findings() {
        let table = Table::new().text("name", [] as [&str; 0]);
        assert_eq!(validate::<Required>("{}", &table).unwrap().findings, []);
    }

    #[test]
    fn unknown_options_are_refused_by_name() {
        let error = validate::<Required>(r#"{"allow-blank": true}"#, &people()).unwrap_err();
        assert_eq!(error.path, "/allow-blank");
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
