//! `glovebox-fuzz`: a campaign of any length, with its summary; `cargo xtask fuzz` starts it.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::IsTerminal;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use glovebox_fuzz::{Bench, Breeder, Campaign, Seeds};

const HELP: &str = "\
glovebox-fuzz [--seed N] [--from N] [--count N] [--minutes N] [--workers N]

  --seed N      which mutants; without it another seed each time, which is printed
  --from N      the number of the first mutant (0)
  --count N     how many (100000)
  --minutes N   stops earlier, after this time
  --workers N   threads (all cores)

A mutant that harms the host is kept in target/fuzz, and the exit code is 1.
";
/// Tells the process that tries mutants from the one that outlives it.
const TRIES: &str = "GLOVEBOX_FUZZ_TRIES";
/// What a busy machine may need to compile a mutant.
const PATIENCE: Duration = Duration::from_secs(120);

struct Asked {
    seed: u64,
    from: u64,
    count: u64,
    minutes: Option<u64>,
    workers: usize,
}

fn main() -> ExitCode {
    let asked = match ask(std::env::args().skip(1)) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("glovebox-fuzz: {problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let tries = std::env::var_os(TRIES).is_some();
    let done = if tries {
        campaign(&asked)
    } else {
        outlive(&asked)
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("glovebox-fuzz: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn ask(mut args: impl Iterator<Item = String>) -> Result<Option<Asked>, String> {
    let mut asked = Asked {
        seed: RandomState::new().build_hasher().finish(),
        from: 0,
        count: 100_000,
        minutes: None,
        workers: std::thread::available_parallelism().map_or(1, usize::from),
    };
    while let Some(option) = args.next() {
        if matches!(option.as_str(), "--help" | "-h") {
            return Ok(None);
        }
        let value = args.next().and_then(|value| value.parse::<u64>().ok());
        let value = value.ok_or_else(|| format!("`{option}` needs a number"))?;
        match option.as_str() {
            "--seed" => asked.seed = value,
            "--from" => asked.from = value,
            "--count" => asked.count = value,
            "--minutes" => asked.minutes = Some(value),
            "--workers" => asked.workers = usize::try_from(value).unwrap_or(1).max(1),
            _ => return Err(format!("`{option}` is no option")),
        }
    }
    Ok(Some(asked))
}

/// Runs the campaign in a process of its own, since a host that overflows its stack or runs out of
/// memory takes the process with it, and says with which mutants it died.
fn outlive(asked: &Asked) -> Result<bool, String> {
    println!(
        "seed {}, mutants {} to {}",
        asked.seed,
        asked.from,
        asked.from.saturating_add(asked.count)
    );
    let journal = journal(asked.workers)?;
    let program = std::env::current_exe().map_err(|e| format!("cannot find itself: {e}"))?;
    let mut tries = Command::new(program);
    tries.args(["--seed", &asked.seed.to_string()]);
    tries.args(["--from", &asked.from.to_string()]);
    tries.args(["--count", &asked.count.to_string()]);
    tries.args(["--workers", &asked.workers.to_string()]);
    if let Some(minutes) = asked.minutes {
        tries.args(["--minutes", &minutes.to_string()]);
    }
    let status = tries.env(TRIES, "1").status();
    let status = status.map_err(|e| format!("cannot start itself: {e}"))?;
    let Some(signal) = status.signal() else {
        return Ok(status.success());
    };
    eprintln!("the host died of signal {signal} over one of these:");
    let breeder = Breeder::new(seeds()?, asked.seed);
    for worker in 0..asked.workers {
        let mut number = [0; 8];
        if journal
            .read_exact_at(&mut number, 8 * worker as u64)
            .is_ok()
        {
            keep(
                &breeder,
                u64::from_le_bytes(number),
                "the host may have died of it",
            )?;
        }
    }
    Ok(false)
}

fn campaign(asked: &Asked) -> Result<bool, String> {
    let breeder = Breeder::new(seeds()?, asked.seed);
    let bench = Bench::new().map_err(|e| e.to_string())?;
    let started = Instant::now();
    let campaign = Campaign {
        from: asked.from,
        count: asked.count,
        workers: asked.workers,
        until: asked.minutes.map(|m| started + Duration::from_secs(60 * m)),
        patience: PATIENCE,
    };
    let journal = std::sync::Arc::new(journal(asked.workers)?);
    let on_terminal = std::io::stderr().is_terminal();
    let ended = campaign.run(
        &breeder,
        &bench,
        move |worker, number| {
            // Without it a death is still told, only not by which mutant.
            let _ = journal.write_all_at(&number.to_le_bytes(), 8 * worker as u64);
        },
        |through| {
            if on_terminal {
                let pace = through as f64 / started.elapsed().as_secs_f64();
                eprint!(
                    "\r{through} of {} mutants, {pace:.0} a second ",
                    asked.count
                );
            }
        },
    );
    if on_terminal {
        eprintln!();
    }
    let seconds = started.elapsed().as_secs();
    println!(
        "{} mutants in {} min {} s, peak memory {}\n",
        ended.tally.all(),
        seconds / 60,
        seconds % 60,
        peak().unwrap_or_else(|| "unknown".into())
    );
    println!("{}", ended.tally);
    for stuck in &ended.stuck {
        keep(&breeder, stuck.number, "the host did not come back from it")?;
    }
    if let Some((number, what)) = &ended.wrong {
        keep(&breeder, *number, what)?;
    }
    Ok(ended.wrong.is_none() && ended.stuck.is_empty())
}

/// Writes the mutant down and says how to make it again.
fn keep(breeder: &Breeder, number: u64, what: &str) -> Result<(), String> {
    let seed = breeder.seed();
    let Some(mutant) = breeder.mutant(number) else {
        return Err(format!("there is no mutant {number} of seed {seed}"));
    };
    let file = folder()?.join(format!("{seed}-{number}.wasm"));
    fs::write(&file, &mutant.bytes).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    eprintln!(
        "{what}: mutant {number} of seed {seed} ({} of {}), kept as {}; again: cargo xtask fuzz --seed {seed} --from {number} --count 1",
        mutant.recipe,
        mutant.parent(),
        file.display()
    );
    Ok(())
}

fn seeds() -> Result<Seeds, String> {
    Seeds::read(&target()?).map_err(|e| e.to_string())
}

/// The target folder, of which this program is in `release` or `debug`.
fn target() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| format!("cannot find itself: {e}"))?;
    let target = program.parent().and_then(Path::parent);
    target.map(Path::to_owned).ok_or_else(|| {
        format!(
            "{} is in no target folder; start it by `cargo xtask fuzz`",
            program.display()
        )
    })
}

fn folder() -> Result<PathBuf, String> {
    let folder = target()?.join("fuzz");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    Ok(folder)
}

/// Eight bytes a worker: the mutant that it tries.
fn journal(workers: usize) -> Result<File, String> {
    let file = folder()?.join("tried");
    let opened = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file);
    let opened = opened.and_then(|f| f.set_len(8 * workers as u64).map(|()| f));
    opened.map_err(|e| format!("cannot open {}: {e}", file.display()))
}

/// The most memory that this process ever held.
fn peak() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
