//! What `glovebox init` is told.

use std::path::PathBuf;

use crate::cli::draft::Given;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    pub(super) given: Given,
    /// Where the rows should go: a .csv, .jsonl or .parquet file, or a SQLite .db; by default next
    /// to the input.
    #[arg(long, value_name = "FILE")]
    pub(super) to: Option<PathBuf>,
    /// Where to write the manifest; by default next to the input.
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,
    /// Replace an existing manifest.
    #[arg(long)]
    pub(super) force: bool,
}
