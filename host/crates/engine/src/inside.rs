//! Masking inside of JSON text: what a path leads to goes to the plugin as the cell, and what comes back takes
//! its place. The rest of the document stays byte for byte as it was.
//!
//! A path may lead to several values. Each pass takes one of each row, so a step is called as often as the
//! row with the most of them needs. Refuses documents that cannot be read in one way only: broken ones, and
//! those with a key of the path twice, of which one would stay as it was.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::ArrowError;
use glovebox_core::{Batch, Reject, Violation};
use glovebox_manifest::model::{JsonPath, Segment};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{RunError, StepError};
use crate::plan::InsideColumn;
use crate::resolve::Resolved;

/// The rule of rows whose document cannot be masked.
const RULE: &str = "inside-json";
/// The most values that a path may lead to in a row.
const MAX_VALUES: usize = 1_000;

/// Masks what a path leads to in a column; `apply` masks a batch in which the column holds those values.
pub(crate) fn mask(
    step: &Arc<str>,
    inside: &InsideColumn,
    batch: Batch,
    mut apply: impl FnMut(&Batch) -> Result<Resolved, StepError>,
) -> Result<Resolved, StepError> {
    let (mut rejects, mut tokens) = (Vec::new(), Vec::new());
    // Every value of every row is looked at before the first is masked, so that a row is either masked once
    // in all its places or not at all.
    let (batch, mut rows) = read(step, inside, batch, &mut rejects)?;
    let led = rows.iter().filter(|row| !row.found.is_empty()).count();
    let passes = rows.iter().map(|row| row.found.len()).max().unwrap_or(0);
    for pass in 0..passes {
        let has = |row: &Row| !row.gone && row.found.len() > pass;
        let meant: Vec<bool> = rows.iter().map(has).collect();
        let part = batch.filter(&meant.into()).map_err(RunError::from)?;
        if part.rows() == 0 {
            break;
        }
        let taken = rows.iter().filter(|row| has(row));
        let values = taken.map(|row| row.found.get(pass).and_then(|found| found.value.clone()));
        let values: ArrayRef = Arc::new(StringArray::from_iter(values));
        let resolved = apply(&with_column(&part, inside.place, values)?)?;
        let masks = resolved.batch.columns.columns().get(inside.place);
        let masks = masks.and_then(|column| column.as_string_opt::<i32>());
        let mut done = 0;
        for (at, row) in rows.iter_mut().enumerate() {
            if row.gone || row.found.len() <= pass {
                continue;
            }
            // Rows that were rejected are missing; the others are in their order.
            let left = done < resolved.batch.rows()
                && resolved.batch.origin.row(done) == batch.origin.row(at);
            let Some(masks) = masks.filter(|_| left) else {
                row.gone = true;
                continue;
            };
            let mask = masks.is_valid(done).then(|| masks.value(done).to_owned());
            row.masks.push(mask);
            done += 1;
        }
        rejects.extend(resolved.rejects);
        tokens.extend(resolved.tokens);
    }
    let kept: Vec<bool> = rows.iter().map(|row| !row.gone).collect();
    let documents = written(&batch, inside.place, &rows);
    let batch = batch.filter(&kept.into()).map_err(RunError::from)?;
    Ok(Resolved {
        rejects,
        tokens,
        inside: vec![led as u64],
        ..Resolved::unchanged(with_column(&batch, inside.place, documents)?)
    })
}

/// A value in a document.
struct Found {
    range: Range<usize>,
    /// Its text; none of a null.
    value: Option<String>,
}

/// The values of a row, their masks so far, and whether the row was rejected.
#[derive(Default)]
struct Row {
    found: Vec<Found>,
    masks: Vec<Option<String>>,
    gone: bool,
}

/// The rows whose documents can be masked, with their values.
fn read(
    step: &Arc<str>,
    inside: &InsideColumn,
    batch: Batch,
    rejects: &mut Vec<Reject>,
) -> Result<(Batch, Vec<Row>), StepError> {
    let documents = batch.columns.columns().get(inside.place);
    // The plan has refused other columns. Rows may not pass unmasked if it has not.
    let documents = documents.and_then(|column| column.as_string_opt::<i32>());
    let documents = documents.ok_or_else(|| {
        RunError::from(ArrowError::SchemaError(
            "a column that is masked inside of its documents is not text".into(),
        ))
    })?;
    let fields = batch.columns.schema();
    let column = fields.fields().get(inside.place).map(|f| f.name().clone());
    let column: Arc<str> = column.unwrap_or_default().into();
    let mut rows = Vec::with_capacity(documents.len());
    let mut keep = Vec::with_capacity(documents.len());
    for (at, document) in documents.iter().enumerate() {
        let document = document.filter(|document| !document.is_empty());
        let found = document.map_or(Ok(Vec::new()), |document| values(document, &inside.path));
        keep.push(found.is_ok());
        match found {
            Ok(found) => rows.push(Row {
                found,
                ..Row::default()
            }),
            Err(why) => rejects.push(reject(step, &column, &batch, at, why)),
        }
    }
    let batch = match rejects.is_empty() {
        true => batch,
        false => batch.filter(&keep.into()).map_err(RunError::from)?,
    };
    Ok((batch, rows))
}

/// The values that the path leads to, in the document's order.
fn values(document: &str, path: &JsonPath) -> Result<Vec<Found>, &'static str> {
    let whole: &RawValue = serde_json::from_str(document).map_err(|_| "is not JSON")?;
    let mut values = Vec::new();
    follow(whole, &path.segments, &mut values)?;
    if values.len() > MAX_VALUES {
        return Err("has more than 1,000 values at the path");
    }
    let found = values.into_iter().map(|raw| {
        let raw = raw.get();
        let value = match raw.as_bytes().first() {
            Some(b'{' | b'[') => return Err("has an object or a list where the path ends"),
            Some(b'n') => None,
            Some(b'"') => {
                Some(serde_json::from_str(raw).map_err(|_| "has text that is not Unicode")?)
            }
            _ => Some(raw.to_owned()),
        };
        // Borrowed from the document, so it lies within.
        let start = (raw.as_ptr() as usize).saturating_sub(document.as_ptr() as usize);
        let range = start..start + raw.len();
        Ok(Found { range, value })
    });
    found.collect()
}

/// The documents of the rows that are left, with the masks in their places.
fn written(batch: &Batch, place: usize, rows: &[Row]) -> ArrayRef {
    let documents = batch.columns.columns().get(place);
    let documents = documents.and_then(|column| column.as_string_opt::<i32>());
    let rebuilt = rows.iter().enumerate().filter(|(_, row)| !row.gone);
    let rebuilt = rebuilt.map(|(at, row)| {
        let document = documents
            .filter(|d| at < d.len() && d.is_valid(at))?
            .value(at);
        let mut text = String::with_capacity(document.len());
        let mut from = 0;
        for (found, mask) in row.found.iter().zip(&row.masks) {
            text.push_str(document.get(from..found.range.start).unwrap_or_default());
            text.push_str(&serde_json::Value::from(mask.as_deref()).to_string());
            from = found.range.end;
        }
        text.push_str(document.get(from..).unwrap_or_default());
        Some(text)
    });
    Arc::new(StringArray::from_iter(rebuilt))
}

fn follow<'d>(
    value: &'d RawValue,
    path: &[Segment],
    found: &mut Vec<&'d RawValue>,
) -> Result<(), &'static str> {
    let Some((segment, rest)) = path.split_first() else {
        found.push(value);
        return Ok(());
    };
    let text = value.get();
    match segment {
        Segment::Key(key) if text.starts_with('{') => {
            let members: Members<'d> =
                serde_json::from_str(text).map_err(|_| "has a key that is not Unicode")?;
            let mut of_key = members.0.iter().filter(|(name, _)| name == key);
            let first = of_key.next();
            if of_key.next().is_some() {
                return Err("has a key of the path twice");
            }
            match first {
                Some((_, value)) => follow(value, rest, found),
                None => Ok(()),
            }
        }
        Segment::Index(index) if text.starts_with('[') => {
            let items: Vec<&'d RawValue> = serde_json::from_str(text).map_err(|_| "is not JSON")?;
            items
                .get(*index)
                .map_or(Ok(()), |item| follow(item, rest, found))
        }
        Segment::All if text.starts_with('[') => {
            let items: Vec<&'d RawValue> = serde_json::from_str(text).map_err(|_| "is not JSON")?;
            items
                .into_iter()
                .try_for_each(|item| follow(item, rest, found))
        }
        Segment::Key(_) if text.starts_with('[') => {
            Err("has a list where the path has a key; write [*] for each of its items")
        }
        Segment::Index(_) | Segment::All if text.starts_with('{') => {
            Err("has an object where the path has a position")
        }
        Segment::Key(_) | Segment::Index(_) | Segment::All => Ok(()),
    }
}

/// The members of an object in their order, doubled keys and all.
struct Members<'d>(Vec<(Cow<'d, str>, &'d RawValue)>);

impl<'d> Deserialize<'d> for Members<'d> {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'d> Visitor<'d> for All {
            type Value = Members<'d>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'d>>(self, mut map: M) -> Result<Members<'d>, M::Error> {
                let mut members = Vec::new();
                while let Some(key) = map.next_key::<Cow<'d, str>>()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

fn with_column(batch: &Batch, place: usize, column: ArrayRef) -> Result<Batch, StepError> {
    let mut columns = batch.columns.columns().to_vec();
    if let Some(there) = columns.get_mut(place) {
        *there = column;
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
    let columns = RecordBatch::try_new_with_options(batch.columns.schema(), columns, &options)
        .map_err(RunError::from)?;
    Ok(Batch::new(columns, batch.origin.clone()))
}

fn reject(step: &Arc<str>, column: &Arc<str>, batch: &Batch, row: usize, why: &str) -> Reject {
    Reject {
        row: batch.origin.row(row),
        file: batch.origin.file().cloned(),
        line: batch.origin.line(row),
        violations: vec![Violation {
            step: Arc::clone(step),
            column: Some(Arc::clone(column)),
            rule: RULE.into(),
            message: format!("`{column}` {why}, so nothing in it was masked").into(),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(document: &str, path: &str) -> Result<Vec<Option<String>>, &'static str> {
        let path = JsonPath::parse(path).unwrap();
        let found = super::values(document, &path)?;
        let value = found.into_iter().map(|found| {
            let raw = document.get(found.range).unwrap();
            assert!(
                serde_json::from_str::<serde_json::Value>(raw).is_ok(),
                "{raw}"
            );
            found.value
        });
        Ok(value.collect())
    }

    fn texts(texts: &[&str]) -> Result<Vec<Option<String>>, &'static str> {
        Ok(texts.iter().map(|text| Some((*text).to_owned())).collect())
    }

    #[test]
    fn paths_lead_to_values_by_keys_positions_and_stars() {
        let document = r#" {"a": {"b\u0063": "Zo\u00eb \"x\"", "n": -1.50, "t": true, "z": null},
            "list": [{"m": "one"}, {"k": 1}, {"m": "two"}, 3]} "#;
        assert_eq!(values(document, "$.a.bc"), texts(&["Zoë \"x\""]));
        assert_eq!(values(document, "$.a.n"), texts(&["-1.50"]));
        assert_eq!(values(document, "$.a.t"), texts(&["true"]));
        assert_eq!(values(document, "$.a.z"), Ok(vec![None]));
        assert_eq!(values(document, "$.list[0].m"), texts(&["one"]));
        assert_eq!(values(document, "$.list[*].m"), texts(&["one", "two"]));
        assert_eq!(values(document, "$['list'][3]"), texts(&["3"]));
        for nowhere in ["$.b", "$.a.bc.d", "$.list[9]", "$.a.n[0]"] {
            assert_eq!(values(document, nowhere), Ok(vec![]), "{nowhere}");
        }
        assert_eq!(values("\"all of it\"", "$"), texts(&["all of it"]));
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_not_at_all_is_refused() {
        for (document, path) in [
            ("{", "$.a"),
            (r#"{"a": 1} x"#, "$.a"),
            (r#"{"a": "canary", "a": 1}"#, "$.a"),
            (r#"{"a": 1, "\u0061": 1}"#, "$.a"),
            (r#"{"a": {"b": 1}}"#, "$.a"),
            (r#"{"a": [1]}"#, "$.a"),
            (r#"{"a": [1, {"b": 1}]}"#, "$.a[*]"),
            (r#"{"a": [{"b": "canary"}]}"#, "$.a.b"),
            (r#"{"a": {"b": "canary"}}"#, "$.a[0]"),
            (r#"{"a": "\ud800"}"#, "$.a"),
        ] {
            let why = values(document, path).unwrap_err();
            assert!(!why.contains("canary"), "{why}");
        }
        // As deep as it may be.
        let deep = format!(
            "{{\"a\": 1, \"b\": {}1{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(values(&deep, "$.a"), texts(&["1"]));
        let many = format!("[{}1]", "1,".repeat(MAX_VALUES));
        assert!(values(&many, "$[*]").is_err());
        // Twice elsewhere is none of this path's business.
        assert_eq!(values(r#"{"b": 1, "b": 2, "a": 3}"#, "$.a"), texts(&["3"]));
    }

    /// An earlier step may have changed a column's type, whatever the manifest says of it.
    #[test]
    fn a_column_that_is_not_text_does_not_pass_unmasked() {
        let field = glovebox_core::Field::new("profile", glovebox_core::DataType::Int64);
        let schema = glovebox_core::Schema::new(vec![field]).to_arrow();
        let numbers: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1]));
        let columns = RecordBatch::try_new(schema, vec![numbers]).unwrap();
        let batch = Batch::new(columns, glovebox_core::Origin::contiguous(0));
        let inside = InsideColumn {
            place: 0,
            path: JsonPath::parse("$.a").unwrap(),
        };
        let masked = mask(&"step".into(), &inside, batch, |_| {
            panic!("it is not called")
        });
        assert!(matches!(masked, Err(StepError::Run(_))));
    }
}
