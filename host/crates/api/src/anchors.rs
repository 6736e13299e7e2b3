//! Stores in the catalog how far the audit log is, as a third place next to log and checkpoints.
//! An anchor is stored after the record that it names, so it never delays one.

use std::path::Path;
use std::time::Duration;

use glovebox_audit::Anchor;
use glovebox_catalog::{Catalog, LogAnchor};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How soon a catalog that did not answer is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long the last anchor is tried to be kept.
const LAST: Duration = Duration::from_secs(10);

/// Where a log is written: which machine, and which folder there.
pub fn place(folder: &Path) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!("{}:{}", super::machine(), folder.display())
}

/// The newest anchor of every log that the catalog knows.
///
/// # Errors
/// When it fails.
pub async fn known(catalog: &Catalog) -> Result<Vec<Anchor>, glovebox_catalog::Error> {
    Ok(catalog.anchors().await?.into_iter().map(of).collect())
}

/// An anchor of the catalog's as the log has it.
pub(super) fn of(anchor: LogAnchor) -> Anchor {
    Anchor {
        log: anchor.log,
        place: anchor.place,
        checkpoint: anchor.checkpoint,
        sequence: anchor.sequence,
        head: anchor.head,
    }
}

/// Writes anchors down as they come.
#[derive(Debug)]
pub(crate) struct Keeper(JoinHandle<()>);

impl Keeper {
    /// Begins with what an open log has told.
    pub(crate) fn begin(catalog: &Catalog, told: watch::Receiver<Option<Anchor>>) -> Keeper {
        Keeper(tokio::spawn(keep(catalog.clone(), told)))
    }

    /// Waits for the last anchor of a log that is closed.
    pub(crate) async fn end(self) {
        if tokio::time::timeout(LAST, self.0).await.is_err() {
            tracing::warn!("the catalog did not store the audit log's last anchor");
        }
    }
}

async fn keep(catalog: Catalog, mut told: watch::Receiver<Option<Anchor>>) {
    let mut away = false;
    // It ends with the log, after the last anchor was seen.
    while told.changed().await.is_ok() {
        let Some(anchor) = told.borrow_and_update().clone() else {
            continue;
        };
        let anchor = LogAnchor {
            log: anchor.log,
            place: anchor.place,
            checkpoint: anchor.checkpoint,
            sequence: anchor.sequence,
            head: anchor.head,
        };
        while let Err(error) = catalog.anchor(&anchor, super::now()).await {
            if !away {
                tracing::error!(%error, "the catalog cannot store the audit log's position");
            }
            away = true;
            tokio::time::sleep(AGAIN).await;
            // A newer one says the same and more.
            if told.has_changed().unwrap_or(false) {
                break;
            }
        }
        if away {
            away = false;
            tracing::info!("the catalog stores the audit log's position again");
        }
    }
}
