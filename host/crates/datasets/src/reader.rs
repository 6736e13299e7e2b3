//! Connections that can only read, and a page taken over one of them.
//! If the database file was replaced, the new one is opened instead of serving the old pages.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Row, SqlitePool};
use tokio::sync::Mutex;

use super::connections::{ACQUIRE_TIMEOUT, Connections};
use super::examine::{self, Difference, Found};
use super::rows::{Cells, batch};
use super::sql::{Casts, Dialect, Statement, compares_text, statement};
use super::{Cell, Column, Page, PageError, Query, STATEMENT_TIMEOUT, Table};
use glovebox_connectors::database::quote;
use glovebox_connectors::postgres;
use glovebox_core::{DataType, DatabasePlace, Login};

/// Where a table is read.
pub type Place = DatabasePlace<Box<PgConnectOptions>>;

/// A PostgreSQL server, which is reached over verified TLS alone.
///
/// # Errors
/// When its authorities cannot be read.
pub fn server(login: &Login, connections: u32) -> Result<Place, String> {
    let shown = format!("{}:{}/{}", login.host, login.port, login.database);
    Ok(Place::Postgres {
        connect: Box::new(
            postgres::verified(login).map_err(|problem| format!("{shown}: {problem}"))?,
        ),
        shown,
        connections,
    })
}

/// Reads pages.
pub struct Reader {
    place: String,
    source: Source,
}

enum Source {
    Sqlite {
        path: PathBuf,
        /// The file that is open, by device and number.
        open: Mutex<Option<((u64, u64), SqlitePool)>>,
    },
    Postgres {
        connections: Box<Connections>,
        /// Of each table that was looked at.
        casts: Mutex<HashMap<String, Arc<Casts>>>,
    },
}

impl Reader {
    /// A reader that connects when the first page is asked for.
    pub fn new(place: &Place) -> Self {
        match place {
            Place::Sqlite(path) => Reader {
                place: path.display().to_string(),
                source: Source::Sqlite {
                    path: path.clone(),
                    open: Mutex::default(),
                },
            },
            Place::Postgres {
                connect,
                shown,
                connections,
            } => {
                let timeout = STATEMENT_TIMEOUT.as_millis().to_string();
                let options = connect
                    .as_ref()
                    .clone()
                    .application_name("glovebox api")
                    .options([
                        ("default_transaction_read_only", "on"),
                        ("statement_timeout", timeout.as_str()),
                    ])
                    .disable_statement_logging();
                Reader {
                    place: shown.clone(),
                    source: Source::Postgres {
                        connections: Box::new(Connections::new(options, *connections)),
                        casts: Mutex::default(),
                    },
                }
            }
        }
    }

    /// How a table is not what is declared, by what its database says of it; no row is read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn examine(&self, table: &Table) -> Result<Vec<Difference>, PageError> {
        let look = async {
            match &self.source {
                Source::Sqlite { path, open } => {
                    let pool = self.sqlite(path, open).await?;
                    let found: Result<Vec<(String, String)>, _> = sqlx::query_as(examine::SQLITE)
                        .bind(&table.name)
                        .fetch_all(&pool)
                        .await;
                    let found = found.map_err(|e| self.unreadable(&e))?.into_iter();
                    let found: Vec<_> = found
                        .map(|(name, data_type)| Found {
                            name,
                            data_type,
                            readable: true,
                            cast: None,
                        })
                        .collect();
                    let (same, fits) = (examine::is_in_sqlite, examine::fits_sqlite);
                    Ok(examine::differences(table, &found, same, fits))
                }
                Source::Postgres { connections, .. } => {
                    let found = self.columns(connections, table).await?;
                    let (same, fits) = (examine::is_in_postgres, examine::fits_postgres);
                    Ok(examine::differences(table, &found, same, fits))
                }
            }
        };
        match tokio::time::timeout(STATEMENT_TIMEOUT, look).await {
            Ok(found) => found,
            Err(_) => Err(PageError::Slow {
                place: self.place.clone(),
            }),
        }
    }

    /// A page.
    ///
    /// # Errors
    /// When the query names what is not declared, or the table cannot be read or does not hold
    /// what is declared.
    pub async fn page(&self, table: &Table, query: &Query) -> Result<Page, PageError> {
        let read = async {
            match &self.source {
                Source::Sqlite { path, open } => {
                    let statement = statement(Dialect::Sqlite, table, query, &Casts::new())?;
                    let pool = self.sqlite(path, open).await?;
                    let mut arguments = SqliteArguments::default();
                    for cell in &statement.bound {
                        bind_sqlite(&mut arguments, cell).map_err(|()| UNBOUND)?;
                    }
                    // Safe by construction: declared names through `quote`, values bound.
                    let sql = AssertSqlSafe(statement.sql.clone());
                    let rows = sqlx::query_with(sql, arguments)
                        .fetch_all(&pool)
                        .await
                        .map_err(|e| self.unreadable(&e))?;
                    self.assemble(rows, table, query, &statement)
                }
                Source::Postgres { connections, casts } => {
                    let known = match compares_text(query) {
                        true => self.casts(connections, casts, table).await?,
                        false => Arc::default(),
                    };
                    let statement = statement(Dialect::Postgres, table, query, &known)?;
                    let mut arguments = PgArguments::default();
                    for cell in &statement.bound {
                        bind_postgres(&mut arguments, cell).map_err(|()| UNBOUND)?;
                    }
                    let rows = match connections.rows(&statement.sql, arguments).await {
                        Ok(rows) => rows,
                        Err(error) => {
                            // The table may have been changed since it was looked at.
                            casts.lock().await.clear();
                            return Err(
                                refused(&error, query).unwrap_or_else(|| self.unreadable(&error))
                            );
                        }
                    };
                    self.assemble(rows, table, query, &statement)
                }
            }
        };
        match tokio::time::timeout(STATEMENT_TIMEOUT, read).await {
            Ok(page) => page,
            Err(_) => Err(PageError::Slow {
                place: self.place.clone(),
            }),
        }
    }

    /// The columns of a table of PostgreSQL's.
    async fn columns(
        &self,
        connections: &Connections,
        table: &Table,
    ) -> Result<Vec<Found>, PageError> {
        let name = match &table.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&table.name)),
            None => quote(&table.name),
        };
        let mut arguments = PgArguments::default();
        arguments.add(name).map_err(|_| UNBOUND)?;
        let rows = connections
            .rows(examine::POSTGRES, arguments)
            .await
            .map_err(|e| self.unreadable(&e))?;
        let found = rows.iter().map(|row| {
            Ok(Found {
                name: row.try_get(0)?,
                data_type: row.try_get(1)?,
                readable: row.try_get(2)?,
                cast: row.try_get(3)?,
            })
        });
        let found: Result<_, sqlx::Error> = found.collect();
        found.map_err(|e| self.unreadable(&e))
    }

    /// What texts become to be compared with a table's columns, looked up once.
    async fn casts(
        &self,
        connections: &Connections,
        known: &Mutex<HashMap<String, Arc<Casts>>>,
        table: &Table,
    ) -> Result<Arc<Casts>, PageError> {
        let key = format!("{:?}", (&table.schema, &table.name));
        if let Some(casts) = known.lock().await.get(&key) {
            return Ok(Arc::clone(casts));
        }
        let columns = self.columns(connections, table).await?.into_iter();
        let casts: Casts = columns.filter_map(|c| Some((c.name, c.cast?))).collect();
        let casts = Arc::new(casts);
        known.lock().await.insert(key, Arc::clone(&casts));
        Ok(casts)
    }

    /// The pool of the file that bears the name now.
    async fn sqlite(
        &self,
        path: &Path,
        open: &Mutex<Option<((u64, u64), SqlitePool)>>,
    ) -> Result<SqlitePool, PageError> {
        let missing = || PageError::Unreadable {
            place: self.place.clone(),
            problem: "the file does not exist yet; `glovebox run` creates it".into(),
        };
        let meta = std::fs::metadata(path).map_err(|_| missing())?;
        let file = (meta.dev(), meta.ino());
        let mut open = open.lock().await;
        if let Some((of, pool)) = &*open
            && *of == file
        {
            return Ok(pool.clone());
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(ACQUIRE_TIMEOUT)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options);
        *open = Some((file, pool.clone()));
        Ok(pool)
    }

    fn assemble<R: Cells>(
        &self,
        mut rows: Vec<R>,
        table: &Table,
        query: &Query,
        statement: &Statement,
    ) -> Result<Page, PageError> {
        let misfit = |column: &str, data_type: Option<DataType>| PageError::Misfit {
            place: self.place.clone(),
            column: column.to_owned(),
            data_type: data_type.map_or_else(|| "key".into(), |t| t.to_string()),
        };
        let more = rows.len() > query.limit;
        rows.truncate(query.limit);
        let columns: Vec<&Column> = query
            .columns
            .iter()
            .filter_map(|c| table.columns.get(*c))
            .collect();
        let made = batch(&rows, &columns).map_err(|name| {
            let declared = columns.iter().find(|c| c.name == name);
            misfit(&name, declared.map(|c| c.data_type))
        })?;
        let last = match rows.last().filter(|_| more) {
            None => None,
            Some(row) => {
                let mut last = Vec::with_capacity(statement.order.len());
                for (place, column) in &statement.order {
                    let declared = column.and_then(|c| table.columns.get(c));
                    let data_type = declared.map_or(DataType::Int64, |c| c.data_type);
                    let cell = row.cell(*place, data_type).ok_or_else(|| {
                        misfit(declared.map_or("_rowid_", |c| &c.name), Some(data_type))
                    })?;
                    last.push(cell);
                }
                Some(last)
            }
        };
        Ok(Page { rows: made, last })
    }

    /// What a database says may quote a value, so its code has to do.
    fn unreadable(&self, error: &sqlx::Error) -> PageError {
        let problem = match error {
            sqlx::Error::Database(e) => match e.code().as_deref() {
                Some("57014") => {
                    return PageError::Slow {
                        place: self.place.clone(),
                    };
                }
                Some("42P01" | "42703") => {
                    "the table or one of its columns does not exist; compare it with the \
                    configuration"
                        .into()
                }
                Some("42501") => "the user may not read the table; grant SELECT on it".into(),
                Some(code) => format!(
                    "the database refused (code {code}); compare the table with the configuration"
                ),
                None => "the database refused".into(),
            },
            sqlx::Error::PoolTimedOut => "no connection was free in time".into(),
            sqlx::Error::Io(_) => "the server cannot be reached".into(),
            sqlx::Error::Tls(_) => "the server's certificate is missing or not trusted".into(),
            _ => "the connection broke, or the server sent an unexpected answer".into(),
        };
        PageError::Unreadable {
            place: self.place.clone(),
            problem,
        }
    }
}

/// What PostgreSQL refuses for what was asked, and not for what it stores: text that its column's type
/// does not read, which is the query's alone where one is compared, and types without an order.
fn refused(error: &sqlx::Error, query: &Query) -> Option<PageError> {
    let code = error.as_database_error()?.code()?;
    let asks = !query.filters.is_empty() || !query.sort.is_empty();
    match code.as_ref() {
        "22P02" | "22007" | "22008" if compares_text(query) => {
            Some(PageError::Query("a value is invalid for the column's type"))
        }
        "42883" if asks => Some(PageError::Query(
            "a column has a type that cannot be compared or sorted",
        )),
        _ => None,
    }
}

const UNBOUND: PageError = PageError::Query("a value cannot be sent to the database");

fn bind_sqlite(arguments: &mut SqliteArguments, cell: &Cell) -> Result<(), ()> {
    match cell {
        Cell::Null => arguments.add(None::<i64>),
        Cell::Boolean(v) => arguments.add(*v),
        Cell::Int64(v) => arguments.add(*v),
        Cell::Float64(v) => arguments.add(*v),
        Cell::Decimal(v) | Cell::Text(v) => arguments.add(v.clone()),
        Cell::Bytes(v) => arguments.add(v.clone()),
        Cell::Date(_) => arguments.add(cell.text()),
        Cell::Timestamp(v) => arguments.add(Cell::sqlite_timestamp(*v)),
    }
    .map_err(|_| ())
}

fn bind_postgres(arguments: &mut PgArguments, cell: &Cell) -> Result<(), ()> {
    match cell {
        Cell::Null => arguments.add(None::<i64>),
        Cell::Boolean(v) => arguments.add(*v),
        Cell::Int64(v) => arguments.add(*v),
        Cell::Float64(v) => arguments.add(*v),
        Cell::Bytes(v) => arguments.add(v.clone()),
        Cell::Decimal(_) | Cell::Text(_) | Cell::Date(_) | Cell::Timestamp(_) => {
            arguments.add(cell.text())
        }
    }
    .map_err(|_| ())
}
