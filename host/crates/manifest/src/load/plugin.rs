//! Which plugin a step runs: a standard one by name, or a component by its file.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::block::{Reader, short};
use crate::declare::{At, Section, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{File, Own};
use crate::model::PluginRef;
use crate::node::Kind;
use crate::span::Spanned;

section! {
    /// A component of one's own and its digest.
    struct PluginFile("PluginFile"): "a plugin", "{ file: mine.wasm, sha256: … }" {
        /// The component.
        file: Option<Spanned<PathBuf>> => asked, File, "file: mine.wasm";
        /// The SHA-256 it must have, in hexadecimal.
        sha256: Option<String> => optional, SHA256;
    }
    hints {
        "path" => "write `file:`",
        "digest" => "write `sha256:`",
    }
}

/// The plugin at a step's `validate:`, `transform:` or `mask:`.
pub(super) const PLUGIN: Own<PluginRef> = Own {
    read: plugin,
    words: "plugin",
    schema: |schema| {
        schema.define("Plugin", |schema| {
            let file = schema.section::<PluginFile>();
            json!({
                "description": "A plugin: the name of a standard one, the path of a component of one's own, or that with its digest.",
                "anyOf": [{ "type": "string", "minLength": 1 }, file],
            })
        })
    },
};

const SHA256: Own<String> = Own {
    read: digest,
    words: "text",
    schema: |_| json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" }),
};

fn plugin(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<PluginRef>> {
    let (node, key) = (at.node, at.key);
    let example =
        format!("{key}: PLUGIN, {key}: ./mine.wasm, or {key}: {{ file: mine.wasm, sha256: … }}");
    if matches!(node.kind, Kind::Map(_)) {
        let block = PluginFile::block(reader, node, node.first_key())?;
        let written = PluginFile::of(reader, &block)?;
        if block.get("sha256").is_some() && written.sha256.is_none() {
            return None;
        }
        let file = written.file?;
        return Some(Spanned::new(
            PluginRef::File {
                path: file.value,
                sha256: written.sha256,
            },
            file.span,
        ));
    }
    let text = reader.text(node, key, &example)?;
    let is_file = text.value.contains(['/', '\\'])
        || Path::new(&text.value)
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("wasm"));
    if is_file {
        let path = reader.path(node, key, &example)?;
        return Some(Spanned::new(
            PluginRef::File {
                path: path.value,
                sha256: None,
            },
            path.span,
        ));
    }
    let standard = text.value.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .value
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !standard {
        reader.say(
            Diagnostic::error(
                text.span,
                format!(
                    "`{}` is neither a standard plugin nor a file",
                    short(&text.value)
                ),
            )
            .help(format!(
                "write: {example}; the standard ones: glovebox plugin list"
            )),
        );
        return None;
    }
    Some(Spanned::new(PluginRef::Standard(text.value), text.span))
}

fn digest(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let node = at.node;
    let help = "write the 64 hexadecimal digits that `sha256sum mine.wasm` prints, in quotes";
    let digest = match &node.kind {
        Kind::Text(text) => Some(text.to_ascii_lowercase()),
        _ => None,
    };
    let digest = digest.filter(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()));
    if digest.is_none() && node.kind != Kind::Broken {
        let span = reader.first_line(&node.span);
        reader.say(Diagnostic::error(span, "`sha256` is not a SHA-256 digest").help(help));
    }
    Some(Spanned::new(digest?, node.span.clone()))
}

/// What a step without a name is called.
pub(super) fn default_name(plugin: &PluginRef) -> String {
    match plugin {
        PluginRef::Standard(name) if name.is_empty() => "step".to_owned(),
        PluginRef::Standard(name) => name.clone(),
        PluginRef::Sql(_) => "sql".to_owned(),
        PluginRef::Gather(_) => "gather".to_owned(),
        PluginRef::Missing(_) => "missing".to_owned(),
        PluginRef::File { path, .. } => path
            .file_stem()
            .and_then(|stem| stem.to_str())
            // Reports call the two ends of the pipeline so.
            .filter(|stem| !matches!(*stem, "source" | "sink") && stem.len() <= 64)
            .unwrap_or("step")
            .to_owned(),
    }
}
