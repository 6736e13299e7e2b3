//! `/users`: all accounts, for those who may manage them; nobody can grant more than they have.

use std::sync::Arc;

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{Name, PasswordHash, Roles, User};
use glovebox_core::Secret;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Tag;
use super::body::Text;
use super::me::Account;
use super::sent::Sent;
use crate::access::covers;
use crate::caller::Caller;
use crate::problem::{Problem, Wrong};
use crate::rules::Permission;
use crate::state::Api;

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
    /// A new password; ends their sessions and API keys.
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
            let detail = format!("is not a role; the roles are: {}", known.join(", "));
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

/// The user of that name.
pub(super) async fn user(api: &Api, name: &str) -> Result<User, Problem> {
    let user = api.catalog.user(&named(name)?).await?;
    user.ok_or_else(Problem::not_found)
}

/// Nobody gives what they have not.
fn gives(api: &Api, caller: &Caller, roles: &Roles) -> Result<(), Problem> {
    match covers(api, &caller.principal()?.user.roles, roles) {
        true => Ok(()),
        false => {
            Err(Problem::forbidden()
                .detail("one of these roles allows or shows more than your own"))
        }
    }
}

/// Nobody acts on somebody who has more.
pub(super) fn may_change(api: &Api, caller: &Caller, user: &User) -> Result<(), Problem> {
    match covers(api, &caller.principal()?.user.roles, &user.roles) {
        true => Ok(()),
        false => Err(Problem::forbidden().detail(
            "this user's roles allow or show more than your own; ask someone with these roles, or \
            use `glovebox user` on the server",
        )),
    }
}

/// Whether anybody is left who may manage users.
async fn is_managed(api: &Api) -> Result<bool, Problem> {
    let manages = |role: &str| {
        let may = api.config.roles.get(role);
        may.is_some_and(|may| may.contains(&Permission::Users))
    };
    let all = api.catalog.roles_in_use().await?;
    Ok(all.iter().any(|roles| roles.iter().any(manages)))
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
    ) -> Result<Json<Vec<Account>>, Problem> {
        let after = after.0.unwrap_or_default();
        let users = api.catalog.users(&after, PAGE).await?;
        let event = Event::new(Action::Viewed, Outcome::Success).rows(users.len() as u64);
        api.record(&caller, event).await?;
        Ok(Json(users.into_iter().map(Account::from).collect()))
    }

    /// Add a user
    ///
    /// Needs a login of a moment ago, and roles that have all that the new user's have.
    #[oai(path = "/users", method = "post", operation_id = "add_user")]
    async fn add(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        user: Sent<NewUser>,
    ) -> Result<Added, Problem> {
        let NewUser {
            name,
            password,
            roles: wanted,
        } = user.0;
        let name = Name::parse(&name.0)?;
        let roles = roles(&api, &wanted)?;
        gives(&api, &caller, &roles)?;
        api.recordable()?;
        let hash = api.hasher.hash(Secret::new(password.0.into())).await?;
        let now = crate::now();
        let added = api.catalog.add_user(&name, &roles, &hash, now).await?;
        let event = Event::new(Action::UserAdded, Outcome::Success)
            .target(&added.name)
            .target_roles(added.roles.iter());
        if let Err(problem) = api.record(&caller, event).await {
            // What is not recorded does not happen.
            api.catalog.take_back_user(&added.id).await?;
            return Err(problem);
        }
        Ok(Added::Added(Json(added.into())))
    }

    /// Get a user
    #[oai(path = "/users/:name", method = "get", operation_id = "get_user")]
    async fn get(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The user's name.
        name: Path<String>,
    ) -> Result<Json<Account>, Problem> {
        let user = user(&api, &name).await?;
        let event = Event::new(Action::Viewed, Outcome::Success).target(&user.name);
        api.count(&caller, event).await?;
        Ok(Json(user.into()))
    }

    /// Change a user
    ///
    /// Disable or enable them, give them other roles or another password. Works from the next
    /// request on. A new password, like being disabled, ends their sessions and API keys. Needs a
    /// login of a moment ago, and roles that have all that the user has and is given.
    #[oai(path = "/users/:name", method = "patch", operation_id = "change_user")]
    async fn change(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The user's name.
        name: Path<String>,
        change: Sent<Change>,
    ) -> Result<Json<Account>, Problem> {
        let user = user(&api, &name).await?;
        let Change {
            disabled,
            roles: wanted,
            password,
        } = change.0;
        may_change(&api, &caller, &user)?;
        let itself = caller.principal()?.user.id == user.id;
        if itself && (disabled == Some(true) || wanted.is_some()) {
            return Err(
                Problem::forbidden().detail("you cannot disable yourself or change your own roles")
            );
        }
        let wanted = wanted.map(|w| roles(&api, &w)).transpose()?;
        if let Some(roles) = &wanted {
            gives(&api, &caller, roles)?;
        }
        let hash = match password {
            None => None,
            Some(password) => {
                let hash = api.hasher.hash(Secret::new(password.0.into())).await;
                Some(hash?)
            }
        };
        let done = Changed {
            disabled,
            roles: wanted,
            password: hash,
        };
        done.record(&api, &caller, &user).await?;
        let changed = match done.apply(&api, &user).await {
            Ok(changed) => changed,
            Err(problem) => {
                let event = Event::new(Action::UserChanged, Outcome::Failure).target(&user.name);
                api.record(&caller, event.reason(problem.kind())).await?;
                return Err(problem);
            }
        };
        Ok(Json(changed.into()))
    }
}

/// What is to be changed of a user.
struct Changed {
    disabled: Option<bool>,
    roles: Option<Roles>,
    password: Option<PasswordHash>,
}

impl Changed {
    /// A record for each thing that changes.
    async fn record(&self, api: &Api, caller: &Caller, user: &User) -> Result<(), Problem> {
        let words = [
            self.roles.as_ref().map(|_| "roles"),
            self.disabled
                .map(|d| if d { "disabled" } else { "enabled" }),
            self.password.as_ref().map(|_| "password"),
        ];
        for word in words.into_iter().flatten() {
            let mut event = Event::new(Action::UserChanged, Outcome::Success)
                .target(&user.name)
                .reason(word);
            if let Some(roles) = self.roles.as_ref().filter(|_| word == "roles") {
                event = event.target_roles(roles.iter());
            }
            api.record(caller, event).await?;
        }
        Ok(())
    }

    async fn apply(&self, api: &Api, user: &User) -> Result<User, Problem> {
        let now = crate::now();
        let name = Name::parse(&user.name)?;
        if let Some(roles) = &self.roles {
            api.catalog.set_roles(&name, roles).await?;
        }
        if let Some(disabled) = self.disabled {
            api.catalog.set_disabled(&name, disabled, now).await?;
        }
        // Two who shut each other out at once would leave nobody; each looks after its own deed.
        let takes = self.roles.is_some() || self.disabled == Some(true);
        if takes && !is_managed(api).await? {
            api.catalog.set_roles(&name, &user.roles).await?;
            api.catalog.set_disabled(&name, user.disabled, now).await?;
            api.standings.forget();
            return Err(Problem::conflict().detail("nobody would be left who can manage users"));
        }
        if let Some(hash) = &self.password {
            api.catalog.set_password(&name, hash, now).await?;
        }
        api.standings.forget();
        let changed = api.catalog.user(&name).await?;
        changed.ok_or_else(Problem::not_found)
    }
}
