//! The record of who did what: written, and on the disk, before a reply is sent.
//!
//! Owns what a record holds and when a caller may go on; refuses values: rows are counted and
//! columns named. What is behind [`Audit::record`] may change without its callers.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    ServerStart,
    ServerStop,
    Login,
    TokenRefresh,
    Logout,
    /// A token or key that did not do.
    Authentication,
    /// A role that does not allow it.
    Authorization,
    DataRead,
    UserAdd,
    UserChange,
    UserList,
    KeyAdd,
    KeyRevoke,
    /// A secret was read to be used.
    SecretUse,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Success,
    Failure,
}

/// Who did it.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Who {
    /// The user's id.
    pub(crate) id: String,
    /// Their name.
    pub(crate) name: String,
    /// The session or the API key they came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
}

/// One record.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    /// Seconds since 1970.
    pub(crate) at: i64,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) who: Option<Who>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<IpAddr>,
    /// What the request is called in the log and in `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
    /// A dataset, a user, a key, a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<String>,
    /// Why it failed, in a word of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
}

impl Event {
    /// An event of this moment.
    pub(crate) fn new(action: Action, outcome: Outcome) -> Self {
        Event {
            at: super::now(),
            action,
            outcome,
            who: None,
            from: None,
            request: None,
            target: None,
            rows: None,
            columns: Vec::new(),
            reason: None,
        }
    }

    #[must_use]
    pub(crate) fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    #[must_use]
    pub(crate) fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }
}

/// The record could not be written; whoever asked gets no answer.
#[derive(Debug, thiserror::Error)]
#[error("the audit log cannot be written")]
pub(crate) struct NotRecorded;

impl From<NotRecorded> for super::problem::Problem {
    fn from(_: NotRecorded) -> Self {
        super::problem::Problem::not_audited().retry_after(5)
    }
}

/// Where records go.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    to: mpsc::Sender<(Vec<u8>, oneshot::Sender<bool>)>,
}

/// Records that may wait for the disk.
const WAITING: usize = 1024;

impl Audit {
    /// Opens the log, made for its owner's eyes only.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        let (to, from) = mpsc::channel(WAITING);
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || keep(file, from))?;
        Ok(Audit { to })
    }

    /// Returns once the record is on the disk.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) async fn record(&self, event: Event) -> Result<(), NotRecorded> {
        let mut line = serde_json::to_vec(&event).map_err(|_| NotRecorded)?;
        line.push(b'\n');
        let (done, waits) = oneshot::channel();
        self.to.send((line, done)).await.map_err(|_| NotRecorded)?;
        match waits.await {
            Ok(true) => Ok(()),
            _ => Err(NotRecorded),
        }
    }
}

/// Writes what waits together and syncs it once.
fn keep(mut file: File, mut from: mpsc::Receiver<(Vec<u8>, oneshot::Sender<bool>)>) {
    while let Some((mut lines, first)) = from.blocking_recv() {
        let mut waiting = vec![first];
        while let Ok((line, next)) = from.try_recv() {
            lines.extend_from_slice(&line);
            waiting.push(next);
        }
        let written = file.write_all(&lines).and_then(|()| file.sync_data());
        if let Err(error) = &written {
            tracing::error!(%error, "the audit log cannot be written");
        }
        for done in waiting {
            // Whoever hung up does not wait for it.
            let _ = done.send(written.is_ok());
        }
    }
}
