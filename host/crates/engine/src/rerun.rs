//! Whether rows that a run rejected may be run again, according to the manifest and the sink's
//! journal.

use glovebox_core::{Earlier, Job, Sink};

use crate::error::{RerunError, RunError};
use crate::selection::{InputScan, Selection};
use crate::start::Start;
use glovebox_manifest::Manifest;
use glovebox_manifest::model::{Mode, SinkTarget};

/// Whether a pipeline can run single rows of its input.
///
/// # Errors
/// When its source cannot find them and the list does not hold them, or its sink would lose the others.
pub fn can_rerun(manifest: &Manifest, only: &Selection) -> Result<(), RerunError> {
    if manifest.gathers() {
        return Err(RerunError::NeedsAllRows);
    }
    if !only.holds_rows() && manifest.source.server().is_some() {
        return Err(RerunError::Database);
    }
    if !only.holds_rows() && manifest.source.reads_stdin() {
        return Err(RerunError::ReadOnce);
    }
    let target = &manifest.sink.target;
    match target.mode() {
        Mode::Append | Mode::Upsert => return Ok(()),
        Mode::Replace => {}
    }
    let (why, instead) = match target {
        SinkTarget::Sqlite(_) | SinkTarget::Postgres(_) => (
            "`mode: replace` removes the others",
            "write `mode: append` or `upsert`",
        ),
        SinkTarget::Delta(_) => ("`mode: replace` removes the others", "write `mode: append`"),
        SinkTarget::Csv(_) | SinkTarget::Jsonl(_) => {
            ("the file is rewritten", "write `mode: append`")
        }
        SinkTarget::Parquet(_) => (
            "a Parquet file is rewritten",
            "write these rows to a separate file, with a manifest that has another sink",
        ),
    };
    Err(RerunError::Loses { why, instead })
}

/// The run in the journal that rejected these rows, if it knows of one.
pub(crate) fn look(
    sink: &mut dyn Sink,
    job: &Job,
    only: &Selection,
    met: &InputScan,
    start: Start,
) -> Result<Option<String>, RunError> {
    let Some(past) = sink.past(&job.pipeline)? else {
        return Ok(None);
    };
    let is_of_this = |run: &Earlier| run.whole == Some(met.input);
    let named = |of: Option<&str>| only.left_by().is_none_or(|name| of == Some(name));
    // The same call once more, whichever run has rejected rows of these numbers since.
    let rows = only.digest();
    let twin = past.iter().find(|run| {
        let same = run.plan.digest == job.plan.digest && run.plan.rejects() == Some(&*rows);
        same && run.rows.stored > 0 && is_of_this(run) && named(run.plan.rejects_of())
    });
    if let Some(twin) = twin {
        return Ok(twin.plan.rejects_of().map(ToOwned::to_owned));
    }
    // A file that was run as it is now was not corrected, however it is named.
    let whole = |run: &Earlier| run.plan.rejects().is_none() && is_of_this(run);
    let corrected = only.corrected() && !past.iter().any(whole);
    let mut base = None;
    for (place, run) in past.iter().enumerate() {
        if named(Some(&run.run)) && (corrected || is_of_this(run)) && rejected(sink, run, only)? {
            base = Some((place, run));
            break;
        }
    }
    let history = sink.history()?.unwrap_or_default();
    let own = |run: &Earlier| run.pipeline == job.pipeline;
    // What is gone on with was looked at when it began.
    let asked = match start {
        Start::Fresh => false,
        Start::Again | Start::Anew => true,
        Start::Resume => history.running.iter().any(own),
    };
    let Some((place, base)) = base else {
        if !asked && !corrected {
            strangers(sink, &past, only, &is_of_this)?;
        }
        return Ok(None);
    };
    // What was done already is for the look at every run's beginning.
    let plan = only.plan(&job.plan, Some(base.run.clone()));
    let done = past.iter().any(|run| run.plan == plan && is_of_this(run));
    if history.appends && !asked && !done {
        let family = root(&past, base);
        let mut later = past.iter().take(place);
        let related = |run: &Earlier| root(&past, run) == family || is_of_this(run);
        let added = later.find(|run| run.rows.stored > 0 && related(run));
        if let Some(run) = added {
            return Err(RerunError::AddedSince {
                place: only.place().to_owned(),
                run: run.run.clone(),
                started: run.started.clone(),
                stored: run.rows.stored,
            }
            .into());
        }
    }
    Ok(Some(base.run.clone()))
}

/// The run over a whole input from which, by rejects of rejects, a run has its rows.
fn root<'r>(past: &'r [Earlier], of: &'r Earlier) -> &'r str {
    let mut run = of;
    // A base is older than what was made of it, so there is no circle; but the journal may be edited.
    for _ in past {
        let base = run.plan.rejects_of();
        match past.iter().find(|other| Some(&*other.run) == base) {
            Some(base) => run = base,
            None => return base.unwrap_or(&run.run),
        }
    }
    &run.run
}

/// Refuses rows that the journal has reason to think are other ones, or stored.
fn strangers(
    sink: &mut dyn Sink,
    past: &[Earlier],
    only: &Selection,
    is_of_this: &dyn Fn(&Earlier) -> bool,
) -> Result<(), RunError> {
    let place = only.place().to_owned();
    if let Some(run) = past.iter().find(|run| is_of_this(run)) {
        return Err(RerunError::NotRejected {
            place,
            run: run.run.clone(),
            started: run.started.clone(),
        }
        .into());
    }
    for run in past {
        if rejected(sink, run, only)? {
            return Err(RerunError::OtherInput {
                place,
                run: run.run.clone(),
                started: run.started.clone(),
            }
            .into());
        }
    }
    Ok(())
}

/// Whether a run rejected all of these rows.
fn rejected(sink: &mut dyn Sink, run: &Earlier, only: &Selection) -> Result<bool, RunError> {
    let mut wanted = only.rows().iter().copied().peekable();
    if run.rows.rejected < only.rows().len() as u64 {
        return Ok(false);
    }
    // Both come by row.
    sink.rejects(&run.run, &mut |kept| {
        wanted.next_if_eq(&kept.row);
    })?;
    Ok(wanted.peek().is_none())
}

#[cfg(test)]
#[path = "rerun_tests.rs"]
mod tests;
