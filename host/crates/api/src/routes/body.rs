//! Body types that follow JSON Schema where poem-openapi's are more lenient: text must be text, and
//! `7.0` is the integer 7.

use std::borrow::Cow;

use poem_openapi::registry::MetaSchemaRef;
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, Type};
use serde_json::Value;

/// Text, and nothing that could be read as text.
pub(super) struct Text(pub(super) String);

impl Type for Text {
    const IS_REQUIRED: bool = true;

    type RawValueType = String;
    type RawElementValueType = String;

    fn name() -> Cow<'static, str> {
        String::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }

    fn as_raw_value(&self) -> Option<&String> {
        Some(&self.0)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a String> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromJSON for Text {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::String(text)) => Ok(Text(text)),
            other => Err(ParseError::expected_type(other.unwrap_or_default())),
        }
    }
}

/// A whole number; JSON Schema counts `7.0` as one.
pub(super) struct Whole(pub(super) u32);

impl Type for Whole {
    const IS_REQUIRED: bool = true;

    type RawValueType = u32;
    type RawElementValueType = u32;

    fn name() -> Cow<'static, str> {
        u32::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        u32::schema_ref()
    }

    fn as_raw_value(&self) -> Option<&u32> {
        Some(&self.0)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a u32> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromJSON for Whole {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let value = value.unwrap_or_default();
        let whole = match value.as_f64() {
            // Every u32 is a float of its own.
            Some(float) if value.as_u64().is_none() && float.fract() == 0.0 => {
                format!("{float:.0}").parse().ok()
            }
            _ => value.as_u64().and_then(|n| u32::try_from(n).ok()),
        };
        whole
            .map(Whole)
            .ok_or_else(|| ParseError::expected_type(value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_text_and_a_whole_number_whole() {
        assert!(Text::parse_from_json(Some(json!("7"))).is_ok());
        for bad in [json!(7), json!(true), json!(null), json!(["a"])] {
            assert!(Text::parse_from_json(Some(bad)).is_err());
        }
        let whole = |value| Whole::parse_from_json(Some(value)).ok().map(|w| w.0);
        for (value, read) in [
            (json!(7), Some(7)),
            (json!(7.0), Some(7)),
            (json!(4294967295u32), Some(u32::MAX)),
            (json!(4294967296u64), None),
            (json!(7.5), None),
            (json!(-7), None),
            (json!(-7.0), None),
            (json!(1e300), None),
            (json!("7"), None),
            (json!(null), None),
        ] {
            assert_eq!(whole(value.clone()), read, "{value}");
        }
    }
}
