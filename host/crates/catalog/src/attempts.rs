//! Failed logins, counted by the name that was given and the address that gave it. Names that do
//! not exist are counted the same way. Counting the pair means that an attacker elsewhere cannot
//! lock out a user; many names from one address are limited by the rate limit.

use crate::store::on;
use crate::{Catalog, Result, digest};

/// When failures lock, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Lockout {
    /// So many failures are free.
    pub after: u32,
    /// Seconds of the first lock; each further failure doubles it.
    pub first: i64,
    /// Seconds of the longest.
    pub longest: i64,
}

impl Default for Lockout {
    fn default() -> Self {
        Lockout {
            after: 5,
            first: 30,
            longest: 3600,
        }
    }
}

/// The pair that is counted.
#[derive(Debug, Clone)]
pub struct Attempts {
    who: String,
    address: String,
}

impl Attempts {
    /// A name as it was given, and the address that gave it. What is typed as a name is at times a
    /// password, so only its hash is kept.
    pub fn of(name: &str, address: &str) -> Self {
        Attempts {
            who: digest(&name.to_ascii_lowercase()),
            address: address.to_owned(),
        }
    }
}

impl Catalog {
    /// Counts an attempt before its password is looked at, in one statement, so that of many
    /// parallel guesses no more go ahead than of guesses one by one. Either it may go ahead, or it
    /// is told how many seconds to wait. [`Catalog::attempt_succeeded`] takes the count back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attempt(
        &self,
        pair: &Attempts,
        lockout: &Lockout,
        now: i64,
    ) -> Result<std::result::Result<(), i64>> {
        let counted: Option<(i64,)> = on!(self, pool => sqlx::query_as(
            "INSERT INTO attempts (who, address, failures, until, seen) VALUES ($1, $2, 1, 0, $3) \
             ON CONFLICT (who, address) DO UPDATE SET \
               failures = attempts.failures + 1, \
               seen = $3, \
               until = CASE \
                 WHEN attempts.failures + 1 < $4 THEN 0 \
                 WHEN attempts.failures + 1 - $4 > 20 THEN $3 + $6 \
                 WHEN $5 << CAST(attempts.failures + 1 - $4 AS INTEGER) > $6 THEN $3 + $6 \
                 ELSE $3 + ($5 << CAST(attempts.failures + 1 - $4 AS INTEGER)) END \
             WHERE attempts.until <= $3 RETURNING failures",
        )
        .bind(&pair.who)
        .bind(&pair.address)
        .bind(now)
        .bind(i64::from(lockout.after))
        .bind(lockout.first)
        .bind(lockout.longest)
        .fetch_optional(pool)
        .await?);
        if counted.is_some() {
            return Ok(Ok(()));
        }
        let until: Option<(i64,)> = on!(self, pool => sqlx::query_as(
            "SELECT until FROM attempts WHERE who = $1 AND address = $2",
        )
        .bind(&pair.who)
        .bind(&pair.address)
        .fetch_optional(pool)
        .await?);
        Ok(Err(until.map_or(1, |(until,)| (until - now).max(1))))
    }

    /// Forgets a pair's failures.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attempt_succeeded(&self, pair: &Attempts) -> Result<()> {
        on!(self, pool => sqlx::query("DELETE FROM attempts WHERE who = $1 AND address = $2")
            .bind(&pair.who)
            .bind(&pair.address)
            .execute(pool)
            .await?
        .rows_affected());
        Ok(())
    }

    /// Forgets failures that were last seen before then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_attempts(&self, before: i64) -> Result<u64> {
        Ok(
            on!(self, pool => sqlx::query("DELETE FROM attempts WHERE seen < $1")
            .bind(before)
            .execute(pool)
            .await?
            .rows_affected()),
        )
    }
}
