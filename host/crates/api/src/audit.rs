//! Audit records of the API: on disk before a response is sent.
//!
//! What a record holds, and how records are kept, is `glovebox-audit`'s.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context;
use glovebox_audit as audit;
use glovebox_audit::{Anchorage, AuditError, Event, Log, Restored};
use glovebox_catalog::Catalog;

use super::anchors::{self, Keeper};
use super::places::Secrets;
use super::tap::Tap;

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
    /// Who looks at what was recorded.
    tap: Arc<OnceLock<Tap>>,
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
            tap: Arc::default(),
        })
    }

    /// The last record on the disk, as `glovebox audit verify --head` takes it; none before the first.
    pub(crate) fn head(&self) -> Option<String> {
        let head = self.log.head();
        head.map(|(number, hash)| format!("{number}:{hash}"))
    }

    /// Returns once the record is on the disk.
    ///
    /// # Errors
    /// When it is not.
    pub async fn record(&self, event: Event) -> Result<(), NotRecorded> {
        let seen = self.is_tapped().then(|| event.clone());
        self.record_count(event).await?;
        seen.into_iter().for_each(|event| self.hand_on(event));
        Ok(())
    }

    /// The same of what was looked at when it happened.
    ///
    /// # Errors
    /// When it is not on the disk.
    pub(crate) async fn record_count(&self, event: Event) -> Result<(), NotRecorded> {
        match self.log.record(event).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "an event could not be recorded");
                Err(NotRecorded)
            }
        }
    }

    /// Whether somebody looks at events.
    pub(crate) fn is_tapped(&self) -> bool {
        self.tap.get().is_some()
    }

    /// Has an event looked at.
    pub(crate) fn hand_on(&self, event: Event) {
        if let Some(tap) = self.tap.get() {
            tap.hand_on(event);
        }
    }

    /// Has what is recorded from now on looked at.
    pub(crate) fn tap(&self, tap: Tap) {
        // There is one server to a log.
        let _ = self.tap.set(tap);
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
