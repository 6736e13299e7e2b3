//! Where the rows go, and what each target is able to do.

use std::path::PathBuf;

use glovebox_core::{ObjectUrl, SecretName};

use crate::load::delta::DeltaSink;
use crate::load::file_sinks::{CsvSink, JsonlSink, ParquetSink};
use crate::load::mode::Mode;
use crate::load::objects::{Place, StoreAccess};
use crate::load::postgres::{PostgresSink, Server};
use crate::load::sqlite::SqliteSink;
use crate::span::{Span, Spanned};

/// Where the rows go, and which of their columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Sink {
    /// The database or file.
    pub target: SinkTarget,
    /// The columns to store, in order; none is all that the last step leaves.
    pub columns: Option<Vec<Spanned<String>>>,
    /// The `sink:` key: where an error without a better place is shown.
    pub span: Span,
}

/// A database or file that takes rows.
#[derive(Debug, Clone, PartialEq)]
pub enum SinkTarget {
    /// A SQLite file.
    Sqlite(SqliteSink),
    /// A PostgreSQL server.
    Postgres(Box<PostgresSink>),
    /// A CSV file.
    Csv(CsvSink),
    /// A file with a JSON object a line.
    Jsonl(JsonlSink),
    /// A Parquet file.
    Parquet(ParquetSink),
    /// A Delta table.
    Delta(DeltaSink),
}

impl SinkTarget {
    /// The file that is written, or the folder of a Delta table, where the target is one.
    pub fn path(&self) -> Option<&Spanned<PathBuf>> {
        match self {
            SinkTarget::Sqlite(s) => Some(&s.path),
            SinkTarget::Csv(s) => s.path.path(),
            SinkTarget::Jsonl(s) => s.path.path(),
            SinkTarget::Parquet(s) => s.path.path(),
            SinkTarget::Delta(s) => s.path.path(),
            SinkTarget::Postgres(_) => None,
        }
    }

    /// Where its rows go, where that is a file or object that is written as a whole, or a Delta table's folder.
    pub fn place(&self) -> Option<&Place> {
        match self {
            SinkTarget::Csv(s) => Some(&s.path),
            SinkTarget::Jsonl(s) => Some(&s.path),
            SinkTarget::Parquet(s) => Some(&s.path),
            SinkTarget::Delta(s) => Some(&s.path),
            SinkTarget::Sqlite(_) | SinkTarget::Postgres(_) => None,
        }
    }

    /// The object that is written, or the folder in a store, where the target is one.
    pub fn object(&self) -> Option<&Spanned<ObjectUrl>> {
        self.place().and_then(Place::object)
    }

    /// How the store of its object is reached, where that is said.
    pub fn store(&self) -> Option<&StoreAccess> {
        match self {
            SinkTarget::Csv(s) => s.store.as_ref(),
            SinkTarget::Jsonl(s) => s.store.as_ref(),
            SinkTarget::Parquet(s) => s.store.as_ref(),
            SinkTarget::Delta(s) => s.store.as_ref(),
            SinkTarget::Sqlite(_) | SinkTarget::Postgres(_) => None,
        }
    }

    /// What becomes of the rows that are there.
    pub fn mode(&self) -> Mode {
        match self {
            SinkTarget::Sqlite(s) => s.mode,
            SinkTarget::Postgres(s) => s.mode,
            SinkTarget::Csv(s) => s.mode,
            SinkTarget::Jsonl(s) => s.mode,
            SinkTarget::Parquet(s) => s.mode,
            SinkTarget::Delta(s) => s.mode,
        }
    }

    /// The columns by which rows of mode upsert are found; none of other modes.
    pub fn upsert_keys(&self) -> &[Spanned<String>] {
        match self {
            SinkTarget::Sqlite(s) => &s.keys,
            SinkTarget::Postgres(s) => &s.keys,
            SinkTarget::Csv(_)
            | SinkTarget::Jsonl(_)
            | SinkTarget::Parquet(_)
            | SinkTarget::Delta(_) => &[],
        }
    }

    /// The server that is written to, where the target has one.
    pub fn server(&self) -> Option<&Server> {
        match self {
            SinkTarget::Postgres(s) => Some(&s.server),
            SinkTarget::Sqlite(_)
            | SinkTarget::Csv(_)
            | SinkTarget::Jsonl(_)
            | SinkTarget::Parquet(_)
            | SinkTarget::Delta(_) => None,
        }
    }

    /// The key of its journal's digests, where it keeps a journal and does not choose one itself.
    pub fn identity_key(&self) -> Option<&Spanned<SecretName>> {
        match self {
            SinkTarget::Postgres(s) => s.identity_key.as_ref(),
            SinkTarget::Sqlite(s) => s.identity_key.as_ref(),
            SinkTarget::Delta(s) => s.identity_key.as_ref(),
            SinkTarget::Csv(_) | SinkTarget::Jsonl(_) | SinkTarget::Parquet(_) => None,
        }
    }

    /// The public keys to which it is encrypted; none if it is not.
    pub fn encrypt_to(&self) -> &[Spanned<String>] {
        match self {
            SinkTarget::Csv(s) => &s.encrypt_to,
            SinkTarget::Jsonl(s) => &s.encrypt_to,
            SinkTarget::Parquet(_)
            | SinkTarget::Delta(_)
            | SinkTarget::Postgres(_)
            | SinkTarget::Sqlite(_) => &[],
        }
    }

    /// The secret by which its file is encrypted, where that is not done to public keys.
    pub fn encrypt_with(&self) -> Option<&Spanned<SecretName>> {
        match self {
            SinkTarget::Parquet(s) => s.encrypt_with.as_ref(),
            SinkTarget::Csv(_)
            | SinkTarget::Jsonl(_)
            | SinkTarget::Delta(_)
            | SinkTarget::Postgres(_)
            | SinkTarget::Sqlite(_) => None,
        }
    }

    /// Whether it can keep tokens beside its rows.
    pub fn keeps_tokens(&self) -> bool {
        self.keeps_journal()
    }

    /// Whether it keeps a journal of its runs for good, in a database; the log of a Delta table is cleaned up by
    /// others.
    pub fn keeps_journal(&self) -> bool {
        match self {
            SinkTarget::Postgres(_) | SinkTarget::Sqlite(_) => true,
            SinkTarget::Csv(_)
            | SinkTarget::Jsonl(_)
            | SinkTarget::Parquet(_)
            | SinkTarget::Delta(_) => false,
        }
    }

    /// Whether it takes columns that nobody has looked into.
    pub fn takes_opaque(&self) -> bool {
        match self {
            SinkTarget::Postgres(_) => true,
            SinkTarget::Sqlite(_)
            | SinkTarget::Csv(_)
            | SinkTarget::Jsonl(_)
            | SinkTarget::Parquet(_)
            | SinkTarget::Delta(_) => false,
        }
    }
}
