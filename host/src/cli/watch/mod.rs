//! `glovebox watch`: a pipeline over each file of a folder, once, as soon as the file is whole.
//!
//! What was run is known by the sink's journal alone, so that it holds after a crash and between
//! watchers. Each file has runs of its own, under the pipeline's name and the file's.

mod args;
mod delivery;
mod folders;
mod integrity;
mod looks;
mod names;
mod proofs;
mod queue;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use glovebox_engine::Toolbox;
use glovebox_manifest::model::{Manifest, Mode, SinkTarget, Store};
use glovebox_manifest::show_duration;
use glovebox_watch::{Change, Settling};

pub(super) use self::args::Args;
use self::delivery::{Deliveries, Fate};
use self::folders::Folders;
use self::integrity::Integrity;
use self::looks::Looks;
use self::proofs::Proofs;
use self::queue::{File, Queue};
use super::manifest::Text;
use super::prove::Prover;
use super::run::stop_when_asked;
use super::{Exit, say, traces};
use crate::compose::Composed;

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
        None => folders(args, &manifest),
    };
    let folders = match folders {
        Ok(folders) => folders,
        Err(problem) => {
            say::error(&problem);
            return Ok(Exit::Usage);
        }
    };
    let prover = match Prover::new(&text, &manifest, &composed) {
        Ok(prover) => prover,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let proofs = match Proofs::new(prover, args.proofs.as_deref(), &folders) {
        Ok(proofs) => proofs,
        Err(problem) => {
            say::error(&problem);
            return Ok(Exit::Usage);
        }
    };
    let integrity = integrity(args, &manifest, &composed)?;
    let with = (&composed, proofs);
    let mut deliveries = match Deliveries::new(args, &mut manifest, &plan, with) {
        Ok(deliveries) => deliveries,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let stop = stop_when_asked()?;
    traces::start();
    // Before it is said: what is renamed in from then on has to be heard of.
    let looks = Looks::new(args, &folders.watched());
    say::note(&format!(
        "watching {folders} for `{}`; a file is whole once it is renamed in or has not changed for {}",
        deliveries.name(),
        show_duration(args.quiet)
    ));
    let arrivals = Arrivals {
        folders,
        looks,
        settling: Settling::new(args.quiet),
        said: BTreeMap::new(),
    };
    std::thread::scope(|scope| {
        let recorder = integrity.map(|integrity| {
            scope.spawn(|| {
                // Nothing is run that is not recorded, however this ends.
                let _stops = Stops(&stop);
                integrity.watch(&stop)
            })
        });
        run_all(arrivals, &mut deliveries, &stop);
        let ended = recorder.map(|recorder| recorder.join());
        match ended {
            Some(Ok(Err(problem))) => Err(problem.context("the audit log takes no more records")),
            Some(Err(_)) => Err(anyhow::anyhow!(
                "internal error: the audit log's thread panicked"
            )),
            Some(Ok(Ok(()))) | None => Ok(Exit::Done),
        }
    })
}

/// Stops all when it is dropped.
struct Stops<'s>(&'s AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs files as they come, until it is to stop.
fn run_all(mut arrivals: Arrivals, deliveries: &mut Deliveries<'_>, stop: &AtomicBool) {
    let mut queue = Queue::default();
    while !stop.load(Ordering::Relaxed) {
        if arrivals.looks.is_due() {
            arrivals.look(&mut queue);
        }
        match queue.next(Instant::now()) {
            Some(file) => deliver(file, deliveries, &mut queue, stop),
            None => arrivals.looks.wait(queue.wakes(), stop),
        }
    }
}

/// What records files in the audit log, if it was asked for.
fn integrity(
    args: &Args,
    manifest: &Manifest,
    composed: &Composed,
) -> anyhow::Result<Option<Integrity>> {
    let Some((audit, name)) = args.audit.as_ref().zip(args.digest_key.as_ref()) else {
        return Ok(None);
    };
    let stores: Vec<Store> = manifest
        .credentials
        .iter()
        .map(|s| s.value.clone())
        .collect();
    let key = composed.secret(&stores, name)?;
    let data = folders(args, manifest).map_err(anyhow::Error::msg)?;
    Integrity::open(audit, key, manifest, data, args).map(Some)
}

fn folders(args: &Args, manifest: &Manifest) -> Result<Folders, String> {
    Folders::of(manifest, args.ignore.clone())
}

/// Why a pipeline cannot be run file by file.
fn refusal(manifest: &Manifest) -> Option<String> {
    let target = &manifest.sink.target;
    match target.mode() {
        _ if matches!(target, SinkTarget::Delta(_)) => Some(
            "the log of a Delta table is cleaned up by others, and with it what tells which files are in it already; \
            write to a table of SQLite or PostgreSQL"
                .into(),
        ),
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
        // Of these the sink has heard nothing.
        Fate::Stopped | Fate::Gone => return,
        Fate::Ended => {}
        Fate::Failed(problem) => say::error(&format!(
            "{file}: {problem}\nit is run again only when it changes"
        )),
        Fate::Busy => queue.busy(file, now()),
        Fate::Later(problem) => {
            if file.is_news(&problem) {
                say::error(&format!("{file}: {problem}\nit is tried again"));
            }
            queue.later(file, problem, now());
            return;
        }
        Fate::Away(problem) => {
            if queue.is_new_rest(&problem) {
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

/// Looks for files that have become whole.
struct Arrivals {
    folders: Folders,
    looks: Looks,
    settling: Settling,
    /// What was said of a folder, so that it is said once.
    said: BTreeMap<PathBuf, String>,
}

impl Arrivals {
    fn look(&mut self, queue: &mut Queue) {
        let began = Instant::now();
        let (renamed, problems) = self.looks.begin(&self.folders.watched());
        let mut problems: BTreeMap<PathBuf, String> = problems.into_iter().collect();
        let found = self.folders.files(&mut problems);
        let changes = self
            .settling
            .observe(found, |path| renamed.has(path), began);
        for change in changes {
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
        self.looks.end(began, self.settling.next());
    }
}
