//! Parses a step's `with:` block into a plugin's configuration type, with an error that says where
//! it is wrong.

use std::fmt::{self, Write as _};

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::bindings::exports::glovebox::plugin::plugin;
use crate::bindings::glovebox::plugin::columns::{DataType, Field};

/// What is wrong with a step's `with:` block, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// JSON Pointer into the `with:` block, such as `/values/3`; empty for the block as a whole.
    pub path: String,
    /// What is wrong and what to write instead, in one sentence without a full stop.
    pub message: String,
}

impl ConfigError {
    /// An error at a place in the `with:` block, given as a JSON Pointer (RFC 6901); `""` is the
    /// whole block, for instance when an option is missing or a column has an unsuitable type.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => out.write_str(&self.message),
            path => write!(out, "at {path}: {}", self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for plugin::ConfigError {
    fn from(error: ConfigError) -> Self {
        Self {
            path: error.path,
            message: error.message,
        }
    }
}

/// Refuses fields of types that a plugin cannot work on, by name; `expected` says in words which
/// it can, such as `text` or `int64 or float64`.
///
/// # Errors
/// For the first field whose type does not suit.
pub fn expect_types(
    fields: &[Field],
    expected: &str,
    suits: impl Fn(DataType) -> bool,
) -> Result<(), ConfigError> {
    match fields.iter().find(|field| !suits(field.data_type)) {
        None => Ok(()),
        Some(Field {
            name, data_type, ..
        }) => {
            let is = type_name(*data_type);
            let message = format!("column `{name}` is {is}, but this takes only {expected}");
            Err(ConfigError::new("", message))
        }
    }
}

/// A type as manifests write it.
pub(crate) fn type_name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Int64 => "int64",
        DataType::Float64 => "float64",
        DataType::Decimal(_) => "decimal",
        DataType::Text => "text",
        DataType::Bytes => "bytes",
        DataType::Date => "date",
        DataType::Timestamp => "timestamp",
    }
}

/// Reads the `with:` block as the host sends it: JSON. A step without the block (an empty text or
/// `null`) is one with an empty block, so that options with defaults need not be written.
pub(crate) fn parse<C: DeserializeOwned>(json: &str) -> Result<C, ConfigError> {
    let json = match json.trim() {
        "" | "null" => "{}",
        json => json,
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| ConfigError::new(pointer(error.path()), message(error.inner())))
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        // Writing to a String cannot fail.
        let _ = match segment {
            Segment::Seq { index } => write!(pointer, "/{index}"),
            Segment::Map { key } => {
                write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            // A variant is not a level of the JSON text, and an unknown place names none.
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
    }
    pointer
}

/// The message without serde_json's line and column, which belong to the JSON text that the host
/// made, not to the manifest that the operator wrote.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Options {
        #[serde(default)]
        at_least: Option<i64>,
        #[serde(default)]
        values: Vec<String>,
    }

    #[test]
    fn a_missing_block_is_an_empty_one() {
        for json in ["", "null", "{}", " \n"] {
            let options: Options = parse(json).unwrap();
            assert_eq!(
                options,
                Options {
                    at_least: None,
                    values: Vec::new()
                }
            );
        }
    }

    #[test]
    fn an_error_points_at_its_place() {
        let error = parse::<Options>(r#"{"values": ["a", 2]}"#).unwrap_err();
        assert_eq!(error.path, "/values/1");
        assert_eq!(
            error.message,
            "invalid type: integer `2`, expected a string"
        );

        let error = parse::<Options>(r#"{"at-least": "x"}"#).unwrap_err();
        assert_eq!(error.path, "/at-least");

        let error = parse::<Options>(r#"{"at~/least": 1}"#).unwrap_err();
        assert_eq!(error.path, "/at~0~1least");
        assert!(error.message.starts_with("unknown field"), "{error}");
    }
}
