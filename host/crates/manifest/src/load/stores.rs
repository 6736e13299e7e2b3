//! Where secrets are looked up.

use std::path::PathBuf;

use serde_json::json;

use crate::block::Reader;
use crate::declare::{At, Section, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{File, Own, first_key};
use crate::model::{Spanned, Store};
use crate::yaml::{Kind, Node};

section! {
    /// A folder with one file a secret.
    struct FileStore("FileStore"): "a credential store", "- files: secrets" {
        /// The folder, relative to the manifest's.
        files: PathBuf => needed, File, "- files: secrets";
    }
    hints {
        "keyring" => "write it without a colon: - keyring",
        "env" => "write it without a colon: - env",
        "vault" => "this version knows `keyring`, `env` and `files: FOLDER`",
    }
}

/// The manifest's `credentials:`.
pub const STORES: Own<Vec<Spanned<Store>>> = Own {
    read: stores,
    words: "list",
    schema: |schema| {
        let files = schema.section::<FileStore>();
        json!({ "type": "array", "items": { "anyOf": [
            { "const": "keyring", "description": "The operating system's store." },
            { "const": "env", "description": "Environment variables `GLOVEBOX_SECRET_…`." },
            files,
        ]}})
    },
};

fn stores(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<Spanned<Store>>>> {
    let items = reader.list(at.node, at.key, &at.example)?;
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
                        "this credential store is listed twice",
                    )
                    .label("again here")
                    .context(first, "first here")
                    .help("delete one of them"),
                );
            }
            None => stores.push(Spanned::new(store, item.span.clone())),
        }
    }
    Some(Spanned::new(stores, at.node.span.clone()))
}

fn store(reader: &mut Reader<'_>, node: &Node) -> Option<Store> {
    match &node.kind {
        Kind::Text(text) if text == "keyring" => Some(Store::Keyring),
        Kind::Text(text) if text == "env" => Some(Store::Env),
        Kind::Map(_) => {
            let block = reader.block::<FileStore>(node, first_key(node))?;
            // What was said about strangers says what is missing.
            if block.has_strangers() {
                return None;
            }
            FileStore::of(reader, &block).map(|store| Store::Files(store.files))
        }
        Kind::Broken => None,
        _ => {
            let help = match &node.kind {
                Kind::Text(text) if text == "files" => "say which folder: - files: secrets",
                _ => "write one of: keyring, env, files: FOLDER",
            };
            let span = reader.first_line(&node.span);
            reader.say(Diagnostic::error(span, "this is not a credential store").help(help));
            None
        }
    }
}
