//! How a run ends on the server: staged rows are published and the journal is closed, in one
//! transaction; or they are withheld; or the remains of a run without a chunk are removed.

use glovebox_core::{Published, Revise, Schema, SinkError, Totals};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::counted::Counted;
use super::effects;
use super::journal::Journal;
use super::keys;
use super::name::Name;
use super::refusal::{Fault, fault, of_row};
use super::runs::{self, Lease, signed};
use super::session::{BEGIN, contend, lock_timeout, statement};
use super::stage::Stage;
use super::table;
use super::{Mode, Options, refused, sequences};
use crate::database::quote_all;
use crate::database::sift::Budget;

/// The savepoint before the rows are moved.
const ROWS: &str = "glovebox_rows";

/// What is to be published, and as what.
pub(super) struct Ending<'a> {
    pub(super) options: &'a Options,
    pub(super) schema: &'a Schema,
    pub(super) lease: &'a Lease,
    /// The target's quoted name.
    pub(super) target: &'a str,
    /// What the journal calls it.
    pub(super) known_as: &'a str,
    pub(super) stage: Option<&'a Stage>,
    pub(super) revise: Revise,
    /// What the search for refused rows may still cost the run.
    pub(super) budget: &'a Budget,
    /// Whether the target was created by this run.
    pub(super) created: bool,
}

/// What is known of the attempts to publish.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Whether the COMMIT is on its way.
    pub(super) sent: bool,
    pub(super) published: Published,
}

/// Publishes and closes the journal, once, unless what is there is to be kept; or sets the rows aside
/// that the target refuses, and publishes nothing.
pub(super) async fn finish(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
    attempt: &mut Attempt,
) -> Result<(), Fault> {
    let marked = ending.stage.and_then(|s| Some((s, s.marks.as_ref()?)));
    if attempt.published.refused.is_empty() {
        if publish_all(connection, ending, totals, attempt).await? {
            return Ok(());
        }
        if let Some((stage, marks)) = marked {
            attempt.published.refused = refused::find(connection, ending, stage, marks).await?;
        }
        statement(connection, "ROLLBACK", &ending.options.place()).await?;
    }
    let refused = &attempt.published.refused;
    match marked {
        Some((stage, marks)) if !refused.is_empty() => {
            refused::set_aside(connection, ending, stage, marks, refused).await
        }
        _ => Err(SinkError::Internal {
            place: ending.options.place(),
            problem: "rows that are refused together are taken one by one".into(),
        }
        .into()),
    }
}

/// Publishes and closes the journal. False if the target refused a row: then the transaction is open,
/// as it was before the rows were moved.
async fn publish_all(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
    attempt: &mut Attempt,
) -> Result<bool, Fault> {
    let options = ending.options;
    let place = options.place();
    let journal = Journal::new(options);
    statement(connection, BEGIN, &place).await?;
    // First, since its lock keeps others from taking the run over until all is public.
    let closed = sqlx::query(AssertSqlSafe(format!(
        "UPDATE {} SET state = 'finished', finished = pg_catalog.clock_timestamp(), digest = $3, \
         read = $4, stored = $5, filtered = $6, rejected = $7, lines = $8 \
         WHERE run = $1 AND epoch = $2 AND state = 'running'",
        journal.run
    )))
    .bind(&ending.lease.run)
    .bind(ending.lease.epoch)
    .bind(totals.input.digest.as_slice())
    .bind(signed(totals.rows.read))
    .bind(signed(totals.rows.stored))
    .bind(signed(totals.rows.filtered))
    .bind(signed(totals.rows.rejected))
    .bind(signed(totals.input.lines))
    .execute(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if closed.rows_affected() == 0 {
        ours(connection, &journal, ending).await?;
        return Ok(true);
    }
    if let Some(stage) = ending.stage {
        statement(
            connection,
            &lock_timeout(options.retry_for.max(options.login.connect_timeout)),
            &place,
        )
        .await?;
        if options.mode == Mode::Replace {
            runs::give_up_others(connection, &journal, &place, &ending.lease.run).await?;
        }
        let Some(published) = publish(connection, ending, stage).await? else {
            return Ok(false);
        };
        attempt.published = published;
        if attempt.published.kept {
            statement(connection, "ROLLBACK", &place).await?;
            return Ok(true);
        }
        let drop = format!("DROP TABLE {}", stage.table);
        statement(connection, &drop, &place).await?;
    }
    sequences::forward(connection, ending).await?;
    attempt.sent = true;
    statement(connection, "COMMIT", &place).await?;
    Ok(true)
}

/// Whether a COMMIT of ours, whose reply was lost, has closed the journal.
async fn ours(
    connection: &mut PgConnection,
    journal: &Journal,
    ending: &Ending<'_>,
) -> Result<(), Fault> {
    let place = ending.options.place();
    let closed: bool = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT EXISTS (SELECT FROM {} WHERE run = $1 AND epoch = $2 AND state = 'finished')",
        journal.run
    )))
    .bind(&ending.lease.run)
    .bind(ending.lease.epoch)
    .fetch_one(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    statement(connection, "ROLLBACK", &place).await?;
    if closed {
        Ok(())
    } else {
        Err(SinkError::Fenced { place }.into())
    }
}

/// None if the target refused a row.
async fn publish(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
) -> Result<Option<Published>, Fault> {
    let Ending {
        options,
        schema,
        target,
        ..
    } = ending;
    let place = options.place();
    let name = Name::parse(options)?;
    let hooked = match table::find_or_claim(connection, &name, options).await? {
        Some(found) => {
            found.permits(options)?;
            // Readers go on with the old rows; other writers wait.
            let lock = format!("LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE");
            contend(connection, &lock, &place).await?;
            table::check(connection, &found, schema, options).await?;
            effects::has_any(connection, found.oid, &place).await?
        }
        // Created here and not renamed, so that the default privileges of its schema hold for it.
        None => {
            let create = table::create(target, schema, options);
            contend(connection, &create, &place).await?;
            false
        }
    };
    let move_in = MoveIn {
        ending,
        stage,
        counted: Counted {
            table: target,
            place: &place,
        },
        hooked,
    };
    // Else the server might begin in the middle of the rows, and `ordered` says from the first.
    statement(connection, "SET LOCAL synchronize_seqscans = off", &place).await?;
    match options.mode {
        Mode::Upsert => move_in.upsert(connection).await,
        Mode::Append | Mode::Replace => move_in.replace(connection).await,
    }
}

/// The way from the staging table into the target.
struct MoveIn<'a> {
    ending: &'a Ending<'a>,
    stage: &'a Stage,
    counted: Counted<'a>,
    /// Whether triggers or rules may make other rows of them.
    hooked: bool,
}

impl MoveIn<'_> {
    async fn replace(&self, connection: &mut PgConnection) -> Result<Option<Published>, Fault> {
        let Ending {
            options, target, ..
        } = self.ending;
        // Not TRUNCATE: it would shut readers out until the commit. The price is that the old
        // rows take up room until the next VACUUM.
        let delete = format!("DELETE FROM {target}");
        let replaced = self.execute(connection, delete).await?;
        let stored = self.stored(connection).await?;
        if stored == 0 && replaced > 0 && !options.lenient.replace_with_nothing {
            return Ok(Some(Published::nothing()));
        }
        let Some(placed) = self.place(connection).await? else {
            return Ok(None);
        };
        if placed != stored {
            return Err(self.differs(connection, stored, placed).await?);
        }
        if self.hooked {
            self.counted.holds(connection, stored, stored).await?;
        }
        Ok(Some(Published::default()))
    }

    async fn upsert(&self, connection: &mut PgConnection) -> Result<Option<Published>, Fault> {
        let Ending {
            options,
            schema,
            target,
            ..
        } = self.ending;
        let stage = &self.stage.table;
        let keys = keys::quoted(options);
        let distinct = format!("SELECT DISTINCT {keys} FROM {stage}");
        let staged = self
            .count(connection, &format!("SELECT FROM {stage}"))
            .await?;
        let stored = self.stored(connection).await?;
        if staged != stored {
            return Err(self.changed(staged, stored));
        }
        let due = self.count(connection, &distinct).await?;
        let updates = schema
            .fields
            .iter()
            .any(|field| !options.keys.iter().any(|key| *key == *field.name));
        let before = match self.hooked {
            true => self.counted.rows(connection).await?,
            false => 0,
        };
        // Rows with keys that the table does not have yet.
        let new = match self.hooked || !updates {
            true => {
                let same = keys::same(options, "t", "s");
                let new = format!(
                    "SELECT FROM ({distinct}) s \
                     WHERE NOT EXISTS (SELECT FROM {target} t WHERE {same})"
                );
                self.count(connection, &new).await?
            }
            false => 0,
        };
        let Some(placed) = self.place(connection).await? else {
            return Ok(None);
        };
        let expected = if updates { due } else { new };
        if placed != expected {
            return Err(self.differs(connection, expected, placed).await?);
        }
        if self.hooked {
            self.counted.holds(connection, before + new, due).await?;
        }
        Ok(Some(Published {
            superseded: stored.saturating_sub(due),
            ..Published::default()
        }))
    }

    /// Moves all rows, and says how many went in; none if the target refused one.
    async fn place(&self, connection: &mut PgConnection) -> Result<Option<u64>, Fault> {
        let place = self.counted.place;
        let marked = self.stage.marks.is_some();
        if marked {
            statement(connection, &format!("SAVEPOINT {ROWS}"), place).await?;
        }
        match move_rows(connection, self.ending, self.stage, "").await {
            Ok(placed) => Ok(Some(placed)),
            Err(error) if marked && of_row(&error).is_some() => {
                let back = format!("ROLLBACK TO SAVEPOINT {ROWS}");
                statement(connection, &back, place).await?;
                Ok(None)
            }
            Err(error) => Err(fault(error, place)),
        }
    }

    async fn execute(&self, connection: &mut PgConnection, sql: String) -> Result<u64, Fault> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
            .map_err(|e| fault(e, self.counted.place))
    }

    async fn count(&self, connection: &mut PgConnection, rows: &str) -> Result<u64, Fault> {
        let sql = format!("SELECT count(*) FROM ({rows}) rows");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(connection)
            .await
            .map_err(|e| fault(e, self.counted.place))?;
        Ok(runs::unsigned(count))
    }

    /// How many rows the journal says are staged.
    async fn stored(&self, connection: &mut PgConnection) -> Result<u64, Fault> {
        let Ending { options, lease, .. } = self.ending;
        runs::stored(connection, &Journal::new(options), options, &lease.run).await
    }

    /// Why fewer or more rows went in than the journal has.
    async fn differs(
        &self,
        connection: &mut PgConnection,
        sent: u64,
        placed: u64,
    ) -> Result<Fault, Fault> {
        if self.hooked {
            let placed = placed.to_string();
            return self.counted.differs(connection, sent, &placed).await;
        }
        Ok(self.changed(placed, sent))
    }

    fn changed(&self, staged: u64, stored: u64) -> Fault {
        let problem = format!(
            "its staging table holds {staged} rows, but the journal says {stored}: another \
            program has changed one of them; start over with `--again`"
        );
        Journal::new(self.ending.options).misfit(problem).into()
    }
}

/// Moves the staged rows, or those of them that the condition leaves, into the target, and has
/// constraints looked at that would wait for the COMMIT.
pub(super) async fn move_rows(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
    within: &str,
) -> sqlx::Result<u64> {
    let Ending {
        options,
        schema,
        target,
        ..
    } = ending;
    let names = || schema.fields.iter().map(|field| &*field.name);
    let columns = quote_all(names());
    // COPY fills identity columns as it is told; so does this.
    let insert = format!("INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE");
    let sql = match &stage.marks {
        Some(marks) if options.mode == Mode::Upsert => {
            let keys = keys::quoted(options);
            format!(
                "{insert} SELECT DISTINCT ON ({keys}) {columns} FROM {} {within} \
                 ORDER BY {keys}, {} DESC {}",
                stage.table,
                marks.row,
                keys::on_conflict(options, names())
            )
        }
        _ => format!("{insert} SELECT {columns} FROM {} {within}", stage.table),
    };
    let placed = sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut *connection)
        .await?
        .rows_affected();
    // Only the target's own: what other tables have against rows that went is nothing that one of
    // these rows has done.
    let waiting: Option<String> = sqlx::query_scalar(
        "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(n.nspname) || '.' \
         || pg_catalog.quote_ident(k.conname), ', ') \
         FROM pg_catalog.pg_constraint k \
         JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace \
         WHERE k.conrelid = pg_catalog.to_regclass($1) AND k.condeferrable",
    )
    .bind(*target)
    .fetch_one(&mut *connection)
    .await?;
    if let Some(names) = waiting {
        let checks = format!("SET CONSTRAINTS {names} IMMEDIATE; SET CONSTRAINTS {names} DEFERRED");
        sqlx::raw_sql(AssertSqlSafe(checks))
            .execute(connection)
            .await?;
    }
    Ok(placed)
}

/// Gives the run up, with what was staged; what is there stays. Once: an earlier attempt of ours may
/// have done it.
pub(super) async fn withhold(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
) -> Result<(), Fault> {
    let options = ending.options;
    let place = options.place();
    let journal = Journal::new(options);
    statement(connection, BEGIN, &place).await?;
    let ended: Option<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
        "UPDATE {} SET state = 'abandoned', finished = pg_catalog.clock_timestamp(), digest = $3, \
         read = $4, stored = 0, filtered = $5, rejected = $6 \
         WHERE run = $1 AND epoch = $2 AND state IN ('running', 'abandoned') RETURNING epoch",
        journal.run
    )))
    .bind(&ending.lease.run)
    .bind(ending.lease.epoch)
    .bind(totals.input.digest.as_slice())
    .bind(signed(totals.rows.read))
    .bind(signed(totals.rows.filtered))
    .bind(signed(totals.rows.rejected))
    .fetch_optional(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if ended.is_none() {
        return Err(SinkError::Fenced { place }.into());
    }
    runs::drop_stage(connection, &journal, options, &ending.lease.run).await?;
    statement(connection, "COMMIT", &place).await
}

/// Removes a run of which no chunk is stored, and what was made for it.
pub(super) async fn clear(connection: &mut PgConnection, ending: &Ending<'_>) -> Result<(), Fault> {
    let options = ending.options;
    let place = options.place();
    let journal = Journal::new(options);
    statement(connection, BEGIN, &place).await?;
    statement(
        connection,
        &lock_timeout(options.login.connect_timeout),
        &place,
    )
    .await?;
    let removed = sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {} r WHERE run = $1 AND epoch = $2 AND state = 'running' \
         AND NOT EXISTS (SELECT FROM {} c WHERE c.run = r.run)",
        journal.run, journal.chunk
    )))
    .bind(&ending.lease.run)
    .bind(ending.lease.epoch)
    .execute(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if removed.rows_affected() == 0 {
        return statement(connection, "ROLLBACK", &place).await;
    }
    runs::drop_stage(connection, &journal, options, &ending.lease.run).await?;
    if ending.created {
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", ending.target);
        statement(connection, &lock, &place).await?;
        // Another run that has begun into it will find it, rows or not.
        let used: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT FROM {}) OR EXISTS (SELECT FROM {} \
             WHERE target = $1 AND state = 'running')",
            ending.target, journal.run
        )))
        .bind(ending.known_as)
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| fault(e, &place))?;
        if !used {
            let drop = format!("DROP TABLE {}", ending.target);
            statement(connection, &drop, &place).await?;
        }
    }
    statement(connection, "COMMIT", &place).await
}
