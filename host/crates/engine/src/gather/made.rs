//! What a `gather:` step makes, as a source of rows for the steps after it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use crossbeam_channel::{Receiver, Sender, bounded};
use glovebox_core::{
    AllRows, Batch, Chunk, ChunkReader, Decoded, Decoder, Origin, RowFeed, Source, SourceError,
    Unfinished, first_made_row,
};

use super::{Waiting, packed, unpacked, unreadable};
use crate::armed::{ArmedStep, Tables};

/// A chunk has about so many bytes, or rows.
const CHUNK_BYTES: usize = 1 << 20;
const CHUNK_ROWS: u64 = 1 << 16;
/// Chunks that are made ahead.
const AHEAD: usize = 2;

/// A chunk, or none at the end, which is said: a thread that went down says nothing.
type Next = Result<Option<Chunk>, SourceError>;

/// What a step makes of the rows that waited for it.
pub(crate) struct Made {
    step: Arc<str>,
    schema: SchemaRef,
    query: Arc<dyn AllRows>,
    waiting: Arc<Waiting>,
    tables: Tables,
    /// The number of its first chunk.
    first: u64,
    first_row: u64,
    /// Whether nobody wants more.
    over: Arc<AtomicBool>,
    /// How long the query was at work, in nanoseconds, once it has ended.
    busy: Arc<AtomicU64>,
}

impl Made {
    /// What a step makes, before which there were so many of its kind; none of one that is no query over all rows.
    pub(crate) fn new(
        step: &ArmedStep<'_>,
        waiting: Arc<Waiting>,
        first: u64,
        before: u64,
    ) -> Option<Self> {
        Some(Made {
            step: Arc::clone(&step.planned.name),
            schema: Arc::clone(&step.planned.output_arrow),
            query: Arc::clone(step.planned.gather.as_ref()?),
            tables: step.tables.clone(),
            waiting,
            first,
            first_row: first_made_row(before),
            over: Arc::default(),
            busy: Arc::default(),
        })
    }

    /// Runs the query: what it makes can be read once.
    pub(crate) fn chunks(&self) -> Box<dyn ChunkReader> {
        let (made, chunks) = bounded(AHEAD);
        let tables = self.tables.clone();
        let (query, waiting) = (Arc::clone(&self.query), Arc::clone(&self.waiting));
        let (over, step) = (Arc::clone(&self.over), Arc::clone(&self.step));
        let (busy, started) = (Arc::clone(&self.busy), Instant::now());
        let mut cutter = Cutter::new(made.clone(), self.first, self.first_row);
        // Not waited for: it hears of a stop between batches, which may take longer than anybody has.
        std::thread::spawn(move || {
            let feeds: Vec<_> = tables
                .iter()
                .map(|(name, table)| feed(name, table.as_ref()))
                .collect();
            let feeds: Vec<&RowFeed<'_, io::Error>> = feeds.iter().map(Box::as_ref).collect();
            let rows = |pass: &mut dyn FnMut(RecordBatch) -> bool| {
                let told = |error| io::Error::other(format!("the rows that waited: {error}"));
                waiting.feed(pass).map_err(told)
            };
            let done = query.run(&rows, &feeds, &over, &mut |batch| cutter.add(batch));
            let time = started.elapsed().saturating_sub(cutter.waited);
            busy.store(
                u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
                Ordering::Relaxed,
            );
            let end = match done {
                Ok(()) if cutter.cut() => Ok(None),
                Ok(()) => return,
                Err(ended) => Err(SourceError::Gather {
                    step: step.to_string(),
                    problem: sentence(&ended),
                }),
            };
            // Who does not listen any more does not want to know.
            let _ = made.send(end);
        });
        Box::new(Chunks {
            chunks,
            step: Arc::clone(&self.step),
        })
    }

    /// How long the query was at work; nothing before its end.
    pub(crate) fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Ordering::Relaxed))
    }

    /// A decoder for one worker.
    pub(crate) fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Unpacking {
            step: Arc::clone(&self.step),
            schema: Arc::clone(&self.schema),
        })
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn sentence(ended: &Unfinished<io::Error>) -> String {
    match ended {
        Unfinished::Failed(fault) => format!(
            "{}; a `sql:` step before it would reject such a row and go on",
            fault.sentence()
        ),
        Unfinished::Memory => {
            "the query needs more memory: raise `memory:` in the step, or ask for less".to_owned()
        }
        Unfinished::Disk => format!(
            "the query needs more room than the step's `spill:` gives, or than there is in {}",
            std::env::temp_dir().display()
        ),
        Unfinished::Stopped => "the query was stopped".to_owned(),
        Unfinished::Other(problem) => problem.to_string(),
    }
}

/// What passes on the rows of a table.
fn feed<'t>(name: &'t str, table: &'t dyn Source) -> Box<RowFeed<'t, io::Error>> {
    let broken = move |error: SourceError| io::Error::other(format!("table {name}: {error}"));
    Box::new(move |pass| {
        let mut chunks = table.chunks().map_err(broken)?;
        let mut decoder = table.decoder().map_err(broken)?;
        while let Some(chunk) = chunks.next_chunk().map_err(broken)? {
            let decoded = decoder.decode(chunk).map_err(broken)?;
            // A table has no place for rejects, and a join without a row of it would be another.
            if let Some(reject) = decoded.rejects.first() {
                let rule = reject.violations.first().map_or("", |v| &*v.message);
                let line = reject.line.map(|line| format!(", line {line}"));
                let line = line.unwrap_or_default();
                let problem = format!(
                    "table {name}: row {}{line} does not fit: {rule}",
                    reject.row
                );
                return Err(io::Error::other(problem));
            }
            for batch in decoded.batches {
                if !pass(batch.columns) {
                    return Ok(());
                }
            }
        }
        Ok(())
    })
}

struct Chunks {
    chunks: Receiver<Next>,
    step: Arc<str>,
}

impl ChunkReader for Chunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        self.chunks.recv().unwrap_or_else(|_| {
            Err(SourceError::Gather {
                step: self.step.to_string(),
                problem: "its thread ended before its query".to_owned(),
            })
        })
    }
}

/// Puts batches together to chunks.
struct Cutter {
    made: Sender<Next>,
    batches: Vec<RecordBatch>,
    bytes: usize,
    rows: u64,
    index: u64,
    first_row: u64,
    /// How long nobody took its chunks.
    waited: Duration,
}

impl Cutter {
    fn new(made: Sender<Next>, index: u64, first_row: u64) -> Self {
        Cutter {
            made,
            batches: Vec::new(),
            bytes: 0,
            rows: 0,
            index,
            first_row,
            waited: Duration::ZERO,
        }
    }

    /// Whether somebody wants more.
    fn add(&mut self, batch: RecordBatch) -> bool {
        self.bytes += batch.get_array_memory_size();
        self.rows += batch.num_rows() as u64;
        self.batches.push(batch);
        match self.bytes >= CHUNK_BYTES || self.rows >= CHUNK_ROWS {
            true => self.cut(),
            false => true,
        }
    }

    fn cut(&mut self) -> bool {
        if self.rows == 0 {
            return true;
        }
        let batches = std::mem::take(&mut self.batches);
        let bytes = packed(batches.iter()).map_err(|error| SourceError::Io {
            place: "what a `gather:` step makes".to_owned(),
            problem: unreadable(&error),
        });
        let chunk = bytes.map(|bytes| {
            Some(Chunk {
                index: self.index,
                first_row: self.first_row,
                rows: self.rows,
                bytes,
                ..Chunk::default()
            })
        });
        self.index += 1;
        self.first_row += std::mem::take(&mut self.rows);
        self.bytes = 0;
        let full = Instant::now();
        let taken = self.made.send(chunk).is_ok();
        self.waited += full.elapsed();
        taken
    }
}

struct Unpacking {
    step: Arc<str>,
    schema: SchemaRef,
}

impl Decoder for Unpacking {
    fn decode(&mut self, chunk: Chunk) -> Result<Decoded, SourceError> {
        let broken = |problem| SourceError::Io {
            place: format!("what step {} makes", self.step),
            problem,
        };
        let mut row = chunk.first_row;
        let mut batches = Vec::new();
        for batch in unpacked(&chunk.bytes).map_err(broken)? {
            let columns = batch.columns().to_vec();
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
            let batch = batch.map_err(|error| broken(unreadable(&error)))?;
            let origin = Origin::contiguous(row).in_file(Some(Arc::clone(&self.step)));
            row += batch.num_rows() as u64;
            batches.push(Batch::new(batch, origin));
        }
        Ok(Decoded {
            batches,
            rejects: Vec::new(),
        })
    }
}
