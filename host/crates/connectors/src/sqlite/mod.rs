//! Rows into a SQLite table, with the run's journal; the embedded default. After an error no more
//! rows are accepted. A file is never deleted, since others may have it open.

mod begin;
mod chunks;
mod effects;
mod file;
mod head;
mod history;
mod insert;
mod journal;
mod lease;
mod publish;
mod reading;
mod refusal;
mod rows;
mod runs;
mod sampled;
mod session;
mod table;
mod tokens;
mod types;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::database::Before;
use glovebox_core::{
    ChunkRecord, Digest, Earlier, Encoder, FinishedChunk, History, Job, Keeps, KeptReject, Known,
    Listed, Mark, Payload, Published, Reject, Schema, SealedBlock, Secret, SinkError, TokenStore,
    Totals,
};

pub use crate::database::{Lenient, Mode};
pub use head::{combinations, head};
pub use sampled::{SampledTable, sampled, tables};
use session::Session;

/// Where the rows go.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file; created, for its owner's eyes only, if it is missing.
    pub path: PathBuf,
    /// The table, taken to the letter: names are always quoted.
    pub table: String,
    /// What happens to the rows that the table already holds.
    pub mode: Mode,
    /// The columns by which mode upsert recognises a row.
    pub keys: Vec<String>,
    /// The key of the journal's digests; none for one that is made and kept in the file.
    pub identity_key: Option<Secret>,
    /// What the run may take away beside what it brings.
    pub lenient: Lenient,
}

/// Bytes of columns that are stored in one transaction, which costs a sync of the disk.
const GROUP_BYTES: usize = 8 << 20;
/// The longest that a chunk waits for others, as long as chunks come.
const GROUP_TIME: Duration = Duration::from_secs(1);

impl Options {
    fn place(&self) -> String {
        format!(
            "table `{}` in SQLite file {}",
            self.table,
            self.path.display()
        )
    }
}

/// An SQLite table as a sink.
///
/// It blocks on a runtime of its own, so it may not be used from within an async task.
pub struct Sink {
    options: Options,
    session: Option<Session>,
    columns: Vec<rows::Column>,
    marked: bool,
    /// Rows that the table refused and the engine does not know of yet.
    refused: Vec<Reject>,
    waiting: Vec<FinishedChunk>,
    waiting_bytes: usize,
    last_stored: Instant,
    /// Rows of a run that an error has ended.
    remains: u64,
}

impl Sink {
    /// A sink that has not opened its file yet.
    pub fn new(options: Options) -> Self {
        Sink {
            options,
            session: None,
            columns: Vec::new(),
            marked: false,
            refused: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            last_stored: Instant::now(),
            remains: 0,
        }
    }

    /// Stores the chunks that wait, and then ends the run, unless rows were refused that the engine
    /// has not counted as such.
    fn end(
        &mut self,
        how: impl FnOnce(&mut Session) -> Result<Published, SinkError>,
    ) -> Result<Published, SinkError> {
        self.flush()?;
        let refused = std::mem::take(&mut self.refused);
        if !refused.is_empty() {
            return Ok(Published {
                refused,
                ..Published::default()
            });
        }
        let Some(mut session) = self.session.take() else {
            return Err(self.internal("committed while no run is open"));
        };
        let ended = how(&mut session);
        match &ended {
            Ok(published) if published.refused.is_empty() => session.close(),
            Ok(_) => self.session = Some(session),
            Err(_) => self.remains = session.rollback(),
        }
        ended
    }

    /// Stores the chunks that wait.
    fn flush(&mut self) -> Result<(), SinkError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.last_stored = Instant::now();
        // Taken, and given back only on success: after an error nothing may be committed.
        let Some(mut session) = self.session.take() else {
            return Err(self.internal("written to while no run is open"));
        };
        if !waiting.is_empty() {
            match session.store(waiting) {
                Ok(refused) => self.refused.extend(refused),
                Err(e) => {
                    self.remains = session.rollback();
                    return Err(e);
                }
            }
        }
        self.session = Some(session);
        Ok(())
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.options.place(),
            problem: problem.into(),
        }
    }
}

impl glovebox_core::Sink for Sink {
    fn describe(&self) -> String {
        self.options.place()
    }

    fn probe(&mut self, schema: &Schema, _: Keeps) -> Result<Vec<String>, SinkError> {
        reading::probe(&self.options, schema).map(|()| Vec::new())
    }

    fn history(&mut self) -> Result<Option<History>, SinkError> {
        history::history(&self.options).map(Some)
    }

    fn past(&mut self, pipeline: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        history::past(&self.options, pipeline).map(Some)
    }

    fn finished(&mut self, pipeline: &str, run: &str) -> Result<Option<Earlier>, SinkError> {
        history::run(&self.options, pipeline, run)
    }

    fn runs(&mut self, most: u32) -> Result<Option<Vec<Listed>>, SinkError> {
        history::listed(&self.options, most).map(Some)
    }

    fn key(&self) -> Option<Secret> {
        self.session.as_ref().map(Session::key)
    }

    fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError> {
        match &mut self.session {
            Some(session) => session.begins(with, key),
            None => Err(self.internal("asked to remember while no run is open")),
        }
    }

    fn chunks(&mut self, run: &str) -> Result<Vec<ChunkRecord>, SinkError> {
        history::remembered(&self.options, Before::Renew, Vec::new, async |connection| {
            chunks::chunks(connection, run).await
        })
    }

    fn known(&mut self, digests: &[Digest]) -> Result<Vec<Known>, SinkError> {
        history::known(&self.options, digests)
    }

    fn open(&mut self, job: &Job, schema: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        self.abort();
        let begun = Session::begin(&self.options, job, schema)?;
        self.columns = begun.columns;
        self.marked = begun.marked;
        self.session = Some(begun.session);
        self.last_stored = Instant::now();
        Ok(begun.chunks)
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(rows::RowEncoder::new(
            self.options.place(),
            self.columns.clone(),
            self.marked,
        ))
    }

    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        if let Payload::Batches(batches) = &chunk.encoded.payload {
            let bytes = batches.iter().map(|b| b.get_array_memory_size());
            self.waiting_bytes += bytes.sum::<usize>();
        }
        self.waiting.push(chunk);
        if self.waiting_bytes < GROUP_BYTES && self.last_stored.elapsed() < GROUP_TIME {
            return Ok(());
        }
        self.flush()
    }

    fn appends(&self) -> bool {
        self.options.mode == Mode::Append
    }

    fn commit(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        self.end(|session| session.commit(totals))
    }

    fn withhold(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        self.end(|session| session.withhold(totals))
    }

    fn sealed(&mut self, run: &str, each: &mut dyn FnMut(SealedBlock)) -> Result<(), SinkError> {
        reading::sealed(&self.options, run, each)
    }

    fn token_store(&mut self) -> Option<Box<dyn TokenStore + '_>> {
        let options = &self.options;
        Some(Box::new(tokens::Store { options }))
    }

    fn rejects(&mut self, run: &str, each: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError> {
        reading::rejects(&self.options, run, each)
    }

    fn abort(&mut self) -> u64 {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.refused.clear();
        let remains = std::mem::take(&mut self.remains);
        self.session.take().map_or(remains, Session::rollback)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        glovebox_core::Sink::abort(self);
    }
}
