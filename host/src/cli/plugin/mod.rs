//! `glovebox plugin`: the plugins that are built in, and any plugin's own manual.

mod bench;
mod check;
mod list;
mod new;
mod options;
mod pin;
mod subject;
mod test;

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the standard plugins, or show the manual of one: its name, or a .wasm file.
    List(list::Args),
    /// Pin the content of a manifest's plugins: write the SHA-256 of each file into it.
    Pin(pin::Args),
    /// Create a folder with a small plugin that builds, passes its cases and runs.
    New(new::Args),
    /// Run test cases on a plugin, in the real sandbox.
    Test(test::Args),
    /// Show what a plugin is and may do, and check it on every kind of batch.
    Check(check::Args),
    /// Measure the cost per row, for several batch sizes.
    Bench(bench::Args),
}

pub(super) fn plugin(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(args) => list::list(args),
        Command::Pin(args) => pin::pin(args),
        Command::New(args) => new::new(args),
        Command::Test(args) => test::test(args),
        Command::Check(args) => check::check(args),
        Command::Bench(args) => bench::bench(args),
    }
}
