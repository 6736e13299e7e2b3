//! PostgreSQL over TLS: as a source with COPY from one snapshot, and as a sink with COPY into a
//! table, each chunk in one transaction with its journal entry.

mod begin;
mod bridge;
mod connect;
mod copy;
mod counted;
mod effects;
mod ending;
mod entries;
mod existing;
mod fit;
mod group;
mod head;
mod history;
mod join;
mod journal;
mod journal_tables;
mod keys;
mod load;
mod move_in;
mod name;
mod numeric;
mod opaque;
mod options;
pub(crate) mod output;
mod own_certificate;
mod publish;
mod qualified;
mod refusal;
mod refused;
mod retry;
mod running;
mod runs;
mod sealed;
mod sequences;
mod session;
mod sink;
mod source;
mod stage;
mod swap;
mod table;
mod tokens;
mod types;
mod writer;
mod writers;

pub use crate::database::{Lenient, Mode};
pub use connect::{check_authorities, verified};
pub use glovebox_core::Login;
pub use head::{combinations, head};
pub use options::Options;
pub use output::written;
pub use sink::Sink;
pub(crate) use source::fields;
pub use source::{Options as SourceOptions, Rows, Source, tables};

/// What sessions are called that belong to no run.
const NAME: &str = "glovebox";
