//! How another process joins a run that is under way: it looks at what is there, and changes nothing.

use glovebox_core::{Schema, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::Options;
use super::begin::Begun;
use super::existing;
use super::journal::Journal;
use super::name::Name;
use super::opaque;
use super::refusal::{Fault, fault};
use super::runs::Lease;
use super::session::{BEGIN, statement};
use super::stage::Stage;
use super::table;

/// A run in a turn, as a process finds it that joins.
pub(super) async fn join(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
    (run, turn): (&str, i64),
) -> Result<Begun, Fault> {
    let place = options.place();
    let journal = Journal::new(options);
    let name = Name::parse(options)?;
    let fenced = || {
        Fault::from(SinkError::Fenced {
            place: place.clone(),
        })
    };
    statement(connection, BEGIN, &place).await?;
    let known_as: Option<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT target FROM {} WHERE run = $1 AND epoch = $2 AND state = 'running'",
        journal.run
    )))
    .bind(run)
    .bind(turn)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    let known_as = known_as.ok_or_else(fenced)?;
    let found = existing::find(connection, &name, options).await?;
    let (columns, target_schema) = match found {
        Some(found) => {
            let columns = table::check(connection, &found, schema, options).await?;
            (columns, found.schema)
        }
        None if options.mode.stages() => {
            let resolved = existing::resolve_schema(connection, &name, options).await?;
            (
                table::columns(schema, options),
                resolved.unwrap_or_default(),
            )
        }
        None => return Err(fenced()),
    };
    let columns = opaque::numbered(connection, columns, schema, options).await?;
    let key = journal.read_key(connection, options).await?;
    let stage = match options.mode.stages() {
        true => {
            let stage = Stage::find(connection, journal.stage(run), &columns, options).await?;
            Some(stage.ok_or_else(fenced)?)
        }
        false => None,
    };
    statement(connection, "COMMIT", &place).await?;
    Ok(Begun {
        lease: Lease {
            run: run.to_owned(),
            epoch: turn,
            key,
        },
        columns,
        target: name.within(&target_schema),
        known_as,
        stage,
        chunks: Vec::new(),
        created: false,
    })
}
