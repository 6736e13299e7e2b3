//! One object as the raw JSON values of the declared columns.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What stands for a column in an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// No such key.
    #[default]
    Absent,
    /// `null`, or no such key in an object on the way.
    Null,
    /// Any other value, as it is written.
    Raw(&'a str),
    /// The key is there more than once.
    Twice,
    /// The way leads through something that is no object.
    Misplaced,
}

/// Finds the declared columns in objects. Keys of one file mostly come in one order, so the last
/// object's is tried first.
pub(super) struct Columns {
    tree: Arc<Tree>,
    /// Of each node: the keys of its last object, and what they lead to.
    orders: Vec<Vec<(String, Option<usize>)>>,
    /// Whether an object had the key, for each column.
    met: Vec<bool>,
}

/// The keys that lead to columns.
#[derive(Default)]
struct Tree {
    /// Objects that are looked into, the outermost first: what their keys lead to.
    nodes: Vec<HashMap<String, usize>>,
    keys: Vec<Key>,
}

/// What a key leads to.
#[derive(Default)]
struct Key {
    /// The columns that are its value.
    columns: Vec<usize>,
    /// The object that it holds, if that is looked into.
    node: Option<usize>,
    /// All columns within that.
    within: Vec<usize>,
}

/// Keys that are remembered in their order.
const ORDER: usize = 1024;

/// Where a text stops being an object, in the text's own lines and their bytes, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Tree {
    fn new(paths: &[Vec<String>]) -> Self {
        let mut tree = Tree {
            nodes: vec![HashMap::new()],
            keys: Vec::new(),
        };
        for (column, path) in paths.iter().enumerate() {
            tree.add(column, 0, path);
        }
        tree
    }

    fn add(&mut self, column: usize, node: usize, path: &[String]) {
        let Some((name, rest)) = path.split_first() else {
            return;
        };
        let fresh = self.keys.len();
        let Some(keys) = self.nodes.get_mut(node) else {
            return;
        };
        let key = *keys.entry(name.clone()).or_insert(fresh);
        if key == fresh {
            self.keys.push(Key::default());
        }
        let inner = self.nodes.len();
        let Some(key) = self.keys.get_mut(key) else {
            return;
        };
        if rest.is_empty() {
            key.columns.push(column);
            return;
        }
        key.within.push(column);
        let node = *key.node.get_or_insert(inner);
        if node == inner {
            self.nodes.push(HashMap::new());
        }
        self.add(column, node, rest);
    }
}

impl Columns {
    /// Columns by the ways that lead to them.
    pub(super) fn new(paths: &[Vec<String>]) -> Self {
        let tree = Tree::new(paths);
        Columns {
            orders: tree.nodes.iter().map(|_| Vec::new()).collect(),
            met: vec![false; paths.len()],
            tree: Arc::new(tree),
        }
    }

    /// Whether an object so far had the key, for each column.
    pub(super) fn met(&self) -> &[bool] {
        &self.met
    }

    /// Reads a text into `row`, a place for each column.
    pub(super) fn read<'a>(&mut self, text: &'a str, row: &mut [Value<'a>]) -> Result<(), Broken> {
        let tree = Arc::clone(&self.tree);
        self.object(&tree, 0, text, row).map_err(|e| Broken {
            line: e.line().max(1),
            column: e.column().max(1),
        })
    }

    /// Reads an object, or a list, whose places are its keys.
    fn object<'a>(
        &mut self,
        tree: &Tree,
        node: usize,
        text: &'a str,
        row: &mut [Value<'a>],
    ) -> Result<(), serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let object = Object {
            columns: self,
            tree,
            node,
            row,
        };
        object.deserialize(&mut reader)?;
        reader.end()
    }

    fn key(&mut self, tree: &Tree, node: usize, place: usize, name: Cow<'_, str>) -> Option<usize> {
        let order = self.orders.get_mut(node)?;
        if let Some((known, key)) = order.get(place)
            && *known == name
        {
            return *key;
        }
        let key = tree.nodes.get(node)?.get(name.as_ref()).copied();
        if place <= order.len() && place < ORDER {
            order.truncate(place);
            order.push((name.into_owned(), key));
        }
        key
    }

    /// Puts a key's value into its columns.
    fn put<'a>(
        &mut self,
        tree: &Tree,
        key: usize,
        text: &'a str,
        row: &mut [Value<'a>],
    ) -> Result<(), serde_json::Error> {
        let Some(key) = tree.keys.get(key) else {
            return Ok(());
        };
        for &column in &key.columns {
            if let Some(met) = self.met.get_mut(column) {
                *met = true;
            }
            if let Some(cell) = row.get_mut(column) {
                *cell = match (*cell, text) {
                    (Value::Absent, "null") => Value::Null,
                    (Value::Absent, text) => Value::Raw(text),
                    _ => Value::Twice,
                };
            }
        }
        let Some(node) = key.node else {
            return Ok(());
        };
        let again = key.within.iter().any(|column| {
            let cell = row.get(*column);
            cell.is_some_and(|cell| *cell != Value::Absent)
        });
        let left = if again {
            Value::Twice
        } else if text == "null" {
            Value::Null
        } else if text.starts_with(['{', '[']) {
            self.object(tree, node, text, row)?;
            Value::Null
        } else {
            Value::Misplaced
        };
        for column in &key.within {
            if let Some(cell) = row.get_mut(*column)
                && (again || *cell == Value::Absent)
            {
                *cell = left;
            }
        }
        Ok(())
    }
}

struct Object<'c, 'r, 'a> {
    columns: &'c mut Columns,
    tree: &'c Tree,
    node: usize,
    row: &'r mut [Value<'a>],
}

impl<'a> DeserializeSeed<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        if self.node == 0 {
            reader.deserialize_map(self)
        } else {
            reader.deserialize_any(self)
        }
    }
}

impl<'a> Visitor<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let mut place = 0;
        while let Some(Name(name)) = map.next_key_seed(NameOf)? {
            let key = self.columns.key(self.tree, self.node, place, name);
            place += 1;
            let Some(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw: &'a RawValue = map.next_value()?;
            self.columns
                .put(self.tree, key, raw.get(), self.row)
                .map_err(M::Error::custom)?;
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut items: S) -> Result<(), S::Error> {
        let mut place = 0usize;
        while let Some(raw) = items.next_element::<&'a RawValue>()? {
            let keys = self.tree.nodes.get(self.node);
            if let Some(&key) = keys.and_then(|k| k.get(itoa::Buffer::new().format(place))) {
                self.columns
                    .put(self.tree, key, raw.get(), self.row)
                    .map_err(S::Error::custom)?;
            }
            place += 1;
        }
        Ok(())
    }
}

struct Name<'a>(Cow<'a, str>);

struct NameOf;

impl<'a> DeserializeSeed<'a> for NameOf {
    type Value = Name<'a>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Name<'a>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for NameOf {
    type Value = Name<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'a str) -> Result<Name<'a>, E> {
        Ok(Name(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Name<'a>, E> {
        Ok(Name(Cow::Owned(key.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(all: &[&[&str]]) -> Columns {
        let keys = |path: &&[&str]| path.iter().map(|key| (*key).to_owned()).collect();
        let paths: Vec<Vec<String>> = all.iter().map(keys).collect();
        Columns::new(&paths)
    }

    fn read(line: &str) -> Result<[String; 2], Broken> {
        let mut columns = paths(&[&["a"], &["b\""]]);
        let mut row = [Value::Null; 2];
        // Twice, since the second time goes by the order of the first.
        for _ in 0..2 {
            row = [Value::Absent; 2];
            columns.read(line, &mut row)?;
        }
        Ok(row.map(|v| format!("{v:?}")))
    }

    #[test]
    fn values_stay_as_they_are_written() {
        let row = read(r#" {"x": {"a": 9}, "b\"": [1, {}] , "a":1.50e3} "#).unwrap();
        assert_eq!(row, ["Raw(\"1.50e3\")", "Raw(\"[1, {}]\")"]);
        assert_eq!(read(r#"{"a":null}"#).unwrap(), ["Null", "Absent"]);
        assert_eq!(read("{}").unwrap(), ["Absent", "Absent"]);
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
    fn a_null_is_a_value_where_keys_are_counted() {
        for line in [
            r#"{"a":1,"a":null}"#,
            r#"{"a":null,"a":1}"#,
            r#"{"a":null,"a":null}"#,
            r#"{"a":1,"a":null,"a":null}"#,
        ] {
            assert_eq!(read(line).unwrap()[0], "Twice", "{line}");
        }
    }

    fn nested(text: &str) -> [String; 4] {
        let ways: [&[&str]; 4] = [&["u", "mail"], &["u", "at", "x"], &["u"], &["list", "1"]];
        let mut columns = paths(&ways);
        let mut row = [Value::Absent; 4];
        for _ in 0..2 {
            row = [Value::Absent; 4];
            columns.read(text, &mut row).unwrap();
        }
        row.map(|v| format!("{v:?}").replace("\\\"", "'"))
    }

    #[test]
    fn ways_lead_into_objects_and_lists() {
        assert_eq!(
            nested(r#"{"mail":0,"u":{"x":1,"mail":"m","at":{"x":[1]}},"list":[0,{"a":1}]}"#),
            [
                "Raw(\"'m'\")",
                "Raw(\"[1]\")",
                "Raw(\"{'x':1,'mail':'m','at':{'x':[1]}}\")",
                "Raw(\"{'a':1}\")"
            ]
        );
        assert_eq!(nested("{}"), ["Absent", "Absent", "Absent", "Absent"]);
        assert_eq!(nested(r#"{"u":null}"#), ["Null", "Null", "Null", "Absent"]);
        assert_eq!(
            nested(r#"{"u":{"at":7},"list":[0]}"#)[..2],
            ["Null", "Misplaced"]
        );
        assert_eq!(nested(r#"{"u":"m"}"#)[..2], ["Misplaced", "Misplaced"]);
        assert_eq!(nested(r#"{"list":[0]}"#)[3], "Null");
    }

    #[test]
    fn a_way_is_there_twice_if_any_key_on_it_is() {
        for text in [
            r#"{"u":{"mail":1},"u":{"mail":2}}"#,
            r#"{"u":{"mail":1},"u":{}}"#,
            r#"{"u":{},"u":{"mail":1}}"#,
            r#"{"u":null,"u":{"mail":1}}"#,
            r#"{"u":{"mail":1,"mail":null}}"#,
            r#"{"u":1,"u":{"mail":1}}"#,
        ] {
            assert_eq!(nested(text)[0], "Twice", "{text}");
        }
    }

    #[test]
    fn keys_that_were_met_are_known() {
        let mut columns = paths(&[&["a"], &["u", "b"], &["c"]]);
        let mut row = [Value::Absent; 3];
        columns.read(r#"{"a":null,"u":{}}"#, &mut row).unwrap();
        assert_eq!(columns.met(), [true, false, false]);
        let mut row = [Value::Absent; 3];
        columns.read(r#"{"u":{"b":1}}"#, &mut row).unwrap();
        assert_eq!(columns.met(), [true, true, false]);
    }
}
