//! The `glovebox` program: exit codes, the error chain, nothing else.

mod cli;
mod compose;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic's message may quote a cell, so only its place is shown.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        eprintln!("internal error: panic at {place}; please report it");
    }));
    cli::main()
}
