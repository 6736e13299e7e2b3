//! What the CSV source makes of whole files: equal to the `csv` crate in rows, numbers and lines,
//! wherever the chunks are cut.
//!
//! Owns the proof that parallel equals serial; the parts are tested beside themselves.

use std::io::{Cursor, Read};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use glovebox_core::{
    Chunk, ChunkReader, DataType, Decoded, Decoder as _, Field, Reject, Schema, Source as _,
    SourceError,
};
use proptest::prelude::*;

use super::bounds::Bounds;
use super::decode::CsvDecoder;
use super::layout::{Layout, Layouts};
use super::{Options, Source};
use crate::chunks::Chunks;
use crate::input::{Inputs, Stream};

/// A row as a test sees it: number, line, and its cells or the rules it broke.
type Row = (u64, u64, Result<Vec<Option<String>>, Vec<String>>);

fn text(names: &[&str]) -> Schema {
    let fields = names.iter().map(|n| Field::new(*n, DataType::Text));
    Schema::new(fields.collect())
}

fn options() -> Options {
    Options {
        null: Vec::new(),
        ..Options::new("in.csv")
    }
}

/// Gives at most `most` bytes a read.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let most = buf.len().min(self.1);
        self.0.read(&mut buf[..most])
    }
}

fn cut(file: &[u8], options: &Options, schema: &Schema, read: usize) -> (Vec<Chunk>, Layout) {
    let checked = options.check().unwrap();
    let input = Dribble(Cursor::new(file.to_vec()), read);
    let input = Stream::plain(input);
    let bounds = Bounds::new(checked.dialect);
    let mut chunks = Chunks::new(input, "in.csv".into(), checked.sizes, bounds).unwrap();
    let first = chunks.first_record().unwrap().to_vec();
    let layout = if options.header {
        chunks.skip(first.len());
        Layout::by_header(&first, checked.dialect, schema, "in.csv").unwrap()
    } else {
        Layout::by_position(&first, checked.dialect, schema, "in.csv").unwrap()
    };
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        assert_eq!(chunk.index, all.len() as u64);
        all.push(chunk);
    }
    (all, layout)
}

fn decode(chunks: Vec<Chunk>, layout: Layout, options: &Options, schema: &Schema) -> Vec<Decoded> {
    let layouts = Arc::new(Layouts::default());
    layouts.put(0, layout, "in.csv").unwrap();
    let inputs = Arc::new(Inputs::new(&options.inputs, &["csv"]));
    let mut decoder = CsvDecoder::new(options, schema, inputs, layouts).unwrap();
    let decoded = chunks.into_iter().map(|chunk| {
        let (first, rows) = (chunk.first_row, chunk.rows + chunk.rejects.len() as u64);
        let decoded = decoder.decode(chunk).unwrap();
        let read: usize = decoded.batches.iter().map(|b| b.rows()).sum();
        assert_eq!(read as u64 + decoded.rejects.len() as u64, rows);
        let numbers = numbers(&decoded);
        assert!(numbers.into_iter().eq(first..first + rows));
        decoded
    });
    decoded.collect()
}

fn numbers(decoded: &Decoded) -> Vec<u64> {
    let mut numbers: Vec<u64> = decoded.rejects.iter().map(|r| r.row).collect();
    for batch in &decoded.batches {
        numbers.extend((0..batch.rows()).map(|i| batch.origin.row(i)));
    }
    numbers.sort_unstable();
    numbers
}

fn rows(decoded: &[Decoded]) -> Vec<Row> {
    let mut rows = Vec::new();
    for decoded in decoded {
        for batch in &decoded.batches {
            for i in 0..batch.rows() {
                let cell = |c: &arrow_array::ArrayRef| {
                    let c = c.as_string::<i32>();
                    arrow_array::Array::is_valid(c, i).then(|| c.value(i).to_owned())
                };
                let cells = batch.columns.columns().iter().map(cell).collect();
                rows.push((
                    batch.origin.row(i),
                    batch.origin.line(i).unwrap(),
                    Ok(cells),
                ));
            }
        }
        rows.extend(
            decoded
                .rejects
                .iter()
                .map(|r| (r.row, r.line.unwrap(), Err(rules(r)))),
        );
    }
    rows.sort_by_key(|r| r.0);
    rows
}

fn rules(reject: &Reject) -> Vec<String> {
    let violations = reject.violations.iter();
    violations
        .map(|v| match &v.column {
            Some(column) => format!("{column}:{}", v.rule),
            None => v.rule.to_string(),
        })
        .collect()
}

/// Reads all of `file` in chunks of about that size.
fn read(file: &[u8], options: &Options, schema: &Schema) -> Vec<Row> {
    let (chunks, layout) = cut(file, options, schema, usize::MAX);
    rows(&decode(chunks, layout, options, schema))
}

/// The same by the `csv` crate, in one go.
fn oracle(file: &[u8], header: bool, schema: &Schema) -> Vec<Row> {
    let mut reader = ::csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(file);
    let mut records = reader.byte_records().map(|r| r.unwrap()).peekable();
    let Some(first) = records.peek().cloned() else {
        return Vec::new();
    };
    let places: Vec<usize> = (0..)
        .zip(&schema.fields)
        .map(|(i, field)| {
            let named = || {
                first
                    .iter()
                    .position(|n| n == field.name.as_bytes())
                    .unwrap()
            };
            if header { named() } else { i }
        })
        .collect();
    (0..)
        .zip(records.skip(usize::from(header)))
        .map(|(row, record)| {
            let mut start = record.position().unwrap().byte() as usize;
            if start == 0 && file.starts_with(b"\xef\xbb\xbf") {
                start = 3;
            }
            // The crate's position is before blank lines and the newline of `\r\n`.
            start += file[start..]
                .iter()
                .take_while(|b| b"\r\n".contains(b))
                .count();
            let line = 1 + file[..start].iter().filter(|b| **b == b'\n').count() as u64;
            if record.len() != first.len() {
                return (row, line, Err(vec!["ragged".to_owned()]));
            }
            let mut broken = Vec::new();
            let mut cells = Vec::new();
            for (field, place) in schema.fields.iter().zip(&places) {
                match std::str::from_utf8(&record[*place]) {
                    Err(_) => broken.push(format!("{}:utf-8", field.name)),
                    Ok(cell) if cell.contains('\0') => broken.push(format!("{}:nul", field.name)),
                    Ok(cell) => cells.push(Some(cell.to_owned())),
                }
            }
            (
                row,
                line,
                if broken.is_empty() {
                    Ok(cells)
                } else {
                    Err(broken)
                },
            )
        })
        .collect()
}

#[test]
fn every_short_file_is_read_as_the_csv_crate_reads_it() {
    let alphabet = b"a,\"\n\r";
    for len in 0..=5u32 {
        for code in 0..5usize.pow(len) {
            let file: Vec<u8> = (0..len)
                .map(|i| alphabet[code / 5usize.pow(i) % 5])
                .collect();
            let one = text(&["c0"]);
            let expected = oracle(&file, false, &one);
            for chunk_bytes in [1, 3, 100] {
                let options = Options {
                    header: false,
                    chunk_bytes,
                    ..options()
                };
                assert_eq!(
                    read(&file, &options, &one),
                    expected,
                    "{file:?} by {chunk_bytes}"
                );
            }
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_gives_the_same_rows() {
    let file = "\u{feff}x,\"y\",z\r\n1,\"a\nb\r\n\"\"c\"\"\",\u{e9}\n\n\r2,\"q\"t\"u,3\r\r\n,,\n\
                only,two\n\"\",\"\",\"\"\"\"\r\n4,\"5,5\",last";
    let schema = text(&["z", "y"]);
    let expected = oracle(file.as_bytes(), true, &schema);
    assert_eq!(expected.len(), 6);
    for chunk_bytes in 1..=file.len() + 1 {
        for batch_rows in [1, 2, 100] {
            let options = Options {
                chunk_bytes,
                batch_rows,
                ..options()
            };
            assert_eq!(
                read(file.as_bytes(), &options, &schema),
                expected,
                "by {chunk_bytes}"
            );
        }
    }
}

fn messy() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just(b"ab".to_vec()),
        5 => Just(b",".to_vec()),
        3 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        2 => Just(b"\"".to_vec()),
        2 => Just(b"\"x,\n\"\"y\"".to_vec()),
        3 => Just(b"1,2,3\n".to_vec()),
        1 => Just("\u{e9}".as_bytes().to_vec()),
        1 => Just(b"\xff".to_vec()),
        1 => Just(b"\0".to_vec()),
        1 => "[a-z ,]{60,140}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parallel_equals_serial(
        body in messy(),
        bom: bool,
        header: bool,
        chunk_bytes in 1usize..300,
        chunk_rows in 1u64..20,
        batch_rows in 1usize..20,
        batch_bytes in 1usize..200,
        reads in 1usize..50,
    ) {
        let mut file = Vec::new();
        if bom {
            file.extend_from_slice(b"\xef\xbb\xbf");
        }
        file.extend_from_slice(b"p,q,r\n");
        file.extend_from_slice(&body);
        let schema = if header { text(&["r", "p"]) } else { text(&["p", "q"]) };
        let options = Options { header, chunk_bytes, chunk_rows, batch_rows, batch_bytes, ..options() };

        let (chunks, layout) = cut(&file, &options, &schema, usize::MAX);
        let (slowly, _) = cut(&file, &options, &schema, reads);
        let bounds = |chunks: &[Chunk]| -> Vec<_> {
            chunks.iter().map(|c| (c.first_row, c.rows, c.first_line, c.position)).collect()
        };
        prop_assert_eq!(bounds(&chunks), bounds(&slowly), "bounds depend on the size of reads");
        prop_assert_eq!(chunks.last().map(|c| c.position).unwrap_or(file.len() as u64), file.len() as u64);

        let decoded = decode(chunks, layout, &options, &schema);
        for batch in decoded.iter().flat_map(|d| &d.batches) {
            prop_assert!((1..=batch_rows).contains(&batch.rows()));
        }
        prop_assert_eq!(rows(&decoded), oracle(&file, header, &schema));
    }
}

#[test]
fn a_record_too_long_to_hold_is_rejected_and_the_run_goes_on() {
    let long = "x".repeat(1000);
    let file = format!("a,b\n1,2\n\n\"{long}\n{long}\",3\r\n4,5\n6,\"{long}");
    let options = Options {
        chunk_bytes: 16,
        max_record: 64,
        ..options()
    };
    let cells = |a: &str, b: &str| Ok(vec![Some(a.to_owned()), Some(b.to_owned())]);
    let too_long = || Err(vec!["too-long".to_owned()]);
    assert_eq!(
        read(file.as_bytes(), &options, &text(&["a", "b"])),
        [
            (0, 2, cells("1", "2")),
            (1, 4, too_long()),
            (2, 6, cells("4", "5")),
            (3, 7, too_long()),
        ]
    );
    let (chunks, _) = cut(file.as_bytes(), &options, &text(&["a", "b"]), usize::MAX);
    assert!(
        chunks.iter().all(|c| c.bytes.len() <= 64),
        "nothing longer is held"
    );
    assert_eq!(chunks.last().unwrap().position, file.len() as u64);
}

#[test]
fn the_longest_record_is_as_long_as_the_limit_says() {
    let file = b"a,b\n1,23\n1,234\n\n1,2\n1,2345";
    for chunk_bytes in [1, 2, 6, 100] {
        let options = Options {
            chunk_bytes,
            max_record: 5,
            ..options()
        };
        let found = read(file, &options, &text(&["a", "b"]));
        let rejected: Vec<_> = found.iter().filter(|r| r.2.is_err()).collect();
        let too_long = || Err(vec!["too-long".to_owned()]);
        assert_eq!(found.len(), 4);
        assert_eq!(
            rejected,
            [&(1, 3, too_long()), &(3, 6, too_long())],
            "by {chunk_bytes}"
        );
    }
}

#[test]
fn an_open_quote_within_the_limit_is_one_record_as_for_the_csv_crate() {
    let file = b"a,b\n1,2\n3,\"4\n5,6\n";
    let schema = text(&["a", "b"]);
    assert_eq!(read(file, &options(), &schema), oracle(file, true, &schema));
    assert_eq!(read(file, &options(), &schema).len(), 2);
}

#[test]
fn chunks_of_very_short_rows_end_early() {
    let file = "a\n".repeat(300_000);
    let (chunks, _) = cut(
        file.as_bytes(),
        &Options::new("in.csv"),
        &text(&["a"]),
        usize::MAX,
    );
    assert_eq!(chunks.iter().map(|c| c.rows).sum::<u64>(), 299_999);
    assert!(
        chunks.iter().all(|c| c.rows <= 65_536 + 32_768),
        "{}",
        chunks.len()
    );
}

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
        messages.contains("has 2 fields and 4 are expected"),
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

#[test]
fn a_file_is_opened_sized_and_estimated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    std::fs::write(&path, "a,b\n1,2\n3,4").unwrap();
    let source = Source::new(Options::new(&path), text(&["b"]));
    assert_eq!(
        (source.size_bytes(), source.estimate_rows()),
        (Some(11), Some(2))
    );
    let mut decoder = source.decoder().unwrap();
    let mut chunks = source.chunks().unwrap();
    let chunk = chunks.next_chunk().unwrap().unwrap();
    assert_eq!(decoder.decode(chunk).unwrap().batches[0].rows(), 2);
    assert!(chunks.next_chunk().unwrap().is_none());

    let rows = 200_000;
    std::fs::write(&path, format!("a,b\n{}", "10,20\n".repeat(rows))).unwrap();
    let estimate = source.estimate_rows().unwrap();
    assert!(estimate.abs_diff(rows as u64) < 100, "{estimate}");
}

#[test]
fn what_cannot_be_read_is_said_before_the_first_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    let error = |file: &[u8]| -> String {
        std::fs::write(&path, file).unwrap();
        let source = Source::new(Options::new(&path), text(&["a"]));
        let (chunks, decoder) = (source.chunks().err(), source.decoder().err());
        let error = chunks.expect("an error").to_string();
        assert_eq!(error, decoder.expect("the same").to_string());
        error
    };
    assert!(error(b"").contains("is empty"));
    assert!(error(b"\xff\xfea\0\n\0").contains("UTF-16"));
    assert!(error(b"A\n1\n").contains("did you mean `A`"));
    let open = [b"\"".as_slice(), &vec![b'x'; 9 << 20]].concat();
    assert!(error(&open).contains("a quote may have been left open"));

    let missing = Source::new(Options::new(dir.path().join("none.csv")), text(&["a"]));
    assert!(matches!(missing.chunks(), Err(SourceError::Io { .. })));
    assert!(missing.estimate_rows().is_none());
}

#[test]
fn columns_that_change_between_two_passes_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    std::fs::write(&path, "a,b\n1,2\n").unwrap();
    let source = Source::new(Options::new(&path), text(&["a"]));
    source.decoder().unwrap();
    std::fs::write(&path, "b,a\n1,2\n").unwrap();
    assert!(source.chunks().is_err());
}

#[test]
fn several_files_are_one_source_wherever_they_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("a.csv", "x,y\n1,\"a\nb\"\n2,c"),
        ("b.csv", "y,unknown,x\r\n\"d\r\n\",,3\n\n,,4\n"),
        ("c.csv", "x,y\n"),
        ("d.csv", "\u{feff}x,y\n5,e\n"),
    ];
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let schema = text(&["y", "x"]);
    let mut expected = Vec::new();
    for (name, content) in files {
        let part = oracle(content.as_bytes(), true, &schema);
        let file = dir.path().join(name).display().to_string();
        expected.extend(part.into_iter().map(|row| (file.clone(), row.1, row.2)));
    }
    for chunk_bytes in 1..40 {
        let options = Options {
            chunk_bytes,
            ..Options::new(dir.path())
        };
        let source = Source::new(
            Options {
                null: Vec::new(),
                ..options
            },
            schema.clone(),
        );
        let (mut chunks, mut decoder) = (source.chunks().unwrap(), source.decoder().unwrap());
        let mut found = Vec::new();
        let mut index = 0;
        let mut position = 0;
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            assert_eq!((chunk.index, chunk.first_row), (index, found.len() as u64));
            index += 1;
            assert!(chunk.position >= position);
            position = chunk.position;
            let decoded = decoder.decode(chunk).unwrap();
            // A chunk may be blank lines only.
            let Some(batch) = decoded.batches.first() else {
                continue;
            };
            let file = batch.origin.file().unwrap().to_string();
            for (row, line, cells) in rows(&[decoded]) {
                assert_eq!(row, found.len() as u64);
                found.push((file.clone(), line, cells));
            }
        }
        assert_eq!(found, expected, "by {chunk_bytes}");
        assert_eq!(Some(position), source.size_bytes());
    }
}

#[test]
fn a_file_without_a_declared_column_is_named_before_the_first_row() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), "x,y\n1,2\n").unwrap();
    std::fs::write(dir.path().join("b.csv"), "x\n1\n").unwrap();
    let source = Source::new(Options::new(dir.path()), text(&["x", "y"]));
    let error = source.chunks().err().unwrap().to_string();
    assert!(
        error.contains("b.csv: the header has no column `y`"),
        "{error}"
    );
    assert_eq!(source.size_bytes(), Some(12));
}
