//! Reads which plugin a step runs: a standard one by name, or a component by its file.
//!
//! Refuses names that could be either, and digests that are none.

use std::path::Path;

use crate::block::{Reader, Shape, short};
use crate::diagnostic::Diagnostic;
use crate::model::{PluginRef, Spanned};
use crate::yaml::{Kind, Node};

pub(crate) const PLUGIN: Shape = Shape {
    what: "a plugin",
    keys: &["file", "sha256"],
    hints: &[("path", "write `file:`"), ("digest", "write `sha256:`")],
    example: "{ file: mine.wasm, sha256: … }",
};

/// The plugin at a step's `validate:`, `transform:` or `mask:`.
pub(super) fn plugin(
    reader: &mut Reader<'_>,
    node: &Node,
    key: &'static str,
) -> Option<Spanned<PluginRef>> {
    let example =
        format!("{key}: PLUGIN, {key}: ./mine.wasm, or {key}: {{ file: mine.wasm, sha256: … }}");
    if let Kind::Map(entries) = &node.kind {
        let head = entries
            .first()
            .map_or(node.span.clone(), |e| e.key.span.clone());
        let block = reader.block(node, head, &PLUGIN)?;
        let file = reader
            .need(&block, "file", "file: mine.wasm")
            .and_then(|(node, _)| reader.path(node, "file", "file: mine.wasm"));
        let sha256 = match block.get("sha256") {
            Some((node, _)) => Some(digest(reader, node)?),
            None => None,
        };
        let file = file?;
        return Some(Spanned::new(
            PluginRef::File {
                path: file.value,
                sha256,
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

fn digest(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
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
    digest
}

/// What a step without a name is called.
pub(super) fn default_name(plugin: &PluginRef) -> String {
    match plugin {
        PluginRef::Standard(name) if name.is_empty() => "step".to_owned(),
        PluginRef::Standard(name) => name.clone(),
        PluginRef::File { path, .. } => path
            .file_stem()
            .and_then(|stem| stem.to_str())
            // Reports call the two ends of the pipeline so.
            .filter(|stem| !matches!(*stem, "source" | "sink") && stem.len() <= 64)
            .unwrap_or("step")
            .to_owned(),
    }
}
