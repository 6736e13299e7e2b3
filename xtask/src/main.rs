//! Project tasks, in plain Rust: `cargo xtask demo | test | bench | plugins | hostile | …`. There are
//! no dependencies, so that it compiles at once.

mod circles;
mod demo;
mod fuzz;
mod hostile;
mod install;
mod peers;
mod plugins;
mod postgres;
mod run;
mod test;
mod tools;
mod torture;

use std::process::ExitCode;

use run::Outcome;

const HELP: &str = "\
cargo xtask TASK

  demo      build what data/sales.yaml needs and run it: three masked rows and a report
  install   build the whole program, optimised, and put it on the PATH with completions and man pages (--root FOLDER, --features cluster)
  serve     the API over the demo's rows: prints a password once, and the two calls to try
  test      all that CI runs: format, clippy, cargo-deny where installed, every test
  bench     measure speed and memory, in release mode
  fuzz      100,000 mutated components against the sandbox; --help for fewer
  wast      the component model's own tests under our engine's configuration
  plugins   compile the standard plugins (target/plugins) and the tests' hostile guests
  torture   kill, cut off, crash and overtake runs, and compare what is stored (--seed N, --kills N, ...)
  hostile   run every hostile guest: outcome, time to its end, peak memory (--release, --json FILE)
  tools     install what makes components of Python and JavaScript, what masks are compared with, helm and promtool (target/tools)
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next();
    let rest: Vec<String> = args.collect();
    let done: Outcome = match task.as_deref() {
        // Fuzzing has options enough to explain them itself.
        Some(task) if task != "fuzz" && rest.iter().any(|a| a == "--help" || a == "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some("demo") => demo::demo(),
        Some("install") => install::install(&rest),
        Some("serve") => demo::serve(),
        Some("test") => test::test(&rest),
        Some("plugins") => plugins::standard().and_then(|()| plugins::guests()),
        Some("torture") => torture::torture(&rest),
        Some("hostile") => hostile::hostile(&rest),
        Some("tools") => tools::ensure(),
        Some("bench") => bench(&rest),
        Some("fuzz") => fuzz::fuzz(&rest),
        Some("wast") => fuzz::wast(),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the program and the benchmark in release mode, and runs the latter.
fn bench(args: &[String]) -> Outcome {
    plugins::standard()?;
    run::run_cargo(&[
        "build",
        "--release",
        "--package=glovebox",
        "--package=glovebox-bench",
    ])?;
    let mut program = std::process::Command::new(run::target().join("release/glovebox-bench"));
    let asked = |wanted: fn(&str) -> bool| args.iter().any(|what| wanted(what));
    if asked(|what| what == "methods") {
        tools::masks()?;
        program.env(
            "GLOVEBOX_MASKS",
            run::target().join("tools/masks/bin/python"),
        );
    }
    if asked(|what| what == "tokens" || what.starts_with("peers")) {
        postgres::ensure()?;
    }
    if asked(|what| what.starts_with("peers")) {
        program.env("GLOVEBOX_PEERS", peers::python()?);
    }
    run::finish(program.args(args))
}
