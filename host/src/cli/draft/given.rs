//! What is named that no manifest describes: files, or a PostgreSQL database.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Given {
    /// A CSV, JSON or Parquet file, compressed or not; a folder or pattern of such files; or a
    /// PostgreSQL database, postgres://USER@HOST/DATABASE.
    pub(in crate::cli) input: PathBuf,
    /// The first line of the CSV file names its columns.
    #[arg(long, conflicts_with = "no_header")]
    pub(in crate::cli) header: bool,
    /// The first line of the CSV file is a row.
    #[arg(long)]
    pub(in crate::cli) no_header: bool,
    /// A table or view of the PostgreSQL database, such as public.customers.
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["header", "no_header"])]
    pub(in crate::cli) table: Option<String>,
    /// The name of the secret with the password for the PostgreSQL database; by default
    /// DATABASE/USER. It is looked up in the keyring, then in the environment.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) secret: Option<String>,
    /// A PEM file with certificates to trust in addition to the built-in ones, for the PostgreSQL
    /// database.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca: Option<PathBuf>,
}

impl Given {
    /// Whether a CSV file has a header, if that was said.
    pub(in crate::cli) fn says_header(&self) -> Option<bool> {
        (self.header || self.no_header).then_some(self.header)
    }
}
