//! Publishing all rows at once: loaded into a staging table, moved into the sink's table in one
//! transaction with the end of the journal.

use glovebox_core::{Published, Reject, Schema, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::effects::{self, Effects};
use super::file::statement;
use super::refusal::{of_row, refusal};
use super::rows::MARKS;
use super::{Mode, Options, table};
use crate::database::sift::{Budget, Ended, Tried, reject, sift, spent};
use crate::database::{quote, quote_all};

/// Where a run's rows go first: the table itself in mode append.
pub(super) fn loaded_into(options: &Options, run: &str) -> String {
    match options.mode {
        Mode::Append => options.table.clone(),
        Mode::AppendWhole | Mode::Replace | Mode::Upsert => aside(run),
    }
}

fn aside(run: &str) -> String {
    format!("glovebox_stage_{run}")
}

/// The quoted names of columns that say where a row stood in the source: its number, its line and
/// its file.
#[derive(Debug, Clone)]
pub(super) struct Marks(pub(super) [String; MARKS]);

impl Marks {
    /// Names that no column of the run bears.
    fn beside(schema: &Schema) -> Self {
        let unused = |name: &str| {
            let mut name = name.to_owned();
            let same = |name: &str| {
                let mut fields = schema.fields.iter();
                fields.any(|f| f.name.eq_ignore_ascii_case(name))
            };
            while same(&name) {
                name.push('_');
            }
            quote(&name)
        };
        Marks(["glovebox_row", "glovebox_line", "glovebox_file"].map(unused))
    }
}

/// Makes the table aside. Its rows say where they stood if the target may refuse some of them.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    options: &Options,
    schema: &Schema,
    run: &str,
    refuses: bool,
) -> Result<Option<Marks>, SinkError> {
    // Without keys: of the rows with one key the last is taken, in the end.
    let create = table::create(schema, &aside(run), &[]);
    statement(connection, &create, &options.place()).await?;
    if !refuses {
        return Ok(None);
    }
    let marks = Marks::beside(schema);
    for (mark, sql_type) in marks.0.iter().zip(["INTEGER", "INTEGER", "TEXT"]) {
        let add = format!(
            "ALTER TABLE {} ADD COLUMN {mark} {sql_type}",
            quote(&aside(run))
        );
        statement(connection, &add, &options.place()).await?;
    }
    Ok(Some(marks))
}

/// What an earlier process of the run has made.
pub(super) async fn prepared(
    connection: &mut SqliteConnection,
    schema: &Schema,
    run: &str,
) -> sqlx::Result<Option<Marks>> {
    let marks = Marks::beside(schema);
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
        .bind(aside(run))
        .fetch_all(connection)
        .await?;
    let there = |mark: &String| columns.iter().any(|column| quote(column) == *mark);
    Ok(marks.0.iter().all(there).then_some(marks))
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

/// Moves the rows, in the transaction that is open; `stored` is how many the journal has. None if the
/// target refused a row, and then what was done is to be taken back.
pub(super) async fn publish(
    connection: &mut SqliteConnection,
    staged: &Staged<'_>,
    stored: u64,
) -> Result<Option<Published>, SinkError> {
    let Staged {
        options,
        schema,
        run,
        marks,
    } = staged;
    if options.mode == Mode::Append {
        return Ok(Some(Published::default()));
    }
    let place = options.place();
    let exists = match table::find(connection, options).await? {
        Some(found) => {
            // Others may have changed it since the run began.
            let others = effects::obstacles(connection, options, schema).await?;
            table::check(&found, others, schema, options)?;
            true
        }
        None => false,
    };
    let move_in = MoveIn {
        staged,
        options,
        schema,
        target: quote(&options.table),
        aside: quote(&aside(run)),
        effects: Effects::of(connection, options).await?,
        stored,
    };
    let published = match options.mode {
        Mode::AppendWhole | Mode::Replace if !exists && marks.is_none() => {
            let rename = format!("ALTER TABLE {} RENAME TO {}", move_in.aside, move_in.target);
            statement(connection, &rename, &place).await?;
            return Ok(Some(Published::default()));
        }
        mode => {
            if !exists {
                let create = table::create(schema, &options.table, &options.keys);
                statement(connection, &create, &place).await?;
            }
            match mode {
                Mode::AppendWhole => move_in.append(connection).await?,
                Mode::Replace => move_in.replace(connection).await?,
                _ => move_in.upsert(connection).await?,
            }
        }
    };
    let Some(published) = published else {
        return Ok(None);
    };
    if !published.kept {
        let drop = format!("DROP TABLE {}", move_in.aside);
        statement(connection, &drop, &place).await?;
    }
    Ok(Some(published))
}

/// The way from the table aside into the sink's.
struct MoveIn<'a> {
    staged: &'a Staged<'a>,
    options: &'a Options,
    schema: &'a Schema,
    target: String,
    aside: String,
    effects: Effects,
    stored: u64,
}

impl MoveIn<'_> {
    async fn append(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<Published>, SinkError> {
        let before = match self.effects.any() {
            true => effects::count(connection, &self.target, &self.options.place()).await?,
            false => 0,
        };
        let Some(placed) = self.place(connection).await? else {
            return Ok(None);
        };
        self.compare(connection, self.stored, placed, before + self.stored)
            .await?;
        Ok(Some(Published::default()))
    }

    async fn replace(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<Published>, SinkError> {
        let target = &self.target;
        if self.stored == 0 && !self.options.lenient.replace_with_nothing {
            let any = format!("SELECT EXISTS (SELECT 1 FROM {target})");
            if effects::number(connection, &any, &self.options.place()).await? > 0 {
                return Ok(Some(Published::nothing()));
            }
        }
        let delete = format!("DELETE FROM {target}");
        statement(connection, &delete, &self.options.place()).await?;
        let Some(placed) = self.place(connection).await? else {
            return Ok(None);
        };
        self.compare(connection, self.stored, placed, self.stored)
            .await?;
        Ok(Some(Published::default()))
    }

    async fn upsert(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<Published>, SinkError> {
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
        let all_keys = !self
            .names()
            .any(|n| !options.keys.iter().any(|k| k.eq_ignore_ascii_case(n)));
        let same: Vec<String> = options
            .keys
            .iter()
            .map(|key| format!("t.{0} = s.{0}", quote(key)))
            .collect();
        let (mut before, mut new) = (0, 0);
        if self.effects.any() || all_keys {
            before = effects::count(connection, target, &place).await?;
            let missing = format!(
                "({distinct}) s WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {})",
                same.join(" AND ")
            );
            new = effects::count(connection, &missing, &place).await?;
        }
        let Some(placed) = self.place(connection).await? else {
            return Ok(None);
        };
        let expected = if all_keys { new } else { due };
        self.compare(connection, expected, placed, before + new)
            .await?;
        Ok(Some(Published {
            superseded: self.stored.saturating_sub(due),
            ..Published::default()
        }))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.schema.fields.iter().map(|f| &*f.name)
    }

    /// Moves all rows, and says how many went in; none if the target refused one.
    async fn place(&self, connection: &mut SqliteConnection) -> Result<Option<u64>, SinkError> {
        match raw(connection, &self.staged.moving("true")).await {
            Ok(placed) => Ok(Some(placed)),
            Err(error) if self.staged.marks.is_some() && of_row(&error).is_some() => Ok(None),
            Err(error) => Err(refusal(error, &self.options.place())),
        }
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

/// Finds the rows that the target refuses, takes them out of the table aside, and leaves the target
/// as it was.
pub(super) async fn refused(
    connection: &mut SqliteConnection,
    staged: &Staged<'_>,
    marks: &Marks,
    budget: &Budget,
) -> Result<Vec<Reject>, SinkError> {
    let place = staged.options.place();
    let Marks([row, line, file]) = marks;
    let (target, aside) = (quote(&staged.options.table), quote(&aside(staged.run)));
    let failed = |e| refusal(e, &place);
    // Dropped with the table aside.
    let index = format!(
        "CREATE INDEX {} ON {aside} ({row})",
        quote(&format!("{}_row", self::aside(staged.run)))
    );
    statement(connection, &index, &place).await?;
    let last: Option<i64> =
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT max({row}) FROM {aside}")))
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
    let last = usize::try_from(last.unwrap_or(0)).unwrap_or(usize::MAX - 1);
    statement(connection, "SAVEPOINT glovebox_search", &place).await?;
    if staged.options.mode == Mode::Replace {
        statement(connection, &format!("DELETE FROM {target}"), &place).await?;
    }
    let found = sift(0..last + 1, budget, async |rows| {
        let within = format!("{row} >= {} AND {row} < {}", rows.start, rows.end);
        statement(connection, "SAVEPOINT glovebox_piece", &place).await?;
        let tried = match raw(connection, &staged.moving(&within)).await {
            Ok(_) => Tried::Taken,
            Err(error) => match of_row(&error) {
                Some(refusal) => Tried::Refused(refusal, None),
                None => return Err(refusal(error, &place)),
            },
        };
        let end = match tried {
            Tried::Taken => "RELEASE glovebox_piece",
            Tried::Refused(..) => "ROLLBACK TO glovebox_piece; RELEASE glovebox_piece",
        };
        statement(connection, end, &place).await?;
        Ok(tried)
    })
    .await
    .map_err(|ended| match ended {
        Ended::Failed(error) => error,
        Ended::Spent(refusal) => spent(&place, &refusal),
    })?;
    let back = "ROLLBACK TO glovebox_search; RELEASE glovebox_search";
    statement(connection, back, &place).await?;
    let mut rejects = Vec::with_capacity(found.len());
    for (number, refusal) in found {
        let taken: Option<(Option<i64>, Option<String>)> = sqlx::query_as(AssertSqlSafe(format!(
            "DELETE FROM {aside} WHERE {row} = ? RETURNING {line}, {file}"
        )))
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
        if let Some((line, file)) = taken {
            let line = line.and_then(|line| u64::try_from(line).ok());
            let file = file.as_deref().map(Into::into);
            rejects.push(reject(number as u64, line, file, &refusal));
        }
    }
    Ok(rejects)
}

/// A run's rows aside, and what becomes of them.
pub(super) struct Staged<'a> {
    pub(super) options: &'a Options,
    pub(super) schema: &'a Schema,
    pub(super) run: &'a str,
    pub(super) marks: Option<&'a Marks>,
}

impl Staged<'_> {
    /// The statement that moves those rows for which the condition is true.
    fn moving(&self, within: &str) -> String {
        let (target, aside) = (quote(&self.options.table), quote(&aside(self.run)));
        let names = || self.schema.fields.iter().map(|f| &*f.name);
        let columns = quote_all(names());
        let insert = format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM {aside}");
        if self.options.mode != Mode::Upsert {
            return format!("{insert} WHERE {within} ORDER BY rowid");
        }
        let keys = quote_all(self.options.keys.iter().map(String::as_str));
        let others: Vec<String> = names()
            .filter(|n| !self.options.keys.iter().any(|k| k.eq_ignore_ascii_case(n)))
            .map(|n| format!("{0} = excluded.{0}", quote(n)))
            .collect();
        let update = match others.is_empty() {
            true => "NOTHING".into(),
            false => format!("UPDATE SET {}", others.join(", ")),
        };
        format!(
            "{insert} WHERE rowid IN (SELECT max(rowid) FROM {aside} WHERE {within} \
             GROUP BY {keys}) ORDER BY rowid ON CONFLICT ({keys}) DO {update}"
        )
    }
}

/// Executes statements, and says how many rows they touched.
async fn raw(connection: &mut SqliteConnection, sql: &str) -> sqlx::Result<u64> {
    // Safe by construction: literals, and names through `quote`.
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
}
