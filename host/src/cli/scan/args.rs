//! What `glovebox scan` is told.

use std::path::PathBuf;

use crate::cli::draft::Given;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Or a pipeline's manifest, .yaml or .yml, whose source is scanned; or a SQLite file, all of whose tables are,
    /// unless `--table` names one.
    #[command(flatten)]
    pub(super) given: Given,
    /// The schema of the PostgreSQL database whose tables are scanned, unless `--table` names one.
    #[arg(
        long,
        value_name = "SCHEMA",
        default_value = "public",
        conflicts_with = "table"
    )]
    pub(super) schema: String,
    /// Recognisers of one's own, beside the built-in ones: validator plugins whose rules are kinds of
    /// personal data.
    #[arg(long, value_name = "FILE.wasm")]
    pub(super) recogniser: Vec<PathBuf>,
    /// Chooses which rows are looked at; the same seed chooses the same ones.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(super) seed: u64,
    /// Write a draft manifest, in which columns are marked personal that surely are.
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,
    /// Where the rows of the draft manifest should go; by default next to the input.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    pub(super) to: Option<PathBuf>,
    /// Replace an existing manifest.
    #[arg(long, requires = "manifest")]
    pub(super) force: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(super) json: bool,
    /// Also list the columns in which nothing was found.
    #[arg(long)]
    pub(super) all: bool,
}
