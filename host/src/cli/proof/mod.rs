//! `glovebox proof`: verify proofs of runs, show them, and make the key that signs them.

#[cfg(feature = "keyring")]
mod key;
pub(super) mod read;
pub(super) mod show;
mod verify;

use clap::Subcommand;

use super::Exit;
#[cfg(not(feature = "keyring"))]
use super::absent;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Detect any change to a proof, and to what it is about
    Verify(verify::Verify),
    /// Show what a proof states: what left, under which rules, by whose plugins, how strongly masked
    Show(show::Show),
    /// Print the public key that verifies proofs, as PEM; create the key if there is none
    Key(
        #[cfg(feature = "keyring")] key::Key,
        #[cfg(not(feature = "keyring"))] absent::Args,
    ),
}

pub(super) fn proof(args: &Args) -> anyhow::Result<Exit> {
    match &args.action {
        Action::Verify(verify) => verify.run(),
        Action::Show(show) => show.run(),
        #[cfg(feature = "keyring")]
        Action::Key(key) => key.run(),
        #[cfg(not(feature = "keyring"))]
        Action::Key(_) => absent::refuse(&crate::without::KEYRING),
    }
}
