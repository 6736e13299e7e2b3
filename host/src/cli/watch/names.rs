//! What the runs of a file are called, and the files that they leave.

use std::path::{Path, PathBuf};

use glovebox_core::shown::printable;
use glovebox_watch::Version;

/// Bytes of a file's name that go into the names of its runs, rejects and proofs.
const NAME_LEN: usize = 120;
/// Characters of a version's name that go into the names of its rejects and proofs.
const VERSION_LEN: usize = 8;

/// What a run is asked for by, so that the journal knows which version of a file it had.
pub(super) fn request(version: &Version) -> String {
    format!("w{}", version.name())
}

/// A file's name, as its runs are called. Whoever names a file may mean the terminal on which it is
/// shown; two names that differ only so, or behind their first characters, have runs in common, which
/// tell the files apart by what is in them.
pub(super) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut short = String::new();
    for c in printable(&name).chars() {
        if short.len() + c.len_utf8() > NAME_LEN {
            break;
        }
        short.push(c);
    }
    short
}

/// `rejects.jsonl` becomes `rejects.NAME.VERSION.jsonl`.
pub(super) fn of_version(path: &Path, name: &str, version: &Version) -> PathBuf {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let stem = text(path.file_stem());
    let version: String = version.name().chars().take(VERSION_LEN).collect();
    let mut file = format!("{stem}.{name}.{version}");
    if let Some(extension) = path.extension() {
        file.push('.');
        file.push_str(&text(Some(extension)));
    }
    path.with_file_name(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_engine::MAX_REQUEST_LEN;

    #[test]
    fn each_version_of_a_file_has_a_list_of_its_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let version = Version::of(file.path()).unwrap().unwrap();
        let list = of_version(Path::new("out/rejects.jsonl"), "a.csv", &version);
        let expected = format!("out/rejects.a.csv.{}.jsonl", &version.name()[..8]);
        assert_eq!(list, Path::new(&expected));
        assert!(request(&version).len() <= MAX_REQUEST_LEN);
    }

    #[test]
    fn a_name_is_short_and_says_nothing_to_a_terminal() {
        let path = Path::new("in").join(format!("a\u{1b}[31m{}", "ü".repeat(200)));
        let name = file_name(&path);
        assert!((NAME_LEN - 1..=NAME_LEN).contains(&name.len()));
        assert!(name.starts_with("a\u{fffd}[31mü"));
    }
}
