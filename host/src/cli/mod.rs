//! The command line: a file a command.
//!
//! Owns arguments, exit codes and where output goes: results to standard output, progress, logs
//! and problems to standard error.

mod audit;
mod check;
mod completions;
mod demo;
mod init;
mod logs;
mod manifest;
mod plugin;
mod preview;
mod report;
mod rows;
mod run;
mod runs;
mod say;
mod secret;
mod serve;
mod supervised;
mod table;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use glovebox_outbound::telemetry;

/// How a call ended; also the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    TooManyRejects = 3,
}

/// Sandboxed plugins validate and mask rows; the host holds every key and connection.
#[derive(Debug, Parser)]
#[command(name = "glovebox", version, propagate_version = true, after_help = EXIT_CODES)]
struct Call {
    /// What is logged to standard error: error, warn, info, debug, trace, or per module.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        default_value = "warn",
        env = "GLOVEBOX_LOG",
        value_parser = logs::level
    )]
    log: String,
    /// How logs look.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 the run failed; 2 the call or the manifest is wrong; 3 more rows were rejected than `at-most`, or no row was left to replace what is there";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first manifest for a file: its columns, their types, and which may be personal.
    Init(init::Args),
    /// Run a pipeline.
    Run(run::Args),
    /// Check a manifest without reading a row.
    Check(check::Args),
    /// Show the first rows as the last step leaves them, and store nothing.
    Preview(preview::Args),
    /// Show the first rows of the sink's table, read back from the database.
    Rows(rows::Args),
    /// List the runs into a sink: living, dead, finished, given up.
    Runs(runs::Args),
    /// Keep secrets in the operating system's store.
    Secret(secret::Secret),
    /// Verify and read the audit log.
    Audit(audit::Args),
    /// List plugins and read their manuals.
    Plugin(plugin::Args),
    /// Serve the API.
    Serve(serve::Args),
    /// Keep the API's users and keys.
    User(user::Args),
    /// Print the JSON Schema of manifests, for editors.
    Schema,
    /// Print a completion script for a shell.
    Completions(completions::Args),
}

/// Parses the call, runs it, and maps how it ended to an exit code.
pub(crate) fn main() -> ExitCode {
    let call = Call::parse();
    say::start(call.log_format);
    let done = logs::start(&call.log, call.log_format).and_then(|()| match call.command {
        Command::Init(args) => init::init(&args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Preview(args) => preview::preview(&args),
        Command::Rows(args) => rows::rows(&args),
        Command::Runs(args) => runs::runs(&args),
        Command::Audit(args) => audit::audit(&args),
        Command::Secret(args) => args.run().map(|()| Exit::Done),
        Command::Plugin(args) => plugin::plugin(&args),
        Command::Serve(args) => serve::serve(&args),
        Command::User(args) => user::user(args),
        Command::Schema => {
            println!("{:#}", glovebox_manifest::json_schema());
            Ok(Exit::Done)
        }
        Command::Completions(args) => completions::completions(&args),
    });
    telemetry::stop();
    let exit = done.unwrap_or_else(|error| {
        say::error(&format!("{error:#}"));
        Exit::Failed
    });
    ExitCode::from(exit as u8)
}
