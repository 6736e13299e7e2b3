//! What becomes of cells that are wrong, null or many.

use super::*;

fn typed() -> Schema {
    Schema::new(vec![
        Field::new("name", DataType::Text),
        Field::new("price", DataType::Float64),
        Field::new("quantity", DataType::Int64),
        Field {
            nullable: false,
            ..Field::new("day", DataType::Date)
        },
    ])
}

#[test]
fn all_that_is_wrong_with_a_row_is_said_at_once_and_never_a_value() {
    let file = b"day,name,price,quantity\n\
        2024-02-29,ok,1.5,2\n\
        2023-02-29,secret\0,secret,9.9\n\
        ,\xffsecret,,\n\
        2024-01-01,secretsecret,1,1\n\
        short,row\n\
        2024-01-01,,,\n";
    let options = Options {
        max_field: 10,
        ..Options::new("in.csv")
    };
    let (chunks, layout) = cut(file, &options, &typed(), usize::MAX);
    let decoded = decode(chunks, layout, &options, &typed()).remove(0);
    let found: Vec<_> = decoded.rejects.iter().map(|r| (r.row, rules(r))).collect();
    let list = |rules: &[&str]| rules.iter().map(|r| r.to_string()).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            (
                1,
                list(&["name:nul", "price:type", "quantity:type", "day:type"])
            ),
            (2, list(&["name:utf-8", "day:null"])),
            (3, list(&["name:too-long"])),
            (4, list(&["ragged"])),
        ]
    );
    let messages = format!("{:?}", decoded.rejects);
    assert!(
        !messages.contains("secret") && !messages.contains("9.9"),
        "{messages}"
    );
    assert!(messages.contains("`price` is not a float64"), "{messages}");
    assert!(
        messages.contains("has 2 fields but 4 are expected"),
        "{messages}"
    );
    assert!(
        messages.contains("longer than 10 bytes (`max-field`)"),
        "{messages}"
    );

    let batch = &decoded.batches[0];
    assert_eq!(
        (batch.rows(), batch.origin.row(1), batch.origin.line(1)),
        (2, 5, Some(7))
    );
    let names = batch.columns.column(0);
    assert!(
        names.is_null(1) && names.is_valid(0),
        "an empty cell is null, in text too"
    );
}

#[test]
fn null_tokens_are_null_quoted_or_not() {
    let file = b"a,b\nNULL,\"NULL\"\n,\"\"\nnull,x\n";
    let options = Options {
        null: vec!["NULL".into()],
        ..options()
    };
    let found = read(file, &options, &text(&["a", "b"]));
    let some = |s: &str| Some(s.to_owned());
    assert_eq!(found[0].2, Ok(vec![None, None]));
    assert_eq!(
        found[1].2,
        Ok(vec![some(""), some("")]),
        "empty is text if no token says null"
    );
    assert_eq!(found[2].2, Ok(vec![some("null"), some("x")]));
}

#[test]
fn a_batch_ends_at_its_bytes_or_rows() {
    let file = format!("a\n{}", "0123456789\n".repeat(100));
    let schema = text(&["a"]);
    for (batch_rows, batch_bytes, expected) in [(30, 1 << 20, 4), (1000, 110, 10)] {
        let options = Options {
            batch_rows,
            batch_bytes,
            ..options()
        };
        let (chunks, layout) = cut(file.as_bytes(), &options, &schema, usize::MAX);
        let decoded = decode(chunks, layout, &options, &schema);
        assert_eq!(decoded[0].batches.len(), expected);
    }
}
