//! A tree of nodes becomes a [`Manifest`]: every key read, every default filled in, every path
//! resolved.
//!
//! Owns what is wrong with one place by itself; refuses to judge how places fit together, which
//! is `check`'s.

mod columns;
mod csv_source;
mod files;
mod formats;
mod guard;
mod lenient;
mod limits;
mod plugin;
mod postgres;
mod postgres_source;
mod sink;
mod source;
mod steps;
mod trusted;
mod with;

use std::path::Path;

use glovebox_core::Limits;

use super::block::{Block, Reader, Shape};
use super::diagnostic::Diagnostic;
use super::formats::settle as formats_of;
use super::model::{AtMost, Manifest, Rejects, Sink, SinkTarget, Span, Spanned, Store};
use super::units;
use super::yaml::{self, Kind, Node};

// For the test that holds the schema to them.
#[cfg(test)]
pub(crate) use {
    columns::{COLUMN, RELEASE},
    csv_source::CSV_SOURCE,
    files::{JSONL_SOURCE, PARQUET_SINK, PARQUET_SOURCE},
    formats::FORMATS,
    limits::LIMITS,
    plugin::PLUGIN,
    postgres::{IDENTITY_KEY, PASSWORD, POSTGRES, TLS},
    postgres_source::POSTGRES_SOURCE,
    sink::{CSV_SINK, JSONL_SINK, SINK, SQLITE},
    source::SOURCE,
    steps::STEP,
    trusted::TRUSTED_KEY,
};

pub(crate) const MANIFEST: Shape = Shape {
    what: "the manifest",
    keys: &[
        "name",
        "source",
        "columns",
        "credentials",
        "trusted-keys",
        "steps",
        "limits",
        "leak-guard",
        "sink",
        "rejects",
    ],
    hints: &[
        ("version", "delete it: a manifest has no version of its own"),
        ("schema", "declare the columns under `columns:`"),
        ("sources", "a pipeline has one source: write `source:`"),
    ],
    example: "name: sales",
};

pub(crate) const REJECTS: Shape = Shape {
    what: "the rejects",
    keys: &["path", "at-most"],
    hints: &[
        ("max", "write `at-most:`"),
        ("limit", "write `at-most:`"),
        ("file", "write `path:`"),
    ],
    example: "rejects: { path: sales.rejects.jsonl, at-most: 50% }",
};

pub(crate) const FILES: Shape = Shape {
    what: "a credential store",
    keys: &["files"],
    hints: &[
        ("keyring", "write it without a colon: - keyring"),
        ("env", "write it without a colon: - env"),
        (
            "vault",
            "this version knows `keyring`, `env` and `files: FOLDER`",
        ),
    ],
    example: "- files: secrets",
};

/// What could be made of a text, and which parts of it are to be trusted by later checks.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The manifest; where a part was missing or wrong, something harmless stands for it.
    pub(crate) manifest: Manifest,
    /// Whether the names of all columns are known.
    pub(crate) names: bool,
    /// Whether there is a sink.
    pub(crate) sink: bool,
}

/// Reads a text; what is wrong with it, and what could be read all the same.
pub(crate) fn load(file: &Path, text: &str) -> (Option<Draft>, Vec<Diagnostic>) {
    let yaml::Parsed { root, problems } = yaml::parse(text);
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut reader = Reader {
        text,
        folder,
        problems,
    };
    let draft = match root {
        Some(root) => manifest(&mut reader, &root, file),
        None => {
            if reader.problems.is_empty() {
                empty(&mut reader);
            }
            None
        }
    };
    (draft, reader.problems)
}

fn empty(reader: &mut Reader<'_>) {
    reader.say(
        Diagnostic::error(0..0, "the manifest is empty")
            .help("docs/manifest.md has a small one to start from"),
    );
}

fn manifest(reader: &mut Reader<'_>, root: &Node, file: &Path) -> Option<Draft> {
    let head = match &root.kind {
        Kind::Null => {
            empty(reader);
            return None;
        }
        Kind::Map(entries) => entries.first().map_or(0..0, |e| e.key.span.clone()),
        _ => root.span.clone(),
    };
    let block = reader.block(root, head.clone(), &MANIFEST)?;

    let name = reader
        .need(&block, "name", "name: sales")
        .and_then(|(node, _)| pipeline_name(reader, node));
    let mut source = reader
        .need(&block, "source", source::SOURCE.example)
        .and_then(|(node, head)| source::source(reader, node, head));
    let (columns, mut names) = columns::declared(reader, &block);
    if let Some(source) = &mut source {
        formats_of(source, &columns, &mut |problem| reader.say(problem));
    }
    let credentials = match block.get("credentials") {
        Some((node, _)) => credentials(reader, node),
        None => [Store::Keyring, Store::Env]
            .map(|store| Spanned::new(store, head.clone()))
            .to_vec(),
    };
    let trusted_keys = match block.get("trusted-keys") {
        Some((node, head)) => trusted::trusted_keys(reader, node, head),
        None => Vec::new(),
    };
    let limits = match block.get("limits") {
        Some((node, head)) => limits::limits(reader, node, head, Limits::default()),
        None => Limits::default(),
    };
    let leak_guard = optional(&block, "leak-guard", |node| guard::leak_guard(reader, node));
    let base = steps::Base {
        limits,
        leak_guard: leak_guard.unwrap_or_default(),
    };
    let steps = match block.get("steps") {
        Some((node, _)) => steps::steps(reader, node, &base, &mut names),
        None => Vec::new(),
    };
    let sink = reader
        .need(&block, "sink", sink::SINK.example)
        .and_then(|(node, head)| sink::sink(reader, node, head));

    let folder = reader.folder.to_owned();
    let stem = name.as_ref().map_or("pipeline", |n| n.value.as_str());
    let beside = folder.join(format!("{stem}.rejects.jsonl"));
    let rejects = rejects(reader, &block, Spanned::new(beside, head.clone()));

    Some(Draft {
        names,
        sink: sink.is_some(),
        manifest: Manifest {
            name: name.unwrap_or(Spanned::new("pipeline".to_owned(), head.clone())),
            file: file.to_owned(),
            folder,
            source: source.unwrap_or_else(|| csv_source::nothing(head.clone())),
            columns,
            credentials,
            trusted_keys,
            steps,
            sink: sink.unwrap_or_else(|| nowhere(head)),
            rejects,
        },
    })
}

/// Stands for a sink that could not be read.
fn nowhere(span: Span) -> Sink {
    Sink {
        target: SinkTarget::Jsonl(super::model::JsonlSink {
            path: Spanned::default(),
            replace_with_nothing: false,
            mode: super::model::Mode::Replace,
        }),
        columns: None,
        span,
    }
}

/// Names files and shows up in logs and metrics, so it is kept to what all of them take.
fn pipeline_name(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let name = reader.text(node, "name", "name: sales")?;
    let ok = name.value.len() <= 64
        && name.value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !ok {
        reader.say(
            Diagnostic::error(name.span, "this cannot be the name of a pipeline").help(
                "write 1 to 64 letters, digits, `-`, `_` or `.`, starting with a letter or digit, like sales-eu",
            ),
        );
        return None;
    }
    Some(name)
}

/// The value of a key that may be left out.
fn optional<'n, T>(
    block: &Block<'n>,
    key: &'static str,
    read: impl FnOnce(&'n Node) -> Option<T>,
) -> Option<T> {
    block.get(key).and_then(|(node, _)| read(node))
}

fn credentials(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<Store>> {
    let example = "credentials: [keyring, env]";
    let Some(items) = reader.list(node, "credentials", example) else {
        return Vec::new();
    };
    let mut stores: Vec<Spanned<Store>> = Vec::with_capacity(items.len());
    for item in items {
        let Some(store) = store(reader, item) else {
            continue;
        };
        match stores.iter().find(|s| s.value == store) {
            Some(first) => {
                let first = reader.first_line(&first.span);
                reader.say(
                    Diagnostic::error(
                        reader.first_line(&item.span),
                        "this credential store is in the list twice",
                    )
                    .label("again here")
                    .context(first, "first here")
                    .help("delete one of them"),
                );
            }
            None => stores.push(Spanned::new(store, item.span.clone())),
        }
    }
    stores
}

fn store(reader: &mut Reader<'_>, node: &Node) -> Option<Store> {
    match &node.kind {
        Kind::Text(text) if text == "keyring" => Some(Store::Keyring),
        Kind::Text(text) if text == "env" => Some(Store::Env),
        Kind::Map(entries) => {
            let head = entries
                .first()
                .map_or(node.span.clone(), |e| e.key.span.clone());
            let block = reader.block(node, head, &FILES)?;
            if block.has_strangers() || block.present(&["files"]).is_empty() {
                return None;
            }
            let (node, _) = reader.need(&block, "files", FILES.example)?;
            reader
                .path(node, "files", FILES.example)
                .map(|path| Store::Files(path.value))
        }
        Kind::Broken => None,
        _ => {
            let help = match &node.kind {
                Kind::Text(text) if text == "files" => "say which folder: - files: secrets",
                _ => "write one of: keyring, env, files: FOLDER",
            };
            let span = reader.first_line(&node.span);
            reader.say(Diagnostic::error(span, "this is no credential store").help(help));
            None
        }
    }
}

fn rejects(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    beside: Spanned<std::path::PathBuf>,
) -> Rejects {
    let mut rejects = Rejects {
        path: beside,
        at_most: None,
    };
    let found = block.get("rejects");
    let Some(block) = found.and_then(|(node, head)| reader.block(node, head, &REJECTS)) else {
        return rejects;
    };
    const EXAMPLE: &str = "path: sales.rejects.jsonl";
    if let Some(path) = optional(&block, "path", |node| {
        if matches!(&node.kind, Kind::Text(text) if text == "-") {
            reader.say(
                Diagnostic::error(node.span.clone(), "rejects cannot go to standard output")
                    .help(format!("name a file: {EXAMPLE}")),
            );
            return None;
        }
        reader.path(node, "path", EXAMPLE)
    }) {
        rejects.path = path;
    }
    rejects.at_most = optional(&block, "at-most", |node| at_most(reader, node));
    rejects
}

fn at_most(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<AtMost>> {
    let value = match &node.kind {
        Kind::Broken => return None,
        Kind::Number(number) => number.as_u64().map(AtMost::Rows),
        Kind::Text(text) => units::share(text),
        _ => None,
    };
    if value.is_none() {
        reader.say(
            Diagnostic::error(
                reader.first_line(&node.span),
                "`at-most` is neither a number of rows nor a share",
            )
            .help("write a number of rows, like 100, or a share from 0% to 100%, like 2.5%"),
        );
    }
    value.map(|value| Spanned::new(value, node.span.clone()))
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
