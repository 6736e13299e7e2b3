//! An audit event, as its caller describes it: who, what, when, from where, how many rows, which
//! columns. It has no field for cells: columns are names, rows are counts, and a path comes without
//! its query, which may contain values.

use std::net::IpAddr;

use serde::Serialize;

/// The longest text of a field, in characters; what is longer ends with `…`.
const MAX_TEXT_LEN: usize = 256;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $category:literal, $kind:literal;)*) => {
        /// What was done, or tried.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Action] = &[$(Action::$name,)*];

            /// Its `event.action`.
            pub fn as_str(self) -> &'static str {
                match self { $(Action::$name => $text,)* }
            }

            /// The action of that name.
            pub fn parse(text: &str) -> Option<Action> {
                Action::ALL.iter().copied().find(|a| a.as_str() == text)
            }

            /// Its `event.category` in ECS.
            pub fn category(self) -> &'static str {
                match self { $(Action::$name => $category,)* }
            }

            /// Its `event.type` in ECS.
            pub fn kind(self) -> &'static str {
                match self { $(Action::$name => $kind,)* }
            }
        }
    };
}

actions! {
    /// A name and a password were given.
    Login = "login", "authentication", "start";
    /// A session was ended by its user.
    Logout = "logout", "authentication", "end";
    /// A token was issued or renewed.
    TokenIssued = "token-issued", "authentication", "start";
    /// A token, or all of a session, was revoked.
    TokenRevoked = "token-revoked", "authentication", "end";
    /// Rows of a dataset were read.
    DataRead = "data-read", "database", "access";
    /// Encrypted values were given back as the cells that they were made from.
    Revealed = "revealed", "database", "access";
    /// Rejected rows that a run had kept encrypted were opened.
    RejectsOpened = "rejects-opened", "file", "access";
    /// An officer made a share of tokens for the other one.
    TokensShared = "tokens-shared", "database", "access";
    /// Tokens were erased, so that nobody gets their cells back.
    TokensForgotten = "tokens-forgotten", "database", "deletion";
    /// What is there was looked at: pipelines, datasets, runs, reports, rejects.
    Viewed = "viewed", "web", "access";
    /// A run was started.
    RunStarted = "run-started", "process", "start";
    /// A run ended.
    RunFinished = "run-finished", "process", "end";
    /// A run was told to stop.
    RunCancelled = "run-cancelled", "process", "end";
    /// A file was given to a pipeline.
    Uploaded = "uploaded", "file", "creation";
    /// A secret was fetched from its store.
    SecretUsed = "secret-used", "configuration", "access";
    /// A key signed, or masked.
    KeyUsed = "key-used", "configuration", "access";
    /// A user was made.
    UserAdded = "user-added", "iam", "creation";
    /// A user's roles, state or password were changed.
    UserChanged = "user-changed", "iam", "change";
    /// An API key was made.
    ApiKeyAdded = "api-key-added", "iam", "creation";
    /// An API key was revoked.
    ApiKeyRevoked = "api-key-revoked", "iam", "deletion";
    /// A call was refused: no token, no right, too often.
    Denied = "denied", "web", "denied";
    /// The server, or another writer of the log, began.
    Started = "started", "process", "start";
    /// It ended.
    Stopped = "stopped", "process", "end";
    /// A rule found something that somebody should look at.
    Alerted = "alerted", "intrusion_detection", "info";
    /// The configuration was read anew.
    Configured = "configured", "configuration", "change";
    /// A segment of this log begins; by the log itself.
    SegmentOpened = "segment-opened", "configuration", "info";
    /// The log was opened; by the log itself, with what it had to put right.
    LogOpened = "log-opened", "configuration", "start";
    /// The log was found behind what another place remembers, and said to be restored from a
    /// backup; by the log itself.
    LogRestored = "log-restored", "configuration", "change";
    /// The oldest segments are about to be deleted; by the log itself.
    SegmentsRetired = "segments-retired", "configuration", "deletion";
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused or failed.
    Failure,
    /// Nobody knows yet.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 3] = [Outcome::Success, Outcome::Failure, Outcome::Unknown];

    /// Its `event.outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Unknown => "unknown",
        }
    }

    /// The outcome of that name.
    pub fn parse(text: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|o| o.as_str() == text)
    }
}

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
    fn each_action_has_a_name_of_its_own_and_a_class_that_ecs_knows() {
        let mut names: Vec<_> = Action::ALL.iter().map(|a| a.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Action::ALL.len());
        // The allowed values of ECS 8.17's `event.category` and `event.type` that are used.
        let categories = [
            "authentication",
            "configuration",
            "database",
            "file",
            "iam",
            "intrusion_detection",
            "process",
            "web",
        ];
        let kinds = [
            "access", "change", "creation", "deletion", "denied", "end", "info", "start",
        ];
        for action in Action::ALL {
            assert!(categories.contains(&action.category()), "{action:?}");
            assert!(kinds.contains(&action.kind()), "{action:?}");
        }
    }

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
