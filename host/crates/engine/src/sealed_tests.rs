use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use glovebox_core::{
    Batch, DataType, Envelope, Field, KeyError, Origin, Reject, Schema, Seal, Violation,
};
use serde_json::{Value, json};

use super::*;

/// Keeps texts as they are.
struct Open;

impl Seal for Open {
    fn seal(&self, _: &[u8], text: &[u8]) -> Result<Envelope, KeyError> {
        let sealed = String::from_utf8(text.to_vec()).unwrap();
        Ok(Envelope {
            sealed,
            ..Envelope::default()
        })
    }
}

fn reject(row: u64) -> Reject {
    Reject {
        row,
        file: Some("a.csv".into()),
        line: Some(row + 2),
        violations: vec![Violation {
            step: "step".into(),
            column: None,
            rule: "rule".into(),
            message: "no".into(),
        }],
    }
}

/// What a block of these rejects says, row by row.
fn rows(batches: &[Batch], records: &[(u64, &[u8])], rejects: &[u64]) -> Vec<Value> {
    let sealer = RowSealer::new(Arc::new(Open), "p", "r", b"secret");
    let records = records.iter().map(|(row, record)| (*row, record.to_vec()));
    let rejects: Vec<_> = rejects.iter().map(|row| reject(*row)).collect();
    let block = sealer
        .early(7, &rejects, batches, &records.collect())
        .unwrap()
        .unwrap();
    assert_eq!(
        (block.chunk, block.part, block.rows),
        (7, 0, rejects.len() as u64)
    );
    let line: Value = serde_json::from_str(&block.line).unwrap();
    let text = line["sealed"].as_str().unwrap();
    text.lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect()
}

#[test]
fn cells_are_written_as_a_source_of_json_lines_reads_them() {
    let decimal = DataType::Decimal {
        precision: 9,
        scale: 2,
    };
    let schema = Schema::new(vec![
        Field::new("text", DataType::Text),
        Field::new("int", DataType::Int64),
        Field::new("float", DataType::Float64),
        Field::new("bool", DataType::Boolean),
        Field::new("decimal", decimal),
        Field::new("bytes", DataType::Bytes),
        Field::new("date", DataType::Date),
        Field::new("time", DataType::Timestamp),
    ]);
    let decimals = Decimal128Array::from(vec![Some(-1), None]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("a \"b\"\n"), None])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
        Arc::new(Float64Array::from(vec![Some(0.1), None])),
        Arc::new(BooleanArray::from(vec![Some(true), None])),
        Arc::new(decimals.with_precision_and_scale(9, 2).unwrap()),
        Arc::new(BinaryArray::from_opt_vec(vec![Some(&[0, 255]), None])),
        Arc::new(Date32Array::from(vec![Some(-1), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
    ];
    let columns = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
    let batch = Batch::new(columns, Origin::contiguous(4));
    let found = rows(&[batch], &[], &[4, 5]);
    assert_eq!(
        found[0]["cells"],
        json!({
            "text": "a \"b\"\n", "int": "-9223372036854775808", "float": "0.1", "bool": "true",
            "decimal": "-0.01", "bytes": "\\x00ff", "date": "1969-12-31",
            "time": "1970-01-01T00:00:00.000001Z",
        })
    );
    assert_eq!(
        (&found[0]["line"], &found[0]["file"]),
        (&json!(6), &json!("a.csv"))
    );
    let nulls = found[1]["cells"].as_object().unwrap();
    assert!(nulls.len() == 8 && nulls.values().all(Value::is_null));
}

#[test]
fn each_row_is_found_in_its_batch_or_among_the_records() {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64)]).to_arrow();
    let batch = |rows: &[u32]| {
        let numbers = Int64Array::from_iter_values(rows.iter().map(|row| i64::from(*row)));
        let columns = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers)]).unwrap();
        Batch::new(columns, Origin::scattered(0, Some(rows.to_vec())))
    };
    let batches = [batch(&[1, 2, 4]), batch(&[5, 9])];
    let records: [(u64, &[u8]); 2] = [(3, b"x,y"), (7, &[0xff, b'x'])];
    let found = rows(&batches, &records, &[1, 3, 4, 7, 8, 9]);
    let kept: Vec<_> = found
        .iter()
        .map(|row| (&row["cells"]["n"], &row["record"], &row["record-bytes"]))
        .collect();
    let null = &Value::Null;
    assert_eq!(
        kept,
        [
            (&json!("1"), null, null),
            (null, &json!("x,y"), null),
            (&json!("4"), null, null),
            (null, null, &json!("ff78")),
            (null, null, null),
            (&json!("9"), null, null),
        ]
    );
}

#[test]
fn a_run_that_goes_on_has_the_same_secret_and_another_run_another() {
    let key = Secret::new(vec![1; 32]);
    let other = Secret::new(vec![2; 32]);
    let of = |run: &str, key| secret_of(run, key).unwrap().expose().to_vec();
    assert_eq!(of("a", Some(&key)), of("a", Some(&key)));
    assert_ne!(of("a", Some(&key)), of("b", Some(&key)));
    assert_ne!(of("a", Some(&key)), of("a", Some(&other)));
    assert_ne!(of("a", None), of("a", None));
}

/// Nobody vouches for the first line before the blocks open, and its names go into the audit log.
#[test]
fn names_in_the_first_line_are_short_and_printable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rejects.sealed");
    let opened = |pipeline: &str, run: &str| {
        let line = Header::new(pipeline, run, b"secret").line();
        std::fs::write(&path, line + "\n").unwrap();
        SealedFile::open(&path)
    };
    assert!(opened("sales", "r-1").is_ok());
    for (pipeline, run) in [("a\u{1b}[2J", "r"), ("a", "r\n"), ("a", &*"r".repeat(300))] {
        let refused = opened(pipeline, run);
        assert!(matches!(refused, Err(SealedError::Foreign { .. })));
    }
    let long = opened("a", &"r".repeat(5_000));
    assert!(matches!(long, Err(SealedError::Foreign { .. })));
}
