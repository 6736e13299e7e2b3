//! One sign: delimiters, quotes, escapes.

use serde_json::{Value, json};

use crate::block::Reader;
use crate::declare::{At, Kind, Schema};
use crate::diagnostic::Diagnostic;
use crate::span::Spanned;

/// One ASCII sign, such as a delimiter.
pub struct Sign;

impl Sign {
    /// Such a sign as a regular expression.
    pub const PATTERN: &'static str = r"[\t -/:-@\[-`{-~]";
}

impl Kind for Sign {
    type Value = u8;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<u8>> {
        let text = reader.any_text(at.node, at.key, &at.example)?;
        if let [byte] = text.value.as_bytes()
            && byte.is_ascii()
            && !matches!(byte, b'\n' | b'\r' | 0)
            && !byte.is_ascii_alphanumeric()
        {
            return Some(Spanned::new(*byte, text.span));
        }
        let help = match is_named_tab(&text.value) {
            true => tab_help(at.key),
            false => format!(
                "write a single ASCII character other than a letter, digit or line break: {}",
                at.example
            ),
        };
        let problem = format!("`{}` must be one character", at.key);
        reader.say(Diagnostic::error(text.span, problem).help(help));
        None
    }

    fn words(&self) -> String {
        "one character".to_owned()
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define("Sign", |_| {
            json!({
                "description": "One ASCII character other than a letter, digit or line break.",
                "type": "string", "pattern": format!("^{}$", Sign::PATTERN),
            })
        })
    }
}

/// Whether somebody meant a tab.
pub fn is_named_tab(text: &str) -> bool {
    matches!(text, "\\t" | "tab")
}

/// How to write a tab.
pub fn tab_help(key: &str) -> String {
    format!("in YAML a tab is \"\\t\", in double quotes: {key}: \"\\t\"")
}
