//! The books: three tables in a schema of their own, written in the transactions that they tell of.
//!
//! Owns their shape and whether the role can keep them; refuses books of another version.

use glovebox_core::SinkError;
use sqlx::postgres::PgConnection;

use super::name::LONGEST_NAME;
use super::refusal::{Fault, fault};
use super::session::{contend, statement};
use super::{Mode, Options};
use crate::database::quote;

/// Version of the tables below, kept as a comment on the first.
const VERSION: &str = "Glovebox books, version 2";
/// Begins the names of staging tables, which stand beside the books.
const STAGE: &str = "stage_";
/// Any number; whoever creates the books holds this lock.
const CREATION: i64 = 0x676c_6f76_6562_6f78;

/// Names and columns, as they are created and as they are checked.
const TABLES: [(&str, &str); 3] = [
    (
        "run",
        "run text PRIMARY KEY, pipeline text NOT NULL, target text NOT NULL, mode text NOT NULL, \
         plan text NOT NULL, source text NOT NULL, length bigint, state text NOT NULL \
         CHECK (state IN ('running', 'finished', 'abandoned')), epoch bigint NOT NULL, \
         started timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(), \
         finished timestamp with time zone, digest bytea, \
         read bigint, stored bigint, filtered bigint, rejected bigint",
    ),
    (
        "chunk",
        "run text NOT NULL, chunk bigint NOT NULL, first_row bigint NOT NULL, \
         read bigint NOT NULL, stored bigint NOT NULL, filtered bigint NOT NULL, \
         rejected bigint NOT NULL, digest bytea NOT NULL, summary text NOT NULL, \
         PRIMARY KEY (run, chunk)",
    ),
    (
        "reject",
        "run text NOT NULL, chunk bigint NOT NULL, \"row\" bigint NOT NULL, line bigint, \
         violations json NOT NULL, file text",
    ),
];

/// The books' tables, by their quoted names.
#[derive(Debug, Clone)]
pub(super) struct Books {
    name: String,
    schema: String,
    place: String,
    pub(super) run: String,
    pub(super) chunk: String,
    pub(super) reject: String,
}

impl Books {
    pub(super) fn new(options: &Options) -> Self {
        let schema = quote(&options.books);
        Books {
            place: format!("schema `{}` in {}", options.books, options.server()),
            name: options.books.clone(),
            run: format!("{schema}.run"),
            chunk: format!("{schema}.chunk"),
            reject: format!("{schema}.reject"),
            schema,
        }
    }

    /// The quoted name of a run's staging table.
    pub(super) fn stage(&self, run: &str) -> String {
        format!("{}.{}", self.schema, quote(&stage_name(run)))
    }

    /// Whether the role can keep books here, changing nothing. Returns whether there are any.
    pub(super) async fn look(
        &self,
        connection: &mut PgConnection,
        options: &Options,
    ) -> Result<bool, Fault> {
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || self.name.contains('\0') {
            let problem = format!("a schema's name has 1 to {LONGEST_NAME} bytes; write another");
            return Err(self.misfit(problem).into());
        }
        let within = self.within(connection).await?;
        let found = match within {
            Some(schema) if schema.usage => self.tables(connection).await?,
            _ => Vec::new(),
        };
        let role = quote(&options.user);
        let refuse = |problem: String| Fault::Lasting(self.misfit(problem));
        let Some(schema) = within else {
            let may: bool = sqlx::query_scalar(
                "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')",
            )
            .fetch_one(connection)
            .await
            .map_err(|e| fault(e, &self.place))?;
            if may {
                return Ok(false);
            }
            return Err(refuse(format!(
                "the run's books are kept there, it does not exist, and the role may not create \
                 it; have the database's owner run: CREATE SCHEMA {} AUTHORIZATION {role}",
                self.schema
            )));
        };
        let staged = options.mode != Mode::Append;
        if !schema.usage || (!schema.create && (found.is_empty() || staged)) {
            return Err(refuse(format!(
                "the role lacks privileges to keep the run's books there; have its owner run: \
                 GRANT USAGE, CREATE ON SCHEMA {0} TO {role}; GRANT SELECT, INSERT, UPDATE, \
                 DELETE ON ALL TABLES IN SCHEMA {0} TO {role}",
                self.schema
            )));
        }
        if found.is_empty() {
            return Ok(false);
        }
        let same = found.len() == TABLES.len()
            && found
                .iter()
                .zip(TABLES)
                .all(|(found, (name, _))| found.name == name && found.columns == shape(name));
        let version = found
            .iter()
            .find(|table| table.name == "run")
            .and_then(|table| table.comment.as_deref());
        if version != Some(VERSION) || !same {
            return Err(refuse(
                "its tables run, chunk and reject are not books that this version of glovebox \
                 keeps; use the version that made them, or name another schema in `books`"
                    .into(),
            ));
        }
        if !found.iter().all(|table| table.writable) {
            return Err(refuse(format!(
                "the role lacks privileges to keep the run's books there; have its owner run: \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {role}",
                self.schema
            )));
        }
        Ok(true)
    }

    /// As [`Books::look`]; creates them where they are missing.
    pub(super) async fn ready(
        &self,
        connection: &mut PgConnection,
        options: &Options,
    ) -> Result<(), Fault> {
        if self.look(connection, options).await? {
            return Ok(());
        }
        let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock({CREATION})");
        statement(connection, &lock, &self.place).await?;
        // Whoever held the lock may have made them.
        if self.look(connection, options).await? {
            return Ok(());
        }
        if self.within(connection).await?.is_none() {
            let create = format!("CREATE SCHEMA {}", self.schema);
            contend(connection, &create, &self.place).await?;
        }
        let mut sql: String = TABLES
            .iter()
            .map(|(name, columns)| format!("CREATE TABLE {}.{name} ({columns}); ", self.schema))
            .collect();
        sql.push_str(&format!(
            "CREATE INDEX ON {} (run, \"row\"); COMMENT ON TABLE {} IS '{VERSION}'",
            self.reject, self.run
        ));
        contend(connection, &sql, &self.place).await
    }

    pub(super) fn misfit(&self, problem: String) -> SinkError {
        SinkError::Shape {
            place: self.place.clone(),
            problem,
        }
    }

    async fn within(&self, connection: &mut PgConnection) -> Result<Option<Within>, Fault> {
        let row: Option<(bool, bool)> = sqlx::query_as(
            "SELECT pg_catalog.has_schema_privilege(oid, 'USAGE'), \
             pg_catalog.has_schema_privilege(oid, 'CREATE') \
             FROM pg_catalog.pg_namespace WHERE nspname = $1",
        )
        .bind(&self.name)
        .fetch_optional(connection)
        .await
        .map_err(|e| fault(e, &self.place))?;
        Ok(row.map(|(usage, create)| Within { usage, create }))
    }

    /// Those of the three that there are, in the order of [`TABLES`].
    async fn tables(&self, connection: &mut PgConnection) -> Result<Vec<Table>, Fault> {
        let names: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
        let rows: Vec<(String, Vec<String>, Option<String>, bool)> = sqlx::query_as(
            "SELECT c.relname::text, \
             ARRAY(SELECT pg_catalog.format('%s %s', a.attname, \
                   pg_catalog.format_type(a.atttypid, a.atttypmod)) \
                   FROM pg_catalog.pg_attribute a \
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                   ORDER BY a.attnum), \
             pg_catalog.obj_description(c.oid, 'pg_class'), \
             pg_catalog.has_table_privilege(c.oid, 'SELECT') \
             AND pg_catalog.has_table_privilege(c.oid, 'INSERT') \
             AND pg_catalog.has_table_privilege(c.oid, 'UPDATE') \
             AND pg_catalog.has_table_privilege(c.oid, 'DELETE') \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname = ANY ($2) \
             ORDER BY pg_catalog.array_position($2, c.relname::text)",
        )
        .bind(&self.name)
        .bind(&names)
        .fetch_all(connection)
        .await
        .map_err(|e| fault(e, &self.place))?;
        let table = |(name, columns, comment, writable)| Table {
            name,
            columns,
            comment,
            writable,
        };
        Ok(rows.into_iter().map(table).collect())
    }
}

#[derive(Clone, Copy)]
struct Within {
    usage: bool,
    create: bool,
}

struct Table {
    name: String,
    columns: Vec<String>,
    comment: Option<String>,
    writable: bool,
}

/// Name and type of each column, as the catalogue writes them.
fn shape(table: &str) -> Vec<String> {
    let columns = TABLES.iter().find(|(name, _)| *name == table);
    columns
        .map(|(_, columns)| *columns)
        .unwrap_or_default()
        .split(", ")
        // What stands in parentheses was cut too; columns begin with a lower-case word or a quote.
        .filter(|part| part.starts_with(|c: char| c.is_ascii_lowercase() || c == '"'))
        .filter_map(|part| {
            let (name, rest) = part.split_once(' ')?;
            let kind = [
                "timestamp with time zone",
                "text",
                "bigint",
                "bytea",
                "json",
            ]
            .into_iter()
            .find(|kind| rest.starts_with(kind))?;
            Some(format!("{} {kind}", name.trim_matches('"')))
        })
        .collect()
}

/// The name of a run's staging table.
pub(super) fn stage_name(run: &str) -> String {
    format!("{STAGE}{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_read_off_the_statement_that_creates_it() {
        assert_eq!(
            shape("run").join(", "),
            "run text, pipeline text, target text, mode text, plan text, source text, \
             length bigint, state text, epoch bigint, started timestamp with time zone, \
             finished timestamp with time zone, digest bytea, read bigint, stored bigint, \
             filtered bigint, rejected bigint"
        );
        assert_eq!(
            shape("reject"),
            [
                "run text",
                "chunk bigint",
                "row bigint",
                "line bigint",
                "violations json",
                "file text"
            ]
        );
        assert_eq!(shape("chunk").len(), 9);
    }
}
