//! One file's run, and what its end means for the file.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use glovebox_core::{Input, RunOutcome, RunReport, RunState, SinkError, SourceError};
use glovebox_engine::{Continuing, Plan, Run, RunError, Start, serves};
use glovebox_manifest::model::{Mode, Spanned};
use glovebox_manifest::{Diagnostic, Manifest, sealed_beside};
use glovebox_watch::Version;

use super::super::announce::announce_short_keys;
use super::super::report::peak_memory;
use super::super::run::{Armed, armed, as_begun, cores, progress_bar, seal_to, show};
use super::super::{say, traces};
use super::args::Args;
use super::names::{file_name, of_version, request};
use super::proofs::{Proofs, Proven};
use super::queue::File;
use crate::compose::Composed;

/// Runs of the journal that are looked through at the start, so that files that were run are not even
/// opened.
const LISTED: u32 = 10_000;

/// What became of a file.
pub(super) enum Fate {
    /// It was run, now or before.
    Ended,
    /// Stopped on request; the journal has what is done.
    Stopped,
    /// It is not there any more, or is another one.
    Gone,
    /// Another process runs it, or is in the way.
    Busy,
    /// Its own fault.
    Failed(String),
    /// Something that may pass.
    Later(String),
    /// The sink is away, for all files.
    Away(String),
}

/// Runs files by one manifest.
pub(super) struct Deliveries<'m> {
    manifest: &'m mut Manifest,
    plan: &'m Plan,
    composed: &'m Composed,
    /// As the manifest has it, for all files together.
    rejects: PathBuf,
    only_new: bool,
    workers: usize,
    proofs: Proofs,
    /// The runs that had finished at the start, by pipeline; none before the sink was asked.
    finished: Option<HashMap<String, Vec<String>>>,
}

impl<'m> Deliveries<'m> {
    /// Looks whether secrets, keys and the sink's settings are in order.
    ///
    /// # Errors
    /// What is not.
    pub(super) fn new(
        args: &Args,
        manifest: &'m mut Manifest,
        plan: &'m Plan,
        (composed, proofs): (&'m Composed, Proofs),
    ) -> Result<Self, Vec<Diagnostic>> {
        let (steps, ..) = armed(manifest, plan, None, composed)?;
        announce_short_keys(&steps);
        drop(steps);
        Ok(Deliveries {
            rejects: manifest.rejects.path.value.clone(),
            only_new: args.only_new,
            workers: args.workers.map_or_else(cores, usize::from),
            proofs,
            finished: None,
            manifest,
            plan,
            composed,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Runs a file, unless its run had finished.
    pub(super) fn run(&mut self, file: &File, stop: &AtomicBool) -> Fate {
        // Whole in this version; another one is told when that is whole.
        match Version::of(&file.path) {
            Ok(Some(version)) if version == file.version => {}
            Ok(_) => return Fate::Gone,
            Err(problem) => return Fate::Later(problem.to_string()),
        }
        let name = file_name(&file.path);
        let request = request(&file.version);
        let had = match self.had(&name, &request) {
            Ok(true) if !self.proofs.misses(&name, &file.version) => return Fate::Ended,
            Ok(had) => had,
            Err(fate) => return fate,
        };
        self.aim(file, &name);
        let append = self.manifest.sink.target.mode() == Mode::Append;
        // Nothing of an upsert is public before its end, so one that cannot go on begins anew. One that has ended
        // is only proven.
        let starts: &[Start] = match append || had {
            true => &[Start::Resume],
            false => &[Start::Resume, Start::Anew],
        };
        let mut fate = Fate::Gone;
        for start in starts {
            let armed = match self.arm(file, (&name, &request), *start) {
                Ok(armed) => armed,
                Err(problems) => return Fate::Later(first(&problems)),
            };
            match self.run_once(armed, file, (&name, &request), *start, stop) {
                Ok((report, proof)) => {
                    self.end(file, &report);
                    let proof = proof.and_then(|proof| match proof {
                        Some(proof) => self.proofs.write(&proof, &name, &file.version),
                        None => Ok(()),
                    });
                    return match proof {
                        Ok(()) => Fate::Ended,
                        Err(problem) => Fate::Later(format!(
                            "the rows are stored, but there is no proof of them: {problem:#}"
                        )),
                    };
                }
                Err(error) => {
                    let cannot_resume = is_about_an_unfinished_run(&error);
                    fate = fate_of(&error);
                    if !cannot_resume {
                        break;
                    }
                }
            }
        }
        fate
    }

    /// Has the pipeline read this file, and write its rejects to a place of its own.
    fn aim(&mut self, file: &File, name: &str) {
        if let Some(paths) = self.manifest.source.inputs_mut() {
            let span = paths.first().map_or(0..0, |path| path.span.clone());
            *paths = vec![Spanned::new(Input::File(file.path.clone()), span)];
        }
        let rejects = of_version(&self.rejects, name, &file.version);
        if let Some(sealed) = &mut self.manifest.rejects.sealed {
            sealed.path.value = sealed_beside(&rejects);
        }
        self.manifest.rejects.path.value = rejects;
    }

    /// Whatever a run of a file needs, with the keys with which it began if it did.
    fn arm(
        &self,
        file: &File,
        (name, request): (&str, &str),
        start: Start,
    ) -> Result<Armed<'_>, Vec<Diagnostic>> {
        let continuing = Continuing {
            name: &self.manifest.name,
            part: Some(name),
            start,
            request: Some(request),
        };
        let manifest = &*self.manifest;
        let ready = armed(manifest, self.plan, None, self.composed)?;
        as_begun(
            ready,
            (manifest, self.plan),
            self.composed,
            continuing,
            &|note| {
                say::note(&format!("{file}: {note}"));
            },
        )
    }

    fn run_once(
        &self,
        (steps, source, mut sink, recipients): Armed<'_>,
        file: &File,
        (name, request): (&str, &str),
        start: Start,
        stop: &AtomicBool,
    ) -> Result<Proven, RunError> {
        let manifest = &*self.manifest;
        let began = SystemTime::now();
        let bar = progress_bar(source.as_ref());
        let completed = Run {
            name: &manifest.name,
            part: Some(name),
            plan: self.plan,
            steps: &steps,
            source: source.as_ref(),
            sink: sink.as_mut(),
            rejects: &manifest.rejects.path,
            sealed: seal_to(manifest, recipients),
            at_most: manifest.rejects.at_most.as_ref().map(|a| a.value),
            workers: self.workers,
            start,
            only_new: self.only_new && manifest.sink.target.mode() == Mode::Append,
            take_over: false,
            request: Some(request),
            only: None,
            proof: self.proofs.proving(),
            shards: None,
            note: &|note| say::note(&format!("{file}: {note}")),
        }
        .run(stop, &mut |progress| show(&bar, progress));
        bar.finish_and_clear();
        let report = completed.as_ref().map(|completed| &completed.report);
        traces::tell(&manifest.name, began, report.ok());
        let mut completed = completed?;
        completed.report.peak_memory = peak_memory();
        let proof = self.proofs.pack(&completed, manifest, (self.plan, &steps));
        Ok((completed.report, proof))
    }

    /// Whether the run of this version had finished when the journal was read.
    fn had(&mut self, name: &str, request: &str) -> Result<bool, Fate> {
        if self.finished.is_none() {
            self.finished = Some(self.listed()?);
        }
        let pipeline = format!("{}/{name}", self.manifest.name.value);
        let runs = self.finished.as_ref().and_then(|all| all.get(&pipeline));
        Ok(runs.is_some_and(|runs| runs.iter().any(|run| serves(run, Some(request)))))
    }

    fn listed(&self) -> Result<HashMap<String, Vec<String>>, Fate> {
        let sink = glovebox_engine::arm::sink(self.manifest, self.composed);
        let mut sink = sink.map_err(|problems| Fate::Later(first(&problems)))?;
        let runs = sink.runs(LISTED).map_err(|error| fate_of(&error.into()))?;
        let mut finished: HashMap<String, Vec<String>> = HashMap::new();
        for listed in runs.unwrap_or_default() {
            if listed.run.state == RunState::Finished {
                let run = listed.run;
                finished.entry(run.pipeline).or_default().push(run.run);
            }
        }
        Ok(finished)
    }

    /// Tells how a run ended. A list without a reject says nothing, and there would be many.
    fn end(&self, file: &File, report: &RunReport) {
        let rejects = &self.manifest.rejects;
        if report.rows.rejected == 0 {
            let sealed = rejects.sealed.as_ref().map(|sealed| &sealed.path.value);
            for list in sealed.into_iter().chain([&rejects.path.value]) {
                // An empty list that stays is in nobody's way.
                let _ = std::fs::remove_file(list);
            }
        }
        say::ended(report);
        let rows = &report.rows;
        let counts = format!(
            "{} read = {} stored + {} filtered + {} rejected",
            rows.read, rows.stored, rows.filtered, rows.rejected
        );
        let list = match rows.rejected {
            0 => String::new(),
            _ => format!("; rejects: {}", rejects.path.value.display()),
        };
        if report.outcome != RunOutcome::Done {
            say::error(&format!(
                "{file}: {counts}; more than `at-most` allows, or no row is left{list}\nit is run \
                again only when it changes"
            ));
        } else if !say::is_json() {
            let is_known = rows.read > 0 && report.resumed_rows == rows.read;
            match is_known {
                true => println!("{file}: run before, as {}: {counts}{list}", report.run),
                false => println!("{file}: {counts}, in {:.2} s{list}", report.seconds),
            }
        }
    }
}

/// What the end of a run means for its file.
fn fate_of(error: &RunError) -> Fate {
    let text = error.to_string();
    match error {
        RunError::Ended { error: inner, .. } => match fate_of(inner) {
            // What is stored of it stands in the outer one.
            Fate::Failed(_) => Fate::Failed(text),
            Fate::Later(_) => Fate::Later(text),
            other => other,
        },
        RunError::Cancelled => Fate::Stopped,
        RunError::Running { .. } => Fate::Busy,
        RunError::Rejects { problem, .. } if problem.kind() == ErrorKind::ResourceBusy => {
            Fate::Busy
        }
        RunError::Sink(SinkError::Overtaken { .. } | SinkError::Fenced { .. }) => Fate::Busy,
        RunError::Sink(
            SinkError::Connect { .. } | SinkError::Io { .. } | SinkError::Unknown { .. },
        ) => Fate::Away(text),
        RunError::Source(SourceError::Io { problem, .. })
            if problem.kind() == ErrorKind::NotFound =>
        {
            Fate::Gone
        }
        // Where something else than the file may be at fault.
        RunError::Source(SourceError::Io { .. })
        | RunError::Sink(_)
        | RunError::Rejects { .. }
        | RunError::RejectsAfterCommit(_)
        | RunError::InputChanged { .. }
        | RunError::RemoteKey { .. }
        | RunError::Unfinished(_)
        | RunError::Random(_) => Fate::Later(text),
        _ => Fate::Failed(text),
    }
}

/// Whether an earlier run stands in the way that can neither go on nor be left.
fn is_about_an_unfinished_run(error: &RunError) -> bool {
    matches!(
        error,
        RunError::InputChanged { .. }
            | RunError::PlanChanged { .. }
            | RunError::OtherManifest { .. }
            | RunError::KeyChanged { .. }
            | RunError::OlderJournal(_)
            | RunError::RowsChanged { .. }
    )
}

fn first(problems: &[Diagnostic]) -> String {
    problems.first().map_or_else(
        || "the manifest cannot be run".into(),
        |problem| problem.message.clone(),
    )
}
