//! `GET /me`: who the caller is and what they may do.

use std::sync::Arc;

use glovebox_catalog::User;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use super::time::Moment;
use crate::caller::{Caller, Via};
use crate::problem::Problem;
use crate::state::Api;

/// A user.
#[derive(Debug, Object)]
pub(crate) struct Account {
    /// Stays the same for ever.
    id: String,
    /// What is typed at a login.
    name: String,
    /// What they are.
    roles: Vec<String>,
    /// Whether nothing of theirs works.
    disabled: bool,
    /// When they were added.
    created: Moment,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Account {
            roles: user.roles.iter().map(str::to_owned).collect(),
            id: user.id,
            name: user.name,
            disabled: user.disabled,
            created: Moment(user.created),
        }
    }
}

/// The caller.
#[derive(Object)]
struct Myself {
    /// The account.
    user: Account,
    /// What its roles allow: `data`, `watch`, `run`, `users`, `audit`, `metrics`.
    permissions: Vec<String>,
    /// `session`, `key` or `issuer`: by what the caller is known.
    via: String,
    /// Paths of the datasets that the caller may read.
    datasets: Vec<String>,
}

pub(crate) struct Me;

#[OpenApi(tag = "Tag::Account")]
impl Me {
    /// Who am I
    #[oai(path = "/me", method = "get", operation_id = "me")]
    async fn me(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
    ) -> Result<Json<Myself>, Problem> {
        let principal = caller.principal()?;
        let readable = api
            .datasets
            .iter()
            .filter(|d| d.view(&principal.user.roles).is_some());
        let via = match principal.via {
            Via::Session(_) => "session",
            Via::Key(_) => "key",
            Via::Issuer(_) => "issuer",
        };
        Ok(Json(Myself {
            user: principal.user.clone().into(),
            permissions: principal.may.iter().map(|p| p.word().to_owned()).collect(),
            via: via.into(),
            datasets: readable.map(|d| d.path.clone()).collect(),
        }))
    }
}
