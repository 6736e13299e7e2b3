//! The validator `pattern`: finds texts that do not match a regular expression. It refuses
//! expressions that compile to more than a limit; matching takes time linear in a text's length.

use glovebox_sdk::prelude::*;
use regex::{Regex, RegexBuilder};

/// The most bytes that a compiled expression, and the automaton built from it, may take.
const MAX_BYTES: usize = 1 << 20;

/// Options of `pattern`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// A regular expression in the syntax of the Rust crate `regex`.
    regex: String,
    /// Whether a match anywhere in the text will do; otherwise the whole text must match.
    #[serde(default)]
    anywhere: bool,
}

/// One rule for each granted column, and the compiled expression.
#[derive(Debug)]
pub struct Pattern {
    rules: Vec<Rule>,
    regex: Regex,
}

impl Validator for Pattern {
    type Config = Config;
    const ABOUT: About = About::new(
        "pattern",
        env!("CARGO_PKG_VERSION"),
        "Finds texts that do not match a regular expression.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(fields, "text", |data_type| data_type == DataType::Text)?;
        let mut regex = compile(&config.regex)?;
        if !config.anywhere {
            // Compiled alone before, it cannot close the group that it is put into here.
            regex = compile(&format!(r"\A(?:{})\z", config.regex))?;
        }
        let rule = |(column, field): (usize, &Field)| {
            let message = format!("`{}` does not match the pattern", field.name);
            Rule::of_column("pattern", column, message)
        };
        Ok(Self {
            rules: fields.iter().enumerate().map(rule).collect(),
            regex,
        })
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
                if cell.is_some_and(|cell| !self.regex.is_match(cell)) {
                    findings.add(rule, row);
                }
            }
        }
    }
}

fn compile(regex: &str) -> Result<Regex, ConfigError> {
    let limited = RegexBuilder::new(regex)
        .size_limit(MAX_BYTES)
        .dfa_size_limit(MAX_BYTES)
        .build();
    limited.map_err(|error| {
        let message = match error {
            regex::Error::CompiledTooBig(_) => {
                format!("the expression takes more than {MAX_BYTES} bytes; write a shorter one")
            }
            // The crate draws the place over several lines and says what is wrong in the last.
            error => {
                let text = error.to_string();
                let last = text.lines().next_back().unwrap_or_default();
                last.trim_start_matches("error: ").to_owned()
            }
        };
        ConfigError::new("/regex", message)
    })
}

export!(validator Pattern);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, validate};

    use super::Pattern;

    fn table() -> Table {
        Table::new().text(
            "zip",
            [
                Some("12345"),
                Some("1234"),
                None,
                Some("x12345"),
                Some("12345\n"),
            ],
        )
    }

    fn rows(config: &str) -> Vec<u32> {
        let validated = validate::<Pattern>(config, &table()).unwrap();
        validated.violations().iter().map(|(row, _)| *row).collect()
    }

    #[test]
    fn the_whole_text_must_match() {
        assert_eq!(rows(r#"{"regex": "[0-9]{5}"}"#), [1, 3, 4]);
        assert_eq!(
            rows(r#"{"regex": "1234|12345"}"#),
            [3, 4],
            "alternatives are taken whole"
        );
    }

    #[test]
    fn a_match_anywhere_may_do() {
        assert_eq!(rows(r#"{"regex": "[0-9]{5}", "anywhere": true}"#), [1]);
    }

    #[test]
    fn classes_know_unicode() {
        let table = Table::new().text("name", ["Zoë", "Ærø", "R2"]);
        let validated = validate::<Pattern>(r#"{"regex": "[^\\d]+"}"#, &table).unwrap();
        assert_eq!(
            validated.violations(),
            [(2, "`name` does not match the pattern")]
        );
        let validated = validate::<Pattern>(r#"{"regex": "(?i)zoË|\\w\\wø"}"#, &table).unwrap();
        assert_eq!(validated.findings, [(0, vec![2])]);
    }

    #[test]
    fn an_empty_batch_has_no_findings() {
        let table = Table::new().text("zip", [] as [&str; 0]);
        assert_eq!(
            validate::<Pattern>(r#"{"regex": "a"}"#, &table)
                .unwrap()
                .findings,
            []
        );
    }

    #[test]
    fn a_wrong_or_huge_expression_is_refused() {
        let error = |config| validate::<Pattern>(config, &table()).unwrap_err();
        assert_eq!(
            error(r#"{"regex": "(a"}"#).to_string(),
            "at /regex: unclosed group"
        );
        assert_eq!(
            error(r#"{"regex": "a)|(b"}"#).path,
            "/regex",
            "may not close the group around it"
        );
        let huge = error(r#"{"regex": "\\w{1000}{100}"}"#);
        assert!(huge.message.contains("more than 1048576 bytes"), "{huge}");
        assert_eq!(error("{}").message, "missing field `regex`");
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
