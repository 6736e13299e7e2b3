//! The system's notices of changes in folders: when to look, and which files were renamed in.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// How often it is looked whether to stop.
const STOP_INTERVAL: Duration = Duration::from_millis(100);
/// Renamed files that are remembered; of more, each is whole once it was quiet.
const MAX_RENAMED: usize = 100_000;

/// Files that were renamed into place and not written since.
pub type Renamed = HashSet<PathBuf>;

/// Folders from which there are notices.
pub struct Notices {
    told: Arc<Told>,
    /// None where folders are only looked at now and then.
    watcher: Option<RecommendedWatcher>,
    /// Folders with a watch: device and inode, since another folder may take the name of one.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

#[derive(Default)]
struct Told {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    changed: bool,
    renamed: Renamed,
}

impl Notices {
    /// The system's, by inotify.
    ///
    /// # Errors
    /// Why it gives none, such as too many instances of inotify.
    pub fn of_system() -> Result<Self, String> {
        let mut notices = Notices::none();
        let hears = Arc::clone(&notices.told);
        let watcher = notify::recommended_watcher(move |event| hears.hear(event));
        notices.watcher = Some(watcher.map_err(|e| described(&e))?);
        Ok(notices)
    }

    /// None: folders are looked at now and then.
    pub fn none() -> Self {
        Notices {
            told: Arc::default(),
            watcher: None,
            watched: BTreeMap::new(),
        }
    }

    /// Watches these folders and what is in them, and no others; a folder that is another one than
    /// before, or was away, anew. Returns those that cannot be watched, and why: they have to be
    /// looked at now and then.
    pub fn follow(&mut self, folders: &BTreeSet<PathBuf>) -> Vec<(PathBuf, String)> {
        let Some(watcher) = &mut self.watcher else {
            return Vec::new();
        };
        let mut problems = Vec::new();
        let there = |folder: &Path| fs::metadata(folder).map(|m| (m.dev(), m.ino())).ok();
        self.watched.retain(|folder, identity| {
            let keeps = folders.contains(folder) && there(folder) == Some(*identity);
            if !keeps {
                // It may be gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            keeps
        });
        for folder in folders {
            let Some(identity) = there(folder) else {
                problems.push((folder.clone(), "it is not there".to_owned()));
                continue;
            };
            if self.watched.contains_key(folder) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder.clone(), identity);
                }
                Err(error) => problems.push((folder.clone(), described(&error))),
            }
        }
        problems
    }

    /// Waits for a notice, which counts from `earliest` on, at the latest until then, or until it is
    /// to stop.
    pub fn wait(&self, earliest: Instant, until: Instant, stop: &AtomicBool) {
        let mut state = self.told.state();
        loop {
            let now = Instant::now();
            let end = if state.changed {
                earliest.min(until)
            } else {
                until
            };
            let left = end.saturating_duration_since(now);
            if left.is_zero() || stop.load(Ordering::Relaxed) {
                return;
            }
            let waited = self.told.wake.wait_timeout(state, left.min(STOP_INTERVAL));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether there was a notice since [`Notices::take`].
    pub fn is_any(&self) -> bool {
        self.told.state().changed
    }

    /// Before folders are looked at: the files that were renamed in so far.
    pub fn take(&self) -> Renamed {
        let mut state = self.told.state();
        state.changed = false;
        std::mem::take(&mut state.renamed)
    }
}

impl Told {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, event: notify::Result<Event>) {
        let mut state = self.state();
        match event {
            Ok(event) if !event.need_rescan() => state.note(event),
            // Notices were lost, of writing to a file that was renamed in perhaps.
            Ok(_) | Err(_) => {
                state.renamed.clear();
                state.changed = true;
            }
        }
        if state.changed {
            self.wake.notify_all();
        }
    }
}

impl State {
    fn note(&mut self, event: Event) {
        let mut paths = event.paths.into_iter();
        match event.kind {
            // Reading changes nothing.
            EventKind::Access(_) => return,
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                if self.renamed.len() < MAX_RENAMED {
                    self.renamed.extend(paths);
                }
            }
            // The same once more, with both names.
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {}
            // Who may read it, and times.
            EventKind::Modify(ModifyKind::Metadata(_)) => {}
            _ => {
                if let Some(path) = paths.next() {
                    self.renamed.remove(&path);
                }
            }
        }
        self.changed = true;
    }
}

fn described(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the system's limit of watches is reached (fs.inotify.max_user_watches)".into()
        }
        notify::ErrorKind::Io(problem) => problem.to_string(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn folder() -> (tempfile::TempDir, PathBuf, BTreeSet<PathBuf>) {
        let above = tempfile::tempdir().unwrap();
        let watched = above.path().join("in");
        fs::create_dir(&watched).unwrap();
        let all = BTreeSet::from([watched.clone()]);
        (above, watched, all)
    }

    fn patience() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// Waits until a notice has come of what happened up to here.
    fn noticed(notices: &Notices) {
        notices.wait(Instant::now(), patience(), &AtomicBool::new(false));
        // More of the same may follow at once.
        std::thread::sleep(Duration::from_millis(200));
        assert!(notices.is_any());
    }

    #[test]
    fn what_is_renamed_in_is_known_by_name_until_it_is_written_to() {
        let (above, watched, all) = folder();
        let mut notices = Notices::of_system().unwrap();
        assert!(notices.follow(&all).is_empty());
        for name in ["a", "b"] {
            fs::write(above.path().join(name), "1").unwrap();
            fs::rename(above.path().join(name), watched.join(name)).unwrap();
        }
        let mut file = fs::File::options()
            .append(true)
            .open(watched.join("b"))
            .unwrap();
        file.write_all(b"2").unwrap();
        fs::write(watched.join("c"), "1").unwrap();
        noticed(&notices);
        assert_eq!(notices.take(), Renamed::from([watched.join("a")]));
        assert!(!notices.is_any());
        // Inside the folder too, as many writers do it.
        fs::rename(watched.join("c"), watched.join("d")).unwrap();
        noticed(&notices);
        assert_eq!(notices.take(), Renamed::from([watched.join("d")]));
    }

    #[test]
    fn a_folder_that_takes_the_name_of_another_is_watched_too() {
        let (above, watched, all) = folder();
        let mut notices = Notices::of_system().unwrap();
        assert!(notices.follow(&all).is_empty());
        fs::rename(&watched, above.path().join("old")).unwrap();
        let problems = notices.follow(&all);
        assert_eq!(problems.len(), 1);
        fs::create_dir(&watched).unwrap();
        assert!(notices.follow(&all).is_empty());
        std::thread::sleep(Duration::from_millis(200));
        let _ = notices.take();
        fs::write(watched.join("a"), "1").unwrap();
        noticed(&notices);
    }

    #[test]
    fn a_queue_that_overflowed_leaves_no_hint_and_asks_for_a_look() {
        let told = Told::default();
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        told.hear(Ok(Event::new(renamed).add_path("a".into())));
        assert_eq!(told.state().renamed.len(), 1);
        told.state().changed = false;
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        told.hear(Ok(lost));
        let state = told.state();
        assert!(state.renamed.is_empty() && state.changed);
    }

    #[test]
    fn without_the_system_waiting_ends_by_time_or_on_request() {
        let (_above, watched, all) = folder();
        let mut notices = Notices::none();
        assert!(notices.follow(&all).is_empty());
        fs::write(watched.join("a"), "1").unwrap();
        notices.wait(Instant::now(), Instant::now(), &AtomicBool::new(false));
        notices.wait(Instant::now(), patience(), &AtomicBool::new(true));
        assert!(!notices.is_any());
    }
}
