//! What every command says that gives personal data back or erases it: why, about which values, and where the
//! record of it goes. Values are never arguments, which stand in the shell's history and in every process
//! list.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use glovebox_audit::{Event, Log, Options};

use super::caller::caller;

/// The most that is read of values, in bytes.
const MAX_SIZE: u64 = 64 << 20;

/// The longest reason, in bytes.
const MAX_REASON_LEN: usize = 200;

#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// Why; recorded with who asked, and about how many values.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The audit log's folder; begun if there is none.
    #[arg(long, value_name = "FOLDER")]
    audit: PathBuf,
    /// The values, one a line; standard input if left out.
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
}

impl Asked {
    /// Before anything is done.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            !self.reason.trim().is_empty()
                && self.reason.len() <= MAX_REASON_LEN
                && !self.reason.chars().any(char::is_control),
            "`--reason` takes 1 to {MAX_REASON_LEN} bytes, without control characters"
        );
        Ok(())
    }

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
            .because(&self.reason);
        let log = Log::open(Options::new(&self.audit))?;
        log.record_blocking(event)?;
        log.close()?;
        Ok(())
    }
}
