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
use glovebox_core::{Batch, Reject, Violation};
use glovebox_manifest::model::{JsonPath, Segment};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{RunError, StepError};
use crate::resolve::Resolved;

/// The rule of rows whose document cannot be masked.
const RULE: &str = "inside-json";
/// The most values that a path may lead to in a row.
const MAX_VALUES: usize = 1_000;

/// A column whose documents are masked inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsideColumn {
    /// Its place among the batch's columns.
    pub place: usize,
    /// Where its values are.
    pub path: JsonPath,
}

/// Masks what a path leads to in a column; `apply` masks a batch in which the column holds those values.
pub(crate) fn mask(
    step: &Arc<str>,
    inside: &InsideColumn,
    batch: Batch,
    mut apply: impl FnMut(&Batch) -> Result<Resolved, StepError>,
) -> Result<Resolved, StepError> {
    let mut done = Resolved {
        batch,
        filtered: 0,
        rejects: Vec::new(),
    };
    for pass in 0..=MAX_VALUES {
        let (found, broken) = take(&done.batch, inside, pass);
        if !broken.is_empty() {
            let fields = done.batch.columns.schema();
            let column = fields.fields().get(inside.place).map(|f| f.name().clone());
            let column: Arc<str> = column.unwrap_or_default().into();
            let kept = |row: &u32| broken.iter().all(|(bad, _)| bad != row);
            for (row, why) in &broken {
                done.rejects
                    .push(reject(step, &column, &done.batch, *row, why));
            }
            let rows = u32::try_from(done.batch.rows()).unwrap_or(u32::MAX);
            let keep: Vec<bool> = (0..rows).map(|row| kept(&row)).collect();
            done.batch = done.batch.filter(&keep.into()).map_err(RunError::from)?;
            // The rows have other numbers now.
            return mask(step, inside, done.batch, apply).map(|rest| Resolved {
                batch: rest.batch,
                filtered: done.filtered + rest.filtered,
                rejects: done.rejects.into_iter().chain(rest.rejects).collect(),
            });
        }
        if found.iter().all(Option::is_none) {
            return Ok(done);
        }
        let values = found
            .iter()
            .map(|f| f.as_ref().and_then(|f| f.value.clone()));
        let values: ArrayRef = Arc::new(StringArray::from_iter(values));
        let resolved = apply(&with_column(&done.batch, inside.place, values)?)?;
        done.filtered += resolved.filtered;
        done.rejects.extend(resolved.rejects);
        done.batch = put_back(&done.batch, inside.place, &found, &resolved.batch)?;
    }
    Ok(done)
}

/// A value in a document.
struct Found {
    range: Range<usize>,
    /// Its text; none of a null.
    value: Option<String>,
}

/// The value of each row that this pass is for, and the rows whose documents cannot be masked.
fn take(
    batch: &Batch,
    inside: &InsideColumn,
    pass: usize,
) -> (Vec<Option<Found>>, Vec<(u32, &'static str)>) {
    let mut broken = Vec::new();
    let Some(documents) = batch
        .columns
        .columns()
        .get(inside.place)
        .and_then(|column| column.as_string_opt::<i32>())
    else {
        return (Vec::new(), broken);
    };
    let found = documents.iter().zip(0..).map(|(document, row)| {
        let document = document.filter(|document| !document.is_empty())?;
        found(document, &inside.path, pass)
            .map_err(|why| broken.push((row, why)))
            .ok()?
    });
    (found.collect(), broken)
}

fn found(document: &str, path: &JsonPath, pass: usize) -> Result<Option<Found>, &'static str> {
    let whole: &RawValue = serde_json::from_str(document).map_err(|_| "is not JSON")?;
    let mut values = Vec::new();
    follow(whole, &path.segments, &mut values)?;
    if values.len() > MAX_VALUES {
        return Err("has more than 1,000 values at the path");
    }
    let Some(raw) = values.get(pass) else {
        return Ok(None);
    };
    let raw = raw.get();
    let value = match raw.as_bytes().first() {
        Some(b'{' | b'[') => return Err("has an object or a list where the path ends"),
        Some(b'n') => None,
        Some(b'"') => Some(serde_json::from_str(raw).map_err(|_| "has text that is not Unicode")?),
        _ => Some(raw.to_owned()),
    };
    // Borrowed from the document, so it lies within.
    let start = (raw.as_ptr() as usize).saturating_sub(document.as_ptr() as usize);
    Ok(Some(Found {
        range: start..start + raw.len(),
        value,
    }))
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

/// The documents with their values masked, of the rows that are left.
fn put_back(
    before: &Batch,
    place: usize,
    found: &[Option<Found>],
    masked: &Batch,
) -> Result<Batch, StepError> {
    let column = |batch: &Batch| batch.columns.columns().get(place).map(Arc::clone);
    let (Some(documents), Some(values)) = (column(before), column(masked)) else {
        return Ok(masked.clone());
    };
    let documents = documents.as_string::<i32>();
    let values = values.as_string::<i32>();
    let mut row_before = 0;
    let rebuilt = (0..masked.rows()).map(|row| {
        // Rows that were rejected are missing; the others are in their order.
        while before.origin.row(row_before) < masked.origin.row(row) {
            row_before += 1;
        }
        if row_before >= documents.len() || documents.is_null(row_before) {
            return None;
        }
        let document = documents.value(row_before);
        let Some(Some(found)) = found.get(row_before) else {
            return Some(document.to_owned());
        };
        let value = (row < values.len() && values.is_valid(row)).then(|| values.value(row));
        let value = serde_json::Value::from(value).to_string();
        let head = document.get(..found.range.start).unwrap_or_default();
        let tail = document.get(found.range.end..).unwrap_or_default();
        Some([head, &value, tail].concat())
    });
    let rebuilt: ArrayRef = Arc::new(StringArray::from_iter(rebuilt));
    with_column(masked, place, rebuilt)
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

fn reject(step: &Arc<str>, column: &Arc<str>, batch: &Batch, row: u32, why: &str) -> Reject {
    let row = usize::try_from(row).unwrap_or(usize::MAX);
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
        let mut all = Vec::new();
        while let Some(found) = found(document, &path, all.len())? {
            let raw = document.get(found.range).unwrap();
            assert!(
                serde_json::from_str::<serde_json::Value>(raw).is_ok(),
                "{raw}"
            );
            all.push(found.value);
        }
        Ok(all)
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
        for nowhere in [
            "$.b",
            "$.a.bc.d",
            "$.list.m",
            "$.list[9]",
            "$.a[0]",
            "$.a[*]",
        ] {
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
}
