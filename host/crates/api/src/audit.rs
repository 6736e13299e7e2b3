//! The record of who did what: written, and on the disk, before a reply is sent.
//!
//! Owns what a record holds and when a caller may go on; refuses values: rows are counted and
//! columns named. How records are kept is `glovebox-audit`'s.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use glovebox_audit as audit;
use glovebox_audit::{Anchorage, AuditError, Log, Restored};
use glovebox_catalog::Catalog;

use super::anchors::{self, Keeper};
use super::places::Secrets;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The server begins.
    ServerStart,
    /// The server ends.
    ServerStop,
    /// Somebody logged in.
    Login,
    /// A session got a new token.
    TokenRefresh,
    /// Somebody logged out.
    Logout,
    /// A token or key that did not do.
    Authentication,
    /// A role that does not allow it.
    Authorization,
    /// Rows were read.
    DataRead,
    /// A user was added.
    UserAdd,
    /// A user was changed.
    UserChange,
    /// Users were listed.
    UserList,
    /// An API key was made.
    KeyAdd,
    /// An API key was revoked.
    KeyRevoke,
    /// A user's sessions were ended by somebody.
    SessionsEnd,
    /// A secret was read to be used.
    SecretUse,
    /// A run was asked for.
    RunStart,
    /// A run ended.
    RunFinish,
    /// A run was cancelled.
    RunCancel,
    /// Another issuer has other keys than before.
    IssuerKeys,
    /// A file was sent to be run.
    Upload,
    /// Something was looked at: a run, a report, a list.
    View,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was not.
    Failure,
}

/// Who did it.
#[derive(Debug, Clone, Default)]
pub struct Who {
    /// The user's id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// The session or the API key they came with.
    pub by: Option<String>,
}

/// One record.
#[derive(Debug, Clone)]
pub struct Event {
    pub(crate) action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub who: Option<Who>,
    pub(crate) from: Option<IpAddr>,
    /// What the request is called in the log and in `X-Request-Id`.
    pub(crate) request: Option<String>,
    /// The method and the pattern of the route, which hold nothing that a client sent.
    pub(crate) route: Option<(&'static str, Arc<str>)>,
    /// A dataset, a user, a key, a pipeline.
    pub(crate) target: Option<String>,
    /// Whose key or session it is, when it is not the caller's.
    pub(crate) of_user: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) rows: Option<u64>,
    pub(crate) columns: Vec<String>,
    /// The roles that a user has now.
    pub roles: Vec<String>,
    /// How often it happened besides what was recorded one by one.
    pub(crate) count: Option<u64>,
    /// Why it failed, or what was done, in a word of ours.
    pub reason: Option<&'static str>,
}

impl Event {
    /// An event of this moment.
    pub fn new(action: Action, outcome: Outcome) -> Self {
        Event {
            action,
            outcome,
            who: None,
            from: None,
            request: None,
            route: None,
            target: None,
            of_user: None,
            run: None,
            rows: None,
            columns: Vec::new(),
            roles: Vec::new(),
            count: None,
            reason: None,
        }
    }

    /// What it was done to.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Whose key or session it is, when it is not the caller's.
    #[must_use]
    pub fn of_user(mut self, name: impl Into<String>) -> Self {
        self.of_user = Some(name.into());
        self
    }

    /// The run that it is about.
    #[must_use]
    pub fn run(mut self, run: impl Into<String>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// Why it failed, or what was done, in a word of ours.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }
}

/// The record could not be written; whoever asked gets no answer.
#[derive(Debug, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct NotRecorded;

impl From<NotRecorded> for super::problem::Problem {
    fn from(_: NotRecorded) -> Self {
        super::problem::Problem::not_audited().retry_after(5)
    }
}

/// Whose log it is. A log has one writer, and commands are called while the server writes its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The server's.
    Server,
    /// `glovebox user`; its log is in `FOLDER-commands`, beside the server's.
    Commands,
}

impl Writer {
    /// A folder of the configuration, or the one beside it.
    pub(crate) fn folder(self, folder: &Path) -> PathBuf {
        match self {
            Writer::Server => folder.to_owned(),
            Writer::Commands => {
                let mut name = folder.file_name().unwrap_or_default().to_owned();
                name.push("-commands");
                folder.with_file_name(name)
            }
        }
    }
}

/// How a configured log is opened.
///
/// # Errors
/// When the key of its checkpoints cannot be had, or is none.
pub fn options(
    config: &super::config::Audit,
    secrets: Secrets<'_>,
    writer: Writer,
) -> anyhow::Result<audit::Options> {
    let mut options = audit::Options::new(writer.folder(&config.folder));
    options.segment_size = config.segment_size;
    options.keep_for = config.keep_for;
    if let Some((folder, key, every)) = &config.checkpoints {
        let signing = audit::SigningKey::from_secret(&secrets(key)?)
            .with_context(|| format!("the audit log's key `{key}`"))?;
        options.checkpoints = Some(audit::Checkpoints {
            folder: writer.folder(folder),
            key: signing,
            pace: audit::CheckpointPolicy {
                records: u64::from(*every),
                ..audit::CheckpointPolicy::default()
            },
        });
    }
    Ok(options)
}

/// Where records go.
#[derive(Debug, Clone)]
pub struct Audit {
    log: Arc<Log>,
    /// Who writes down in the catalog how far it is.
    keeper: Arc<Mutex<Option<Keeper>>>,
}

impl Audit {
    /// Opens the log, if it is as far as the catalog knows it.
    ///
    /// # Errors
    /// When another process writes it, it does not hold together or is behind, or the disk or the
    /// catalog refuses.
    pub async fn open(options: audit::Options, catalog: &Catalog) -> anyhow::Result<Self> {
        Audit::open_as(options, catalog, None).await
    }

    /// The same; `restored` says why a log that is behind is an honest one.
    ///
    /// # Errors
    /// As [`Audit::open`], and when the log is not behind.
    pub async fn open_as(
        mut options: audit::Options,
        catalog: &Catalog,
        restored: Option<Restored>,
    ) -> anyhow::Result<Self> {
        let place = anchors::place(&options.folder);
        let (mut anchorage, told) = Anchorage::new(place, anchors::known(catalog).await?);
        anchorage.restored = restored.clone();
        options.anchorage = Some(anchorage);
        let log = Log::open(options)?;
        if let (Some(behind), Some(said)) = (log.restored(), restored) {
            let now = super::now();
            catalog
                .restore_anchor(&behind.log, &said.because, now)
                .await?;
        }
        Ok(Audit {
            log: Arc::new(log),
            keeper: Arc::new(Mutex::new(Some(Keeper::begin(catalog, told)))),
        })
    }

    /// Returns once the record is on the disk.
    ///
    /// # Errors
    /// When it is not.
    pub async fn record(&self, event: Event) -> Result<(), NotRecorded> {
        match self.log.record(event.written()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "an event could not be recorded");
                Err(NotRecorded)
            }
        }
    }

    /// Whether the next record will be taken, as far as is known.
    pub(crate) fn ready(&self) -> Result<(), NotRecorded> {
        self.log.ready().map_err(|error| {
            tracing::warn!(%error, "not ready");
            NotRecorded
        })
    }

    /// Ends the log with its last checkpoint and anchor.
    ///
    /// # Errors
    /// When it, or an earlier record, could not be written.
    pub async fn close(&self) -> Result<(), AuditError> {
        let closed = self.log.close();
        let keeper = self.keeper.lock();
        let keeper = keeper.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            keeper.end().await;
        }
        closed
    }
}

impl Action {
    fn written(self) -> audit::Action {
        match self {
            Action::ServerStart => audit::Action::Started,
            Action::ServerStop => audit::Action::Stopped,
            Action::Login => audit::Action::Login,
            Action::TokenRefresh => audit::Action::TokenIssued,
            Action::Logout => audit::Action::Logout,
            Action::Authentication | Action::Authorization => audit::Action::Denied,
            Action::DataRead => audit::Action::DataRead,
            Action::UserAdd => audit::Action::UserAdded,
            Action::UserChange => audit::Action::UserChanged,
            Action::UserList | Action::View => audit::Action::Viewed,
            Action::KeyAdd => audit::Action::ApiKeyAdded,
            Action::KeyRevoke => audit::Action::ApiKeyRevoked,
            Action::SessionsEnd => audit::Action::TokenRevoked,
            Action::SecretUse => audit::Action::SecretUsed,
            Action::RunStart => audit::Action::RunStarted,
            Action::RunFinish => audit::Action::RunFinished,
            Action::RunCancel => audit::Action::RunCancelled,
            Action::IssuerKeys => audit::Action::Configured,
            Action::Upload => audit::Action::Uploaded,
        }
    }
}

impl Event {
    /// In the words of the log.
    fn written(&self) -> audit::Event {
        let outcome = match self.outcome {
            Outcome::Success => audit::Outcome::Success,
            Outcome::Failure => audit::Outcome::Failure,
        };
        let mut written = audit::Event::new(self.action.written(), outcome)
            .columns(self.columns.iter().map(String::as_str))
            .roles(self.roles.iter().map(String::as_str));
        if let Some(who) = &self.who {
            written = written.user(&who.name).user_id(&who.id);
            if let Some(by) = &who.by {
                written = written.by(by);
            }
        }
        if let Some(from) = self.from {
            written = written.source(from);
        }
        if let Some(request) = &self.request {
            written = written.request(request);
        }
        if let Some((method, path)) = &self.route {
            written = written.http(method, path);
        }
        if let Some(user) = &self.of_user {
            written = written.target(user);
        }
        if let Some(count) = self.count {
            written = written.count(count);
        }
        if let Some(rows) = self.rows {
            written = written.rows(rows);
        }
        if let Some(reason) = self.reason {
            written = written.reason(reason);
        }
        if let Some(run) = &self.run {
            written = written.run(run);
        }
        let Some(target) = &self.target else {
            return written;
        };
        match self.action {
            Action::DataRead => written.dataset(target),
            Action::KeyAdd | Action::KeyRevoke | Action::SecretUse | Action::IssuerKeys => {
                written.key(target)
            }
            Action::RunStart
            | Action::RunFinish
            | Action::RunCancel
            | Action::Upload
            | Action::View => written.pipeline(target),
            _ => written.target(target),
        }
    }
}
