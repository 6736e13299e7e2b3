//! `glovebox rejects`: the sealed rejects of a run, for whoever has a recipient's private key.

mod open;

use clap::Subcommand;

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Decrypt a file of sealed rejects, once its record is in the audit log.
    Open(open::Args),
}

pub(super) fn rejects(args: &Args) -> anyhow::Result<Exit> {
    match &args.action {
        Action::Open(args) => open::open(args),
    }
}
