//! What the program is asked for encrypted values, and what it answers: this crate has neither keys of
//! masks nor methods.

use std::path::PathBuf;
use std::sync::Arc;

/// Values that are to be given back.
#[derive(Debug)]
pub struct Request {
    /// The manifest of the pipeline that has encrypted them.
    pub manifest: PathBuf,
    /// Their column.
    pub column: String,
    /// The values.
    pub values: Vec<String>,
    /// The step that has encrypted them.
    pub step: Option<String>,
    /// The only version of the key to try.
    pub key_version: Option<u32>,
}

/// The cells that they were made from.
pub struct Answer {
    /// The column, by the name that the manifest has for it.
    pub column: String,
    /// The names of the secrets that were used.
    pub key: String,
    /// A cell for each value; none for one that does not open.
    pub cells: Vec<Option<String>>,
}

/// Gives values back, or says in a sentence why it cannot; blocks.
pub type Reveals = Arc<dyn Fn(&Request) -> Result<Answer, String> + Send + Sync>;
