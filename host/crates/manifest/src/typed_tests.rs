//! Order, places and complaints of files that are read into types.

use serde::Deserialize;
use serde_json::Value;

use super::{Ordered, place, typed};
use crate::model::Spanned;
use crate::render;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: Spanned<String>,
    #[serde(default)]
    rows: Vec<Spanned<Value>>,
    #[serde(default)]
    columns: Ordered<String>,
}

#[test]
fn order_and_places_are_kept() {
    let text = "name: ä one\nrows: [1, null, {a: true}]\ncolumns: { z: text, a: int64 }\n";
    let case: Case = typed(text, "a cases file").unwrap();
    assert_eq!(&text[case.name.span], "ä one");
    assert_eq!(&text[case.rows[1].span.clone()], "null");
    assert_eq!(case.rows[2].value, serde_json::json!({"a": true}));
    let names: Vec<&str> = case
        .columns
        .0
        .iter()
        .map(|(k, _)| k.value.as_str())
        .collect();
    assert_eq!(names, ["z", "a"]);
    assert_eq!(&text[case.columns.0[0].0.span.clone()], "z");
}

#[test]
fn what_is_wrong_is_shown_at_its_place() {
    for (text, due) in [
        ("name: x\nrows: 3\n", "c.yaml:2:7"),
        ("name: x\ncolums: {}\n", "c.yaml:2:1"),
        ("rows: []\n", "missing field `name`"),
        ("name: &a x\n", "a cases file may not use YAML anchors"),
        ("", "the file is empty"),
    ] {
        let problems = typed::<Case>(text, "a cases file").unwrap_err();
        let shown = render(&problems, "c.yaml", text, false);
        assert!(shown.contains(due), "{shown}");
    }
}

#[test]
fn every_key_and_value_that_does_not_do_is_shown_and_none_twice() {
    let text = "nme: x\nrows: 3\ncolumns: { a: [1], b: text }\nxyz: 1\n";
    let problems = typed::<Case>(text, "a cases file").unwrap_err();
    let told: Vec<(&str, &str)> = problems
        .iter()
        .map(|p| (&text[p.span.clone()], p.help.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(
        told,
        [
            ("nme", "did you mean `name`?"),
            ("3", ""),
            ("[1]", ""),
            ("xyz", "the keys here are: name, rows, columns"),
        ],
        "{problems:?}"
    );
    // What is missing since it was wrong is not missed as well.
    let told = typed::<Case>("name: [1]\nrows: 3\n", "a cases file").unwrap_err();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(!format!("{told:?}").contains("missing"), "{told:?}");
}

#[test]
fn a_key_is_found_by_its_path_and_else_the_last_one_above_it() {
    let text = "tokens:\n  keys: [one, two]\ndatasets:\n  sales:\n    table: t\n";
    let at = |path: &[&str]| text.get(place(text, path)).unwrap();
    assert_eq!(at(&["tokens", "keys", "1"]), "two");
    assert_eq!(at(&["datasets", "sales", "table"]), "table");
    assert_eq!(at(&["datasets", "sales", "columns", "price"]), "sales");
    assert_eq!(at(&["tokens", "keys", "7"]), "keys");
    assert_eq!(at(&["nothing"]), "");
    assert_eq!(place("{", &["a"]), 0..0);
}
