//! Who sent a request, and which rules let them pass.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use glovebox_audit::Event;
use glovebox_catalog::User;

use super::config::Pipeline;
use super::problem::Problem;
use super::rules::{Permission, Rule};
use super::slots::Slot;

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
        let event = event.user_id(&self.user.id).user(&self.user.name).by(by);
        event.roles(self.user.roles.iter())
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
