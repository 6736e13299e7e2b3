//! Tokens, in two tables beside the journal: written in the transactions of the rows that hold them, opened and
//! erased in transactions of their own. The tables are made by the first run that has tokens to keep.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::TryStreamExt;
use glovebox_core::{NewToken, SinkError, StoredToken, Token, TokenBatch, TokenKey, TokenStore};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use super::refusal::{Fault, fault};
use super::retry::RetryBudget;
use super::session::{BEGIN, Session, contend, statement};
use super::{NAME, Options};
use crate::database::quote;

/// Any number; whoever creates the tables holds this lock.
const CREATION: i64 = 0x676c_6f76_746f_6b65;
/// The most tokens that a run remembers: those that a set of 2^21 places holds, in 36 MB.
const MAX_REMEMBERED: usize = (1 << 21) / 8 * 7;
/// How many of those that are kept are remembered at a time, while they are read.
const READ_AT_ONCE: usize = 10_000;
/// After so many that the server was asked for, those that it keeps are read, as many as are remembered:
/// that costs less than to ask for so many more.
const ASKED_BEFORE_READING: usize = 100_000;
/// What a token weighs beside its value, in bytes.
const TOKEN_BYTES: usize = 128;

/// The tables, by their quoted names.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    place: String,
    /// The schema's plain name.
    name: String,
    token: String,
    key: String,
}

impl Tables {
    pub(super) fn new(options: &Options) -> Self {
        let schema = quote(&options.journal);
        Tables {
            place: format!("schema `{}` in {}", options.journal, options.login),
            name: options.journal.clone(),
            token: format!("{schema}.token"),
            key: format!("{schema}.token_key"),
        }
    }

    /// Creates them where they are missing, in the transaction that is open and has made the journal.
    pub(super) async fn ready(&self, connection: &mut PgConnection) -> Result<(), Fault> {
        if self.are_there(connection).await? {
            return self.may_keep(connection).await;
        }
        let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock({CREATION})");
        statement(connection, &lock, &self.place).await?;
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {token} (\
               domain text COLLATE \"C\" NOT NULL, token text COLLATE \"C\" NOT NULL, \
               version integer NOT NULL, key bytea NOT NULL, sealed bytea NOT NULL, \
               run text NOT NULL, \
               created timestamp with time zone NOT NULL DEFAULT pg_catalog.now(), \
               expires timestamp with time zone, uses integer NOT NULL DEFAULT 0, \
               max_uses integer, PRIMARY KEY (token, domain)); \
             CREATE TABLE IF NOT EXISTS {key} (\
               id bytea PRIMARY KEY, half_1 bytea NOT NULL, half_2 bytea NOT NULL); \
             COMMENT ON TABLE {token} IS 'Glovebox tokens, version 1'; \
             REVOKE ALL ON {token}, {key} FROM PUBLIC",
            token = self.token,
            key = self.key
        );
        contend(connection, &sql, &self.place).await
    }

    async fn are_there(&self, connection: &mut PgConnection) -> Result<bool, Fault> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname IN ('token', 'token_key')",
        )
        .bind(&self.name)
        .fetch_one(connection)
        .await
        .map_err(|e| fault(e, &self.place))?;
        Ok(count == 2)
    }

    async fn may_keep(&self, connection: &mut PgConnection) -> Result<(), Fault> {
        let (may, role): (bool, String) = sqlx::query_as(
            "SELECT pg_catalog.has_table_privilege($1, 'SELECT') \
             AND pg_catalog.has_table_privilege($1, 'INSERT') \
             AND pg_catalog.has_table_privilege($2, 'INSERT'), \
             pg_catalog.quote_ident(current_user)",
        )
        .bind(&self.token)
        .bind(&self.key)
        .fetch_one(connection)
        .await
        .map_err(|e| fault(e, &self.place))?;
        if may {
            return Ok(());
        }
        Err(SinkError::Shape {
            place: self.place.clone(),
            problem: format!(
                "the role may not keep tokens there; have the tables' owner run: GRANT SELECT, INSERT \
                 ON {}, {} TO {role}",
                self.token, self.key
            ),
        }
        .into())
    }

    async fn or_refuse(&self, connection: &mut PgConnection) -> Result<(), Fault> {
        match self.are_there(connection).await? {
            true => Ok(()),
            false => Err(SinkError::Shape {
                place: self.place.clone(),
                problem: "no tokens are kept there: no run of a step with `tokens:` has stored any"
                    .into(),
            }
            .into()),
        }
    }
}

/// Tokens that this run has stored or found stored, so that the server is not asked for each again.
#[derive(Debug, Default)]
pub(super) struct Stored {
    tokens: Mutex<HashSet<Token>>,
    asked: AtomicUsize,
    read: AtomicBool,
}

impl Stored {
    fn lock(&self) -> MutexGuard<'_, HashSet<Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads those that are kept, once it is worth it. In the transaction that is open, so before it adds any:
    /// what is remembered is committed.
    async fn read(&self, connection: &mut PgConnection, tables: &Tables) -> sqlx::Result<()> {
        if self.asked.load(Ordering::Relaxed) < ASKED_BEFORE_READING
            || self.read.swap(true, Ordering::Relaxed)
        {
            return Ok(());
        }
        let sql = format!("SELECT token FROM {} LIMIT {MAX_REMEMBERED}", tables.token);
        let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch(connection);
        let mut found = Vec::with_capacity(READ_AT_ONCE);
        while let Some(token) = rows.try_next().await? {
            found.extend(Token::parse(&token));
            if found.len() == READ_AT_ONCE {
                self.remember(found.drain(..));
            }
        }
        self.remember(found.into_iter());
        Ok(())
    }

    fn remember(&self, tokens: impl Iterator<Item = Token>) {
        let mut stored = self.lock();
        let room = MAX_REMEMBERED.saturating_sub(stored.len());
        stored.extend(tokens.take(room));
    }

    /// After their COMMIT, and not before.
    pub(super) fn add(&self, tokens: &Tokens) {
        let new = tokens.batches.iter().flat_map(|batch| &batch.tokens);
        self.remember(new.map(|new| new.token));
    }
}

/// Tokens of a group of chunks.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens {
    batches: Vec<TokenBatch>,
}

impl Tokens {
    /// Adds those of a chunk, and says what they weigh.
    pub(super) fn add(&mut self, batches: Vec<TokenBatch>) -> usize {
        let tokens = batches.iter().flat_map(|batch| &batch.tokens);
        let weight = tokens.map(|new| new.sealed.len() + TOKEN_BYTES).sum();
        self.batches.extend(batches);
        weight
    }

    /// Those that are not known to be stored, each with the number of its batch.
    fn unless(&self, stored: &Stored) -> Vec<(&NewToken, i64)> {
        let stored = stored.lock();
        let batches = self.batches.iter().zip(1..);
        let all =
            batches.flat_map(|(batch, number)| batch.tokens.iter().map(move |new| (new, number)));
        all.filter(|(new, _)| !stored.contains(&new.token))
            .collect()
    }

    /// Stores those that are not stored yet, in the transaction that is open. They are in the order of
    /// their names, so that transactions which bring the same do not wait for each other in a circle.
    pub(super) async fn store(
        &self,
        connection: &mut PgConnection,
        tables: &Tables,
        stored: &Stored,
        run: &str,
    ) -> sqlx::Result<()> {
        stored.read(connection, tables).await?;
        let mut rows = self.unless(stored);
        if rows.is_empty() {
            return Ok(());
        }
        stored.asked.fetch_add(rows.len(), Ordering::Relaxed);
        rows.sort_unstable_by_key(|(new, number)| (new.token, *number));
        rows.dedup_by_key(|(new, _)| new.token);
        let of_batch = |column: fn(&TokenBatch) -> Vec<u8>| -> Vec<Vec<u8>> {
            self.batches.iter().map(column).collect()
        };
        let half = |n: usize| -> Vec<&[u8]> {
            let halves = self.batches.iter().map(|batch| batch.key.halves.get(n));
            halves
                .map(|half| half.map_or(&[][..], Vec::as_slice))
                .collect()
        };
        let batches = self.batches.iter();
        let seconds = |batch: &TokenBatch| batch.expires.map(|e| e.as_secs_f64());
        let uses = |batch: &TokenBatch| {
            batch
                .uses
                .map(|uses| i32::try_from(uses).unwrap_or(i32::MAX))
        };
        let version = |batch: &TokenBatch| i32::try_from(batch.version).unwrap_or(i32::MAX);
        sqlx::query(AssertSqlSafe(format!(
            "WITH made AS (\
               INSERT INTO {token} (domain, token, version, key, sealed, run, expires, max_uses) \
               SELECT b.domain, t.token, b.version, b.key, t.sealed, $1, \
                      pg_catalog.now() + b.seconds * interval '1 second', b.uses \
               FROM unnest($2::text[], $3::bytea[], $4::int8[]) \
                      AS t (token, sealed, batch) \
               JOIN unnest($5::text[], $6::int4[], $7::bytea[], $8::float8[], $9::int4[]) \
                      WITH ORDINALITY AS b (domain, version, key, seconds, uses, number) \
                 ON b.number = t.batch \
               ORDER BY t.token, b.domain \
               ON CONFLICT DO NOTHING RETURNING key) \
             INSERT INTO {key} (id, half_1, half_2) \
             SELECT k.* FROM unnest($7::bytea[], $10::bytea[], $11::bytea[]) AS k (id, half_1, half_2) \
             WHERE k.id IN (SELECT key FROM made)",
            token = tables.token,
            key = tables.key
        )))
        .bind(run)
        .bind(rows.iter().map(|(new, _)| new.token.to_string()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(new, _)| new.sealed.as_slice()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, number)| *number).collect::<Vec<_>>())
        .bind(batches.clone().map(|batch| &*batch.domain).collect::<Vec<_>>())
        .bind(batches.clone().map(version).collect::<Vec<_>>())
        .bind(of_batch(|batch| batch.key.id.to_vec()))
        .bind(batches.clone().map(seconds).collect::<Vec<_>>())
        .bind(batches.map(uses).collect::<Vec<_>>())
        .bind(half(0))
        .bind(half(1))
        .execute(connection)
        .await
        .map(drop)
    }
}

/// The tokens that a sink keeps.
pub(super) struct Store {
    pub(super) options: Arc<Options>,
}

impl Store {
    /// Does something in a transaction of its own, once: a reply to a COMMIT that was lost may not count twice.
    fn once<T>(
        &self,
        mut work: impl AsyncFnMut(&mut PgConnection, &Tables) -> Result<T, Fault>,
    ) -> Result<T, SinkError> {
        let tables = Tables::new(&self.options);
        Session::new(self.options.clone(), NAME.into(), Arc::default())?.attempt(
            &mut RetryBudget::none(),
            async |connection| {
                tables.or_refuse(connection).await?;
                statement(connection, BEGIN, &tables.place).await?;
                let done = work(connection, &tables).await?;
                statement(connection, "COMMIT", &tables.place).await?;
                Ok(done)
            },
        )
    }
}

impl TokenStore for Store {
    fn open(
        &mut self,
        domain: &str,
        tokens: &[Token],
        open: &mut dyn FnMut(&[StoredToken]) -> Vec<Token>,
    ) -> Result<(), SinkError> {
        let wanted: Vec<String> = tokens.iter().map(Token::to_string).collect();
        self.once(async |connection, tables| {
            let failed = |e| fault(e, &tables.place);
            let rows = sqlx::query(AssertSqlSafe(format!(
                "SELECT t.token, t.sealed, k.id, k.half_1, k.half_2, \
                        coalesce(t.expires <= pg_catalog.now(), false), \
                        coalesce(t.uses >= t.max_uses, false) \
                 FROM {} t JOIN {} k ON k.id = t.key \
                 WHERE t.domain = $1 AND t.token = ANY ($2) ORDER BY t.token FOR UPDATE OF t",
                tables.token, tables.key
            )))
            .bind(domain)
            .bind(&wanted)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
            let stored: sqlx::Result<Vec<_>> = rows
                .iter()
                .filter_map(|row| stored(row).transpose())
                .collect();
            let opened = open(&stored.map_err(failed)?);
            let opened: Vec<String> = opened.iter().map(Token::to_string).collect();
            if opened.is_empty() {
                return Ok(());
            }
            sqlx::query(AssertSqlSafe(format!(
                "UPDATE {} SET uses = uses + 1 WHERE domain = $1 AND token = ANY ($2)",
                tables.token
            )))
            .bind(domain)
            .bind(&opened)
            .execute(&mut *connection)
            .await
            .map(drop)
            .map_err(failed)
        })
    }

    fn forget(&mut self, domain: &str, tokens: &[Token]) -> Result<u64, SinkError> {
        let wanted: Vec<String> = tokens.iter().map(Token::to_string).collect();
        self.once(async |connection, tables| {
            let failed = |e| fault(e, &tables.place);
            let keys: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(format!(
                "DELETE FROM {} WHERE domain = $1 AND token = ANY ($2) RETURNING key",
                tables.token
            )))
            .bind(domain)
            .bind(&wanted)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
            // Only the transaction that made a key adds tokens of it.
            sqlx::query(AssertSqlSafe(format!(
                "DELETE FROM {} k WHERE k.id = ANY ($1) \
                 AND NOT EXISTS (SELECT FROM {} t WHERE t.key = k.id)",
                tables.key, tables.token
            )))
            .bind(&keys)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
            Ok(keys.len() as u64)
        })
    }
}

/// A row; none for a token that has been tampered with.
fn stored(row: &sqlx::postgres::PgRow) -> sqlx::Result<Option<StoredToken>> {
    let (token, id): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(2)?);
    let (Some(token), Ok(id)) = (Token::parse(&token), id.try_into()) else {
        return Ok(None);
    };
    Ok(Some(StoredToken {
        token,
        sealed: row.try_get(1)?,
        key: TokenKey {
            id,
            halves: [row.try_get(3)?, row.try_get(4)?],
        },
        expired: row.try_get(5)?,
        used_up: row.try_get(6)?,
    }))
}
