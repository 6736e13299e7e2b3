//! The report's two forms: JSON to a file or standard output, a few lines for people.
//!
//! Owns where a report may go; refuses a file that the pipeline itself has a use for.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use glovebox_core::RunReport;
use glovebox_engine::manifest::{Manifest, model};

/// Where the report goes as JSON; opened before the first row, so that a run does not end in an
/// error about its report.
pub(super) enum Destination {
    Stdout,
    File { path: PathBuf, file: File },
}

impl Destination {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Destination::Stdout);
        }
        // What is there stays until there is a report to take its place.
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(|| format!("cannot write the report to {}", path.display()))?;
        Ok(Destination::File {
            path: path.to_owned(),
            file,
        })
    }

    /// After a failed run: a report of an earlier one would pass for this one's.
    pub(super) fn discard(&self) {
        if let Destination::File { path, .. } = self
            && path.is_file()
        {
            // The run's own error is the one to report.
            let _ = std::fs::remove_file(path);
        }
    }

    pub(super) fn write(self, report: &RunReport) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(report).context("report")?;
        match self {
            Destination::Stdout => match writeln!(std::io::stdout(), "{json}") {
                // Whoever closed standard output does not want the report.
                Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {}
                written => {
                    written.context("the rows are stored, but the report was not written")?
                }
            },
            Destination::File { path, mut file } => file
                .metadata()
                // A pipe or a device cannot be cut.
                .and_then(|meta| {
                    if meta.is_file() {
                        file.set_len(0)
                    } else {
                        Ok(())
                    }
                })
                .and_then(|()| writeln!(file, "{json}"))
                .with_context(|| {
                    format!(
                        "the rows are stored, but the report could not be written to {}",
                        path.display()
                    )
                })?,
        }
        Ok(())
    }
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
    writeln!(
        out,
        "  {} read = {} stored + {} filtered + {} rejected   in {:.2} s{}",
        rows.read,
        rows.stored,
        rows.filtered,
        rows.rejected,
        report.seconds,
        report
            .peak_memory
            .map(|bytes| format!(", {} MiB at most", bytes >> 20))
            .unwrap_or_default()
    )?;
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
            "  the rejects of {}, and {} other rows passed over",
            rerun.rejects_of, rerun.passed_over
        )?;
    }
    if let Some(behind) = &report.only_new {
        match &behind.after_run {
            Some(run) => writeln!(
                out,
                "  only rows behind the {} that run {run} and those before it had",
                behind.passed_over
            )?,
            None => writeln!(out, "  none of its rows were there before")?,
        }
    }
    for step in &report.steps {
        let mut fate = String::new();
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
        if !step.unguarded.is_empty() {
            let columns = step.unguarded.join(", ");
            writeln!(out, "       the leak guard was off for: {columns}")?;
        }
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
        if let Some(place) = report.fault_places.get(fault) {
            writeln!(out, "    the first in its function {place}")?;
        }
    }
    if let Some(path) = report.rejects_path.as_ref().filter(|_| rows.rejected > 0) {
        writeln!(out, "  rejects: {path}")?;
    }
    Ok(())
}

/// What that file is to the pipeline already, which a report would destroy.
pub(super) fn role_of(file: &Path, manifest: &Manifest) -> Option<&'static str> {
    let sources = manifest.source.inputs().0.iter();
    let sources = sources.filter_map(|input| match &input.value {
        model::Input::File(path) => Some(("the source", path)),
        model::Input::Stdin => None,
    });
    let plugins = manifest.steps.iter().filter_map(|s| match &s.plugin.value {
        model::PluginRef::File { path, .. } => Some(("a plugin", path)),
        model::PluginRef::Standard(_) => None,
    });
    let sink = manifest.sink.target.path().map(|p| &p.value);
    let roles = [
        ("the manifest", Some(&manifest.file)),
        ("the sink", sink),
        ("the rejects", Some(&manifest.rejects.path.value)),
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
