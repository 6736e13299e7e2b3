//! Rows that become public all at once: loaded into a table aside, moved into the sink's table in
//! one transaction with the end of the books.
//!
//! Owns the table aside and what `replace` and `upsert` do with it; refuses to leave one behind, and
//! rows that the sink's table does not hold once each.

use glovebox_core::{Published, Schema, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::effects::{self, Effects};
use super::refusal::refusal;
use super::session::statement;
use super::{Mode, Options, table};
use crate::database::{quote, quote_all};

/// Where a run's rows go first: the table itself in mode append.
pub(super) fn loaded_into(options: &Options, run: &str) -> String {
    match options.mode {
        Mode::Append => options.table.clone(),
        Mode::Replace | Mode::Upsert => aside(run),
    }
}

fn aside(run: &str) -> String {
    format!("glovebox_stage_{run}")
}

/// Makes the table aside.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    options: &Options,
    schema: &Schema,
    run: &str,
) -> Result<(), SinkError> {
    // Without keys: of the rows with one key the last is taken, in the end.
    let create = table::create(schema, &aside(run), &[]);
    statement(connection, &create, &options.place()).await
}

/// Drops the tables aside of runs that were given up.
pub(super) async fn clear(
    connection: &mut SqliteConnection,
    options: &Options,
    runs: &[String],
) -> Result<(), SinkError> {
    for run in runs {
        let drop = format!("DROP TABLE IF EXISTS {}", quote(&aside(run)));
        statement(connection, &drop, &options.place()).await?;
    }
    Ok(())
}

/// Moves the rows, in the transaction that is open; `stored` is how many the books have.
pub(super) async fn publish(
    connection: &mut SqliteConnection,
    options: &Options,
    schema: &Schema,
    run: &str,
    stored: u64,
) -> Result<Published, SinkError> {
    if options.mode == Mode::Append {
        return Ok(Published::default());
    }
    let place = options.place();
    let exists = match table::find(connection, options).await? {
        Some(found) => {
            // Others may have changed it since the run began.
            let others = effects::obstacles(connection, options, schema).await?;
            table::check(found, others, schema, options)?;
            true
        }
        None => false,
    };
    let move_in = MoveIn {
        options,
        schema,
        target: quote(&options.table),
        aside: quote(&aside(run)),
        effects: Effects::of(connection, options).await?,
        stored,
    };
    let published = match options.mode {
        Mode::Replace if !exists => {
            let rename = format!("ALTER TABLE {} RENAME TO {}", move_in.aside, move_in.target);
            statement(connection, &rename, &place).await?;
            return Ok(Published::default());
        }
        Mode::Replace => move_in.replace(connection).await?,
        _ => {
            if !exists {
                let create = table::create(schema, &options.table, &options.keys);
                statement(connection, &create, &place).await?;
            }
            move_in.upsert(connection).await?
        }
    };
    if !published.kept {
        let drop = format!("DROP TABLE {}", move_in.aside);
        statement(connection, &drop, &place).await?;
    }
    Ok(published)
}

/// The way from the table aside into the sink's.
struct MoveIn<'a> {
    options: &'a Options,
    schema: &'a Schema,
    target: String,
    aside: String,
    effects: Effects,
    stored: u64,
}

impl MoveIn<'_> {
    async fn replace(&self, connection: &mut SqliteConnection) -> Result<Published, SinkError> {
        let MoveIn { target, aside, .. } = self;
        if self.stored == 0 && !self.options.lenient.replace_with_nothing {
            let any = format!("SELECT EXISTS (SELECT 1 FROM {target})");
            if effects::number(connection, &any, &self.options.place()).await? > 0 {
                return Ok(Published {
                    kept: true,
                    ..Published::default()
                });
            }
        }
        let delete = format!("DELETE FROM {target}");
        statement(connection, &delete, &self.options.place()).await?;
        let columns = quote_all(self.names());
        let insert = format!(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {aside} ORDER BY rowid"
        );
        let placed = self.execute(connection, insert).await?;
        self.compare(connection, self.stored, placed, self.stored)
            .await?;
        Ok(Published::default())
    }

    async fn upsert(&self, connection: &mut SqliteConnection) -> Result<Published, SinkError> {
        let MoveIn {
            options,
            target,
            aside,
            ..
        } = self;
        let place = options.place();
        let keys = quote_all(options.keys.iter().map(String::as_str));
        let distinct = format!("SELECT {keys} FROM {aside} GROUP BY {keys}");
        let due = effects::count(connection, &format!("({distinct})"), &place).await?;
        let others: Vec<String> = self
            .names()
            .filter(|n| !options.keys.iter().any(|k| k.eq_ignore_ascii_case(n)))
            .map(|n| format!("{0} = excluded.{0}", quote(n)))
            .collect();
        let update = match others.is_empty() {
            true => "NOTHING".into(),
            false => format!("UPDATE SET {}", others.join(", ")),
        };
        let same: Vec<String> = options
            .keys
            .iter()
            .map(|key| format!("t.{0} = s.{0}", quote(key)))
            .collect();
        let (mut before, mut new) = (0, 0);
        if self.effects.any() || others.is_empty() {
            before = effects::count(connection, target, &place).await?;
            let missing = format!(
                "({distinct}) s WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {})",
                same.join(" AND ")
            );
            new = effects::count(connection, &missing, &place).await?;
        }
        let columns = quote_all(self.names());
        let insert = format!(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {aside} \
             WHERE rowid IN (SELECT max(rowid) FROM {aside} GROUP BY {keys}) \
             ORDER BY rowid ON CONFLICT ({keys}) DO {update}"
        );
        let placed = self.execute(connection, insert).await?;
        let expected = if others.is_empty() { new } else { due };
        self.compare(connection, expected, placed, before + new)
            .await?;
        Ok(Published {
            superseded: self.stored.saturating_sub(due),
            ..Published::default()
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.schema.fields.iter().map(|f| &*f.name)
    }

    async fn execute(
        &self,
        connection: &mut SqliteConnection,
        sql: String,
    ) -> Result<u64, SinkError> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
            .map_err(|e| refusal(e, &self.options.place()))
    }

    /// Refuses what was not done once for each of `sent` rows, and a table that has other than
    /// `rows` after it, where more than the statement may act on it.
    async fn compare(
        &self,
        connection: &mut SqliteConnection,
        sent: u64,
        placed: u64,
        rows: u64,
    ) -> Result<(), SinkError> {
        let mut kept = i128::from(placed);
        if self.effects.any() {
            let now = effects::count(connection, &self.target, &self.options.place()).await?;
            if now != rows {
                kept = i128::from(sent) + i128::from(now) - i128::from(rows);
            }
        }
        match kept == i128::from(sent) {
            true => Ok(()),
            false => Err(self.effects.differ(self.options, sent, kept)),
        }
    }
}
