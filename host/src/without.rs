//! What a program may be built without, and where to get it.

use glovebox_manifest::model::{SinkTarget, Source, Spanned, Store};
use glovebox_manifest::{Diagnostic, Manifest};

/// Something that a program may be built without.
pub(crate) struct Part {
    name: &'static str,
    feature: &'static str,
    /// Whether this program has it.
    built: bool,
}

#[cfg(not(feature = "api"))]
pub(crate) const API: Part = Part {
    name: "the API",
    feature: "api",
    built: false,
};

#[cfg(not(feature = "cluster"))]
pub(crate) const CLUSTER: Part = Part {
    name: "clusters",
    feature: "cluster",
    built: false,
};

#[cfg(not(feature = "init"))]
pub(crate) const INIT: Part = Part {
    name: "`init` and `scan`",
    feature: "init",
    built: false,
};

#[cfg(not(feature = "keyring"))]
pub(crate) const KEYRING: Part = Part {
    name: "the operating system's keyring",
    feature: "keyring",
    built: false,
};

pub(crate) const AGE: Part = Part {
    name: "files encrypted with age",
    feature: "age",
    built: cfg!(feature = "age"),
};

pub(crate) const DELTA: Part = Part {
    name: "Delta tables",
    feature: "delta",
    built: cfg!(feature = "delta"),
};

pub(crate) const OBJECTS: Part = Part {
    name: "object stores",
    feature: "objects",
    built: cfg!(feature = "objects"),
};

pub(crate) const PARQUET: Part = Part {
    name: "Parquet",
    feature: "parquet",
    built: cfg!(feature = "parquet"),
};

pub(crate) const POSTGRES: Part = Part {
    name: "PostgreSQL",
    feature: "postgres",
    built: cfg!(feature = "postgres"),
};

pub(crate) const REMOTE_STORES: Part = Part {
    name: "stores of secrets on other servers",
    feature: "remote-stores",
    built: cfg!(feature = "remote-stores"),
};

#[cfg(not(feature = "sql"))]
pub(crate) const SQL: Part = Part {
    name: "queries in SQL",
    feature: "sql",
    built: false,
};

#[cfg(not(feature = "traces"))]
pub(crate) const TRACES: Part = Part {
    name: "traces",
    feature: "traces",
    built: false,
};

impl Part {
    /// What whoever asks for it is told.
    pub(crate) fn refusal(&self) -> String {
        let Part { name, feature, .. } = self;
        format!(
            "this program was built without {name}; `cargo xtask install --features {feature}` builds \
            one with it"
        )
    }
}

/// What a manifest names and this program was built without.
pub(crate) fn absent(manifest: &Manifest) -> Vec<Diagnostic> {
    let source = match &manifest.source {
        Source::Parquet(_) => Some(PARQUET),
        Source::Postgres(_) => Some(POSTGRES),
        Source::Csv(_) | Source::Jsonl(_) => None,
    };
    let sink = match &manifest.sink.target {
        SinkTarget::Delta(_) => Some(DELTA),
        SinkTarget::Parquet(_) => Some(PARQUET),
        SinkTarget::Postgres(_) => Some(POSTGRES),
        SinkTarget::Csv(_) | SinkTarget::Jsonl(_) | SinkTarget::Sqlite(_) => None,
    };
    let source = source.map(|part| (part, manifest.source.span()));
    let sink = sink.map(|part| (part, manifest.sink.span.clone()));
    let is_remote = |store: &&Spanned<Store>| matches!(store.value, Store::Remote(_));
    let remote = manifest.credentials.iter().find(is_remote);
    let remote = remote.map(|store| (REMOTE_STORES, store.span.clone()));
    let opened = match &manifest.source {
        Source::Csv(s) => s.decrypt_with.as_ref(),
        Source::Jsonl(s) => s.decrypt_with.as_ref(),
        Source::Parquet(_) | Source::Postgres(_) => None,
    };
    let opened = opened.map(|secret| (AGE, secret.span.clone()));
    let encrypted = manifest.sink.target.encrypt_to().first();
    let encrypted = encrypted.map(|key| (AGE, key.span.clone()));
    let read = manifest.source.object().map(|url| (OBJECTS, url.span));
    let written = manifest.sink.target.object();
    let written = written.map(|url| (OBJECTS, url.span.clone()));
    let named = source.into_iter().chain(sink).chain(remote);
    let named = named.chain(opened).chain(encrypted);
    let named = named.chain(read).chain(written);
    named
        .filter(|(part, _)| !part.built)
        .map(|(part, span)| Diagnostic::error(span, part.refusal()))
        .collect()
}
