//! The names that a source has as names of columns that a manifest takes.

use std::collections::BTreeSet;

use glovebox_core::shown::is_invisible;
use glovebox_core::{DataType, Field, ReadFrom};

/// Bytes of a file that its format, its options and its names are found by.
pub(crate) const BEGINNING: u64 = 1 << 20;
/// Bytes that a name keeps; PostgreSQL cuts a longer one.
const MAX_NAME_LEN: usize = 63;

/// The columns of a header, or of as many fields without one, under other names than those taken,
/// which are in lower case.
pub(crate) fn of_header(
    names: Vec<Vec<u8>>,
    header: bool,
    mut taken: BTreeSet<String>,
) -> Vec<Field> {
    let there: Vec<Option<String>> = names
        .iter()
        .map(|name| String::from_utf8(name.clone()).ok())
        .collect();
    let field = |(i, raw): (usize, &Option<String>)| {
        let raw = raw.as_deref().filter(|_| header).unwrap_or_default();
        let name = unique(raw, &format!("column_{}", i + 1), &mut taken);
        let twice = there
            .iter()
            .filter(|other| other.as_deref() == Some(raw))
            .count()
            > 1;
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
pub(crate) fn of_keys(keys: Vec<Vec<String>>, mut taken: BTreeSet<String>) -> Vec<Field> {
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
fn unique(raw: &str, otherwise: &str, taken: &mut BTreeSet<String>) -> String {
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
    let mut candidate = base.to_owned();
    let mut number = 1;
    while !taken.insert(candidate.to_lowercase()) {
        number += 1;
        candidate = format!("{base}_{number}");
    }
    candidate
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
