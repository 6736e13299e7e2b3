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
    // Not straight to standard output: `generate` panics if that is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Call::command(), "glovebox", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
