//! PostgreSQL's source and sink, of what a manifest says of them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use glovebox_connectors::database::{Lenient, TextRow};
use glovebox_connectors::postgres;
use glovebox_core::{Login, Schema, Secret, Sink, SinkError, Source};
use glovebox_manifest::Manifest;
use glovebox_manifest::model::{PostgresRows, PostgresSink, PostgresSource, Server, Spanned};

use super::tables::{names, table_mode};

pub(super) fn source(
    spec: &PostgresSource,
    schema: Schema,
    secret: Option<Secret>,
) -> Result<Box<dyn Source>, String> {
    let options = source_options(spec, secret);
    Ok(Box::new(postgres::Source::new(options, schema)))
}

pub(super) fn sink(
    spec: &PostgresSink,
    secret: Option<Secret>,
    identity: Option<Secret>,
    whole: bool,
) -> Result<Box<dyn Sink>, String> {
    let mut options = options(spec, secret);
    options.identity_key = identity;
    if whole {
        options.mode = super::tables::whole(options.mode);
    }
    Ok(Box::new(postgres::Sink::new(options)))
}

pub(super) fn head(
    spec: &PostgresSink,
    secret: Option<Secret>,
    columns: &[&str],
    rows: u32,
) -> Result<Vec<TextRow>, SinkError> {
    postgres::head(&options(spec, secret), columns, rows)
}

#[cfg(feature = "init")]
pub(super) fn combinations(
    spec: &PostgresSink,
    secret: Option<Secret>,
    columns: &[&str],
) -> Result<Vec<(TextRow, u64)>, SinkError> {
    postgres::combinations(&options(spec, secret), columns)
}

/// The authorities that the servers of a source and a sink may be vouched for by.
pub(crate) fn authorities(manifest: &Manifest) -> impl Iterator<Item = &Spanned<PathBuf>> {
    let of_source = manifest.source.server();
    let servers = of_source.into_iter().chain(manifest.sink.target.server());
    servers.filter_map(|server| server.ca.as_ref())
}

fn options(spec: &PostgresSink, secret: Option<Secret>) -> postgres::Options {
    postgres::Options {
        login: login(&spec.server, secret),
        table: spec.table.value.clone(),
        mode: table_mode(spec.mode),
        keys: names(&spec.keys),
        lenient: Lenient {
            replace_with_nothing: spec.replace_with_nothing,
            side_effects: spec.side_effects,
        },
        journal: spec.journal.clone(),
        identity_key: None,
        connections: spec.connections.and_then(NonZeroUsize::new),
        ordered: spec.ordered,
        retry_for: spec.retry_for,
    }
}

fn login(server: &Server, password: Option<Secret>) -> Login {
    server.login(password.unwrap_or_else(|| Secret::new(Vec::new())))
}

fn source_options(spec: &PostgresSource, secret: Option<Secret>) -> postgres::SourceOptions {
    let rows = match &spec.rows.value {
        PostgresRows::Table(table) => postgres::Rows::Table(table.clone()),
        PostgresRows::Query(query) => postgres::Rows::Query(query.clone()),
    };
    let mut options = postgres::SourceOptions::new(login(&spec.server, secret), rows);
    options.connections = spec.connections.and_then(NonZeroUsize::new);
    options.max_record = spec.max_record;
    options
}
