//! What a source that reads files is given, and by which endings a folder's files are its own.
//!
//! Opens nothing.

use std::fmt;
use std::path::PathBuf;

use crate::objects::ObjectUrl;

/// Where the bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input, which can be read once.
    Stdin,
    /// A file, a folder, or a pattern of files.
    Path(PathBuf),
    /// This very file, even if its name looks like a pattern.
    File(PathBuf),
    /// An object, a folder of them, or a pattern.
    Object(ObjectUrl),
}

impl From<PathBuf> for Input {
    /// `-` is standard input.
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" {
            Input::Stdin
        } else {
            Input::Path(path)
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Stdin => f.write_str("standard input"),
            Input::Path(path) | Input::File(path) => write!(f, "{}", path.display()),
            Input::Object(url) => write!(f, "{url}"),
        }
    }
}

/// Endings that a format's files have, without the dot.
pub mod endings {
    use std::ffi::OsStr;
    use std::path::Path;

    /// Of CSV files; [`TSV`] with them, where a tab stands between fields.
    pub const CSV: &[&str] = &["csv"];
    /// Of CSV files with tabs.
    pub const TSV: &[&str] = &["csv", "tsv"];
    /// Of files of JSON objects.
    pub const JSONL: &[&str] = &["jsonl", "ndjson"];
    /// Of Parquet files.
    pub const PARQUET: &[&str] = &["parquet", "pq"];
    /// Of packed files, behind the format's own.
    pub const PACKED: &[&str] = &["gz", "zst"];
    /// Of encrypted files, behind all others.
    pub const AGE: &str = "age";

    /// Whether a file's name is one that a folder's files of these endings have, perhaps packed and
    /// encrypted; hidden ones have none.
    pub fn has(name: &OsStr, endings: &[&str]) -> bool {
        if name.as_encoded_bytes().starts_with(b".") {
            return false;
        }
        let is = |ending: Option<&OsStr>, of: &[&str]| {
            ending.is_some_and(|e| of.iter().any(|of| e.eq_ignore_ascii_case(of)))
        };
        let name = Path::new(name);
        let name = match is(name.extension(), &[AGE]) {
            true => Path::new(name.file_stem().unwrap_or_default()),
            false => name,
        };
        is(name.extension(), endings)
            || is(name.extension(), PACKED)
                && is(
                    Path::new(name.file_stem().unwrap_or_default()).extension(),
                    endings,
                )
    }

    /// Of CSV files with that sign between fields.
    pub fn of_csv(delimiter: &[u8]) -> &'static [&'static str] {
        match delimiter {
            b"\t" => TSV,
            _ => CSV,
        }
    }
}
