//! Tokens, in two tables beside the journal: written in the transactions of the rows that hold them, opened and
//! erased in transactions of their own. The tables are made by the first run that has tokens to keep.

use glovebox_core::{
    FinishedChunk, SinkError, StoredToken, Token, TokenBatch, TokenKey, TokenStore,
};
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{Connection, QueryBuilder, Row};

use super::Options;
use super::file::{connect, exists, runtime, statement};
use super::refusal::refusal;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS glovebox_token (
    domain TEXT NOT NULL, token TEXT NOT NULL, version INTEGER NOT NULL,
    key BLOB NOT NULL, sealed BLOB NOT NULL, run TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%SZ')), expires TEXT,
    uses INTEGER NOT NULL DEFAULT 0, max_uses INTEGER,
    PRIMARY KEY (token, domain)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS glovebox_token_key (
    id BLOB PRIMARY KEY, half_1 BLOB NOT NULL, half_2 BLOB NOT NULL
) STRICT, WITHOUT ROWID;";

/// Tokens of one statement: SQLite binds 32,766 values at the most.
const TOKENS_PER_INSERT: usize = 300;
/// Tokens that are looked for by one statement.
const TOKENS_PER_SELECT: usize = 10_000;

/// Creates the tables where they are missing, in the transaction that is open.
pub(super) async fn ready(connection: &mut SqliteConnection, place: &str) -> Result<(), SinkError> {
    statement(connection, TABLES, place).await
}

/// Stores those tokens of chunks that are not stored yet, in the transaction that holds their rows.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    place: &str,
    run: &str,
    chunks: &[FinishedChunk],
) -> Result<(), SinkError> {
    for batch in chunks.iter().flat_map(|chunk| &chunk.tokens) {
        let added = add_batch(connection, run, batch).await;
        added.map_err(|e| refusal(e, place))?;
    }
    Ok(())
}

async fn add_batch(
    connection: &mut SqliteConnection,
    run: &str,
    batch: &TokenBatch,
) -> sqlx::Result<()> {
    let expires = batch
        .expires
        .map(|after| format!("+{} seconds", after.as_secs()));
    let mut made = 0;
    for tokens in batch.tokens.chunks(TOKENS_PER_INSERT) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO glovebox_token \
             (domain, token, version, key, sealed, run, expires, max_uses) ",
        );
        insert.push_values(tokens, |mut row, new| {
            row.push_bind(&*batch.domain)
                .push_bind(new.token.to_string())
                .push_bind(batch.version)
                .push_bind(batch.key.id.as_slice())
                .push_bind(&new.sealed)
                .push_bind(run)
                .push("strftime('%Y-%m-%d %H:%M:%SZ', 'now', ")
                .push_bind_unseparated(expires.as_deref())
                .push_unseparated(")")
                .push_bind(batch.uses);
        });
        insert.push(" ON CONFLICT DO NOTHING");
        let done = insert.build().execute(&mut *connection).await?;
        made += done.rows_affected();
    }
    if made == 0 {
        return Ok(());
    }
    let [first, second] = &batch.key.halves;
    sqlx::query("INSERT INTO glovebox_token_key (id, half_1, half_2) VALUES (?, ?, ?)")
        .bind(batch.key.id.as_slice())
        .bind(first)
        .bind(second)
        .execute(connection)
        .await
        .map(drop)
}

/// The tokens that a sink keeps.
pub(super) struct Store<'s> {
    pub(super) options: &'s Options,
}

impl Store<'_> {
    /// Does something in a transaction of its own.
    fn once<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T>,
    ) -> Result<T, SinkError> {
        let place = self.options.place();
        let nothing = || SinkError::Shape {
            place: place.clone(),
            problem: "no tokens are kept there: no run of a step with `tokens:` has stored any"
                .into(),
        };
        if !exists(self.options)? {
            return Err(nothing());
        }
        runtime(self.options)?.block_on(async {
            let mut connection = connect(self.options, false).await?;
            let done = async {
                // What is erased is overwritten, and not only unlinked.
                let begin = "PRAGMA secure_delete = ON; BEGIN IMMEDIATE";
                statement(&mut connection, begin, &place).await?;
                if !are_there(&mut connection)
                    .await
                    .map_err(|e| refusal(e, &place))?
                {
                    return Err(nothing());
                }
                let done = work(&mut connection)
                    .await
                    .map_err(|e| refusal(e, &place))?;
                let end = "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)";
                statement(&mut connection, end, &place).await?;
                Ok(done)
            }
            .await;
            let _ = connection.close().await;
            done
        })
    }
}

impl TokenStore for Store<'_> {
    fn open(
        &mut self,
        domain: &str,
        tokens: &[Token],
        open: &mut dyn FnMut(&[StoredToken]) -> Vec<Token>,
    ) -> Result<(), SinkError> {
        self.once(async |connection| {
            let mut found = Vec::with_capacity(tokens.len());
            for tokens in tokens.chunks(TOKENS_PER_SELECT) {
                let rows = sqlx::query(
                    "SELECT t.token, t.sealed, k.id, k.half_1, k.half_2, \
                     coalesce(t.expires <= strftime('%Y-%m-%d %H:%M:%SZ'), 0), \
                     coalesce(t.uses >= t.max_uses, 0) \
                     FROM glovebox_token t JOIN glovebox_token_key k ON k.id = t.key \
                     WHERE t.domain = ?1 AND t.token IN (SELECT value FROM json_each(?2))",
                )
                .bind(domain)
                .bind(json(tokens))
                .fetch_all(&mut *connection)
                .await?;
                for row in &rows {
                    found.extend(stored(row)?);
                }
            }
            for opened in open(&found).chunks(TOKENS_PER_SELECT) {
                sqlx::query(
                    "UPDATE glovebox_token SET uses = uses + 1 \
                     WHERE domain = ?1 AND token IN (SELECT value FROM json_each(?2))",
                )
                .bind(domain)
                .bind(json(opened))
                .execute(&mut *connection)
                .await?;
            }
            Ok(())
        })
    }

    fn forget(&mut self, domain: &str, tokens: &[Token]) -> Result<u64, SinkError> {
        self.once(async |connection| {
            let mut erased = 0;
            for tokens in tokens.chunks(TOKENS_PER_SELECT) {
                let done = sqlx::query(
                    "DELETE FROM glovebox_token \
                     WHERE domain = ?1 AND token IN (SELECT value FROM json_each(?2))",
                )
                .bind(domain)
                .bind(json(tokens))
                .execute(&mut *connection)
                .await?;
                erased += done.rows_affected();
            }
            sqlx::query(
                "DELETE FROM glovebox_token_key WHERE id NOT IN (SELECT key FROM glovebox_token)",
            )
            .execute(connection)
            .await?;
            Ok(erased)
        })
    }
}

async fn are_there(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('glovebox_token', 'glovebox_token_key')",
    )
    .fetch_one(connection)
    .await
    .map(|count: i64| count == 2)
}

fn json(tokens: &[Token]) -> String {
    let texts: Vec<_> = tokens.iter().map(|token| format!("\"{token}\"")).collect();
    format!("[{}]", texts.join(","))
}

/// A row; none for a token that has been tampered with.
fn stored(row: &SqliteRow) -> sqlx::Result<Option<StoredToken>> {
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
