//! `glovebox watch`: a pipeline over each file of a folder, once, as soon as the file is whole.
//!
//! What was run is known by the sink's journal alone, so that it holds after a crash and between
//! watchers. Each file has runs of its own, under the pipeline's name and the file's.

mod delivery;
mod folders;
mod queue;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use glovebox_manifest::model::{Manifest, Mode};
use glovebox_manifest::{TIME_HELP, duration, show_duration};
use glovebox_watch::{Change, Notices, Settling};

use self::delivery::{Deliveries, Fate};
use self::folders::Folders;
use self::queue::{File, Queue};
use super::manifest::Text;
use super::run::stop_when_asked;
use super::{Exit, say, traces};
use crate::compose::Composed;

/// Files that are still being written, by the names that browsers and transfer programs give them.
const UNFINISHED: [&str; 6] = [
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.tmp",
    "*~",
];
/// How often folders are looked at beside notices, which may be lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// Of the time, looking takes at most one part in so many.
const LOOK_SHARE: u32 = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline's manifest. Its source names a folder or a pattern of files, its sink is a
    /// table in mode append or upsert.
    manifest: PathBuf,
    /// How long a file must not have changed to count as whole. One that is renamed into its folder
    /// is whole at once.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    quiet: Duration,
    /// Look at the folders this often instead of waiting for the system's notices, which network
    /// file systems do not give.
    #[arg(long, value_name = "TIME", value_parser = time)]
    poll: Option<Duration>,
    /// Names to pass over; repeat it for several. Hidden files are passed over unless the manifest's
    /// pattern begins with a dot.
    #[arg(long, value_name = "PATTERN", default_values = UNFINISHED)]
    ignore: Vec<glob::Pattern>,
    /// Of a file whose first rows were added before, run only the rows after them. Without it such
    /// a file is left alone, and reported.
    #[arg(long)]
    only_new: bool,
    /// The number of worker threads; by default one per core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err(TIME_HELP.into()),
    }
}

pub(super) fn watch(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some((mut manifest, plan)) = text.plan_locked(&composed, args.locked) else {
        return Ok(Exit::Usage);
    };
    let folders = match refusal(&manifest) {
        Some(problem) => Err(problem),
        None => Folders::of(&manifest, args.ignore.clone()),
    };
    let folders = match folders {
        Ok(folders) => folders,
        Err(problem) => {
            say::error(&problem);
            return Ok(Exit::Usage);
        }
    };
    let mut deliveries = match Deliveries::new(args, &mut manifest, &plan, &composed) {
        Ok(deliveries) => deliveries,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let stop = stop_when_asked()?;
    traces::start();
    let mut look = Look::new(args, folders);
    say::note(&format!(
        "watching {} for `{}`; a file is whole once it is renamed in or has not changed for {}",
        look.folders,
        deliveries.name(),
        show_duration(args.quiet)
    ));
    let mut queue = Queue::default();
    while !stop.load(Ordering::Relaxed) {
        if look.is_due() {
            look.at_folders(&mut queue);
        }
        match queue.next(Instant::now()) {
            Some(file) => deliver(file, &mut deliveries, &mut queue, &stop),
            None => look.wait(queue.wakes(), &stop),
        }
    }
    Ok(Exit::Done)
}

/// Why a pipeline cannot be run file by file.
fn refusal(manifest: &Manifest) -> Option<String> {
    let target = &manifest.sink.target;
    match target.mode() {
        _ if !target.keeps_journal() => Some(
            "the sink is a file and keeps no journal, so after a crash nobody knew which files are \
            in it already; write to a table of SQLite or PostgreSQL"
                .into(),
        ),
        Mode::Replace => Some(
            "in mode replace the table would hold the rows of the last file only; use `mode: \
            append`, or `mode: upsert` with `keys`"
                .into(),
        ),
        Mode::Append | Mode::Upsert => None,
    }
}

/// Runs a file, and says what came of it.
fn deliver(file: File, deliveries: &mut Deliveries<'_>, queue: &mut Queue, stop: &AtomicBool) {
    let now = Instant::now;
    match deliveries.run(&file, stop) {
        Fate::Ended | Fate::Stopped | Fate::Gone => {}
        Fate::Failed(problem) => say::error(&format!(
            "{file}: {problem}\nit is run again only when it changes"
        )),
        Fate::Busy => queue.soon(file, now()),
        Fate::Later(problem) => {
            if file.is_news(&problem) {
                say::error(&format!("{file}: {problem}\nit is tried again"));
            }
            queue.later(file, problem, now());
            return;
        }
        Fate::Away(problem) => {
            if queue.is_at_rest(&problem) {
                say::error(&format!("{problem}\nall files wait until it is back"));
            }
            queue.rest(file, problem, now());
            return;
        }
    }
    if queue.resumes() {
        say::note("the sink is back");
    }
}

/// Looks at the folders, now and then.
struct Look {
    folders: Folders,
    notices: Notices,
    settling: Settling,
    /// Without notices.
    interval: Duration,
    /// Not before.
    earliest: Instant,
    /// At the latest.
    next: Instant,
    /// What was said of a folder, so that it is said once.
    said: BTreeMap<PathBuf, String>,
}

impl Look {
    fn new(args: &Args, folders: Folders) -> Self {
        let now = Instant::now();
        let (notices, interval) = match args.poll {
            Some(interval) => (Notices::none(), interval),
            None => match Notices::of_system() {
                Ok(notices) => (notices, LOOK_INTERVAL),
                Err(problem) => {
                    let interval = show_duration(args.quiet);
                    say::note(&format!(
                        "the system gives no notices ({problem}); folders are looked at every {interval}"
                    ));
                    (Notices::none(), args.quiet)
                }
            },
        };
        Look {
            folders,
            notices,
            settling: Settling::new(args.quiet),
            interval,
            earliest: now,
            next: now,
            said: BTreeMap::new(),
        }
    }

    fn is_due(&self) -> bool {
        let now = Instant::now();
        now >= self.next || now >= self.earliest && self.notices.is_any()
    }

    fn at_folders(&mut self, queue: &mut Queue) {
        let began = Instant::now();
        let watched = self.folders.watched();
        let mut problems: BTreeMap<PathBuf, String> =
            self.notices.follow(&watched).into_iter().collect();
        let renamed = self.notices.take();
        let found = self.folders.files(&mut problems);
        let is_renamed = |path: &std::path::Path| {
            std::path::absolute(path).is_ok_and(|path| renamed.contains(&path))
        };
        for change in self.settling.observe(found, is_renamed, began) {
            if let Change::Whole { path, version, .. } = change {
                queue.add(path, version);
            }
        }
        for (folder, problem) in &problems {
            if self.said.get(folder) != Some(problem) {
                say::error(&format!(
                    "cannot watch {}: {problem}; it is looked at now and then",
                    folder.display()
                ));
            }
        }
        self.said = problems;
        let ended = Instant::now();
        self.earliest = ended + (ended - began) * LOOK_SHARE;
        self.next = ended + self.interval;
        if let Some(settles) = self.settling.next() {
            self.next = self.next.min(settles.max(self.earliest));
        }
    }

    fn wait(&self, wakes: Option<Instant>, stop: &AtomicBool) {
        let until = wakes.map_or(self.next, |wakes| wakes.min(self.next));
        self.notices.wait(self.earliest, until, stop);
    }
}
