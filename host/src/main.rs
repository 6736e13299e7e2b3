//! The `glovebox` program: exit codes, the error chain, nothing else.

mod cli;
mod compose;
mod lineage;
mod signature;
mod without;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic's message may quote a cell, so only its place is shown.
    std::panic::set_hook(Box::new(|panic| {
        // A file's content made a reader panic, and whoever reads it says so.
        if glovebox_connectors::contain::is_under_way() {
            return;
        }
        // `print!` has no other way to say that standard output takes no more. Whoever closed it
        // wants no more of it; a full disk is a failure.
        let told = panic.payload_as_str().unwrap_or_default();
        if told.starts_with("failed printing to stdout") {
            if told.contains("Broken pipe") {
                std::process::exit(0);
            }
            eprintln!("error: cannot write to standard output");
            std::process::exit(1);
        }
        let place = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        eprintln!("internal error: panic at {place}; please report it");
    }));
    cli::main()
}
