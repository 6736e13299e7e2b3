//! What every command says that gives personal data back or erases it: why, about which values, and where the
//! record of it goes. Values are never arguments, which stand in the shell's history and in every process
//! list.

use std::path::PathBuf;

use anyhow::Context;
use glovebox_audit::Event;
use glovebox_files::bounded;

use super::caller::{Reason, caller, record_in};

/// The most that is read of values in one call, in bytes.
const MAX_SIZE: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// Why; recorded with who asked, and about how many values.
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    /// The audit log's folder; begun if there is none.
    #[arg(long, value_name = "FOLDER")]
    audit: PathBuf,
    /// The values, one a line; standard input if left out.
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
}

impl Asked {
    /// The values, one a line.
    pub(super) fn lines(&self) -> anyhow::Result<String> {
        match &self.values {
            Some(path) => bounded::read_text(path, MAX_SIZE)
                .with_context(|| format!("cannot read the values in {}", path.display())),
            None => bounded::read_text_from(std::io::stdin().lock(), MAX_SIZE)
                .context("cannot read the values from standard input"),
        }
    }

    /// On the disk, or nothing is shown and nothing erased.
    pub(super) fn record(&self, event: Event) -> anyhow::Result<()> {
        let event = event
            .user("command line")
            .user_id(&caller())
            .because(&self.reason.0);
        record_in(&self.audit, event)
    }
}
