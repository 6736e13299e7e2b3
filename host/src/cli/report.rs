//! The report's two forms: JSON to a file or standard output, a few lines for people.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use glovebox_core::{Input, InsideReport, ReleaseReport, RunReport, StepReport};
use glovebox_files::Staged;
use glovebox_manifest::{Manifest, model};

use super::say;

/// Where what a run leaves for others goes, its report as JSON or its proof pack; opened before the first row,
/// so that a run does not end in an error about it, nor takes the place of another run's.
pub(super) struct Destination {
    /// What goes there.
    what: &'static str,
    place: Place,
}

enum Place {
    Stdout,
    File {
        path: PathBuf,
        staged: Staged,
    },
    /// A pipe or a device, whose place nothing can take.
    Pipe {
        path: PathBuf,
        file: File,
    },
}

impl Destination {
    /// `resumes` is whether the run may be another process's, which is not waited for.
    pub(super) fn open(what: &'static str, path: &Path, resumes: bool) -> anyhow::Result<Self> {
        let place = Place::open(path, resumes)
            .with_context(|| format!("cannot write the {what} to {}", path.display()))?;
        Ok(Destination { what, place })
    }

    /// After a failed run: what an earlier one has left would pass for this one's.
    pub(super) fn discard(&self) {
        if let Place::File { staged, .. } = &self.place {
            // The run's own error is the one to report.
            let _ = std::fs::remove_file(staged.target());
        }
    }

    pub(super) fn is_stdout(&self) -> bool {
        matches!(self.place, Place::Stdout)
    }

    pub(super) fn write(self, text: &str) -> anyhow::Result<()> {
        let what = self.what;
        let (path, written) = match self.place {
            Place::Stdout => {
                return match std::io::stdout().write_all(text.as_bytes()) {
                    // Whoever closed standard output does not want it.
                    Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                    written => written.with_context(|| {
                        format!("the run has ended, but its {what} was not written")
                    }),
                };
            }
            Place::File { path, mut staged } => {
                let written = staged.write(text.as_bytes());
                (path, written.and_then(|()| staged.publish()))
            }
            Place::Pipe { path, mut file } => (path, file.write_all(text.as_bytes())),
        };
        written.with_context(|| {
            format!(
                "the run has ended, but its {what} could not be written to {}",
                path.display()
            )
        })
    }
}

impl Place {
    fn open(path: &Path, resumes: bool) -> std::io::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Place::Stdout);
        }
        let path = path.to_owned();
        let there = std::fs::metadata(&path);
        if there.is_ok_and(|there| !there.is_file() && !there.is_dir()) {
            let file = File::options().write(true).open(&path)?;
            return Ok(Place::Pipe { path, file });
        }
        let staged = match resumes {
            true => Staged::succeed(&path),
            false => Staged::create(&path),
        };
        Ok(Place::File {
            path,
            staged: staged?,
        })
    }
}

/// A report as `--report` writes it.
pub(super) fn to_json(report: &RunReport) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report).context("report")? + "\n")
}

pub(super) fn print(report: &RunReport) {
    let mut out = std::io::stdout().lock();
    // Whoever closed standard output does not want the report.
    let _ = write_report(report, &mut out);
}

fn write_report(report: &RunReport, out: &mut impl Write) -> std::io::Result<()> {
    let rows = &report.rows;
    writeln!(
        out,
        "{}: {} → {}",
        report.pipeline, report.source, report.sink
    )?;
    // What was lost before a `gather:` step is in the sum before it.
    let (mut start, mut filtered, mut rejected) = (rows.read, rows.filtered, rows.rejected);
    let mut whence = "read";
    for gather in &report.gathers {
        writeln!(
            out,
            "  {start} {whence} = {} taken by {} + {} filtered + {} rejected",
            gather.taken, gather.step, gather.filtered, gather.rejected
        )?;
        (start, whence) = (gather.made, "made");
        filtered = filtered.saturating_sub(gather.filtered);
        rejected = rejected.saturating_sub(gather.rejected);
    }
    writeln!(
        out,
        "  {start} {whence} = {} stored + {filtered} filtered + {rejected} rejected   in {:.2} s{}{}",
        rows.stored,
        report.seconds,
        report
            .peak_memory
            .map(|bytes| format!(", peak memory {} MiB", bytes >> 20))
            .unwrap_or_default(),
        say::DEBUG_BUILD
    )?;
    write_reservations(report, out)?;
    if let Some(release) = &report.release {
        write_release(release, out)?;
    }
    for step in &report.steps {
        write_step(step, out)?;
    }
    for reject in &report.rejects {
        let column = reject.column.as_deref().unwrap_or("the row");
        writeln!(
            out,
            "  rejected by {}: {} {column} ({} row{})",
            reject.step,
            reject.rule,
            reject.rows,
            if reject.rows == 1 { "" } else { "s" }
        )?;
    }
    for (fault, times) in &report.faults {
        writeln!(out, "  fault ({times} times): {fault}")?;
    }
    for note in &report.notes {
        writeln!(out, "  note: {note}")?;
    }
    if let Some(path) = report.rejects_path.as_ref().filter(|_| rows.rejected > 0) {
        writeln!(out, "  rejects: {path}")?;
    }
    if let Some(sealed) = &report.sealed_rejects {
        writeln!(
            out,
            "  sealed rejects: {} ({} rows)",
            sealed.path, sealed.rows
        )?;
        let missing = rows.rejected.saturating_sub(sealed.rows);
        if missing > 0 {
            writeln!(
                out,
                "    without the cells of {missing} rows that the target refused when all were published"
            )?;
        }
    }
    Ok(())
}

/// What a release gate asked and reached.
fn write_release(release: &ReleaseReport, out: &mut impl Write) -> std::io::Result<()> {
    if release.refused.is_some() {
        return writeln!(out, "  release: refused, k {} asked", release.k);
    }
    writeln!(
        out,
        "  release: k {} (asked {}), {} classes, {} rows suppressed (at most {}), {:.1} % of the information lost, {:.3} s",
        release.smallest_class,
        release.k,
        release.classes,
        release.suppressed_rows,
        release.suppress_at_most,
        release.information_loss * 100.0,
        release.seconds
    )?;
    let levels: Vec<String> = release
        .levels
        .iter()
        .map(|level| format!("{} {}/{}", level.column, level.level, level.last))
        .collect();
    writeln!(out, "       levels: {}", levels.join(", "))?;
    for column in &release.sensitive {
        writeln!(
            out,
            "       {}: l {} ({:.2} by entropy), t {:.3} ({:.3} in order)",
            column.column, column.distinct_l, column.entropy_l, column.equal_t, column.ordered_t
        )?;
    }
    Ok(())
}

/// Which of the rows are not simply those of this run.
fn write_reservations(report: &RunReport, out: &mut impl Write) -> std::io::Result<()> {
    if report.withheld_rows > 0 {
        writeln!(
            out,
            "  {} good rows withheld; existing rows stay",
            report.withheld_rows
        )?;
    }
    if report.superseded_rows > 0 {
        writeln!(
            out,
            "  {} of them were replaced by a later row with the same key",
            report.superseded_rows
        )?;
    }
    if report.resumed_rows > 0 {
        writeln!(
            out,
            "  {} of them by an earlier start of run {}",
            report.resumed_rows, report.run
        )?;
    }
    if let Some(rerun) = &report.rerun {
        writeln!(
            out,
            "  the rejects of {}, and {} other rows skipped",
            rerun.rejects_of, rerun.passed_over
        )?;
    }
    if let Some(behind) = &report.only_new {
        match &behind.after_run {
            Some(run) => writeln!(
                out,
                "  only the rows after the first {}, which run {run} or earlier runs had added",
                behind.passed_over
            )?,
            None => writeln!(out, "  none of its rows had been added before")?,
        }
    }
    Ok(())
}

fn write_step(step: &StepReport, out: &mut impl Write) -> std::io::Result<()> {
    let mut fate = String::new();
    if let Some(made) = step.made {
        fate += &format!(", {made} made of them");
    }
    if step.filtered > 0 {
        fate += &format!(", {} filtered", step.filtered);
    }
    if step.rejected > 0 {
        fate += &format!(", {} rejected", step.rejected);
    }
    if let Some(key) = &step.signed_by {
        fate += &format!(", signed by {key}");
    }
    writeln!(
        out,
        "  step {:24} {:18} {} rows in{fate}, {:.3} s",
        step.name, step.plugin, step.rows_in, step.seconds
    )?;
    for inside in &step.inside {
        let InsideReport { path, rows } = inside;
        writeln!(out, "       {path} led to values in {rows} rows")?;
    }
    if !step.unguarded.is_empty() {
        let columns = step.unguarded.join(", ");
        writeln!(out, "       the leak guard was off for: {columns}")?;
    }
    Ok(())
}

/// What that file is to the pipeline already, which a report would destroy.
pub(super) fn role_of(file: &Path, manifest: &Manifest) -> Option<&'static str> {
    let sources = manifest.source.inputs().0.iter();
    let sources = sources.filter_map(|input| match &input.value {
        Input::Path(path) | Input::File(path) => Some(("the source", path)),
        Input::Stdin | Input::Object(_) => None,
    });
    let plugins = manifest.steps.iter().filter_map(|s| match &s.plugin.value {
        model::PluginRef::File { path, .. } => Some(("a plugin", path)),
        model::PluginRef::Standard(_)
        | model::PluginRef::Sql(_)
        | model::PluginRef::Gather(_)
        | model::PluginRef::Missing(_) => None,
    });
    let sink = manifest.sink.target.path().map(|p| &p.value);
    let sealed = manifest.rejects.sealed.as_ref().map(|s| &s.path.value);
    let roles = [
        ("the manifest", Some(&manifest.file)),
        ("the sink", sink),
        ("the rejects", Some(&manifest.rejects.path.value)),
        ("the sealed rejects", sealed),
    ];
    let roles = roles
        .into_iter()
        .filter_map(|(role, path)| Some((role, path?)));
    let report = place(file);
    roles
        .chain(plugins)
        .chain(sources)
        .find(|(_, path)| place(path) == report)
        .map(|(role, _)| role)
}

/// Where a file is, or would be, with every link followed.
fn place(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| {
        let folder = file.parent().filter(|f| !f.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let name = file.file_name().unwrap_or_default();
        folder
            .canonicalize()
            .map_or_else(|_| file.to_owned(), |f| f.join(name))
    })
}

/// The high-water mark of resident memory; Linux tells it.
pub(super) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
