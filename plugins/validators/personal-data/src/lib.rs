//! The validator `personal-data`: finds cells that look like personal data of some kinds. `glovebox
//! scan` asks it about columns; a step may ask it about rows. It refuses to judge whether a cell is
//! true, and looks at the first [`MAX_LEN`] bytes of it only.

mod address;
mod cell;
mod contact;
mod date;
mod kinds;
mod name;
mod number;
mod postcode;
mod text;

use glovebox_sdk::prelude::*;

use cell::Cell;
use kinds::{Kind, KindName};

/// Bytes of a cell that are looked at.
const MAX_LEN: usize = 4096;

/// Options of `personal-data`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What is looked for.
    #[schemars(length(min = 1))]
    kinds: Vec<KindName>,
}

/// For each granted column a rule of each kind.
#[derive(Debug)]
pub struct PersonalData {
    rules: Vec<Rule>,
    kinds: Vec<&'static Kind>,
}

impl Validator for PersonalData {
    type Config = Config;
    const ABOUT: About = About::new(
        "personal-data",
        env!("CARGO_PKG_VERSION"),
        "Finds cells that hold personal data.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(fields, "text", |data_type| data_type == DataType::Text)?;
        let mut kinds: Vec<&'static Kind> = Vec::new();
        for KindName(kind) in config.kinds {
            if kinds.iter().any(|other| other.name == kind.name) {
                let message = format!("`{}` is there twice", kind.name);
                return Err(ConfigError::new("/kinds", message));
            }
            kinds.push(kind);
        }
        if kinds.is_empty() {
            return Err(ConfigError::new("/kinds", "name a kind, like [email]"));
        }
        let rule = |(column, field): (usize, &Field), kind: &Kind| {
            let message = format!("`{}` has {}", field.name, kind.what);
            Rule::of_column(kind.name, column, message)
        };
        let columns = fields.iter().enumerate();
        let rules = columns.flat_map(|column| kinds.iter().map(move |kind| rule(column, kind)));
        Ok(Self {
            rules: rules.collect(),
            kinds,
        })
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings) {
        for (place, column) in batch.columns().enumerate() {
            let first = place * self.kinds.len();
            let Some(text) = column.text() else {
                findings.add_all(first, batch);
                continue;
            };
            for (row, cell) in text.iter().enumerate() {
                let Some(cell) = cell.and_then(Cell::new) else {
                    continue;
                };
                for (rule, kind) in (first..).zip(&self.kinds) {
                    if (kind.is)(&cell) {
                        findings.add(rule, row);
                    }
                }
            }
        }
    }
}

export!(validator PersonalData);

#[cfg(test)]
mod tests;
