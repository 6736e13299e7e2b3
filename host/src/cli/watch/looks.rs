//! When folders are looked at: at a notice, now and then, and when a file may have become whole; but
//! only a part of the time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use glovebox_manifest::show_duration;
use glovebox_watch::{Notices, Renamed};

use super::args::Args;
use crate::cli::say;

/// How often folders are looked at beside notices, which may be lost.
const INTERVAL: Duration = Duration::from_secs(30);
/// Looking takes at most one part of the time in so many.
const SHARE: u32 = 10;

/// The looks at some folders.
pub(super) struct Looks {
    notices: Notices,
    interval: Duration,
    /// Not before.
    earliest: Instant,
    /// At the latest.
    next: Instant,
}

/// Folders that cannot be watched, and why.
pub(super) type Problems = Vec<(PathBuf, String)>;

/// The files that were renamed in and not written since.
pub(super) struct RenamedIn(Renamed);

impl RenamedIn {
    pub(super) fn has(&self, path: &Path) -> bool {
        std::path::absolute(path).is_ok_and(|path| self.0.contains(&path))
    }
}

impl Looks {
    /// Hears of these folders from now on; those that cannot be watched are told at the first look.
    pub(super) fn new(args: &Args, folders: &BTreeSet<PathBuf>) -> Self {
        let (mut notices, interval) = match args.poll {
            Some(interval) => (Notices::none(), interval),
            None => match Notices::of_system() {
                Ok(notices) => (notices, INTERVAL),
                Err(problem) => {
                    let interval = args.quiet.min(INTERVAL);
                    say::note(&format!(
                        "the system gives no notices of changes ({problem}); folders are looked at \
                        every {}",
                        show_duration(interval)
                    ));
                    (Notices::none(), interval)
                }
            },
        };
        let _ = notices.follow(folders);
        let now = Instant::now();
        Looks {
            notices,
            interval,
            earliest: now,
            next: now,
        }
    }

    pub(super) fn is_due(&self) -> bool {
        let now = Instant::now();
        now >= self.next || now >= self.earliest && self.notices.is_any()
    }

    /// Before a look at these folders.
    pub(super) fn begin(&mut self, folders: &BTreeSet<PathBuf>) -> (RenamedIn, Problems) {
        let problems = self.notices.follow(folders);
        (RenamedIn(self.notices.take()), problems)
    }

    /// After it; a file may be whole at that moment.
    pub(super) fn end(&mut self, began: Instant, settles: Option<Instant>) {
        let ended = Instant::now();
        self.earliest = ended + ended.saturating_duration_since(began) * SHARE;
        self.next = ended + self.interval;
        if let Some(settles) = settles {
            self.next = self.next.min(settles).max(self.earliest);
        }
    }

    /// Until the next look, or until then.
    pub(super) fn wait(&self, until: Option<Instant>, stop: &AtomicBool) {
        let until = until.map_or(self.next, |until| until.min(self.next));
        self.notices.wait(self.earliest, until, stop);
    }
}
