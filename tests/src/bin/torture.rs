//! Works through every fault on every sink, and prints a line for each pair.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use glovebox_tests::torture::{Fault, Place, Seeded, Target, at_one_place, markdown, torture};

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

fn main() -> ExitCode {
    let mut seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |d| d.as_secs());
    let mut rows = 40_000_u64;
    let mut times = [50, 17, 17, 20, 7, 7, 7, 7, 2, 300];
    const NAMES: [&str; 10] = [
        "--kills",
        "--commits",
        "--calls",
        "--cuts",
        "--crashes",
        "--restarts",
        "--takeovers",
        "--wakes",
        "--full",
        "--places",
    ];
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for pair in arguments.chunks(2) {
        let parsed = match pair {
            [name, value] => value
                .parse::<u64>()
                .ok()
                .map(|value| (name.as_str(), value)),
            _ => None,
        };
        let slot = match parsed {
            Some(("--seed", _)) => Some(&mut seed),
            Some(("--rows", _)) => Some(&mut rows),
            Some((name, _)) => NAMES
                .iter()
                .position(|n| *n == name)
                .and_then(|place| times.get_mut(place)),
            None => None,
        };
        let (Some(slot), Some((_, value))) = (slot, parsed) else {
            eprint!("{HELP}");
            return ExitCode::from(2);
        };
        *slot = value;
    }
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
    ] = times;
    println!("seed {seed}, {rows} rows\n");
    let mut random = Seeded::new(seed);
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
        for target in Target::ALL {
            if times == 0 || !fault.fits(target) {
                continue;
            }
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            let rows = usize::try_from(rows).unwrap_or(usize::MAX);
            let line = torture(target, fault, times, rows, &mut random);
            eprintln!(
                "{}, {}: {} fired {}",
                line.target,
                line.fault,
                line.fired,
                line.impossible.unwrap_or_default()
            );
            for wrong in &line.wrong {
                eprintln!("WRONG: {wrong}");
            }
            lines.push(line);
        }
    }
    for place in Place::ALL.into_iter().filter(|_| places > 0) {
        let starts = u32::try_from(places).unwrap_or(u32::MAX);
        // Of a tenth of the rows, so that starts are many.
        let rows = usize::try_from(rows / 10).unwrap_or(usize::MAX).max(1);
        let line = at_one_place(place, starts, rows, &mut random);
        eprintln!("{}: {} starts", line.target, line.fired);
        for wrong in &line.wrong {
            eprintln!("WRONG: {wrong}");
        }
        lines.push(line);
    }
    print!("{}", markdown(&lines));
    match lines.iter().all(|line| line.wrong.is_empty()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
