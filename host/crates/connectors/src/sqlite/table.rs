//! The table: whether it can be created, and whether an existing one fits.

use std::collections::{BTreeMap, HashMap, HashSet};

use glovebox_core::{DataType, Equality, Schema, SinkError};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::refusal::refusal;
use super::rows::{Column, MARKS};
use super::types::{Form, accepted, form};
use super::{Mode, Options};
use crate::database::{collision, misfit, quote, quote_all, unfit_key, unusable_names};

/// Checks the table's name.
pub(super) fn name(options: &Options) -> Result<(), SinkError> {
    let name = options.table.to_ascii_lowercase();
    if name.is_empty() || name.contains('\0') || name.starts_with("sqlite_") {
        let problem = "a table's name is not empty and does not begin with `sqlite_`";
        return Err(misfit(options.place(), &[problem.into()]));
    }
    Ok(())
}

/// An existing table.
pub(super) struct Found {
    kind: String,
    columns: Vec<Existing>,
    /// Whether a unique index or primary key is on the keys of an upsert, and on no more.
    keyed: bool,
    /// The unique indexes: their names and columns.
    unique: BTreeMap<String, Vec<String>>,
    strict: bool,
    /// Whether it may refuse rows that the types of its columns take.
    pub(super) refuses: bool,
    /// Whether something of it may keep a part of a statement that fails.
    pub(super) halves: bool,
}

/// `SQLITE_MAX_COLUMN`.
const MAX_COLUMNS: usize = 2000;

struct Existing {
    name: String,
    sql_type: String,
    not_null: bool,
    default: bool,
    /// Its place in the primary key, counted from 1; 0 if it is not in it.
    key: i64,
    generated: bool,
}

fn existing(row: SqliteRow) -> sqlx::Result<Existing> {
    Ok(Existing {
        name: row.try_get(0)?,
        sql_type: row.try_get::<String, _>(1)?.to_ascii_uppercase(),
        not_null: row.try_get(2)?,
        default: row.try_get(3)?,
        key: row.try_get(4)?,
        generated: row.try_get::<i64, _>(5)? > 1,
    })
}

/// The table, if there is one of that name.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    options: &Options,
) -> Result<Option<Found>, SinkError> {
    let read = async {
        let kind: Option<(String, bool)> = sqlx::query_as(
            "SELECT type, strict FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE",
        )
        .bind(options.table.as_str())
        .fetch_optional(&mut *connection)
        .await?;
        let Some((kind, strict)) = kind else {
            return Ok(None);
        };
        let columns = sqlx::query(
            "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden \
             FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
        )
        .bind(options.table.as_str())
        .fetch_all(&mut *connection)
        .await?;
        let columns = columns
            .into_iter()
            .map(existing)
            .collect::<sqlx::Result<Vec<_>>>()?;
        let unique = unique_indexes(connection, options, &columns).await?;
        let ruled: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE \"unique\" = 1) \
             OR EXISTS (SELECT 1 FROM pragma_foreign_key_list(?1))",
        )
        .bind(options.table.as_str())
        .fetch_one(&mut *connection)
        .await?;
        // Its own statement, and those of its triggers and indexes.
        let made: Vec<(String, String)> = sqlx::query_as(
            "SELECT type, upper(sql) FROM sqlite_schema \
             WHERE tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL",
        )
        .bind(options.table.as_str())
        .fetch_all(&mut *connection)
        .await?;
        let refuses = ruled
            || columns.iter().any(|c| c.key > 0 || c.generated)
            || made
                .iter()
                .any(|(kind, sql)| kind != "table" || sql.contains("CHECK"));
        let halves = made.iter().any(|(_, sql)| sql.contains("FAIL"));
        Ok(Some(Found {
            kind,
            keyed: is_keyed(&unique, options),
            unique,
            columns,
            strict,
            refuses,
            halves,
        }))
    };
    read.await.map_err(|e| refusal(e, &options.place()))
}

/// The unique indexes that hold for all rows, the primary key among them: their names and columns.
async fn unique_indexes(
    connection: &mut SqliteConnection,
    options: &Options,
    columns: &[Existing],
) -> sqlx::Result<BTreeMap<String, Vec<String>>> {
    let mut indexes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let row_id: Vec<String> = columns
        .iter()
        .filter(|c| c.key > 0)
        .map(|c| c.name.clone())
        .collect();
    indexes.insert("PRIMARY KEY".into(), row_id);
    let found: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT l.name, i.name FROM pragma_index_list(?) l, pragma_index_info(l.name) i \
         WHERE l.\"unique\" = 1 AND l.partial = 0",
    )
    .bind(options.table.as_str())
    .fetch_all(connection)
    .await?;
    for (index, column) in found {
        indexes
            .entry(index)
            .or_default()
            .push(column.unwrap_or_default());
    }
    Ok(indexes)
}

/// Whether one of them is on exactly the keys.
fn is_keyed(indexes: &BTreeMap<String, Vec<String>>, options: &Options) -> bool {
    indexes.values().any(|columns| {
        columns.len() == options.keys.len() && columns.iter().all(|c| is_key(c, &options.keys))
    })
}

/// Unique indexes over a column whose mask may be the same for different cells.
fn colliding(table: &Found, schema: &Schema) -> Vec<String> {
    let masked = schema
        .fields
        .iter()
        .filter(|field| field.equality == Equality::Merges);
    masked
        .flat_map(|field| {
            let over = |columns: &Vec<String>| {
                let mut columns = columns.iter();
                columns.any(|column| column.eq_ignore_ascii_case(&field.name))
            };
            let indexes = table
                .unique
                .iter()
                .filter(move |(_, columns)| over(columns));
            indexes.map(move |(index, _)| collision(&field.name, index))
        })
        .collect()
}

/// Compares the table with the run's columns, and returns these as the table takes them; with what
/// other tables have against it.
pub(super) fn check(
    table: &Found,
    others: Vec<String>,
    schema: &Schema,
    options: &Options,
) -> Result<Vec<Column>, SinkError> {
    let mut differences = unusable_names(schema);
    differences.extend(twins(schema));
    differences.extend(too_many(schema, options));
    differences.extend(missing_keys(schema, options));
    if table.kind != "table" {
        differences.push(
            "it is not an ordinary table but, for example, a view; use a \
                         table"
                .into(),
        );
    }
    if options.mode == Mode::Upsert && !table.keyed {
        differences.push(format!(
            "there is no unique index on the keys; run: CREATE UNIQUE INDEX {} ON {} ({})",
            quote(&format!("{}_keys", options.table)),
            quote(&options.table),
            quote_all(options.keys.iter().map(String::as_str))
        ));
    }
    let mut taken = Vec::new();
    let by_name: HashMap<String, &Existing> = table
        .columns
        .iter()
        .map(|c| (c.name.to_ascii_lowercase(), c))
        .collect();
    for field in &schema.fields {
        let Some(column) = by_name.get(&field.name.to_ascii_lowercase()) else {
            differences.push(format!(
                "column `{}` is missing; run: ALTER TABLE {} ADD COLUMN {} {}",
                field.name,
                quote(&options.table),
                quote(&field.name),
                sql_type(field.data_type)
            ));
            continue;
        };
        let form = form(field.data_type, &column.sql_type, table.strict);
        if column.generated {
            differences.push(format!(
                "column `{}` is generated by the table and cannot be filled; leave it out",
                field.name
            ));
        } else if form.is_none() {
            differences.push(format!(
                "column `{}` is {}, but {} needs {}",
                field.name,
                column.sql_type,
                field.data_type,
                accepted(field.data_type)
            ));
        }
        taken.push(Column {
            name: field.name.clone(),
            data_type: field.data_type,
            form: form.unwrap_or(Form::Own),
            not_null: column.not_null || !field.nullable || is_key(&field.name, &options.keys),
        });
    }
    differences.extend(unfilled(table, schema));
    differences.extend(colliding(table, schema));
    differences.extend(others);
    if differences.is_empty() {
        Ok(taken)
    } else {
        Err(misfit(options.place(), &differences))
    }
}

/// Columns of the table that need a value, and get none from the run.
fn unfilled(table: &Found, schema: &Schema) -> Vec<String> {
    let mut differences = Vec::new();
    let ours: HashSet<String> = schema
        .fields
        .iter()
        .map(|f| f.name.to_ascii_lowercase())
        .collect();
    let key_columns = table.columns.iter().filter(|c| c.key > 0).count();
    for column in &table.columns {
        let ours = ours.contains(&column.name.to_ascii_lowercase());
        // An INTEGER PRIMARY KEY is the row's number, which SQLite fills.
        let row_id = key_columns == 1 && column.key == 1 && column.sql_type == "INTEGER";
        if !ours && column.not_null && !column.default && !column.generated && !row_id {
            differences.push(format!(
                "column `{}` is NOT NULL without a default, but the run does not fill it; fill \
                it, or give it a default",
                column.name
            ));
        }
    }
    differences
}

/// Whether the table can be created.
pub(super) fn creatable(schema: &Schema, options: &Options) -> Result<(), SinkError> {
    let mut differences = unusable_names(schema);
    differences.extend(twins(schema));
    differences.extend(too_many(schema, options));
    differences.extend(missing_keys(schema, options));
    if differences.is_empty() {
        Ok(())
    } else {
        Err(misfit(options.place(), &differences))
    }
}

/// Keys that the run does not fill.
fn missing_keys(schema: &Schema, options: &Options) -> Vec<String> {
    let filled = |key: &&String| {
        let mut fields = schema.fields.iter();
        !fields.any(|f| f.name.eq_ignore_ascii_case(key))
    };
    let missing = options.keys.iter().filter(filled);
    let missing = missing.map(|key| {
        format!("column `{key}` of `keys:` is not stored; add it to the sink's columns")
    });
    let masked = options.keys.iter().filter_map(|key| {
        let mut fields = schema.fields.iter();
        let field = fields.find(|field| field.name.eq_ignore_ascii_case(key))?;
        unfit_key(key, field.equality)
    });
    missing.chain(masked).collect()
}

/// Columns that SQLite cannot tell apart.
fn twins(schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    let mut earlier: HashMap<String, &str> = HashMap::new();
    for field in &schema.fields {
        if let Some(other) = earlier.insert(field.name.to_ascii_lowercase(), &field.name) {
            found.push(format!(
                "columns `{other}` and `{}` are the same for SQLite, which ignores case; rename \
                one",
                field.name
            ));
        }
    }
    found
}

/// More columns than a table, or the one that the rows are staged in, can have.
fn too_many(schema: &Schema, options: &Options) -> Option<String> {
    let most = match options.mode {
        Mode::Append => MAX_COLUMNS,
        _ => MAX_COLUMNS - MARKS,
    };
    let count = schema.fields.len();
    (count > most).then(|| {
        format!(
            "the run has {count} columns, but a SQLite table takes at most {most} of them; list \
            those to store in `sink.columns`"
        )
    })
}

/// The statement that creates a table of the run's columns.
pub(super) fn create(schema: &Schema, table: &str, keys: &[String]) -> String {
    let mut columns: Vec<String> = schema
        .fields
        .iter()
        .map(|f| {
            let constraint = match f.nullable && !is_key(&f.name, keys) {
                true => "",
                false => " NOT NULL",
            };
            format!("{} {}{constraint}", quote(&f.name), sql_type(f.data_type))
        })
        .collect();
    if !keys.is_empty() {
        let keys = quote_all(keys.iter().map(String::as_str));
        columns.push(format!("PRIMARY KEY ({keys})"));
    }
    format!(
        "CREATE TABLE {} ({}) STRICT",
        quote(table),
        columns.join(", ")
    )
}

fn is_key(column: &str, keys: &[String]) -> bool {
    keys.iter().any(|k| k.eq_ignore_ascii_case(column))
}

/// The columns of a table that [`create`] made.
pub(super) fn columns(schema: &Schema, options: &Options) -> Vec<Column> {
    let column = |f: &glovebox_core::Field| Column {
        name: f.name.clone(),
        data_type: f.data_type,
        form: Form::Own,
        not_null: !f.nullable || is_key(&f.name, &options.keys),
    };
    schema.fields.iter().map(column).collect()
}

/// What a new table gets.
fn sql_type(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Boolean | DataType::Int64 => "INTEGER",
        DataType::Float64 => "REAL",
        DataType::Text | DataType::Decimal { .. } | DataType::Date | DataType::Timestamp => "TEXT",
        DataType::Bytes | DataType::Opaque => "BLOB",
    }
}
