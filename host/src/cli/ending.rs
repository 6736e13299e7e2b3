//! How `glovebox run` ends: with a report, with a proof, with an exit code.

use std::path::Path;

use anyhow::Context;
use glovebox_core::{RunOutcome, RunReport};
use glovebox_engine::{Completed, RunError};
use glovebox_manifest::Manifest;

use super::report::{Destination, peak_memory, print, to_json};
use super::{Exit, say};

/// What a run ends with: its report and its proof, or why it has none.
pub(super) fn ended(
    completed: Result<Completed, RunError>,
    pack: &dyn Fn(&Completed) -> anyhow::Result<Option<String>>,
    files: Files,
    (manifest, supervised): (&Manifest, bool),
) -> anyhow::Result<Exit> {
    let mut completed = match completed.inspect_err(|_| files.discard()) {
        Err(error) if error.is_about_the_call() => {
            say::error(&error.to_string());
            return Ok(Exit::Usage);
        }
        completed => completed?,
    };
    let Files { report, proof } = files;
    completed.report.peak_memory = peak_memory();
    let pack = pack(&completed);
    // What is published has its report, whatever becomes of its proof.
    if let Some(pack) = pack.as_ref().ok().filter(|_| supervised) {
        completed.report.proof.clone_from(pack);
    }
    let proven = match proof {
        Some(proof) => {
            let piped = proof.is_stdout();
            hand_over(&completed.report, report, piped)?;
            written(pack, proof)
        }
        None => {
            hand_over(&completed.report, report, false)?;
            pack.map(drop)
        }
    };
    proven.context("the rows are stored, but there is no proof of them")?;
    Ok(exit(&completed.report, manifest))
}

/// Writes a proof. That of an earlier run would pass for it.
fn written(pack: anyhow::Result<Option<String>>, proof: Destination) -> anyhow::Result<()> {
    match pack {
        Ok(Some(pack)) => proof.write(&pack),
        Ok(None) => {
            proof.discard();
            say::note("there is no proof, since nothing was published");
            Ok(())
        }
        Err(problem) => {
            proof.discard();
            Err(problem)
        }
    }
}

/// The files that a run leaves for others beside its rows, opened before it so that they can be written
/// afterwards.
pub(super) struct Files {
    report: Option<Destination>,
    proof: Option<Destination>,
}

impl Files {
    /// `resumes` is whether the run may be another process's, which is not waited for.
    pub(super) fn open(
        report: Option<&Path>,
        proof: Option<&Path>,
        resumes: bool,
    ) -> anyhow::Result<Self> {
        let open = |what, path: Option<&Path>| {
            path.map(|path| Destination::open(what, path, resumes))
                .transpose()
        };
        Ok(Files {
            report: open("report", report)?,
            proof: open("proof", proof)?,
        })
    }

    fn discard(&self) {
        let files = self.report.iter().chain(&self.proof);
        files.for_each(Destination::discard);
    }
}

/// Shows the report, and writes it where it was asked for. What is `piped` through standard output stays by itself.
fn hand_over(report: &RunReport, to: Option<Destination>, piped: bool) -> anyhow::Result<()> {
    say::ended(report);
    let on_stdout = piped || to.as_ref().is_some_and(Destination::is_stdout);
    if let Some(destination) = to {
        destination.write(&to_json(report)?)?;
    }
    if !on_stdout {
        print(report);
    }
    Ok(())
}

fn exit(report: &RunReport, manifest: &Manifest) -> Exit {
    match report.outcome {
        RunOutcome::Done => Exit::Done,
        RunOutcome::TooManyRejects => {
            let rest = match report.withheld_rows {
                0 if report.rows.stored > 0 || !manifest.sink.target.mode().replaces() => {
                    "the rest is stored".into()
                }
                0 => "nothing is stored, and existing rows stay".into(),
                good => format!(
                    "nothing is stored, and existing rows stay; {good} good rows are withheld"
                ),
            };
            say::error(&format!(
                "{} of {} rows were rejected, more than `at-most` in {} allows; {rest}",
                report.rows.rejected,
                report.rows.read,
                manifest.file.display()
            ));
            Exit::TooManyRejects
        }
        RunOutcome::NotReleased => {
            let release = report.release.as_ref();
            let why = release
                .and_then(|release| release.refused.as_deref())
                .unwrap_or_default();
            let mut problem = format!("nothing was released, and existing rows stay: {why}");
            for would in release.iter().flat_map(|release| &release.would_satisfy) {
                problem += &format!("\n  would satisfy: {would}");
            }
            say::error(&problem);
            Exit::NotReleased
        }
        RunOutcome::NoRows => {
            say::error(&format!(
                "of {} rows read, none is left to replace the existing ones, which stay; if they \
                should be removed, write `replace-with-nothing: true` in the sink of {}",
                report.rows.read,
                manifest.file.display()
            ));
            Exit::TooManyRejects
        }
    }
}
