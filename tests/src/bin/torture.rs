//! Works through every fault on every sink, and prints a line for each pair.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use glovebox_tests::torture::{
    Fault, Line, Place, Seeded, Target, at_one_place, markdown, torture,
};

const HELP: &str = "\
glovebox-torture [--seed N] [--rows N] [--kills N] [--commits N] [--calls N]
                 [--cuts N] [--crashes N] [--restarts N] [--takeovers N] [--wakes N]
                 [--full N] [--places N]

  Kills, cuts off, crashes and overtakes runs on every sink, takes their disk's room away, lets them
  go on, and compares what is stored with an undisturbed run. N is for each sink that can meet the
  fault: --kills at random moments, --commits kills and cuts each before, during and after a COMMIT,
  --calls kills at system calls that change a file, --wakes takeovers from a run that sleeps at a
  COMMIT; --places starts of two or three programs at one place. The exit code is 1 if a row is lost, doubled or changed.
";

/// How often each fault is tried on each sink that can meet it, in the order of `COUNTS`.
type Counts = [u64; 10];

const COUNTS: [(&str, u64); 10] = [
    ("--kills", 50),
    ("--commits", 17),
    ("--calls", 17),
    ("--cuts", 20),
    ("--crashes", 7),
    ("--restarts", 7),
    ("--takeovers", 7),
    ("--wakes", 7),
    ("--full", 2),
    ("--places", 300),
];

struct Arguments {
    seed: u64,
    rows: u64,
    counts: Counts,
}

/// None if one is not known or has no number.
fn arguments() -> Option<Arguments> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut arguments = Arguments {
        seed: now.map_or(1, |since| since.as_secs()),
        rows: 40_000,
        counts: COUNTS.map(|(_, count)| count),
    };
    let given: Vec<String> = std::env::args().skip(1).collect();
    for pair in given.chunks(2) {
        let [name, value] = pair else { return None };
        let slot = match name.as_str() {
            "--seed" => &mut arguments.seed,
            "--rows" => &mut arguments.rows,
            name => {
                let place = COUNTS.iter().position(|(known, _)| *known == name)?;
                arguments.counts.get_mut(place)?
            }
        };
        *slot = value.parse().ok()?;
    }
    Some(arguments)
}

fn main() -> ExitCode {
    let Some(Arguments { seed, rows, counts }) = arguments() else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    println!("seed {seed}, {rows} rows\n");
    let lines = lines(&mut Seeded::new(seed), rows, counts);
    print!("{}", markdown(&lines));
    match lines.iter().all(|line| line.wrong.is_empty()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn lines(random: &mut Seeded, rows: u64, counts: Counts) -> Vec<Line> {
    let [
        kills,
        commits,
        calls,
        cuts,
        crashes,
        restarts,
        takeovers,
        wakes,
        full,
        places,
    ] = counts.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let mut lines = Vec::new();
    for fault in Fault::ALL {
        let times = match fault {
            Fault::Kill => kills,
            Fault::KillAt(_) | Fault::CutAt(_) => commits,
            Fault::KillAtCall => calls,
            Fault::Cut => cuts,
            Fault::Crash => crashes,
            Fault::Restart => restarts,
            Fault::Takeover => takeovers,
            Fault::TakeoverAtCommit => wakes,
            Fault::FullDisk => full,
        };
        let targets = Target::ALL.into_iter();
        for target in targets.filter(|target| times > 0 && fault.fits(*target)) {
            let line = torture(target, fault, times, rows, random);
            eprintln!(
                "{}, {}: {} fired {}",
                line.target,
                line.fault,
                line.fired,
                line.impossible.unwrap_or_default()
            );
            show_wrong(&line);
            lines.push(line);
        }
    }
    for place in Place::ALL.into_iter().filter(|_| places > 0) {
        // Of a tenth of the rows, so that starts are many.
        let line = at_one_place(place, places, (rows / 10).max(1), random);
        eprintln!("{}: {} starts", line.target, line.fired);
        show_wrong(&line);
        lines.push(line);
    }
    lines
}

fn show_wrong(line: &Line) {
    for wrong in &line.wrong {
        eprintln!("WRONG: {wrong}");
    }
}
