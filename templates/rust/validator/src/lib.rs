//! Finds texts that are too short. Nulls are none of its business: `required` finds those.

use glovebox_sdk::prelude::*;

/// The step's `with:` block; these comments become its JSON Schema.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("examples" = [{ "min-length": 3 }]))]
struct Options {
    /// The least number of characters that is right.
    min_length: u32,
}

struct MinLength {
    rules: Vec<Rule>,
    least: usize,
}

impl Validator for MinLength {
    type Config = Options;
    const ABOUT: About = About::new(
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        "Finds texts that are too short.",
    );

    fn open(options: Options, fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(fields, "text", |data_type| data_type == DataType::Text)?;
        let least = options.min_length as usize;
        let rule = |(column, field): (usize, &Field)| {
            let message = format!("`{}` has fewer than {least} characters", field.name);
            Rule::of_column("min-length", column, message)
        };
        let rules = fields.iter().enumerate().map(rule).collect();
        Ok(MinLength { rules, least })
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
                if cell.is_some_and(|cell| cell.chars().count() < self.least) {
                    findings.add(rule, row);
                }
            }
        }
    }
}

export!(validator MinLength);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, validate};

    use super::MinLength;

    #[test]
    fn short_names_are_found_and_nulls_are_not() {
        let table = Table::new().text("name", [Some("Zoë"), Some("Bo"), None]);
        let validated = validate::<MinLength>(r#"{"min-length": 3}"#, &table).unwrap();
        let message = "`name` has fewer than 3 characters";
        assert_eq!(validated.violations(), [(1, message)]);
    }
}
