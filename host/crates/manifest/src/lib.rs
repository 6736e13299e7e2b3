//! The manifest: a YAML text becomes a [`Manifest`], or a list of everything that is wrong with it.
//!
//! A tour, in the order in which a text passes through:
//!
//! 1. `yaml` makes a tree of the text whose `node`s know their places; it refuses anchors, aliases, tags and
//!    keys that are there twice. `scalar` says what an unquoted word is.
//! 2. `load` makes a [`model`] of the tree: every default is filled in, every path resolved. Each
//!    block of a manifest is declared in a file there, by the macro `section!` of `declare`: its keys
//!    with their types, defaults, bounds and texts, and `kinds` says what a single value is. Of the
//!    same declarations are made the [`json_schema`] and the [tables](declare::key_tables) of docs/manifest.md.
//!    `block` looks through a block's keys for those that are missing or misspelled.
//! 3. [`check()`] compares the parts with each other: names, types, what is personal and how it leaves.
//! 4. What any of them has to say is a [`Diagnostic`]; [`render`] shows it with an excerpt of the text, in
//!    which `hide` covers what might be a cell or a secret.
//!
//! Beside that, [`typed`] reads other YAML files by the same rules into types of serde's, and [`pin`]
//! writes plugins' digests into a text without touching the rest of it.
//!
//! What is declared lives here, what is planned lives in the engine: nothing here opens a file that a
//! manifest names, and nothing knows a plugin, a source or a sink.

mod block;
mod check;
pub mod declare;
pub mod diagnostic;
mod excerpt;
mod formats;
mod hide;
pub mod kinds;
mod load;
pub mod model;
mod near;
mod node;
pub mod pin;
mod render;
mod scalar;
pub mod shared;
mod span;
pub mod typed;
mod units;
mod value;
mod yaml;

use std::path::Path;

pub use check::{Known, check, unpinned};
pub use diagnostic::{Diagnostic, Severity};
pub use load::rejects::sealed_beside;
pub use model::Manifest;
pub use near::closest;
pub use render::render;
pub use units::{TIME_HELP, duration, show_duration, size};

/// The JSON Schema (2020-12) of a manifest.
pub fn json_schema() -> serde_json::Value {
    declare::json_schema::<load::ManifestKeys>("Glovebox manifest")
}

/// Reads a manifest's text and checks it. `file` is its place, for relative paths; it is not
/// opened.
///
/// # Errors
/// Everything that is wrong, by place: what [`load`] finds, and what [`check`] finds in whatever
/// could be read.
pub fn read(file: &Path, text: &str, known: &Known<'_>) -> Result<Manifest, Vec<Diagnostic>> {
    let (draft, mut problems) = load::load(file, text);
    if let Some(draft) = &draft {
        problems.extend(check::check_draft(draft, known));
    }
    problems.sort_by_key(|p| p.span.start);
    match draft {
        Some(draft) if problems.is_empty() => Ok(draft.manifest),
        _ => Err(problems),
    }
}

/// Reads a manifest's text without checking how its parts fit together.
///
/// # Errors
/// Everything that is wrong with single places: YAML, keys, kinds, units, names.
pub fn load(file: &Path, text: &str) -> Result<Manifest, Vec<Diagnostic>> {
    match load::load(file, text) {
        (Some(draft), problems) if problems.is_empty() => Ok(draft.manifest),
        (_, problems) => Err(problems),
    }
}
