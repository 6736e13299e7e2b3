//! PostgreSQL over TLS: as a source with COPY from one snapshot, and as a sink with COPY into a
//! table, each chunk in one transaction with its journal entry.

mod begin;
mod bridge;
mod connect;
mod copy;
mod counted;
mod effects;
mod ending;
mod existing;
mod fit;
mod head;
mod history;
mod journal;
mod keys;
mod move_in;
mod name;
mod numeric;
mod opaque;
pub(crate) mod output;
mod own_certificate;
mod publish;
mod qualified;
mod refusal;
mod refused;
mod retry;
mod runs;
mod sealed;
mod sequences;
mod session;
mod source;
mod stage;
mod table;
mod tokens;
mod types;
mod writer;
mod writers;

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::TryStreamExt;
use glovebox_core::{
    ChunkRecord, Digest, Earlier, Encoder, FinishedChunk, History, Job, Keeps, KeptReject, Known,
    Listed, Mark, Published, Revise, Schema, SealedBlock, Secret, SinkError, TokenStore, Totals,
};
use sqlx::AssertSqlSafe;

use begin::Begun;
use ending::Ending;
use journal::{Found, Journal};
use name::Name;
use publish::Attempt;
use refusal::fault;
use retry::RetryBudget;
use session::Session;
use writer::Load;
use writers::Writers;

use crate::database::journal::{reject as kept, signed};
use crate::database::sift::Budget;
use crate::database::{Before, EARLIER_VERSION};

pub use crate::database::{Lenient, Mode};
pub use connect::{check_authorities, verified};
pub use glovebox_core::Login;
pub use head::head;
pub use output::written;
#[cfg(feature = "parquet")]
pub(crate) use source::fields;
pub use source::{Options as SourceOptions, Rows, Source};

/// What sessions are called that belong to no run.
const NAME: &str = "glovebox";
/// How long the end of a failed run may go on trying to leave nothing behind.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// Where the rows go, and as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server and its role. Its wait for a connection is also the longest wait at the beginning
    /// for a server that does not take any, and for a table that another session holds.
    pub login: Login,
    /// The table, or `schema.table`, taken to the letter: names are always quoted.
    pub table: String,
    /// What happens to the rows that the table already holds.
    pub mode: Mode,
    /// The columns that tell rows apart, in mode upsert: the last row of a key is the one that
    /// stays.
    pub keys: Vec<String>,
    /// What the run may take away beside what it brings.
    pub lenient: Lenient,
    /// The schema of the same database in which the run's journal is kept, [`Options::JOURNAL`]
    /// unless said otherwise; created where it is missing.
    pub journal: String,
    /// The key of the journal's digests; none for one that the database makes and keeps.
    pub identity_key: Option<Secret>,
    /// Over how many connections rows go at the most; none for as many as there are cores, up to
    /// four. Where the server allows fewer, it is those.
    pub connections: Option<NonZero<usize>>,
    /// Whether rows arrive in the order of their source, which takes a single connection.
    pub ordered: bool,
    /// How long what passes is tried again once the run has begun, since the last time that it
    /// went well: lost connections, restarts of the server, other sessions in the way.
    pub retry_for: Duration,
}

impl Options {
    /// A wait that spans the restart of a server.
    pub const RETRY_FOR: Duration = Duration::from_secs(60);
    /// The schema of the journal.
    pub const JOURNAL: &str = "glovebox";

    fn place(&self) -> String {
        format!("table `{}` in {}", self.table, self.login)
    }
}

/// A PostgreSQL table as a sink.
///
/// It blocks on runtimes of its own, so it may not be used from within an async task.
pub struct Sink {
    options: Arc<Options>,
    columns: Vec<copy::Column>,
    marked: bool,
    running: Option<Running>,
}

/// A run that is open.
struct Running {
    writers: Writers,
    begun: Begun,
    schema: Schema,
    revise: Revise,
    budget: Arc<Budget>,
}

impl Running {
    fn ending<'a>(
        begun: &'a Begun,
        options: &'a Options,
        schema: &'a Schema,
        revise: Revise,
        budget: &'a Budget,
    ) -> Ending<'a> {
        Ending {
            options,
            schema,
            lease: &begun.lease,
            target: &begun.target,
            known_as: &begun.known_as,
            stage: begun.stage.as_ref(),
            revise,
            budget,
            created: begun.created,
        }
    }
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

    /// Waits until all is stored, and publishes it or gives the run up.
    fn end(&mut self, totals: &Totals, withheld: bool) -> Result<Published, SinkError> {
        let Some(running) = &mut self.running else {
            return Err(self.internal("committed while no run is open"));
        };
        let mut session = running.writers.finish()?;
        let options = &self.options;
        let refused = running.writers.refused();
        if !refused.is_empty() {
            running.writers.keep(session);
            return Ok(Published {
                refused,
                ..Published::default()
            });
        }
        let ending = Running::ending(
            &running.begun,
            options,
            &running.schema,
            running.revise,
            &running.budget,
        );
        let mut attempt = Attempt::default();
        if withheld {
            attempt.published = Published::nothing();
        }
        let finished = session.attempt(
            &mut RetryBudget::new(options.retry_for),
            async |connection| {
                if attempt.published.kept {
                    return publish::withhold(connection, &ending, totals).await;
                }
                publish::finish(connection, &ending, totals, &mut attempt).await?;
                match attempt.published.kept {
                    true => publish::withhold(connection, &ending, totals).await,
                    false => Ok(()),
                }
            },
        );
        match finished {
            Err(SinkError::Io { .. } | SinkError::Connect { .. }) if attempt.sent => {
                Err(SinkError::Unknown {
                    place: options.place(),
                    problem: "the connection was lost during the last commit and could not be \
                             restored; `glovebox run --resume` finds out what is stored and \
                             continues if anything is missing"
                        .into(),
                })
            }
            Err(other) => Err(other),
            Ok(()) => {
                match attempt.published.refused.is_empty() {
                    true => self.running = None,
                    false => running.writers.keep(session),
                }
                Ok(attempt.published)
            }
        }
    }

    /// Reads the journal, by the name that the target has in it; `none` if there is none of this
    /// version.
    fn remembered<T>(
        &self,
        before: Before,
        none: impl Fn() -> T,
        mut read: impl AsyncFnMut(&mut sqlx::PgConnection, &Journal, &str) -> Result<T, refusal::Fault>,
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

    fn probe(&mut self, schema: &Schema, keeps: Keeps) -> Result<(), SinkError> {
        let options = &self.options;
        self.session(NAME.into())?
            .attempt(&mut RetryBudget::none(), async |connection| {
                begin::probe(connection, options, schema, keeps).await
            })
    }

    fn history(&mut self) -> Result<Option<History>, SinkError> {
        let options = &self.options;
        let none = || History {
            appends: options.mode == Mode::Append,
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
                Some(_) => journal::stage_name(&job.run),
                None => Name::parse(&options)?.table().to_owned(),
            },
            revise: job.revise,
            budget: budget.clone(),
            tokens: tokens::Tables::new(&options),
            stored_tokens: tokens::Stored::default(),
        };
        self.marked = marks.is_some();
        self.columns = std::mem::take(&mut begun.columns);
        let chunks = std::mem::take(&mut begun.chunks);
        self.running = Some(Running {
            writers: Writers::new(options, load, session, stop),
            begun,
            schema: schema.clone(),
            revise: job.revise,
            budget,
        });
        Ok(chunks)
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
        let Some(Running {
            mut writers,
            begun,
            schema,
            revise,
            budget,
        }) = self.running.take()
        else {
            return 0;
        };
        let options = &self.options;
        writers.end();
        // Dropped here, with their sessions, of which the server may have no other.
        drop(writers);
        let mut hurried = (**options).clone();
        let timeout = &mut hurried.login.connect_timeout;
        *timeout = LAST_PATIENCE.min(*timeout);
        let name = runs::session_name(&begun.lease.run);
        let Ok(mut session) = Session::new(Arc::new(hurried), name, Arc::default()) else {
            return 0;
        };
        let ending = Running::ending(&begun, options, &schema, revise, &budget);
        let journal = Journal::new(options);
        let mut budget = RetryBudget::new(LAST_PATIENCE);
        let stored = session.attempt(&mut budget, async |connection| {
            runs::stored(connection, &journal, options, &begun.lease.run).await
        });
        let cleared = session.attempt(&mut budget, async |connection| {
            publish::clear(connection, &ending).await
        });
        if let Err(error) = cleared {
            tracing::warn!(%error, "what the run created could not be removed");
        }
        stored.unwrap_or(0)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        glovebox_core::Sink::abort(self);
    }
}
