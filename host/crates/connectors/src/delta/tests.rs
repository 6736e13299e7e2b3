//! What the sink does with rows, without a run around it.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use glovebox_core::{
    Batch, ChunkRecord, DataType, Field, FinishedChunk, Job, Mark, Origin, RowCounts, Schema, Sink,
    Totals,
};

use super::{Mode, Options};
use crate::outlet::Target;
use crate::parquet::Compression;

fn options(folder: &std::path::Path) -> Options {
    Options {
        target: Target::File(folder.join("t")),
        mode: Mode::Append,
        compression: Compression::None,
        replace_with_nothing: false,
        file_bytes: 8 << 10,
        identity_key: None,
    }
}

/// Rows that no two of which are alike.
fn run(sink: &mut super::Sink, chunks: u64) -> Totals {
    const ROWS: u64 = 200_000;
    let schema = Schema::new(vec![Field::new("id", DataType::Int64)]);
    let job = Job {
        run: "r".into(),
        pipeline: "p".into(),
        ..Job::default()
    };
    sink.open(&job, &schema).unwrap();
    let mut encoder = sink.encoder();
    for index in 0..chunks {
        let from = i64::try_from(index * ROWS).unwrap();
        let ids = Int64Array::from_iter_values(from..from + i64::try_from(ROWS).unwrap());
        let columns = RecordBatch::try_new(schema.to_arrow(), vec![Arc::new(ids)]).unwrap();
        let batch = Batch::new(columns, Origin::contiguous(index * ROWS));
        sink.write(FinishedChunk {
            record: ChunkRecord {
                index,
                ..ChunkRecord::default()
            },
            encoded: encoder.encode(&[batch]).unwrap(),
            ..FinishedChunk::default()
        })
        .unwrap();
    }
    let rows = RowCounts {
        read: chunks * ROWS,
        stored: chunks * ROWS,
        ..RowCounts::default()
    };
    Totals {
        rows,
        input: Mark::default(),
    }
}

fn files(folder: &std::path::Path) -> usize {
    let found = std::fs::read_dir(folder.join("t")).unwrap();
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".parquet")).count()
}

#[test]
fn a_large_run_has_several_files_and_one_version() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = super::Sink::new(options(folder.path()));
    let totals = run(&mut sink, 6);
    sink.commit(&totals).unwrap();
    let log = folder.path().join("t/_delta_log/00000000000000000000.json");
    let log = std::fs::read_to_string(log).unwrap();
    let added = log.matches("{\"add\"").count();
    assert!(added > 1, "{added}");
    assert_eq!(files(folder.path()), added);
    let rows: u64 = log
        .split("numRecords\\\":")
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(rows, totals.rows.stored);
    assert_eq!(sink.chunks("r").unwrap().len(), 6);
}

#[test]
fn what_is_given_up_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = super::Sink::new(options(folder.path()));
    let totals = run(&mut sink, 4);
    assert!(files(folder.path()) > 0);
    sink.withhold(&totals).unwrap();
    assert_eq!(files(folder.path()), 0);
    let runs = std::fs::read_dir(folder.path().join("t/_glovebox/runs")).unwrap();
    assert_eq!(runs.count(), 0);
    // A sink that is dropped while it writes leaves what it has finished, which no version names.
    assert!(!folder.path().join("t/_delta_log").exists());
}
