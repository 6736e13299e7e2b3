//! Files that are looked at again and again, until each is whole. No clock and no file system of its
//! own: it is told what was found, and when.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::version::Version;

/// What has become of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is whole: each version is told once.
    Whole {
        /// The file.
        path: PathBuf,
        /// As it is.
        version: Version,
        /// Whether it had been whole before, in another version.
        again: bool,
    },
    /// It was whole once, and is not there any more.
    Gone {
        /// The file.
        path: PathBuf,
    },
}

/// What is known of the files.
#[derive(Debug)]
pub struct Settling {
    quiet: Duration,
    files: BTreeMap<PathBuf, State>,
}

#[derive(Debug)]
struct State {
    version: Version,
    /// When this version was seen first.
    since: Instant,
    /// Whether this version was told as whole.
    whole: bool,
    /// Whether any was.
    ever: bool,
}

impl Settling {
    /// Files are whole once they have not changed for so long.
    pub fn new(quiet: Duration) -> Self {
        Settling {
            quiet,
            files: BTreeMap::new(),
        }
    }

    /// A file that was whole in an earlier life of this process.
    pub fn remember(&mut self, path: PathBuf, version: Version, now: Instant) {
        let state = State {
            version,
            since: now,
            whole: true,
            ever: true,
        };
        self.files.insert(path, state);
    }

    /// All files that there are at this moment, and which of them were renamed into place and not
    /// written since. Returns what has changed, by path.
    pub fn observe(
        &mut self,
        found: BTreeMap<PathBuf, Version>,
        is_renamed: impl Fn(&Path) -> bool,
        now: Instant,
    ) -> Vec<Change> {
        let gone = |path: &PathBuf, state: &mut State| (!found.contains_key(path), state.ever);
        let mut changes = Vec::new();
        self.files.retain(|path, state| {
            let (gone, ever) = gone(path, state);
            if gone && ever {
                changes.push(Change::Gone { path: path.clone() });
            }
            !gone
        });
        for (path, version) in found {
            let state = self.files.entry(path.clone()).or_insert(State {
                version,
                since: now,
                whole: false,
                ever: false,
            });
            if state.version != version {
                state.version = version;
                state.since = now;
                state.whole = false;
            }
            let is_quiet = now.saturating_duration_since(state.since) >= self.quiet;
            if !state.whole && (is_quiet || is_renamed(&path)) {
                changes.push(Change::Whole {
                    path,
                    version,
                    again: state.ever,
                });
                state.whole = true;
                state.ever = true;
            }
        }
        changes
    }

    /// When the next file is whole, if none of them changes until then.
    pub fn next(&self) -> Option<Instant> {
        let pending = self.files.values().filter(|state| !state.whole);
        pending.map(|state| state.since + self.quiet).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const QUIET: Duration = Duration::from_secs(5);

    /// Versions are the system's to make.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.path().join(name), text).unwrap();
        }

        fn found(&self) -> BTreeMap<PathBuf, Version> {
            let entries = fs::read_dir(self.0.path()).unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            paths
                .map(|path| {
                    let version = Version::of(&path).unwrap().unwrap();
                    (PathBuf::from(path.file_name().unwrap()), version)
                })
                .collect()
        }
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let told = changes.iter().map(|change| match change {
            Change::Whole { path, again, .. } => format!("{} {again}", path.display()),
            Change::Gone { path } => format!("{} gone", path.display()),
        });
        told.collect()
    }

    #[test]
    fn a_file_is_whole_once_it_was_quiet_or_renamed_in() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut settling = Settling::new(QUIET);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(settling.next(), None);
        folder.write("a", "1");
        folder.write("b", "1");
        let is_renamed = |path: &Path| path == Path::new("b");
        let changes = settling.observe(folder.found(), is_renamed, at(0));
        assert_eq!(told(&changes), ["b false"]);
        assert_eq!(settling.next(), Some(at(5)));
        // Written on within the quiet time, so it begins anew.
        folder.write("a", "12");
        assert!(
            settling
                .observe(folder.found(), |_| false, at(4))
                .is_empty()
        );
        assert_eq!(settling.next(), Some(at(9)));
        assert!(
            settling
                .observe(folder.found(), |_| false, at(8))
                .is_empty()
        );
        let changes = settling.observe(folder.found(), |_| false, at(9));
        assert_eq!(told(&changes), ["a false"]);
        // Told once.
        assert!(
            settling
                .observe(folder.found(), |_| true, at(90))
                .is_empty()
        );
        assert_eq!(settling.next(), None);
    }

    #[test]
    fn another_version_is_told_anew_and_only_a_file_that_was_whole_goes() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut settling = Settling::new(QUIET);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        folder.write("a", "1");
        let _ = settling.observe(folder.found(), |_| true, at(0));
        folder.write("a", "12");
        folder.write("half", "1");
        assert!(
            settling
                .observe(folder.found(), |_| false, at(1))
                .is_empty()
        );
        fs::remove_file(folder.0.path().join("half")).unwrap();
        let changes = settling.observe(folder.found(), |_| false, at(6));
        assert_eq!(told(&changes), ["a true"]);
        fs::remove_file(folder.0.path().join("a")).unwrap();
        let changes = settling.observe(folder.found(), |_| false, at(7));
        assert_eq!(told(&changes), ["a gone"]);
        assert_eq!(settling.next(), None);
    }

    #[test]
    fn what_was_known_before_is_not_told_again() {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("a", "1");
        let mut settling = Settling::new(QUIET);
        let now = Instant::now();
        for (path, version) in folder.found() {
            settling.remember(path, version, now);
        }
        assert!(settling.observe(folder.found(), |_| true, now).is_empty());
    }
}
