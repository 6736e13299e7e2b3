//! An audit event, as its caller describes it: who, what, when, from where, how many rows, which
//! columns. It has no field for cells: columns are names, rows are counts, and a path comes without
//! its query, which may contain values.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Outcome};

/// The longest text of a field, in characters; what is longer ends with `…`.
const MAX_TEXT_LEN: usize = 256;

/// Something to be recorded. The log adds time, sequence and hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Event {
    #[serde(rename = "event.action")]
    action: &'static str,
    #[serde(rename = "event.category")]
    category: [&'static str; 1],
    #[serde(rename = "event.type")]
    kind: [&'static str; 1],
    #[serde(rename = "event.outcome")]
    outcome: Outcome,
    #[serde(rename = "event.reason", skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(rename = "user.name", skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(rename = "user.id", skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(rename = "labels.by", skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(rename = "user.target.name", skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(rename = "user.target.roles", skip_serializing_if = "Vec::is_empty")]
    target_roles: Vec<String>,
    #[serde(rename = "user.roles", skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
    #[serde(rename = "source.ip", skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    #[serde(rename = "http.request.id", skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(
        rename = "http.request.method",
        skip_serializing_if = "Option::is_none"
    )]
    method: Option<String>,
    #[serde(rename = "url.path", skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(
        rename = "http.response.status_code",
        skip_serializing_if = "Option::is_none"
    )]
    status: Option<u16>,
    #[serde(rename = "labels.dataset", skip_serializing_if = "Option::is_none")]
    dataset: Option<String>,
    #[serde(rename = "labels.pipeline", skip_serializing_if = "Option::is_none")]
    pipeline: Option<String>,
    #[serde(rename = "labels.run", skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(rename = "labels.key", skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(rename = "labels.rows", skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(rename = "labels.rejected", skip_serializing_if = "Option::is_none")]
    rejected: Option<u64>,
    #[serde(rename = "labels.plugins", skip_serializing_if = "Vec::is_empty")]
    plugins: Vec<String>,
    #[serde(rename = "labels.because", skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(rename = "labels.columns", skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String>,
    #[serde(rename = "labels.count", skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    file: Option<WatchedFile>,
}

/// A file that is watched. Its name is a stranger's choice, its content is known by a digest only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WatchedFile {
    /// What it is to a pipeline: `data`, `plugin` or `manifest`.
    #[serde(rename = "labels.role")]
    pub role: String,
    /// Its folder.
    #[serde(rename = "file.directory")]
    pub directory: String,
    /// Its name, with what a terminal would obey escaped.
    #[serde(rename = "file.name")]
    pub name: String,
    /// Its size in bytes.
    #[serde(rename = "file.size", skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of its content, in hexadecimal; of data there is none, since whoever has most of a small
    /// file would find the rest by trying.
    #[serde(rename = "file.hash.sha256", skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// HMAC-SHA-256 of its content under a secret, in hexadecimal.
    #[serde(rename = "labels.hmac-sha256", skip_serializing_if = "Option::is_none")]
    pub hmac: Option<String>,
    /// What tells this content from the next without reading it.
    #[serde(rename = "labels.version", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Event {
    /// Something that was done or refused.
    pub fn new(action: Action, outcome: Outcome) -> Self {
        Event {
            action: action.as_str(),
            category: [action.category()],
            kind: [action.kind()],
            outcome,
            reason: None,
            user: None,
            user_id: None,
            by: None,
            target: None,
            target_roles: Vec::new(),
            roles: Vec::new(),
            source: None,
            request: None,
            method: None,
            path: None,
            status: None,
            dataset: None,
            pipeline: None,
            run: None,
            key: None,
            rows: None,
            rejected: None,
            plugins: Vec::new(),
            because: None,
            columns: Vec::new(),
            count: None,
            file: None,
        }
    }

    /// Why: one of our own phrases, such as `wrong password`, so that nothing that a caller sent
    /// can stand there.
    pub fn reason(mut self, reason: impl Into<Option<&'static str>>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Who did it, by a name that is known. What a stranger typed as a name may be a password.
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(short(name));
        self
    }

    /// The same by an id, which outlives a change of name.
    pub fn user_id(mut self, id: &str) -> Self {
        self.user_id = Some(short(id));
        self
    }

    /// The session, API key or issuer by which they are known.
    pub fn by(mut self, id: &str) -> Self {
        self.by = Some(short(id));
        self
    }

    /// The user that was added or changed, or whose key or session it is if not the caller's.
    pub fn target(mut self, name: &str) -> Self {
        self.target = Some(short(name));
        self
    }

    /// What that user may do from now on.
    pub fn target_roles<'a>(mut self, roles: impl IntoIterator<Item = &'a str>) -> Self {
        self.target_roles = roles.into_iter().map(short).collect();
        self
    }

    /// As what they did it.
    pub fn roles<'a>(mut self, roles: impl IntoIterator<Item = &'a str>) -> Self {
        self.roles = roles.into_iter().map(short).collect();
        self
    }

    /// From where.
    pub fn source(mut self, address: IpAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// By which request, as the answer's header names it.
    pub fn request(mut self, id: &str) -> Self {
        self.request = Some(short(id));
        self
    }

    /// By which method and path; a query is cut off, since it may hold values.
    pub fn http(mut self, method: &str, path: &str) -> Self {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        self.method = Some(short(method));
        self.path = Some(short(path));
        self
    }

    /// The answer's status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Which dataset.
    pub fn dataset(mut self, name: &str) -> Self {
        self.dataset = Some(short(name));
        self
    }

    /// Which pipeline.
    pub fn pipeline(mut self, name: &str) -> Self {
        self.pipeline = Some(short(name));
        self
    }

    /// Which run.
    pub fn run(mut self, name: &str) -> Self {
        self.run = Some(short(name));
        self
    }

    /// Which key or secret, by its name.
    pub fn key(mut self, name: &str) -> Self {
        self.key = Some(short(name));
        self
    }

    /// How many rows.
    pub fn rows(mut self, rows: impl Into<Option<u64>>) -> Self {
        self.rows = rows.into();
        self
    }

    /// How many rows were rejected.
    pub fn rejected(mut self, rows: impl Into<Option<u64>>) -> Self {
        self.rejected = rows.into();
        self
    }

    /// By which plugins: of each step its name, a space, and the component's SHA-256.
    pub fn plugins(mut self, plugins: impl IntoIterator<Item = String>) -> Self {
        self.plugins = plugins.into_iter().map(|p| short(&p)).collect();
        self
    }

    /// Why, in the words of whoever asked.
    pub fn because(mut self, reason: &str) -> Self {
        self.because = Some(short(reason));
        self
    }

    /// That it happened so often, besides what was recorded one by one.
    pub fn count(mut self, times: u64) -> Self {
        self.count = Some(times);
        self
    }

    /// Which file that is watched.
    pub fn file(mut self, file: WatchedFile) -> Self {
        let short = |text: String| short(&text);
        self.file = Some(WatchedFile {
            role: short(file.role),
            directory: short(file.directory),
            name: short(file.name),
            ..file
        });
        self
    }

    /// That it failed after all.
    pub fn failed(mut self) -> Self {
        self.outcome = Outcome::Failure;
        self
    }

    /// Whether it is known who did it.
    pub fn is_by_somebody(&self) -> bool {
        self.user_id.is_some()
    }

    /// What it has in common with others that are counted together with it: neither the request nor
    /// its rows, from where by `network`; of a stranger nothing that they could choose.
    pub fn in_common(mut self, network: fn(IpAddr) -> IpAddr) -> Self {
        self.request = None;
        self.rows = None;
        self.source = self.source.map(network);
        if !self.is_by_somebody() {
            self.method = None;
            self.path = None;
        }
        self
    }

    /// From where is not said.
    pub fn from_anywhere(mut self) -> Self {
        self.source = None;
        self
    }

    /// Which columns, by their names.
    pub fn columns<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.columns = names.into_iter().map(short).collect();
        self
    }
}

pub(crate) fn short(text: &str) -> String {
    if text.chars().nth(MAX_TEXT_LEN).is_none() {
        return text.into();
    }
    text.chars().take(MAX_TEXT_LEN - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_not_kept_and_long_texts_are_cut() {
        let event = Event::new(Action::DataRead, Outcome::Success)
            .http("GET", "/sales?name=canary-61d0#canary-61d0")
            .user(&"ü".repeat(10_000));
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.contains(r#""url.path":"/sales""#) && !json.contains("canary"));
        let name = event.user.unwrap();
        assert_eq!(name.chars().count(), MAX_TEXT_LEN);
        assert!(name.ends_with('…'));
    }
}
