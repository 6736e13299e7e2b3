//! Reads single values of a manifest: texts, lists, paths and names.

use std::path::PathBuf;

use glovebox_core::SecretName;

use super::block::{Reader, short};
use super::diagnostic::Diagnostic;
use super::node::{Entry, Kind, Node};
use crate::span::Spanned;

impl Reader<'_> {
    /// A text that is not empty and has no control characters.
    pub fn text(&mut self, node: &Node, key: &str, example: &str) -> Option<Spanned<String>> {
        let text = self.any_text(node, key, example)?;
        if text.is_empty() || text.chars().any(char::is_control) {
            let what = if text.is_empty() {
                "is empty"
            } else {
                "has control characters"
            };
            self.say(
                Diagnostic::error(text.span, format!("`{key}` {what}"))
                    .help(format!("write: {example}")),
            );
            return None;
        }
        Some(text)
    }

    /// A text.
    pub fn any_text(&mut self, node: &Node, key: &str, example: &str) -> Option<Spanned<String>> {
        match &node.kind {
            Kind::Text(text) => Some(Spanned::new(text.clone(), node.span.clone())),
            Kind::Bool(_) | Kind::Number(_) => {
                let written = self.text.get(node.span.clone()).unwrap_or_default();
                let help = format!("if it is text, put it in quotes: \"{}\"", short(written));
                self.say(
                    Diagnostic::error(node.span.clone(), format!("`{key}` must be text"))
                        .label(format!("this is {}", node.describe()))
                        .help(help),
                );
                None
            }
            _ => {
                self.wrong_kind(node, &format!("`{key}`"), "text", example);
                None
            }
        }
    }

    /// A list's items.
    pub fn list<'n>(&mut self, node: &'n Node, key: &str, example: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) => Some(items),
            _ => {
                self.wrong_kind(node, &format!("`{key}`"), "a list", example);
                None
            }
        }
    }

    /// A block with keys of the writer's choice.
    pub fn map<'n>(&mut self, node: &'n Node, key: &str, example: &str) -> Option<&'n [Entry]> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            _ => {
                self.wrong_kind(node, &format!("`{key}`"), "a block of keys", example);
                None
            }
        }
    }

    /// A list of column names; each may be there once.
    pub fn names(&mut self, node: &Node, key: &str) -> Option<Vec<Spanned<String>>> {
        let example = format!("{key}: [product, price]");
        let items = self.list(node, key, &example)?;
        let mut names: Vec<Spanned<String>> = Vec::with_capacity(items.len());
        for item in items {
            let Some(name) = self.text(item, &format!("a column of {key}"), &example) else {
                continue;
            };
            match names.iter().find(|n| n.value == name.value) {
                Some(first) => {
                    let first = first.span.clone();
                    self.say(
                        Diagnostic::error(
                            name.span,
                            format!("`{}` is in `{key}` twice", short(&name.value)),
                        )
                        .label("again here")
                        .context(first, "first here")
                        .help("delete one of them"),
                    );
                }
                None => names.push(name),
            }
        }
        Some(names)
    }

    /// The path that a text stands for, which may be relative to the file's folder.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// A path, relative to the manifest's folder.
    pub fn path(&mut self, node: &Node, key: &str, example: &str) -> Option<Spanned<PathBuf>> {
        let text = self.text(node, key, example)?;
        if text.value == "~" || text.value.starts_with("~/") {
            self.say(
                Diagnostic::error(
                    text.span,
                    format!("`{key}`: `~` is not expanded to the home folder"),
                )
                .help("write the whole path, or one relative to the manifest's folder"),
            );
            return None;
        }
        Some(Spanned::new(self.beside(&text.value), text.span))
    }

    /// The name of a secret. What was written may be the secret itself, so nothing repeats it.
    pub fn secret(&mut self, node: &Node, what: &str) -> Option<Spanned<SecretName>> {
        let parsed = match &node.kind {
            Kind::Broken => return None,
            Kind::Text(text) => SecretName::parse(text).ok(),
            _ => None,
        };
        if let Some(name) = parsed {
            return Some(Spanned::new(name, node.span.clone()));
        }
        self.say(
            Diagnostic::error(
                self.first_line(&node.span),
                format!("{what} must be the name of a secret"),
            )
            .help("write a name like `sales/customer-salt`: 1 to 128 letters, digits, `.`, `_`, `-`, in parts joined by `/`")
            .note("if this is the secret itself, remove it from the file, treat it as \
                  compromised, and store a new one with: glovebox secret set NAME"),
        );
        None
    }
}
