//! A table's columns, as under "Schema Serialization Format" in the protocol: of a new table, and whether those of a
//! table that is there take ours.

use std::collections::BTreeSet;

use glovebox_core::shown::short_name;
use glovebox_core::{DataType, Schema};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::actions::Metadata;

/// Signs that a column's name cannot have, since Parquet readers of the field do not take them.
const NOT_IN_NAMES: &str = " ,;{}()\n\t=";
/// The most columns that a table is read with.
const MAX_COLUMNS: usize = 10_000;

/// What a column asks of its cells, and is not looked into here, by what begins so in its metadata.
const ASKING: [(&str, &str); 3] = [
    (
        "delta.invariants",
        "has an invariant, which is not checked here",
    ),
    ("delta.generationExpression", "is generated from others"),
    ("delta.identity.", "is numbered by the table"),
];

/// How our columns stand to a table's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fitted {
    /// By column of ours: whether the table's takes no null.
    pub not_null: Vec<bool>,
}

#[derive(Deserialize)]
struct Struct {
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    #[serde(rename = "type")]
    of: Value,
    #[serde(default = "yes")]
    nullable: bool,
    #[serde(default)]
    metadata: Map<String, Value>,
}

fn yes() -> bool {
    true
}

/// A type's name in Delta.
fn type_of(data_type: DataType) -> Option<String> {
    Some(match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int64 => "long".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        DataType::Text => "string".into(),
        DataType::Bytes => "binary".into(),
        DataType::Date => "date".into(),
        DataType::Timestamp => "timestamp".into(),
        DataType::Opaque => return None,
    })
}

/// Whether a table could have these columns.
///
/// # Errors
/// A sentence: which it cannot have, and what to do.
pub fn can_hold(schema: &Schema) -> Result<(), String> {
    if schema.fields.is_empty() {
        return Err("there are no columns to write; name some in `columns`".into());
    }
    let mut names = BTreeSet::new();
    for field in &schema.fields {
        let name = &field.name;
        if name.contains(|c| NOT_IN_NAMES.contains(c)) {
            return Err(format!(
                "the column `{name}` has a space or one of `,;{{}}()=` in its name, which readers of Delta tables do \
                 not take; give it another, with `from: \"{name}\"` where the source calls it so"
            ));
        }
        if type_of(field.data_type).is_none() {
            return Err(format!(
                "the column `{name}` is passed on unread, which only a database takes; declare its type"
            ));
        }
        if !names.insert(name.to_lowercase()) {
            return Err(format!(
                "there are two columns `{name}`, since Delta does not tell upper from lower case; give one another \
                 name"
            ));
        }
    }
    Ok(())
}

/// The columns of a new table.
pub(crate) fn schema_string(schema: &Schema) -> String {
    let fields: Vec<Value> = schema
        .fields
        .iter()
        .map(|field| {
            json!({
                "name": &*field.name,
                "type": type_of(field.data_type),
                "nullable": true,
                "metadata": {},
            })
        })
        .collect();
    json!({ "type": "struct", "fields": fields }).to_string()
}

/// Whether a table's columns take ours.
///
/// # Errors
/// A sentence: what differs, and what to do.
pub(crate) fn fit(schema: &Schema, metadata: &Metadata) -> Result<Fitted, String> {
    let table: Struct = serde_json::from_str(&metadata.schema_string)
        .map_err(|_| "its columns cannot be read".to_owned())?;
    if table.fields.len() > MAX_COLUMNS {
        return Err(format!("it has more than {MAX_COLUMNS} columns"));
    }
    for field in &table.fields {
        for (key, what) in ASKING {
            if field.metadata.keys().any(|found| found.starts_with(key)) {
                let name = shown(&field.name);
                return Err(format!("its column {name} {what}; write to another table"));
            }
        }
    }
    let mut fitted = Fitted::default();
    for field in &schema.fields {
        let found = table.fields.iter().find(|found| found.name == *field.name);
        let Some(found) = found else {
            let alike = table
                .fields
                .iter()
                .find(|found| found.name.to_lowercase() == field.name.to_lowercase());
            let hint = alike.map(|alike| format!(" (it has {})", shown(&alike.name)));
            return Err(format!(
                "it has no column `{}`{}; add it there, or leave it out by the sink's `columns`",
                field.name,
                hint.unwrap_or_default()
            ));
        };
        let ours = type_of(field.data_type).unwrap_or_default();
        if found.of.as_str() != Some(&ours) {
            return Err(format!(
                "its column `{}` is {}, and a column of type {} is `{ours}` in Delta; declare it as what the table \
                 has, or write to another table",
                field.name,
                described(&found.of),
                field.data_type,
            ));
        }
        fitted.not_null.push(!found.nullable);
    }
    let ours = |name: &str| schema.position(name).is_some();
    match table.fields.iter().find(|f| !f.nullable && !ours(&f.name)) {
        None => Ok(fitted),
        Some(field) => Err(format!(
            "its column {} takes no null, and no column of that name is written",
            shown(&field.name)
        )),
    }
}

/// A type of the table's, as far as it is a name.
fn described(of: &Value) -> String {
    match of {
        Value::String(name) => shown(name),
        Value::Object(nested) => {
            let name = nested.get("type").and_then(Value::as_str);
            shown(name.unwrap_or_default())
        }
        _ => "of a type that is not known here".into(),
    }
}

/// A name out of a log.
pub(crate) fn shown(name: &str) -> String {
    match short_name(name) {
        Some(name) => format!("`{name}`"),
        None => "with a long or strange name".into(),
    }
}
