//! Logins to Vault: by what, and how long the token that they bring is used. It is renewed when two
//! thirds of its time are over, and another login follows when that no longer helps.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_core::{Secret, SecretName};
use glovebox_outbound::https::{Client, HeaderName, Identity};
use serde_json::{Value, json};

use super::access::{Access, Login, unusable};
use crate::remote::call::{self, Answer, Question, Taken, Wiped};
use crate::remote::{KEPT, Problem, local};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");

/// The token that a login brought, and the client that may use it.
pub(super) struct Session {
    client: Client,
    token: Secret,
    since: Instant,
    /// Whether the server has denied it from the first question on.
    doubtful: bool,
    /// None if it does not end.
    lease: Option<Lease>,
}

#[derive(Clone, Copy)]
struct Lease {
    until: Instant,
    /// What was granted at the login.
    full: Duration,
    renewable: bool,
}

impl Lease {
    fn new(seconds: u64, renewable: bool) -> Option<Self> {
        let full = Duration::from_secs(seconds);
        let until = Instant::now().checked_add(full)?;
        (seconds > 0).then_some(Lease {
            until,
            full,
            renewable,
        })
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Whether more than two thirds of it are over.
    fn wanes(&self) -> bool {
        self.left() < self.full / 3
    }
}

impl Session {
    /// Asks with this token.
    async fn ask(&self, access: &Access, question: Question) -> Result<Answer, Problem> {
        let question = access.says_who_asks(question)?;
        let question = question.secret_header(TOKEN, self.token.expose())?;
        call::ask(&self.client, &question, access.patience).await
    }

    /// Whether the server still takes the token, and it is too young for another login to bring more. Of
    /// a secret that is denied, every question would cost a login otherwise.
    async fn is_as_good_as_new(&self, access: &Access) -> bool {
        self.since.elapsed() < KEPT
            && matches!(self.look_up(access).await, Ok(answer) if answer.status == 200)
    }

    async fn look_up(&self, access: &Access) -> Result<Answer, Problem> {
        let question = Question::get(access.at("auth/token/lookup-self")?);
        self.ask(access, question).await
    }
}

/// The login that is in use.
#[derive(Default)]
pub(super) struct Sessions {
    current: Mutex<Option<Arc<Session>>>,
    /// One login at a time: a secret ID may be good for one use.
    opening: tokio::sync::Mutex<()>,
}

impl Sessions {
    /// Asks with the token in use; once more with another if the server may not take that one any more.
    pub(super) async fn ask(
        &self,
        access: &Access,
        question: impl Fn() -> Question,
    ) -> Result<Answer, Problem> {
        let (session, is_new) = self.open(access).await?;
        let answer = session.ask(access, question()).await?;
        // The token may have been revoked, or expired earlier than it said.
        if answer.status != 403 || is_new || session.is_as_good_as_new(access).await {
            return Ok(answer);
        }
        self.forget(&session);
        let (session, _) = self.open(access).await?;
        session.ask(access, question()).await
    }

    /// What else may be the reason of a denial, as the end of a sentence.
    pub(super) fn doubt(&self) -> &'static str {
        match self.current().as_ref() {
            Some(session) if session.doubtful => {
                "; or the token is none, has expired or was revoked: it may not even look itself up"
            }
            _ => "",
        }
    }

    /// A token that is good for a while yet, and whether it comes of a login just made.
    async fn open(&self, access: &Access) -> Result<(Arc<Session>, bool), Problem> {
        let _one = self.opening.lock().await;
        let current = self.current().clone();
        if let Some(session) = current {
            let Some(lease) = session.lease.filter(Lease::wanes) else {
                return Ok((session, false));
            };
            if lease.renewable
                && let Some(renewed) = renew(access, &session, lease).await
            {
                return Ok((self.keep(renewed), false));
            }
        }
        let session = log_in(access).await?;
        Ok((self.keep(session), true))
    }

    /// Has the next question begin with a login, unless somebody else has logged in meanwhile.
    fn forget(&self, session: &Arc<Session>) {
        let mut current = self.current();
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, session))
        {
            *current = None;
        }
    }

    /// Has some time of the token in use pass at once.
    #[cfg(test)]
    pub(super) fn age(&self, by: Duration) {
        let mut current = self.current();
        let session = current.as_ref().unwrap();
        let lease = session.lease.map(|lease| Lease {
            until: lease.until - by,
            ..lease
        });
        *current = Some(Arc::new(Session {
            client: session.client.clone(),
            token: session.token.clone(),
            since: session.since - by,
            doubtful: session.doubtful,
            lease,
        }));
    }

    fn keep(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        *self.current() = Some(Arc::clone(&session));
        session
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Session>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same token for longer, unless its end is near whatever one does; a login is the answer then.
async fn renew(access: &Access, session: &Session, lease: Lease) -> Option<Session> {
    let address = access.at("auth/token/renew-self").ok()?;
    let question = Question::post(address, &json!({}));
    let answer = session.ask(access, question).await;
    let answer = answer.ok().filter(|answer| answer.status == 200)?;
    let seconds = answer.body.at("/auth/lease_duration")?.as_u64()?;
    let renewable = answer.body.at("/auth/renewable").and_then(Value::as_bool);
    let renewed = Lease::new(seconds, renewable.unwrap_or(false))?;
    let renewed = Lease {
        full: lease.full,
        ..renewed
    };
    (!renewed.wanes()).then(|| Session {
        client: session.client.clone(),
        token: session.token.clone(),
        since: session.since,
        doubtful: session.doubtful,
        lease: Some(renewed),
    })
}

async fn log_in(access: &Access) -> Result<Session, Problem> {
    let client = client(access)?;
    let lookup = |name: &SecretName| {
        (access.lookup)(name).map_err(|error| {
            Problem::Refused(format!(
                "the login needs a secret of another store: {error}"
            ))
        })
    };
    let (mount, by, body) = match &access.login {
        Login::Token(name) => return by_token(access, client, lookup(name)?).await,
        Login::AppRole {
            role_id,
            secret_id,
            mount,
        } => {
            let secret = lookup(secret_id)?;
            let body = json!({ "role_id": role_id, "secret_id": text(&secret)? });
            (
                mount,
                "AppRole; check `role-id`, and whether the secret ID has expired or been used up",
                body,
            )
        }
        Login::Kubernetes {
            role,
            token_file,
            mount,
        } => {
            let token = local::read(token_file, "the service account's token")?;
            let body = json!({ "role": role, "jwt": text(&token)? });
            (
                mount,
                "Kubernetes; check the role, and which service accounts and namespaces it is bound to",
                body,
            )
        }
        Login::Certificate { role, mount, .. } => {
            let body = role
                .as_ref()
                .map_or(json!({}), |role| json!({ "name": role }));
            (
                mount,
                "certificate; check that a role of the method trusts it",
                body,
            )
        }
    };
    let body = Wiped::new(body);
    let path = format!("auth/{mount}/login");
    let question = Question::post(access.at(&path)?, body.value());
    let question = access.says_who_asks(question)?;
    let answer = call::ask(&client, &question, access.patience).await?;
    granted(client, answer, &path, by)
}

/// The session that a login's answer grants.
fn granted(client: Client, mut answer: Answer, path: &str, by: &str) -> Result<Session, Problem> {
    match answer.status {
        200 => {}
        status @ (400 | 401 | 403 | 404) => {
            return Err(Problem::Refused(format!(
                "it refuses the login at `{path}` ({status}), by {by}"
            )));
        }
        status => return Err(unusable(status)),
    }
    let seconds = answer.body.at("/auth/lease_duration");
    let seconds = seconds.and_then(Value::as_u64).unwrap_or(0);
    let renewable = answer.body.at("/auth/renewable");
    let renewable = renewable.and_then(Value::as_bool).unwrap_or(false);
    match answer.body.take_text("/auth", "client_token") {
        Taken::Text(token) if !token.is_empty() => Ok(Session {
            client,
            token: Secret::new(token.into_bytes()),
            since: Instant::now(),
            doubtful: false,
            lease: Lease::new(seconds, renewable),
        }),
        _ => Err(Problem::Refused(format!(
            "the login at `{path}` brought no token; does it ask for a second factor?"
        ))),
    }
}

/// A token that somebody else has made. How long it is good for is asked, which its policies may not
/// allow; then its end is noticed when it comes.
async fn by_token(access: &Access, client: Client, token: Secret) -> Result<Session, Problem> {
    let mut session = Session {
        client,
        token: Secret::new(text(&token)?.as_bytes().to_vec()),
        since: Instant::now(),
        doubtful: false,
        lease: None,
    };
    let answer = session.look_up(access).await?;
    match answer.status {
        200 => {
            let seconds = answer.body.at("/data/ttl").and_then(Value::as_u64);
            let renewable = answer.body.at("/data/renewable").and_then(Value::as_bool);
            session.lease = Lease::new(seconds.unwrap_or(0), renewable.unwrap_or(false));
            Ok(session)
        }
        403 => {
            session.doubtful = true;
            Ok(session)
        }
        status => Err(unusable(status)),
    }
}

/// A client whose certificates are those that the files have now.
fn client(access: &Access) -> Result<Client, Problem> {
    let ca = access.ca.as_deref();
    let Login::Certificate {
        certificate, key, ..
    } = &access.login
    else {
        return local::client(ca);
    };
    let ca = ca.map(local::authorities).transpose()?;
    let certificate = local::read(certificate, "the login's certificate")?;
    let key = local::read(key, "the login's key")?;
    let identity = Identity {
        certificate: certificate.expose(),
        key: key.expose(),
    };
    let client = Client::with_identity(ca.as_deref(), identity);
    client.map_err(|error| Problem::Refused(error.to_string()))
}

/// What one logs in by as text; a line break at its end is nobody's intention.
fn text(secret: &Secret) -> Result<&str, Problem> {
    let text = secret.expose_str().map(str::trim_end);
    text.ok_or_else(|| Problem::Refused("what one logs in by is not text".into()))
}
