//! The journal: four tables in a separate schema, written in the same transactions as the rows.

use glovebox_core::{Secret, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::Options;
use super::journal_tables::{Found, KEY, TABLES, Table, VERSION, state};
use super::name::MAX_NAME_LEN;
use super::refusal::{Fault, fault};
use super::session::{contend, statement};
use crate::database::quote;

/// Begins the names of staging tables, which stand beside the journal.
const STAGE: &str = "stage_";
/// Any number; whoever creates the journal holds this lock.
pub(super) const CREATION: i64 = 0x676c_6f76_6562_6f78;

/// The journal's tables, by their quoted names.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    name: String,
    schema: String,
    place: String,
    pub(super) run: String,
    pub(super) chunk: String,
    pub(super) reject: String,
    /// Made once it is needed.
    pub(super) sealed: String,
    pub(super) key: String,
}

impl Journal {
    pub(super) fn new(options: &Options) -> Self {
        let schema = quote(&options.journal);
        Journal {
            place: format!("schema `{}` in {}", options.journal, options.login),
            name: options.journal.clone(),
            run: format!("{schema}.run"),
            chunk: format!("{schema}.chunk"),
            reject: format!("{schema}.reject"),
            sealed: format!("{schema}.sealed"),
            key: format!("{schema}.{KEY}"),
            schema,
        }
    }

    /// The quoted name of a run's staging table.
    pub(super) fn stage(&self, run: &str) -> String {
        format!("{}.{}", self.schema, quote(&stage_name(run)))
    }

    /// Whether the role can keep a journal here, changing nothing. Returns whether there is one.
    pub(super) async fn look(
        &self,
        connection: &mut PgConnection,
        options: &Options,
    ) -> Result<Found, Fault> {
        if self.name.is_empty() || self.name.len() > MAX_NAME_LEN || self.name.contains('\0') {
            let problem = format!("a schema's name has 1 to {MAX_NAME_LEN} bytes; choose another");
            return Err(self.misfit(problem).into());
        }
        let within = self.within(connection).await?;
        let found = match within {
            Some(schema) if schema.usage => self.tables(connection).await?,
            _ => Vec::new(),
        };
        let role = quote(&options.login.user);
        let refuse = |problem: String| Fault::Lasting(self.misfit(problem));
        let Some(schema) = within else {
            let may = self.may_create(connection).await?;
            if may {
                return Ok(Found::Nothing);
            }
            return Err(refuse(format!(
                "the run's journal belongs there, but the schema does not exist and the role may \
                not create it; have the database's owner run: CREATE SCHEMA {} AUTHORIZATION \
                {role}",
                self.schema
            )));
        };
        let staged = options.mode.stages();
        if !schema.usage || (!schema.create && (found.is_empty() || staged)) {
            return Err(refuse(format!(
                "the role lacks privileges to keep the run's journal there; have its owner run: \
                 GRANT USAGE, CREATE ON SCHEMA {0} TO {role}; GRANT SELECT, INSERT, UPDATE, \
                 DELETE ON ALL TABLES IN SCHEMA {0} TO {role}",
                self.schema
            )));
        }
        if found.is_empty() {
            return Ok(Found::Nothing);
        }
        let state = state(&found);
        let Some(state) = state else {
            return Err(refuse(
                "its tables run, chunk, reject and key are not a journal of this version of \
                glovebox; use the version that created them, or set `journal` to another schema"
                    .into(),
            ));
        };
        if !found.iter().all(|table| table.writable) {
            return Err(refuse(format!(
                "the role lacks privileges to keep the run's journal there; have its owner run: \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {role}",
                self.schema
            )));
        }
        Ok(state)
    }

    /// Whether the role may make a schema.
    async fn may_create(&self, connection: &mut PgConnection) -> Result<bool, Fault> {
        sqlx::query_scalar(
            "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')",
        )
        .fetch_one(connection)
        .await
        .map_err(|e| fault(e, &self.place))
    }

    /// As [`Journal::look`]; creates them where they are missing.
    pub(super) async fn ready(
        &self,
        connection: &mut PgConnection,
        options: &Options,
    ) -> Result<(), Fault> {
        if self.look(connection, options).await? == Found::Ready {
            return Ok(());
        }
        let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock({CREATION})");
        statement(connection, &lock, &self.place).await?;
        // Whoever held the lock may have made them.
        match self.look(connection, options).await? {
            Found::Ready => return Ok(()),
            Found::Before => return self.renew(connection, options).await,
            Found::Nothing => {}
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
        contend(connection, &sql, &self.place).await?;
        self.make_key(connection, options).await
    }

    /// A key that the database makes itself, for all loaders into it.
    async fn make_key(
        &self,
        connection: &mut PgConnection,
        options: &Options,
    ) -> Result<(), Fault> {
        let owned = format!(
            "REVOKE ALL ON {0} FROM PUBLIC; \
             COMMENT ON TABLE {0} IS 'Key of the digests in the journal: for roles that load only'",
            self.key
        );
        statement(connection, &owned, &self.place).await?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| SinkError::Internal {
            place: options.place(),
            problem: format!("the operating system provides no random numbers: {e}"),
        })?;
        let insert = format!("INSERT INTO {} (key) VALUES ($1)", self.key);
        sqlx::query(AssertSqlSafe(insert))
            .bind(key.as_slice())
            .execute(connection)
            .await
            .map(drop)
            .map_err(|e| fault(e, &self.place))
    }

    /// Makes a journal of the version before one of this, in the transaction that is open. What
    /// their runs kept of inputs were cut digests, which say nothing under a key.
    async fn renew(&self, connection: &mut PgConnection, options: &Options) -> Result<(), Fault> {
        let owner: bool = sqlx::query_scalar(
            "SELECT pg_catalog.bool_and(pg_catalog.pg_has_role(c.relowner, 'USAGE')) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname IN ('run', 'chunk')",
        )
        .bind(&self.name)
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| fault(e, &self.place))?;
        if !owner {
            return Err(self
                .misfit(
                    "its tables are a journal of an earlier version of glovebox, and the role may \
                    not upgrade them; run once as the role that owns them"
                        .into(),
                )
                .into());
        }
        let key = TABLES.iter().find(|(name, _)| *name == KEY);
        let sql = format!(
            "ALTER TABLE {0} DROP COLUMN length, ADD COLUMN parts text, ADD COLUMN key integer, \
             ADD COLUMN runner text, ADD COLUMN lines bigint, ADD COLUMN first_lines bigint, \
             ADD COLUMN first_digest bytea; \
             ALTER TABLE {1} ADD COLUMN lines bigint, ADD COLUMN upto bytea; \
             CREATE TABLE {2} ({3}); COMMENT ON TABLE {0} IS '{VERSION}'",
            self.run,
            self.chunk,
            self.key,
            key.map(|(_, columns)| *columns).unwrap_or_default()
        );
        statement(connection, &sql, &self.place).await?;
        self.make_key(connection, options).await
    }

    /// The key of the digests; of the manifest's, where it names one.
    pub(super) async fn read_key(
        &self,
        connection: &mut PgConnection,
        options: &Options,
    ) -> Result<Secret, Fault> {
        if let Some(key) = &options.identity_key {
            return Ok(key.clone());
        }
        let sql = format!("SELECT key FROM {}", self.key);
        let key: Option<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_optional(connection)
            .await
            .map_err(|e| fault(e, &self.place))?;
        match key.filter(|key| key.len() == 32) {
            Some(key) => Ok(Secret::new(key)),
            None => Err(self
                .misfit(
                    "its table key is empty, so inputs cannot be recognised; restore the key, or \
                    set `journal` to another schema"
                        .into(),
                )
                .into()),
        }
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

    /// Those of the four that there are, in the order of [`TABLES`].
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

/// The name of the table by which a run finds out who still looks at the database as it was.
pub(super) fn wait_name(run: &str) -> String {
    format!("wait_{run}")
}

/// The name of a run's staging table.
pub(super) fn stage_name(run: &str) -> String {
    format!("{STAGE}{run}")
}
