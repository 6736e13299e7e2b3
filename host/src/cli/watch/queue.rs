//! The files that are to be run: in the order in which they were written, and later again where
//! something was in the way. No clock of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use glovebox_core::shown::printable;
use glovebox_watch::Version;

/// How soon a file is tried again that another process is at.
const SOON: Duration = Duration::from_millis(500);
/// The first and the longest time until something is tried again; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(60);

/// A file to be run.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) version: Version,
    waited: Duration,
    problem: Option<String>,
}

impl File {
    /// Whether this was not said of it last.
    pub(super) fn is_news(&self, problem: &str) -> bool {
        self.problem.as_deref() != Some(problem)
    }
}

/// Its path, for people.
impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.path.display().to_string()))
    }
}

/// When a file was written, in seconds and nanoseconds, and the file.
type Place = ((i64, i64), PathBuf);

/// What is to be done, and when.
#[derive(Debug, Default)]
pub(super) struct Queue {
    due: BTreeMap<Place, File>,
    waiting: BTreeMap<(Instant, PathBuf), File>,
    /// Nothing is run before.
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    until: Instant,
    waited: Duration,
    problem: String,
}

impl Queue {
    /// A file that is whole. If another version of it waits, that finds itself outdated when its turn
    /// comes.
    pub(super) fn add(&mut self, path: PathBuf, version: Version) {
        self.insert(File {
            path,
            version,
            waited: Duration::ZERO,
            problem: None,
        });
    }

    fn insert(&mut self, file: File) {
        let place = (file.version.modified(), file.path.clone());
        self.due.insert(place, file);
    }

    /// The next file, if one is to be run now.
    pub(super) fn next(&mut self, now: Instant) -> Option<File> {
        if self.rest.as_ref().is_some_and(|rest| now < rest.until) {
            return None;
        }
        while let Some(entry) = self.waiting.first_entry()
            && entry.key().0 <= now
        {
            let file = entry.remove();
            self.insert(file);
        }
        self.due.pop_first().map(|(_, file)| file)
    }

    /// When the next file is to be run, if none is now.
    pub(super) fn wakes(&self) -> Option<Instant> {
        match &self.rest {
            Some(rest) => Some(rest.until),
            None => self.waiting.first_key_value().map(|((at, _), _)| *at),
        }
    }

    /// Another process is at it.
    pub(super) fn soon(&mut self, file: File, now: Instant) {
        self.waiting.insert((now + SOON, file.path.clone()), file);
    }

    /// Something is in its way, which may pass.
    pub(super) fn later(&mut self, mut file: File, problem: String, now: Instant) {
        file.waited = longer(file.waited);
        file.problem = Some(problem);
        let at = (now + file.waited, file.path.clone());
        self.waiting.insert(at, file);
    }

    /// Whether nothing was in the way of all, or something else.
    pub(super) fn is_at_rest(&self, problem: &str) -> bool {
        self.rest
            .as_ref()
            .is_none_or(|rest| rest.problem != problem)
    }

    /// Something is in the way of all files.
    pub(super) fn rest(&mut self, file: File, problem: String, now: Instant) {
        let waited = self
            .rest
            .as_ref()
            .map_or(Duration::ZERO, |rest| rest.waited);
        let waited = longer(waited);
        self.rest = Some(Rest {
            until: now + waited,
            waited,
            problem,
        });
        self.insert(file);
    }

    /// Nothing is in the way of all any more; whether something was.
    pub(super) fn resumes(&mut self) -> bool {
        self.rest.take().is_some()
    }
}

fn longer(waited: Duration) -> Duration {
    (waited * 2).clamp(FIRST_WAIT, MAX_WAIT)
}
