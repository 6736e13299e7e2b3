//! The arguments of `glovebox watch`.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::SecretName;
use glovebox_manifest::{TIME_HELP, duration};

use crate::cli::caller::secret_name;

/// Files that are still being written, by the names that browsers and transfer programs give them.
const UNFINISHED: [&str; 6] = [
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.tmp",
    "*~",
];

#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    /// The pipeline's manifest. Its source names a folder or a pattern of files, its sink is a
    /// table in mode append or upsert.
    pub(super) manifest: PathBuf,
    /// How long a file must not have changed to count as whole. One that is renamed into its folder
    /// is whole at once.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(super) quiet: Duration,
    /// Look at the folders this often instead of waiting for the system's notices, which network
    /// file systems do not give.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) poll: Option<Duration>,
    /// Names to pass over; repeat it for several. Hidden files are passed over unless the manifest's
    /// pattern begins with a dot.
    #[arg(long, value_name = "PATTERN", default_values = UNFINISHED)]
    pub(super) ignore: Vec<glob::Pattern>,
    /// Of a file whose first rows were added before, run only the rows after them. Without it such
    /// a file is left alone, and reported.
    #[arg(long)]
    pub(super) only_new: bool,
    /// The number of worker threads; by default one per core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) workers: Option<u16>,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    pub(super) locked: bool,
    /// Write a signed proof of each file's run into this folder, as `proof.NAME.VERSION.json`; the manifest's `proof`
    /// names the key.
    #[arg(long, value_name = "FOLDER")]
    pub(super) proofs: Option<PathBuf>,
    /// Record files of the pipeline's data, plugins and manifests that appear, change or go in the
    /// audit log in this folder, which is begun if there is none.
    #[arg(long, value_name = "FOLDER", requires = "digest_key")]
    pub(super) audit: Option<PathBuf>,
    /// The secret under which the digests of data in the audit log are made; from the manifest's
    /// stores.
    #[arg(long, value_name = "SECRET", requires = "audit", value_parser = secret_name)]
    pub(super) digest_key: Option<SecretName>,
}

fn time(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err(TIME_HELP.into()),
    }
}
