//! Times in the API: RFC 3339, in UTC, in seconds.
//! Never a number, whose unit a reader would have to guess.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;

/// A moment, from seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    fn text(self) -> String {
        let moment = DateTime::from_timestamp(self.0, 0).unwrap_or_default();
        moment.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

impl Type for Moment {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_date-time".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "date-time")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ToJSON for Moment {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.text()))
    }
}

impl ParseFromJSON for Moment {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let value = value.unwrap_or_default();
        let moment = value
            .as_str()
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        match moment {
            Some(moment) => Ok(Moment(moment.timestamp())),
            None => Err(ParseError::expected_type(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rfc_3339_has_it() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_330_800, "2026-11-22T07:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Moment(seconds).to_json(), Some(text.into()));
            let read = Moment::parse_from_json(Some(text.into()));
            assert_eq!(read.ok(), Some(Moment(seconds)));
        }
        let read = Moment::parse_from_json(Some(1_795_330_800.into()));
        assert!(read.is_err());
    }
}
