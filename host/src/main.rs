//! The `glovebox` program: exit codes, the error chain, nothing else.

mod cli;
mod compose;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic's message may quote a cell, so only its place is shown.
    std::panic::set_hook(Box::new(|panic| {
        // Whoever closed standard output wants no more of it; `print!` has no other way to say so.
        let closed = |told: &str| told.starts_with("failed printing to stdout: Broken pipe");
        if panic.payload_as_str().is_some_and(closed) {
            std::process::exit(0);
        }
        let place = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        eprintln!("internal error: panic at {place}; please report it");
    }));
    cli::main()
}
