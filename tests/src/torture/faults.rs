//! What is done to a run: killed, its connections ended, its server crashed, put to sleep while
//! another takes its run over.
//!
//! Owns each fault and whether it fired; refuses to count one that hit nothing.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::job::{Job, adds_up};
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
    /// SIGSTOP, another process takes the run over, SIGCONT.
    Takeover,
}

impl Fault {
    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Kill => "SIGKILL",
            Fault::Cut => "connection ended",
            Fault::Crash => "server crash",
            Fault::Takeover => "SIGSTOP, takeover, SIGCONT",
        }
    }

    /// Whether the target can meet it.
    pub fn fits(self, target: Target) -> bool {
        match self {
            Fault::Kill => true,
            Fault::Cut | Fault::Crash => matches!(target, Target::Postgres(_)),
            // A process that sleeps in an SQLite transaction holds the file's lock, and nobody
            // can take that from it.
            Fault::Takeover => matches!(target, Target::Postgres(_)),
        }
    }
}

/// Runs a job to its end through faults.
pub(super) fn disturb(
    job: &Job,
    fault: Fault,
    wanted: u32,
    time: Duration,
    random: &mut Seeded,
    line: &mut Line,
) {
    match fault {
        Fault::Kill => killed(job, wanted.min(KILLS_A_RUN), time, random, line),
        Fault::Cut | Fault::Crash => {
            survived(job, fault, wanted.min(CUTS_A_RUN), time, random, line);
        }
        Fault::Takeover => taken_over(job, time, random, line),
    }
}

fn moment(time: Duration, random: &mut Seeded) -> Duration {
    time.mul_f64(random.share())
}

fn killed(job: &Job, kills: u32, time: Duration, random: &mut Seeded, line: &mut Line) {
    for _ in 0..kills {
        let running = job.pipeline.start(&["run", "manifest.yaml", "--resume"]);
        std::thread::sleep(moment(time, random));
        running.signal("KILL");
        let ran = running.end();
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

fn finish(job: &Job, line: &mut Line) {
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
fn went_on(ran: &Ran) -> u32 {
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

fn survived(
    job: &Job,
    fault: Fault,
    cuts: u32,
    time: Duration,
    random: &mut Seeded,
    line: &mut Line,
) {
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
        if fault == Fault::Crash {
            until_up(job);
        }
    }
    let ran = running.end();
    if ran.code != Some(0) {
        line.wrong
            .push(format!("the run did not survive: {}", ran.stderr));
    }
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

fn taken_over(job: &Job, time: Duration, random: &mut Seeded, line: &mut Line) {
    let elder = job.pipeline.start(&["run", "manifest.yaml", "--resume"]);
    std::thread::sleep(moment(time, random));
    elder.signal("STOP");
    let younger = job.go_on();
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
