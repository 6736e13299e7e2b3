//! Runs the program that this benchmark was built with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

/// A finished run.
pub(crate) struct Ran {
    /// Wall time of the process, start to exit.
    pub(crate) wall: Duration,
    /// Its report.
    pub(crate) report: Value,
}

impl Ran {
    /// The most memory that it held, in MiB.
    pub(crate) fn mebibytes(&self) -> f64 {
        self.number("/peak-memory").unwrap_or(f64::NAN) / f64::from(1 << 20)
    }

    /// A number of the report, by JSON Pointer.
    pub(crate) fn number(&self, pointer: &str) -> Option<f64> {
        self.report.pointer(pointer)?.as_f64()
    }
}

/// `glovebox run` on a manifest; its folder holds everything else.
pub(crate) fn run(manifest: &Path) -> anyhow::Result<Ran> {
    run_with(manifest, &[], &[])
}

/// The same with more arguments and variables.
pub(crate) fn run_with(
    manifest: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<Ran> {
    let report = manifest.with_extension("report.json");
    let started = Instant::now();
    let output = Command::new(program()?)
        .arg("run")
        .arg(manifest)
        .arg("--report")
        .arg(&report)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .context("cannot start glovebox")?;
    let wall = started.elapsed();
    if !output.status.success() {
        bail!(
            "glovebox run failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let report = serde_json::from_slice(&std::fs::read(&report)?)?;
    Ok(Ran { wall, report })
}

/// Processor time of all processes that this one started and that have ended.
pub(crate) fn processor_time() -> anyhow::Result<Duration> {
    // Hundredths of a second, whatever the kernel counts in (proc(5)).
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name before may hold spaces.
    let (_, fields) = stat.rsplit_once(')').context("no fields")?;
    let mut ended = fields.split_whitespace().skip(13);
    let mut ticks = 0;
    for _ in ["user", "system"] {
        ticks += ended.next().context("too few fields")?.parse::<u32>()?;
    }
    Ok(TICK * ticks)
}

/// Processor time of this thread.
pub(crate) fn thread_time() -> anyhow::Result<Duration> {
    // Counted up to now when it is another thread's turn.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = stat.split_whitespace().next().context("no time")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// The program beside this one: both are built in release mode.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let program = here.with_file_name("glovebox");
    if !program.is_file() {
        bail!("{} is not built", program.display());
    }
    Ok(program)
}
