//! Columns, cells and loads that the tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use glovebox_core::{
    Batch, ChunkRecord, DataType, Field, FinishedChunk, Job, Mark, Origin, Reject, RowCounts,
    Schema, Sink, SinkError, Totals,
};

pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

/// One nullable column of each type, after an `id` that takes no nulls.
pub(crate) fn every_type() -> Schema {
    let decimal = |precision, scale| DataType::Decimal { precision, scale };
    let mut id = Field::new("id", DataType::Int64);
    id.nullable = false;
    Schema::new(vec![
        id,
        Field::new("yes", DataType::Boolean),
        Field::new("whole", DataType::Int64),
        Field::new("real", DataType::Float64),
        Field::new("price", decimal(38, 10)),
        Field::new("Näme \"quoted\"", DataType::Text),
        Field::new("raw", DataType::Bytes),
        Field::new("day", DataType::Date),
        Field::new("at", DataType::Timestamp),
    ])
}

/// Four rows of [`every_type`]: ordinary cells, the largest, the smallest, nulls.
pub(crate) fn every_kind_of_cell() -> Batch {
    let most = 10_i128.pow(38) - 1;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
        Arc::new(BooleanArray::from(vec![
            Some(true),
            Some(false),
            Some(true),
            None,
        ])),
        Arc::new(Int64Array::from(vec![
            Some(-7),
            Some(i64::MAX),
            Some(i64::MIN),
            None,
        ])),
        Arc::new(Float64Array::from(vec![
            Some(-0.1),
            Some(f64::INFINITY),
            Some(5e-324),
            None,
        ])),
        Arc::new(
            Decimal128Array::from(vec![Some(-12_345_678_901), Some(most), Some(-most), None])
                .with_precision_and_scale(38, 10)
                .unwrap(),
        ),
        Arc::new(StringArray::from(vec![
            Some("Zoë, \"漢字\" 🦀\t\\N\r\n'; DROP TABLE x; --"),
            Some(""),
            Some("NULL"),
            None,
        ])),
        Arc::new(BinaryArray::from(vec![
            Some(&b"\x00\xff\\x"[..]),
            Some(&b""[..]),
            Some(&b"abc"[..]),
            None,
        ])),
        Arc::new(Date32Array::from(vec![
            Some(11_016),
            Some(2_932_896),
            Some(-719_162),
            None,
        ])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![
                Some(11_016 * DAY_MICROS + 1),
                Some(2_932_897 * DAY_MICROS - 1),
                Some(-719_162 * DAY_MICROS),
                None,
            ])
            .with_timezone("UTC"),
        ),
    ];
    batch(&every_type(), columns)
}

pub(crate) fn batch(schema: &Schema, columns: Vec<ArrayRef>) -> Batch {
    let columns = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
    Batch::new(columns, Origin::contiguous(0))
}

/// A table of a number and a text.
pub(crate) fn people() -> Schema {
    Schema::new(vec![
        Field::new("id", DataType::Int64),
        Field::new("name", DataType::Text),
    ])
}

pub(crate) fn persons(rows: &[(Option<i64>, Option<&str>)]) -> Batch {
    let ids: Int64Array = rows.iter().map(|r| r.0).collect();
    let names: StringArray = rows.iter().map(|r| r.1).collect();
    let schema = people().to_arrow();
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(names)];
    Batch::new(
        RecordBatch::try_new(schema, columns).unwrap(),
        Origin::contiguous(100),
    )
}

/// A new run of the pipeline `people`.
pub(crate) fn job() -> Job {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    Job {
        run: format!("{}-{number}", std::process::id()),
        pipeline: "people".into(),
        plan: "plan".into(),
        source: "people.csv".into(),
        parts: "{}".into(),
        key: Some(7),
        ..Job::default()
    }
}

/// What an input is up to the end of a chunk.
pub(crate) fn mark(index: u64) -> Mark {
    Mark {
        lines: (index + 1) * 1000,
        digest: [u8::try_from(index % 251).unwrap_or(0) ^ 0x80; 32],
    }
}

/// The same run, to be gone on with.
pub(crate) fn again(job: &Job) -> Job {
    Job {
        resume: true,
        ..job.clone()
    }
}

/// Opens, encodes, writes and commits, as the engine does.
pub(crate) fn load(
    sink: &mut dyn Sink,
    schema: &Schema,
    batches: &[Batch],
) -> Result<(u64, Vec<Reject>), SinkError> {
    sink.open(&job(), schema)?;
    let (mut rows, mut rejects) = write(sink, batches)?;
    loop {
        let refused = sink.commit(&Totals::default())?.refused;
        if refused.is_empty() {
            return Ok((rows, rejects));
        }
        rows -= refused.len() as u64;
        rejects.extend(refused);
    }
}

/// Encodes and writes, each batch as a chunk of its own.
pub(crate) fn write(
    sink: &mut dyn Sink,
    batches: &[Batch],
) -> Result<(u64, Vec<Reject>), SinkError> {
    static CHUNKS: AtomicU64 = AtomicU64::new(0);
    let (mut stored, mut set_aside) = (0, Vec::new());
    for batch in batches {
        let index = CHUNKS.fetch_add(1, Ordering::Relaxed);
        let chunk = chunk(sink, index, batch)?;
        stored += chunk.record.rows.stored;
        set_aside.extend(chunk.rejects.clone());
        sink.write(chunk)?;
    }
    Ok((stored, set_aside))
}

/// A chunk of one batch, encoded for a sink.
pub(crate) fn chunk(
    sink: &dyn Sink,
    index: u64,
    batch: &Batch,
) -> Result<FinishedChunk, SinkError> {
    let mut encoded = sink.encoder().encode(std::slice::from_ref(batch))?;
    let rejects = std::mem::take(&mut encoded.rejects);
    let rows = RowCounts {
        read: batch.rows() as u64,
        stored: encoded.rows,
        filtered: 0,
        rejected: rejects.len() as u64,
    };
    let record = ChunkRecord {
        index,
        first_row: index * 1000,
        rows,
        digest: [u8::try_from(index % 251).unwrap_or(0); 32],
        upto: Some(mark(index)),
        summary: format!("{{\"chunk\":{index}}}"),
    };
    Ok(FinishedChunk {
        record,
        encoded,
        rejects,
        tokens: Vec::new(),
    })
}

/// Row number, column and rule of each violation.
pub(crate) fn reasons(rejects: &[Reject]) -> Vec<(u64, String, String)> {
    let mut all = Vec::new();
    for reject in rejects {
        for violation in &reject.violations {
            assert_eq!(&*violation.step, "sink");
            all.push((
                reject.row,
                violation.column.as_deref().unwrap_or("").to_owned(),
                violation.rule.to_string(),
            ));
        }
    }
    all
}
