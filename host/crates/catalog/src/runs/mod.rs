//! Runs: queued, running on one server, finished.
//! They have no cells: only counts, names and times.

mod queue;

use crate::random::{digest, id_in_order};
use crate::store::on;
use crate::{Catalog, Result};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

pub use queue::{Beat, Claimed, Waiting};

/// The machine that has an uploaded file which all machines have; it is no machine's name.
pub const ANY_MACHINE: &str = "*";

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It waits for its turn.
    Queued,
    /// A server works on it.
    Running,
    /// Every row has its fate.
    Done,
    /// More rows were rejected than the manifest allows, or none was left to replace others.
    Rejected,
    /// It failed; `problem` says why.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl RunState {
    const ALL: [(RunState, &'static str); 6] = [
        (RunState::Queued, "queued"),
        (RunState::Running, "running"),
        (RunState::Done, "done"),
        (RunState::Rejected, "rejected"),
        (RunState::Failed, "failed"),
        (RunState::Cancelled, "cancelled"),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(state, _)| *state == self);
        found.map_or("failed", |(_, word)| word)
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, w)| *w == word).map(|(s, _)| *s)
    }

    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        !matches!(self, RunState::Queued | RunState::Running)
    }
}

/// How a run begins, as `glovebox run` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// The same input is not added twice, and what did not finish is asked about.
    Fresh,
    /// It goes on with a run that did not finish.
    Resume,
    /// It begins anew, whatever was added before.
    Again,
    /// It passes over the rows at its input's beginning that were added before.
    OnlyNew,
}

impl RunMode {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            RunMode::Fresh => "fresh",
            RunMode::Resume => "resume",
            RunMode::Again => "again",
            RunMode::OnlyNew => "only-new",
        }
    }

    fn read(word: &str) -> Self {
        match word {
            "resume" => RunMode::Resume,
            "again" => RunMode::Again,
            "only-new" => RunMode::OnlyNew,
            _ => RunMode::Fresh,
        }
    }
}

/// What somebody asked for.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// Its name, by [`new_run_id`].
    pub id: &'a str,
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// By whom.
    pub user_id: &'a str,
    /// Their name.
    pub user_name: &'a str,
    /// The client's own key of the request.
    pub request: Option<&'a str>,
    /// How it begins.
    pub mode: RunMode,
    /// Of an upload: the machine that has the file or [`ANY_MACHINE`], and what the file is known by.
    pub upload: Option<(&'a str, &'a str)>,
    /// The run whose rejects it goes over; none is a whole input.
    pub of: Option<&'a str>,
    /// So many runs of the pipeline may wait; of requests at one moment, a few more may come in.
    pub at_most: u32,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// Who asked for it.
    pub user_id: String,
    /// Their name then.
    pub user_name: String,
    /// How it begins.
    pub mode: RunMode,
    /// Whether its rows were uploaded.
    pub upload: bool,
    /// The run whose rejects it goes over, which may be forgotten by now; none is a whole input.
    pub of: Option<String>,
    /// How far it is.
    pub state: RunState,
    /// Whether somebody asked for its end.
    pub cancelled: bool,
    /// How often a server has begun it.
    pub starts: i64,
    /// When it was asked for, in seconds since 1970.
    pub created: i64,
    /// When it was first begun.
    pub started: Option<i64>,
    /// When it was over.
    pub ended: Option<i64>,
    /// Rows that have been through the steps.
    pub rows: i64,
    /// Bytes of the source that were read.
    pub bytes: i64,
    /// Bytes of the source, where that is known.
    pub bytes_all: Option<i64>,
    /// Why it failed.
    pub problem: Option<String>,
}

/// What became of a request for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is a new run.
    New(Run),
    /// The same request was made before, for this run.
    Same(Run),
    /// The key was used before for something else.
    Other,
    /// As many runs of the pipeline wait as may.
    Full,
}

/// Which runs are listed.
#[derive(Debug, Clone, Default)]
pub struct RunFilter<'a> {
    /// Of these pipelines.
    pub pipelines: &'a [&'a str],
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only those asked for before this one.
    pub before: Option<&'a str>,
}

const COLUMNS: &str = "id, pipeline, user_id, user_name, mode, upload, state, cancel, starts, \
                       created, started, ended, rows_done, bytes_done, bytes_all, problem, rerun_of";

impl<'r, R> FromRow<'r, R> for Run
where
    R: Row,
    usize: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    /// Of [`COLUMNS`], in their order.
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let (mode, state): (String, String) = (row.try_get(4)?, row.try_get(6)?);
        let (upload, cancel): (Option<String>, Option<i64>) = (row.try_get(5)?, row.try_get(7)?);
        Ok(Run {
            id: row.try_get(0)?,
            pipeline: row.try_get(1)?,
            user_id: row.try_get(2)?,
            user_name: row.try_get(3)?,
            mode: RunMode::read(&mode),
            upload: upload.is_some(),
            // A word that a newer program wrote is not ours to work on.
            state: RunState::parse(&state).unwrap_or(RunState::Failed),
            cancelled: cancel.is_some(),
            starts: row.try_get(8)?,
            created: row.try_get(9)?,
            started: row.try_get(10)?,
            ended: row.try_get(11)?,
            rows: row.try_get(12)?,
            bytes: row.try_get(13)?,
            bytes_all: row.try_get(14)?,
            problem: row.try_get(15)?,
            of: row.try_get(16)?,
        })
    }
}

/// A name for a run. Runs of one second stand in the queue in the order of their names.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_run_id() -> Result<String> {
    id_in_order("run_")
}

impl Catalog {
    /// Puts a run into the queue, once for each key of a user's requests.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_run(&self, new: &NewRun<'_>, now: i64) -> Result<Added> {
        let (machine, file) = new.upload.unzip();
        let mut asked = format!(
            "{}\n{}\n{}",
            new.pipeline,
            new.mode.word(),
            file.unwrap_or("")
        );
        if let Some(of) = new.of {
            asked.push('\n');
            asked.push_str(of);
        }
        let asked = digest(&asked);
        let sql = "INSERT INTO runs \
             (id, pipeline, user_id, user_name, request, asked, mode, upload, state, created, \
              rerun_of) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $10 \
             WHERE (SELECT COUNT(*) FROM runs WHERE pipeline = $2 AND state = 'queued') < $11 \
             ON CONFLICT (user_id, request) DO NOTHING";
        let added = on!(self, pool => sqlx::query(sql)
            .bind(new.id)
            .bind(new.pipeline)
            .bind(new.user_id)
            .bind(new.user_name)
            .bind(new.request)
            .bind(&asked)
            .bind(new.mode.word())
            .bind(machine)
            .bind(now)
            .bind(new.of)
            .bind(i64::from(new.at_most))
            .execute(pool)
            .await?
            .rows_affected());
        if added == 1 {
            return Ok(self.run(new.id).await?.map_or(Added::Other, Added::New));
        }
        let found: Option<(String, String)> = on!(self, pool => sqlx::query_as(
            "SELECT id, asked FROM runs WHERE user_id = $1 AND request = $2",
        )
        .bind(new.user_id)
        .bind(new.request)
        .fetch_optional(pool)
        .await?);
        match found {
            Some((earlier, theirs)) if theirs == asked => {
                Ok(self.run(&earlier).await?.map_or(Added::Other, Added::Same))
            }
            Some(_) => Ok(Added::Other),
            None => Ok(Added::Full),
        }
    }

    /// The last run of a pipeline that this user asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_run_by(&self, pipeline: &str, user_id: &str) -> Result<Option<Run>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM runs WHERE pipeline = $1 AND user_id = $2 \
             ORDER BY created DESC, id DESC LIMIT 1"
        );
        let found: Option<Run> = on!(self, pool => sqlx::query_as(safe(&sql))
            .bind(pipeline)
            .bind(user_id)
            .fetch_optional(pool)
            .await?);
        Ok(found)
    }

    /// A run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run(&self, id: &str) -> Result<Option<Run>> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = $1");
        let found: Option<Run> = on!(self, pool => sqlx::query_as(safe(&sql))
            .bind(id)
            .fetch_optional(pool)
            .await?);
        Ok(found)
    }

    /// Runs, the latest first, at most so many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn runs(&self, filter: &RunFilter<'_>, at_most: u32) -> Result<Vec<Run>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM runs \
             WHERE ($1 = '' OR state = $1) \
             AND ($2 = '' OR created < (SELECT created FROM runs WHERE id = $2) \
                  OR (created = (SELECT created FROM runs WHERE id = $2) AND id < $2)) \
             AND pipeline IN ({}) \
             ORDER BY created DESC, id DESC LIMIT $3",
            places(4, filter.pipelines.len())
        );
        let found: Vec<Run> = on!(self, pool => {
            let mut query = sqlx::query_as(safe(&sql))
                .bind(filter.state.map_or("", RunState::word))
                .bind(filter.before.unwrap_or(""))
                .bind(i64::from(at_most));
            for pipeline in filter.pipelines {
                query = query.bind((*pipeline).to_owned());
            }
            query.fetch_all(pool).await?
        });
        Ok(found)
    }

    /// A run's report as JSON, once it has one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report(&self, id: &str) -> Result<Option<String>> {
        let found: Option<(Option<String>,)> = on!(self, pool => {
            sqlx::query_as("SELECT report FROM runs WHERE id = $1")
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        Ok(found.and_then(|(report,)| report))
    }

    /// Forgets runs that were over before then, and says which they were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_runs(&self, before: i64) -> Result<Vec<String>> {
        let gone: Vec<(String,)> = on!(self, pool => {
            sqlx::query_as("DELETE FROM runs WHERE ended < $1 RETURNING id")
                .bind(before)
                .fetch_all(pool)
                .await?
        });
        Ok(gone.into_iter().map(|(id,)| id).collect())
    }

    /// The runs that are over, the first to end first, and whether each one's rejects are needed: by a run that is
    /// not over, or by one that failed or was cancelled and can be gone on with, since none over the same rejects
    /// was asked for later and is done: names are in the order of asking.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ended_runs(&self) -> Result<Vec<(String, bool)>> {
        let sql = "SELECT id, CAST(CASE WHEN id IN \
             (SELECT rerun_of FROM runs WHERE rerun_of IS NOT NULL GROUP BY rerun_of \
              HAVING SUM(CASE WHEN ended IS NULL THEN 1 ELSE 0 END) > 0 \
              OR MAX(CASE WHEN state IN ('failed', 'cancelled') THEN id ELSE '' END) \
                 > MAX(CASE WHEN state IN ('done', 'rejected') THEN id ELSE '' END)) \
             THEN 1 ELSE 0 END AS BIGINT) \
             FROM runs WHERE ended IS NOT NULL ORDER BY ended, created, id";
        let ended: Vec<(String, i64)> =
            on!(self, pool => sqlx::query_as(sql).fetch_all(pool).await?);
        let ended = ended.into_iter();
        Ok(ended.map(|(id, is_needed)| (id, is_needed != 0)).collect())
    }
}

/// `$4, $5, …`; of none, a list that holds nothing.
fn places(first: usize, count: usize) -> String {
    if count == 0 {
        return "NULL".into();
    }
    let all: Vec<String> = (first..first + count).map(|n| format!("${n}")).collect();
    all.join(", ")
}

/// Text that is built of our own words and placeholders alone.
fn safe(sql: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(sql.to_owned())
}
