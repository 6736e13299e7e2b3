//! The manifest as text, with a comment wherever something was guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use glovebox_connectors::csv;
use glovebox_connectors::discover::Format;
use glovebox_core::{DataType, ReadFrom};
use glovebox_scan::Treatment;

/// What a manifest says of a column.
#[derive(Debug)]
pub(in crate::cli) struct Column {
    pub(in crate::cli) name: String,
    pub(in crate::cli) data_type: DataType,
    pub(in crate::cli) from: Option<ReadFrom>,
    pub(in crate::cli) formats: Option<&'static str>,
    /// What is done with it, if it is marked personal.
    pub(in crate::cli) treatment: Option<Treatment>,
    /// Why it is as it is.
    pub(in crate::cli) comment: Option<String>,
}

/// All that a manifest says.
#[derive(Debug)]
pub(in crate::cli) struct Draft<'d> {
    pub(in crate::cli) name: &'d str,
    pub(in crate::cli) head: &'d str,
    pub(in crate::cli) format: &'d Format,
    /// Where the source is: keys with their values.
    pub(in crate::cli) input: &'d [String],
    pub(in crate::cli) nulls: &'d BTreeSet<&'static str>,
    pub(in crate::cli) columns: &'d [Column],
    /// The sink's block.
    pub(in crate::cli) sink: &'d str,
}

impl Draft<'_> {
    pub(in crate::cli) fn text(&self) -> String {
        let mut out = String::new();
        for line in self.head.lines() {
            line_of(&mut out, format_args!("# {line}"));
        }
        line_of(&mut out, format_args!("name: {}", scalar(self.name)));
        self.source(&mut out);
        self.columns(&mut out);
        self.steps(&mut out);
        line_of(&mut out, format_args!("sink:\n  {}", self.sink));
        out
    }

    fn source(&self, out: &mut String) {
        line_of(out, format_args!("source:\n  {}:", self.format.name()));
        for key in self.input {
            line_of(out, format_args!("    {key}"));
        }
        if let Format::Csv(options) = self.format {
            for option in csv_options(options) {
                line_of(out, format_args!("    {option}"));
            }
        }
        if !self.nulls.is_empty() {
            let words: Vec<String> = self.nulls.iter().map(|word| quoted(word)).collect();
            line_of(out, format_args!("    null: [\"\", {}]", words.join(", ")));
        }
    }

    fn columns(&self, out: &mut String) {
        line_of(out, format_args!("columns:"));
        for column in self.columns {
            let data_type = match column.data_type {
                DataType::Decimal { .. } => format!("\"{}\"", column.data_type),
                other => other.to_string(),
            };
            let mut keys = vec![format!("type: {data_type}")];
            if column.treatment.is_some() {
                keys.push("personal: true".into());
            }
            match &column.from {
                Some(ReadFrom::Name(name)) => keys.push(format!("from: {}", quoted(name))),
                Some(ReadFrom::Position(at)) => keys.push(format!("from: {at}")),
                None => {}
            }
            if let Some(formats) = column.formats {
                keys.push(format!("formats: {formats}"));
            }
            let comment = column.comment.as_ref().map(|c| format!("  # {c}"));
            line_of(
                out,
                format_args!(
                    "  {}: {{ {} }}{}",
                    scalar(&column.name),
                    keys.join(", "),
                    comment.unwrap_or_default()
                ),
            );
        }
    }

    fn steps(&self, out: &mut String) {
        let mut treated: BTreeMap<Treatment, Vec<String>> = BTreeMap::new();
        for column in self.columns {
            if let Some(treatment) = column.treatment {
                treated
                    .entry(treatment)
                    .or_default()
                    .push(scalar(&column.name));
            }
        }
        if treated.is_empty() {
            return;
        }
        line_of(out, format_args!("steps:"));
        for (treatment, columns) in treated {
            let (why, name, mask, with) = step(treatment);
            line_of(out, format_args!("  # {why}"));
            line_of(
                out,
                format_args!(
                    "  - name: {name}\n    mask: {mask}\n    masks: [{}]",
                    columns.join(", ")
                ),
            );
            if let Some(with) = with {
                line_of(out, format_args!("    with: {with}"));
            }
            if treatment == Treatment::Year {
                let keeps: Vec<String> = columns.iter().map(|c| format!("{c}: cells")).collect();
                line_of(out, format_args!("    keeps: {{ {} }}", keeps.join(", ")));
            }
        }
    }
}

/// Why a step is there, its name, its plugin and what that is told.
fn step(
    treatment: Treatment,
) -> (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
) {
    match treatment {
        Treatment::Redact => (
            "Nothing of these is stored. To keep rows of one person joinable, use `mask: \
            pseudonym`, which needs a key.",
            "withhold",
            "redact",
            None,
        ),
        Treatment::LastFour => (
            "`*****1234`: the last four characters stay.",
            "last four",
            "partial",
            Some("{ keep-last: 4, character: \"*\" }"),
        ),
        Treatment::AllButSix => (
            "`+45 12 XX XX XX`: all but the last six characters stay.",
            "area codes",
            "partial",
            Some("{ mask-last: 6, skip-separators: true }"),
        ),
        Treatment::FirstTwo => (
            "The first two characters stay.",
            "areas",
            "generalize",
            Some("{ prefix: 2 }"),
        ),
        Treatment::Year => (
            "The year stays; the 1st of January stays whole, which `keeps` allows.",
            "years",
            "generalize",
            Some("{ to: year }"),
        ),
    }
}

/// What a manifest says of a CSV file beside its path, where that is not the default.
fn csv_options(options: &csv::Options) -> Vec<String> {
    let default = csv::Options::new("");
    let sign = |sign: Option<u8>| match sign {
        Some(sign) => quoted(&char::from(sign).to_string()),
        None => "none".into(),
    };
    let mut written = Vec::new();
    if let Some(encoding) = options.encoding {
        let label = encoding.name().to_ascii_lowercase();
        let why = match label.starts_with("utf") {
            true => "",
            false => "  # a guess: it is not UTF-8",
        };
        written.push(format!("encoding: {label}{why}"));
    }
    if options.skip != default.skip {
        written.push(format!("skip: {}  # lines before the header", options.skip));
    }
    if options.header != default.header {
        written.push("header: false  # the first line may be a row".into());
    }
    if options.delimiter != default.delimiter {
        let delimiter = String::from_utf8_lossy(&options.delimiter);
        written.push(format!("delimiter: {}", quoted(&delimiter)));
    }
    if options.quote != default.quote {
        written.push(format!("quote: {}", sign(options.quote)));
    }
    if options.escape != default.escape {
        written.push(format!("escape: {}", sign(options.escape)));
    }
    if options.trim != default.trim {
        written.push("trim: true".into());
    }
    written
}

/// A text that YAML reads as itself: plain where that is safe.
pub(in crate::cli) fn scalar(text: &str) -> String {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "nan"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/'))
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes; YAML reads JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn line_of(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_yaml_would_read_something_else() {
        for (name, written) in [
            ("unit_price", "unit_price"),
            ("data/a.csv", "data/a.csv"),
            ("true", "\"true\""),
            ("No", "\"No\""),
            ("1", "\"1\""),
            ("a: b", "\"a: b\""),
            ("Preis (\u{20ac})", "\"Preis (\u{20ac})\""),
            ("-", "\"-\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
        ] {
            assert_eq!(scalar(name), written);
        }
    }
}
