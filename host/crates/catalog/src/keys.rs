//! API keys: for programs, beside passwords.
//!
//! Owns their rows; refuses a key that may do more than its user may, or that lasts for ever.

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
}

/// A key that works, and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    /// The key's id.
    pub key: String,
    /// Its user, with the roles that the key may use now.
    pub user: User,
}

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
            "INSERT INTO api_keys (id, hash, user_id, label, roles, created, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&key.id)
        .bind(digest(token.expose()))
        .bind(new.user_id)
        .bind(new.label)
        .bind(new.roles.stored())
        .bind(now)
        .bind(new.expires)
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
            "SELECT id, label, roles, created, expires, revoked FROM api_keys \
             WHERE user_id = $1 ORDER BY created DESC, id LIMIT 1000",
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

    /// Whose key that is, if it works now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key_holder(&self, token: &str, now: i64) -> Result<Option<KeyHolder>> {
        type Row = (String, String, String, String, String, i64, i64);
        let found: Option<Row> = on!(self, pool => sqlx::query_as(
            "SELECT k.id, k.roles, u.id, u.name, u.roles, u.disabled, u.created \
             FROM api_keys k JOIN users u ON u.id = k.user_id \
             WHERE k.hash = $1 AND k.revoked IS NULL AND k.expires > $2 AND u.disabled = 0",
        )
        .bind(digest(token))
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
