//! Runs that are killed, stopped, cut off and taken over at random moments, and go on: in the end
//! every sink must hold what an undisturbed run puts there.
//!
//! Owns the seed from which every moment comes; refuses to count a fault that did not happen.

mod faults;
mod job;
mod target;

use std::fmt::Write as _;

pub use faults::Fault;
pub use target::Target;

use job::Job;

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
    /// Last starts that found chunks of an earlier one.
    pub resumed: u32,
    /// What was wrong, in the order found.
    pub wrong: Vec<String>,
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
    let expected = reference.result();
    while line.fired < times && line.wrong.is_empty() {
        let job = Job::new(target, rows);
        faults::disturb(&job, fault, times - line.fired, time, random, &mut line);
        let found = job.result();
        line.compared += 1;
        if found != expected {
            line.wrong.push(found.differs(&expected));
        }
    }
    line
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
            line.fired,
            line.late,
            line.compared,
            line.resumed,
            line.wrong.len()
        );
    }
    table
}
