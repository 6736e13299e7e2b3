//! Faults at the commit points themselves: each COMMIT of a run in turn, before the server sees it,
//! while it is under way, and when it holds but the program does not know.

use super::faults::{finish, went_on};
use super::job::{Job, adds_up};
use super::proxy::{Moment, Proxy, Then};
use super::{Line, Seeded, Target};

/// Connections that one run loses.
const CUTS_A_RUN: u32 = 3;

/// Kills a run at each of its COMMITs: the next one with every call, from the first to the last of
/// an undisturbed run, and over again.
pub(super) fn killed(job: &Job, proxy: &Proxy, moment: Moment, commit: u32, line: &mut Line) {
    proxy.strike_at(commit, moment, Then::HoldAndCut);
    let mut running = job.pipeline.start(&["run", "manifest.yaml", "--resume"]);
    if proxy.has_struck(|| running.is_running()) {
        running.signal("KILL");
        proxy.release();
        let ran = running.end();
        match ran.code {
            None => line.fired += 1,
            Some(_) => line
                .wrong
                .push(format!("it ended by itself: {}", ran.stderr)),
        }
    } else {
        proxy.release();
        line.late += 1;
        // A run sends fewer COMMITs where it waited for something; it must have ended well.
        let ran = running.end();
        if ran.code != Some(0) {
            line.wrong
                .push(format!("an undisturbed run failed: {}", ran.stderr));
        }
        return;
    }
    finish(job, line);
}

/// Cuts a run's connection at some of its COMMITs, which it must live through.
pub(super) fn cut(
    job: &Job,
    proxy: &Proxy,
    moment: Moment,
    commits: u32,
    wanted: u32,
    random: &mut Seeded,
    line: &mut Line,
) {
    let cuts = wanted.min(CUTS_A_RUN);
    let some = |random: &mut Seeded| (random.share() * f64::from(commits) / f64::from(cuts)) as u32;
    proxy.strike_at(some(random), moment, Then::Cut);
    let mut running = job.pipeline.start(&["run", "manifest.yaml", "--resume"]);
    for cut in 1..=cuts {
        if !proxy.has_struck(|| running.is_running()) {
            line.late += 1;
            break;
        }
        line.fired += 1;
        if cut < cuts {
            proxy.strike_at(some(random), moment, Then::Cut);
        }
    }
    proxy.release();
    let ran = running.end();
    line.resumed += went_on(&ran);
    if ran.code != Some(0) {
        line.wrong
            .push(format!("the run did not survive: {}", ran.stderr));
    }
}

/// Puts a run to sleep with a COMMIT on its lips, has another take it over, and wakes it: the COMMIT
/// arrives when all is done.
pub(super) fn overtaken(job: &Job, proxy: &Proxy, commit: u32, line: &mut Line) {
    proxy.strike_at(commit, Moment::Before, Then::HoldAndGoOn);
    let mut elder = job.pipeline.start(&["run", "manifest.yaml", "--resume"]);
    if !proxy.has_struck(|| elder.is_running()) {
        line.late += 1;
        proxy.release();
        let ran = elder.end();
        if ran.code != Some(0) {
            line.wrong
                .push(format!("an undisturbed run failed: {}", ran.stderr));
        }
        return;
    }
    elder.signal("STOP");
    let younger = job.take_over();
    line.resumed += went_on(&younger);
    elder.signal("CONT");
    proxy.release();
    let woken = elder.end();
    line.said = format!(
        "at COMMIT {commit}; the younger ended with {:?} and said:\n{}\nthe elder with {:?}:\n{}\n{}",
        younger.code, younger.stderr, woken.code, woken.stdout, woken.stderr
    );
    if younger.code != Some(0) {
        line.wrong
            .push(format!("the second runner failed: {}", younger.stderr));
    }
    match woken.code {
        // At the first COMMIT the journal is made and nothing decided yet, so it decides when it wakes:
        // an append finds all done, a replacement replaces once more. The rows are compared all the same.
        Some(0) if commit == 0 => line.fired += 1,
        Some(0) => line
            .wrong
            .push("the woken process believed that it was first".into()),
        Some(_) => line.fired += 1,
        None => line.wrong.push("the woken process crashed".into()),
    }
}

/// How many COMMITs an undisturbed run sends.
pub(super) fn commits(target: Target, rows: usize, proxy: &Proxy, line: &mut Line) -> u32 {
    let job = Job::through(target, rows, Some(proxy.port()));
    proxy.commits();
    let ran = job.go_on();
    if ran.code != Some(0) || !adds_up(&ran.report) {
        line.wrong
            .push(format!("an undisturbed run failed: {}", ran.stderr));
    }
    proxy.commits()
}
