//! Users: who may log in, and as what.
//! Users are never deleted, since audit records name them.

use crate::random::id;
use crate::store::on;
use crate::{Catalog, Error, Name, PasswordHash, Result, Roles};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Stays the same for ever; what tokens and records name.
    pub id: String,
    /// What is typed at a login.
    pub name: String,
    /// What they may do.
    pub roles: Roles,
    /// Whether nothing of theirs works.
    pub disabled: bool,
    /// When they were added, in seconds since 1970.
    pub created: i64,
}

/// A user and what their password is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// The hash.
    pub password: PasswordHash,
}

pub(crate) type Columns = (String, String, String, i64, i64);

impl User {
    pub(crate) fn read((id, name, roles, disabled, created): Columns) -> Self {
        User {
            id,
            name,
            roles: Roles::read(&roles),
            disabled: disabled != 0,
            created,
        }
    }
}

impl Catalog {
    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Taken`] when there is one of that name.
    pub async fn add_user(
        &self,
        name: &Name,
        roles: &Roles,
        password: &PasswordHash,
        now: i64,
    ) -> Result<User> {
        let user = User {
            id: id("usr_")?,
            name: name.as_str().to_owned(),
            roles: roles.clone(),
            disabled: false,
            created: now,
        };
        let added = on!(self, pool => sqlx::query(
            "INSERT INTO users (id, name, roles, password, created) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(&user.id)
        .bind(&user.name)
        .bind(roles.stored())
        .bind(&password.0)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected());
        if added == 0 {
            return Err(Error::Taken);
        }
        Ok(user)
    }

    /// Takes a user back that was added a moment ago, and all that is theirs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_back_user(&self, id: &str) -> Result<()> {
        on!(self, pool => {
            sqlx::query("DELETE FROM users WHERE id = $1")
                .bind(id)
                .execute(pool)
                .await?;
        });
        Ok(())
    }

    /// Users in the order of their names, `at_most` of them after a name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, after: &str, at_most: u32) -> Result<Vec<User>> {
        let found: Vec<Columns> = on!(self, pool => sqlx::query_as(
            "SELECT id, name, roles, disabled, created FROM users WHERE name > $1 \
             ORDER BY name LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(at_most))
        .fetch_all(pool)
        .await?);
        Ok(found.into_iter().map(User::read).collect())
    }

    /// A user by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, name: &Name) -> Result<Option<User>> {
        Ok(self.credentials(name).await?.map(|c| c.user))
    }

    /// A user by name, and what their password is checked against.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn credentials(&self, name: &Name) -> Result<Option<Credentials>> {
        let found: Option<(String, String, String, i64, i64, String)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT id, name, roles, disabled, created, password FROM users WHERE name = $1",
            )
            .bind(name.as_str())
            .fetch_optional(pool)
            .await?
        });
        Ok(found.map(
            |(id, name, roles, disabled, created, password)| Credentials {
                user: User::read((id, name, roles, disabled, created)),
                password: PasswordHash(password),
            },
        ))
    }

    /// Shuts a user out, which ends their sessions and keys for good, or lets them in again; false if
    /// there is none of that name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_disabled(&self, name: &Name, disabled: bool, now: i64) -> Result<bool> {
        let changed = on!(self, pool => sqlx::query(
            "UPDATE users SET disabled = $2, generation = generation + $2, \
             reset = CASE WHEN $2 = 1 THEN $3 ELSE reset END WHERE name = $1",
        )
        .bind(name.as_str())
        .bind(i64::from(disabled))
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected());
        Ok(changed > 0)
    }

    /// Gives a user other roles; false if there is none of that name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_roles(&self, name: &Name, roles: &Roles) -> Result<bool> {
        let changed = on!(self, pool => sqlx::query(
            "UPDATE users SET roles = $2 WHERE name = $1",
        )
        .bind(name.as_str())
        .bind(roles.stored())
        .execute(pool)
        .await?
        .rows_affected());
        Ok(changed > 0)
    }

    /// Gives a user another password and ends all of their sessions and keys; false if there is
    /// none of that name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_password(
        &self,
        name: &Name,
        password: &PasswordHash,
        now: i64,
    ) -> Result<bool> {
        let changed = on!(self, pool => sqlx::query(
            "UPDATE users SET password = $2, generation = generation + 1, reset = $3 \
             WHERE name = $1",
        )
        .bind(name.as_str())
        .bind(&password.0)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected());
        Ok(changed > 0)
    }

    /// The roles of each user who is not shut out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roles_in_use(&self) -> Result<Vec<Roles>> {
        let found: Vec<(String,)> = on!(self, pool => {
            sqlx::query_as("SELECT roles FROM users WHERE disabled = 0").fetch_all(pool).await?
        });
        Ok(found.iter().map(|(roles,)| Roles::read(roles)).collect())
    }
}
