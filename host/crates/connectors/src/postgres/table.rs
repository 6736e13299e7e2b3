//! The table: whether it exists, whether it can be created, and whether an existing one fits.

use std::collections::{HashMap, HashSet};

use glovebox_core::{Schema, SinkError};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::copy::{Column, MARKS};
use super::fit::Form;
use super::name::{MAX_NAME_LEN, Name};
use super::qualified::qualified;
use super::refusal::{Fault, fault};
use super::types::{Kind, accepted, form, sql_type};
use super::{Mode, Options, effects, keys, opaque, sequences};
use crate::database::{misfit, quote, unusable_names};

/// The columns that a table can have: `MaxHeapAttributeNumber`.
const MAX_COLUMNS: usize = 1600;

/// An existing table.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) oid: i64,
    pub(super) schema: String,
    usage: bool,
    kind: String,
    insert: bool,
    delete: bool,
    update: bool,
    select: bool,
    row_security: bool,
}

impl Found {
    /// What has nothing to do with columns: it is a table, and the role may write it.
    pub(super) fn permits(&self, options: &Options) -> Result<(), SinkError> {
        let mut differences = Vec::new();
        if !matches!(self.kind.as_str(), "r" | "p") || self.schema == "pg_catalog" {
            differences.push(
                "it is not an ordinary table but, for example, a view; use a \
                             table"
                    .into(),
            );
        }
        let role = quote(&options.login.user);
        if !self.usage {
            differences.push(format!(
                "the role may not use its schema; run: GRANT USAGE ON SCHEMA {} TO {role}",
                quote(&self.schema)
            ));
        }
        let mut lacking = Vec::new();
        if !self.insert {
            lacking.push("INSERT");
        }
        if !self.delete && options.mode == Mode::Replace {
            lacking.push("DELETE");
        }
        if options.mode == Mode::Upsert {
            // What ON CONFLICT DO UPDATE asks for.
            lacking.extend((!self.update).then_some("UPDATE"));
            lacking.extend((!self.select).then_some("SELECT"));
        }
        if !lacking.is_empty() {
            differences.push(format!(
                "the role lacks privileges; run: GRANT {} ON {} TO {role}",
                lacking.join(", "),
                self.name
            ));
        }
        if self.row_security {
            differences.push(format!(
                "row-level security applies to the role, but COPY does not support it; use the \
                table's owner, or run: ALTER ROLE {role} BYPASSRLS"
            ));
        }
        if differences.is_empty() {
            Ok(())
        } else {
            Err(misfit(options.place(), &differences))
        }
    }
}

/// The table, if there is one of that name.
pub(super) async fn find(
    connection: &mut PgConnection,
    name: &Name,
    options: &Options,
) -> Result<Option<Found>, Fault> {
    let found = sqlx::query(AssertSqlSafe(format!(
        "SELECT c.oid::int8, n.nspname::text, c.relkind::text, \
         pg_catalog.has_table_privilege(c.oid, 'INSERT'), \
         pg_catalog.has_table_privilege(c.oid, 'DELETE'), \
         pg_catalog.has_table_privilege(c.oid, 'UPDATE'), \
         pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
         pg_catalog.row_security_active(c.oid), \
         pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
         FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN ({PATH}) path ON path.schema = n.nspname \
         WHERE c.relname = $1 AND CASE WHEN $3::text IS NULL THEN path.place IS NOT NULL \
         ELSE n.nspname = $3 END ORDER BY path.place LIMIT 1"
    )))
    .bind(name.table())
    .bind(&options.journal)
    .bind(name.schema())
    .fetch_optional(connection)
    .await
    .and_then(|row| row.map(|row| found(name.quoted(), row)).transpose());
    found.map_err(|e| fault(e, &options.place()))
}

/// As [`find`]; where there is none, other runs wait with creating it until this transaction ends.
pub(super) async fn find_or_claim(
    connection: &mut PgConnection,
    name: &Name,
    options: &Options,
) -> Result<Option<Found>, Fault> {
    if let Some(found) = find(connection, name, options).await? {
        return Ok(Some(found));
    }
    let target_schema = resolve_schema(connection, name, options)
        .await?
        .unwrap_or_default();
    let lock = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 1))";
    sqlx::query(lock)
        .bind(name.within(&target_schema))
        .execute(&mut *connection)
        .await
        .map_err(|e| fault(e, &options.place()))?;
    // Whoever had it may have created the table.
    find(connection, name, options).await
}

fn found(name: String, row: PgRow) -> sqlx::Result<Found> {
    Ok(Found {
        name,
        oid: row.try_get(0)?,
        schema: row.try_get(1)?,
        kind: row.try_get(2)?,
        insert: row.try_get(3)?,
        delete: row.try_get(4)?,
        update: row.try_get(5)?,
        select: row.try_get(6)?,
        row_security: row.try_get(7)?,
        usage: row.try_get(8)?,
    })
}

struct Existing {
    name: String,
    kind: Kind,
    not_null: bool,
    generated: bool,
    /// Whether the server fills it when we do not.
    filled: bool,
}

fn existing(row: PgRow) -> sqlx::Result<Existing> {
    let base: i64 = row.try_get(5)?;
    Ok(Existing {
        name: row.try_get(0)?,
        not_null: row.try_get(2)?,
        generated: row.try_get(3)?,
        filled: row.try_get(4)?,
        kind: Kind {
            sql: row.try_get(1)?,
            base: u32::try_from(base).unwrap_or(0),
            modifier: row.try_get(6)?,
            name: row.try_get(7)?,
            labels: row.try_get(8)?,
        },
    })
}

/// The columns, each with the type that its domain is over in the end.
async fn existing_columns(
    connection: &mut PgConnection,
    table: &Found,
    options: &Options,
) -> Result<Vec<Existing>, Fault> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT a.attname::text, {}, a.attnotnull OR b.not_null, \
         a.attgenerated <> '', a.atthasdef OR a.attidentity <> '' OR b.filled, \
         b.oid::int8, b.modifier, b.name, CASE WHEN b.enum THEN \
         ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.oid) END \
         FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL (\
             WITH RECURSIVE base (oid, modifier, not_null, filled) AS (\
                 SELECT a.atttypid, a.atttypmod, false, false UNION ALL \
                 SELECT t.typbasetype, t.typtypmod, d.not_null OR t.typnotnull, \
                 d.filled OR t.typdefault IS NOT NULL \
                 FROM base d JOIN pg_catalog.pg_type t ON t.oid = d.oid WHERE t.typtype = 'd') \
             SELECT base.*, t.typname::text AS name, t.typtype = 'e' AS enum \
             FROM base JOIN pg_catalog.pg_type t ON t.oid = base.oid WHERE t.typtype <> 'd') b \
         WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attnum",
        qualified("a.atttypid", "a.atttypmod")
    )))
    .bind(table.oid)
    .fetch_all(connection)
    .await;
    rows.and_then(|rows| rows.into_iter().map(existing).collect())
        .map_err(|e| fault(e, &options.place()))
}

/// Compares the table with the run's columns, and returns these as the table takes them.
pub(super) async fn check(
    connection: &mut PgConnection,
    table: &Found,
    schema: &Schema,
    options: &Options,
) -> Result<Vec<Column>, Fault> {
    table.permits(options)?;
    let columns = existing_columns(connection, table, options).await?;
    let by_name: HashMap<&str, &Existing> = columns.iter().map(|c| (&*c.name, c)).collect();

    let mut differences = unusable_names(schema);
    differences.extend(too_many(schema, options));
    differences.extend(encoding(connection, options).await?);
    differences.extend(keys::colliding(connection, table, schema, options).await?);
    let mut taken = Vec::new();
    for field in &schema.fields {
        let Some(column) = by_name.get(&*field.name) else {
            differences.push(format!(
                "column `{}` is missing; run: ALTER TABLE {} ADD COLUMN {} {}",
                field.name,
                table.name,
                quote(&field.name),
                sql_type(field)
            ));
            continue;
        };
        let form = form(field, &column.kind);
        if column.generated {
            differences.push(format!(
                "column `{}` is generated by the table and cannot be filled; leave it out",
                field.name
            ));
        } else if form.is_none() {
            differences.push(format!(
                "column `{}` is {}, but {} needs {}",
                field.name,
                column.kind.sql,
                field.data_type,
                accepted(field)
            ));
        }
        taken.push(Column {
            name: field.name.clone(),
            data_type: field.data_type,
            sql_type: column.kind.sql.clone(),
            form: form.unwrap_or(Form::Own),
            not_null: column.not_null || !field.nullable,
            key: is_key(options, &field.name),
            element: None,
        });
    }
    let ours: HashSet<&str> = schema.fields.iter().map(|f| &*f.name).collect();
    for column in &columns {
        let ours = ours.contains(&*column.name);
        if !ours && column.not_null && !column.filled && !column.generated {
            differences.push(format!(
                "column `{}` is NOT NULL without a default, but the run does not fill it; fill \
                it, or give it a default",
                column.name
            ));
        }
    }
    let names: Vec<&str> = schema.fields.iter().map(|f| &*f.name).collect();
    differences.extend(sequences::forbidden(connection, table, &names, options).await?);
    if options.mode == Mode::Upsert {
        differences.extend(keys::unusable(schema, options));
        differences.extend(keys::without_index(connection, table, options).await?);
    }
    differences.extend(effects::obstacles(connection, table.oid, schema, options).await?);
    if differences.is_empty() {
        Ok(taken)
    } else {
        Err(misfit(options.place(), &differences).into())
    }
}

/// Whether the table can be created, and in which schema.
pub(super) async fn creatable(
    connection: &mut PgConnection,
    name: &Name,
    schema: &Schema,
    options: &Options,
) -> Result<String, Fault> {
    let within = resolve_schema(connection, name, options).await?;
    let row = sqlx::query(
        "SELECT n.nspname::text, pg_catalog.has_schema_privilege(n.oid, 'CREATE') \
         FROM pg_catalog.pg_namespace n WHERE n.nspname = $1",
    )
    .bind(within)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|e| fault(e, &options.place()))?;

    let mut differences = unusable_names(schema);
    differences.extend(encoding(connection, options).await?);
    if options.mode == Mode::Upsert {
        differences.extend(keys::unusable(schema, options));
    }
    let role = quote(&options.login.user);
    let mut target_schema = String::new();
    match row {
        None => differences.push(match name.schema() {
            Some(schema) => format!(
                "there is no schema `{schema}`; run: CREATE SCHEMA {} AUTHORIZATION {role}",
                quote(schema)
            ),
            None => {
                "the role's search_path names no schema; write the table as `schema.table`".into()
            }
        }),
        Some(row) => {
            let read = |e| fault(e, &options.place());
            let within: String = row.try_get(0).map_err(read)?;
            let may: bool = row.try_get(1).map_err(read)?;
            if !may {
                differences.push(format!(
                    "it does not exist and the role may not create it; run: GRANT CREATE ON \
                     SCHEMA {} TO {role}, or create it yourself",
                    quote(&within)
                ));
            }
            target_schema = within;
        }
    }
    differences.extend(too_many(schema, options));
    differences.extend(opaque::unknown(connection, schema, options).await?);
    for field in &schema.fields {
        if field.name.len() > MAX_NAME_LEN {
            differences.push(format!(
                "column `{}` has a name of more than {MAX_NAME_LEN} bytes; rename it",
                field.name
            ));
        }
    }
    if differences.is_empty() {
        Ok(target_schema)
    } else {
        Err(misfit(options.place(), &differences).into())
    }
}

/// More columns than a table, or the one that the rows are staged in, can have.
fn too_many(schema: &Schema, options: &Options) -> Option<String> {
    let most = match options.mode {
        Mode::Append => MAX_COLUMNS,
        Mode::Replace | Mode::Upsert => MAX_COLUMNS - MARKS,
    };
    let count = schema.fields.len();
    (count > most).then(|| {
        format!(
            "the run has {count} columns, but a PostgreSQL table takes at most {most} of them; \
            list those to store in `sink.columns`"
        )
    })
}

/// Properties of the whole database that would make rows fail one by one.
async fn encoding(connection: &mut PgConnection, options: &Options) -> Result<Vec<String>, Fault> {
    let read: sqlx::Result<(String, String)> = sqlx::query_as(
        "SELECT pg_catalog.current_setting('server_encoding'), \
         pg_catalog.current_setting('transaction_read_only')",
    )
    .fetch_one(connection)
    .await;
    let (encoding, read_only) = read.map_err(|e| fault(e, &options.place()))?;
    let mut differences = Vec::new();
    if encoding != "UTF8" {
        differences.push(format!(
            "the database's encoding is {encoding}, which cannot store all text; use a UTF8 \
            database"
        ));
    }
    if read_only == "on" {
        differences.push(
            "the server is read-only (transaction_read_only is on); connect to the primary, or \
            have it turned off"
                .into(),
        );
    }
    Ok(differences)
}

/// The statement that creates the table.
pub(super) fn create(name: &str, schema: &Schema, options: &Options) -> String {
    let mut parts: Vec<String> = schema
        .fields
        .iter()
        .map(|f| {
            let constraint = if f.nullable { "" } else { " NOT NULL" };
            format!("{} {}{constraint}", quote(&f.name), sql_type(f))
        })
        .collect();
    if options.mode == Mode::Upsert {
        parts.push(keys::primary(options));
    }
    format!("CREATE TABLE {name} ({})", parts.join(", "))
}

/// The columns of a table that [`create`] made.
pub(super) fn columns(schema: &Schema, options: &Options) -> Vec<Column> {
    let column = |f: &glovebox_core::Field| Column {
        name: f.name.clone(),
        data_type: f.data_type,
        sql_type: sql_type(f),
        form: Form::Own,
        not_null: !f.nullable,
        key: is_key(options, &f.name),
        element: None,
    };
    schema.fields.iter().map(column).collect()
}

fn is_key(options: &Options, name: &str) -> bool {
    options.mode == Mode::Upsert && options.keys.iter().any(|key| key == name)
}

/// Where a name without a schema leads to: the schemas of search_path without that of the journal,
/// which would come first for a role of the same name.
const PATH: &str = "SELECT schema, place \
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) \
     WITH ORDINALITY path (schema, place) WHERE schema <> $2";

/// The schema that a table is in, or would be created in; none if search_path leads nowhere.
pub(super) async fn resolve_schema(
    connection: &mut PgConnection,
    name: &Name,
    options: &Options,
) -> Result<Option<String>, Fault> {
    if let Some(schema) = name.schema() {
        return Ok(Some(schema.to_owned()));
    }
    if let Some(found) = find(connection, name, options).await? {
        return Ok(Some(found.schema));
    }
    sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT schema::text FROM ({PATH}) path WHERE $1 IS NOT NULL ORDER BY place LIMIT 1"
    )))
    .bind(name.table())
    .bind(&options.journal)
    .fetch_optional(connection)
    .await
    .map_err(|e| fault(e, &options.place()))
}
