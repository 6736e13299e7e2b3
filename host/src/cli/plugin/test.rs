//! `glovebox plugin test`: runs an author's cases in the real sandbox.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use glovebox_conformance::{case, case_file, fault};
use glovebox_files::bounded;
use glovebox_manifest::render;
use glovebox_sandbox::GuestOutput;

use super::super::Exit;
use super::subject::{self, Subject};

/// The largest file of cases that is read, in bytes; the parser refuses smaller ones with an excerpt.
const MAX_SIZE: u64 = 2 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component, or a standard plugin's name.
    plugin: String,
    /// The cases; docs/plugin-cases.md describes the file.
    cases: PathBuf,
    /// Also show what the plugin wrote in passing cases.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    room: subject::Room,
}

pub(super) fn test(args: &Args) -> anyhow::Result<Exit> {
    let text = bounded::read_text(&args.cases, MAX_SIZE)
        .with_context(|| format!("cannot read the cases {}", args.cases.display()))?;
    let cases = match case_file::read(&text) {
        Ok(cases) => cases,
        Err(problems) => {
            let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let file = args.cases.display().to_string();
            eprint!("{}", render(&problems, &file, &text, color));
            return Ok(Exit::Usage);
        }
    };
    let Some(plugin) = Subject::read(&args.plugin, &args.room)?.load() else {
        return Ok(Exit::Failed);
    };
    let mut failed = 0;
    for one in &cases {
        let words = GuestOutput::default();
        let wrong = case::run(&plugin, one, &words);
        let name: String = one.name.chars().filter(|c| !c.is_control()).collect();
        println!(
            "{:7} {name}",
            if wrong.is_empty() { "ok" } else { "FAILED" }
        );
        for line in &wrong {
            println!("  {line}");
        }
        if args.verbose || !wrong.is_empty() {
            for line in fault::words(&words) {
                println!("  {line}");
            }
        }
        failed += usize::from(!wrong.is_empty());
    }
    println!(
        "\n{} {} ({}): {} of {} cases passed",
        plugin.about().name,
        plugin.about().version,
        plugin.world(),
        cases.len() - failed,
        cases.len()
    );
    Ok(if failed == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}
