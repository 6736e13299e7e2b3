//! `/users/{name}/keys` and `/users/{name}/sessions`: other users' API keys and sessions.

use std::sync::Arc;

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::User;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;

use super::Tag;
use super::keys::{Key, Revoked, keys_of, revoke};
use super::users::{may_change, user};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::Api;

pub(crate) struct UserKeys;

#[OpenApi(tag = "Tag::Users")]
impl UserKeys {
    /// List a user's API keys
    ///
    /// The newest first, those that work no more too.
    #[oai(
        path = "/users/:name/keys",
        method = "get",
        operation_id = "list_user_keys"
    )]
    async fn list(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The user's name.
        name: Path<String>,
    ) -> Result<Json<Vec<Key>>, Problem> {
        let user = user(&api, &name).await?;
        let event = Event::new(Action::Viewed, Outcome::Success)
            .target(&user.name)
            .reason("keys");
        api.count(&caller, event).await?;
        keys_of(&api, &user).await
    }

    /// Revoke a user's API keys
    ///
    /// All that they have. Needs a login of a moment ago.
    #[oai(
        path = "/users/:name/keys",
        method = "delete",
        operation_id = "revoke_user_keys"
    )]
    async fn revoke_all(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The user's name.
        name: Path<String>,
    ) -> Result<Revoked, Problem> {
        let user = changeable(&api, &caller, &name).await?;
        let event = Event::new(Action::ApiKeyRevoked, Outcome::Success)
            .target(&user.name)
            .reason("all");
        api.record(&caller, event).await?;
        api.catalog.revoke_keys_of(&user.id, crate::now()).await?;
        Ok(Revoked::Done)
    }

    /// Revoke a user's API key
    ///
    /// Needs a login of a moment ago.
    #[oai(
        path = "/users/:name/keys/:id",
        method = "delete",
        operation_id = "revoke_user_key"
    )]
    async fn revoke(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The user's name.
        name: Path<String>,
        /// The key's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Revoked, Problem> {
        let user = changeable(&api, &caller, &name).await?;
        revoke(&api, &caller, &user, &id).await
    }

    /// End a user's sessions
    ///
    /// All that they have; they may log in again. Needs a login of a moment ago.
    #[oai(
        path = "/users/:name/sessions",
        method = "delete",
        operation_id = "end_sessions"
    )]
    async fn end_sessions(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The user's name.
        name: Path<String>,
    ) -> Result<Revoked, Problem> {
        let user = changeable(&api, &caller, &name).await?;
        let event = Event::new(Action::TokenRevoked, Outcome::Success).target(&user.name);
        api.record(&caller, event).await?;
        api.catalog
            .close_sessions_of(&user.id, crate::now())
            .await?;
        api.standings.forget();
        Ok(Revoked::Done)
    }
}

/// A user whom the caller may act on.
async fn changeable(api: &Api, caller: &Caller, name: &str) -> Result<User, Problem> {
    let user = user(api, name).await?;
    may_change(api, caller, &user)?;
    Ok(user)
}
