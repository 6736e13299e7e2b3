//! What is said of headers that do not fit, and what is never shown of them.

use super::*;
use crate::csv::layout::Layout;
use glovebox_core::DataType;

const COMMA: [u8; 1] = *b",";

fn comma() -> Dialect {
    Dialect::new(Delimiter::new(&COMMA).unwrap(), Some(b'"'))
}

pub(crate) fn at(position: usize) -> Option<ReadFrom> {
    Some(ReadFrom::Position(position))
}

pub(crate) fn schema(names: &[&str]) -> Schema {
    let fields = names.iter().map(|n| Field::new(*n, DataType::Text));
    Schema::new(fields.collect())
}

/// The start of a file whose lines are its records.
pub(crate) fn start(file: &str) -> Start<'_> {
    start_at(file, 0)
}

fn start_at(file: &str, skipped: u64) -> Start<'_> {
    let mut records = Vec::new();
    let mut from = 0;
    for line in file.split_inclusive('\n') {
        records.push(from..from + line.len());
        from += line.len();
    }
    let of = Where {
        bytes: file.as_bytes(),
        skipped,
        encoding: None,
        place: "in.csv",
    };
    Start::new(&records, 1, comma(), &of)
}

fn message(file: &str, declared: &[&str]) -> String {
    let error = Layout::by_header(&start(file), &schema(declared)).unwrap_err();
    error.to_string()
}

#[test]
fn a_missing_column_is_named_with_what_the_file_has() {
    let help = "correct the name in `columns`, give the file's name with `from`, or remove the \
               column";
    assert_eq!(
        message(
            "product,Price,quantity\na,1,2\n",
            &["product", "price", "quantity"]
        ),
        format!(
            "in.csv: the header has no column `price` (did you mean `Price`?); it has \
             `product`, `Price`, `quantity`; {help}"
        )
    );
    assert_eq!(
        message("a,b,qantity,d\n1,2,3,4\n", &["a", "b", "quantity"]),
        format!(
            "in.csv: the header has no column `quantity` (did you mean `qantity`?); it has \
             `a`, `b` and 2 columns more; {help}"
        )
    );
}

#[test]
fn a_first_line_that_may_be_data_is_not_shown() {
    for (file, declared) in [
        ("123-45-6789,Jane Doe\n", &["ssn", "name"][..]),
        ("Emil,Jane Doe\nEmil,Jane Doe\n", &["email", "name"]),
        (
            "id,Jane Doe,Emil\n1,Jane Doe,Emil\n",
            &["id", "name", "email"],
        ),
        (
            "id,note,email1,Jane,jane@x.org\n2,b,c\n",
            &["id", "note", "email"],
        ),
        ("id,note,\u{1b}[2JJane\n1,2,3\n", &["id", "note", "email"]),
    ] {
        let error = message(file, declared);
        for cell in ["6789", "Jane", "Emil", "jane", "\u{1b}"] {
            assert!(!error.contains(cell), "{error}");
        }
    }
    assert!(message("123-45-6789,J\n", &["ssn", "name"]).contains("header: false"));
}

#[test]
fn a_message_is_short_however_much_there_is() {
    let names: Vec<_> = (0..3000).map(|i| format!("column {i}")).collect();
    let file = format!("{}\n", names.join(","));
    let declared: Vec<_> = (0..3000).map(|i| format!("c{i}")).collect();
    let declared: Vec<_> = declared.iter().map(String::as_str).collect();
    let error = message(&file, &declared);
    assert!(error.contains("and 2995 more"), "{error}");
    assert!(error.len() < 400, "{}", error.len());
}

#[test]
fn a_declared_name_may_stand_there_once() {
    let error = message("a,b,a\n", &["a"]);
    assert!(error.contains("two columns named `a`"), "{error}");
    assert!(error.contains("`from: 1` or `from: 3`"), "{error}");
    assert!(Layout::by_header(&start("a,b,a\n"), &schema(&["b"])).is_ok());
}

#[test]
fn the_option_that_would_help_is_named() {
    for (file, help) in [
        (
            "Report\n\nof today,,\nid,name\n1,a\n",
            "3 lines before the header? write `skip: 3`",
        ),
        ("id;name\n1;a\n", "write `delimiter: \";\"`"),
        ("id\tname\n", "write `delimiter: \"\\t\"`"),
        ("id||name\n", "write `delimiter: \"||\"`"),
        ("x\nid|name\n", "write `skip: 1` and `delimiter: \"|\"`"),
        ("id, name\n1, a\n", "write `trim: true`"),
        ("1,2\n3,4\n", "declare `header: false`"),
    ] {
        let error = message(file, &["id", "name"]);
        assert!(error.contains(help), "{file}: {error}");
    }
    let error = Layout::by_header(&start_at("x\nid,name\n", 4), &schema(&["id"])).unwrap_err();
    assert!(error.to_string().contains("`skip: 5`"), "{error}");
    let error = Layout::by_header(&start_at("", 4), &schema(&["id"])).unwrap_err();
    assert!(error.to_string().contains("after the 4 lines"), "{error}");
    let error = Layout::by_position(&start("1;2;3\n"), &schema(&["a", "b"])).unwrap_err();
    assert!(error.to_string().contains("`delimiter: \";\"`"), "{error}");
}
