//! One connection to the file, and a transaction for each group of chunks.
//! It is not reused after an error. The file is never deleted: others may have opened it since.

use std::sync::Arc;

use arrow_array::RecordBatch;
use glovebox_core::{
    ChunkRecord, FinishedChunk, Job, Mark, Payload, Published, Reject, Revise, Schema, Secret,
    SinkError, Totals,
};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::runtime::Runtime;

use super::begin::prepare;
use super::effects::{self, Effects};
use super::file::{create, exists, runtime, statement};
use super::insert::{Inserting, inserting, rows_per_insert, still_open};
use super::lease::Lease;
use super::publish::{Marks, Staged};
use super::refusal::{of_row, refusal};
use super::{Mode, Options, publish, rows, table, tokens};
use super::{chunks, runs};
use crate::database::sift::{Budget, Places, Refusal};
use crate::database::{quote, quote_all};

pub(super) struct Session {
    // Before the runtime, on which closing it blocks.
    connection: SqliteConnection,
    runtime: Runtime,
    options: Options,
    schema: Schema,
    lease: Lease,
    /// Whether the transaction that began the run is still open: until the first chunk is stored
    /// there is nothing that would have to be taken back.
    beginning: bool,
    stored: u64,
    insert: String,
    columns: usize,
    /// A full statement's SQL, which sqlx finds prepared by its text.
    full: Arc<str>,
    /// Whether a statement that fails may leave a part of its rows.
    halves: bool,
    revise: Revise,
    /// What the search for refused rows may still cost.
    budget: Budget,
    marks: Option<Marks>,
}

/// A run that has begun.
pub(super) struct Begun {
    pub(super) session: Session,
    pub(super) columns: Vec<rows::Column>,
    /// Whether rows have to say where they stood.
    pub(super) marked: bool,
    pub(super) chunks: Vec<ChunkRecord>,
}

impl Session {
    /// Opens or creates the file and the tables, and begins or goes on.
    pub(super) fn begin(options: &Options, job: &Job, schema: &Schema) -> Result<Begun, SinkError> {
        table::name(options)?;
        let runtime = runtime(options)?;
        if !exists(options)? {
            // What can be known beforehand, so that no empty file is left for it.
            table::creatable(schema, options)?;
            create(options)?;
        }
        let prepared = runtime.block_on(prepare(options, job, schema))?;
        let mut names = quote_all(schema.fields.iter().map(|f| &*f.name));
        let mut width = prepared.columns.len();
        for mark in prepared.marks.iter().flat_map(|marks| &marks.0) {
            names.push_str(", ");
            names.push_str(mark);
            width += 1;
        }
        let insert = format!(
            "INSERT INTO {} ({names}) VALUES ",
            quote(&publish::loaded_into(options, &job.run)),
        );
        let session = Session {
            connection: prepared.connection,
            runtime,
            options: options.clone(),
            schema: schema.clone(),
            lease: prepared.lease,
            beginning: !job.resume,
            stored: prepared.chunks.iter().map(|c| c.rows.stored).sum(),
            full: inserting(&insert, width, rows_per_insert(width)).into(),
            insert,
            columns: width,
            halves: prepared.halves,
            revise: job.revise,
            budget: Budget::default(),
            marks: prepared.marks,
        };
        Ok(Begun {
            marked: session.marks.is_some(),
            session,
            columns: prepared.columns,
            chunks: prepared.chunks,
        })
    }

    /// The key of the journal's digests.
    pub(super) fn key(&self) -> Secret {
        self.lease.key.clone()
    }

    /// Writes down how the run's input begins, in the transaction that began it if that is open.
    pub(super) fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError> {
        let place = self.options.place();
        let written = runs::begins(&mut self.connection, &place, &self.lease, with, key);
        self.runtime.block_on(written)
    }

    /// Stores chunks and their lines in the journal in one transaction. Rows that the table refuses by a rule of its
    /// own are set aside, and returned.
    pub(super) fn store(
        &mut self,
        mut chunks: Vec<FinishedChunk>,
    ) -> Result<Vec<Reject>, SinkError> {
        self.resume_transaction()?;
        let before = self.watch()?;
        let (mut sent, mut taken) = (0, 0);
        let mut refused = Vec::new();
        for chunk in &mut chunks {
            let late = match &chunk.encoded.payload {
                Payload::Batches(batches) => {
                    let mut places = Places::default();
                    places.extend(&chunk.encoded.origins);
                    sent += batches.iter().map(|b| b.num_rows() as u64).sum::<u64>();
                    let (rows, late) = self.insert(batches, &places)?;
                    taken += rows;
                    sent -= late.len() as u64;
                    late
                }
                Payload::Empty => continue,
                Payload::Bytes(_) => return Err(self.internal("it takes columns, not bytes")),
            };
            if !late.is_empty() {
                chunk.record.refuse(&late, self.revise);
                let sealed = chunk.late.seal(&late);
                let sealed = sealed.map_err(|e| self.internal(&e.to_string()))?;
                chunk.sealed.extend(sealed);
                chunk.rejects.extend(late.iter().cloned());
                refused.extend(late);
            }
        }
        self.once_each(sent, taken, before)?;
        let place = self.options.place();
        self.runtime.block_on(async {
            tokens::add(&mut self.connection, &place, &self.lease.run, &chunks).await?;
            chunks::add(&mut self.connection, &place, &self.lease, &chunks).await?;
            statement(&mut self.connection, "COMMIT", &place).await
        })?;
        self.beginning = false;
        self.stored += chunks.iter().map(|c| c.record.rows.stored).sum::<u64>();
        Ok(refused)
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.options.place(),
            problem: problem.into(),
        }
    }

    /// What acts on the rows that go into the table, and how many it has before them, where that
    /// has to be known: it takes a look at each.
    fn watch(&mut self) -> Result<Option<(Effects, u64)>, SinkError> {
        let options = &self.options;
        if options.mode != Mode::Append {
            return Ok(None);
        }
        self.runtime.block_on(async {
            let effects = Effects::of(&mut self.connection, options).await?;
            if !effects.any() {
                return Ok(None);
            }
            let table = quote(&options.table);
            let rows = effects::count(&mut self.connection, &table, &options.place()).await?;
            Ok(Some((effects, rows)))
        })
    }

    /// Refuses a transaction in which the table did not take each row once.
    fn once_each(
        &mut self,
        sent: u64,
        taken: u64,
        before: Option<(Effects, u64)>,
    ) -> Result<(), SinkError> {
        let options = &self.options;
        let (effects, kept) = match before {
            None => (Effects::default(), i128::from(taken)),
            Some((effects, before)) => {
                let table = quote(&options.table);
                let place = options.place();
                let counted = effects::count(&mut self.connection, &table, &place);
                let now = self.runtime.block_on(counted)?;
                (effects, i128::from(now) - i128::from(before))
            }
        };
        // A trigger may leave a row out and put another in.
        let kept = match kept == i128::from(sent) {
            true => i128::from(taken),
            false => kept,
        };
        if kept == i128::from(sent) {
            return Ok(());
        }
        Err(effects.differ(options, sent, kept))
    }

    /// Opens a transaction for writing, unless that of the beginning is open.
    fn resume_transaction(&mut self) -> Result<(), SinkError> {
        if self.beginning {
            return Ok(());
        }
        let place = self.options.place();
        let begin = statement(&mut self.connection, "BEGIN IMMEDIATE", &place);
        self.runtime.block_on(begin)
    }

    /// Inserts rows; what is bound next is made while SQLite stores what was bound before. Returns
    /// how many SQLite says it took, and the rows that the table refuses.
    fn insert(
        &mut self,
        batches: &[RecordBatch],
        places: &Places<'_>,
    ) -> Result<(u64, Vec<Reject>), SinkError> {
        let step = rows_per_insert(self.columns);
        let mut first = 0;
        let mut ranges = batches.iter().flat_map(|batch| {
            let before = first;
            first += batch.num_rows();
            (0..batch.num_rows())
                .step_by(step)
                .map(move |start| (batch, before, start..(start + step).min(batch.num_rows())))
        });
        let mut bind = || {
            ranges
                .next()
                .map(|(batch, before, rows)| {
                    rows::bind(batch, rows.clone()).map(|bound| (bound, batch, before, rows))
                })
                .transpose()
                .map_err(sqlx::Error::Encode)
        };
        let mut inserting = Inserting {
            connection: &mut self.connection,
            full: &self.full,
            insert: &self.insert,
            width: self.columns,
            halves: self.halves,
        };
        let place = self.options.place();
        let budget = &self.budget;
        self.runtime.block_on(async {
            let failed = |e| refusal(e, &place);
            let mut refused = Vec::new();
            let mut taken = 0;
            let mut bound = bind().map_err(failed)?;
            while let Some((arguments, batch, before, rows)) = bound {
                let stored = inserting.send(arguments, rows.len());
                let (stored, next) = futures_util::future::join(stored, async { bind() }).await;
                match stored {
                    Ok(rows) => taken += rows,
                    Err(error) if of_row(&error).is_some() => {
                        let found = inserting
                            .sift(batch, rows, budget, &place, &mut taken)
                            .await?;
                        let reject = |(row, refusal): (usize, Refusal)| {
                            places.reject(before + row, &refusal)
                        };
                        refused.extend(found.into_iter().filter_map(reject));
                    }
                    Err(error) => return Err(failed(error)),
                }
                bound = next.map_err(failed)?;
            }
            Ok((taken, refused))
        })
    }

    /// Publishes, closes the journal, and brings all into the one file; or keeps what is there; or sets
    /// the rows aside that the target refuses.
    pub(super) fn commit(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        self.resume_transaction()?;
        let place = self.options.place();
        let connection = &mut self.connection;
        let staged = Staged {
            options: &self.options,
            schema: &self.schema,
            run: &self.lease.run,
            marks: self.marks.as_ref(),
        };
        let published = self.runtime.block_on(async {
            statement(connection, "SAVEPOINT glovebox_publish", &place).await?;
            let outcome = publish::publish(connection, &staged, self.stored).await?;
            let published = match (outcome, staged.marks) {
                (Some(published), _) => published,
                (None, Some(marks)) => {
                    still_open(connection, &place).await?;
                    let back = "ROLLBACK TO glovebox_publish";
                    statement(connection, back, &place).await?;
                    let refused =
                        publish::refused(connection, &staged, marks, &self.budget).await?;
                    chunks::refuse(connection, &place, &self.lease, &refused, self.revise).await?;
                    statement(connection, "COMMIT", &place).await?;
                    return Ok(Published {
                        refused,
                        ..Published::default()
                    });
                }
                (None, None) => Published::default(),
            };
            if published.kept {
                let given_up = [self.lease.run.clone()];
                publish::clear(connection, &self.options, &given_up).await?;
                runs::give_up(connection, &place, &self.lease, totals).await?;
            } else {
                if self.options.mode == Mode::Replace {
                    runs::give_up_others(connection, &self.options, &self.lease).await?;
                }
                runs::finish(connection, &place, &self.lease, totals).await?;
            }
            ended(connection, &place).await?;
            Ok::<_, SinkError>(published)
        })?;
        self.beginning = false;
        self.stored = self.stored.saturating_sub(published.refused.len() as u64);
        Ok(published)
    }

    /// Drops what was staged, and gives the run up in the journal; what is there stays.
    pub(super) fn withhold(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        self.resume_transaction()?;
        let place = self.options.place();
        let connection = &mut self.connection;
        self.runtime.block_on(async {
            let given_up = [self.lease.run.clone()];
            publish::clear(connection, &self.options, &given_up).await?;
            runs::give_up(connection, &place, &self.lease, totals).await?;
            ended(connection, &place).await
        })?;
        self.beginning = false;
        Ok(Published::nothing())
    }

    pub(super) fn close(self) {
        let _ = self.runtime.block_on(self.connection.close());
    }

    /// Takes the open transaction back; with it, if no chunk is stored, everything but the file.
    /// Returns the rows that stay.
    pub(super) fn rollback(mut self) -> u64 {
        let _ = self
            .runtime
            .block_on(sqlx::raw_sql("ROLLBACK").execute(&mut self.connection));
        let _ = self.runtime.block_on(self.connection.close());
        self.stored
    }
}

/// Commits the last transaction, and brings all into the one file.
async fn ended(connection: &mut SqliteConnection, place: &str) -> Result<(), SinkError> {
    statement(connection, "COMMIT", place).await?;
    // Stored and synced already, if only in the log; readers may hold the rest up.
    let checkpoint = "PRAGMA busy_timeout = 1000; PRAGMA wal_checkpoint(TRUNCATE)";
    let _ = statement(connection, checkpoint, place).await;
    Ok(())
}
