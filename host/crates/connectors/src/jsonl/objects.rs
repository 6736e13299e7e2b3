//! One line as the values of the declared columns, each still as it is written.
//!
//! Owns which key is which column; refuses a line that is no JSON object, and an object that says
//! a column twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use glovebox_core::Schema;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What stands for a column in an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// `null`, or no such key.
    #[default]
    Null,
    /// Any other value, as it is written.
    Raw(&'a str),
    /// The key is there more than once.
    Twice,
}

/// Finds the declared columns in objects. Keys of one file mostly come in one order, so the last
/// object's is tried first.
pub(super) struct Columns {
    by_name: HashMap<Arc<str>, usize>,
    /// The keys of the last object, and the columns that they are.
    order: Vec<(String, Option<usize>)>,
}

/// Keys that are remembered in their order.
const ORDER: usize = 1024;

impl Columns {
    pub(super) fn new(schema: &Schema) -> Self {
        let names = schema.fields.iter().map(|f| f.name.clone());
        Columns {
            by_name: names.zip(0..).collect(),
            order: Vec::new(),
        }
    }

    /// Reads a line into `row`, a place for each column. The error is the column of the line at
    /// which it stops being an object, counted from 1.
    pub(super) fn read<'a>(&mut self, line: &'a str, row: &mut [Value<'a>]) -> Result<(), usize> {
        let mut reader = serde_json::Deserializer::from_str(line);
        let object = Object { columns: self, row };
        object
            .deserialize(&mut reader)
            .and_then(|()| reader.end())
            .map_err(|e| e.column().max(1))
    }

    fn column(&mut self, place: usize, key: Cow<'_, str>) -> Option<usize> {
        if let Some((known, column)) = self.order.get(place)
            && *known == key
        {
            return *column;
        }
        let column = self.by_name.get(key.as_ref()).copied();
        if place <= self.order.len() && place < ORDER {
            self.order.truncate(place);
            self.order.push((key.into_owned(), column));
        }
        column
    }
}

struct Object<'c, 'r, 'a> {
    columns: &'c mut Columns,
    row: &'r mut [Value<'a>],
}

impl<'a> DeserializeSeed<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let mut place = 0;
        while let Some(Key(key)) = map.next_key_seed(KeyOf)? {
            let column = self.columns.column(place, key);
            place += 1;
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw: &'a RawValue = map.next_value()?;
            let Some(cell) = self.row.get_mut(column) else {
                return Err(M::Error::custom("a column too many"));
            };
            *cell = match (*cell, raw.get()) {
                (Value::Null, "null") => Value::Null,
                (Value::Null, text) => Value::Raw(text),
                _ => Value::Twice,
            };
        }
        Ok(())
    }
}

struct Key<'a>(Cow<'a, str>);

struct KeyOf;

impl<'a> DeserializeSeed<'a> for KeyOf {
    type Value = Key<'a>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Key<'a>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for KeyOf {
    type Value = Key<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'a str) -> Result<Key<'a>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'a>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_core::{DataType, Field};

    fn columns() -> Columns {
        Columns::new(&Schema::new(vec![
            Field::new("a", DataType::Text),
            Field::new("b\"", DataType::Text),
        ]))
    }

    fn read(line: &str) -> Result<[String; 2], usize> {
        let mut columns = columns();
        let mut row = [Value::Null; 2];
        // Twice, since the second time goes by the order of the first.
        for _ in 0..2 {
            row = [Value::Null; 2];
            columns.read(line, &mut row)?;
        }
        Ok(row.map(|v| format!("{v:?}")))
    }

    #[test]
    fn values_stay_as_they_are_written() {
        let row = read(r#" {"x": {"a": 9}, "b\"": [1, {}] , "a":1.50e3} "#).unwrap();
        assert_eq!(row, ["Raw(\"1.50e3\")", "Raw(\"[1, {}]\")"]);
        assert_eq!(read(r#"{"a":null}"#).unwrap(), ["Null", "Null"]);
        assert_eq!(read("{}").unwrap(), ["Null", "Null"]);
    }

    #[test]
    fn a_key_that_is_there_twice_is_noticed() {
        assert_eq!(read(r#"{"a":1,"a":1}"#).unwrap()[0], "Twice");
        assert_eq!(read(r#"{"a":1,"\u0061":null}"#).unwrap()[0], "Twice");
        assert_eq!(read(r#"{"x":1,"x":2,"a":3}"#).unwrap()[0], "Raw(\"3\")");
    }

    #[test]
    fn what_is_no_object_is_none() {
        for line in [
            "",
            "1",
            "[]",
            "\"a\"",
            "null",
            "{",
            "{\"a\":}",
            "{\"a\":1,}",
            "{'a':1}",
            "{}{}",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "{} x",
            "{\"a\":\"\u{1}\"}",
            "{\"x\":tru}",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(
            read(&deep).is_ok(),
            "depth is no danger: nothing is called for it"
        );
    }

    #[test]
    fn a_null_after_a_value_is_a_second_one() {
        assert_eq!(read(r#"{"a":1,"a":null}"#).unwrap()[0], "Twice");
    }
}
