//! `glovebox audit`: verify an audit log, show its records, and manage the key that signs its
//! checkpoints.

mod key;
mod restored;
mod show;
mod verify;

use clap::Subcommand;

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Detect any edited, deleted, inserted, swapped or truncated records of an audit log
    Verify(verify::Verify),
    /// Show records
    Show(show::Show),
    /// Record that a log that is behind the catalog was restored from a backup
    Restored(restored::Restored),
    /// Print the public key that verifies checkpoints; create the key if there is none
    Key(key::Key),
}

pub(super) fn audit(args: &Args) -> anyhow::Result<Exit> {
    match &args.action {
        Action::Verify(verify) => verify.run(),
        Action::Show(show) => show.run(),
        Action::Restored(restored) => restored.run(),
        Action::Key(key) => key.run(),
    }
}
