//! A tree of nodes becomes a [`Manifest`]: every key read, every default filled in, every path
//! resolved. How parts fit together is checked in `check`. Each block's declaration is in a file
//! here, with the types that only its keys use.

mod aes;
mod age;
pub(crate) mod clouds;
pub(crate) mod columns;
pub(crate) mod criteria;
pub(crate) mod csv_source;
pub(crate) mod delta;
pub(crate) mod file_sinks;
pub(crate) mod files;
pub(crate) mod formats;
pub(crate) mod gate;
mod grants;
pub(crate) mod guard;
pub(crate) mod inside;
pub(crate) mod limits;
mod misplaced;
pub(crate) mod missing;
pub(crate) mod mode;
pub(crate) mod objects;
mod plugin;
pub(crate) mod postgres;
pub(crate) mod postgres_source;
pub(crate) mod proof;
mod query;
pub(crate) mod register;
pub(crate) mod rejects;
pub(crate) mod sink;
pub(crate) mod source;
mod sql;
pub(crate) mod sqlite;
mod steps;
pub(crate) mod stores;
mod table_name;
mod tables;
mod tokens;
mod trusted;
pub(crate) mod vault;
mod with;

use std::path::Path;

use glovebox_core::Limits;
use serde_json::json;

use super::block::Reader;
use super::declare::{At, Section, section};
use super::diagnostic::Diagnostic;
use super::formats::settle as formats_of;
use super::kinds::{Own, nested, word};
use super::node::{Kind, Node};
use super::yaml;
use crate::model::{
    Column, Gate, JsonlSink, LeakGuard, Manifest, Mode, Place, Sink, SinkTarget, Source, Span,
    Spanned, Store, TrustedKey,
};
use columns::COLUMNS;
use gate::GateKeys;
use limits::LimitKeys;
use proof::Proof;
use register::{EXEMPTIONS, Exemption, Undeclared};
use rejects::RejectKeys;
use sink::SinkKeys;
use source::SourceKeys;
use steps::STEPS;
use stores::STORES;
use trusted::TRUSTED_KEYS;

section! {
    /// A pipeline: where rows come from, what happens to them, where they go.
    pub(crate) struct ManifestKeys("Manifest"): "the manifest", "name: sales" {
        /// The pipeline's name: 1 to 64 letters, digits, `-`, `_`, `.`; starts with a letter or
        /// digit.
        name: Option<Spanned<String>> => asked, NAME, "name: sales";
        /// [Where the rows come from](#source).
        source: Option<Source> => asked, nested::<SourceKeys>();
        /// [What may enter](#columns), in order; anything else stops at the source.
        columns: Option<Vec<Column>> => asked, COLUMNS, "columns: { price: { type: float64 } }";
        /// [Where secrets are looked up](#credentials), in this order.
        credentials: Vec<Spanned<Store>>
            => default "[keyring, env]", STORES, "credentials: [keyring, env]";
        /// What `check --connect` does about [columns of the source](#undeclared-and-exemptions) that the
        /// manifest does not mention.
        undeclared: Undeclared => default "warn", word::<Undeclared>();
        /// Columns that are [not personal, or not declared](#undeclared-and-exemptions), on someone's
        /// responsibility.
        exemptions: Vec<Exemption> => empty, EXEMPTIONS,
            "exemptions: [{ column: label, owner: dpo@example.org, reason: products, until: 2027-01-31 }]";
        /// [Who must have signed](#pins-and-signatures) plugins that are files: minisign public
        /// keys.
        trusted_keys: Vec<Spanned<TrustedKey>>
            => empty, TRUSTED_KEYS, "trusted-keys: [{ file: keys/acme.pub }]";
        /// [What happens to the rows](#steps), in order.
        steps: Option<Vec<Option<steps::Draft>>>
            => open "[]", STEPS, "steps: [{ validate: required, reads: [product] }]";
        /// [Limits of every step](#limits), unless it sets its own.
        limits: Option<LimitKeys> => optional "see there", nested::<LimitKeys>();
        /// [Which masked columns are guarded](#the-leak-guard) in every step, unless it sets its
        /// own.
        leak_guard: LeakGuard => default "personal", word::<LeakGuard>();
        /// [What is asked of the rows before they may leave](#release).
        release: Option<Gate> => optional "nothing", nested::<GateKeys>();
        /// [Where the rows go](#sink).
        sink: Option<Sink> => asked, nested::<SinkKeys>();
        /// [What happens to rejected rows](#rejects).
        rejects: Option<RejectKeys> => optional "see there", nested::<RejectKeys>();
        /// [How runs are proven](proof.md).
        proof: Option<Proof> => optional "not at all", nested::<Proof>();
    }
    hints {
        "version" => "delete it: a manifest has no version of its own",
        "schema" => "declare the columns under `columns:`",
        "sources" => "a pipeline has one source: write `source:`",
    }
}

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
    let mut reader = Reader::new(text, folder);
    reader.problems = problems;
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
            .help("docs/manifest.md has a small one to start with"),
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
    let block = ManifestKeys::block(reader, root, head.clone())?;
    let keys = ManifestKeys::of(reader, &block)?;

    let mut source = keys.source;
    let names = keys.columns.is_some();
    let columns = keys.columns.unwrap_or_default();
    if let Some(source) = &mut source {
        formats_of(source, &columns, &mut |problem| reader.say(problem));
    }
    let steps_known = keys.steps.is_some() || block.get("steps").is_none();
    let drafts = keys.steps.unwrap_or_default();
    let added = drafts.iter().all(|d| d.as_ref().is_some_and(|d| d.names));
    let gate_known = keys.release.is_some() || block.get("release").is_none();
    let limits = keys.limits.map(|own| own.over(&Limits::default()));
    let steps = steps::steps(
        drafts.into_iter().flatten().collect(),
        &limits.unwrap_or_default(),
        keys.leak_guard,
    );

    let folder = reader.folder.to_owned();
    let name = keys
        .name
        .unwrap_or_else(|| Spanned::new("pipeline".to_owned(), head.clone()));
    let beside = || {
        let beside = folder.join(format!("{}.rejects.jsonl", name.value));
        Spanned::new(beside, head.clone())
    };
    let source = match source {
        Some(source) => source,
        None => Source::Csv(csv_source::nothing(&folder, &head)?),
    };

    Some(Draft {
        names: names && steps_known && added,
        // Without the gate, columns would seem to leave whole.
        sink: keys.sink.is_some() && gate_known,
        manifest: Manifest {
            rejects: rejects::rejects(reader, keys.rejects, beside),
            name,
            file: file.to_owned(),
            folder,
            source,
            columns,
            credentials: keys.credentials,
            undeclared: keys.undeclared,
            exemptions: keys.exemptions,
            trusted_keys: keys.trusted_keys,
            steps,
            gate: keys.release,
            sink: keys.sink.unwrap_or_else(|| nowhere(head)),
            proof: keys.proof,
        },
    })
}

/// Stands for a sink that could not be read.
fn nowhere(span: Span) -> Sink {
    Sink {
        target: SinkTarget::Jsonl(JsonlSink {
            path: Place::File(Spanned::default()),
            store: None,
            replace_with_nothing: false,
            mode: Mode::Replace,
            encrypt_to: Vec::new(),
        }),
        columns: None,
        span,
    }
}

const NAME: Own<String> = Own {
    read: pipeline_name,
    words: "text",
    schema: |_| json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" }),
};

/// Names files and shows up in logs and metrics, so it is kept to what all of them take.
fn pipeline_name(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let name = reader.text(at.node, at.key, &at.example)?;
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

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
