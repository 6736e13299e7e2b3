//! What a run does when a part of it is broken in a way that no file or database brings about.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use glovebox_core::{
    Batch, Chunk, ChunkReader, ChunkRecord, Decoded, Decoder, Earlier, Encoded, Encoder,
    FinishedChunk, Keeps, KeptReject, Origin, RowCounts, RunOutcome, RunState, Schema, Secret,
    SinkError, SourceError,
};

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
    fn dialect(&self) -> String {
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

/// A sink in memory that keeps a journal as a database does; shared so that a test can ask after the
/// run and hand it to the next one.
#[derive(Default, Clone)]
struct Kept(Arc<Mutex<Journal>>);

#[derive(Default)]
struct Journal {
    run: Option<Job>,
    begins: Option<Mark>,
    chunks: BTreeMap<u64, ChunkRecord>,
    rejects: Vec<KeptReject>,
    finished: Vec<Earlier>,
    /// The chunk at which it breaks down.
    breaks_at: Option<u64>,
    /// Whether it keeps no journal, as a file.
    forgets: bool,
    /// Whether its rows take the place of others.
    exchanges: bool,
    /// Rows that it refuses when the run is to end.
    late: Vec<glovebox_core::Reject>,
}

impl Kept {
    /// Rows that had counted as stored, set aside.
    fn late(&self) -> Option<Published> {
        let mut journal = self.journal();
        let refused = std::mem::take(&mut journal.late);
        journal.rejects.extend(refused.iter().map(kept));
        (!refused.is_empty()).then(|| Published {
            refused,
            ..Published::default()
        })
    }

    fn journal(&self) -> std::sync::MutexGuard<'_, Journal> {
        self.0.lock().unwrap()
    }

    fn rows(&self) -> u64 {
        self.journal().chunks.values().map(|c| c.rows.stored).sum()
    }

    fn committed(&self) -> bool {
        !self.journal().finished.is_empty()
    }
}

fn kept(reject: &glovebox_core::Reject) -> KeptReject {
    KeptReject {
        row: reject.row,
        file: reject.file.as_deref().map(str::to_owned),
        line: reject.line,
        violations: serde_json::to_string(&reject.violations).unwrap(),
    }
}

impl Sink for Kept {
    fn describe(&self) -> String {
        "kept".into()
    }
    fn probe(&mut self, _: &Schema, _: Keeps) -> Result<Vec<String>, SinkError> {
        Ok(Vec::new())
    }
    fn history(&mut self) -> Result<Option<History>, SinkError> {
        let journal = self.journal();
        let rows = RowCounts {
            stored: journal.chunks.len() as u64,
            ..RowCounts::default()
        };
        let running: Vec<_> = journal.run.iter().map(|job| earlier(job, rows)).collect();
        let mut held = journal.finished.clone();
        held.reverse();
        held.extend(running.clone());
        Ok((!journal.forgets).then_some(History {
            appends: true,
            key: self.key(),
            running,
            held,
            ..History::default()
        }))
    }
    fn key(&self) -> Option<Secret> {
        Some(Secret::new(vec![1; 32]))
    }
    fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError> {
        let mut journal = self.journal();
        journal.begins = Some(*with);
        if let Some(job) = &mut journal.run {
            job.key = Some(key);
        }
        Ok(())
    }
    fn chunks(&mut self, _: &str) -> Result<Vec<ChunkRecord>, SinkError> {
        Ok(self.journal().chunks.values().cloned().collect())
    }
    fn past(&mut self, _: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        Ok(Some(self.journal().finished.clone()))
    }
    fn open(&mut self, job: &Job, _: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        let mut journal = self.journal();
        if !job.resume {
            journal.chunks.clear();
            journal.rejects.clear();
        }
        journal.run = Some(job.clone());
        Ok(journal.chunks.values().cloned().collect())
    }
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(self.clone())
    }
    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        let mut journal = self.journal();
        if journal.breaks_at == Some(chunk.record.index) {
            let (place, problem) = ("kept".into(), "broke down".into());
            return Err(SinkError::Refused { place, problem });
        }
        for reject in chunk.rejects {
            journal.rejects.push(kept(&reject));
        }
        let twice = journal.chunks.insert(chunk.record.index, chunk.record);
        assert_eq!(twice, None, "a chunk came twice");
        Ok(())
    }
    fn appends(&self) -> bool {
        !self.journal().exchanges
    }
    fn withhold(&mut self, _: &Totals) -> Result<Published, SinkError> {
        if let Some(late) = self.late() {
            return Ok(late);
        }
        self.journal().run = None;
        Ok(Published::nothing())
    }
    fn commit(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        if let Some(late) = self.late() {
            return Ok(late);
        }
        let mut journal = self.journal();
        let job = journal.run.take().unwrap();
        let finished = Earlier {
            state: RunState::Finished,
            whole: Some(totals.input),
            beginning: journal.begins,
            ..earlier(&job, totals.rows)
        };
        journal.finished.push(finished);
        Ok(Published::default())
    }
    fn rejects(&mut self, _: &str, each: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError> {
        let mut rejects = self.journal().rejects.clone();
        rejects.sort_by_key(|r| r.row);
        rejects.into_iter().for_each(each);
        Ok(())
    }
    fn abort(&mut self) -> u64 {
        self.rows()
    }
}

fn earlier(job: &Job, rows: RowCounts) -> Earlier {
    Earlier {
        run: job.run.clone(),
        pipeline: job.pipeline.clone(),
        plan: job.plan.clone(),
        parts: job.parts.clone(),
        key: job.key,
        appends: true,
        shows_chunks: true,
        rows,
        ..Earlier::default()
    }
}

impl Encoder for Kept {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        Ok(Encoded {
            rows: batches.iter().map(|b| b.rows() as u64).sum(),
            ..Encoded::default()
        })
    }
}

type Ended = Result<RunReport, RunError>;

fn run_into(sink: &Kept, start: Start, decode: fn(Chunk) -> Decoded) -> (Ended, String) {
    run_within(sink, start, decode, None)
}

fn run_within(
    sink: &Kept,
    start: Start,
    decode: fn(Chunk) -> Decoded,
    at_most: Option<AtMost>,
) -> (Ended, String) {
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.jsonl");
    let source = Numbers {
        schema: Schema::default(),
        decode,
    };
    let plan = Plan {
        gate: None,
        source: Schema::default(),
        steps: Vec::new(),
        sink: Schema::default(),
        sink_columns: Vec::new(),
        upsert_keys: Vec::new(),
    };
    let ended = Run {
        name: "test",
        plan: &plan,
        steps: &[],
        source: &source,
        sink: &mut sink.clone(),
        rejects: &rejects,
        sealed: None,
        at_most,
        workers: 2,
        start,
        only_new: false,
        take_over: false,
        part: None,
        request: None,
        only: None,
        proof: None,
        shards: None,
        note: &|_| {},
    }
    .run(&AtomicBool::new(false), &mut |_| {})
    .map(|completed| completed.report);
    (ended, std::fs::read_to_string(rejects).unwrap_or_default())
}

/// Runs twenty rows anew; gives how it ended, and the sink.
fn run(decode: fn(Chunk) -> Decoded) -> (Ended, Kept) {
    let sink = Kept::default();
    (run_into(&sink, Start::Fresh, decode).0, sink)
}

/// Rejects every fourth row.
fn fourths(chunk: Chunk) -> Decoded {
    let mut decoded = row(&chunk);
    if chunk.index % 4 == 3 {
        decoded.batches.clear();
        decoded.rejects.push(glovebox_core::Reject {
            row: chunk.first_row,
            file: None,
            line: Some(chunk.first_row + 2),
            violations: vec![glovebox_core::Violation {
                step: "source".into(),
                column: None,
                rule: "fourth".into(),
                message: "it is a fourth".into(),
            }],
        });
    }
    decoded
}

#[test]
fn every_chunk_is_written_and_then_committed() {
    let (ended, sink) = run(|chunk| row(&chunk));
    assert_eq!(ended.unwrap().rows.stored, 20);
    assert_eq!((sink.rows(), sink.committed()), (20, true));
}

#[test]
fn a_worker_that_panics_ends_the_run_and_nothing_is_committed() {
    let (ended, sink) = run(|chunk| match chunk.index {
        1 => panic!("on purpose"),
        _ => row(&chunk),
    });
    assert!(
        matches!(&ended, Err(RunError::Ended { error, .. }) if matches!(**error, RunError::Panicked)),
        "{ended:?}"
    );
    assert!(!sink.committed());
}

#[test]
fn a_row_that_the_decoder_loses_ends_the_run_and_nothing_is_committed() {
    let (ended, sink) = run(|chunk| match chunk.index {
        3 => Decoded::default(),
        _ => row(&chunk),
    });
    let lost = RunError::Undecoded { due: 1, read: 0 }.to_string();
    let ended = ended.unwrap_err().to_string();
    assert!(ended.starts_with(&lost), "{ended}");
    assert!(!sink.committed());
}

#[test]
fn a_run_that_broke_down_goes_on_and_reports_the_whole() {
    let (whole, whole_rejects) = run_into(&Kept::default(), Start::Fresh, fourths);
    let whole = whole.unwrap();
    for breaks_at in 0..20 {
        let sink = Kept::default();
        sink.journal().breaks_at = Some(breaks_at);
        let (broken, rejects) = run_into(&sink, Start::Fresh, fourths);
        let broken = broken.unwrap_err().to_string();
        let remains = match sink.rows() {
            0 => "nothing was stored".into(),
            1 => "1 row is stored".into(),
            n => format!("{n} rows are stored"),
        };
        assert!(broken.contains(&remains), "{broken}");
        assert_eq!(rejects, "");

        sink.journal().breaks_at = None;
        let (resumed, rejects) = run_into(&sink, Start::Resume, fourths);
        let resumed = resumed.unwrap();
        assert_eq!(resumed.rows, whole.rows);
        assert_eq!(resumed.rejects, whole.rejects);
        assert_eq!(resumed.resumed_rows, breaks_at);
        assert_eq!(rejects, whole_rejects);
        let journal = sink.journal();
        assert_eq!(
            journal.chunks.keys().copied().collect::<Vec<_>>(),
            Vec::from_iter(0..20)
        );
    }
}

#[test]
fn rows_are_added_twice_only_if_that_is_asked_for() {
    let sink = Kept::default();
    let (first, _) = run_into(&sink, Start::Fresh, fourths);
    first.unwrap();
    let (second, _) = run_into(&sink, Start::Fresh, fourths);
    assert!(
        matches!(&second, Err(RunError::Already(known)) if known.stored == 15),
        "{second:?}"
    );
    assert_eq!(sink.journal().finished.len(), 1);

    let (resumed, rejects) = run_into(&sink, Start::Resume, fourths);
    assert_eq!(resumed.unwrap().rows.rejected, 5);
    assert_eq!(rejects.lines().count(), 5);
    assert_eq!(sink.journal().finished.len(), 1);

    let (again, _) = run_into(&sink, Start::Again, fourths);
    again.unwrap();
    assert_eq!(sink.journal().finished.len(), 2);
}

#[test]
fn an_unfinished_run_is_not_passed_over_in_silence() {
    let sink = Kept::default();
    sink.journal().breaks_at = Some(5);
    let _ = run_into(&sink, Start::Fresh, fourths);
    sink.journal().breaks_at = None;
    let (second, _) = run_into(&sink, Start::Fresh, fourths);
    assert!(
        matches!(&second, Err(RunError::Unfinished(known)) if known.stored == 5),
        "{second:?}"
    );
}

#[test]
fn a_run_goes_on_with_the_same_plan_and_input_only() {
    let broken = || {
        let sink = Kept::default();
        sink.journal().breaks_at = Some(5);
        let _ = run_into(&sink, Start::Fresh, fourths);
        sink.journal().breaks_at = None;
        sink
    };
    let sink = broken();
    sink.journal().run.as_mut().unwrap().plan.digest = "another plan".into();
    let (ended, _) = run_into(&sink, Start::Resume, fourths);
    assert!(
        matches!(ended, Err(RunError::PlanChanged { .. })),
        "{ended:?}"
    );

    let sink = broken();
    sink.journal().chunks.get_mut(&2).unwrap().digest = [7; 32];
    let (ended, _) = run_into(&sink, Start::Resume, fourths);
    let ended = ended.unwrap_err().to_string();
    assert!(ended.contains("not the one that it began with"), "{ended}");

    // An input that has become shorter does not have all the chunks that are stored.
    let sink = broken();
    let record = ChunkRecord {
        index: 99,
        ..sink.journal().chunks[&2].clone()
    };
    sink.journal().chunks.insert(99, record);
    let (ended, _) = run_into(&sink, Start::Resume, fourths);
    let ended = ended.unwrap_err().to_string();
    assert!(ended.contains("not the one that it began with"), "{ended}");
}

#[test]
fn a_sink_without_a_journal_is_filled_anew_each_time() {
    let sink = Kept::default();
    sink.journal().forgets = true;
    for start in [Start::Fresh, Start::Fresh, Start::Resume, Start::Again] {
        let (ended, _) = run_into(&sink, start, |chunk| row(&chunk));
        assert_eq!(ended.unwrap().rows.stored, 20);
    }
}

#[test]
fn beyond_at_most_rows_that_would_take_the_place_of_others_are_withheld() {
    for (exchanges, at_most, withheld, outcome) in [
        (true, 4, 15, RunOutcome::TooManyRejects),
        (true, 5, 0, RunOutcome::Done),
        (false, 4, 0, RunOutcome::TooManyRejects),
    ] {
        let sink = Kept::default();
        sink.journal().exchanges = exchanges;
        let at_most = Some(AtMost::Rows(at_most));
        let (ended, rejects) = run_within(&sink, Start::Fresh, fourths, at_most);
        let report = ended.unwrap();
        assert_eq!((report.withheld_rows, report.outcome), (withheld, outcome));
        assert_eq!(report.rows.stored + report.withheld_rows, 15);
        assert_eq!(sink.committed(), withheld == 0);
        assert_eq!(rejects.lines().count(), 5);
    }
}

#[test]
fn rows_that_are_refused_late_count_as_rejected_in_a_run_that_is_withheld() {
    // Too many before the end, and too many only with the one that comes late.
    for at_most in [4, 5] {
        let sink = Kept::default();
        sink.journal().exchanges = true;
        sink.journal().late = vec![glovebox_core::Reject {
            row: 1,
            file: None,
            line: Some(3),
            violations: vec![glovebox_core::Violation {
                step: "sink".into(),
                column: None,
                rule: "unique".into(),
                message: "twice".into(),
            }],
        }];
        let at_most = Some(AtMost::Rows(at_most));
        let (ended, rejects) = run_within(&sink, Start::Fresh, fourths, at_most);
        let report = ended.unwrap();
        assert_eq!((report.rows.rejected, report.withheld_rows), (6, 14));
        assert_eq!(report.outcome, RunOutcome::TooManyRejects);
        assert!(!sink.committed());
        assert_eq!(rejects.lines().count(), 6);
    }
}
