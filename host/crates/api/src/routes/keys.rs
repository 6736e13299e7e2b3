//! `/keys`: the caller's own API keys.

use std::sync::Arc;

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{ApiKey, NewKey, Roles, User};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Tag;
use super::body::{Text, Whole};
use super::sent::Sent;
use super::time::Moment;
use crate::caller::{Caller, Via};
use crate::problem::{Problem, Wrong};
use crate::state::Api;

/// The longest that a key may live, in days.
const MAX_DAYS: u32 = 366;
const DAY: i64 = 24 * 60 * 60;

/// An API key, without what makes it work.
#[derive(Debug, Object)]
pub(super) struct Key {
    /// What it is revoked by.
    id: String,
    /// What its owner calls it.
    label: String,
    /// The roles that it may use.
    roles: Vec<String>,
    /// When it was made.
    created: Moment,
    /// When it stops working.
    expires: Moment,
    /// When it was revoked, if it was.
    revoked: Option<Moment>,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Key {
            roles: key.roles.iter().map(str::to_owned).collect(),
            id: key.id,
            label: key.label,
            created: Moment(key.created),
            expires: Moment(key.expires),
            revoked: key.revoked.map(Moment),
        }
    }
}

/// A key to be made.
#[derive(Object)]
#[oai(deny_unknown_fields, write_only_all)]
struct KeyRequest {
    /// What its owner calls it.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"))]
    label: Text,
    /// The roles that it may use; the owner's when left out.
    #[oai(validator(min_items = 1, max_items = 16))]
    roles: Option<Vec<Text>>,
    /// Days until it stops working.
    #[oai(validator(minimum(value = "1"), maximum(value = "366")))]
    days: Whole,
}

/// A key that was made.
#[derive(Object)]
struct NewlyMade {
    /// Shown this once: it goes into the header `Authorization: Bearer …`.
    token: String,
    /// The rest.
    key: Key,
}

#[derive(ApiResponse)]
enum Made {
    /// The key, shown this once.
    #[oai(status = 201)]
    Made(Json<NewlyMade>),
}

#[derive(ApiResponse)]
pub(super) enum Revoked {
    /// It is revoked.
    #[oai(status = 204)]
    Done,
}

pub(crate) struct Keys;

#[OpenApi(tag = "Tag::Account")]
impl Keys {
    /// List my API keys
    #[oai(path = "/keys", method = "get", operation_id = "list_keys")]
    async fn list(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
    ) -> Result<Json<Vec<Key>>, Problem> {
        keys_of(&api, &caller.principal()?.user).await
    }

    /// Make an API key
    ///
    /// For programs. It may use the roles named, as long as its owner has them. Needs a login of a
    /// moment ago.
    #[oai(path = "/keys", method = "post", operation_id = "make_key")]
    async fn make(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        request: Sent<KeyRequest>,
    ) -> Result<Made, Problem> {
        let principal = caller.principal()?;
        let KeyRequest { label, roles, days } = request.0;
        let roles = match roles {
            None => principal.user.roles.clone(),
            Some(names) => {
                let strange = names.iter().enumerate();
                let strange = strange.filter(|(_, n)| !principal.user.roles.contains(&n.0));
                let wrong: Vec<_> = strange
                    .map(|(place, _)| {
                        let detail = "is not a role of the key's owner";
                        Wrong::member(format!("#/roles/{place}"), detail)
                    })
                    .collect();
                if !wrong.is_empty() {
                    return Err(Problem::forbidden().wrong(wrong));
                }
                Roles::parse(names.iter().map(|n| n.0.as_str()))?
            }
        };
        api.recordable()?;
        let now = crate::now();
        let new = NewKey {
            user_id: &principal.user.id,
            label: &label.0,
            roles: &roles,
            expires: now + i64::from(days.0.min(MAX_DAYS)) * DAY,
            session: match &principal.via {
                Via::Session(session) => Some(session),
                Via::Key(_) | Via::Issuer(_) => None,
            },
        };
        let (key, token) = api.catalog.add_key(new, now).await?;
        let event = Event::new(Action::ApiKeyAdded, Outcome::Success).key(&key.id);
        if let Err(problem) = api.record(&caller, event).await {
            // What is not recorded does not happen.
            let owner = &principal.user.id;
            api.catalog.revoke_key(owner, &key.id, now).await?;
            return Err(problem);
        }
        Ok(Made::Made(Json(NewlyMade {
            token: token.expose().to_owned(),
            key: key.into(),
        })))
    }

    /// Revoke an API key of mine
    #[oai(path = "/keys/:id", method = "delete", operation_id = "revoke_key")]
    async fn revoke(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The key's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Revoked, Problem> {
        revoke(&api, &caller, &caller.principal()?.user, &id).await
    }
}

/// A user's keys, the newest first.
pub(super) async fn keys_of(api: &Api, owner: &User) -> Result<Json<Vec<Key>>, Problem> {
    let keys = api.catalog.keys_of(&owner.id).await?;
    Ok(Json(keys.into_iter().map(Key::from).collect()))
}

/// Ends a key of a user's.
pub(super) async fn revoke(
    api: &Api,
    caller: &Caller,
    owner: &User,
    id: &str,
) -> Result<Revoked, Problem> {
    api.recordable()?;
    if !api.catalog.revoke_key(&owner.id, id, crate::now()).await? {
        return Err(Problem::not_found());
    }
    let mut event = Event::new(Action::ApiKeyRevoked, Outcome::Success).key(id);
    if caller.principal()?.user.id != owner.id {
        event = event.target(&owner.name);
    }
    api.record(caller, event).await?;
    Ok(Revoked::Done)
}
