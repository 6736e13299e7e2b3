//! What a run does when a part of it is broken in a way that no file or database brings about.

use std::sync::Mutex;

use glovebox_core::{Decoded, Origin, Schema, SinkError, SourceError};

use super::*;

/// Twenty chunks of one row without columns; what a decoder does is for each test to say.
struct Numbers {
    schema: Schema,
    decode: fn(Chunk) -> Decoded,
}

struct Chunks(u64);
struct Decode(fn(Chunk) -> Decoded);

fn row(chunk: &Chunk) -> Decoded {
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(1));
    let schema = Schema::default().to_arrow();
    let columns = arrow_array::RecordBatch::try_new_with_options(schema, Vec::new(), &options);
    Decoded {
        batches: vec![Batch::new(
            columns.unwrap(),
            Origin::contiguous(chunk.first_row),
        )],
        rejects: Vec::new(),
    }
}

impl Source for Numbers {
    fn describe(&self) -> String {
        "numbers".into()
    }
    fn schema(&self) -> &Schema {
        &self.schema
    }
    fn size_bytes(&self) -> Option<u64> {
        None
    }
    fn estimate_rows(&self) -> Option<u64> {
        None
    }
    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        Ok(Box::new(Chunks(0)))
    }
    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        Ok(Box::new(Decode(self.decode)))
    }
}

impl ChunkReader for Chunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let index = self.0;
        self.0 += 1;
        Ok((index < 20).then(|| Chunk {
            index,
            first_row: index,
            rows: 1,
            ..Chunk::default()
        }))
    }
}

impl Decoder for Decode {
    fn decode(&mut self, chunk: Chunk) -> Result<Decoded, SourceError> {
        Ok((self.0)(chunk))
    }
}

/// Counts rows; shared so that a test can ask after the run.
#[derive(Default, Clone)]
struct Counted(Arc<Mutex<(u64, bool)>>);

impl Sink for Counted {
    fn describe(&self) -> String {
        "counted".into()
    }
    fn probe(&mut self, _: &Schema) -> Result<(), SinkError> {
        Ok(())
    }
    fn open(&mut self, _: &Schema) -> Result<(), SinkError> {
        Ok(())
    }
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(self.clone())
    }
    fn write(&mut self, encoded: Encoded) -> Result<(), SinkError> {
        self.0.lock().unwrap().0 += encoded.rows;
        Ok(())
    }
    fn commit(&mut self) -> Result<(), SinkError> {
        self.0.lock().unwrap().1 = true;
        Ok(())
    }
    fn abort(&mut self) {}
}

impl Encoder for Counted {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        Ok(Encoded {
            rows: batches.iter().map(|b| b.rows() as u64).sum(),
            ..Encoded::default()
        })
    }
}

/// Runs twenty rows; gives how it ended, the rows written, and whether they were committed.
fn run(decode: fn(Chunk) -> Decoded) -> (Result<RunReport, RunError>, u64, bool) {
    let folder = tempfile::tempdir().unwrap();
    let source = Numbers {
        schema: Schema::default(),
        decode,
    };
    let plan = Plan {
        source: Schema::default(),
        steps: Vec::new(),
        sink: Schema::default(),
        sink_columns: Vec::new(),
    };
    let mut sink = Counted::default();
    let seen = sink.clone();
    let ended = Run {
        name: "test",
        plan: &plan,
        steps: &[],
        source: &source,
        sink: &mut sink,
        rejects: &folder.path().join("rejects.jsonl"),
        at_most: None,
        workers: 2,
    }
    .run(&AtomicBool::new(false), &mut |_| {});
    let (rows, committed) = *seen.0.lock().unwrap();
    (ended, rows, committed)
}

#[test]
fn every_chunk_is_written_and_then_committed() {
    let (ended, rows, committed) = run(|chunk| row(&chunk));
    assert_eq!(ended.unwrap().rows.stored, 20);
    assert_eq!((rows, committed), (20, true));
}

#[test]
fn a_worker_that_panics_ends_the_run_and_nothing_is_committed() {
    let (ended, _, committed) = run(|chunk| match chunk.index {
        1 => panic!("on purpose"),
        _ => row(&chunk),
    });
    assert!(matches!(ended, Err(RunError::Panicked)), "{ended:?}");
    assert!(!committed);
}

#[test]
fn a_row_that_the_decoder_loses_ends_the_run_and_nothing_is_committed() {
    let (ended, _, committed) = run(|chunk| match chunk.index {
        3 => Decoded::default(),
        _ => row(&chunk),
    });
    let lost = RunError::Undecoded { due: 1, read: 0 };
    assert_eq!(ended.unwrap_err().to_string(), lost.to_string());
    assert!(!committed);
}
