//! The PostgreSQL sink: what a run asks of it, in the order in which it asks.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::TryStreamExt;
use glovebox_core::{
    ChunkRecord, Digest, Earlier, Encoder, FinishedChunk, History, Job, Keeps, KeptReject, Known,
    Listed, Mark, Published, Schema, SealedBlock, Secret, SinkError, TokenStore, Totals,
};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::journal::{Journal, stage_name};
use super::journal_tables::Found;
use super::load::Load;
use super::name::Name;
use super::options::Options;
use super::refusal::{Fault, fault};
use super::retry::RetryBudget;
use super::running::Running;
use super::session::{self, Session};
use super::writers::Writers;
use super::{NAME, begin, copy, existing, history, join, runs, sealed, tokens};
use crate::database::journal::{reject as kept, signed};
use crate::database::sift::Budget;
use crate::database::{Before, EARLIER_VERSION, Mode};

/// A PostgreSQL table as a sink.
///
/// It blocks on runtimes of its own, so it may not be used from within an async task.
pub struct Sink {
    options: Arc<Options>,
    columns: Vec<copy::Column>,
    marked: bool,
    running: Option<Running>,
}

impl Sink {
    /// A sink that has not connected yet.
    pub fn new(options: Options) -> Self {
        Sink {
            options: Arc::new(options),
            columns: Vec::new(),
            marked: false,
            running: None,
        }
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.options.place(),
            problem: problem.into(),
        }
    }

    fn session(&self, name: String) -> Result<Session, SinkError> {
        Session::new(self.options.clone(), name, Arc::default())
    }

    /// Has writers store what comes of a run, which this process began or has joined.
    fn running(
        &mut self,
        job: &Job,
        schema: &Schema,
        mut begun: begin::Begun,
        (session, stop): (Session, Arc<AtomicBool>),
        joined: bool,
    ) -> Result<(), SinkError> {
        let options = self.options.clone();
        let stage = begun.stage.as_ref();
        let marks = stage.and_then(|stage| stage.marks.as_ref());
        let mut columns: Vec<String> = begun
            .columns
            .iter()
            .map(|column| crate::database::quote(&column.name))
            .collect();
        columns.extend(marks.iter().flat_map(|m| m.list()).map(str::to_owned));
        let budget: Arc<Budget> = Arc::default();
        let into = stage.map_or(&begun.target, |stage| &stage.table).clone();
        let load = Load {
            place: options.place(),
            journal: Journal::new(&options),
            lease: begun.lease.clone(),
            copy: format!(
                "COPY {into} ({}) FROM STDIN (FORMAT binary)",
                columns.join(", ")
            ),
            into,
            table: match stage {
                Some(_) => stage_name(&job.run),
                None => Name::parse(&options)?.table().to_owned(),
            },
            known_as: Name::parse(&options)?.table().to_owned(),
            revise: job.revise,
            joined,
            budget: budget.clone(),
            tokens: tokens::Tables::new(&options),
            stored_tokens: tokens::Stored::default(),
        };
        self.marked = marks.is_some();
        self.columns = std::mem::take(&mut begun.columns);
        self.running = Some(Running {
            writers: Writers::new(options, load, session, stop),
            begun,
            schema: schema.clone(),
            revise: job.revise,
            budget,
            joined,
        });
        Ok(())
    }

    /// Waits until all is stored, and publishes it or gives the run up.
    fn end(&mut self, totals: &Totals, withheld: bool) -> Result<Published, SinkError> {
        let Some(running) = &mut self.running else {
            return Err(self.internal("committed while no run is open"));
        };
        let published = running.end(&self.options, totals, withheld)?;
        if published.refused.is_empty() {
            self.running = None;
        }
        Ok(published)
    }

    /// Reads the journal, by the name that the target has in it; `none` if there is none of this
    /// version.
    fn remembered<T>(
        &self,
        before: Before,
        none: impl Fn() -> T,
        mut read: impl AsyncFnMut(&mut PgConnection, &Journal, &str) -> Result<T, Fault>,
    ) -> Result<T, SinkError> {
        let options = &self.options;
        let name = Name::parse(options)?;
        let journal = Journal::new(options);
        let mut budget = RetryBudget::new(options.login.connect_timeout);
        self.session(NAME.into())?
            .attempt(&mut budget, async |connection| {
                match journal.look(connection, options).await? {
                    Found::Nothing => return Ok(none()),
                    Found::Before if before == Before::Refuse => {
                        return Err(journal.misfit(EARLIER_VERSION.into()).into());
                    }
                    Found::Before => {
                        session::statement(connection, session::BEGIN, &options.place()).await?;
                        journal.ready(connection, options).await?;
                        session::statement(connection, "COMMIT", &options.place()).await?;
                    }
                    Found::Ready => {}
                }
                let target_schema = existing::resolve_schema(connection, &name, options).await?;
                let target = format!("{}.{}", target_schema.unwrap_or_default(), name.table());
                read(connection, &journal, &target).await
            })
    }
}

impl glovebox_core::Sink for Sink {
    fn describe(&self) -> String {
        self.options.place()
    }

    fn probe(&mut self, schema: &Schema, keeps: Keeps) -> Result<Vec<String>, SinkError> {
        let options = &self.options;
        self.session(NAME.into())?
            .attempt(&mut RetryBudget::none(), async |connection| {
                begin::probe(connection, options, schema, keeps).await
            })
    }

    fn history(&mut self) -> Result<Option<History>, SinkError> {
        let options = &self.options;
        let none = || History {
            appends: options.mode.appends(),
            ..History::default()
        };
        self.remembered(Before::Renew, none, async |connection, journal, target| {
            history::history(connection, journal, options, target).await
        })
        .map(Some)
    }

    fn past(&mut self, pipeline: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        let options = &self.options;
        self.remembered(
            Before::Renew,
            Vec::new,
            async |connection, journal, target| {
                history::past(connection, journal, options, target, pipeline).await
            },
        )
        .map(Some)
    }

    fn finished(&mut self, pipeline: &str, run: &str) -> Result<Option<Earlier>, SinkError> {
        let options = &self.options;
        self.remembered(
            Before::Renew,
            || None,
            async |connection, journal, target| {
                let run = (pipeline, run);
                history::run(connection, journal, options, target, run).await
            },
        )
    }

    fn runs(&mut self, most: u32) -> Result<Option<Vec<Listed>>, SinkError> {
        let options = &self.options;
        self.remembered(
            Before::Refuse,
            Vec::new,
            async |connection, journal, target| {
                history::listed(connection, journal, options, target, most).await
            },
        )
        .map(Some)
    }

    fn key(&self) -> Option<Secret> {
        let running = self.running.as_ref()?;
        Some(running.begun.lease.key.clone())
    }

    fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError> {
        let Some(running) = &mut self.running else {
            return Err(self.internal("asked to remember while no run is open"));
        };
        let (lease, place) = (running.begun.lease.clone(), self.options.place());
        let journal = Journal::new(&self.options);
        let written = running.writers.before_the_first(async |connection| {
            runs::begins(connection, &journal, &place, &lease, with, key).await
        })?;
        match written {
            Some(()) => Ok(()),
            None => Err(self.internal("asked to remember after the first chunk")),
        }
    }

    fn chunks(&mut self, run: &str) -> Result<Vec<ChunkRecord>, SinkError> {
        let options = &self.options;
        self.remembered(Before::Renew, Vec::new, async |connection, journal, _| {
            runs::chunks(connection, journal, options, run).await
        })
    }

    fn known(&mut self, digests: &[Digest]) -> Result<Vec<Known>, SinkError> {
        let options = &self.options;
        self.remembered(
            Before::Renew,
            Vec::new,
            async |connection, journal, target| {
                history::known(connection, journal, options, target, digests).await
            },
        )
    }

    fn open(&mut self, job: &Job, schema: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        self.abort();
        let options = self.options.clone();
        let stop: Arc<AtomicBool> = Arc::default();
        let name = runs::session_name(&job.run);
        let mut session = Session::new(options.clone(), name, stop.clone())?;
        let mut sent = false;
        let mut begun = session.attempt(
            &mut RetryBudget::new(options.login.connect_timeout),
            async |connection| begin::begin(connection, &options, schema, job, &mut sent).await,
        )?;
        let chunks = std::mem::take(&mut begun.chunks);
        self.running(job, schema, begun, (session, stop), false)?;
        Ok(chunks)
    }

    fn is_shared(&self) -> bool {
        !self.options.ordered
    }

    fn turn(&self) -> Option<i64> {
        let running = self.running.as_ref().filter(|_| self.is_shared())?;
        Some(running.begun.lease.epoch)
    }

    fn join(&mut self, job: &Job, turn: i64, schema: &Schema) -> Result<(), SinkError> {
        self.abort();
        let options = self.options.clone();
        let stop: Arc<AtomicBool> = Arc::default();
        let name = runs::session_name(&job.run);
        let mut session = Session::new(options.clone(), name, stop.clone())?;
        let begun = session.attempt(
            &mut RetryBudget::new(options.retry_for),
            async |connection| join::join(connection, &options, schema, (&job.run, turn)).await,
        )?;
        self.running(job, schema, begun, (session, stop), true)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match &mut self.running {
            Some(running) => running.writers.flush(),
            None => Err(self.internal("flushed while no run is open")),
        }
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(copy::CopyEncoder::new(
            self.options.place(),
            self.columns.clone(),
            self.marked,
        ))
    }

    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        match &mut self.running {
            Some(running) => running.writers.push(chunk),
            None => Err(self.internal("written to while no run is open")),
        }
    }

    fn appends(&self) -> bool {
        self.options.mode == Mode::Append
    }

    fn commit(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        self.end(totals, false)
    }

    fn withhold(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        self.end(totals, true)
    }

    fn token_store(&mut self) -> Option<Box<dyn TokenStore + '_>> {
        let options = self.options.clone();
        Some(Box::new(tokens::Store { options }))
    }

    fn rejects(&mut self, run: &str, each: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError> {
        let options = &self.options;
        let place = options.place();
        let journal = Journal::new(options);
        let sql = format!(
            "SELECT \"row\", line, violations::text, file FROM {} WHERE run = $1 AND \"row\" > $2 \
             ORDER BY \"row\"",
            journal.reject
        );
        let mut last = -1_i64;
        let mut budget = RetryBudget::new(options.retry_for);
        self.session(NAME.into())?
            .attempt(&mut budget, async |connection| {
                if last < 0 && journal.look(connection, options).await? == Found::Nothing {
                    return Ok(());
                }
                let mut rows = sqlx::query(AssertSqlSafe(sql.as_str()))
                    .bind(run)
                    .bind(last)
                    .fetch(connection);
                while let Some(row) = rows.try_next().await.map_err(|e| fault(e, &place))? {
                    let reject = kept(&row).map_err(|e| fault(e, &place))?;
                    last = signed(reject.row);
                    each(reject);
                }
                Ok(())
            })
    }

    fn sealed(&mut self, run: &str, each: &mut dyn FnMut(SealedBlock)) -> Result<(), SinkError> {
        let options = &self.options;
        let journal = Journal::new(options);
        let mut last = (-1, -1);
        let mut budget = RetryBudget::new(options.retry_for);
        self.session(NAME.into())?
            .attempt(&mut budget, async |connection| {
                sealed::read(connection, &journal, options, (run, &mut last), each).await
            })
    }

    fn abort(&mut self) -> u64 {
        let running = self.running.take();
        running.map_or(0, |running| running.abort(&self.options))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        glovebox_core::Sink::abort(self);
    }
}
