//! Access tokens: issued for a few minutes, and checked as if an attacker had made them.

mod issuers;
mod jws;
mod keys;
mod provider;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::config;
pub(crate) use issuers::{External, Published, RefreshPolicy, Remote};
use jws::{Members, Unverified};
pub(crate) use keys::Key;
use seen::{Memory, Seen};

/// How far clocks may differ, in seconds.
const LEEWAY: i64 = 30;

/// Makes and checks tokens.
pub(crate) struct Tokens {
    keys: Vec<Key>,
    issuer: String,
    audience: String,
    pub(crate) lifetime: i64,
    pub(crate) session: i64,
    externals: Vec<External>,
    memory: Memory,
}

/// What a good token says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    /// One of ours: a user's session.
    Session { user: String, session: String },
    /// One of another issuer's: who, by which issuer, in which of our roles.
    External {
        issuer: String,
        subject: String,
        roles: Vec<String>,
    },
}

impl Tokens {
    pub(crate) fn new(
        config: &config::Tokens,
        issuer: &str,
        keys: Vec<Key>,
        externals: Vec<External>,
    ) -> Self {
        let seconds = |t: std::time::Duration| i64::try_from(t.as_secs()).unwrap_or(i64::MAX);
        Tokens {
            keys,
            issuer: issuer.to_owned(),
            audience: config.audience.clone(),
            lifetime: seconds(config.lifetime),
            session: seconds(config.session),
            externals,
            memory: Memory::default(),
        }
    }

    /// A token for a session; none without a key.
    pub(crate) fn issue(&self, user: &str, session: &str, jti: &str, now: i64) -> Option<String> {
        let claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": user,
            "sid": session,
            "jti": jti,
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime,
        });
        self.keys.first()?.sign(&claims)
    }

    /// What a token says, if it is good now.
    pub(crate) fn check(&self, token: &str, now: i64) -> Option<Bearer> {
        if let Some(seen) = self.memory.recall(token) {
            return session(seen, now);
        }
        let unverified = Unverified::parse(token)?;
        let ours = self.keys.iter().find(|k| k.kid == unverified.kid());
        if let Some(key) = ours {
            let seen = self.seen(&unverified, key, now)?;
            self.memory.remember(token, seen.clone(), now);
            return session(seen, now);
        }
        // Two issuers may call their keys alike. Theirs are not remembered, as keys may go.
        self.externals
            .iter()
            .find_map(|e| e.check(&unverified, now))
    }

    /// Whether a token of ours was good a lifetime ago: then it has expired, which happens to everybody.
    pub(crate) fn has_expired(&self, token: &str, now: i64) -> bool {
        let then = now.saturating_sub(self.lifetime);
        let seen = Unverified::parse(token).and_then(|token| {
            let key = self.keys.iter().find(|k| k.kid == token.kid())?;
            self.seen(&token, key, then)
        });
        seen.is_some_and(|seen| seen.ends <= now)
    }

    /// What a token of ours says, whose claims are good at that time.
    fn seen(&self, token: &Unverified<'_>, key: &Key, now: i64) -> Option<Seen> {
        let claims = token.verified_by(&key.public)?;
        standard(&claims, &self.issuer, &self.audience, now)?;
        claims.text("jti")?;
        Some(Seen {
            user: claims.text("sub")?.to_owned(),
            session: claims.text("sid")?.to_owned(),
            begins: claims.seconds("nbf")?.max(claims.seconds("iat")?),
            ends: claims.seconds("exp")?,
        })
    }

    /// Whether it is worth checking a token again, since the issuer that it names was asked for a
    /// key that we did not know. Nobody else's tokens wait for that.
    pub(crate) async fn learn(&self, token: &str) -> bool {
        if self.fetched().next().is_none() {
            return false;
        }
        let remote = || {
            let token = Unverified::parse(token)?;
            let issuer = token.said_issuer()?;
            self.externals
                .iter()
                .find_map(|e| e.unknown(&token, &issuer))
        };
        match remote() {
            Some(remote) => remote.ask().await,
            None => false,
        }
    }

    /// The issuers whose keys are fetched.
    pub(crate) fn fetched(&self) -> impl Iterator<Item = &Arc<Remote>> {
        self.externals.iter().filter_map(External::fetched)
    }

    /// How their keys are, for Prometheus.
    pub(crate) fn metrics(&self) -> String {
        issuers::metrics(self.fetched())
    }

    /// The public halves as a JSON Web Key Set.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().map(Key::jwk).collect::<Vec<_>>() })
    }

    /// Keys that seal cursors, the first for new ones.
    pub(crate) fn cursor_keys(&self) -> impl Iterator<Item = &ring::aead::LessSafeKey> {
        self.keys.iter().map(|k| &k.cursors)
    }

    /// The key of ETags; none without a key.
    pub(crate) fn etag_key(&self) -> Option<&ring::hmac::Key> {
        self.keys.first().map(|k| &k.etags)
    }
}

/// A token of ours, if it is good now.
fn session(seen: Seen, now: i64) -> Option<Bearer> {
    let begun = seen.begins <= now.saturating_add(LEEWAY);
    (begun && seen.ends.saturating_add(LEEWAY) > now).then_some(Bearer::Session {
        user: seen.user,
        session: seen.session,
    })
}

/// The claims that every issuer has to make (RFC 7519, section 4.1).
fn standard(claims: &Members, issuer: &str, audience: &str, now: i64) -> Option<()> {
    let exp = claims.seconds("exp")?;
    let iat = claims.seconds("iat")?;
    let begun = |at: i64| at <= now.saturating_add(LEEWAY);
    let nbf = match claims.0.get("nbf") {
        None => true,
        Some(nbf) => begun(nbf.as_i64()?),
    };
    let meant = match claims.0.get("aud")? {
        Value::String(one) => one == audience,
        Value::Array(several) => several.iter().any(|a| a.as_str() == Some(audience)),
        _ => false,
    };
    let good = exp.saturating_add(LEEWAY) > now
        && begun(iat)
        && nbf
        && meant
        && claims.text("iss")? == issuer;
    good.then_some(())
}

/// Their roles in our words.
pub(crate) fn translate(theirs: &Value, words: &BTreeMap<String, String>) -> Vec<String> {
    let names: Vec<&str> = match theirs {
        Value::String(text) => text.split_whitespace().collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut ours: Vec<String> = names
        .iter()
        .filter_map(|n| words.get(*n))
        .cloned()
        .collect();
    ours.sort();
    ours.dedup();
    ours
}
