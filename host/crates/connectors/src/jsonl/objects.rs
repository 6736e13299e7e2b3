//! One object as the raw JSON values of the declared columns.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::scan::Scan;

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
    /// Of each node: the keys of its last object.
    orders: Vec<Vec<Met>>,
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

/// A key that an object had.
struct Met {
    name: String,
    /// What it leads to.
    key: Option<usize>,
    /// Whether it stands between its quotes as it is.
    is_plain: bool,
}

impl Met {
    fn new(name: String, key: Option<usize>) -> Self {
        let special = |b: u8| b < 0x20 || b == b'"' || b == b'\\';
        Met {
            is_plain: !name.bytes().any(special),
            name,
            key,
        }
    }

    /// Where its value begins, if it is what comes next.
    fn value<'a>(&self, mut scan: Scan<'a>) -> Option<Scan<'a>> {
        self.is_plain.then_some(())?;
        scan.eat(b'"')?;
        scan.eat_all(self.name.as_bytes())?;
        scan.eat(b'"')?;
        scan.space();
        scan.eat(b':')?;
        scan.space();
        Some(scan)
    }
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
        let order = self.orders.first_mut().map(std::mem::take);
        let order = order.unwrap_or_default();
        let done = self.usual(&tree, &order, text, row).is_some();
        if let Some(first) = self.orders.first_mut() {
            *first = order;
        }
        if done {
            return Ok(());
        }
        row.fill(Value::Absent);
        self.object(&tree, 0, text, row).map_err(|e| Broken {
            line: e.line().max(1),
            column: e.column().max(1),
        })
    }

    /// Reads an object whose keys come in this order, though not all of them have to; none is whatever
    /// else, and `row` is of no use then.
    fn usual<'a>(
        &mut self,
        tree: &Tree,
        order: &[Met],
        text: &'a str,
        row: &mut [Value<'a>],
    ) -> Option<()> {
        // Of more keys those behind are not known.
        (order.len() < ORDER).then_some(())?;
        let mut scan = Scan::new(text);
        scan.space();
        scan.eat(b'{')?;
        scan.space();
        let mut order = order.iter();
        loop {
            let (key, value) = order.find_map(|met| Some((met.key, met.value(scan)?)))?;
            scan = value;
            let value = scan.value()?;
            if let Some(key) = key {
                self.put(tree, key, value, row).ok()?;
            }
            scan.space();
            if scan.eat(b',').is_none() {
                break;
            }
            scan.space();
        }
        scan.eat(b'}')?;
        scan.space();
        scan.is_at_end().then_some(())
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
        if let Some(met) = order.get(place)
            && met.name == name
        {
            return met.key;
        }
        let key = tree.nodes.get(node)?.get(name.as_ref()).copied();
        if place <= order.len() && place < ORDER {
            order.truncate(place);
            order.push(Met::new(name.into_owned(), key));
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
#[path = "objects_tests.rs"]
mod tests;
