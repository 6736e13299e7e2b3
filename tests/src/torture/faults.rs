//! What is done to a run at a random moment: killed, its connections ended, its server crashed or
//! restarted, put to sleep while another takes its run over.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::job::{Job, adds_up};
use super::proxy::Moment;
use super::{Line, Seeded, Target};
use crate::pipeline::Ran;
use crate::postgres::Postgres;

/// Kills of one run before it is left to reach its end.
const KILLS_A_RUN: u32 = 5;
/// Faults of a connection or server that one run lives through.
const CUTS_A_RUN: u32 = 4;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of the program.
    Kill,
    /// One of its connections is ended by the server.
    Cut,
    /// A process of the server is killed, and the server recovers as after a crash.
    Crash,
    /// The server is stopped at once and started again.
    Restart,
    /// SIGKILL of the program at each of its COMMITs.
    KillAt(Moment),
    /// SIGKILL of the program at a system call that changes a file.
    KillAtCall,
    /// A connection is cut at a COMMIT.
    CutAt(Moment),
    /// SIGSTOP with a COMMIT on the way, another process takes the run over, SIGCONT and the COMMIT.
    TakeoverAtCommit,
    /// There is no more room on the disk.
    FullDisk,
    /// SIGSTOP, another process takes the run over, SIGCONT.
    Takeover,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 14] = [
        Fault::Kill,
        Fault::KillAt(Moment::Before),
        Fault::KillAt(Moment::During),
        Fault::KillAt(Moment::After),
        Fault::KillAtCall,
        Fault::Cut,
        Fault::CutAt(Moment::Before),
        Fault::CutAt(Moment::During),
        Fault::CutAt(Moment::After),
        Fault::Crash,
        Fault::Restart,
        Fault::Takeover,
        Fault::TakeoverAtCommit,
        Fault::FullDisk,
    ];

    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Kill => "SIGKILL",
            Fault::Cut => "connection ended",
            Fault::Crash => "server crash",
            Fault::Restart => "server restarted (immediate)",
            Fault::KillAt(Moment::Before) => "SIGKILL before a COMMIT is forwarded",
            Fault::KillAt(Moment::During) => "SIGKILL during a COMMIT",
            Fault::KillAt(Moment::After) => "SIGKILL after a COMMIT, before its reply",
            Fault::KillAtCall => "SIGKILL at a system call",
            Fault::CutAt(Moment::Before) => "cut before a COMMIT is forwarded",
            Fault::CutAt(Moment::During) => "cut during a COMMIT",
            Fault::CutAt(Moment::After) => "cut after a COMMIT, before its reply",
            Fault::TakeoverAtCommit => "SIGSTOP at a COMMIT, takeover, SIGCONT",
            Fault::FullDisk => "disk full",
            Fault::Takeover => "SIGSTOP, takeover, SIGCONT",
        }
    }

    /// Whether the target can meet it.
    pub fn fits(self, target: Target) -> bool {
        match self {
            Fault::Kill | Fault::FullDisk => true,
            Fault::KillAtCall => !matches!(target, Target::Postgres(_)),
            Fault::Cut | Fault::Crash | Fault::Restart | Fault::KillAt(_) | Fault::CutAt(_) => {
                matches!(target, Target::Postgres(_))
            }
            // A process that sleeps in an SQLite transaction holds the file's lock, and nobody
            // can take that from it.
            Fault::Takeover | Fault::TakeoverAtCommit => matches!(target, Target::Postgres(_)),
        }
    }
}

fn moment(time: Duration, random: &mut Seeded) -> Duration {
    time.mul_f64(random.share())
}

/// Up to five kills, and a last start that goes on.
pub(super) fn killed(job: &Job, kills: u32, time: Duration, random: &mut Seeded, line: &mut Line) {
    for _ in 0..kills.min(KILLS_A_RUN) {
        let running = job.pipeline.start(&["run", "manifest.yaml", "--resume"]);
        std::thread::sleep(moment(time, random));
        running.signal("KILL");
        let ran = running.end();
        if job.target.is_torn(&job.database) {
            line.wrong.push("half of a table was shown".into());
        }
        match ran.code {
            None => line.fired += 1,
            Some(0) => {
                line.late += 1;
                return;
            }
            Some(_) => {
                line.wrong.push(format!("a start failed: {}", ran.stderr));
                return;
            }
        }
    }
    finish(job, line);
}

/// Lets a run go on to its end, which must be a good one.
pub(super) fn finish(job: &Job, line: &mut Line) {
    let ran = job.go_on();
    line.resumed += went_on(&ran);
    if ran.code != Some(0) {
        line.wrong
            .push(format!("the last start failed: {}", ran.stderr));
    } else if !adds_up(&ran.report) {
        line.wrong.push("the report does not add up".into());
    }
}

/// One, if the run found chunks of an earlier start.
pub(super) fn went_on(ran: &Ran) -> u32 {
    let rows = ran.report.get("resumed-rows").and_then(Value::as_u64);
    u32::from(rows.is_some_and(|rows| rows > 0))
}

/// Process numbers of the run's sessions.
fn sessions(job: &Job) -> Vec<String> {
    let own = "SELECT pid::text FROM pg_stat_activity WHERE application_name LIKE 'glovebox%' AND \
               datname = current_database() AND backend_type = 'client backend'";
    let rows = Postgres::shared().query(&job.database, own);
    rows.into_iter().flatten().flatten().collect()
}

/// Up to four faults of its connections or its server, in a run that must live through them.
pub(super) fn survived(
    job: &Job,
    fault: Fault,
    cuts: u32,
    time: Duration,
    random: &mut Seeded,
    line: &mut Line,
) {
    let cuts = cuts.min(CUTS_A_RUN);
    let running = job.pipeline.start(&["run", "manifest.yaml", "--resume"]);
    for _ in 0..cuts {
        std::thread::sleep(moment(time, random) / cuts);
        let sessions = sessions(job);
        let victim = (random.share() * sessions.len() as f64) as usize;
        let Some(pid) = sessions.get(victim) else {
            line.late += 1;
            continue;
        };
        let fired = match fault {
            Fault::Crash => Command::new("kill")
                .args(["-9", pid])
                .status()
                .is_ok_and(|s| s.success()),
            Fault::Restart => match Postgres::shared().restart_at_once() {
                Ok(()) => until_gone(pid),
                Err(problem) => {
                    line.wrong.push(problem);
                    return;
                }
            },
            _ => {
                let end = format!("SELECT pg_terminate_backend({pid})::text");
                let ended = Postgres::shared().query(&job.database, &end);
                ended == [[Some("true".to_owned())]]
            }
        };
        if fired {
            line.fired += 1;
        } else {
            line.late += 1;
        }
        if matches!(fault, Fault::Crash | Fault::Restart) {
            until_up(job);
        }
    }
    let ran = running.end();
    if ran.code != Some(0) {
        line.wrong
            .push(format!("the run did not survive: {}", ran.stderr));
    }
}

/// Whether a session went down with its server.
fn until_gone(pid: &str) -> bool {
    let process = std::path::Path::new("/proc").join(pid);
    for _ in 0..600 {
        if !process.exists() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

/// The server takes no connections while it recovers.
fn until_up(job: &Job) {
    for _ in 0..600 {
        if Postgres::shared().is_up(&job.database) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One takeover.
pub(super) fn taken_over(job: &Job, time: Duration, random: &mut Seeded, line: &mut Line) {
    let elder = job.pipeline.start(&["run", "manifest.yaml", "--resume"]);
    std::thread::sleep(moment(time, random));
    elder.signal("STOP");
    let younger = job.take_over();
    line.resumed += went_on(&younger);
    elder.signal("CONT");
    let woken = elder.end();
    if younger.code != Some(0) {
        line.wrong
            .push(format!("the second runner failed: {}", younger.stderr));
    }
    // The elder may have been done, or had not begun, when it was stopped; else it must find that
    // the run is not its own any more.
    match woken.code {
        Some(0) => line.late += 1,
        Some(_) => line.fired += 1,
        None => line.wrong.push("the woken process crashed".into()),
    }
}
