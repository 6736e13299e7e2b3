//! Who is calling, as of this second.
//!
//! Owns the way from an `Authorization` header to a user and what they may do; refuses to remember
//! for longer than [`FRESH`] what the catalog said.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_catalog::{KEY_PREFIX, Roles, Standing, User};
use poem::http::{HeaderMap, header};

use super::audit::Who;
use super::problem::Problem;
use super::rules::{Permission, Rule};
use super::state::Api;
use super::tokens::Bearer;

/// How long a session's standing is believed. Revocation has to work within a second.
const FRESH: Duration = Duration::from_millis(500);
/// Standings remembered at most.
const REMEMBERED: usize = 10_000;

/// By what somebody is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Via {
    /// A login, by its session.
    Session(String),
    /// An API key, by its id.
    Key(String),
    /// A token of another issuer's.
    Issuer(String),
}

/// Somebody.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) user: User,
    pub(crate) via: Via,
    pub(crate) may: BTreeSet<Permission>,
}

impl Principal {
    pub(crate) fn who(&self) -> Who {
        Who {
            id: self.user.id.clone(),
            name: self.user.name.clone(),
            by: Some(match &self.via {
                Via::Session(id) | Via::Key(id) | Via::Issuer(id) => id.clone(),
            }),
        }
    }

    /// Whether a rule lets them pass.
    pub(crate) fn passes(&self, rule: Rule) -> bool {
        match rule {
            Rule::Public | Rule::SignedIn => true,
            Rule::LoggedIn => matches!(self.via, Via::Session(_)),
            Rule::Needs(permission) => self.may.contains(&permission),
        }
    }
}

/// A request, before and after it is known who sent it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) address: IpAddr,
    /// What the request is called in the log.
    pub(crate) request: String,
    pub(crate) principal: Option<Principal>,
}

impl Caller {
    /// Who it is; routes that need somebody are not reached by nobody.
    pub(crate) fn principal(&self) -> Result<&Principal, Problem> {
        self.principal.as_ref().ok_or_else(Problem::unauthorized)
    }
}

/// Standings of the last half second.
#[derive(Debug, Default)]
pub(crate) struct Standings(Mutex<HashMap<String, (Instant, Standing)>>);

impl Standings {
    fn recall(&self, session: &str) -> Option<Standing> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, standing) = known.get(session)?;
        (since.elapsed() < FRESH).then(|| standing.clone())
    }

    fn remember(&self, session: &str, asked: Instant, standing: &Standing) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, (since, _)| since.elapsed() < FRESH);
        }
        if known.len() < REMEMBERED {
            known.insert(session.to_owned(), (asked, standing.clone()));
        }
    }

    /// After a change on this server there is nothing to wait for.
    pub(crate) fn forget(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// What a bad token is told, whatever is bad about it.
fn invalid() -> Problem {
    Problem::unauthorized().challenge("Bearer error=\"invalid_token\"")
}

/// Who sent these headers.
///
/// # Errors
/// 401 if it is nobody whom we know now.
pub(crate) async fn authenticate(api: &Api, headers: &HeaderMap) -> Result<Principal, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else {
        return Err(Problem::unauthorized());
    };
    let given = given.to_str().map_err(|_| invalid())?;
    let Some((scheme, token)) = given.split_once(' ') else {
        return Err(invalid());
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthorized());
    }
    let now = super::now();
    if token.starts_with(KEY_PREFIX) {
        let holder = api.catalog.key_holder(token, now).await?;
        let holder = holder.ok_or_else(invalid)?;
        return Ok(known(api, holder.user, Via::Key(holder.key)));
    }
    let mut bearer = api.tokens.check(token, now);
    if bearer.is_none() && api.tokens.learn(token).await {
        bearer = api.tokens.check(token, now);
    }
    match bearer.ok_or_else(invalid)? {
        Bearer::Session { user, session } => {
            let standing = match api.standings.recall(&session) {
                Some(standing) => standing,
                None => {
                    // From before the question: what changes during it must not seem older.
                    let asked = Instant::now();
                    let standing = api.catalog.standing(&session, now).await?;
                    let standing = standing.ok_or_else(invalid)?;
                    api.standings.remember(&session, asked, &standing);
                    standing
                }
            };
            if !standing.live || standing.user.id != user {
                return Err(invalid());
            }
            Ok(known(api, standing.user, Via::Session(session)))
        }
        Bearer::External {
            issuer,
            subject,
            roles,
        } => {
            let roles = Roles::parse(roles.iter().map(String::as_str)).map_err(|_| {
                Problem::forbidden().detail("none of the token's roles is one of this server's")
            })?;
            let user = User {
                id: format!("{issuer}#{subject}"),
                name: subject,
                roles,
                disabled: false,
                created: 0,
            };
            Ok(known(api, user, Via::Issuer(issuer)))
        }
    }
}

fn known(api: &Api, user: User, via: Via) -> Principal {
    let may = user
        .roles
        .iter()
        .filter_map(|role| api.config.roles.get(role))
        .flatten()
        .copied()
        .collect();
    Principal { user, via, may }
}
