//! The names that a source has as names of columns that a manifest takes.

use std::collections::{BTreeSet, HashMap};

use glovebox_core::shown::is_invisible;
use glovebox_core::{DataType, Field, ReadFrom};

/// Bytes of a file that its format, its options and its names are found by.
pub(crate) const BEGINNING: u64 = 1 << 20;
/// Bytes that a name keeps; PostgreSQL cuts a longer one.
const MAX_NAME_LEN: usize = 63;

/// The columns of a header, or of as many fields without one, under other names than those taken,
/// which are in lower case.
pub(crate) fn of_header(names: Vec<Vec<u8>>, header: bool, taken: BTreeSet<String>) -> Vec<Field> {
    let there: Vec<Option<String>> = names
        .iter()
        .map(|name| String::from_utf8(name.clone()).ok())
        .collect();
    let mut times: HashMap<Option<&str>, usize> = HashMap::new();
    for name in &there {
        *times.entry(name.as_deref()).or_default() += 1;
    }
    let mut taken = Taken::new(taken);
    let field = |(i, raw): (usize, &Option<String>)| {
        let raw = raw.as_deref().filter(|_| header).unwrap_or_default();
        let name = unique(raw, &format!("column_{}", i + 1), &mut taken);
        let twice = times.get(&Some(raw)).is_some_and(|times| *times > 1);
        let readable = !raw.is_empty() && raw.len() <= 200 && !raw.chars().any(is_hidden);
        Field {
            from: match (header, name == raw) {
                (false, _) => None,
                (true, true) if !twice => None,
                (true, false) if readable && !twice => Some(ReadFrom::Name(raw.into())),
                (true, _) => Some(ReadFrom::Position(i + 1)),
            },
            ..Field::new(name, DataType::Text)
        }
    };
    there.iter().enumerate().map(field).collect()
}

/// The columns that keys lead to, under other names than those taken, which are in lower case.
pub(crate) fn of_keys(keys: Vec<Vec<String>>, taken: BTreeSet<String>) -> Vec<Field> {
    let mut taken = Taken::new(taken);
    keys.into_iter()
        .enumerate()
        .filter(|(_, path)| !path.iter().flat_map(|key| key.chars()).any(is_hidden))
        .map(|(i, path)| {
            let name = unique(&path.join("_"), &format!("column_{}", i + 1), &mut taken);
            let own = path.first().filter(|key| path.len() == 1 && **key == name);
            let from = || {
                let escaped = path
                    .iter()
                    .map(|key| key.replace('\\', "\\\\").replace('.', "\\."));
                ReadFrom::Name(escaped.collect::<Vec<_>>().join(".").into())
            };
            Field {
                from: own.is_none().then(from),
                ..Field::new(name, DataType::Text)
            }
        })
        .collect()
}

/// Whether a terminal or an editor would obey the character, or not show it: no name has one.
fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// A column's name: the source's where a manifest takes it and no other column has it, in whatever
/// case; else one that is made of it.
fn unique(raw: &str, otherwise: &str, taken: &mut Taken) -> String {
    let shown: String = raw
        .chars()
        .map(|c| if is_hidden(c) { ' ' } else { c })
        .collect();
    let mut name = shown.trim();
    while name.len() > MAX_NAME_LEN - 4 {
        let last = name.char_indices().next_back().map_or(0, |(at, _)| at);
        name = name.get(..last).unwrap_or_default().trim_end();
    }
    let base = if name.is_empty() { otherwise } else { name };
    taken.other(base)
}

/// Names that are taken, in lower case.
struct Taken {
    names: BTreeSet<String>,
    /// Of each name that came again the number that it got last, so that a header of one name costs no
    /// more than another.
    last: HashMap<String, usize>,
}

impl Taken {
    fn new(names: BTreeSet<String>) -> Self {
        Taken {
            names,
            last: HashMap::new(),
        }
    }

    /// The name, or the next of its kind that nobody has.
    fn other(&mut self, base: &str) -> String {
        if self.names.insert(base.to_lowercase()) {
            return base.to_owned();
        }
        let number = self.last.entry(base.to_lowercase()).or_insert(1);
        loop {
            *number += 1;
            let candidate = format!("{base}_{number}");
            if self.names.insert(candidate.to_lowercase()) {
                return candidate;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<(String, Option<ReadFrom>)> {
        let names = names.iter().map(|n| n.as_bytes().to_vec()).collect();
        let fields = of_header(names, true, BTreeSet::new());
        fields
            .into_iter()
            .map(|f| (f.name.to_string(), f.from))
            .collect()
    }

    #[test]
    fn a_name_that_comes_again_gets_the_next_number_that_is_free() {
        let names: Vec<String> = header(&["a", "a_2", "A", "a", "a"])
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["a", "a_2", "A_3", "a_4", "a_5"]);
    }

    #[test]
    fn a_column_keeps_its_name_where_a_manifest_takes_it() {
        let at = |i| Some(ReadFrom::Position(i));
        assert_eq!(
            header(&["id", " Unit price", "", "note", "note", "ID"]),
            [
                ("id".into(), None),
                (
                    "Unit price".into(),
                    Some(ReadFrom::Name(" Unit price".into()))
                ),
                ("column_3".into(), at(3)),
                ("note".into(), at(4)),
                ("note_2".into(), at(5)),
                ("ID_2".into(), Some(ReadFrom::Name("ID".into()))),
            ]
        );
        assert_eq!(
            header(&["a\u{202e}b", "c"]),
            [("a b".into(), at(1)), ("c".into(), None)]
        );
        let long = "\u{e9}".repeat(100);
        let found = header(&[&long]);
        assert!(found[0].0.len() <= MAX_NAME_LEN, "{found:?}");
        assert_eq!(found[0].1, Some(ReadFrom::Name(long.into())));
    }

    #[test]
    fn keys_lead_to_columns() {
        let path = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect();
        let keys = vec![
            path(&["id"]),
            path(&["user", "mail"]),
            path(&["a.b"]),
            path(&["user", "x.y"]),
            path(&["not\u{200b}shown"]),
        ];
        let fields = of_keys(keys, BTreeSet::new());
        let from: Vec<_> = fields.iter().map(|f| f.from.clone()).collect();
        let name = |name: &str| Some(ReadFrom::Name(name.into()));
        assert_eq!(from, [None, name("user.mail"), None, name("user.x\\.y")]);
        assert_eq!(&*fields[1].name, "user_mail");
    }
}
