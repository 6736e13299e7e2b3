//! Sessions: opened by a login, extended by a refresh token, closed by a logout.
//! A second use of a refresh token closes its session, since the token must have been stolen.

use crate::random::id;
use crate::store::on;
use crate::users::{Columns, Credentials, User};
use crate::{Catalog, Result, Token, digest, token};

/// An open session and the token that carries it on.
#[derive(Debug)]
pub struct Session {
    /// What access tokens name.
    pub id: String,
    /// Shown once; only its hash is stored.
    pub refresh: Token,
}

/// What a session allows at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its user, with the roles they have now.
    pub user: User,
    /// When its user logged in, in seconds since 1970; carrying it on does not change that.
    pub since: i64,
    /// Whether it is neither revoked nor over, and its user neither disabled nor reset since.
    pub live: bool,
}

/// What became of a refresh token.
#[derive(Debug)]
pub enum Rotation {
    /// It was good; here is the next one.
    Fresh(Session, Box<User>),
    /// It had been used before; its session is closed now.
    Reused(Box<User>),
    /// It is unknown, over, or of a session that is closed.
    Refused,
}

impl Catalog {
    /// Opens a session until `ends` for whoever was found with these credentials; none if the
    /// password was changed or the user shut out since they were read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_session(
        &self,
        found: &Credentials,
        now: i64,
        ends: i64,
    ) -> Result<Option<Session>> {
        let session = id("ses_")?;
        let opened = on!(self, pool => sqlx::query(
            "INSERT INTO sessions (id, user_id, created, ends, generation) \
             SELECT $1, id, $3, $4, generation FROM users \
             WHERE id = $2 AND password = $5 AND disabled = 0",
        )
        .bind(&session)
        .bind(&found.user.id)
        .bind(now)
        .bind(ends)
        .bind(&found.password.0)
        .execute(pool)
        .await?
        .rows_affected());
        if opened == 0 {
            return Ok(None);
        }
        let refresh = self.add_refresh(&session, ends).await?;
        Ok(Some(Session {
            id: session,
            refresh,
        }))
    }

    async fn add_refresh(&self, session: &str, expires: i64) -> Result<Token> {
        let refresh = token("gbr_")?;
        on!(self, pool => sqlx::query(
            "INSERT INTO refresh_tokens (hash, session_id, expires) VALUES ($1, $2, $3)",
        )
        .bind(digest(refresh.expose()))
        .bind(session)
        .bind(expires)
        .execute(pool)
        .await?
        .rows_affected());
        Ok(refresh)
    }

    /// What a session allows now; none if there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing(&self, session: &str, now: i64) -> Result<Option<Standing>> {
        type Row = (String, String, String, i64, i64, i64, i64, Option<i64>);
        let found: Option<Row> = on!(self, pool => sqlx::query_as(
            "SELECT u.id, u.name, u.roles, u.disabled, u.created, s.created, s.ends, \
               CASE WHEN s.generation = u.generation THEN s.revoked ELSE s.ends END \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1",
        )
        .bind(session)
        .fetch_optional(pool)
        .await?);
        Ok(
            found.map(|(id, name, roles, disabled, created, since, ends, over)| {
                let user = User::read((id, name, roles, disabled, created));
                let live = over.is_none() && now < ends && !user.disabled;
                Standing { user, since, live }
            }),
        )
    }

    /// Takes a refresh token for the next one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate(&self, refresh: &str, now: i64) -> Result<Rotation> {
        let hash = digest(refresh);
        // Of any number of callers at once, this marks it for one.
        let won: Option<(String, i64)> = on!(self, pool => sqlx::query_as(
            "UPDATE refresh_tokens SET used = $2 \
             WHERE hash = $1 AND used IS NULL AND expires > $2 RETURNING session_id, expires",
        )
        .bind(&hash)
        .bind(now)
        .fetch_optional(pool)
        .await?);
        if let Some((session, ends)) = won {
            return match self.standing(&session, now).await? {
                Some(Standing {
                    user, live: true, ..
                }) => {
                    let refresh = self.add_refresh(&session, ends).await?;
                    let session = Session {
                        id: session,
                        refresh,
                    };
                    Ok(Rotation::Fresh(session, Box::new(user)))
                }
                _ => Ok(Rotation::Refused),
            };
        }
        let used: Option<(String,)> = on!(self, pool => sqlx::query_as(
            "SELECT session_id FROM refresh_tokens WHERE hash = $1 AND used IS NOT NULL",
        )
        .bind(&hash)
        .fetch_optional(pool)
        .await?);
        let Some((session,)) = used else {
            return Ok(Rotation::Refused);
        };
        let standing = self.standing(&session, now).await?;
        self.close_session(&session, now).await?;
        Ok(match standing {
            Some(standing) => Rotation::Reused(Box::new(standing.user)),
            None => Rotation::Refused,
        })
    }

    /// Closes a session: its access tokens and its refresh token work no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_session(&self, session: &str, now: i64) -> Result<()> {
        on!(self, pool => sqlx::query(
            "UPDATE sessions SET revoked = $2 WHERE id = $1 AND revoked IS NULL",
        )
        .bind(session)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected());
        Ok(())
    }

    /// Closes all sessions of a user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_sessions_of(&self, user_id: &str, now: i64) -> Result<u64> {
        Ok(on!(self, pool => sqlx::query(
            "UPDATE sessions SET revoked = $2 WHERE user_id = $1 AND revoked IS NULL",
        )
        .bind(user_id)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected()))
    }

    /// Forgets sessions that were over before then, and their refresh tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_sessions(&self, before: i64) -> Result<u64> {
        Ok(
            on!(self, pool => sqlx::query("DELETE FROM sessions WHERE ends < $1")
            .bind(before)
            .execute(pool)
            .await?
            .rows_affected()),
        )
    }

    /// A user by what tokens and records name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_id(&self, id: &str) -> Result<Option<User>> {
        let found: Option<Columns> = on!(self, pool => sqlx::query_as(
            "SELECT id, name, roles, disabled, created FROM users WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(pool)
        .await?);
        Ok(found.map(User::read))
    }
}
