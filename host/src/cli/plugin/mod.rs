//! `glovebox plugin`: the plugins that are built in, and any plugin's own manual.

mod list;
mod options;
mod pin;

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the standard plugins, or show the manual of one: its name, or a .wasm file.
    List(list::Args),
    /// Write into a manifest which content its plugins must have: the SHA-256 of each file.
    Pin(pin::Args),
}

pub(super) fn plugin(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(args) => list::list(args),
        Command::Pin(args) => pin::pin(args),
    }
}
