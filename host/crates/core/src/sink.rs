//! Sinks: clean rows are encoded by many workers, passed on in order by one, and stored together
//! with the run's journal, so that each chunk is stored exactly once, whatever crashes when.
//! A chunk is stored with its journal entry and its rejects, or not at all.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use arrow_array::RecordBatch;

use crate::batch::{Batch, Origin};
use crate::finding::Reject;
use crate::journal::{
    ChunkRecord, Digest, Earlier, History, Job, Keeps, KeptReject, Known, Listed, Mark, Totals,
};
use crate::report::ReleaseReport;
use crate::schema::Schema;
use crate::seal::{Late, SealedBlock};
use crate::secret::Secret;
use crate::tokens::{StoredToken, Token, TokenBatch};

/// A target for rows.
///
/// A sink either keeps a journal (a database) or stages all and publishes at the end (a file). One
/// that keeps a journal may show the chunks of an unfinished run, and can go on with it.
pub trait Sink: Send {
    /// Kind and place in one line, without credentials.
    fn describe(&self) -> String;

    /// Connects and checks that a table or file of this schema can be written there, and kept what
    /// comes with it, changing nothing. Says what a person may want to know of how it will be done.
    ///
    /// # Errors
    /// What stands in the way, and what to do.
    fn probe(&mut self, schema: &Schema, keeps: Keeps) -> Result<Vec<String>, SinkError>;

    /// What it remembers of the runs into its target, of whatever pipeline; none if it keeps no
    /// journal.
    ///
    /// # Errors
    /// When it cannot be reached.
    fn history(&mut self) -> Result<Option<History>, SinkError>;

    /// The finished runs of a pipeline by whatever plan, the last first, at most a hundred; none if
    /// it keeps no journal.
    ///
    /// # Errors
    /// When it cannot be reached.
    fn past(&mut self, pipeline: &str) -> Result<Option<Vec<Earlier>>, SinkError>;

    /// A finished run of a pipeline by its name, however many there were since; none if it has no such run, or
    /// keeps no journal.
    ///
    /// # Errors
    /// When it cannot be reached.
    fn finished(&mut self, _pipeline: &str, _run: &str) -> Result<Option<Earlier>, SinkError> {
        Ok(None)
    }

    /// The runs into its target, of whatever pipeline, the last first, at most so many; none if it
    /// keeps no journal. Changes nothing.
    ///
    /// # Errors
    /// When it cannot be reached, and when its journal is of an earlier version.
    fn runs(&mut self, _most: u32) -> Result<Option<Vec<Listed>>, SinkError> {
        Ok(None)
    }

    /// Connects, checks as [`Sink::probe`] does, and begins, or goes on. Returns the chunks that
    /// are stored already, in the order of their index. From here on no other process can add to
    /// this run.
    ///
    /// # Errors
    /// What stands in the way, before the first row.
    fn open(&mut self, job: &Job, schema: &Schema) -> Result<Vec<ChunkRecord>, SinkError>;

    /// Whether several processes can store the chunks of one run.
    fn is_shared(&self) -> bool {
        false
    }

    /// Which turn of the open run this is: other processes join it by that, until somebody takes the run
    /// over. None if it is not shared.
    fn turn(&self) -> Option<i64> {
        None
    }

    /// Joins a run that another process has opened, in the turn that it said: chunks can be written from
    /// then on, by both and in any order, and neither this nor the end of this process ends the run. A
    /// chunk that another process has stored already is passed over.
    ///
    /// # Errors
    /// When the run is not in that turn any more, or as [`Sink::open`].
    fn join(&mut self, _job: &Job, _turn: i64, _schema: &Schema) -> Result<(), SinkError> {
        Err(SinkError::Internal {
            place: self.describe(),
            problem: "it takes the rows of one process only".into(),
        })
    }

    /// Waits until all that was written is stored.
    ///
    /// # Errors
    /// As [`Sink::write`].
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// The key of its journal's digests, after [`Sink::open`]; none if it keeps no journal.
    fn key(&self) -> Option<Secret> {
        None
    }

    /// Writes down how the input of the open run begins, and what tells the key of its digests from
    /// others, so that another run of the same input knows it before a chunk is stored.
    ///
    /// # Errors
    /// When the target refuses.
    fn begins(&mut self, _with: &Mark, _key: u16) -> Result<(), SinkError> {
        Ok(())
    }

    /// The chunks of a run that are stored, in the order of their index; also when it is not open.
    ///
    /// # Errors
    /// When they cannot be read back.
    fn chunks(&mut self, _run: &str) -> Result<Vec<ChunkRecord>, SinkError> {
        Ok(Vec::new())
    }

    /// Which chunks with these digests are stored, by whatever run into the target.
    ///
    /// # Errors
    /// When it cannot be reached.
    fn known(&mut self, _digests: &[Digest]) -> Result<Vec<Known>, SinkError> {
        Ok(Vec::new())
    }

    /// An encoder for one worker; after [`Sink::open`].
    fn encoder(&self) -> Box<dyn Encoder>;

    /// Takes a chunk. Chunks come in their order; those that [`Sink::open`] returned do not come.
    /// It may return before the chunk is stored, and then an error may show at a later call.
    ///
    /// # Errors
    /// When the target refuses; the run ends.
    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError>;

    /// Whether a run's rows join those that are there, so that nothing is taken away by it. If
    /// not, nothing of a run is public before [`Sink::commit`].
    fn appends(&self) -> bool;

    /// Passes on what it has held back until it knew all rows, if it is of that kind; after the last
    /// chunk, before [`Sink::commit`].
    ///
    /// # Errors
    /// As [`Sink::write`].
    fn release(&mut self, _how: &mut Releasing<'_>) -> Result<Held, SinkError> {
        Ok(Held::Nothing)
    }

    /// Waits until all is stored, publishes what is not public yet, and closes the journal. What was
    /// there stays where the run has no row to take its place, unless the sink was told otherwise.
    ///
    /// If the target refuses rows by a rule that only it knows, nothing is published, the journal stays
    /// open, and these rows, which had counted as stored, are set aside, in the journal too. It is
    /// called again with the new totals, or the run is withheld or ended.
    ///
    /// # Errors
    /// When the target refuses all of it, or has not taken each row once.
    fn commit(&mut self, totals: &Totals) -> Result<Published, SinkError>;

    /// Ends a run whose rows are not to become public: what was there stays, and the journal gives the
    /// run up. Only for a sink that does not append. Of rows that the target refused in the meantime
    /// the same holds as for [`Sink::commit`].
    ///
    /// # Errors
    /// When the journal cannot be closed.
    fn withhold(&mut self, totals: &Totals) -> Result<Published, SinkError>;

    /// Where it keeps tokens; none if it cannot, or was not told to.
    fn token_store(&mut self) -> Option<Box<dyn TokenStore + '_>> {
        None
    }

    /// The rejects of all stored chunks of a run, by row; also when it is not open. Nothing if it
    /// keeps no journal.
    ///
    /// # Errors
    /// When they cannot be read back.
    fn rejects(&mut self, run: &str, each: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError>;

    /// The sealed blocks of all stored chunks of a run, by chunk and part; also when it is not open.
    /// Nothing if it keeps no journal.
    ///
    /// # Errors
    /// When they cannot be read back.
    fn sealed(&mut self, _run: &str, _each: &mut dyn FnMut(SealedBlock)) -> Result<(), SinkError> {
        Ok(())
    }

    /// Ends a run that failed, and tells how many rows of it are stored and can be built upon:
    /// nothing of a chunk that was not stored whole remains.
    fn abort(&mut self) -> u64;
}

/// Where tokens are kept.
pub trait TokenStore {
    /// Hands those of these tokens that are stored to `open`, in one transaction, and counts a use of
    /// each that it names as opened. What it opened counts only once this has returned without an
    /// error.
    ///
    /// # Errors
    /// When the store cannot be reached or refuses.
    fn open(
        &mut self,
        domain: &str,
        tokens: &[Token],
        open: &mut dyn FnMut(&[StoredToken]) -> Vec<Token>,
    ) -> Result<(), SinkError>;

    /// Erases these tokens, with the keys that no other token needs, and returns how many there were.
    ///
    /// # Errors
    /// When the store cannot be reached or refuses. Nothing is erased then.
    fn forget(&mut self, domain: &str, tokens: &[Token]) -> Result<u64, SinkError>;
}

/// How rows that were held back are passed on.
pub struct Releasing<'a> {
    /// Threads that may work on them.
    pub workers: usize,
    /// Asks to end early.
    pub stop: &'a AtomicBool,
    /// Told about ten times a second how many rows were passed on.
    pub show: &'a mut dyn FnMut(u64),
}

/// What became of rows that were held back.
#[derive(Debug)]
pub enum Held {
    /// There were none.
    Nothing,
    /// They were passed on, but for those that the report says were suppressed.
    Released(Box<ReleaseReport>),
    /// None was, for the reason in the report: the run has to be withheld.
    Refused(Box<ReleaseReport>),
    /// It was asked to end.
    Stopped,
}

/// What became public at a run's end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Whether nothing did: the run had no row, and what was there stayed.
    pub kept: bool,
    /// Rows whose key a later row of the run has too, which took their place.
    pub superseded: u64,
    /// Rows that the target refused and that are set aside; with any, nothing is public yet.
    pub refused: Vec<Reject>,
    /// The files that were put in their places, where the run is to be proven.
    pub files: Vec<WrittenFile>,
}

/// A file that a sink has put in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of all its bytes, taken before anybody else could have it.
    pub sha256: [u8; 32],
}

impl Published {
    /// That what was there stayed.
    pub fn nothing() -> Self {
        Published {
            kept: true,
            ..Published::default()
        }
    }
}

/// Encodes batches for a sink; one for each worker.
pub trait Encoder: Send {
    /// The sink's form of these batches.
    ///
    /// # Errors
    /// When the batches do not have the schema that the sink was opened with.
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError>;

    /// The rows of a batch that [`Self::encode`] would reject, without encoding it; none where a sink takes
    /// every row.
    ///
    /// # Errors
    /// As [`Self::encode`].
    fn unfit(&self, _batch: &Batch) -> Result<Vec<Reject>, SinkError> {
        Ok(Vec::new())
    }
}

/// Rows in a sink's form.
#[derive(Debug, Default)]
pub struct Encoded {
    /// How many rows the payload holds.
    pub rows: u64,
    /// The rows.
    pub payload: Payload,
    /// Where they stood in the source, batch by batch with its count of rows; of sinks whose target
    /// may refuse a row by a rule of its own.
    pub origins: Vec<(Origin, usize)>,
    /// Rows that this sink cannot store, such as text with a NUL for PostgreSQL.
    pub rejects: Vec<Reject>,
}

/// A chunk that has been through the steps: its rows, its rejects, its line in the journal.
#[derive(Debug, Default)]
pub struct FinishedChunk {
    /// The journal's line.
    pub record: ChunkRecord,
    /// The rows.
    pub encoded: Encoded,
    /// All rejects of the chunk, in the order of their rows.
    pub rejects: Vec<Reject>,
    /// The same with their cells, encrypted, if the manifest wants them.
    pub sealed: Vec<SealedBlock>,
    /// Encrypts the cells of rows that the target refuses.
    pub late: Late,
    /// The tokens that its rows hold.
    pub tokens: Vec<TokenBatch>,
}

/// The form in which a sink takes rows.
#[derive(Debug, Default)]
pub enum Payload {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes of a file or of a COPY stream.
    Bytes(Vec<u8>),
    /// Columns.
    Batches(Vec<RecordBatch>),
}

/// Why a sink cannot take rows.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A file could not be written.
    #[error("cannot write {place}: {problem}")]
    Io {
        /// The file.
        place: String,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The database cannot be reached, or refuses us.
    #[error("cannot connect to {place}: {problem}")]
    Connect {
        /// The database.
        place: String,
        /// What went wrong and what to do.
        problem: String,
    },
    /// The target exists and does not fit.
    #[error("{place} does not fit: {problem}")]
    Shape {
        /// The table or file.
        place: String,
        /// What differs and what to do.
        problem: String,
    },
    /// The database refused a statement. Its message is reduced to what holds no cell.
    #[error("{place} refused the rows: {problem}")]
    Refused {
        /// The table.
        place: String,
        /// SQLSTATE and what it means.
        problem: String,
    },
    /// The connection was lost while the rows were being published.
    #[error("{place}: the outcome is unknown: {problem}")]
    Unknown {
        /// The table.
        place: String,
        /// What to look at before running again.
        problem: String,
    },
    /// The journal is not the one any more that the run was decided on by: look again.
    #[error("{place}: other runs began or ended here at the same time; run again")]
    Overtaken {
        /// The table.
        place: String,
    },
    /// Another process has taken the run over.
    #[error(
        "{place}: another process has taken this run over, so this process can store nothing \
        more; let the other one finish"
    )]
    Fenced {
        /// The table.
        place: String,
    },
    /// Batches of another schema than the sink was opened with.
    #[error("{place}: internal error: {problem}")]
    Internal {
        /// The sink.
        place: String,
        /// What was expected.
        problem: String,
    },
}
