//! Which field of a record is which declared column, found once from the header.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{Field, ReadFrom, Schema, SourceError};

use super::header::Start;

/// The layout of a file's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Fields that every record has to have.
    pub(super) fields: usize,
    /// For each field of a record, whether it is declared.
    pub(super) declared: Vec<bool>,
    /// For each declared column, its place among the declared fields of a record.
    pub(super) places: Vec<usize>,
}

impl Layout {
    /// By the names of the header.
    pub(super) fn by_header(start: &Start<'_>, schema: &Schema) -> Result<Layout, SourceError> {
        if start.names.is_empty() {
            return Err(start.empty());
        }
        let mut missing = Vec::new();
        let mut at = Vec::new();
        for field in &schema.fields {
            match &field.from {
                Some(ReadFrom::Position(position)) => match position.checked_sub(1) {
                    Some(i) if i < start.names.len() => at.push(i),
                    _ => return Err(start.no_such_position(field, *position, start.names.len())),
                },
                _ => match start.find(field.source_name()) {
                    [] => missing.push(field),
                    [only] => at.push(*only),
                    [first, second, ..] => return Err(start.twice(field, *first, *second)),
                },
            }
        }
        if !missing.is_empty() {
            return Err(start.lacking(&missing, schema));
        }
        once(start, schema, &at)?;
        Ok(Layout::of(start.names.len(), &at))
    }

    /// By position: this record's number of fields is that of all others.
    pub(super) fn by_position(start: &Start<'_>, schema: &Schema) -> Result<Layout, SourceError> {
        let at: Vec<usize> = (0..).zip(&schema.fields).map(position).collect();
        let needed = needed(schema);
        let fields = match start.names.len() {
            0 => needed,
            fields => fields,
        };
        if fields < needed {
            return Err(start.too_few(fields, needed, schema));
        }
        once(start, schema, &at)?;
        Ok(Layout::of(fields, &at))
    }

    /// Where declared columns stand, as far as they are there.
    pub(super) fn places(start: &Start<'_>, schema: &Schema, header: bool) -> Vec<usize> {
        let place = |(i, field): (usize, &Field)| match (&field.from, header) {
            (Some(ReadFrom::Position(_)), _) | (_, false) => Some(position((i, field))),
            (_, true) => start.find(field.source_name()).first().copied(),
        };
        (0..).zip(&schema.fields).filter_map(place).collect()
    }

    /// Declared columns stand at these fields.
    fn of(fields: usize, at: &[usize]) -> Layout {
        let mut declared = vec![false; fields];
        for i in at {
            if let Some(declared) = declared.get_mut(*i) {
                *declared = true;
            }
        }
        let mut before = 0;
        let ranks: Vec<usize> = declared
            .iter()
            .map(|declared| {
                let rank = before;
                before += usize::from(*declared);
                rank
            })
            .collect();
        let places = at.iter().filter_map(|i| ranks.get(*i).copied());
        Layout {
            fields,
            places: places.collect(),
            declared,
        }
    }
}

/// The first of these records, of which so many fields are told, that has as many as most of those
/// that have every declared column: lines before the data, a title or a note, have others.
pub(super) fn typical(counts: impl Iterator<Item = usize>, schema: &Schema) -> usize {
    let needed = needed(schema);
    let mut met: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (at, count) in counts.enumerate().filter(|(_, count)| *count >= needed) {
        met.entry(count).or_insert((0, at)).0 += 1;
    }
    let most = met
        .values()
        .max_by_key(|(times, at)| (*times, Reverse(*at)));
    most.map_or(0, |(_, at)| *at)
}

/// Fields that a record without a header has at least.
fn needed(schema: &Schema) -> usize {
    let last = (0..).zip(&schema.fields).map(position).max();
    last.map_or(0, |last| last + 1)
}

/// Where a column stands in a file without a header.
fn position((i, field): (usize, &Field)) -> usize {
    match &field.from {
        Some(ReadFrom::Position(position)) => position.saturating_sub(1),
        _ => i,
    }
}

/// Refuses two columns at one field: what is declared of the one would not hold for the other.
fn once(start: &Start<'_>, schema: &Schema, at: &[usize]) -> Result<(), SourceError> {
    let mut seen = BTreeMap::new();
    for (field, i) in schema.fields.iter().zip(at) {
        if let Some(first) = seen.insert(*i, field) {
            return Err(start.shared(first, field, *i));
        }
    }
    Ok(())
}

/// The layouts of a source's files, each known from when its file is first opened.
#[derive(Debug, Default)]
pub struct Layouts(Mutex<BTreeMap<usize, Arc<Layout>>>);

impl Layouts {
    pub(super) fn get(&self, part: usize) -> Option<Arc<Layout>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&part).cloned()
    }

    /// Remembers a file's layout, or says that it has had another one.
    pub(super) fn put(&self, part: usize, layout: Layout, place: &str) -> Result<(), SourceError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&part) {
            Some(before) if **before != layout => Err(SourceError::shape(
                place,
                "its columns have changed since it was opened; run again",
            )),
            Some(_) => Ok(()),
            None => {
                known.insert(part, Arc::new(layout));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::header::tests::{at, schema, start};

    #[test]
    fn columns_are_found_by_exact_name_in_any_order() {
        let start = start("a,\"b,\"\"x\",c,d\r\n");
        let layout = Layout::by_header(&start, &schema(&["d", "b,\"x"])).unwrap();
        assert_eq!(layout.fields, 4);
        assert_eq!(layout.declared, [false, true, false, true]);
        assert_eq!(layout.places, [1, 0]);
    }

    #[test]
    fn a_column_is_read_from_where_it_says() {
        let file = "id,note,,note,\"Unit price, in \u{20ac}, as agreed upon with the customer\"\n";
        let mut schema = schema(&["id", "blank", "second", "price"]);
        schema.fields[1].from = at(3);
        schema.fields[2].from = at(4);
        let long = "Unit price, in \u{20ac}, as agreed upon with the customer";
        schema.fields[3].from = Some(ReadFrom::Name(long.into()));
        let layout = Layout::by_header(&start(file), &schema).unwrap();
        assert_eq!(layout.declared, [true, false, true, true, true]);
        assert_eq!(layout.places, [0, 1, 2, 3]);

        let layout = Layout::by_position(&start("1,2,3,4,5\n"), &{
            let mut schema = schema.clone();
            schema.fields[0].from = at(5);
            schema.fields.pop();
            schema
        });
        assert_eq!(layout.unwrap().places, [2, 0, 1]);

        schema.fields[1].from = at(6);
        let error = Layout::by_header(&start(file), &schema).unwrap_err();
        assert!(error.to_string().contains("has 5 columns"), "{error}");
        schema.fields[1].from = at(1);
        let error = Layout::by_header(&start(file), &schema).unwrap_err();
        assert!(error.to_string().contains("`id` and `blank`"), "{error}");
    }

    #[test]
    fn an_empty_file_says_so() {
        let error = Layout::by_header(&start(""), &schema(&["a"])).unwrap_err();
        assert!(error.to_string().contains("is empty"), "{error}");
        assert!(Layout::by_position(&start(""), &schema(&["a"])).is_ok());
    }

    #[test]
    fn most_records_say_how_many_fields_there_are() {
        let typical = |counts: &[usize]| typical(counts.iter().copied(), &schema(&["a", "b"]));
        assert_eq!(typical(&[1, 7, 3, 3, 7, 3]), 2);
        assert_eq!(typical(&[1, 1, 1, 2]), 3, "too few are no record");
        assert_eq!(typical(&[4, 3, 3, 4]), 0, "of as many the first");
        assert_eq!((typical(&[1, 1]), typical(&[])), (0, 0));
    }

    #[test]
    fn without_a_header_the_first_record_must_have_the_declared_fields() {
        let layout = Layout::by_position(&start("1,2,3\n"), &schema(&["a", "b"])).unwrap();
        assert_eq!((layout.fields, layout.places), (3, vec![0, 1]));
        let error = Layout::by_position(&start("1\n"), &schema(&["a", "b"])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("1 field, and column 2 is asked for"),
            "{error}"
        );
    }
}
