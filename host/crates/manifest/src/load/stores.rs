//! Where secrets are looked up.

use std::path::PathBuf;

use serde_json::json;

use super::clouds::AzureKeys;
use crate::block::Reader;
use crate::declare::{At, Section, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{File, Own, nested};
use crate::load::clouds::{Aws, Azure, Gcp};
use crate::load::vault::{Transit, Vault};
use crate::model::stores::{RemoteStore, Store};
use crate::node::{Kind, Node};
use crate::span::Spanned;

section! {
    /// A store that needs more than its name: exactly one of its keys.
    struct StoreKeys("Store"): "a credential store", "- files: secrets" {
        /// A folder with one file a secret, relative to the manifest's.
        files: Option<PathBuf> => optional, File, "- files: secrets";
        /// [Vault](#vault).
        vault: Option<Vault> => optional, nested::<Vault>();
        /// [Vault's Transit engine](#keys-that-stay-in-vault), for keys of masks.
        transit: Option<Transit> => optional, nested::<Transit>();
        /// [AWS Secrets Manager](#the-clouds-stores).
        aws: Option<Aws> => optional, nested::<Aws>();
        /// [Google Cloud's Secret Manager](#the-clouds-stores).
        gcp: Option<Gcp> => optional, nested::<Gcp>();
        /// [Azure Key Vault](#the-clouds-stores).
        azure: Option<Azure> => optional, nested::<AzureKeys>();
    }
    hints {
        "keyring" => "write it without a colon: - keyring",
        "env" => "write it without a colon: - env",
        "openbao" => "write `vault:`",
    }
    rules {
        "oneOf": [
            { "required": ["files"] },
            { "required": ["vault"] },
            { "required": ["transit"] },
            { "required": ["aws"] },
            { "required": ["gcp"] },
            { "required": ["azure"] },
        ]
    }
}

const KINDS: &str = "write one of: keyring, env, files: FOLDER, vault: { … }, transit: { … }, aws: { … }, \
                     gcp: { … }, azure: { … }";

/// The manifest's `credentials:`.
pub const STORES: Own<Vec<Spanned<Store>>> = Own {
    read: stores,
    words: "list",
    schema: |schema| {
        let block = schema.section::<StoreKeys>();
        json!({ "type": "array", "items": { "anyOf": [
            { "const": "keyring", "description": "The operating system's store." },
            { "const": "env", "description": "Environment variables `GLOVEBOX_SECRET_…`." },
            block,
        ]}})
    },
};

fn stores(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<Spanned<Store>>>> {
    let items = reader.list(at.node, at.key, &at.example)?;
    let mut stores: Vec<Spanned<Store>> = Vec::with_capacity(items.len());
    let mut all_read = true;
    for item in items {
        let Some(store) = store(reader, item) else {
            all_read = false;
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
    let is_remote = |store: &Spanned<Store>| matches!(store.value, Store::Remote(_));
    if all_read && stores.iter().all(is_remote) {
        logins_without_a_store(reader, &stores);
    }
    Some(Spanned::new(stores, at.node.span.clone()))
}

/// Complains of logins whose secret no store could hold.
fn logins_without_a_store(reader: &mut Reader<'_>, stores: &[Spanned<Store>]) {
    for store in stores {
        let Store::Remote(remote) = &store.value else {
            continue;
        };
        let Some(secret) = remote.login_secret() else {
            continue;
        };
        let span = reader.first_line(&store.span);
        let problem = format!("no store of the list can hold the login's secret `{secret}`");
        reader.say(
            Diagnostic::error(span, problem)
                .help("add keyring, env or files: FOLDER to the list, and keep it there"),
        );
    }
}

fn store(reader: &mut Reader<'_>, node: &Node) -> Option<Store> {
    match &node.kind {
        Kind::Text(text) if text == "keyring" => Some(Store::Keyring),
        Kind::Text(text) if text == "env" => Some(Store::Env),
        Kind::Map(_) => block(reader, node),
        Kind::Broken => None,
        _ => {
            let help = match &node.kind {
                Kind::Text(text) if text == "files" => "say which folder: - files: secrets",
                Kind::Text(text) if text == "vault" => Vault::EXAMPLE,
                Kind::Text(text) if text == "transit" => Transit::EXAMPLE,
                _ => KINDS,
            };
            let span = reader.first_line(&node.span);
            reader.say(Diagnostic::error(span, "this is not a credential store").help(help));
            None
        }
    }
}

fn block(reader: &mut Reader<'_>, node: &Node) -> Option<Store> {
    let block = StoreKeys::block(reader, node, node.first_key())?;
    let names: Vec<&'static str> = StoreKeys::fields().iter().map(|f| f.key).collect();
    let present = block.present(&names);
    if present.is_empty() && !block.has_strangers() {
        let span = reader.first_line(&node.span);
        reader.say(Diagnostic::error(span, "this is not a credential store").help(KINDS));
    }
    if let Some(other) = present.get(1) {
        let span = block.get(other).map_or(0..0, |(_, span)| span);
        reader.say(
            Diagnostic::error(span, "this is a second store in one entry")
                .help("give it an entry of its own, with a `-`"),
        );
        return None;
    }
    let keys = StoreKeys::of(reader, &block)?;
    // What was said about strangers says what is missing.
    if block.has_strangers() {
        return None;
    }
    let files = keys.files.map(Store::Files);
    let remote = keys.vault.map(RemoteStore::Vault);
    let remote = remote.or(keys.transit.map(RemoteStore::Transit));
    let remote = remote.or(keys.aws.map(RemoteStore::Aws));
    let remote = remote.or(keys.gcp.map(RemoteStore::Gcp));
    let remote = remote.or(keys.azure.map(RemoteStore::Azure));
    files.or(remote.map(|remote| Store::Remote(Box::new(remote))))
}
