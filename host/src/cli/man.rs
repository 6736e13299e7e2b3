//! `glovebox man`: man pages, one a command.

use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::{Call, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to write them to; it must exist.
    folder: PathBuf,
}

pub(super) fn man(args: &Args) -> anyhow::Result<Exit> {
    clap_mangen::generate_to(Call::command(), &args.folder)
        .with_context(|| format!("cannot write man pages to {}", args.folder.display()))?;
    Ok(Exit::Done)
}
