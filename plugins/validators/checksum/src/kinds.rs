//! A kind of number as the option names it.

use std::borrow::Cow;

use glovebox_numbers::{KINDS, Kind, kind_named};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A kind, by its name.
#[derive(Debug)]
pub(crate) struct KindName(pub(crate) &'static Kind);

impl<'de> Deserialize<'de> for KindName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        kind_named(&name).map(KindName).ok_or_else(|| {
            let names = KINDS.each_ref().map(|kind| format!("`{}`", kind.name));
            D::Error::custom(format!("unknown kind; write one of {}", names.join(", ")))
        })
    }
}

impl JsonSchema for KindName {
    fn schema_name() -> Cow<'static, str> {
        "Kind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds = KINDS.each_ref().map(|kind| {
            let description = format!("{}: {}", kind.what, kind.source);
            json_schema!({ "const": kind.name, "description": description, "type": "string" })
        });
        json_schema!({ "description": "A kind of number.", "oneOf": kinds })
    }
}
