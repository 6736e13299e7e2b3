//! `glovebox run`: a pipeline from its first row to its report.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use anyhow::Context;
use glovebox_connectors::jsonl::KeptRows;
use glovebox_core::{Seal, Sink, Source};
use glovebox_engine::{
    ArmedStep, Completed, Continuing, MAX_REQUEST_LEN, Plan, Progress, Run, SealTo, Shards, Start,
    arm, arm_as_begun,
};
use glovebox_manifest::{Diagnostic, Manifest};
use glovebox_proof::Audit;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::announce::{announce_cost, announce_short_keys};
use super::ending::{Files, ended};
use super::manifest::Text;
use super::prove::Prover;
use super::report::role_of;
use super::rerun::{self, Asked};
use super::shards::{Processes, Shard};
use super::supervised::{self, ProgressWriter};
use super::{Exit, in_cluster, say, traces};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline's manifest.
    manifest: PathBuf,
    /// Also write the report as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write a signed proof of what left, and under which rules; the manifest's `proof` names the key.
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// The number of worker threads; by default one per core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Share the run out among so many processes on this machine, each with its part of the workers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), conflicts_with_all = ["rejects_of", "input_key"])]
    shards: Option<u16>,
    #[command(flatten)]
    cluster: in_cluster::RunArgs,
    /// Continue an unfinished run; start a new one if there is none.
    #[arg(long, conflicts_with = "again")]
    resume: bool,
    /// Start over, even if rows of this input were added before.
    #[arg(long)]
    again: bool,
    /// Skip the rows at the input's beginning that earlier runs have added, and run only those
    /// after them.
    #[arg(long, conflicts_with_all = ["again", "rejects_of"])]
    only_new: bool,
    /// With `--resume` or `--again`: take the run over from a process that is still living.
    #[arg(long)]
    take_over: bool,
    /// For programs: the request that this run serves. If a run for the same request has begun, it
    /// is resumed, regardless of other options.
    #[arg(long, value_name = "NAME", value_parser = request)]
    request: Option<String>,
    /// Read this file instead of the one in the manifest.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write rejects here instead of where the manifest says.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    rerun: rerun::RejectsOf,
    /// For programs: progress as JSON lines on standard error; the run stops when standard input
    /// ends.
    #[arg(long)]
    supervised: bool,
    /// For programs: number and hash of the audit log's last record, for the proof.
    #[arg(long, value_name = "NUMBER:HASH", hide = true, value_parser = audit_head)]
    audit_head: Option<Audit>,
    /// For programs: `--input` is an age file, whose key comes on standard input, before an empty line.
    #[arg(long, hide = true, requires_all = ["input", "supervised"])]
    input_key: bool,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
}

impl Args {
    fn start(&self) -> Start {
        match (self.resume, self.again) {
            (true, _) => Start::Resume,
            (_, true) => Start::Again,
            _ => Start::Fresh,
        }
    }
}

/// Where an audit log stood.
fn audit_head(text: &str) -> Result<Audit, String> {
    let parts = text.split_once(':');
    let parts = parts.and_then(|(number, hash)| Some((number.parse().ok()?, hash)));
    let plain = |hash: &str| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    match parts.filter(|(_, hash)| plain(hash)) {
        Some((record, hash)) => Ok(Audit {
            record,
            hash: hash.to_owned(),
        }),
        None => Err("use a record's number and its hash, such as 12:ab34…".into()),
    }
}

/// A request's name becomes part of names that journals and reports hold.
fn request(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match (1..=MAX_REQUEST_LEN).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "use 1 to {MAX_REQUEST_LEN} letters, digits, `-` or `_`"
        )),
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.take_over && !args.resume && !args.again && args.request.is_none() {
        say::error(
            "`--take-over` takes a run over from another process; use `--resume --take-over` to \
            continue it, or `--again --take-over` to start over",
        );
        return Ok(Exit::Usage);
    }
    let mut composed = Composed::new()?;
    if args.input_key {
        let opening = composed.opening(&supervised::input_key()?);
        composed = opening.map_err(|problem| anyhow::anyhow!("the key of `--input` {problem}"))?;
    }
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some((mut manifest, plan)) = text.plan_locked(&composed, args.locked) else {
        return Ok(Exit::Usage);
    };
    let adjusted = adjust(args, &mut manifest, &plan, &composed);
    let asked = match adjusted {
        Ok(asked) => asked,
        Err(problem) => {
            say::error(&problem);
            return Ok(Exit::Usage);
        }
    };
    let only = asked.only;
    let continuing = Continuing {
        name: &manifest.name,
        part: None,
        start: args.start(),
        request: args.request.as_deref(),
    };
    let ready = armed(&manifest, &plan, asked.rows, &composed).and_then(|armed| {
        as_begun(armed, (&manifest, &plan), &composed, continuing, &|note| {
            say::note(note)
        })
    });
    let (steps, source, mut sink, recipients) = match ready {
        Ok(ready) => ready,
        Err(problems) => {
            text.show(&problems);
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
    let workers = args.workers.map_or_else(cores, usize::from);
    let mut shards = shards(args, workers, &manifest, &text)?;
    let files = Files::open(
        args.report.as_deref(),
        args.proof.as_deref(),
        args.resume || args.take_over,
    )?;
    announce_short_keys(&steps);
    announce_cost(&steps, source.as_ref(), only.as_ref(), cores());

    let wanted = args.proof.is_some() || args.supervised;
    let stop = listen(args, &composed)?;
    let began = SystemTime::now();
    let mut teller = args
        .supervised
        .then(|| ProgressWriter::new(source.as_ref()));
    let bar = progress_bar(source.as_ref());
    let completed = Run {
        name: &manifest.name,
        part: None,
        plan: &plan,
        steps: &steps,
        source: source.as_ref(),
        sink: sink.as_mut(),
        rejects: &manifest.rejects.path,
        sealed: seal_to(&manifest, recipients),
        at_most: manifest.rejects.at_most.as_ref().map(|a| a.value),
        workers,
        start: args.start(),
        only_new: args.only_new,
        take_over: args.take_over,
        request: args.request.as_deref(),
        only: only.as_ref(),
        proof: prover.as_ref().map(|prover| prover.proving(wanted)),
        shards: shards.as_deref_mut().map(|s| s as &mut dyn Shards),
        note: &|note| say::note(note),
    }
    .run(&stop, &mut |progress| match &mut teller {
        Some(teller) => teller.tell(progress),
        None => show(&bar, progress),
    });
    bar.finish_and_clear();
    let report = completed.as_ref().map(|completed| &completed.report);
    traces::tell(&manifest.name, began, report.ok());
    let pack = |completed: &Completed| match &prover {
        Some(prover) if wanted => {
            let audit = args.audit_head.clone();
            prover.pack(completed, &manifest, (&plan, &steps), audit)
        }
        _ => Ok(None),
    };
    ended(completed, &pack, files, (&manifest, args.supervised))
}

/// Who works on the run's ranges, if this process does not itself.
fn shards(
    args: &Args,
    workers: usize,
    manifest: &Manifest,
    text: &Text,
) -> anyhow::Result<Option<Box<dyn Shards>>> {
    let Some(count) = args.shards.map(usize::from) else {
        return args.cluster.shards(&manifest.name, text, say::note);
    };
    let shard = Shard {
        workers: (workers / count).max(1),
        manifest: args.manifest.clone(),
        input: args.input.clone(),
        locked: args.locked,
    };
    Ok(Some(Box::new(Processes { count, shard })))
}

/// What asks the run to end early: a signal, or the server that supervises it.
fn listen(args: &Args, composed: &Composed) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = stop_when_asked()?;
    if args.supervised {
        supervised::stop_with_standard_input(&stop).context("cannot watch standard input")?;
        supervised::tell_secrets(&composed.fetched());
    } else {
        // What a server has started, it tells itself.
        traces::start();
    }
    Ok(stop)
}

/// A pipeline with its secrets: what it masks with, reads and writes.
pub(super) type Armed<'p> = (
    Vec<ArmedStep<'p>>,
    Box<dyn Source>,
    Box<dyn Sink>,
    Option<Arc<dyn Seal>>,
);

pub(super) fn armed<'p>(
    manifest: &Manifest,
    plan: &'p Plan,
    rows: Option<KeptRows>,
    composed: &Composed,
) -> Result<Armed<'p>, Vec<Diagnostic>> {
    let steps = arm(manifest, plan, composed)?;
    let source: Box<dyn Source> = match rows {
        Some(rows) => Box::new(rows),
        None => glovebox_engine::arm::source(manifest, plan.source.clone(), composed)?,
    };
    let sink = glovebox_engine::arm::gated_sink(manifest, plan, composed)?;
    let recipients = glovebox_engine::arm::recipients(manifest, composed)?;
    Ok((steps, source, sink, recipients))
}

/// The same for a run that may go on with an earlier one, and then has its versions of keys on servers.
pub(super) fn as_begun<'p>(
    (steps, source, mut sink, recipients): Armed<'p>,
    (manifest, plan): (&Manifest, &'p Plan),
    composed: &Composed,
    continuing: Continuing<'_>,
    note: &dyn Fn(&str),
) -> Result<Armed<'p>, Vec<Diagnostic>> {
    let planned = (manifest, plan);
    let steps = arm_as_begun(steps, planned, composed, sink.as_mut(), continuing, note)?;
    Ok((steps, source, sink, recipients))
}

/// What the call has otherwise than the manifest; the rows that are to be run, if not all are.
fn adjust(
    args: &Args,
    manifest: &mut Manifest,
    plan: &Plan,
    composed: &Composed,
) -> Result<Asked, String> {
    if let Some(input) = &args.input {
        supervised::read_instead(manifest, input.clone())?;
    }
    if let Some(rejects) = &args.rejects {
        manifest.rejects.path.value.clone_from(rejects);
        if let Some(sealed) = &mut manifest.rejects.sealed {
            sealed.path.value = glovebox_manifest::sealed_beside(rejects);
        }
    }
    if args.supervised && manifest.source.reads_stdin() {
        return Err("a supervised run cannot read rows from standard input; name a file".into());
    }
    let corrected = args.input.is_some();
    let asked = args.rerun.asked(corrected, manifest, plan, composed);
    let asked = asked.map_err(|problem| format!("`--rejects-of`: {problem:#}"))?;
    let list = args.rerun.rejects_of.as_ref();
    if list.is_some() && args.report.as_ref() == list {
        return Err("`--report` names the rejects file; use another file for the report".into());
    }
    if args.proof.is_some() && manifest.proof.is_none() {
        return Err(
            "`--proof` needs a key that signs: write `proof: { key: NAME }` in the manifest, and make it with: \
            glovebox proof key NAME"
                .into(),
        );
    }
    if args.proof.is_some() && args.proof == args.report {
        return Err("`--proof` and `--report` name one file; use two".into());
    }
    for (option, what, file) in [
        ("--report", "the report", &args.report),
        ("--proof", "the proof", &args.proof),
    ] {
        if let Some(taken) = file.as_deref().and_then(|file| role_of(file, manifest)) {
            return Err(format!(
                "`{option}` names {taken} of this pipeline; use another file for {what}"
            ));
        }
    }
    Ok(asked)
}

pub(super) fn seal_to(
    manifest: &Manifest,
    recipients: Option<Arc<dyn Seal>>,
) -> Option<SealTo<'_>> {
    let sealed = manifest.rejects.sealed.as_ref().zip(recipients);
    sealed.map(|(sealed, recipients)| SealTo {
        path: &sealed.path,
        recipients,
    })
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The first Ctrl-C or SIGTERM ends the run at the next batch; a second one at once.
pub(super) fn stop_when_asked() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if asked.swap(true, Ordering::Relaxed) {
                std::process::exit(128 + signal);
            }
            eprintln!("stopping (Ctrl-C again to stop at once)");
        }
    });
    Ok(stop)
}

pub(super) fn progress_bar(source: &dyn Source) -> ProgressBar {
    if !say::is_terminal() || say::is_json() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match source.size_bytes() {
        // The bar takes what a narrow terminal leaves it.
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{wide_bar} {percent:>3}%  {msg}  {bytes_per_sec}  {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

pub(super) fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.bytes);
    let rows = progress.rows;
    bar.set_message(match (progress.released, progress.made) {
        (Some(released), _) => format!("{rows} rows, {released} released"),
        (None, Some(0)) => format!("{rows} rows, gathering"),
        (None, Some(made)) => format!("{rows} rows, {made} made of them"),
        (None, None) => format!("{rows} rows"),
    });
}

#[cfg(all(test, feature = "api"))]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_calls_a_run_is_a_request() {
        let id = glovebox_catalog::new_run_id().unwrap();
        assert_eq!(request(&id), Ok(id.clone()));
        assert!(request(&"r".repeat(MAX_REQUEST_LEN + 1)).is_err());
        assert!(request("a.b").is_err());
    }
}
