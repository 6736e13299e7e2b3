//! Order, places and complaints of files that are read into types.

use serde::Deserialize;
use serde_json::Value;

use super::{Ordered, Placed, typed};
use crate::manifest::render;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: Placed<String>,
    #[serde(default)]
    rows: Vec<Placed<Value>>,
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
