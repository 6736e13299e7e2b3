//! Writes pins into a manifest's text: the digest that the file of a step's plugin must have.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::diagnostic::Diagnostic;
use super::load;
use super::model::{Manifest, PluginRef};
use super::node::{Entry, Kind, Node};
use super::yaml;

/// A plugin of a manifest that is a file, and so can be pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinnable {
    /// Its step's name.
    pub step: String,
    /// The file.
    pub path: PathBuf,
    /// The same as the manifest has it, relative to its folder.
    pub written: String,
    /// The pin that is there, in lower-case hexadecimal.
    pub pinned: Option<String>,
    /// Which step it is.
    index: usize,
}

/// The plugins of a manifest that can be pinned, in the order of their steps.
pub fn pinnable(manifest: &Manifest) -> Vec<Pinnable> {
    let steps = manifest.steps.iter().enumerate();
    steps
        .filter_map(|(index, step)| match &step.plugin.value {
            PluginRef::File { path, sha256 } => Some(Pinnable {
                step: step.name.value.clone(),
                path: path.clone(),
                written: path
                    .strip_prefix(&manifest.folder)
                    .unwrap_or(path)
                    .display()
                    .to_string(),
                pinned: sha256.clone(),
                index,
            }),
            PluginRef::Standard(_)
            | PluginRef::Sql(_)
            | PluginRef::Gather(_)
            | PluginRef::Missing(_) => None,
        })
        .collect()
}

/// A text with its pins, and the steps that could not be pinned in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// For each pin that was to be written, whether it was.
    pub done: Vec<bool>,
}

/// Writes pins, given as a plugin and its SHA-256 in lower-case hexadecimal, into the text that
/// the plugins were read from. A pin that cannot be written without a change to something else,
/// as in a block scalar, is left out.
///
/// # Errors
/// When the text is no manifest.
pub fn write(
    file: &Path,
    text: &str,
    pins: &[(&Pinnable, &str)],
) -> Result<Written, Vec<Diagnostic>> {
    let (_, problems) = load::load(file, text);
    let root = yaml::parse(text).root;
    let root = root.filter(|_| problems.is_empty()).ok_or(problems)?;

    let mut written = Written {
        text: text.to_owned(),
        done: vec![false; pins.len()],
    };
    let mut meant = root.to_json();
    // From the last to the first, so that the places of those to come hold.
    let mut order: Vec<usize> = (0..pins.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(pins.get(*i).map(|(p, _)| p.index)));
    for i in order {
        let Some((plugin, digest)) = pins.get(i) else {
            continue;
        };
        let Some((kind, node)) = plugin_node(&root, plugin.index) else {
            continue;
        };
        let Some((place, words)) = edit(text, node, digest) else {
            continue;
        };
        let mut candidate = written.text.clone();
        candidate.replace_range(place, &words);
        let mut wanted = meant.clone();
        let pointer = format!("/steps/{}/{kind}", plugin.index);
        if let (Some(slot), Some(file)) = (wanted.pointer_mut(&pointer), file_of(node)) {
            *slot = json!({ "file": file, "sha256": digest });
        }
        let found = yaml::parse(&candidate);
        let same = found.root.is_some_and(|root| root.to_json() == wanted);
        if same && found.problems.is_empty() {
            written.text = candidate;
            meant = wanted;
            if let Some(done) = written.done.get_mut(i) {
                *done = true;
            }
        }
    }
    Ok(written)
}

/// Where a step names its plugin, and under which key.
fn plugin_node(root: &Node, index: usize) -> Option<(&str, &Node)> {
    let steps = entry(root, "steps")?;
    let Kind::List(items) = &steps.value.kind else {
        return None;
    };
    let step = items.get(index)?;
    ["validate", "transform", "mask"]
        .into_iter()
        .find_map(|kind| Some((kind, &entry(step, kind)?.value)))
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    match &node.kind {
        Kind::Map(entries) => entries.iter().find(|e| e.key.value == key),
        _ => None,
    }
}

fn file_of(node: &Node) -> Option<&str> {
    let file = entry(node, "file").map_or(node, |e| &e.value);
    match &file.kind {
        Kind::Text(text) => Some(text),
        _ => None,
    }
}

/// What to write where.
fn edit(text: &str, node: &Node, digest: &str) -> Option<(Range<usize>, String)> {
    let Kind::Map(_) = &node.kind else {
        let place = scalar(text, node)?;
        let file = in_braces(text.get(place.clone())?, file_of(node)?);
        let words = format!("{{ file: {file}, sha256: \"{digest}\" }}");
        return Some((place, words));
    };
    if let Some(old) = entry(node, "sha256") {
        return Some((scalar(text, &old.value)?, format!("\"{digest}\"")));
    }
    let file = entry(node, "file")?;
    let end = scalar(text, &file.value)?.end;
    if text.get(node.span.clone())?.starts_with('{') {
        return Some((end..end, format!(", sha256: \"{digest}\"")));
    }
    // A line of its own, under `file:` and as far in.
    let line_start = text
        .get(..file.key.span.start)?
        .rfind('\n')
        .map_or(0, |n| n + 1);
    let indent = text.get(line_start..file.key.span.start)?;
    if !indent.chars().all(|c| c == ' ') {
        return None;
    }
    let rest = text.get(end..)?;
    let line_end = end + rest.find('\n').unwrap_or(rest.len());
    let (line_end, line_break) = if text.get(..line_end)?.ends_with('\r') {
        (line_end - 1, "\r\n")
    } else {
        (line_end, "\n")
    };
    let words = format!("{line_break}{indent}sha256: \"{digest}\"");
    Some((line_end..line_end, words))
}

/// Where a text on one line stands, to the byte: the parser lets some end after the comment that
/// follows them.
fn scalar(text: &str, node: &Node) -> Option<Range<usize>> {
    let Kind::Text(value) = &node.kind else {
        return None;
    };
    let written = text.get(node.span.clone())?;
    if written.starts_with(value.as_str()) {
        return Some(node.span.start..node.span.start + value.len());
    }
    let closing = match written.as_bytes().first()? {
        b'\'' => single_quoted(written)?,
        b'"' => double_quoted(written)?,
        _ => return None,
    };
    let on_one_line = !written.get(..closing)?.contains(['\n', '\r']);
    on_one_line.then(|| node.span.start..node.span.start + closing + 1)
}

/// Where a text in single quotes ends; a quote in it is doubled.
fn single_quoted(written: &str) -> Option<usize> {
    let mut quotes = written.match_indices('\'').skip(1).map(|(at, _)| at);
    loop {
        let at = quotes.next()?;
        if !written.get(at + 1..)?.starts_with('\'') {
            return Some(at);
        }
        quotes.next();
    }
}

/// Where a text in double quotes ends; a quote in it follows a backslash.
fn double_quoted(written: &str) -> Option<usize> {
    let mut escaped = false;
    let mut bytes = written.bytes().enumerate().skip(1);
    bytes.find_map(|(at, byte)| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends.then_some(at)
    })
}

/// A path as it was written, or in quotes where it would mean something else within braces.
fn in_braces(written: &str, path: &str) -> String {
    if written.starts_with(['"', '\'']) {
        written.to_owned()
    } else {
        quoted(path)
    }
}

/// A path, in quotes where it needs them.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | '+' | '@');
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        // JSON's quotes are YAML's double ones.
        Value::from(path).to_string()
    }
}

/// A plugin with its pin, as it may be written in a manifest.
pub fn reference(path: &str, digest: &str) -> String {
    format!("{{ file: {}, sha256: \"{digest}\" }}", quoted(path))
}

#[cfg(test)]
#[path = "pin_tests.rs"]
mod tests;
