//! Tokens of OAuth 2.0 (RFC 6750) in front of the stores of two clouds: got once, and replaced before
//! they expire or when the store does not take them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glovebox_core::Secret;
use glovebox_outbound::https::{Client, header};
use serde_json::Value;
use zeroize::Zeroizing;

use super::call::{self, Answer, Question, Taken};
use super::{Patience, Problem};

/// Tokens are replaced so long before they expire.
const EARLY: Duration = Duration::from_secs(60);

/// A token.
pub(super) struct Bearer {
    token: Secret,
    until: Instant,
}

/// The one that is in use.
#[derive(Default)]
pub(super) struct Bearers {
    current: Mutex<Option<Arc<Bearer>>>,
}

impl Bearers {
    /// Asks a store with a token, and with another if it does not take that.
    pub(super) async fn ask<F>(
        &self,
        client: &Client,
        question: impl Fn() -> Question,
        patience: Patience,
        token: impl Fn() -> F,
    ) -> Result<Answer, Problem>
    where
        F: Future<Output = Result<Bearer, Problem>>,
    {
        let current = self.current().clone();
        let kept = current.filter(|bearer| Instant::now() < bearer.until);
        let is_new = kept.is_none();
        let bearer = match kept {
            Some(bearer) => bearer,
            None => self.keep(token().await?),
        };
        let answer = call::ask(client, &bearer.shown(question())?, patience).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        *self.current() = None;
        if is_new {
            return Ok(answer);
        }
        let bearer = self.keep(token().await?);
        call::ask(client, &bearer.shown(question())?, patience).await
    }

    fn keep(&self, bearer: Bearer) -> Arc<Bearer> {
        let bearer = Arc::new(bearer);
        *self.current() = Some(Arc::clone(&bearer));
        bearer
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Bearer>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bearer {
    /// The token that an answer grants (RFC 6749, section 5.1); `by` whom it was asked, for messages.
    pub(super) fn granted(mut answer: Answer, by: &str) -> Result<Self, Problem> {
        if answer.status != 200 {
            let (status, problem) = (answer.status, format!("no token is to be had {by}"));
            return Err(match status {
                429 | 500.. => Problem::Away(format!("{problem} ({status}); try again later")),
                _ => Problem::Refused(format!("{problem} ({status})")),
            });
        }
        // Azure's machines say it as text.
        let seconds = answer
            .body
            .at("/expires_in")
            .and_then(|seconds| match seconds {
                Value::String(text) => text.parse().ok(),
                other => other.as_u64(),
            });
        let time = Duration::from_secs(seconds.unwrap_or(0)).saturating_sub(EARLY);
        match answer.body.take_text("", "access_token") {
            Taken::Text(token) if !token.is_empty() => Ok(Bearer {
                token: Secret::new(token.into_bytes()),
                until: Instant::now()
                    .checked_add(time)
                    .unwrap_or_else(Instant::now),
            }),
            _ => Err(Problem::Refused(format!(
                "the answer about a token {by} has none"
            ))),
        }
    }

    fn shown(&self, question: Question) -> Result<Question, Problem> {
        let value = Zeroizing::new([b"Bearer ", self.token.expose()].concat());
        question.secret_header(header::AUTHORIZATION, &value)
    }
}
