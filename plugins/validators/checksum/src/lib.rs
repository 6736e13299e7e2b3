//! The validator `checksum`: finds texts that are not a number of some kind, by its check digits and
//! its form. It refuses to judge nulls, which are `required`'s, and whether a number was ever issued.

mod kinds;

use glovebox_numbers::Kind;
use glovebox_sdk::prelude::*;

use kinds::KindName;

/// Options of `checksum`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What the cells must be.
    kind: KindName,
    /// The characters that may stand between others, one at a time.
    #[serde(default = "spaces_and_hyphens")]
    separators: String,
}

fn spaces_and_hyphens() -> String {
    " -".to_owned()
}

/// One rule for each granted column, and what its cells must be.
#[derive(Debug)]
pub struct Checksum {
    rules: Vec<Rule>,
    kind: &'static Kind,
    separators: String,
}

impl Validator for Checksum {
    type Config = Config;
    const ABOUT: About = About::new(
        "checksum",
        env!("CARGO_PKG_VERSION"),
        "Finds numbers whose check digits are wrong.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(fields, "text", |data_type| data_type == DataType::Text)?;
        let Config {
            kind: KindName(kind),
            separators,
        } = config;
        if separators.contains(|c: char| c.is_ascii_alphanumeric()) {
            let message = "a letter or digit is part of a number; leave it out";
            return Err(ConfigError::new("/separators", message));
        }
        let rule = |(column, field): (usize, &Field)| {
            let message = format!("`{}` is not {}", field.name, kind.what);
            Rule::of_column(kind.name, column, message)
        };
        Ok(Self {
            rules: fields.iter().enumerate().map(rule).collect(),
            kind,
            separators,
        })
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings) {
        let mut number = Vec::new();
        for (rule, column) in batch.columns().enumerate() {
            let Some(text) = column.text() else {
                findings.add_all(rule, batch);
                continue;
            };
            for (row, cell) in text.iter().enumerate() {
                let Some(cell) = cell else { continue };
                if !(self.compact(cell, &mut number) && (self.kind.check)(&number)) {
                    findings.add(rule, row);
                }
            }
        }
    }
}

impl Checksum {
    /// Puts a cell without its separators, and with capitals, into `number`. `false` if a separator
    /// is at an end or beside another, or if the cell is not of ASCII.
    fn compact(&self, cell: &str, number: &mut Vec<u8>) -> bool {
        number.clear();
        let mut separated = true;
        for character in cell.chars() {
            // Most are letters and digits, of which `open` has seen to it that none separates.
            let separator =
                !character.is_ascii_alphanumeric() && self.separators.contains(character);
            if separator && separated || !separator && !character.is_ascii() {
                return false;
            }
            separated = separator;
            if let (false, Ok(byte)) = (separator, u8::try_from(character)) {
                number.push(byte.to_ascii_uppercase());
            }
        }
        !separated
    }
}

export!(validator Checksum);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, validate};

    use glovebox_numbers::KINDS;

    use super::Checksum;

    fn rows(config: &str, cells: impl IntoIterator<Item = Option<&'static str>>) -> Vec<u32> {
        let table = Table::new().text("n", cells);
        let validated = validate::<Checksum>(config, &table).unwrap();
        validated.violations().iter().map(|(row, _)| *row).collect()
    }

    #[test]
    fn a_finding_names_the_column_and_what_it_is_not() {
        let table = Table::new().text("account", [Some("DE89370400440532013001"), None]);
        let validated = validate::<Checksum>(r#"{"kind": "iban"}"#, &table).unwrap();
        assert_eq!(validated.violations(), [(0, "`account` is not an IBAN")]);
    }

    #[test]
    fn separators_stand_one_at_a_time_between_characters() {
        let cells = [
            "79927398713",
            "7992-7398 713",
            "",
            " 79927398713",
            "79927398713-",
            "7992--7398713",
            "7992.7398713",
            "-",
            "7992\u{a0}7398713",
        ];
        assert_eq!(
            rows(r#"{"kind": "luhn"}"#, cells.map(Some)),
            [2, 3, 4, 5, 6, 7, 8]
        );
        let strict = r#"{"kind": "luhn", "separators": ""}"#;
        assert_eq!(rows(strict, cells.map(Some)), [1, 2, 3, 4, 5, 6, 7, 8]);
        let others = "{\"kind\": \"luhn\", \"separators\": \".\u{a0}\"}";
        assert_eq!(rows(others, cells.map(Some)), [1, 2, 3, 4, 5, 7]);
    }

    #[test]
    fn letters_of_both_cases_and_digits_of_ascii_alone_are_read() {
        let cells = [
            "gb82 west 1234 5698 7654 32",
            "GB82 WEST 1234 5698 7654 3２",
        ];
        assert_eq!(rows(r#"{"kind": "iban"}"#, cells.map(Some)), [1]);
    }

    #[test]
    fn an_empty_batch_has_no_findings() {
        assert!(rows(r#"{"kind": "luhn"}"#, []).is_empty());
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let table = Table::new().text("n", ["1"]);
        let error = |config| validate::<Checksum>(config, &table).unwrap_err();
        let unknown = error(r#"{"kind": "lun"}"#);
        assert_eq!(unknown.path, "/kind");
        assert!(unknown.message.contains("`luhn`"), "{unknown}");
        assert_eq!(
            error(r#"{"kind": "luhn", "separators": "x"}"#).path,
            "/separators"
        );
        assert_eq!(error("{}").message, "missing field `kind`");
        let numbers = Table::new().int64("n", [18]);
        let error = validate::<Checksum>(r#"{"kind": "luhn"}"#, &numbers).unwrap_err();
        assert!(error.message.starts_with("column `n` is int64"), "{error}");
    }

    #[test]
    fn the_manual_has_each_kind_as_it_is_declared() {
        let table: String = KINDS
            .iter()
            .map(|kind| format!("| `{}` | {} | {} |\n", kind.name, kind.what, kind.source))
            .collect();
        let manual = include_str!("../DOCS.md");
        assert!(manual.contains(&table), "write into DOCS.md:\n{table}");
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
