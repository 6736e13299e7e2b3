//! What is found of one input in the journal of others; the databases and the program have tests of
//! their own.

use glovebox_core::{
    Batch, ChunkReader, ChunkRecord, Decoded, Decoder, Encoder, FinishedChunk, History, Job, Keeps,
    KeptReject, Known, Origin, Published, RowCounts, RunState, Schema, Secret, SinkError,
    SourceError, Totals,
};

use super::*;

/// Lines, in chunks of so many; one that begins with `+` goes on with the row before it.
struct Text {
    lines: Vec<String>,
    chunk: usize,
    schema: Schema,
}

struct Chunks {
    chunks: Vec<Chunk>,
}

struct Rows;

fn count(bytes: &[u8]) -> u64 {
    let lines = bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    lines.filter(|line| !line.starts_with(b"+")).count() as u64
}

impl Source for Text {
    fn describe(&self) -> String {
        "text".into()
    }
    fn dialect(&self) -> String {
        "text".into()
    }
    fn schema(&self) -> &Schema {
        &self.schema
    }
    fn size_bytes(&self) -> Option<u64> {
        Some(1)
    }
    fn estimate_rows(&self) -> Option<u64> {
        None
    }
    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        let mut chunks = Vec::new();
        let mut first_row = 0;
        for (index, lines) in self.lines.chunks(self.chunk).enumerate() {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let rows = count(text.as_bytes());
            chunks.push(Chunk {
                index: index as u64,
                first_row,
                rows,
                first_line: Some((index * self.chunk + 1) as u64),
                bytes: text.into_bytes(),
                ..Chunk::default()
            });
            first_row += rows;
        }
        chunks.reverse();
        Ok(Box::new(Chunks { chunks }))
    }
    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        Ok(Box::new(Rows))
    }
}

impl ChunkReader for Chunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        Ok(self.chunks.pop())
    }
}

impl Decoder for Rows {
    fn decode(&mut self, chunk: Chunk) -> Result<Decoded, SourceError> {
        let text = String::from_utf8(chunk.bytes).unwrap();
        let begins = text.lines().map(|line| !line.starts_with('+'));
        let lines: Vec<u64> = begins
            .zip(chunk.first_line.unwrap()..)
            .filter_map(|(begins, line)| begins.then_some(line))
            .collect();
        let rows = lines.len();
        let between = lines
            .iter()
            .map(|line| u32::try_from(line - lines[0]).unwrap())
            .collect();
        let origin = Origin::contiguous(chunk.first_row).with_lines(lines[0], Some(between));
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Schema::default().to_arrow();
        let columns = arrow_array::RecordBatch::try_new_with_options(schema, vec![], &options);
        Ok(Decoded {
            batches: vec![Batch::new(columns.unwrap(), origin)],
            rejects: Vec::new(),
        })
    }
}

/// Journal of runs over some inputs.
#[derive(Default)]
struct Journal {
    chunks: HashMap<String, Vec<ChunkRecord>>,
}

impl Sink for Journal {
    fn describe(&self) -> String {
        "journal".into()
    }
    fn probe(&mut self, _: &Schema, _: Keeps) -> Result<Vec<String>, SinkError> {
        Ok(Vec::new())
    }
    fn history(&mut self) -> Result<Option<History>, SinkError> {
        Ok(None)
    }
    fn past(&mut self, _: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        Ok(None)
    }
    fn open(&mut self, _: &Job, _: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        Ok(Vec::new())
    }
    fn chunks(&mut self, run: &str) -> Result<Vec<ChunkRecord>, SinkError> {
        Ok(self.chunks.get(run).cloned().unwrap_or_default())
    }
    fn known(&mut self, digests: &[Digest]) -> Result<Vec<Known>, SinkError> {
        let all = self.chunks.iter();
        Ok(all
            .flat_map(|(run, chunks)| chunks.iter().map(move |chunk| (run, chunk)))
            .filter(|(_, chunk)| digests.contains(&chunk.digest))
            .map(|(run, chunk)| Known {
                run: run.clone(),
                digest: chunk.digest,
                read: chunk.rows.read,
            })
            .collect())
    }
    fn encoder(&self) -> Box<dyn Encoder> {
        unreachable!("nothing is encoded here")
    }
    fn write(&mut self, _: FinishedChunk) -> Result<(), SinkError> {
        Ok(())
    }
    fn appends(&self) -> bool {
        true
    }
    fn commit(&mut self, _: &Totals) -> Result<Published, SinkError> {
        Ok(Published::default())
    }
    fn withhold(&mut self, _: &Totals) -> Result<Published, SinkError> {
        Ok(Published::nothing())
    }
    fn rejects(&mut self, _: &str, _: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError> {
        Ok(())
    }
    fn abort(&mut self) -> u64 {
        0
    }
}

fn key() -> Key {
    Key::new(&Secret::new(vec![7; 32]))
}

fn text(lines: Vec<String>, chunk: usize) -> Text {
    Text {
        lines,
        chunk,
        schema: Schema::default(),
    }
}

fn lines(from: u32, to: u32) -> Vec<String> {
    (from..to).map(|n| format!("{n},x")).collect()
}

/// A run over such an input, of which the chunks in `stored` are; it has finished if all are.
fn run(
    journal: &mut Journal,
    name: &str,
    source: &Text,
    stored: std::ops::Range<usize>,
) -> Earlier {
    let key = key();
    let mut input = Input::default();
    let mut beginning = None;
    let mut records = Vec::new();
    let mut chunks = source.chunks().unwrap();
    let mut all = 0;
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        let lines = key.read(&chunk);
        let digest = key.chunk(&input, &lines);
        input = input.with(&lines);
        beginning.get_or_insert(key.mark(&input));
        if stored.contains(&all) {
            records.push(ChunkRecord {
                index: chunk.index,
                first_row: chunk.first_row,
                rows: RowCounts {
                    read: chunk.rows,
                    stored: chunk.rows,
                    ..RowCounts::default()
                },
                digest,
                upto: Some(key.mark(&input)),
                summary: String::new(),
            });
        }
        all += 1;
    }
    let finished = stored.len() >= all;
    let read = records.iter().map(|r| r.rows.read).sum();
    journal.chunks.insert(name.into(), records);
    Earlier {
        run: name.into(),
        plan: "plan".into(),
        key: Some(key.check()),
        state: match finished {
            true => RunState::Finished,
            false => RunState::Abandoned,
        },
        whole: finished.then(|| key.mark(&input)),
        beginning,
        rows: RowCounts {
            read,
            stored: read,
            ..RowCounts::default()
        },
        ..Earlier::default()
    }
}

const ALL: std::ops::Range<usize> = 0..usize::MAX;

fn look(journal: &mut Journal, held: &[&Earlier], source: &Text) -> String {
    let held = held.iter().map(|run| (*run).clone()).collect();
    let mut look = Recogniser {
        key: &key(),
        source,
        sink: journal,
        stop: &AtomicBool::new(false),
    };
    match look.whole(held).unwrap() {
        Verdict::New => "new".into(),
        Verdict::All(run) => format!("all of {}", run.run),
        Verdict::Grown(run, rows) => format!("{} and {rows} rows before", run.run),
        Verdict::Some(run, rows) => format!("{rows} rows of {}", run.run),
    }
}

#[test]
fn the_same_lines_are_the_same_input_in_whatever_order_and_pieces() {
    let mut journal = Journal::default();
    let first = run(&mut journal, "first", &text(lines(0, 1000), 100), ALL);
    let mut turned = lines(500, 1000);
    turned.extend(lines(0, 500));
    for same in [
        text(lines(0, 1000), 100),
        text(lines(0, 1000), 37),
        text(turned, 100),
    ] {
        assert_eq!(look(&mut journal, &[&first], &same), "all of first");
    }
    let mut one_more = lines(0, 1000);
    one_more.insert(0, "-1,x".into());
    let cut_otherwise = look(&mut journal, &[&first], &text(one_more, 37));
    assert_eq!(cut_otherwise, "new");
    assert_eq!(look(&mut journal, &[], &text(lines(0, 10), 5)), "new");
    assert_eq!(look(&mut journal, &[&first], &text(vec![], 5)), "new");
}

#[test]
fn lines_at_the_end_are_new_and_those_before_them_are_not() {
    for chunk in [3, 10, 100] {
        let mut journal = Journal::default();
        let first = run(&mut journal, "first", &text(lines(0, 10), chunk), ALL);
        let grown = text(lines(0, 12), chunk);
        let said = look(&mut journal, &[&first], &grown);
        assert_eq!(said, "first and 10 rows before", "{chunk}");
        let second = run(&mut journal, "second", &grown, ALL);
        let said = look(&mut journal, &[&second, &first], &text(lines(0, 20), chunk));
        assert_eq!(said, "second and 12 rows before", "{chunk}");
        assert_eq!(
            look(&mut journal, &[&second, &first], &grown),
            "all of second"
        );
    }
}

#[test]
fn inputs_that_were_loaded_one_by_one_are_known_when_they_come_together() {
    let mut journal = Journal::default();
    let monday = run(&mut journal, "monday", &text(lines(0, 5), 5), ALL);
    let tuesday = run(&mut journal, "tuesday", &text(lines(50, 57), 7), ALL);
    let both: Vec<String> = [lines(0, 5), lines(50, 57)].concat();
    let held = [&tuesday, &monday];
    assert_eq!(
        look(&mut journal, &held, &text(both.clone(), 5)),
        "all of tuesday"
    );
    let week = [both, lines(90, 92)].concat();
    assert_eq!(
        look(&mut journal, &held, &text(week, 5)),
        "tuesday and 12 rows before"
    );
    let turned = [lines(50, 57), lines(0, 5)].concat();
    assert_eq!(look(&mut journal, &held, &text(turned, 5)), "all of monday");
}

#[test]
fn a_beginning_and_a_piece_are_rows_of_the_run_that_had_them() {
    let mut journal = Journal::default();
    let first = run(&mut journal, "first", &text(lines(0, 1000), 100), ALL);
    assert_eq!(
        look(&mut journal, &[&first], &text(lines(0, 300), 100)),
        "all of first"
    );
    let mut other_end = lines(0, 300);
    other_end.extend(lines(5000, 5100));
    assert_eq!(
        look(&mut journal, &[&first], &text(other_end, 100)),
        "300 rows of first"
    );
    let mut piece = lines(7000, 7100);
    piece.extend(lines(600, 800));
    assert_eq!(
        look(&mut journal, &[&first], &text(piece, 100)),
        "200 rows of first"
    );
    // What comes behind a known beginning may be another run's.
    let second = run(&mut journal, "second", &text(lines(3000, 3300), 100), ALL);
    let both = [lines(0, 1000), lines(3100, 3200), lines(9000, 9100)].concat();
    assert_eq!(
        look(&mut journal, &[&second, &first], &text(both, 100)),
        "100 rows of second"
    );
}

#[test]
fn chunks_of_a_run_that_was_given_up_are_rows_of_its_input() {
    let mut journal = Journal::default();
    let source = text(lines(0, 1000), 100);
    let dead = run(&mut journal, "dead", &source, 3..5);
    assert_eq!(look(&mut journal, &[&dead], &source), "500 rows of dead");
    let begun = Earlier {
        living: Some("process 1".into()),
        ..run(&mut journal, "begun", &source, 0..0)
    };
    assert_eq!(look(&mut journal, &[&begun], &source), "0 rows of begun");
    let dead = Earlier {
        living: None,
        ..begun
    };
    assert_eq!(look(&mut journal, &[&dead], &source), "new");
}

#[test]
fn a_row_that_goes_on_behind_a_known_input_is_not_passed_over() {
    let mut journal = Journal::default();
    let first = run(&mut journal, "first", &text(lines(0, 10), 100), ALL);
    let mut goes_on = lines(0, 10);
    goes_on.extend(["+more".into(), "11,x".into()]);
    assert_eq!(
        look(&mut journal, &[&first], &text(goes_on, 100)),
        "10 rows of first"
    );
}

#[test]
fn runs_over_rejects_and_under_another_key_say_nothing() {
    let mut journal = Journal::default();
    let source = text(lines(0, 10), 5);
    let first = run(&mut journal, "first", &source, ALL);
    let over_rejects = Earlier {
        plan: "plan+rows".into(),
        ..first.clone()
    };
    let of_another_key = Earlier {
        key: Some(!key().check()),
        ..first.clone()
    };
    let older = Earlier { key: None, ..first };
    let held = [&over_rejects, &of_another_key, &older];
    assert_eq!(look(&mut journal, &held, &source), "new");
}

#[test]
fn an_input_of_which_nothing_was_stored_may_come_again() {
    let mut journal = Journal::default();
    let source = text(lines(0, 10), 5);
    let mut first = run(&mut journal, "first", &source, ALL);
    first.rows.stored = 0;
    assert_eq!(look(&mut journal, &[&first], &source), "new");
}

#[test]
fn of_a_pipe_the_beginning_has_to_do() {
    let mut journal = Journal::default();
    let source = text(lines(0, 10), 5);
    let first = run(&mut journal, "first", &source, ALL);
    let chunk = |lines| {
        let mut chunks = text(lines, 5).chunks().unwrap();
        chunks.next_chunk().unwrap().unwrap()
    };
    let mut look = Recogniser {
        key: &key(),
        source: &source,
        sink: &mut journal,
        stop: &AtomicBool::new(false),
    };
    let held = vec![first];
    let same = look.beginning(held.clone(), &chunk(lines(0, 99))).unwrap();
    assert!(matches!(same, Verdict::All(_)), "{same:?}");
    let other = look.beginning(held, &chunk(lines(1, 99))).unwrap();
    assert!(matches!(other, Verdict::New), "{other:?}");
}
