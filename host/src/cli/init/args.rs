//! What `glovebox init` is told.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A CSV, JSON or Parquet file, compressed or not; a folder or pattern of such files; or a
    /// PostgreSQL database, postgres://USER@HOST/DATABASE, with `--table`.
    pub(super) input: PathBuf,
    /// Where the rows should go: a .csv, .jsonl or .parquet file, or a SQLite .db; by default next
    /// to the input.
    #[arg(long, value_name = "FILE")]
    pub(super) to: Option<PathBuf>,
    /// Where to write the manifest; by default next to the input.
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,
    /// The first line of the CSV file names its columns.
    #[arg(long, conflicts_with = "no_header")]
    pub(super) header: bool,
    /// The first line of the CSV file is a row.
    #[arg(long)]
    pub(super) no_header: bool,
    /// A table or view of the PostgreSQL database, such as public.customers.
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["header", "no_header"])]
    pub(super) table: Option<String>,
    /// The name of the secret with the password for the PostgreSQL database; by default
    /// DATABASE/USER. It is looked up in the keyring, then in the environment.
    #[arg(long, value_name = "NAME", requires = "table")]
    pub(super) secret: Option<String>,
    /// A PEM file with certificates to trust in addition to the built-in ones, for the PostgreSQL
    /// database.
    #[arg(long, value_name = "FILE", requires = "table")]
    pub(super) ca: Option<PathBuf>,
    /// Replace an existing manifest.
    #[arg(long)]
    pub(super) force: bool,
}
