//! Rows from all over the tables of a file, for a look at what they hold. Nothing of the file is changed, and no
//! code of it is run: views and virtual tables are not looked at.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::Schema as ArrowSchema;
use glovebox_core::{DataType, Field, SinkError};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row, TypeInfo, ValueRef};

use super::file::{connect, runtime, statement};
use super::refusal::refusal;
use super::{Lenient, Mode, Options};
use crate::database::quote;
use crate::discover::{MAX_SAMPLE_BYTES, Sample};
use crate::draw::Draw;

/// Rows that are looked at, at the most.
const ROWS: i64 = 50_000;
/// Runs of rows in which they are read, so that few pages are.
const RUNS: i64 = 100;
/// Characters of a text that are looked at.
const TEXT: usize = 16 << 10;

/// Some of a table's rows, in columns of whole numbers or text, as the cells are. Columns of nothing but bytes
/// and fractions are left out, since recognisers do not look at them.
pub struct SampledTable {
    /// Its name.
    pub name: String,
    /// Its columns, of whole numbers or text.
    pub fields: Vec<Field>,
    /// Its rows.
    pub sample: Sample,
    /// How many columns it has beside those.
    pub left_out: usize,
}

/// A cell.
#[derive(Clone)]
enum Cell {
    Null,
    Integer(i64),
    Text(String),
    /// What recognisers do not look at.
    Other,
}

/// The tables of a file, but for those of Glovebox's own and SQLite's.
///
/// # Errors
/// When it is not there, is none, or cannot be read.
pub fn tables(path: &Path) -> Result<Vec<String>, SinkError> {
    let options = options(path, "sqlite_schema");
    ask(&options, async |connection| {
        let tables = sqlx::query_scalar(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'glovebox\\_%' ESCAPE '\\' ORDER BY name",
        );
        tables.fetch_all(connection).await
    })
}

/// Rows of a table, the same ones for the same seed.
///
/// # Errors
/// When there is no such table, or it cannot be read.
pub fn sampled(path: &Path, table: &str, seed: u64) -> Result<SampledTable, SinkError> {
    let options = options(path, table);
    let found = ask(&options, async |connection| {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
        )
        .bind(table)
        .fetch_all(&mut *connection)
        .await?;
        let kind: Option<(String, bool)> = sqlx::query_as(
            "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE",
        )
        .bind(table)
        .fetch_optional(&mut *connection)
        .await?;
        match kind {
            Some((kind, without_row_id)) if kind == "table" => {
                let rows = read(connection, table, &columns, without_row_id, seed).await?;
                Ok(Some((columns, rows)))
            }
            _ => Ok(None),
        }
    })?;
    let (columns, rows) = found.ok_or_else(|| SinkError::Shape {
        place: options.place(),
        problem: "there is no such table; views are not looked at".into(),
    })?;
    let made = made(table, &columns, rows);
    made.map_err(|problem| SinkError::Internal {
        place: options.place(),
        problem,
    })
}

/// Rows of a table.
struct Rows {
    cells: Vec<Vec<Cell>>,
    is_spread: bool,
    is_whole: bool,
}

async fn read(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[String],
    without_row_id: bool,
    seed: u64,
) -> sqlx::Result<Rows> {
    let cells: Vec<String> = columns.iter().map(|column| cell(&quote(column))).collect();
    let select = format!("SELECT {} FROM {}", cells.join(", "), quote(table));
    let mut rows = Rows {
        cells: Vec::new(),
        is_spread: false,
        is_whole: true,
    };
    let mut bytes = 0;
    let named = |name: &str| {
        columns
            .iter()
            .any(|column| column.eq_ignore_ascii_case(name))
    };
    let row_id = ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|name| !named(name));
    let ends = match row_id.filter(|_| !without_row_id) {
        None => None,
        Some(row_id) => {
            let ends = format!("SELECT min({row_id}), max({row_id}) FROM {}", quote(table));
            let ends: (Option<i64>, Option<i64>) = sqlx::query_as(AssertSqlSafe(ends))
                .fetch_one(&mut *connection)
                .await?;
            ends.0
                .zip(ends.1)
                .map(|(first, last)| (row_id, first, last))
        }
    };
    match ends {
        Some((row_id, first, last)) if i128::from(last) - i128::from(first) >= i128::from(ROWS) => {
            rows.is_spread = true;
            rows.is_whole = false;
            let width = (i128::from(last) - i128::from(first) + 1) / i128::from(RUNS);
            let mut draw = Draw::new(seed);
            for run in 0..RUNS {
                let begin = i128::from(first) + i128::from(run) * width;
                let spare = (width - i128::from(ROWS / RUNS)).max(1);
                let from = begin + i128::from(draw.below(u64::try_from(spare).unwrap_or(u64::MAX)));
                let part = format!(
                    "{select} WHERE {row_id} >= {from} AND {row_id} < {} ORDER BY {row_id} LIMIT {}",
                    begin + width,
                    ROWS / RUNS
                );
                take(connection, part, columns.len(), &mut rows, &mut bytes).await?;
                if bytes >= MAX_SAMPLE_BYTES {
                    break;
                }
            }
        }
        _ => {
            let all = format!("{select} LIMIT {}", ROWS + 1);
            take(connection, all, columns.len(), &mut rows, &mut bytes).await?;
            rows.is_whole = rows.cells.len() as i64 <= ROWS && bytes < MAX_SAMPLE_BYTES;
        }
    }
    Ok(rows)
}

/// A column as recognisers may see it: of a text its beginning, of bytes nothing.
fn cell(column: &str) -> String {
    format!(
        "CASE typeof({column}) WHEN 'text' THEN substr({column}, 1, {TEXT}) WHEN 'blob' THEN x'' ELSE {column} END"
    )
}

async fn take(
    connection: &mut SqliteConnection,
    sql: String,
    columns: usize,
    rows: &mut Rows,
    bytes: &mut usize,
) -> sqlx::Result<()> {
    use futures_util::TryStreamExt;

    let mut found = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
    while let Some(row) = found.try_next().await? {
        let cells: Vec<Cell> = (0..columns)
            .map(|place| value(&row, place))
            .collect::<sqlx::Result<_>>()?;
        *bytes += cells.iter().map(size).sum::<usize>();
        rows.cells.push(cells);
        if *bytes >= MAX_SAMPLE_BYTES {
            return Ok(());
        }
    }
    Ok(())
}

fn value(row: &SqliteRow, place: usize) -> sqlx::Result<Cell> {
    let raw = row.try_get_raw(place)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" => Cell::Integer(row.try_get(place)?),
        // A file may have anything under the name of text.
        "TEXT" => Cell::Text(row.try_get(place).unwrap_or_default()),
        _ => Cell::Other,
    })
}

fn size(cell: &Cell) -> usize {
    size_of::<Cell>()
        + match cell {
            Cell::Text(text) => text.len(),
            _ => 0,
        }
}

/// The columns that recognisers look at.
fn made(table: &str, columns: &[String], rows: Rows) -> Result<SampledTable, String> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (place, name) in columns.iter().enumerate() {
        let cells = || rows.cells.iter().filter_map(|row| row.get(place));
        let is = |of: fn(&Cell) -> bool| cells().any(of);
        let texts = is(|cell| matches!(cell, Cell::Text(_)));
        let integers = is(|cell| matches!(cell, Cell::Integer(_)));
        if !texts && !integers && is(|cell| matches!(cell, Cell::Other)) {
            continue;
        }
        let (data_type, array): (DataType, ArrayRef) = match integers && !texts {
            true => {
                let integers = cells().map(|cell| match cell {
                    Cell::Integer(integer) => Some(*integer),
                    _ => None,
                });
                (DataType::Int64, Arc::new(integers.collect::<Int64Array>()))
            }
            false => {
                let texts = cells().map(|cell| match cell {
                    Cell::Text(text) => Some(text.clone()),
                    Cell::Integer(integer) => Some(integer.to_string()),
                    Cell::Null | Cell::Other => None,
                });
                (DataType::Text, Arc::new(texts.collect::<StringArray>()))
            }
        };
        fields.push(Field::new(name.as_str(), data_type));
        arrays.push(array);
    }
    let arrow = fields
        .iter()
        .map(|field| arrow_schema::Field::new(&*field.name, field.data_type.to_arrow(), true));
    let arrow = Arc::new(ArrowSchema::new(arrow.collect::<Vec<_>>()));
    let batches = match fields.is_empty() {
        true => Vec::new(),
        false => vec![
            // Arrow's own words may have a cell.
            RecordBatch::try_new(arrow, arrays).map_err(|_| "cells make no batch".to_owned())?,
        ],
    };
    Ok(SampledTable {
        name: table.to_owned(),
        left_out: columns.len() - fields.len(),
        fields,
        sample: Sample {
            batches,
            rejects: Vec::new(),
            is_spread: rows.is_spread,
            whole: rows.is_whole,
        },
    })
}

fn options(path: &Path, table: &str) -> Options {
    Options {
        path: path.to_owned(),
        table: table.to_owned(),
        mode: Mode::Append,
        keys: Vec::new(),
        identity_key: None,
        lenient: Lenient::default(),
    }
}

/// Asks a file that nobody vouches for: functions with side effects are not for its schema.
fn ask<T>(
    options: &Options,
    query: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T>,
) -> Result<T, SinkError> {
    runtime(options)?.block_on(async {
        let mut connection = connect(options, false).await?;
        let place = options.place();
        for guard in ["PRAGMA trusted_schema = OFF", "PRAGMA query_only = ON"] {
            statement(&mut connection, guard, &place).await?;
        }
        let found = query(&mut connection).await;
        // What was read stays read, however the goodbye goes.
        let _ = connection.close().await;
        found.map_err(|error| refusal(error, &place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sql: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let made = options(file.path(), "t");
        let run = async {
            let mut connection = connect(&made, false).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                .execute(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
        };
        runtime(&made).unwrap().block_on(run);
        file
    }

    #[test]
    fn tables_are_told_and_neither_our_own_nor_views() {
        let file = file(
            "CREATE TABLE \"a \"\"b\" (x); CREATE TABLE glovebox_run (run); CREATE VIEW v AS SELECT 1;
             CREATE TABLE w (k PRIMARY KEY) WITHOUT ROWID",
        );
        assert_eq!(tables(file.path()).unwrap(), ["a \"b", "w"]);
        let view = sampled(file.path(), "v", 0);
        assert!(matches!(view, Err(SinkError::Shape { .. })));
    }

    #[test]
    fn a_column_has_the_cells_that_are_there_whatever_its_type() {
        let file = file(
            "CREATE TABLE t (n TEXT, whole INTEGER, mixed, real REAL, bytes BLOB, rowid TEXT);
             INSERT INTO t VALUES ('a', 1, 7, 1.5, x'00', 'r'), (NULL, 2, 'b', 2.5, x'01', NULL)",
        );
        let found = sampled(file.path(), "t", 0).unwrap();
        let fields = found.fields.iter();
        let fields: Vec<_> = fields.map(|f| (f.name.to_string(), f.data_type)).collect();
        let due = [
            ("n", DataType::Text),
            ("whole", DataType::Int64),
            ("mixed", DataType::Text),
            ("rowid", DataType::Text),
        ];
        assert_eq!(fields, due.map(|(name, of)| (name.to_owned(), of)));
        assert_eq!((found.left_out, found.sample.whole), (2, true));
        assert_eq!(found.sample.batches[0].num_rows(), 2);
    }

    #[test]
    fn rows_are_from_all_over_a_large_table_and_the_same_by_seed() {
        let file = file(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
             INSERT INTO t SELECT i, 'x' FROM n",
        );
        let ids = |seed| {
            let found = sampled(file.path(), "t", seed).unwrap();
            assert!(found.sample.is_spread && !found.sample.whole);
            let ids = found.sample.batches[0].column(0).clone();
            let ids = ids.as_any().downcast_ref::<Int64Array>().unwrap().clone();
            ids.values().to_vec()
        };
        let first = ids(0);
        assert_eq!(first.len() as i64, ROWS);
        let mut distinct = first.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), first.len());
        assert!(first.last().unwrap() - first[0] > 190_000);
        assert_eq!(ids(0), first);
        assert_ne!(ids(1), first);
    }
}
