//! Runs that are killed, stopped, cut off, taken over and left without room, and go on: in the end
//! every sink must hold what an undisturbed run puts there.

mod calls;
mod disk;
mod faults;
mod frames;
mod job;
mod moments;
mod places;
mod proxy;
mod room;
mod target;

use std::fmt::Write as _;

use std::time::Duration;

pub use faults::Fault;
pub use places::{Place, at_one_place};
pub use proxy::{Moment, Proxy, Then};
pub use room::Room;
pub use target::Target;

use crate::postgres::Postgres;
use job::{Found, Job};

/// Random numbers that a seed repeats (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Seeded(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A share of a whole, 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What came of one kind of fault on one target.
#[derive(Debug, Default, Clone)]
pub struct Line {
    /// The target.
    pub target: String,
    /// The fault.
    pub fault: String,
    /// Faults that happened to a run under way.
    pub fired: u32,
    /// Faults that came when the run had ended, which count for nothing.
    pub late: u32,
    /// Runs that reached their end and were compared.
    pub compared: u32,
    /// Jobs in the end of which another table had taken the target's place.
    pub swapped: u32,
    /// Last starts that found chunks of an earlier one.
    pub resumed: u32,
    /// What the processes of the last job said.
    pub said: String,
    /// What was wrong, in the order found.
    pub wrong: Vec<String>,
    /// Why the fault cannot be made on this machine.
    pub impossible: Option<&'static str>,
}

/// Works through a fault on a target until it has fired so often.
pub fn torture(target: Target, fault: Fault, times: u32, rows: usize, random: &mut Seeded) -> Line {
    let mut line = Line {
        target: target.name(),
        fault: fault.name().into(),
        ..Line::default()
    };
    let reference = Job::new(target, rows);
    let time = reference.undisturbed();
    let mut trial = Trial {
        target,
        rows,
        time,
        times,
        expected: reference.result(),
        random,
        line: &mut line,
    };
    match fault {
        Fault::Kill => trial.at_random(faults::killed),
        Fault::Takeover => trial.at_random(|job, _, time, random, line| {
            faults::taken_over(job, time, random, line);
        }),
        Fault::Cut | Fault::Crash | Fault::Restart => {
            trial.at_random(|job, wanted, time, random, line| {
                faults::survived(job, fault, wanted, time, random, line);
            });
        }
        Fault::KillAt(_) | Fault::CutAt(_) | Fault::TakeoverAtCommit => trial.at_commits(fault),
        Fault::KillAtCall => trial.at_calls(),
        Fault::FullDisk => trial.short_of_room(),
    }
    line
}

/// Faults that may come too late before a trial is given up: so many, and so many for each wanted.
const LATE_IN_ALL: u32 = 20;
const LATE_EACH: u32 = 5;

/// A fault on a target, many times.
struct Trial<'a> {
    target: Target,
    rows: usize,
    time: Duration,
    times: u32,
    expected: Found,
    random: &'a mut Seeded,
    line: &'a mut Line,
}

impl Trial<'_> {
    /// How many faults are still to fire; none once something is wrong.
    fn wanted(&mut self) -> u32 {
        if self.line.late > LATE_IN_ALL + LATE_EACH * self.times {
            self.line.wrong.push("the fault hardly ever happens".into());
        }
        match self.line.wrong.is_empty() && self.line.impossible.is_none() {
            true => self.times.saturating_sub(self.line.fired),
            false => 0,
        }
    }

    fn compare(&mut self, job: &Job) {
        compare(job, &self.expected, self.line);
    }

    fn at_random(&mut self, disturb: impl Fn(&Job, u32, Duration, &mut Seeded, &mut Line)) {
        while self.wanted() > 0 {
            let job = Job::new(self.target, self.rows);
            disturb(&job, self.wanted(), self.time, self.random, self.line);
            self.compare(&job);
        }
    }

    fn at_commits(&mut self, fault: Fault) {
        let proxy = match Proxy::start(Postgres::shared()) {
            Ok(proxy) => proxy,
            Err(problem) => return self.line.wrong.push(problem),
        };
        let commits = moments::commits(self.target, self.rows, &proxy, self.line).max(1);
        let mut runs = 0;
        while self.wanted() > 0 {
            let job = Job::through(self.target, self.rows, Some(proxy.port()));
            let wanted = self.wanted();
            let (line, random) = (&mut *self.line, &mut *self.random);
            match fault {
                Fault::KillAt(moment) => {
                    moments::killed(&job, &proxy, moment, runs % commits, line);
                }
                Fault::CutAt(moment) => {
                    moments::cut(&job, &proxy, moment, commits, wanted, random, line);
                }
                _ => moments::overtaken(&job, &proxy, runs % commits, line),
            }
            runs += 1;
            self.compare(&job);
        }
    }

    fn at_calls(&mut self) {
        if !calls::can_watch() {
            self.line.impossible = Some("strace is not there, or may not watch a process");
            return;
        }
        let counts = calls::counts(&Job::new(self.target, self.rows), self.line);
        while self.wanted() > 0 {
            let job = Job::new(self.target, self.rows);
            calls::killed(&job, &counts, self.random, self.line);
            self.compare(&job);
        }
    }

    fn short_of_room(&mut self) {
        let bytes = Job::new(self.target, self.rows).size();
        while self.wanted() > 0 {
            let expected = &self.expected;
            let mounted = disk::filled(
                self.target,
                self.rows,
                bytes,
                self.random,
                self.line,
                |job, line| compare(job, expected, line),
            );
            if !mounted {
                self.line.impossible = Some("this user may not mount a small file system");
            }
        }
    }
}

fn compare(job: &Job, expected: &Found, line: &mut Line) {
    if !line.wrong.is_empty() {
        return;
    }
    let found = job.result();
    line.compared += 1;
    line.swapped += u32::from(job.target.is_swapped(&job.database));
    if found != *expected {
        let differs = found.differs(expected);
        line.wrong.push(format!("{differs}\n{}", line.said));
    }
}

/// The lines as a Markdown table.
pub fn markdown(lines: &[Line]) -> String {
    let mut table = String::from(
        "| sink | fault | fired | came too late | runs compared | last starts that went on | wrong |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} |",
            line.target,
            line.fault,
            line.impossible
                .map_or_else(|| line.fired.to_string(), |why| format!("not tried: {why}")),
            line.late,
            line.compared,
            line.resumed,
            line.wrong.len()
        );
    }
    table
}
