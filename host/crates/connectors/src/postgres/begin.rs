//! How a run begins on the server: the table checked or created, the journal opened, the run begun
//! or taken over, all in one transaction.

use glovebox_core::{ChunkRecord, Job, Keeps, Schema};
use sqlx::postgres::PgConnection;

use super::copy::Column;
use super::existing;
use super::journal::Journal;
use super::journal_tables::Found;
use super::name::Name;
use super::opaque;
use super::refusal::Fault;
use super::runs::{self, Lease};
use super::sealed;
use super::session::{BEGIN, contend, idle_timeout, lock_timeout, statement};
use super::stage::{self, Marks, Stage};
use super::swap;
use super::table;
use super::tokens::Tables;
use super::{Mode, Options};

/// A run that has begun.
pub(super) struct Begun {
    pub(super) lease: Lease,
    pub(super) columns: Vec<Column>,
    /// The target's quoted name, with its schema.
    pub(super) target: String,
    /// What the journal calls it.
    pub(super) known_as: String,
    /// Where the rows go until they are published; none in mode append.
    pub(super) stage: Option<Stage>,
    pub(super) chunks: Vec<ChunkRecord>,
    /// Whether the target was created by this.
    pub(super) created: bool,
}

/// Every check, no change. What a person may want to know of how it will be done.
pub(super) async fn probe(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
    keeps: Keeps,
) -> Result<Vec<String>, Fault> {
    let place = options.place();
    let journal = Journal::new(options);
    let name = Name::parse(options)?;
    statement(connection, BEGIN, &place).await?;
    let mut notes = Vec::new();
    match existing::find(connection, &name, options).await? {
        Some(found) => {
            table::check(connection, &found, schema, options).await?;
            if options.mode == Mode::Replace {
                notes.push(match swap::obstacle(connection, found.oid, options).await? {
                    None => "a table that is loaded beside it will take its place".into(),
                    Some(why) => format!(
                        "rows are loaded beside it and then moved into it, so they are stored twice, because of: {why}"
                    ),
                });
            }
        }
        None => {
            table::creatable(connection, &name, schema, options).await?;
        }
    }
    if !matches!(journal.look(connection, options).await?, Found::Nothing) {
        places(connection, &journal, options, keeps).await?;
    }
    statement(connection, "ROLLBACK", &place).await?;
    Ok(notes)
}

/// Sees to it that there is a place for all that the run keeps, in the transaction that is open.
async fn places(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    keeps: Keeps,
) -> Result<(), Fault> {
    if keeps.sealed {
        sealed::ready(connection, journal, options).await?;
    }
    if keeps.tokens {
        Tables::new(options).ready(connection).await?;
    }
    Ok(())
}

/// The table that a run's rows are for.
struct Target {
    /// The schema that it is in, or is to be in.
    schema: String,
    columns: Vec<Column>,
    /// Whether it was made now.
    created: bool,
    /// Whether it may refuse a row by a rule of its own.
    refuses: bool,
    /// Its number, if another one may take its place.
    replaceable: Option<i64>,
}

/// Finds the run's table, holds it, and sees that it fits; makes it where rows are added to it at
/// once.
async fn target(
    connection: &mut PgConnection,
    name: &Name,
    schema: &Schema,
    options: &Options,
) -> Result<Target, Fault> {
    let place = options.place();
    let found = match options.mode {
        Mode::Append => existing::find_or_claim(connection, name, options).await?,
        Mode::AppendWhole | Mode::Replace | Mode::Upsert => {
            existing::find(connection, name, options).await?
        }
    };
    let Some(found) = found else {
        let target = table::creatable(connection, name, schema, options).await?;
        let created = options.mode == Mode::Append;
        if created {
            let create = table::create(&name.within(&target), schema, options);
            contend(connection, &create, &place).await?;
        }
        return Ok(Target {
            schema: target,
            columns: table::columns(schema, options),
            created,
            refuses: false,
            replaceable: None,
        });
    };
    found.permits(options)?;
    // To learn now, and not from the first chunk, that another session holds the table.
    let table = name.within(&found.schema);
    let lock = format!("LOCK TABLE {table} IN ROW EXCLUSIVE MODE");
    contend(connection, &lock, &place).await?;
    Ok(Target {
        columns: table::check(connection, &found, schema, options).await?,
        created: false,
        refuses: stage::may_refuse(connection, found.oid, options).await?,
        replaceable: match options.mode {
            Mode::Replace => swap::obstacle(connection, found.oid, options)
                .await?
                .map_or(Some(found.oid), |_| None),
            _ => None,
        },
        schema: found.schema,
    })
}

/// Begins `job`. `sent` is set once the COMMIT is on its way, and tells a second attempt of it.
pub(super) async fn begin(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
    job: &Job,
    sent: &mut bool,
) -> Result<Begun, Fault> {
    let place = options.place();
    let journal = Journal::new(options);
    let name = Name::parse(options)?;
    statement(connection, BEGIN, &place).await?;
    statement(
        connection,
        &lock_timeout(options.login.connect_timeout),
        &place,
    )
    .await?;
    // A process that falls asleep in here holds locks, and its run is not in the journal yet, by
    // which another could end its sessions: the server does, before the other gives up.
    statement(
        connection,
        &idle_timeout(options.login.connect_timeout / 2),
        &place,
    )
    .await?;
    let Target {
        schema: target_schema,
        columns,
        created,
        refuses,
        replaceable,
    } = target(connection, &name, schema, options).await?;
    let columns = opaque::numbered(connection, columns, schema, options).await?;
    journal.ready(connection, options).await?;
    places(connection, &journal, options, job.keeps).await?;
    let target = format!("{target_schema}.{}", name.table());
    let lease = if job.resume {
        runs::take_over(connection, &journal, options, job, &target).await?
    } else {
        runs::fresh(connection, &journal, options, job, &target, *sent).await?
    };
    let mut stage = options.mode.stages().then(|| Stage {
        table: journal.stage(&job.run),
        marks: (options.mode == Mode::Upsert || refuses).then(|| Marks::beside(&columns)),
        is_twin: false,
    });
    let chunks = if job.resume {
        runs::chunks(connection, &journal, options, &job.run).await?
    } else {
        Vec::new()
    };
    let gone = match &stage {
        Some(_) => !runs::has_stage(connection, options, &job.run).await?,
        None => created,
    };
    if gone && !chunks.is_empty() {
        // Else all that the journal calls stored would be missing, and nobody would notice.
        return Err(journal
            .misfit(format!(
                "{} chunks of run {} are stored, but their table is gone; start over with \
                `--again`",
                chunks.len(),
                job.run
            ))
            .into());
    }
    if let Some(stage) = &mut stage {
        let table = name.within(&target_schema);
        match replaceable {
            Some(oid)
                if gone && swap::make(connection, oid, &table, &stage.table, options).await? =>
            {
                (stage.marks, stage.is_twin) = (None, true);
            }
            _ => stage.ready(connection, &columns, options).await?,
        }
        if let (Some(oid), None) = (replaceable, &stage.marks) {
            stage.is_twin = swap::is_twin(connection, oid, &stage.table, options).await?;
        }
    }
    *sent = true;
    statement(connection, "COMMIT", &place).await?;
    Ok(Begun {
        lease,
        columns,
        target: name.within(&target_schema),
        known_as: target,
        stage,
        chunks,
        created,
    })
}
