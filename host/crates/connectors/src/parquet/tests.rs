//! What the Parquet source makes of whole files, honest and hostile, and what the sink wrote.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use glovebox_core::{
    Batch, Chunk, DataType, Decoded, Field, FinishedChunk, Job, Keeps, Origin, Schema, Sink as _,
    Source as _, SourceError, Totals,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::data_type::{Int96, Int96Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::{Compression, Keys, Sink, Source};
use crate::input::Input;

fn source(path: &Path, schema: &Schema) -> Source {
    Source::new(
        vec![Input::Path(path.to_owned())],
        schema.clone(),
        Keys::default(),
    )
}

pub(super) fn read(source: &Source) -> Result<(Vec<Chunk>, Vec<Decoded>), SourceError> {
    let (mut chunks, mut decoder) = (source.chunks()?, source.decoder()?);
    let (mut cut, mut decoded) = (Vec::new(), Vec::new());
    while let Some(chunk) = chunks.next_chunk()? {
        let rows = chunk.rows;
        cut.push(chunk.clone());
        let found = decoder.decode(chunk)?;
        let read: usize = found.batches.iter().map(Batch::rows).sum();
        assert_eq!((read + found.rejects.len()) as u64, rows);
        decoded.push(found);
    }
    Ok((cut, decoded))
}

pub(super) fn columns() -> Schema {
    let decimal = DataType::Decimal {
        precision: 20,
        scale: 2,
    };
    Schema::new(vec![
        Field::new("text", DataType::Text),
        Field::new("int", DataType::Int64),
        Field::new("float", DataType::Float64),
        Field::new("bool", DataType::Boolean),
        Field::new("decimal", decimal),
        Field::new("bytes", DataType::Bytes),
        Field::new("date", DataType::Date),
        Field::new("time", DataType::Timestamp),
    ])
}

/// `rows` rows, every seventh of them nulls.
pub(super) fn batch(rows: i64) -> RecordBatch {
    fn some<T>(rows: i64, of: impl Fn(i64) -> T) -> Vec<Option<T>> {
        (0..rows).map(|i| (i % 7 != 0).then(|| of(i))).collect()
    }
    let texts = some(rows, |i| format!("text {}", i % 100));
    let bytes = some(rows, |i| i.to_be_bytes().to_vec());
    let bytes: Vec<Option<&[u8]>> = bytes.iter().map(Option::as_deref).collect();
    let decimals = Decimal128Array::from(some(rows, |i| i128::from(i) * 1_000_003));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(texts)),
        Arc::new(Int64Array::from(some(rows, |i| i64::MAX - i))),
        Arc::new(Float64Array::from(some(rows, |i| i as f64 / 3.0))),
        Arc::new(BooleanArray::from(some(rows, |i| i % 2 == 0))),
        Arc::new(decimals.with_precision_and_scale(20, 2).unwrap()),
        Arc::new(BinaryArray::from(bytes)),
        Arc::new(Date32Array::from(some(rows, |i| i as i32 - 1000))),
        Arc::new(
            TimestampMicrosecondArray::from(some(rows, |i| i * 1_000_001)).with_timezone("UTC"),
        ),
    ];
    RecordBatch::try_new(columns_arrow(), columns).unwrap()
}

fn columns_arrow() -> arrow_schema::SchemaRef {
    columns().to_arrow()
}

fn write(path: &Path, batch: &RecordBatch, codec: Codec, group: usize) {
    write_as(path, batch, codec, group, WriterVersion::PARQUET_1_0);
}

fn write_as(path: &Path, batch: &RecordBatch, codec: Codec, group: usize, version: WriterVersion) {
    let properties = WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(codec)
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(100)
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

pub(super) fn joined(decoded: &[Decoded]) -> RecordBatch {
    let batches: Vec<_> = decoded.iter().flat_map(|d| &d.batches).collect();
    let columns: Vec<ArrayRef> = (0..batches[0].columns.num_columns())
        .map(|i| {
            let parts: Vec<_> = batches
                .iter()
                .map(|b| b.columns.column(i).as_ref())
                .collect();
            arrow_select::concat::concat(&parts).unwrap()
        })
        .collect();
    RecordBatch::try_new(batches[0].columns.schema(), columns).unwrap()
}

#[test]
fn each_group_of_each_file_can_be_read_by_somebody_else() {
    let dir = tempfile::tempdir().unwrap();
    write(
        &dir.path().join("1.parquet"),
        &batch(150_000),
        Codec::SNAPPY,
        70_000,
    );
    write(&dir.path().join("2.parquet"), &batch(10), Codec::SNAPPY, 4);
    let (chunks, places) =
        crate::places_tests::read_from_each_place(&source(dir.path(), &columns()));
    assert_eq!(places, 6);
    assert!(chunks > places);
}

#[test]
fn every_compression_is_read_and_slices_are_the_rows_of_their_group() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let rows = batch(150_000);
    let (v1, v2) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    for (codec, version) in [
        (Codec::UNCOMPRESSED, v1),
        (Codec::SNAPPY, v1),
        (Codec::GZIP(GzipLevel::default()), v1),
        (Codec::GZIP(GzipLevel::default()), v2),
        (Codec::ZSTD(ZstdLevel::default()), v2),
        (Codec::LZ4, v1),
        (Codec::LZ4, v2),
        (Codec::LZ4_RAW, v2),
    ] {
        write_as(&path, &rows, codec, 100_000, version);
        let source = source(&path, &columns());
        assert_eq!(source.estimate_rows(), Some(150_000));
        let (chunks, decoded) = read(&source).unwrap();
        assert!(
            chunks.len() > 2,
            "{codec}: groups are cut: {}",
            chunks.len()
        );
        assert!(joined(&decoded) == rows, "{codec}");
        let last = chunks.last().unwrap();
        assert_eq!(last.first_row + last.rows, 150_000);
        assert_eq!(Some(last.position), source.size_bytes());
        let origin = &decoded.last().unwrap().batches.last().unwrap().origin;
        assert_eq!(origin.line(0), None);
        // In any order, by decoders that have seen nothing else.
        for (chunk, before) in chunks.into_iter().zip(&decoded).rev() {
            let again = source.decoder().unwrap().decode(chunk).unwrap();
            assert_eq!(again.batches.len(), before.batches.len());
            for (a, b) in again.batches.iter().zip(&before.batches) {
                assert!(a.columns == b.columns && a.origin == b.origin);
            }
        }
    }
}

#[test]
fn a_chunk_says_what_its_rows_are_and_nothing_of_other_columns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let declared = Schema::new(vec![Field::new("int", DataType::Int64)]);
    let bytes = |rows: &RecordBatch| {
        write(&path, rows, Codec::UNCOMPRESSED, 1000);
        let (chunks, decoded) = read(&source(&path, &declared)).unwrap();
        assert_eq!(decoded[0].batches[0].columns.num_columns(), 1);
        chunks.into_iter().map(|c| c.bytes).collect::<Vec<_>>()
    };
    let rows = batch(2000);
    let first = bytes(&rows);
    let mut changed: Vec<ArrayRef> = rows.columns().to_vec();
    changed[0] = Arc::new(StringArray::from(vec!["another text"; 2000]));
    let other_text = RecordBatch::try_new(rows.schema(), changed.clone()).unwrap();
    assert_eq!(bytes(&other_text), first);
    let mut whole = rows.column(1).as_primitive::<Int64Type>().clone();
    whole = whole
        .iter()
        .map(|v| v.map(|v| if v == i64::MAX - 1 { 0 } else { v }))
        .collect();
    changed[1] = Arc::new(whole);
    let other_int = bytes(&RecordBatch::try_new(rows.schema(), changed).unwrap());
    assert_ne!(other_int[0], first[0]);
    assert_eq!(other_int[1], first[1]);
}

#[test]
fn other_writers_types_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let keys = Int32Array::from(vec![Some(1), None, Some(0)]);
    let values = Arc::new(StringArray::from(vec!["a", "b"]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("word", Arc::new(DictionaryArray::new(keys, values))),
        (
            "small",
            Arc::new(arrow_array::UInt8Array::from(vec![1, 2, 255])),
        ),
        (
            "nano",
            Arc::new(arrow_array::TimestampNanosecondArray::from(vec![
                1000, 1, -1000,
            ])),
        ),
        ("nothing", Arc::new(arrow_array::NullArray::new(3))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    write(&path, &rows, Codec::SNAPPY, 10);
    let schema = Schema::new(vec![
        Field::new("nano", DataType::Timestamp),
        Field::new("small", DataType::Int64),
        Field::new("word", DataType::Text),
        Field::new("nothing", DataType::Date),
    ]);
    let (_, decoded) = read(&source(&path, &schema)).unwrap();
    let found = &decoded[0].batches[0];
    assert_eq!(
        found.columns.column(1).as_primitive::<Int64Type>().values(),
        &[1, 255]
    );
    assert_eq!(found.columns.column(2).as_string::<i32>().value(0), "b");
    assert_eq!(found.origin.row(1), 2);
    let reject = &decoded[0].rejects[0];
    assert_eq!((reject.row, reject.line), (1, None));
    assert_eq!(&*reject.violations[0].rule, "type");
}

#[test]
fn a_file_that_does_not_fit_is_refused_before_the_first_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let error = |schema: &Schema| source(&path, schema).chunks().err().unwrap().to_string();
    let one = |name: &str, data_type| Schema::new(vec![Field::new(name, data_type)]);
    write(&path, &batch(10), Codec::SNAPPY, 10);
    let said = error(&one("ints", DataType::Int64));
    assert!(
        said.contains("no column `ints` (did you mean `int`?); it has 8 columns"),
        "{said}"
    );
    let said = error(&one("date", DataType::Text));
    assert!(said.contains("declare it as type: \"date\""), "{said}");

    let item = Arc::new(arrow_schema::Field::new(
        "item",
        arrow_schema::DataType::Int32,
        true,
    ));
    let list = arrow_array::ListArray::new_null(item, 3);
    let rows = RecordBatch::try_from_iter([("many", Arc::new(list) as ArrayRef)]).unwrap();
    write(&path, &rows, Codec::SNAPPY, 10);
    let said = error(&one("many", DataType::Int64));
    let due = "`many` holds lists, maps or structs and is declared as int64; declare it as type: \
               \"text\", for JSON text";
    assert!(said.contains(due), "{said}");

    fs::write(&path, "a,b\n1,2\n").unwrap();
    let said = error(&one("a", DataType::Text));
    assert!(said.contains("is not a Parquet file"), "{said}");
    fs::write(&path, b"PAR1\xff\xff\xff\xffPAR1").unwrap();
    let said = error(&one("a", DataType::Text));
    assert!(said.contains("larger than the file"), "{said}");
    let stdin = Source::new(
        vec![Input::Stdin],
        one("a", DataType::Text),
        Keys::default(),
    );
    let said = stdin.chunks().err().unwrap().to_string();
    assert!(said.contains("save it to a file first"), "{said}");
}

#[test]
fn no_damage_ends_the_process_or_lasts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let (mut refused, mut read_all) = (0, 0);
    // A generator that is its own seed: the same mutants each time.
    let mut state = 7u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for codec in [
        Codec::UNCOMPRESSED,
        Codec::SNAPPY,
        Codec::GZIP(GzipLevel::default()),
        Codec::ZSTD(ZstdLevel::default()),
        Codec::LZ4,
        Codec::LZ4_RAW,
    ] {
        write(&path, &batch(300), codec, 200);
        let good = fs::read(&path).unwrap();
        for _ in 0..600 {
            let mut bad = good.clone();
            for _ in 0..=random(3) {
                let at = random(bad.len());
                match random(4) {
                    0 => bad[at] = random(256) as u8,
                    1 => bad[at] ^= 1 << random(8),
                    2 => bad[at] = [0, 0x7f, 0x80, 0xff][random(4)],
                    _ => bad.truncate(at.max(12)),
                }
            }
            fs::write(&path, &bad).unwrap();
            match read(&source(&path, &columns())) {
                Ok(_) => read_all += 1,
                Err(SourceError::Shape { place, .. } | SourceError::Io { place, .. }) => {
                    assert_eq!(place, path.display().to_string());
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(refused > 1000, "{refused} refused, {read_all} read");
}

#[test]
fn a_page_that_unpacks_to_too_much_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let zeros = "0".repeat(super::pages::MAX_PAGE_SIZE as usize + 10);
    let rows = RecordBatch::try_from_iter([(
        "a",
        Arc::new(StringArray::from(vec![zeros.as_str()])) as ArrayRef,
    )])
    .unwrap();
    for codec in [
        Codec::ZSTD(ZstdLevel::default()),
        Codec::GZIP(GzipLevel::default()),
    ] {
        write(&path, &rows, codec, 10);
        assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
        let schema = Schema::new(vec![Field::new("a", DataType::Text)]);
        let said = read(&source(&path, &schema)).unwrap_err().to_string();
        let due = "has a page of 129 MiB, but the limit is 128 MiB; write the file \
                   with smaller pages (`data_page_size`";
        assert!(said.contains(due), "{said}");
    }
}

/// A file of one row group whose columns are written by hand.
fn write_by_hand(path: &Path, schema: &str, int96: &[Int96]) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    while let Some(mut column) = group.next_column().unwrap() {
        let typed = column.typed::<Int96Type>();
        typed.write_batch(int96, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

/// Nanoseconds of the day and the Julian day, as Impala and Spark write times.
fn int96(nanos: i64, day: i32) -> Int96 {
    let mut value = Int96::new();
    value.set_data(nanos as u32, (nanos >> 32) as u32, day as u32);
    value
}

#[test]
fn int96_is_read_exactly_in_any_year_or_its_row_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let values = [
        int96(0, 2_440_588),
        int96(0, 2_816_788),
        // 3000-01-01 and 232 ns, which is no microsecond and, in nanoseconds, no int64.
        int96(232, 2_816_788),
        int96(1_000, 2_816_788),
        int96(0, i32::MAX),
    ];
    write_by_hand(&path, "message m { required int96 at; }", &values);
    let schema = Schema::new(vec![Field::new("at", DataType::Timestamp)]);
    let (_, decoded) = read(&source(&path, &schema)).unwrap();
    let found = decoded[0].batches[0].columns.column(0);
    assert_eq!(
        found.as_primitive::<TimestampMicrosecondType>().values(),
        &[0, 32_503_680_000_000_000, 32_503_680_000_000_001]
    );
    let rejects = decoded[0].rejects.iter();
    let rejects: Vec<_> = rejects.map(|r| (r.row, &*r.violations[0].rule)).collect();
    assert_eq!(rejects, [(2, "type"), (4, "type")]);
}

#[test]
fn a_name_that_is_there_twice_is_refused_if_it_is_declared() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let doubled = "message m { required int96 at; required int96 b; required int96 at; }";
    write_by_hand(&path, doubled, &[int96(0, 2_440_588)]);
    let at = |name: &str| Schema::new(vec![Field::new(name, DataType::Timestamp)]);
    let said = read(&source(&path, &at("at"))).unwrap_err().to_string();
    assert!(said.contains("it has two columns named `at`"), "{said}");
    assert!(read(&source(&path, &at("b"))).is_ok());
    let within = "message m { required group g { required int96 x; required int96 x; } }";
    write_by_hand(&path, within, &[int96(0, 2_440_588)]);
    let text = Schema::new(vec![Field::new("g", DataType::Text)]);
    let said = read(&source(&path, &text)).unwrap_err().to_string();
    assert!(
        said.contains("`g` have two fields with the same name"),
        "{said}"
    );
}

#[test]
fn int96_within_a_structure_is_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let schema = "message m { required group g { required int96 at; } }";
    write_by_hand(&path, schema, &[int96(1_000, 2_816_788)]);
    let text = Schema::new(vec![Field::new("g", DataType::Text)]);
    let (_, decoded) = read(&source(&path, &text)).unwrap();
    let found = decoded[0].batches[0].columns.column(0).as_string::<i32>();
    assert_eq!(found.value(0), r#"{"at":"3000-01-01T00:00:00.000001Z"}"#);
}

/// A file that pyarrow wrote with checksums.
fn checked() -> Vec<u8> {
    let cases = "/../../../tests/cases/parquet-packings/in/4-lz4-checked.parquet";
    fs::read(format!("{}{cases}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn a_page_that_is_not_what_was_written_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64),
        Field::new("word", DataType::Text),
    ]);
    let mut bytes = checked();
    fs::write(&path, &bytes).unwrap();
    assert!(read(&source(&path, &schema)).is_ok());
    let at = bytes.windows(6).position(|w| w == b"gamma4").unwrap();
    bytes[at + 5] = b'5';
    fs::write(&path, &bytes).unwrap();
    let said = read(&source(&path, &schema)).unwrap_err().to_string();
    assert!(
        said.contains("has a page whose checksum is wrong"),
        "{said}"
    );
}

#[test]
fn json_text_without_end_is_refused_by_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let name = "x".repeat(1 << 20);
    let ones: ArrayRef = Arc::new(Int32Array::from(vec![1; 300]));
    let item = Arc::new(arrow_schema::Field::new(
        name,
        ones.data_type().clone(),
        true,
    ));
    let rows = arrow_array::StructArray::from(vec![(item, ones)]);
    let rows = RecordBatch::try_from_iter([("many", Arc::new(rows) as ArrayRef)]).unwrap();
    write(&path, &rows, Codec::SNAPPY, 1000);
    let text = Schema::new(vec![Field::new("many", DataType::Text)]);
    let said = read(&source(&path, &text)).unwrap_err().to_string();
    assert!(said.contains("more than 256 MiB of JSON text"), "{said}");
}

#[test]
fn more_files_than_are_kept_open_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..70 {
        write(
            &dir.path().join(format!("{i:02}.parquet")),
            &batch(i),
            Codec::SNAPPY,
            20,
        );
    }
    let source = source(dir.path(), &columns());
    let (chunks, decoded) = read(&source).unwrap();
    let rows: usize = decoded
        .iter()
        .flat_map(|d| &d.batches)
        .map(Batch::rows)
        .sum();
    assert_eq!(rows, (0..70).sum::<i64>() as usize);
    // One that was closed meanwhile is opened again, if it is still the same.
    let first = chunks.first().unwrap().clone();
    assert_eq!(
        source
            .decoder()
            .unwrap()
            .decode(first.clone())
            .unwrap()
            .batches
            .len(),
        1
    );
    write(&dir.path().join("01.parquet"), &batch(5), Codec::SNAPPY, 20);
    let (chunks, decoder) = (source.chunks().unwrap(), source.decoder());
    drop(chunks);
    for part in 2..70 {
        source.files.opened(part).unwrap();
    }
    let error = decoder.unwrap().decode(first).unwrap_err().to_string();
    assert!(error.contains("changed while it was read"), "{error}");
}

#[test]
fn several_files_are_one_source() {
    let dir = tempfile::tempdir().unwrap();
    for (name, rows) in [("b.parquet", 5), ("a.parquet", 3), ("c.pq", 0)] {
        write(&dir.path().join(name), &batch(rows), Codec::SNAPPY, 2);
    }
    let source = source(dir.path(), &columns());
    assert_eq!(source.estimate_rows(), Some(8));
    let (chunks, decoded) = read(&source).unwrap();
    let firsts: Vec<_> = chunks
        .iter()
        .map(|c| (c.part, c.index, c.first_row))
        .collect();
    assert_eq!(
        firsts,
        [(0, 0, 0), (0, 1, 2), (1, 2, 3), (1, 3, 5), (1, 4, 7)]
    );
    let file = decoded[2].batches[0].origin.file().unwrap();
    assert!(file.ends_with("b.parquet"));
}

fn store(path: &Path, compression: Compression, batches: &[RecordBatch]) {
    store_by(Sink::new(path, compression), batches);
}

pub(super) fn store_by(mut sink: Sink, batches: &[RecordBatch]) {
    sink.probe(&columns(), Keeps::default()).unwrap();
    sink.open(&Job::default(), &columns()).unwrap();
    let mut encoder = sink.encoder();
    for batch in batches {
        let batches = [Batch::new(batch.clone(), Origin::contiguous(0))];
        let encoded = encoder.encode(&batches).unwrap();
        assert_eq!(encoded.rows, batch.num_rows() as u64);
        sink.write(FinishedChunk {
            encoded,
            ..FinishedChunk::default()
        })
        .unwrap();
    }
    sink.commit(&Totals::default()).unwrap();
}

/// Parts of 10,000 rows.
pub(super) fn parts_of(rows: &RecordBatch) -> Vec<RecordBatch> {
    (0..rows.num_rows() / 10_000)
        .map(|i| rows.slice(i * 10_000, 10_000))
        .collect()
}

#[test]
fn what_the_sink_writes_is_read_back_equal_whatever_the_compression() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.parquet");
    let rows = batch(300_000);
    let parts = parts_of(&rows);
    for compression in [
        Compression::Zstd,
        Compression::Snappy,
        Compression::Gzip,
        Compression::Lz4,
        Compression::None,
    ] {
        store(&path, compression, &parts);
        let source = source(&path, &columns());
        let (_, decoded) = read(&source).unwrap();
        assert!(joined(&decoded) == rows, "{compression:?}");
        let groups = source.files.opened(0).unwrap();
        let sizes: Vec<_> = groups.groups().iter().map(|g| g.num_rows()).collect();
        assert_eq!(sizes, [131_072, 131_072, 37_856]);
    }
}

#[test]
fn a_file_without_rows_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.parquet");
    store(&path, Compression::Zstd, &[batch(0)]);
    let (chunks, _) = read(&source(&path, &columns())).unwrap();
    assert!(chunks.is_empty());
}

#[test]
fn nothing_is_seen_before_commit_or_after_abort() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.parquet");
    fs::write(&path, "old").unwrap();
    let mut sink = Sink::new(&path, Compression::Zstd);
    sink.open(&Job::default(), &columns()).unwrap();
    let batches = [Batch::new(batch(10), Origin::contiguous(0))];
    let encoded = sink.encoder().encode(&batches).unwrap();
    sink.write(FinishedChunk {
        encoded,
        ..FinishedChunk::default()
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    sink.abort();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(sink.commit(&Totals::default()).is_err());
}
