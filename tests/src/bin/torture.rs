//! Works through every fault on every sink, and prints a line for each pair.
//!
//! Owns the choice of what and how often; refuses success when a row is lost, doubled or changed.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use glovebox_tests::torture::{Fault, Seeded, Target, markdown, torture};

const HELP: &str = "\
glovebox-torture [--seed N] [--kills N] [--cuts N] [--crashes N] [--takeovers N] [--rows N]

  Kills, cuts off, crashes and overtakes runs at random moments on every sink, lets them go on,
  and compares what is stored with an undisturbed run. N is for each sink that can meet the fault.
  The exit code is 1 if a row is lost, doubled or changed.
";

fn main() -> ExitCode {
    let mut seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |d| d.as_secs());
    let (mut kills, mut cuts, mut crashes, mut takeovers, mut rows) = (50, 20, 7, 7, 40_000_u64);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for pair in arguments.chunks(2) {
        let number = |text: &String| text.parse::<u64>().ok();
        let [name, value] = pair else {
            eprint!("{HELP}");
            return ExitCode::from(2);
        };
        let slot = match name.as_str() {
            "--seed" => &mut seed,
            "--kills" => &mut kills,
            "--cuts" => &mut cuts,
            "--crashes" => &mut crashes,
            "--takeovers" => &mut takeovers,
            "--rows" => &mut rows,
            _ => {
                eprint!("{HELP}");
                return ExitCode::from(2);
            }
        };
        let Some(value) = number(value) else {
            eprint!("{HELP}");
            return ExitCode::from(2);
        };
        *slot = value;
    }
    println!("seed {seed}, {rows} rows\n");
    let mut random = Seeded::new(seed);
    let mut lines = Vec::new();
    for (fault, times) in [
        (Fault::Kill, kills),
        (Fault::Cut, cuts),
        (Fault::Crash, crashes),
        (Fault::Takeover, takeovers),
    ] {
        for target in Target::ALL {
            if times == 0 || !fault.fits(target) {
                continue;
            }
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            let rows = usize::try_from(rows).unwrap_or(usize::MAX);
            let line = torture(target, fault, times, rows, &mut random);
            eprintln!("{}, {}: {} fired", line.target, line.fault, line.fired);
            for wrong in &line.wrong {
                eprintln!("WRONG: {wrong}");
            }
            lines.push(line);
        }
    }
    print!("{}", markdown(&lines));
    match lines.iter().all(|line| line.wrong.is_empty()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
