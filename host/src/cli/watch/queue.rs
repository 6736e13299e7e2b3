//! The files that are to be run: in the order in which they were written, and later again where
//! something was in the way. No clock of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use glovebox_core::shown::printable;
use glovebox_watch::Version;

/// The first and the longest time until something is tried again; each is twice the one before.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The same for a file that another process is at.
const BUSY_WAIT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

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
    pub(super) fn busy(&mut self, file: File, now: Instant) {
        self.wait(file, BUSY_WAIT, now);
    }

    /// Something is in its way, which may pass.
    pub(super) fn later(&mut self, mut file: File, problem: String, now: Instant) {
        file.problem = Some(problem);
        self.wait(file, WAIT, now);
    }

    fn wait(&mut self, mut file: File, bounds: (Duration, Duration), now: Instant) {
        file.waited = longer(file.waited, bounds);
        let at = (now + file.waited, file.path.clone());
        self.waiting.insert(at, file);
    }

    /// Whether nothing was in the way of all files, or something else.
    pub(super) fn is_new_rest(&self, problem: &str) -> bool {
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
        let waited = longer(waited, WAIT);
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

fn longer(waited: Duration, (first, most): (Duration, Duration)) -> Duration {
    (waited * 2).clamp(first, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> Version {
        let file = tempfile::NamedTempFile::new().unwrap();
        Version::of(file.path()).unwrap().unwrap()
    }

    #[test]
    fn files_are_run_in_the_order_in_which_they_were_written() {
        let now = Instant::now();
        let mut queue = Queue::default();
        let first = version();
        std::thread::sleep(Duration::from_millis(20));
        queue.add("a".into(), version());
        queue.add("b".into(), first);
        let mut next = || queue.next(now).map(|file| file.to_string());
        assert_eq!(next().as_deref(), Some("b"));
        assert_eq!(next().as_deref(), Some("a"));
        assert_eq!(next(), None);
        assert_eq!(queue.wakes(), None);
    }

    #[test]
    fn what_is_in_the_way_of_one_file_is_tried_again_after_growing_times() {
        let mut now = Instant::now();
        let mut queue = Queue::default();
        queue.add("a".into(), version());
        let mut waited = Vec::new();
        for attempt in 0..8 {
            let file = queue.next(now).unwrap();
            assert_eq!(file.is_news("it is locked"), attempt == 0);
            queue.later(file, "it is locked".into(), now);
            assert!(queue.next(now).is_none());
            let wakes = queue.wakes().unwrap();
            waited.push((wakes - now).as_secs());
            now = wakes;
        }
        assert_eq!(waited, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn what_is_in_the_way_of_all_holds_all_back() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add("a".into(), version());
        queue.add("b".into(), version());
        let file = queue.next(now).unwrap();
        assert!(queue.is_new_rest("it is away"));
        queue.rest(file, "it is away".into(), now);
        assert!(!queue.is_new_rest("it is away"));
        assert!(queue.next(now).is_none());
        let wakes = queue.wakes().unwrap();
        let file = queue.next(wakes).unwrap();
        queue.rest(file, "it is away".into(), wakes);
        assert_eq!(queue.wakes(), Some(wakes + WAIT.0 * 2));
        assert!(queue.resumes() && !queue.resumes());
        assert!(queue.next(wakes).is_some() && queue.next(wakes).is_some());
    }
}
