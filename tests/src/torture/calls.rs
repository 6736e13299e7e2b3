//! Kills at the system calls by which a file changes: a write, a sync, a rename, a removal.

use std::process::Command;

use super::faults::finish;
use super::job::Job;
use super::{Line, Seeded};
use crate::pipeline::Running;

/// Calls that put a piece of a file on the disk, give it a name, or take it away.
const CALLS: [&str; 7] = [
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "unlink",
];

/// How often a run makes each of these calls in one thread.
#[derive(Debug, Default)]
pub(super) struct Counts(Vec<(&'static str, u32)>);

/// Whether `strace` is there and may watch a process.
pub(super) fn can_watch() -> bool {
    Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn watched(job: &Job, options: &[&str]) -> Running {
    let plain = job.pipeline.command(&["run", "manifest.yaml", "--resume"]);
    let mut command = Command::new("strace");
    command
        // Without --seccomp-bpf, with which strace 6.1 lets calls go by.
        .args(["-f", "-q", "-o", "calls.txt"])
        .args(options)
        .arg(plain.get_program())
        .args(plain.get_args())
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    if let Some(folder) = plain.get_current_dir() {
        command.current_dir(folder);
    }
    Running::new(command)
}

/// Counts the calls of an undisturbed run, by the thread that makes most of each.
pub(super) fn counts(job: &Job, line: &mut Line) -> Counts {
    let ran = watched(job, &["-e", &format!("trace={}", CALLS.join(","))]).end();
    if ran.code != Some(0) {
        line.wrong
            .push(format!("a watched run failed: {}", ran.stderr));
    }
    let told = job.pipeline.read("calls.txt");
    let counts = CALLS.iter().filter_map(|call| {
        let mut threads = std::collections::HashMap::<&str, u32>::new();
        for told in told.lines() {
            let mut words = told.split_whitespace();
            let (thread, rest) = (words.next()?, words.next().unwrap_or_default());
            if rest.strip_prefix(call).is_some_and(|r| r.starts_with('(')) {
                *threads.entry(thread).or_default() += 1;
            }
        }
        let most = threads.into_values().max()?;
        Some((*call, most))
    });
    Counts(counts.collect())
}

/// Kills a run at one of its calls, and lets it go on.
pub(super) fn killed(job: &Job, counts: &Counts, random: &mut Seeded, line: &mut Line) {
    let which = (random.share() * counts.0.len() as f64) as usize;
    let Some((call, most)) = counts.0.get(which) else {
        line.wrong.push("the run makes none of the calls".into());
        return;
    };
    let when = 1 + (random.share() * f64::from(*most)) as u32;
    let inject = format!("inject={call}:signal=KILL:when={when}");
    let ran = watched(job, &["-e", &format!("trace={call}"), "-e", &inject]).end();
    match ran.code {
        None | Some(137) => line.fired += 1,
        Some(0) => {
            line.late += 1;
            return;
        }
        Some(_) => {
            line.wrong.push(format!("a start failed: {}", ran.stderr));
            return;
        }
    }
    finish(job, line);
}
