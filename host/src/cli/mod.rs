//! The command line: one file per command.
//! Results go to standard output; progress, logs and problems go to standard error.

#[cfg(not(all(
    feature = "api",
    feature = "cluster",
    feature = "init",
    feature = "keyring",
    feature = "sql"
)))]
mod absent;
mod announce;
#[cfg(feature = "api")]
mod asked;
#[cfg(any(feature = "api", feature = "cluster"))]
mod asked_to_stop;
#[cfg(feature = "api")]
mod audit;
#[cfg(any(feature = "init", feature = "sql"))]
mod bars;
#[cfg(feature = "api")]
mod caller;
mod cell;
mod check;
#[cfg(feature = "cluster")]
mod cluster;
mod completions;
#[cfg(feature = "api")]
mod demo;
#[cfg(feature = "init")]
mod draft;
mod ecs;
mod ending;
mod explain;
#[cfg(feature = "api")]
mod forget;
#[cfg(feature = "cluster")]
mod in_cluster;
#[cfg(not(feature = "cluster"))]
#[path = "no_cluster.rs"]
mod in_cluster;
#[cfg(feature = "init")]
mod init;
#[cfg(feature = "keyring")]
mod key;
mod logs;
mod man;
mod manifest;
mod plugin;
mod preview;
mod proof;
mod prove;
#[cfg(feature = "sql")]
mod query;
#[cfg(feature = "init")]
mod register;
#[cfg(feature = "api")]
mod rejects;
mod report;
mod rerun;
#[cfg(feature = "api")]
mod reveal;
#[cfg(feature = "init")]
mod risk;
mod rows;
mod run;
mod runs;
mod say;
#[cfg(feature = "init")]
mod scan;
#[cfg(feature = "keyring")]
mod secret;
#[cfg(feature = "api")]
mod serve;
mod shards;
#[cfg(feature = "keyring")]
mod signing_key;
mod supervised;
#[cfg(feature = "traces")]
mod syslog;
#[cfg(not(feature = "traces"))]
#[path = "no_syslog.rs"]
mod syslog;
mod table;
#[cfg(feature = "traces")]
mod traces;
#[cfg(not(feature = "traces"))]
#[path = "no_traces.rs"]
mod traces;
#[cfg(feature = "api")]
mod user;
#[cfg(feature = "api")]
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

#[cfg(not(all(
    feature = "api",
    feature = "cluster",
    feature = "init",
    feature = "keyring",
    feature = "sql"
)))]
use crate::without;

/// How a call ended; also the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    TooManyRejects = 3,
    NotReleased = 4,
}

/// Sandboxed plugins validate and mask rows; the host holds every key and connection.
#[derive(Debug, Parser)]
#[command(name = "glovebox", version, propagate_version = true, after_help = EXIT_CODES)]
struct Call {
    /// What to log to standard error: error, warn, info, debug, trace, or a level per module.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        default_value = "warn",
        env = "GLOVEBOX_LOG",
        value_parser = logs::level
    )]
    log: String,
    /// The format of logs.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    #[command(flatten)]
    syslog: syslog::Args,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 the run failed; 2 the command line or the \
                         manifest is wrong; 3 more rows were rejected than `at-most`, or no row \
                         was left to replace the existing ones; 4 the rows do not satisfy the \
                         release gate";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// For machines: lines of JSON in the field names of the Elastic Common Schema.
    Json,
    /// For systemd's journal: text, with the level before it.
    Journal,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first manifest for a file: its columns, their types, and which may be personal.
    Init(
        #[cfg(feature = "init")] init::Args,
        #[cfg(not(feature = "init"))] absent::Args,
    ),
    /// Find the columns of a file, a table or a whole schema that may hold personal data.
    Scan(
        #[cfg(feature = "init")] scan::Args,
        #[cfg(not(feature = "init"))] absent::Args,
    ),
    /// Run a pipeline.
    Run(run::Args),
    /// Run a pipeline over files as they arrive in a folder, each once, until it is stopped.
    Watch(
        #[cfg(feature = "api")] watch::Args,
        #[cfg(not(feature = "api"))] absent::Args,
    ),
    /// Work on runs with many machines: a scheduler, executors, and certificates for them.
    Cluster(
        #[cfg(feature = "cluster")] cluster::Args,
        #[cfg(not(feature = "cluster"))] absent::Args,
    ),
    /// For programs: work on ranges of a run that another process began.
    #[command(hide = true)]
    Shard(shards::member::Args),
    /// Check a manifest without reading a row.
    Check(check::Args),
    /// Show the first rows after the last step, and store nothing.
    Preview(preview::Args),
    /// Ask in SQL what a pipeline makes of its source: as a table, CSV, JSON lines or a chart.
    Query(
        #[cfg(feature = "sql")] query::Args,
        #[cfg(not(feature = "sql"))] absent::Args,
    ),
    /// Give encrypted values back as the cells that they were made from.
    Reveal(
        #[cfg(feature = "api")] reveal::Args,
        #[cfg(not(feature = "api"))] absent::Args,
    ),
    /// Open the rejected rows that runs have kept encrypted.
    Rejects(
        #[cfg(feature = "api")] rejects::Args,
        #[cfg(not(feature = "api"))] absent::Args,
    ),
    /// Erase tokens, so that nobody gets their cells back.
    Forget(
        #[cfg(feature = "api")] forget::Args,
        #[cfg(not(feature = "api"))] absent::Args,
    ),
    /// Show the first rows of the sink's table, read back from the database.
    Rows(rows::Args),
    /// Measure how likely somebody is found in a file or in what a pipeline has stored.
    Risk(
        #[cfg(feature = "init")] risk::Args,
        #[cfg(not(feature = "init"))] absent::Args,
    ),
    /// List the runs into a sink: living, dead, finished or given up.
    Runs(runs::Args),
    /// Manage secrets in the operating system's store.
    Secret(
        #[cfg(feature = "keyring")] secret::Args,
        #[cfg(not(feature = "keyring"))] absent::Args,
    ),
    /// Keep keys of masks: make, list, rotate and retire their versions.
    Key(
        #[cfg(feature = "keyring")] key::Args,
        #[cfg(not(feature = "keyring"))] absent::Args,
    ),
    /// Explain a cell: its source, the steps and keys that made it, and what became of its row.
    Explain(explain::Args),
    /// Verify and read proofs of what runs have let out, and make the key that signs them.
    Proof(proof::Args),
    /// Verify and read the audit log.
    Audit(
        #[cfg(feature = "api")] audit::Args,
        #[cfg(not(feature = "api"))] absent::Args,
    ),
    /// List plugins and read their manuals.
    Plugin(plugin::Args),
    /// Serve the API.
    Serve(
        #[cfg(feature = "api")] serve::Args,
        #[cfg(not(feature = "api"))] absent::Args,
    ),
    /// Manage the API's users and keys.
    User(
        #[cfg(feature = "api")] user::Args,
        #[cfg(not(feature = "api"))] absent::Args,
    ),
    /// Print the JSON Schema of manifests, for editors.
    Schema,
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Write man pages to a folder, one per command.
    Man(man::Args),
}

/// Parses the call, runs it, and maps how it ended to an exit code.
pub(crate) fn main() -> ExitCode {
    let call = Call::parse();
    say::start(call.log_format);
    let logs = syslog::start(&call.syslog).and_then(|()| logs::start(&call.log, call.log_format));
    let done = logs.and_then(|()| match call.command {
        #[cfg(feature = "init")]
        Command::Init(args) => init::init(&args),
        #[cfg(feature = "init")]
        Command::Risk(args) => risk::risk(&args),
        #[cfg(not(feature = "init"))]
        Command::Init(_) | Command::Risk(_) | Command::Scan(_) => absent::refuse(&without::INIT),
        #[cfg(feature = "init")]
        Command::Scan(args) => scan::scan(&args),
        Command::Run(args) => run::run(&args),
        #[cfg(feature = "cluster")]
        Command::Cluster(args) => cluster::cluster(&args),
        #[cfg(not(feature = "cluster"))]
        Command::Cluster(_) => absent::refuse(&without::CLUSTER),
        Command::Shard(args) => shards::member::shard(&args),
        Command::Check(args) => check::check(&args),
        Command::Preview(args) => preview::preview(&args),
        #[cfg(feature = "sql")]
        Command::Query(args) => query::query(&args),
        #[cfg(not(feature = "sql"))]
        Command::Query(_) => absent::refuse(&without::SQL),
        Command::Explain(args) => explain::explain(&args),
        Command::Proof(args) => proof::proof(&args),
        Command::Rows(args) => rows::rows(&args),
        Command::Runs(args) => runs::runs(&args),
        #[cfg(feature = "api")]
        Command::Audit(args) => audit::audit(&args),
        #[cfg(feature = "keyring")]
        Command::Secret(args) => secret::secret(args),
        #[cfg(feature = "keyring")]
        Command::Key(args) => key::key(&args),
        #[cfg(not(feature = "keyring"))]
        Command::Key(_) | Command::Secret(_) => absent::refuse(&without::KEYRING),
        Command::Plugin(args) => plugin::plugin(&args),
        #[cfg(feature = "api")]
        Command::Reveal(args) => reveal::reveal(&args),
        #[cfg(feature = "api")]
        Command::Rejects(args) => rejects::rejects(&args),
        #[cfg(feature = "api")]
        Command::Forget(args) => forget::forget(&args),
        #[cfg(feature = "api")]
        Command::Serve(args) => serve::serve(&args),
        #[cfg(feature = "api")]
        Command::User(args) => user::user(args),
        #[cfg(feature = "api")]
        Command::Watch(args) => watch::watch(&args),
        #[cfg(not(feature = "api"))]
        Command::Audit(_)
        | Command::Rejects(_)
        | Command::Forget(_)
        | Command::Reveal(_)
        | Command::Serve(_)
        | Command::User(_)
        | Command::Watch(_) => absent::refuse(&without::API),
        Command::Schema => {
            println!("{:#}", glovebox_manifest::json_schema());
            Ok(Exit::Done)
        }
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    });
    traces::stop();
    let exit = done.unwrap_or_else(|error| {
        say::error(&format!("{error:#}"));
        Exit::Failed
    });
    syslog::stop();
    ExitCode::from(exit as u8)
}
