//! `glovebox completions`: a script that completes calls in a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Call, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell.
    shell: Shell,
}

pub(super) fn completions(args: &Args) -> anyhow::Result<Exit> {
    clap_complete::generate(
        args.shell,
        &mut Call::command(),
        "glovebox",
        &mut std::io::stdout(),
    );
    Ok(Exit::Done)
}
