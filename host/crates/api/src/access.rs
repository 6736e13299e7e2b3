//! Authentication: from an `Authorization` header to a user and their permissions. What the catalog
//! said is cached for at most [`FRESH`].

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_audit::Event;
use glovebox_catalog::{KEY_PREFIX, Roles, Standing, User};
use poem::http::{HeaderMap, header};

use super::config::Pipeline;
use super::problem::Problem;
use super::rules::{Permission, Rule};
use super::slots::Slot;
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
    /// When they last gave their password for this, in seconds since 1970; none with a key, or by
    /// another issuer.
    pub(crate) login: Option<i64>,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// None of their roles allows it.
    Role,
    /// It needs a login, and they came otherwise.
    Login,
    /// It needs a login of a moment ago.
    Stale,
}

impl Refusal {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Refusal::Role => "role",
            Refusal::Login => "login",
            Refusal::Stale => "stale-login",
        }
    }

    pub(crate) fn problem(self, fresh: Duration) -> Problem {
        match self {
            Refusal::Role => Problem::forbidden(),
            Refusal::Login => Problem::forbidden()
                .detail("this needs a login with a password; an API key is not enough"),
            // RFC 9470.
            Refusal::Stale => Problem::unauthorized()
                .challenge("Bearer error=\"insufficient_user_authentication\"")
                .detail(format!(
                    "this needs a login within the last {} minutes; log in with your password \
                    again",
                    fresh.as_secs().div_ceil(60)
                )),
        }
    }
}

impl Principal {
    /// Whether a pipeline is shown to them.
    pub(crate) fn may_see(&self, pipeline: &Pipeline) -> bool {
        let roles = &pipeline.roles;
        roles.is_empty() || roles.iter().any(|r| self.user.roles.contains(r))
    }

    /// Says in a record who it was.
    pub(crate) fn did(&self, event: Event) -> Event {
        let (Via::Session(by) | Via::Key(by) | Via::Issuer(by)) = &self.via;
        event.user_id(&self.user.id).user(&self.user.name).by(by)
    }

    /// Whether a rule lets them pass, whose login may be that old.
    pub(crate) fn passes(&self, rule: Rule, fresh: Duration) -> Result<(), Refusal> {
        let fresh = i64::try_from(fresh.as_secs()).unwrap_or(i64::MAX);
        let needed = match rule {
            Rule::Needs(permission) | Rule::JustLoggedIn(Some(permission)) => Some(permission),
            Rule::Public | Rule::Described | Rule::SignedIn => None,
            Rule::LoggedIn | Rule::JustLoggedIn(None) => None,
        };
        if needed.is_some_and(|permission| !self.may.contains(&permission)) {
            return Err(Refusal::Role);
        }
        match (rule, self.login) {
            (Rule::LoggedIn | Rule::JustLoggedIn(_), None) => Err(Refusal::Login),
            (Rule::JustLoggedIn(_), Some(login)) if super::now().saturating_sub(login) > fresh => {
                Err(Refusal::Stale)
            }
            _ => Ok(()),
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
    /// The method and the pattern of the route, once it is found.
    pub(crate) route: Option<(&'static str, Arc<str>)>,
    /// Whether something of this request is in the audit log.
    recorded: Arc<AtomicBool>,
    /// What it counts as, for as long as anybody works for it.
    held: Vec<Arc<Slot>>,
}

impl Caller {
    pub(crate) fn new(address: IpAddr, request: String) -> Self {
        Caller {
            address,
            request,
            principal: None,
            route: None,
            recorded: Arc::default(),
            held: Vec::new(),
        }
    }

    /// Counts something for as long as this is held.
    pub(crate) fn hold(&mut self, slot: Arc<Slot>) {
        self.held.push(slot);
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed)
    }

    pub(crate) fn set_recorded(&self) {
        self.recorded.store(true, Ordering::Relaxed);
    }

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

/// Who sent these headers; what is believed of them may be [`FRESH`], or has to be of now.
///
/// # Errors
/// 401 if it is nobody whom we know now.
pub(crate) async fn authenticate(
    api: &Api,
    headers: &HeaderMap,
    of_now: bool,
) -> Result<Principal, Problem> {
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
        return Ok(known(api, holder.user, Via::Key(holder.key), None));
    }
    let mut bearer = api.tokens.check(token, now);
    if bearer.is_none() && api.tokens.learn(token).await {
        bearer = api.tokens.check(token, now);
    }
    match bearer.ok_or_else(invalid)? {
        Bearer::Session { user, session } => {
            let recalled = match of_now {
                true => None,
                false => api.standings.recall(&session),
            };
            let standing = match recalled {
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
            let login = Some(standing.since);
            Ok(known(api, standing.user, Via::Session(session), login))
        }
        Bearer::External {
            issuer,
            subject,
            roles,
        } => {
            let roles = Roles::parse(roles.iter().map(String::as_str)).map_err(|_| {
                Problem::forbidden().detail("this server knows none of the token's roles")
            })?;
            let user = User {
                id: format!("{issuer}#{subject}"),
                name: subject,
                roles,
                disabled: false,
                created: 0,
            };
            Ok(known(api, user, Via::Issuer(issuer), None))
        }
    }
}

/// The same, as they are now, after something that took its time. Their token may have ended
/// meanwhile; what it stands for may not.
///
/// # Errors
/// 401 if they are nobody any more, 403 if they may not any more.
pub(crate) async fn still(api: &Api, was: &Principal, rule: Rule) -> Result<Principal, Problem> {
    let now = super::now();
    let is = match &was.via {
        Via::Session(session) => {
            let standing = api.catalog.standing(session, now).await?;
            let live = standing.filter(|s| s.live).ok_or_else(invalid)?;
            known(api, live.user, was.via.clone(), Some(live.since))
        }
        Via::Key(key) => {
            let holder = api.catalog.key_holder_by_id(key, now).await?;
            known(api, holder.ok_or_else(invalid)?.user, was.via.clone(), None)
        }
        // Their issuer has said what there is to say.
        Via::Issuer(_) => was.clone(),
    };
    let fresh = api.config.tokens.fresh_login;
    is.passes(rule, fresh).map_err(|r| r.problem(fresh))?;
    Ok(is)
}

fn known(api: &Api, user: User, via: Via, login: Option<i64>) -> Principal {
    Principal {
        may: may(api, &user.roles),
        user,
        via,
        login,
    }
}

/// What roles allow together.
fn may(api: &Api, roles: &Roles) -> BTreeSet<Permission> {
    let all = roles.iter().filter_map(|role| api.config.roles.get(role));
    all.flatten().copied().collect()
}

/// Whether roles allow and show all that other roles do: nobody gives what they have not, nor acts
/// on somebody who has more.
pub(crate) fn covers(api: &Api, roles: &Roles, others: &Roles) -> bool {
    let data =
        api.datasets.iter().all(
            |dataset| match (dataset.view(roles), dataset.view(others)) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(ours), Some(theirs)) => {
                    theirs.rows_at_most <= ours.rows_at_most
                        && theirs.columns.iter().all(|c| ours.columns.contains(c))
                }
            },
        );
    let pipelines = api.config.pipelines.iter().all(|pipeline| {
        let named = |roles: &Roles| pipeline.roles.iter().any(|r| roles.contains(r));
        pipeline.roles.is_empty() || named(roles) || !named(others)
    });
    data && pipelines && may(api, others).is_subset(&may(api, roles))
}
