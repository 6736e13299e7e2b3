//! What the JSON lines source makes of whole files: the same rows wherever the chunks are cut, and
//! what the sink wrote as it was.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use glovebox_core::{
    Batch, Chunk, ChunkReader as _, DataType, Decoded, Decoder as _, Field, FinishedChunk, Job,
    Origin, Schema, Sink as _, Source as _, Totals,
};
use proptest::prelude::*;

use super::decode::JsonDecoder;
use super::layout::{Layout, Shared};
use super::source::start;
use super::{Mode, Options, Sink, SinkOptions, Source};
use crate::input::{Inputs, Stream};

/// A row: number, line, and its cells as Arrow shows them, or the rules that it broke.
type Row = (u64, u64, Result<String, Vec<String>>);

fn text(names: &[&str]) -> Schema {
    let fields = names.iter().map(|n| Field::new(*n, DataType::Text));
    Schema::new(fields.collect())
}

fn cut(file: &[u8], options: &Options) -> Vec<Chunk> {
    let stream = Stream::plain(Cursor::new(file.to_vec()));
    let (mut chunks, _) = start(stream, "in.jsonl".into(), options).unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        all.push(chunk);
    }
    all
}

fn read(file: &[u8], options: &Options, schema: &Schema) -> Vec<Row> {
    let mut decoder = decoder(file, options, schema);
    let mut rows = Vec::new();
    for chunk in cut(file, options) {
        let due = chunk.rows + chunk.rejects.len() as u64;
        let decoded = decoder.decode(chunk).unwrap();
        let before = rows.len() as u64;
        rows.extend(rows_of(&decoded));
        assert_eq!(rows.len() as u64 - before, due);
    }
    rows.sort_by_key(|r| r.0);
    assert!(rows.iter().map(|r| r.0).eq(0..rows.len() as u64));
    rows
}

fn decoder(file: &[u8], options: &Options, schema: &Schema) -> JsonDecoder {
    let shared = Shared::new(schema.fields.len());
    shared.found(0, Layout::of(file));
    let inputs = Arc::new(Inputs::new(options.inputs.clone().into(), &[]));
    JsonDecoder::new(options, schema, inputs, shared).unwrap()
}

fn rows_of(decoded: &Decoded) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in &decoded.batches {
        for i in 0..batch.rows() {
            let row = format!("{:?}", batch.columns.slice(i, 1).columns());
            rows.push((batch.origin.row(i), batch.origin.line(i).unwrap(), Ok(row)));
        }
    }
    for reject in &decoded.rejects {
        let rules = reject.violations.iter();
        let rules = rules.map(|v| match &v.column {
            Some(column) => format!("{column}:{}", v.rule),
            None => v.rule.to_string(),
        });
        rows.push((reject.row, reject.line.unwrap(), Err(rules.collect())));
    }
    rows
}

#[test]
fn a_file_cut_at_any_byte_gives_the_same_rows() {
    let file = "\u{feff}{\"a\":\"x\\n\",\"b\":1}\r\n\n  \t\n{\"b\":[1,{\"a\":2}]}\n{\"a\":\n}\n\
                {\"a\":\"\u{e9}\",\"b\":\"1\",\"b\":2}\n[1]\n{\"a\":\"\\ud800\"}\n \r\n{\"a\":null}";
    let schema = text(&["a", "b"]);
    let whole = read(file.as_bytes(), &Options::new("in.jsonl"), &schema);
    let rules = |i: usize| whole[i].2.clone().err().unwrap_or_default();
    assert_eq!(whole.len(), 8);
    let lines: Vec<u64> = whole.iter().map(|r| r.1).collect();
    assert_eq!(lines, [1, 4, 5, 6, 7, 8, 9, 11]);
    assert_eq!(rules(2), ["json"]);
    assert_eq!(rules(3), ["json"]);
    assert_eq!(rules(4), ["b:json"]);
    assert_eq!(rules(5), ["json"]);
    assert_eq!(rules(6), ["a:utf-8"]);
    for chunk_bytes in 1..=file.len() + 1 {
        for batch_rows in [1, 2, 100] {
            let options = Options {
                chunk_bytes,
                batch_rows,
                ..Options::new("in.jsonl")
            };
            assert_eq!(
                read(file.as_bytes(), &options, &schema),
                whole,
                "by {chunk_bytes}"
            );
        }
    }
}

#[test]
fn lines_too_long_and_lines_that_are_no_text_are_rejected_and_the_run_goes_on() {
    let long = "x".repeat(500);
    let mut file = format!("{{\"a\":1}}\n\n{{\"a\":\"{long}\"}}\n").into_bytes();
    file.extend_from_slice(b"{\"a\":\"\xff\"}\n{\"a\":2}");
    let schema = text(&["a"]);
    for chunk_bytes in [16, 5000] {
        let options = Options {
            chunk_bytes,
            max_record: 64,
            ..Options::new("in.jsonl")
        };
        let rows = read(&file, &options, &schema);
        let short: Vec<_> = rows.iter().map(|r| (r.1, r.2.clone().err())).collect();
        let rule = |rule: &str| Some(vec![rule.to_owned()]);
        assert_eq!(
            short,
            [
                (1, None),
                (3, rule("too-long")),
                (4, rule("utf-8")),
                (5, None)
            ]
        );
    }
}

#[test]
fn a_value_never_gets_into_a_message() {
    let file = b"{\"n\":\"secret\",\"t\":\"secret\\u0000\"}\n{\"n\":secret}\nsecret\n";
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64),
        Field::new("t", DataType::Text),
    ]);
    let options = Options::new("in.jsonl");
    let mut decoder = decoder(file, &options, &schema);
    let chunk = cut(file, &options).remove(0);
    let decoded = decoder.decode(chunk).unwrap();
    assert_eq!(decoded.rejects.len(), 3);
    let told = format!("{:?}", decoded.rejects);
    assert!(!told.contains("secret"), "{told}");
    assert!(told.contains("`n` is not an int64"), "{told}");
    assert!(
        told.contains("not a JSON object; see its column 6"),
        "{told}"
    );
}

/// Rows by their numbers: the value of `a`, or the rules that they broke.
fn values(file: &str, options: &Options) -> Vec<(u64, String)> {
    let rows = read(file.as_bytes(), options, &text(&["a"]));
    let value = |row: Result<String, Vec<String>>| match row {
        Err(rules) => rules.join(", "),
        Ok(cells) => {
            let quoted = cells.split('"').nth(1);
            quoted.unwrap_or("null").to_owned()
        }
    };
    rows.into_iter()
        .map(|(_, line, row)| (line, value(row)))
        .collect()
}

fn expect(rows: &[(u64, &str)]) -> Vec<(u64, String)> {
    rows.iter()
        .map(|(line, row)| (*line, (*row).to_owned()))
        .collect()
}

const ARRAY: &str = "[\n  {\"a\": 1},\n  {\n    \"a\": {\"a\": 2}\n  },\n  {\"a\": tru},\n  7,\n  {\"a\": 3\n  ,\n  \
                     {\"a\": [4]},\n  {\"a\": \"\\\"}{\"}, {\"a\": null, \"a\": 1}\n]\n";

#[test]
fn an_array_cut_at_any_byte_gives_the_same_rows() {
    let whole = values(ARRAY, &Options::new("in.json"));
    let rows = [
        (2, "1"),
        (3, "{\\"),
        (6, "json"),
        (7, "json"),
        (8, "json"),
        (10, "[4]"),
        (11, "\\"),
        (11, "a:json"),
    ];
    assert_eq!(whole, expect(&rows));
    for file in [
        ARRAY.to_owned(),
        ARRAY.replace("\n]\n", ""),
        ARRAY.replace('\n', "\r\n"),
        ARRAY.replace('\n', " "),
    ] {
        let whole = values(&file, &Options::new("in.json"));
        for chunk_bytes in 1..=file.len() + 1 {
            for batch_rows in [1, 100] {
                let options = Options {
                    chunk_bytes,
                    batch_rows,
                    ..Options::new("in.json")
                };
                assert_eq!(values(&file, &options), whole, "by {chunk_bytes}");
            }
        }
    }
}

#[test]
fn an_array_without_an_end_is_a_reject() {
    let options = Options::new("in.json");
    assert_eq!(
        values("[{\"a\":1},\n{\"a\":2}\n", &options),
        expect(&[(1, "1"), (2, "2"), (3, "json")])
    );
    assert_eq!(
        values("[{\"a\":1},{\"a\":2", &options),
        expect(&[(1, "1"), (1, "json")])
    );
    assert_eq!(values("[", &options), expect(&[(1, "json")]));
    assert_eq!(values("[]", &options), []);
}

#[test]
fn an_object_that_is_not_closed_does_not_take_the_file_with_it() {
    let mut file = String::from("[\n{\"a\":0,\"b\":[1,\n");
    for i in 1..=20 {
        file += &format!("{{\"a\":{i}}},\n");
    }
    file += "]\n";
    for (chunk_bytes, max_record) in [(1 << 20, 1 << 20), (10, 50), (100, 40)] {
        let options = Options {
            chunk_bytes,
            max_record,
            ..Options::new("in.json")
        };
        let rows = values(&file, &options);
        assert_eq!(rows.len(), 21, "{chunk_bytes}");
        assert_eq!(rows[0], (2, "json".to_owned()), "{chunk_bytes}");
        assert_eq!(rows[20], (22, "20".to_owned()), "{chunk_bytes}");
    }
}

#[test]
fn a_record_that_is_too_long_and_has_no_end_fails_the_run() {
    let file = format!("[{{\"a\":[{}]\n", "1, ".repeat(1000));
    let options = Options {
        chunk_bytes: 64,
        max_record: 64,
        ..Options::new("in.json")
    };
    let stream = Stream::plain(Cursor::new(file.clone().into_bytes()));
    let (mut chunks, _) = start(stream, "in.json".into(), &options).unwrap();
    let failed = loop {
        match chunks.next_chunk() {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    assert!(failed.unwrap().contains("does not end"));
    // One that ends is a reject, and the next is read.
    let file = format!("[{{\"a\":[{}0]}},\n{{\"a\":2}}]", "1, ".repeat(1000));
    let rows = values(&file, &options);
    assert_eq!(rows, expect(&[(1, "too-long"), (2, "2")]));
}

#[test]
fn a_check_finds_keys_that_no_object_has() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.json");
    std::fs::write(&path, "[{\"a\": 1}, {\"a\": 2}]").unwrap();
    let source = Source::new(Options::new(&path), text(&["a"]));
    source.probe().unwrap();
    let source = Source::new(Options::new(&path), text(&["a", "b"]));
    let error = source.probe().unwrap_err().to_string();
    assert!(error.contains("`b`") && error.contains("from:"), "{error}");
    std::fs::write(&path, "[]").unwrap();
    source.probe().unwrap();
}

fn columns() -> Schema {
    let decimal = DataType::Decimal {
        precision: 38,
        scale: 5,
    };
    Schema::new(vec![
        Field::new("text \"t\"", DataType::Text),
        Field::new("int", DataType::Int64),
        Field::new("float", DataType::Float64),
        Field::new("bool", DataType::Boolean),
        Field::new("decimal", decimal),
        Field::new("bytes", DataType::Bytes),
        Field::new("date", DataType::Date),
        Field::new("time", DataType::Timestamp),
    ])
}

/// What the sink makes of a batch, read back by the source.
fn back(batch: &RecordBatch, path: &Path) -> Vec<RecordBatch> {
    let mut sink = Sink::new(path, Mode::Replace, SinkOptions::default());
    sink.open(&Job::default(), &columns()).unwrap();
    let batches = [Batch::new(batch.clone(), Origin::contiguous(0))];
    let encoded = sink.encoder().encode(&batches).unwrap();
    sink.write(FinishedChunk {
        encoded,
        ..FinishedChunk::default()
    })
    .unwrap();
    sink.commit(&Totals::default()).unwrap();
    let source = Source::new(Options::new(path), columns());
    let (mut chunks, mut decoder) = (source.chunks().unwrap(), source.decoder().unwrap());
    let mut found = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        let decoded = decoder.decode(chunk).unwrap();
        assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
        found.extend(decoded.batches.into_iter().map(|b| b.columns));
    }
    found
}

type Cells = (
    Option<String>,
    Option<i64>,
    Option<f64>,
    Option<bool>,
    Option<i128>,
    Option<Vec<u8>>,
    Option<i32>,
    Option<i64>,
);

fn cells() -> impl Strategy<Value = Cells> {
    let option = prop::option::of::<BoxedStrategy<String>>;
    (
        option("[^\0]{0,12}".boxed()),
        any::<Option<i64>>(),
        any::<Option<f64>>(),
        any::<Option<bool>>(),
        prop::option::of(-(10i128.pow(38) - 1)..10i128.pow(38)),
        any::<Option<Vec<u8>>>(),
        prop::option::of(-719_528i32..2_932_896),
        prop::option::of(-62_167_219_200_000_000i64..253_402_300_800_000_000),
    )
}

proptest! {
    #[test]
    fn what_the_sink_writes_is_read_back_equal(rows in prop::collection::vec(cells(), 1..20)) {
        let (mut t, mut i, mut f) = (StringBuilder::new(), Int64Builder::new(), Float64Builder::new());
        let (mut b, mut d) = (BooleanBuilder::new(), Decimal128Builder::new());
        let (mut x, mut day) = (BinaryBuilder::new(), Date32Builder::new());
        let mut at = TimestampMicrosecondBuilder::new();
        for (text, int, float, flag, decimal, bytes, date, time) in rows {
            t.append_option(text);
            i.append_option(int);
            f.append_option(float);
            b.append_option(flag);
            d.append_option(decimal);
            x.append_option(bytes);
            day.append_option(date);
            at.append_option(time);
        }
        let decimals = d.finish().with_precision_and_scale(38, 5).unwrap();
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(t.finish()), Arc::new(i.finish()), Arc::new(f.finish()), Arc::new(b.finish()),
            Arc::new(decimals), Arc::new(x.finish()), Arc::new(day.finish()),
            Arc::new(at.finish().with_timezone("UTC")),
        ];
        let batch = RecordBatch::try_new(columns().to_arrow(), arrays).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let found = back(&batch, &dir.path().join("out.jsonl"));
        prop_assert_eq!(found.len(), 1);
        // NaN is not equal to itself, and there is only one in what is read.
        prop_assert_eq!(format!("{found:?}"), format!("{:?}", [batch]));
    }
}
