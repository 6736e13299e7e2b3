//! The real `glovebox` program, from the command line to what it leaves behind.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod audit;
mod backups;
mod calls;
mod canaries;
mod cases;
mod chart;
mod clusters;
mod delta;
mod deploy;
mod encrypted;
mod encrypted_parquet;
mod files;
mod gather;
mod identity;
mod init;
mod interruptions;
mod manuals;
mod masks;
mod missing;
mod objects;
mod pins;
mod places;
mod plugin_commands;
mod postgres;
mod postgres_source;
mod proof;
mod proof_kills;
mod query;
mod release;
mod renewals;
mod rerun;
mod rotated;
mod runs;
mod scan;
mod sealed;
mod shards;
mod sql;
mod stores;
mod sums;
mod syslog;
mod tokens;
mod torture;
mod units;
mod watch;
mod whole_cells;
mod withheld;
mod words;
