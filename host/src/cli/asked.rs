//! What every command says that gives personal data back or erases it: why, about which values, and where the
//! record of it goes. Values are never arguments, which stand in the shell's history and in every process
//! list.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use glovebox_audit::Event;

use super::caller::{Reason, caller, record_in};

/// The most that is read of values, in bytes.
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
        let mut values = String::new();
        let most = MAX_SIZE + 1;
        let read = match &self.values {
            Some(path) => std::fs::File::open(path)
                .and_then(|file| file.take(most).read_to_string(&mut values))
                .with_context(|| format!("cannot read the values in {}", path.display())),
            None => std::io::stdin()
                .lock()
                .take(most)
                .read_to_string(&mut values)
                .context("cannot read the values from standard input"),
        }?;
        ensure!(
            read as u64 <= MAX_SIZE,
            "there are more than {} MiB of values; use several calls",
            MAX_SIZE >> 20
        );
        Ok(values)
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
