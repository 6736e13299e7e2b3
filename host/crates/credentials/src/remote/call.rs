//! One question to a server, asked again for a while if it is away or busy, and its answer as JSON
//! that is wiped when it is dropped.

use std::time::Duration;

use glovebox_outbound::https::{
    Address, Bytes, Client, Failure, HeaderMap, HeaderName, HeaderValue, Limits, Method, Reply,
    header,
};
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::Problem;

/// Bytes of an answer, whose secret is one field of perhaps many.
const MAX_ANSWER: usize = 1 << 20;
/// How often a question is asked in all.
const TRIES: u32 = 4;

/// How long a server is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For one answer.
    pub request: Duration,
    /// Before the second try; twice as long before the third, and so on.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            request: Duration::from_secs(10),
            pause: Duration::from_millis(250),
        }
    }
}

/// A question.
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) address: Address,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether it may be asked again when nobody knows if the server has heard it: a login may be
    /// good for one use.
    pub(super) repeatable: bool,
    /// Whether it goes over a connection that is kept for the next such question, which it is asked again
    /// over another if that was closed. That one's buffers, too, keep what the answer holds: no secret.
    pub(super) kept: bool,
}

impl Question {
    /// Reads something.
    pub(super) fn get(address: Address) -> Self {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::ACCEPT, json);
        Question {
            method: Method::GET,
            address,
            headers,
            body: Bytes::new(),
            repeatable: true,
            kept: false,
        }
    }

    /// Sends a body of JSON, once.
    pub(super) fn post(address: Address, body: &Value) -> Self {
        Question::json(address, body.to_string().into())
    }

    /// The same with JSON that is written already.
    pub(super) fn json(address: Address, body: Bytes) -> Self {
        let mut question = Question::get(address);
        question.method = Method::POST;
        question.body = body;
        question.repeatable = false;
        let json = HeaderValue::from_static("application/json");
        question.headers.insert(header::CONTENT_TYPE, json);
        question
    }

    /// Sends a form, once.
    pub(super) fn form(address: Address, form: String) -> Self {
        let mut question = Question::get(address);
        question.method = Method::POST;
        question.body = form.into();
        question.repeatable = false;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        question.headers.insert(header::CONTENT_TYPE, kind);
        question
    }

    /// Adds a header that no log shows.
    pub(super) fn secret_header(mut self, name: HeaderName, value: &[u8]) -> Result<Self, Problem> {
        let mut value = HeaderValue::from_bytes(value).map_err(|_| {
            Problem::Refused(
                "what one logs in by has characters that cannot be sent, such as a line break"
                    .into(),
            )
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        wipe_bytes(std::mem::take(&mut self.body));
    }
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null where it is not JSON.
    pub(super) body: Wiped,
}

/// JSON that may hold secrets.
pub(super) struct Wiped(Value);

impl Wiped {
    /// JSON of ours that holds one.
    pub(super) fn new(value: Value) -> Self {
        Wiped(value)
    }

    /// The whole of it.
    pub(super) fn value(&self) -> &Value {
        &self.0
    }

    /// What is there.
    pub(super) fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// A member by its name, which may have any characters.
    pub(super) fn take_text(&mut self, pointer: &str, member: &str) -> Taken {
        let within = self.0.pointer_mut(pointer).and_then(Value::as_object_mut);
        match within.and_then(|within| within.get_mut(member)) {
            Some(Value::String(text)) => Taken::Text(std::mem::take(text)),
            Some(Value::Null) | None => Taken::Nothing,
            Some(_) => Taken::Other,
        }
    }
}

/// What was found where a text should be.
pub(super) enum Taken {
    /// The text.
    Text(String),
    /// Something else.
    Other,
    /// Nothing.
    Nothing,
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Where nobody else has the bytes, they are wiped; what a connection's buffers held is not ours.
fn wipe_bytes(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

/// Asks until there is an answer that is worth something, a few times at most.
pub(super) async fn ask(
    client: &Client,
    question: &Question,
    patience: Patience,
) -> Result<Answer, Problem> {
    reply(client, question, patience).await.and_then(answer)
}

/// The same where the answer is not JSON: its status and its text.
pub(super) async fn ask_text(
    client: &Client,
    question: &Question,
    patience: Patience,
) -> Result<(u16, Zeroizing<String>), Problem> {
    let reply = reply(client, question, patience).await?;
    let text = Zeroizing::new(String::from_utf8_lossy(&reply.body).into_owned());
    wipe_bytes(reply.body);
    Ok((reply.status.as_u16(), text))
}

async fn reply(client: &Client, question: &Question, patience: Patience) -> Result<Reply, Problem> {
    let limits = Limits {
        time: patience.request,
        size: MAX_ANSWER,
    };
    let (mut pause, mut tried) = (patience.pause, 0);
    loop {
        let (method, headers) = (question.method.clone(), question.headers.clone());
        let body = question.body.clone();
        let to = &question.address;
        let reply = match question.kept {
            true => client.send_kept(method, to, headers, body, limits).await,
            false => client.send(method, to, headers, body, limits).await,
        };
        tried += 1;
        let passing = match &reply {
            Ok(reply) => is_passing(reply.status.as_u16(), question.repeatable),
            Err(Failure::Unreachable(_)) => true,
            Err(Failure::TooSlow(_) | Failure::Protocol) => question.repeatable,
            Err(_) => false,
        };
        if !passing || tried >= TRIES {
            return reply.map_err(problem);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// Whether another try may be answered differently: of a standby, a limit of rates, a server that
/// waits for its leader, or one that is sealed or restarts. What may be asked once only is repeated where
/// the server says that it has not done it.
fn is_passing(status: u16, repeatable: bool) -> bool {
    matches!(status, 412 | 429 | 472 | 473 | 503) || repeatable && matches!(status, 408 | 500..=599)
}

fn problem(failure: Failure) -> Problem {
    match failure {
        Failure::Unreachable(_) | Failure::Unknown => {
            Problem::Away(format!("{failure}; is the address right, and is it up?"))
        }
        Failure::TooSlow(_) | Failure::Protocol => Problem::Away(failure.to_string()),
        Failure::Untrusted(_)
        | Failure::TooLarge(_)
        | Failure::Redirect(_)
        | Failure::Status(_) => Problem::Refused(failure.to_string()),
    }
}

fn answer(reply: Reply) -> Result<Answer, Problem> {
    let status = reply.status.as_u16();
    if reply.status.is_redirection() {
        return Err(problem(Failure::Redirect(status)));
    }
    let parsed = serde_json::from_slice(&reply.body);
    wipe_bytes(reply.body);
    let body = match parsed {
        Ok(body) => body,
        Err(_) if status >= 400 || status == 204 => Value::Null,
        Err(_) => {
            return Err(Problem::Refused(format!(
                "it answered {status}, but not with JSON; is this the server's address?"
            )));
        }
    };
    Ok(Answer {
        status,
        body: Wiped(body),
    })
}
