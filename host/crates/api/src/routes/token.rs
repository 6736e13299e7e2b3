//! `POST /token`: a password or a refresh token for an access token (RFC 6749), and `POST /logout`.

use std::sync::Arc;

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{Attempts, Error, Name, PasswordHash, Rotation, Session, User};
use glovebox_core::Secret;
use poem::http::StatusCode;
use poem::web::Data;
use poem::{IntoResponse, Response};
use poem_openapi::payload::{Form, Json};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;
use serde_json::json;

use super::Tag;
use crate::caller::{Caller, Via};
use crate::problem::{Problem, Shaped};
use crate::state::Api;

/// A login, or a session to carry on. What else a form holds is ignored (RFC 6749, section 3.2).
#[derive(Deserialize, Object)]
pub(crate) struct TokenRequest {
    /// `password`, which it is when left out, or `refresh_token`.
    grant_type: Option<String>,
    /// The user's name.
    #[oai(validator(max_length = 256))]
    username: Option<String>,
    /// The user's password.
    #[oai(validator(max_length = 1024))]
    password: Option<String>,
    /// The refresh token of the last answer.
    #[oai(validator(max_length = 256))]
    refresh_token: Option<String>,
}

/// A token and what carries it on.
#[derive(Object)]
pub(crate) struct TokenReply {
    /// Goes into the header `Authorization: Bearer …`.
    access_token: String,
    /// Always `bearer`.
    token_type: String,
    /// Seconds that the access token is good for.
    expires_in: i64,
    /// Works once, for the next pair; using it again ends the session.
    refresh_token: String,
}

/// An error as RFC 6749 has it.
#[derive(Debug, Object)]
pub(crate) struct OAuthError {
    /// `invalid_request`, `invalid_grant` or `unsupported_grant_type`.
    error: String,
    /// What to do.
    error_description: String,
}

impl OAuthError {
    pub(crate) fn invalid_request() -> Self {
        OAuthError {
            error: "invalid_request".into(),
            error_description: "send a form (application/x-www-form-urlencoded) with username and \
                                password, or with grant_type=refresh_token and refresh_token"
                .into(),
        }
    }

    fn unsupported() -> Self {
        OAuthError {
            error: "unsupported_grant_type".into(),
            error_description: "grant_type is password or refresh_token".into(),
        }
    }

    fn invalid_grant() -> Self {
        OAuthError {
            error: "invalid_grant".into(),
            error_description: "the user name, the password or the refresh token is wrong".into(),
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.error_description });
        let mut response = Response::builder()
            .status(StatusCode::BAD_REQUEST)
            .content_type("application/json")
            .body(body.to_string());
        response.set_data(Shaped);
        response
    }
}

/// What `POST /token` answers.
#[derive(ApiResponse)]
enum Answer {
    /// Logged in, or carried on.
    #[oai(status = 200)]
    Good(Json<TokenReply>),
    /// The form does not say what is needed.
    #[oai(status = 400)]
    Bad(Json<OAuthError>),
    /// The name, the password or the refresh token is wrong.
    #[oai(status = 401)]
    Wrong(Json<OAuthError>, #[oai(header = "WWW-Authenticate")] String),
}

/// What `POST /logout` answers.
#[derive(ApiResponse)]
enum LoggedOut {
    /// The session is over; its tokens work no more.
    #[oai(status = 204)]
    Done,
}

fn wrong() -> Answer {
    Answer::Wrong(Json(OAuthError::invalid_grant()), "Bearer".into())
}

pub(crate) struct Tokens;

#[OpenApi(tag = "Tag::Tokens")]
impl Tokens {
    /// Get a token
    ///
    /// With a user name and a password, or with the refresh token of the last answer.
    #[oai(path = "/token", method = "post", operation_id = "token")]
    async fn token(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        form: Form<TokenRequest>,
    ) -> Result<KeptAsItIs, Problem> {
        // A refresh token works once: it is not used up for an answer that cannot be given.
        api.recordable()?;
        let answer = answer(&api, &caller, form.0).await?;
        Ok(KeptAsItIs(answer))
    }

    /// Log out
    ///
    /// Ends the session of the token that is sent along.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
    ) -> Result<LoggedOut, Problem> {
        let principal = caller.principal()?;
        let event = Event::new(Action::Logout, Outcome::Success);
        api.record(&caller, event).await?;
        if let Via::Session(session) = &principal.via {
            api.catalog.close_session(session, crate::now()).await?;
            api.standings.forget();
        }
        Ok(LoggedOut::Done)
    }
}

/// An answer whose errors are RFC 6749's, not problems.
struct KeptAsItIs(Answer);

impl IntoResponse for KeptAsItIs {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.set_data(Shaped);
        response
    }
}

impl ApiResponse for KeptAsItIs {
    fn meta() -> poem_openapi::registry::MetaResponses {
        Answer::meta()
    }

    fn register(registry: &mut poem_openapi::registry::Registry) {
        Answer::register(registry);
    }
}

async fn answer(api: &Api, caller: &Caller, form: TokenRequest) -> Result<Answer, Problem> {
    api.limits.login(caller.address)?;
    match form.grant_type.as_deref() {
        None | Some("password") => match (form.username, form.password) {
            (Some(name), Some(password)) => {
                log_in(api, caller, &name, Secret::new(password.into())).await
            }
            _ => Ok(Answer::Bad(Json(OAuthError::invalid_request()))),
        },
        Some("refresh_token") => match form.refresh_token {
            Some(token) => {
                let token = Secret::new(token.into());
                carry_on(api, caller, token.expose_str().unwrap_or_default()).await
            }
            None => Ok(Answer::Bad(Json(OAuthError::invalid_request()))),
        },
        Some(_) => Ok(Answer::Bad(Json(OAuthError::unsupported()))),
    }
}

async fn log_in(
    api: &Api,
    caller: &Caller,
    given: &str,
    password: Secret,
) -> Result<Answer, Problem> {
    let now = crate::now();
    let failed = |reason| Event::new(Action::Login, Outcome::Failure).reason(reason);
    let pair = Attempts::of(given, &crate::client::counted(caller.address).to_string());
    if let Err(wait) = api.catalog.attempt(&pair, &api.lockout, now).await? {
        api.metrics.login("locked");
        api.record(caller, failed("locked")).await?;
        let wait = u64::try_from(wait).unwrap_or(1);
        return Err(Problem::too_many().retry_after(wait));
    }
    let found = match Name::parse(given) {
        Ok(name) => api.catalog.credentials(&name).await?,
        Err(Error::Malformed(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let hash: Option<&PasswordHash> = found.as_ref().map(|f| &f.password);
    let right = api.hasher.verify(password, hash).await?;
    let ends = now.saturating_add(api.tokens.session);
    let opened = match found.filter(|f| right && !f.user.disabled) {
        Some(found) => {
            let session = api.catalog.open_session(&found, now, ends).await?;
            session.map(|session| (found.user, session))
        }
        None => None,
    };
    let Some((user, session)) = opened else {
        api.metrics.login("failure");
        // What was typed as a name may have been a password: it is not recorded.
        api.record(caller, failed("credentials")).await?;
        return Ok(wrong());
    };
    api.catalog.attempt_succeeded(&pair).await?;
    api.metrics.login("success");
    let event = by(&user, Event::new(Action::Login, Outcome::Success)).by(&session.id);
    api.record(caller, event).await?;
    reply(api, &user, session, now)
}

async fn carry_on(api: &Api, caller: &Caller, token: &str) -> Result<Answer, Problem> {
    let now = crate::now();
    let issued = |outcome| Event::new(Action::TokenIssued, outcome);
    let (event, answer) = match api.catalog.rotate(token, now).await? {
        Rotation::Fresh(session, user) => {
            let event = by(&user, issued(Outcome::Success)).by(&session.id);
            (event, reply(api, &user, session, now))
        }
        Rotation::Reused(user) => {
            api.standings.forget();
            let event = issued(Outcome::Failure).reason("reused");
            (by(&user, event), Ok(wrong()))
        }
        Rotation::Refused => (issued(Outcome::Failure).reason("refused"), Ok(wrong())),
    };
    api.record(caller, event).await?;
    answer
}

fn by(user: &User, event: Event) -> Event {
    let event = event.user_id(&user.id).user(&user.name);
    event.roles(user.roles.iter())
}

fn reply(api: &Api, user: &User, session: Session, now: i64) -> Result<Answer, Problem> {
    let jti = glovebox_catalog::token("")?;
    let token = api
        .tokens
        .issue(&user.id, &session.id, jti.expose(), now)
        .ok_or_else(Problem::internal)?;
    Ok(Answer::Good(Json(TokenReply {
        access_token: token,
        token_type: "bearer".into(),
        expires_in: api.tokens.lifetime,
        refresh_token: session.refresh.expose().to_owned(),
    })))
}
