//! The source: where the rows come from.

use glovebox_core::{Input, ObjectUrl, SecretName, endings};

use super::csv_source::CsvSource;
use super::files::{JsonlSource, ParquetSource};
use super::objects::StoreAccess;
use super::postgres::Server;
use super::postgres_source::{PostgresSource, PostgresSourceKeys};
use crate::block::{Block, Reader};
use crate::declare::{Section, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::nested;
use crate::span::{Span, Spanned};

section! {
    /// Where the rows come from: exactly one of these.
    pub(crate) struct SourceKeys("Source"): "the source", "source: { csv: { path: sales.csv } }" {
        /// [CSV files](#from-csv-files).
        csv: Option<CsvSource> => optional, nested::<CsvSource>();
        /// [Files of JSON objects](#from-json): one per line, an array, or objects over several
        /// lines.
        jsonl: Option<JsonlSource> => optional, nested::<JsonlSource>();
        /// [Parquet files](#from-parquet-files).
        parquet: Option<ParquetSource> => optional, nested::<ParquetSource>();
        /// [A table or query of a PostgreSQL database](#from-postgresql), over verified TLS.
        postgres: Option<PostgresSource> => optional, nested::<PostgresSourceKeys>();
    }
    hints {
        "path" => "put it under the format: csv: { path: sales.csv }",
        "columns" => "`columns:` belongs next to `source:`, not inside it",
        "postgresql" => "write `postgres:`",
        "table" => "put it under the format: postgres: { host: db.internal, …, table: sales }",
        "json" => "write `jsonl:`, for an object a line and for arrays",
        "ndjson" => "write `jsonl:`",
    }
    rules {
        "oneOf": [
            { "required": ["csv"] },
            { "required": ["jsonl"] },
            { "required": ["parquet"] },
            { "required": ["postgres"] },
        ]
    }
    settle Source: one;
}

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// CSV files.
    Csv(CsvSource),
    /// Files of JSON objects.
    Jsonl(JsonlSource),
    /// Parquet files.
    Parquet(ParquetSource),
    /// A PostgreSQL server.
    Postgres(Box<PostgresSource>),
}

impl Source {
    /// The files that are read, and the endings by which a folder's are known.
    pub fn inputs(&self) -> (&[Spanned<Input>], &'static [&'static str]) {
        match self {
            Source::Csv(s) => (&s.paths, endings::of_csv(s.delimiter.as_bytes())),
            Source::Jsonl(s) => (&s.paths, endings::JSONL),
            Source::Parquet(s) => (&s.paths, endings::PARQUET),
            Source::Postgres(_) => (&[], &[]),
        }
    }

    /// The secret that opens its files, where they are encrypted.
    pub fn decrypt_with(&self) -> Option<&Spanned<SecretName>> {
        match self {
            Source::Csv(s) => s.decrypt_with.as_ref(),
            Source::Jsonl(s) => s.decrypt_with.as_ref(),
            Source::Parquet(s) => s.decrypt_with.as_ref(),
            Source::Postgres(_) => None,
        }
    }

    /// How the store of its objects is reached, where that is said.
    pub fn store(&self) -> Option<&StoreAccess> {
        match self {
            Source::Csv(s) => s.store.as_ref(),
            Source::Jsonl(s) => s.store.as_ref(),
            Source::Parquet(s) => s.store.as_ref(),
            Source::Postgres(_) => None,
        }
    }

    /// The first of the objects that it reads.
    pub fn object(&self) -> Option<Spanned<&ObjectUrl>> {
        self.inputs().0.iter().find_map(|input| match &input.value {
            Input::Object(url) => Some(Spanned::new(url, input.span.clone())),
            Input::Stdin | Input::Path(_) | Input::File(_) => None,
        })
    }

    /// The files that are read, to be exchanged; none where it reads no files.
    pub fn inputs_mut(&mut self) -> Option<&mut Vec<Spanned<Input>>> {
        match self {
            Source::Csv(s) => Some(&mut s.paths),
            Source::Jsonl(s) => Some(&mut s.paths),
            Source::Parquet(s) => Some(&mut s.paths),
            Source::Postgres(_) => None,
        }
    }

    /// Whether it reads standard input.
    pub fn reads_stdin(&self) -> bool {
        self.inputs().0.iter().any(|i| i.value == Input::Stdin)
    }

    /// The server that it asks, if it is a database.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Source::Postgres(s) => Some(&s.server),
            Source::Csv(_) | Source::Jsonl(_) | Source::Parquet(_) => None,
        }
    }

    /// Whether its columns may be opaque, and so pass through unseen.
    pub fn has_opaque(&self) -> bool {
        match self {
            Source::Postgres(_) => true,
            Source::Csv(_) | Source::Jsonl(_) | Source::Parquet(_) => false,
        }
    }

    /// Whether its values stand within one another, and are found by a path of keys.
    pub fn nests(&self) -> bool {
        match self {
            Source::Jsonl(_) => true,
            Source::Csv(_) | Source::Parquet(_) | Source::Postgres(_) => false,
        }
    }

    /// Where an error without a better place is shown.
    pub fn span(&self) -> Span {
        let file = self.inputs().0.first().map(|input| &input.span);
        let server = self.server().map(|server| &server.host.span);
        file.or(server).cloned().unwrap_or_default()
    }
}

/// The one that was written first; another one is one too many.
fn one(keys: SourceKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Source> {
    let names: Vec<&'static str> = SourceKeys::fields().iter().map(|f| f.key).collect();
    let present = block.present(&names);
    let Some(key) = present.first().copied() else {
        // What was said about strangers says this too.
        if !block.has_strangers() {
            reader.say(
                Diagnostic::error(block.head.clone(), "the source has no format").help(format!(
                    "add one of: {}; like {}",
                    names.join(", "),
                    CsvSource::EXAMPLE
                )),
            );
        }
        return None;
    };
    if let Some(other) = present.get(1) {
        let place = |key| block.get(key).map_or(0..0, |(_, span)| span);
        reader.say(
            Diagnostic::error(
                place(other),
                format!("there can be only one source: `{key}` or `{other}`"),
            )
            .label("a second source")
            .context(place(key), "the first one")
            .help("delete one; several files of one format are a list under `path:`, and for both, run two manifests"),
        );
    }
    let SourceKeys {
        csv,
        jsonl,
        parquet,
        postgres,
    } = keys;
    let read = [
        ("csv", csv.map(Source::Csv)),
        ("jsonl", jsonl.map(Source::Jsonl)),
        ("parquet", parquet.map(Source::Parquet)),
        ("postgres", postgres.map(|s| Source::Postgres(Box::new(s)))),
    ];
    let first = read.into_iter().find(|(name, _)| *name == key);
    first.and_then(|(_, source)| source)
}
