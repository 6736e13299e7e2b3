//! `cargo xtask serve`: the API over the rows that the demo stores.

use std::process::Command;

use crate::demo;
use crate::run::{Outcome, debug, finish, root};

pub(crate) fn serve() -> Outcome {
    if !root().join("data/sales.db").is_file() || !debug("glovebox").is_file() {
        demo::demo()?;
    }
    println!();
    finish(
        Command::new(debug("glovebox"))
            .args(["serve", "--config", "data/glovebox.yaml", "--demo"])
            .current_dir(root()),
    )
}
