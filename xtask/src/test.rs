//! `cargo xtask test`: exactly what CI runs.

use crate::run::{Outcome, run_cargo, succeeds};
use crate::{plugins, postgres};

/// Runs every check; `filter` is handed to the tests.
pub(crate) fn test(filter: &[String]) -> Outcome {
    run_cargo(&["fmt", "--all", "--check"])?;
    if succeeds("cargo", &["deny", "--version"]) {
        // Advisories need a database from the network; CI looks at the rest.
        run_cargo(&["deny", "check", "bans", "licenses", "sources"])?;
    } else {
        eprintln!(
            "cargo-deny is not installed: licences and sources of dependencies are not checked"
        );
    }
    postgres::ensure()?;
    plugins::standard()?;
    plugins::guests()?;
    run_cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ])?;
    // The end-to-end tests run the program as it is built, not as a test.
    run_cargo(&["build", "--workspace"])?;
    // The guests are components; as native libraries they would only take time to link.
    let mut args = vec!["test", "--workspace", "--exclude", "glovebox-guests"];
    args.extend(filter.iter().map(String::as_str));
    run_cargo(&args)
}
