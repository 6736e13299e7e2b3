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

const ROWS: u64 = 200_000;

fn schema() -> Schema {
    Schema::new(vec![Field::new("id", DataType::Int64)])
}

fn job() -> Job {
    Job {
        run: "r".into(),
        pipeline: "p".into(),
        ..Job::default()
    }
}

/// Rows that no two of which are alike.
fn run(sink: &mut super::Sink, chunks: u64) -> Totals {
    sink.open(&job(), &schema()).unwrap();
    write(sink, 0..chunks);
    totals(chunks)
}

fn write(sink: &mut super::Sink, chunks: std::ops::Range<u64>) {
    let mut encoder = sink.encoder();
    for index in chunks {
        let from = i64::try_from(index * ROWS).unwrap();
        let ids = Int64Array::from_iter_values(from..from + i64::try_from(ROWS).unwrap());
        let columns = RecordBatch::try_new(schema().to_arrow(), vec![Arc::new(ids)]).unwrap();
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
}

fn totals(chunks: u64) -> Totals {
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

/// Rows of the files that a version adds.
fn rows(log: &str) -> u64 {
    let counts = log.split("numRecords\\\":").skip(1);
    let counts = counts.map(|rest| rest.split('}').next().unwrap().parse::<u64>().unwrap());
    counts.sum()
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
    assert_eq!(rows(&log), totals.rows.stored);
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

#[test]
fn of_those_who_write_the_same_range_one_has_stored_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = super::Sink::new(options(folder.path()));
    first.open(&job(), &schema()).unwrap();
    let turn = first.turn().unwrap();
    let mut others = [(); 3].map(|()| {
        let mut sink = super::Sink::new(options(folder.path()));
        sink.join(&job(), turn, &schema()).unwrap();
        sink
    });
    // The second is asleep in the range that the third does in its place, and wakes up.
    write(&mut others[0], 2..4);
    write(&mut others[1], 0..2);
    write(&mut others[2], 0..2);
    for at in [0, 2, 1] {
        others[at].flush().unwrap();
    }
    write(&mut others[2], 4..5);
    others[2].flush().unwrap();
    // One that was killed has left rows that nobody knows of.
    write(&mut others[0], 5..6);
    drop(others);
    let indices =
        |chunks: Vec<ChunkRecord>| -> Vec<u64> { chunks.iter().map(|c| c.index).collect() };
    assert_eq!(indices(first.chunks("r").unwrap()), [0, 1, 2, 3, 4]);
    first.commit(&totals(5)).unwrap();
    assert_eq!(indices(first.chunks("r").unwrap()), [0, 1, 2, 3, 4]);
    let log = folder.path().join("t/_delta_log/00000000000000000000.json");
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("{\"add\"").count(), files(folder.path()));
    assert_eq!(rows(&log), 5 * ROWS);
    let notes = std::fs::read_dir(folder.path().join("t/_glovebox/ranges")).unwrap();
    assert_eq!(notes.count(), 0);
}

#[test]
fn what_others_have_written_is_taken_back_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = super::Sink::new(options(folder.path()));
    first.open(&job(), &schema()).unwrap();
    let mut other = super::Sink::new(options(folder.path()));
    other.join(&job(), 0, &schema()).unwrap();
    write(&mut other, 0..2);
    other.flush().unwrap();
    assert!(files(folder.path()) > 0);
    first.abort();
    assert_eq!(files(folder.path()), 0);
    for left in ["runs", "ranges"] {
        let left = std::fs::read_dir(folder.path().join("t/_glovebox").join(left)).unwrap();
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn a_note_that_names_other_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = super::Sink::new(options(folder.path()));
    first.open(&job(), &schema()).unwrap();
    let notes = folder.path().join("t/_glovebox/ranges/r");
    std::fs::create_dir_all(&notes).unwrap();
    for note in [
        r#"{"journal":"_glovebox/runs/x.jsonl","files":[["../part-0.parquet",1,1]]}"#,
        r#"{"journal":"_glovebox/runs/../../x.jsonl","files":[]}"#,
        r#"{"journal":"_glovebox/runs/none.jsonl","files":[]}"#,
        "{",
    ] {
        std::fs::write(notes.join("0.json"), note).unwrap();
        let refused = first.chunks("r").unwrap_err().to_string();
        assert!(refused.contains("_glovebox/r"), "{refused}");
    }
}
