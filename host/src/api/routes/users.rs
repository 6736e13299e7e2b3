//! `/users`: everybody's accounts, for those who may manage them.
//!
//! Owns what of an account can be changed; refuses to let anyone shut themselves out.

use std::sync::Arc;

use glovebox_catalog::{Name, Roles};
use glovebox_core::Secret;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Tag;
use super::body::Text;
use super::me::Account;
use super::sent::Sent;
use crate::api::access::Caller;
use crate::api::audit::{Action, Event, Outcome};
use crate::api::problem::{Problem, Wrong};
use crate::api::state::Api;

/// Users of one answer.
const PAGE: u32 = 200;

/// A user to be added.
#[derive(Object)]
#[oai(deny_unknown_fields, write_only_all)]
struct NewUser {
    /// 1 to 64 letters, digits, `.`, `_`, `@`, `+`, `-`; stored in lower case.
    #[oai(validator(max_length = 64, pattern = r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$"))]
    name: Text,
    /// 12 to 256 characters.
    #[oai(validator(min_length = 12, max_length = 256))]
    password: Text,
    /// What they are.
    #[oai(validator(min_items = 1, max_items = 16))]
    roles: Vec<Text>,
}

/// What is to change; what is left out stays.
#[derive(Object)]
#[oai(deny_unknown_fields, write_only_all)]
struct Change {
    /// Whether nothing of theirs works.
    disabled: Option<bool>,
    /// What they are.
    #[oai(validator(min_items = 1, max_items = 16))]
    roles: Option<Vec<Text>>,
    /// A new password; ends their sessions.
    #[oai(validator(min_length = 12, max_length = 256))]
    password: Option<Text>,
}

#[derive(ApiResponse)]
enum Added {
    /// The user.
    #[oai(status = 201)]
    Added(Json<Account>),
}

/// Roles that are configured.
fn roles(api: &Api, names: &[Text]) -> Result<Roles, Problem> {
    let strange = names.iter().enumerate();
    let strange = strange.filter(|(_, n)| !api.config.roles.contains_key(&n.0));
    let wrong: Vec<_> = strange
        .map(|(place, _)| {
            let known: Vec<&str> = api.config.roles.keys().map(String::as_str).collect();
            let detail = format!("is no role; the roles are: {}", known.join(", "));
            Wrong::member(format!("#/roles/{place}"), detail)
        })
        .collect();
    if !wrong.is_empty() {
        return Err(Problem::unprocessable().wrong(wrong));
    }
    Ok(Roles::parse(names.iter().map(|n| n.0.as_str()))?)
}

/// The user's name, if there can be one.
fn named(name: &str) -> Result<Name, Problem> {
    Name::parse(name).map_err(|_| Problem::not_found())
}

pub(crate) struct Users;

#[OpenApi(tag = "Tag::Users")]
impl Users {
    /// List users
    ///
    /// Up to 200 in the order of their names; `after` goes on behind a name.
    #[oai(path = "/users", method = "get", operation_id = "list_users")]
    async fn list(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The last name of the page before.
        #[oai(validator(max_length = 64, pattern = r"^[A-Za-z0-9._@+-]*$"))]
        after: Query<Option<String>>,
    ) -> poem::Result<Json<Vec<Account>>> {
        let after = after.0.unwrap_or_default();
        let users = api.catalog.users(&after, PAGE).await;
        let users = users.map_err(Problem::from)?;
        let mut event = Event::new(Action::UserList, Outcome::Success);
        event.rows = Some(users.len() as u64);
        api.record(&caller, event).await?;
        Ok(Json(users.into_iter().map(Account::from).collect()))
    }

    /// Add a user
    #[oai(path = "/users", method = "post", operation_id = "add_user")]
    async fn add(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        user: Sent<NewUser>,
    ) -> poem::Result<Added> {
        let NewUser {
            name,
            password,
            roles: wanted,
        } = user.0;
        let name = Name::parse(&name.0).map_err(Problem::from)?;
        let roles = roles(&api, &wanted)?;
        api.recordable()?;
        let hash = api.hasher.hash(Secret::new(password.0.into())).await;
        let hash = hash.map_err(Problem::from)?;
        let now = crate::api::now();
        let added = api.catalog.add_user(&name, &roles, &hash, now).await;
        let added = added.map_err(Problem::from)?;
        let event = Event::new(Action::UserAdd, Outcome::Success).target(&added.id);
        if let Err(problem) = api.record(&caller, event).await {
            // What is not recorded does not happen.
            let taken = api.catalog.take_back_user(&added.id).await;
            taken.map_err(Problem::from)?;
            return Err(problem.into());
        }
        Ok(Added::Added(Json(added.into())))
    }

    /// Get a user
    #[oai(path = "/users/:name", method = "get", operation_id = "get_user")]
    async fn get(
        &self,
        api: Data<&Arc<Api>>,
        /// The user's name.
        name: Path<String>,
    ) -> poem::Result<Json<Account>> {
        let user = api.catalog.user(&named(&name)?).await;
        let user = user.map_err(Problem::from)?;
        Ok(Json(user.ok_or_else(Problem::not_found)?.into()))
    }

    /// Change a user
    ///
    /// Disable or enable them, give them other roles or another password. Works from the next
    /// request on.
    #[oai(path = "/users/:name", method = "patch", operation_id = "change_user")]
    async fn change(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The user's name.
        name: Path<String>,
        change: Sent<Change>,
    ) -> poem::Result<Json<Account>> {
        let name = named(&name)?;
        let user = api.catalog.user(&name).await.map_err(Problem::from)?;
        let user = user.ok_or_else(Problem::not_found)?;
        let Change {
            disabled,
            roles: wanted,
            password,
        } = change.0;
        let itself = caller.principal()?.user.id == user.id;
        if itself && (disabled == Some(true) || wanted.is_some()) {
            return Err(Problem::forbidden()
                .detail("nobody disables themselves or changes their own roles")
                .into());
        }
        let wanted = wanted.map(|w| roles(&api, &w)).transpose()?;
        let hash = match password {
            None => None,
            Some(password) => {
                let hash = api.hasher.hash(Secret::new(password.0.into())).await;
                Some(hash.map_err(Problem::from)?)
            }
        };
        let event = |outcome| Event::new(Action::UserChange, outcome).target(&user.id);
        api.record(&caller, event(Outcome::Success)).await?;
        let now = crate::api::now();
        let changed = async {
            if let Some(roles) = &wanted {
                api.catalog.set_roles(&name, roles).await?;
            }
            if let Some(disabled) = disabled {
                api.catalog.set_disabled(&name, disabled).await?;
            }
            if disabled == Some(true) {
                api.catalog.close_sessions_of(&user.id, now).await?;
            }
            if let Some(hash) = &hash {
                api.catalog.set_password(&name, hash, now).await?;
            }
            api.catalog.user(&name).await
        };
        let changed = match changed.await {
            Ok(changed) => changed,
            Err(error) => {
                let event = event(Outcome::Failure).reason("catalog");
                api.record(&caller, event).await?;
                return Err(Problem::from(error).into());
            }
        };
        api.standings.forget();
        Ok(Json(changed.ok_or_else(Problem::not_found)?.into()))
    }
}
