//! API keys, with which programs log in instead of with passwords.

use crate::names::Roles;
use crate::random::id;
use crate::store::on;
use crate::users::User;
use crate::{Catalog, Result, Token, digest, token};

/// What every API key begins with, so that scanners for leaked secrets can know one.
pub const KEY_PREFIX: &str = "gbk_";

/// An API key, without what makes it work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is revoked by.
    pub id: String,
    /// What its user calls it.
    pub label: String,
    /// The roles that it may use of its user's.
    pub roles: Roles,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When it stops working.
    pub expires: i64,
    /// When it was revoked.
    pub revoked: Option<i64>,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// Whose.
    pub user_id: &'a str,
    /// What they call it.
    pub label: &'a str,
    /// What it may use of their roles.
    pub roles: &'a Roles,
    /// When it stops working, in seconds since 1970.
    pub expires: i64,
    /// The session in which it is asked for: what ends that by a reset ends the key, however late
    /// it is stored. None on the command line.
    pub session: Option<&'a str>,
}

/// A key that works, and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    /// The key's id.
    pub key: String,
    /// Its user, with the roles that the key may use now.
    pub user: User,
}

/// A key that works, by what is compared with `$1`.
macro_rules! holder {
    ($by:literal) => {
        concat!(
            "SELECT k.id, k.roles, u.id, u.name, u.roles, u.disabled, u.created \
             FROM api_keys k JOIN users u ON u.id = k.user_id WHERE ",
            $by,
            " = $1 AND k.revoked IS NULL AND k.expires > $2 AND u.disabled = 0 \
             AND k.generation = u.generation"
        )
    };
}
const BY_HASH: &str = holder!("k.hash");
const BY_ID: &str = holder!("k.id");

type Columns = (String, String, String, i64, i64, Option<i64>);

fn read((id, label, roles, created, expires, revoked): Columns) -> ApiKey {
    ApiKey {
        id,
        label,
        roles: Roles::read(&roles),
        created,
        expires,
        revoked,
    }
}

impl Catalog {
    /// Makes a key; the token is shown once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_key(&self, new: NewKey<'_>, now: i64) -> Result<(ApiKey, Token)> {
        let token = token(KEY_PREFIX)?;
        let key = ApiKey {
            id: id("key_")?,
            label: new.label.to_owned(),
            roles: new.roles.clone(),
            created: now,
            expires: new.expires,
            revoked: None,
        };
        on!(self, pool => sqlx::query(
            "INSERT INTO api_keys (id, hash, user_id, label, roles, created, expires, generation) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, COALESCE( \
               (SELECT generation FROM sessions WHERE id = $8), \
               (SELECT generation FROM users WHERE id = $3), 0))",
        )
        .bind(&key.id)
        .bind(digest(token.expose()))
        .bind(new.user_id)
        .bind(new.label)
        .bind(new.roles.stored())
        .bind(now)
        .bind(new.expires)
        .bind(new.session)
        .execute(pool)
        .await?
        .rows_affected());
        Ok((key, token))
    }

    /// The keys of a user, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys_of(&self, user_id: &str) -> Result<Vec<ApiKey>> {
        let found: Vec<Columns> = on!(self, pool => sqlx::query_as(
            "SELECT k.id, k.label, k.roles, k.created, k.expires, COALESCE(k.revoked, \
               CASE WHEN k.generation < u.generation THEN u.reset END) \
             FROM api_keys k JOIN users u ON u.id = k.user_id \
             WHERE k.user_id = $1 ORDER BY k.created DESC, k.id LIMIT 1000",
        )
        .bind(user_id)
        .fetch_all(pool)
        .await?);
        Ok(found.into_iter().map(read).collect())
    }

    /// Revokes a key of a user's; false if they have no such key, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_key(&self, user_id: &str, key: &str, now: i64) -> Result<bool> {
        let changed = on!(self, pool => sqlx::query(
            "UPDATE api_keys SET revoked = $3 WHERE id = $2 AND user_id = $1 AND revoked IS NULL",
        )
        .bind(user_id)
        .bind(key)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected());
        Ok(changed > 0)
    }

    /// Revokes every key of a user's; how many worked until then is told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_keys_of(&self, user_id: &str, now: i64) -> Result<u64> {
        Ok(on!(self, pool => sqlx::query(
            "UPDATE api_keys SET revoked = $2 WHERE user_id = $1 AND revoked IS NULL \
             AND expires > $2 \
             AND generation = (SELECT generation FROM users WHERE id = $1)",
        )
        .bind(user_id)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected()))
    }

    /// Whose key that is, if it works now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key_holder(&self, token: &str, now: i64) -> Result<Option<KeyHolder>> {
        self.holder(BY_HASH, &digest(token), now).await
    }

    /// The same by the key's id, for what began with it a while ago.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key_holder_by_id(&self, key: &str, now: i64) -> Result<Option<KeyHolder>> {
        self.holder(BY_ID, key, now).await
    }

    async fn holder(&self, sql: &'static str, value: &str, now: i64) -> Result<Option<KeyHolder>> {
        type Row = (String, String, String, String, String, i64, i64);
        let found: Option<Row> = on!(self, pool => sqlx::query_as(sql)
            .bind(value)
            .bind(now)
            .fetch_optional(pool)
            .await?);
        Ok(
            found.map(|(key, scope, id, name, roles, disabled, created)| {
                let mut user = User::read((id, name, roles, disabled, created));
                user.roles = user.roles.within(&Roles::read(&scope));
                KeyHolder { key, user }
            }),
        )
    }
}
