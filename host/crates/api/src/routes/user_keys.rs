//! `/users/{name}/keys` and `/users/{name}/sessions`: what others were given to get in by.
//!
//! Owns their lists and their end; refuses to show what would let anybody in, and to act on somebody
//! who has more than the caller.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;

use super::Tag;
use super::keys::{Key, Revoked};
use super::users::{may_change, user};
use crate::access::Caller;
use crate::audit::{Action, Event, Outcome};
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
    ) -> poem::Result<Json<Vec<Key>>> {
        let user = user(&api, &name).await?;
        let keys = api.catalog.keys_of(&user.id).await;
        let keys = keys.map_err(Problem::from)?;
        let event = Event::new(Action::UserList, Outcome::Success)
            .target(&user.name)
            .reason("keys");
        api.count(&caller, event).await?;
        Ok(Json(keys.into_iter().map(Key::from).collect()))
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
    ) -> poem::Result<Revoked> {
        let user = user(&api, &name).await?;
        may_change(&api, &caller, &user)?;
        let mut event = Event::new(Action::KeyRevoke, Outcome::Success).of_user(&user.name);
        event.reason = Some("all");
        api.record(&caller, event).await?;
        let now = crate::now();
        let revoked = api.catalog.revoke_keys_of(&user.id, now).await;
        revoked.map_err(Problem::from)?;
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
    ) -> poem::Result<Revoked> {
        let user = user(&api, &name).await?;
        may_change(&api, &caller, &user)?;
        api.recordable()?;
        let now = crate::now();
        let revoked = api.catalog.revoke_key(&user.id, &id, now).await;
        if !revoked.map_err(Problem::from)? {
            return Err(Problem::not_found().into());
        }
        let event = Event::new(Action::KeyRevoke, Outcome::Success)
            .of_user(&user.name)
            .target(&id.0);
        api.record(&caller, event).await?;
        Ok(Revoked::Done)
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
    ) -> poem::Result<Revoked> {
        let user = user(&api, &name).await?;
        may_change(&api, &caller, &user)?;
        let event = Event::new(Action::SessionsEnd, Outcome::Success).of_user(&user.name);
        api.record(&caller, event).await?;
        let now = crate::now();
        let closed = api.catalog.close_sessions_of(&user.id, now).await;
        closed.map_err(Problem::from)?;
        api.standings.forget();
        Ok(Revoked::Done)
    }
}
