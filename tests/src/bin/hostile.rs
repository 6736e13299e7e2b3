//! Runs every hostile guest, each in a process of its own, and prints a line for each.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use glovebox_tests::attacks::{self, Patience, Table};

const HELP: &str = "\
glovebox-hostile [--markdown] [--json FILE] [--busy]

  Runs every hostile guest of tests/guests and prints what came of it, the time to its end,
  the milliseconds past its deadline and the peak of memory over the process's own.
  The exit code is 1 if one is not contained.

  --markdown    a row a guest, as docs/threat-model.md has it
  --json FILE   write the table as JSON, too
  --busy        other work runs on the machine: hold deadlines to three times and a second
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["warm", cache] => warm(Path::new(cache)),
        ["act", cache, place] => act(Path::new(cache), place),
        options => table(options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// Compiles all guests, so that the table measures what they do.
fn warm(cache: &Path) -> Result<bool, String> {
    for attack in attacks::all() {
        attacks::warm(&attack, cache)?;
    }
    Ok(true)
}

fn act(cache: &Path, place: &str) -> Result<bool, String> {
    let list = attacks::all();
    let attack = place
        .parse()
        .ok()
        .and_then(|place: usize| list.get(place))
        .ok_or("there is no such attack")?;
    println!("{}", attacks::act(attack, cache)?.to_json());
    Ok(true)
}

fn table(options: &[&str]) -> Result<bool, String> {
    let (mut json, mut patience, mut markdown) = (None, Patience::Idle, false);
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        match *option {
            "--markdown" => markdown = true,
            "--busy" => patience = Patience::Busy,
            "--json" => json = Some(PathBuf::from(rest.next().ok_or(HELP)?)),
            _ => return Err(HELP.into()),
        }
    }
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let table = Table::run(&program, patience, 1)?;
    match markdown {
        true => print!("{}", table.markdown()),
        false => print!("{}", table.text()),
    }
    if let Some(file) = json {
        std::fs::write(&file, format!("{:#}\n", table.json()))
            .map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(table.holds())
}
