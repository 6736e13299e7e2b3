//! Reads a manifest's blocks: their keys, known, missing and misspelled, and collects what is
//! wrong.

use std::path::Path;

use glovebox_core::shown::printable;

use super::diagnostic::Diagnostic;
use super::near::closest;
use super::node::{Entry, Kind, Node};
use super::span::Span;

/// A block whose keys have been looked through.
#[derive(Debug)]
pub struct Block<'n> {
    /// What it describes, for messages.
    pub what: &'static str,
    /// Where complaints about the block as a whole go: one line.
    pub head: Span,
    found: Vec<(&'static str, &'n Entry)>,
    /// Keys that do not exist here, for which a hint said what to do instead.
    hinted: Vec<&'static str>,
    /// Whether there are others that do not exist.
    strangers: bool,
}

impl<'n> Block<'n> {
    /// The value of a key, and where the key stands.
    pub fn get(&self, key: &'static str) -> Option<(&'n Node, Span)> {
        self.found
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, entry)| (&entry.value, entry.key.span.clone()))
    }

    /// Those of the keys that are there.
    pub fn present(&self, of: &[&'static str]) -> Vec<&'static str> {
        let is_in = |key: &&'static str| of.contains(key);
        self.found
            .iter()
            .map(|(key, _)| *key)
            .filter(is_in)
            .collect()
    }

    /// Whether a hint about one of these keys has said already what is missing.
    pub fn hinted(&self, at: &[&str]) -> bool {
        self.hinted.iter().any(|key| at.contains(key))
    }

    /// Whether it has keys that do not exist.
    pub fn has_strangers(&self) -> bool {
        self.strangers || !self.hinted.is_empty()
    }
}

/// Reads nodes; remembers what was wrong.
#[derive(Debug)]
pub struct Reader<'t> {
    pub(crate) text: &'t str,
    /// What paths are relative to.
    pub(crate) folder: &'t Path,
    pub(crate) problems: Vec<Diagnostic>,
}

impl<'t> Reader<'t> {
    /// A reader of this text; relative paths begin in the folder.
    pub fn new(text: &'t str, folder: &'t Path) -> Self {
        Reader {
            text,
            folder,
            problems: Vec::new(),
        }
    }

    /// Remembers a problem.
    pub fn say(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Looks through the keys of a block. `head` is the key that it belongs to; `hints` are keys that
    /// do not exist, with what to do instead.
    pub(crate) fn keys<'n>(
        &mut self,
        entries: &'n [Entry],
        head: Span,
        what: &'static str,
        keys: &[&'static str],
        hints: &[(&'static str, &'static str)],
    ) -> Block<'n> {
        let mut block = Block {
            what,
            head,
            found: Vec::new(),
            hinted: Vec::new(),
            strangers: false,
        };
        let known = |entry: &Entry| {
            let name = entry.key.value.as_str();
            keys.iter().copied().find(|key| *key == name)
        };
        for entry in entries {
            if let Some(key) = known(entry) {
                block.found.push((key, entry));
            }
        }
        for entry in entries.iter().filter(|e| known(e).is_none()) {
            let name = entry.key.value.as_str();
            let hint = hints.iter().find(|(wrong, _)| *wrong == name);
            let free = keys.iter().copied().filter(|k| block.get(k).is_none());
            let near = hint.is_none().then(|| closest(name, free)).flatten();
            let taken = || closest(name, keys.iter().copied());
            let help = match (hint, near) {
                (Some((key, help)), _) => {
                    block.hinted.push(key);
                    (*help).to_owned()
                }
                (None, Some(near)) => {
                    // Read on as if it had been spelled right, so that what is in it is checked.
                    block.found.push((near, entry));
                    format!("did you mean `{near}`?")
                }
                (None, None) => {
                    block.strangers = true;
                    match taken() {
                        Some(taken) => format!(
                            "did you mean `{taken}`? That key is already here; delete one of them"
                        ),
                        None => format!("the keys here are: {}", keys.join(", ")),
                    }
                }
            };
            self.say(
                Diagnostic::error(
                    entry.key.span.clone(),
                    format!("unknown key `{}` in {}", short(name), what),
                )
                .help(help),
            );
        }
        block
    }

    /// `what` should be `expected` but is something else. Broken nodes were reported already.
    pub fn wrong_kind(&mut self, node: &Node, what: &str, expected: &str, example: &str) {
        if node.kind == Kind::Broken {
            return;
        }
        let label = match node.kind {
            Kind::Null => "there is no value here".to_owned(),
            _ => format!("this is {}", node.describe()),
        };
        self.say(
            Diagnostic::error(
                self.first_line(&node.span),
                format!("{what} must be {expected}"),
            )
            .label(label)
            .help(format!("write: {example}")),
        );
    }

    /// The part of a span on its first line.
    pub fn first_line(&self, span: &Span) -> Span {
        let covered = self.text.get(span.clone()).unwrap_or_default();
        let line = covered.lines().next().unwrap_or_default().trim_end();
        span.start..span.start + line.len()
    }
}

/// What people write, short enough for a message.
pub(crate) fn short(text: &str) -> String {
    const MAX_SHOWN: usize = 60;
    let text = printable(&text.replace('\n', " "));
    if text.chars().count() <= MAX_SHOWN {
        return text;
    }
    text.chars().take(MAX_SHOWN - 1).chain(['…']).collect()
}
