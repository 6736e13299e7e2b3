//! The keys that a file's first objects have, in the order in which they come.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::layout::Layout;
use crate::discover::types::is_typed;

/// Objects that are looked at.
const OBJECTS: usize = 1000;
/// Keys within one another that become a column; what is deeper stays JSON.
const MAX_DEPTH: usize = 4;

/// An object with more keys than that is a map.
const MAX_KEYS: usize = 200;

/// What values were met under a key.
#[derive(Debug, Default)]
struct Seen {
    /// Whether one was neither an object nor null.
    single: bool,
    /// Those in objects, by key, each with how many were there before it.
    within: BTreeMap<String, (usize, Seen)>,
}

/// The ways to the values of a file that begins with objects; none if it does not.
pub(crate) fn keys(beginning: &[u8]) -> Option<Vec<Vec<String>>> {
    let text = beginning
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(beginning)
        .trim_ascii_start();
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return None;
    }
    let mut all = Seen::default();
    let mut read = 0;
    for (_, record) in Layout::of(text).records(text).take(OBJECTS) {
        let record = record.trim_ascii();
        let mut json = serde_json::Deserializer::from_slice(record);
        // One that is broken, or cut off, or no object, is for a run to reject.
        if record.first() == Some(&b'{') && Merge(&mut all).deserialize(&mut json).is_ok() {
            read += 1;
        }
    }
    let mut paths = Vec::new();
    all.paths(&mut Vec::new(), &mut paths);
    (read > 0).then_some(paths)
}

impl Seen {
    fn paths(&self, above: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        let mut within: Vec<_> = self.within.iter().collect();
        within.sort_by_key(|(_, (before, _))| *before);
        for (key, (_, seen)) in within {
            above.push(key.clone());
            if seen.single || seen.is_map() || above.len() >= MAX_DEPTH {
                found.push(above.clone());
            } else {
                seen.paths(above, found);
            }
            above.pop();
        }
    }

    /// Whether its keys are data, which no column may be called by.
    fn is_map(&self) -> bool {
        let is_value = |key: &String| key.contains('@') || is_typed(key);
        self.within.is_empty() || self.within.len() > MAX_KEYS || self.within.keys().any(is_value)
    }

    fn under(&mut self, key: String) -> &mut Seen {
        let before = self.within.len();
        let (_, seen) = self
            .within
            .entry(key)
            .or_insert_with(|| (before, Seen::default()));
        seen
    }
}

/// Adds a value to what was seen.
struct Merge<'s>(&'s mut Seen);

impl<'de> DeserializeSeed<'de> for Merge<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl Merge<'_> {
    fn single<E>(self) -> Result<(), E> {
        self.0.single = true;
        Ok(())
    }
}

impl<'de> Visitor<'de> for Merge<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.single()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.single()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.single()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.single()
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.single()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.single()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Merge(self.0.under(key)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_their_order_and_lead_into_objects() {
        let file =
            "{\"b\":1,\"a\":{\"x\":null,\"y\":[1]},\"c\":{}}\n\nno\n{\"d\":\"\",\"a\":{\"z\":1}}\n";
        let found = keys(file.as_bytes()).unwrap();
        let found: Vec<String> = found.iter().map(|path| path.join(".")).collect();
        assert_eq!(found, ["b", "a.x", "a.y", "a.z", "c", "d"]);
    }

    #[test]
    fn keys_that_are_data_name_no_column() {
        for file in [
            r#"{"by":{"ann@example.org":1}}"#,
            r#"{"by":{"1980":1,"1981":2}}"#,
        ] {
            assert_eq!(keys(file.as_bytes()).unwrap(), [["by"]], "{file}");
        }
    }

    #[test]
    fn what_is_an_object_only_sometimes_is_one_column() {
        let found = keys(b"[{\"a\":{\"x\":1}},\n{\"a\":2}]").unwrap();
        assert_eq!(found, [["a"]]);
    }

    #[test]
    fn other_files_have_none() {
        for file in ["", "id,name\n", "[1,2]", "{id}\n", "{\"a\":"] {
            assert_eq!(keys(file.as_bytes()), None, "{file}");
        }
    }
}
