//! Authentication: from an `Authorization` header to a user and their permissions. What the catalog
//! said is believed for as long as `standings` says.

use std::collections::BTreeSet;
use std::time::Instant;

use glovebox_catalog::{KEY_PREFIX, Roles, User};
use poem::http::{HeaderMap, HeaderValue, header};

use super::caller::{Principal, Via};
use super::problem::Problem;
use super::rules::{Permission, Rule};
use super::state::Api;
use super::tokens::Bearer;

/// What a bad token is told, whatever is bad about it.
fn invalid() -> Problem {
    Problem::unauthorized().challenge("Bearer error=\"invalid_token\"")
}

/// Who sent these headers; what is believed of them may be remembered, or has to be of now.
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

/// Whether a header has a token of ours that was good until lately.
pub(crate) fn has_expired(api: &Api, authorization: &HeaderValue) -> bool {
    let token = authorization.to_str().ok().and_then(|a| a.split_once(' '));
    token.is_some_and(|(_, token)| api.tokens.has_expired(token, super::now()))
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
