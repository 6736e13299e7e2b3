//! What objects have in their columns, however their keys come.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

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

#[test]
fn keys_that_are_missing_or_come_otherwise_are_found() {
    use Value::{Absent, Null, Raw};
    let mut columns = paths(&[&["a"], &["b"], &["c\"\n"]]);
    let quoted = r#"{"a":2,"c\"\n":0}"#;
    for (text, expected) in [
        (r#"{"a":1,"x":"","b":2}"#, [Raw("1"), Raw("2"), Absent]),
        (r#"{"a":"1"}"#, [Raw("\"1\""), Absent, Absent]),
        (r#"{"b":true}"#, [Absent, Raw("true"), Absent]),
        (r#"{"b":2,"a":null}"#, [Null, Raw("2"), Absent]),
        (r#"{"a":2,"b":2}"#, [Raw("2"), Raw("2"), Absent]),
        (quoted, [Raw("2"), Absent, Raw("0")]),
        (quoted, [Raw("2"), Absent, Raw("0")]),
    ] {
        let mut row = [Absent; 3];
        columns.read(text, &mut row).unwrap();
        assert_eq!(row, expected, "{text}");
    }
    let unquoted = "{\"a\":2,\"c\"\n\":0}";
    assert!(columns.read(unquoted, &mut [Absent; 3]).is_err());
}

proptest! {
    /// Whatever the objects before it had.
    #[test]
    fn a_line_is_read_as_the_reader_of_all_of_json_reads_it(
        lines in vec("\\{?( ?\"(a|b|u|x|\\\\u0061)\" ?:(1|-0\\.5e3|01|null|\"\\\\n\"|\"é\"|\\{\"m\":1\\}|\\[\\]),?){0,4}\\} ?", 1..5)
    ) {
        let ways: [&[&str]; 4] = [&["a"], &["b"], &["u", "m"], &["u"]];
        let mut usual = paths(&ways);
        // Twice, since the second time goes by the order of the first.
        for line in lines.iter().flat_map(|line| [line, line]) {
            let (mut row, mut expected) = ([Value::Absent; 4], [Value::Absent; 4]);
            let found = usual.read(line, &mut row).is_ok();
            let mut general = paths(&ways);
            let tree = Arc::clone(&general.tree);
            let is_json = general.object(&tree, 0, line, &mut expected).is_ok();
            prop_assert_eq!(found, is_json, "{}", line);
            if found {
                prop_assert_eq!(row, expected, "{}", line);
            }
        }
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
