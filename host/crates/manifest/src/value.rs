//! Reads single values of a manifest: texts, numbers, quantities, paths, names.
//!
//! Owns the sentences about kinds, units and bounds; refuses to repeat what may be a secret.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::SecretName;

use super::block::{Reader, short};
use super::diagnostic::Diagnostic;
use super::model::{Span, Spanned};
use super::units::{self, show_duration, show_size};
use super::yaml::{Entry, Kind, Node};

impl Reader<'_> {
    /// A text that is not empty and has no control characters.
    pub(crate) fn text(
        &mut self,
        node: &Node,
        key: &str,
        example: &str,
    ) -> Option<Spanned<String>> {
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
    pub(crate) fn any_text(
        &mut self,
        node: &Node,
        key: &str,
        example: &str,
    ) -> Option<Spanned<String>> {
        match &node.kind {
            Kind::Text(text) => Some(Spanned::new(text.clone(), node.span.clone())),
            Kind::Bool(_) | Kind::Number(_) => {
                let written = self.text.get(node.span.clone()).unwrap_or_default();
                let help = format!("if it is meant, put it in quotes: \"{}\"", short(written));
                self.say(
                    Diagnostic::error(node.span.clone(), format!("`{key}` should be text"))
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

    /// True or false.
    pub(crate) fn boolean(&mut self, node: &Node, key: &str) -> Option<Spanned<bool>> {
        match node.kind {
            Kind::Bool(value) => Some(Spanned::new(value, node.span.clone())),
            _ => {
                self.wrong_kind(
                    node,
                    &format!("`{key}`"),
                    "true or false",
                    &format!("{key}: true"),
                );
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(crate) fn whole(
        &mut self,
        node: &Node,
        key: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<u64> {
        let (low, high) = (*bounds.start(), *bounds.end());
        let number = match &node.kind {
            Kind::Number(number) => number.as_u64(),
            _ => {
                self.wrong_kind(
                    node,
                    &format!("`{key}`"),
                    "a whole number",
                    &format!("{key}: {}", high.min(low.max(100))),
                );
                return None;
            }
        };
        let value = number.filter(|n| bounds.contains(n));
        if value.is_none() {
            self.out_of_bounds(&node.span, key, &low.to_string(), &high.to_string());
        }
        value
    }

    fn out_of_bounds(&mut self, span: &Span, key: &str, low: &str, high: &str) {
        self.say(
            Diagnostic::error(span.clone(), format!("`{key}` is out of bounds"))
                .help(format!("write a value from {low} to {high}")),
        );
    }

    /// A size within bounds, in bytes.
    pub(crate) fn size(
        &mut self,
        node: &Node,
        key: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<usize> {
        let bytes = self.unit(node, key, units::size, units::SIZE_HELP)?;
        if bounds.contains(&bytes) {
            return usize::try_from(bytes).ok();
        }
        self.out_of_bounds(
            &node.span,
            key,
            &show_size(*bounds.start()),
            &show_size(*bounds.end()),
        );
        None
    }

    /// A duration within bounds.
    pub(crate) fn duration(
        &mut self,
        node: &Node,
        key: &str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let time = self.unit(node, key, units::duration, units::TIME_HELP)?;
        if bounds.contains(&time) {
            return Some(time);
        }
        self.out_of_bounds(
            &node.span,
            key,
            &show_duration(*bounds.start()),
            &show_duration(*bounds.end()),
        );
        None
    }

    fn unit<T>(
        &mut self,
        node: &Node,
        key: &str,
        parse: fn(&str) -> Option<T>,
        help: &str,
    ) -> Option<T> {
        let value = match &node.kind {
            Kind::Broken => return None,
            Kind::Text(text) => parse(text),
            _ => None,
        };
        if value.is_none() {
            let label = match &node.kind {
                Kind::Number(_) => "the unit is missing",
                _ => "",
            };
            self.say(
                Diagnostic::error(
                    self.first_line(&node.span),
                    format!("`{key}` is not a quantity with a unit"),
                )
                .label(label)
                .help(help),
            );
        }
        value
    }

    /// One byte, such as a delimiter.
    pub(crate) fn byte(&mut self, node: &Node, key: &str, example: &str) -> Option<u8> {
        let text = self.any_text(node, key, example)?;
        match text.value.as_bytes() {
            [byte]
                if byte.is_ascii()
                    && !matches!(byte, b'\n' | b'\r' | 0)
                    && !byte.is_ascii_alphanumeric() =>
            {
                Some(*byte)
            }
            _ => {
                let help = if text.value == "\\t" || text.value == "tab" {
                    format!("in YAML a tab is \"\\t\", in double quotes: {key}: \"\\t\"")
                } else {
                    format!(
                        "write a single ASCII sign that is no letter, digit or line break: {example}"
                    )
                };
                self.say(
                    Diagnostic::error(text.span, format!("`{key}` has to be one sign")).help(help),
                );
                None
            }
        }
    }

    /// What stands between fields: a sign, or a few.
    pub(crate) fn delimiter(&mut self, node: &Node) -> Option<String> {
        const LONGEST: usize = 16;
        let example = "delimiter: \";\"";
        let text = self.any_text(node, "delimiter", example)?;
        let usable = |c: char| !c.is_alphanumeric() && (c == '\t' || !c.is_control());
        let named = matches!(text.as_str(), "\\t" | "tab");
        if !named && (1..=LONGEST).contains(&text.len()) && text.chars().all(usable) {
            return Some(text.value);
        }
        let help = match named {
            true => "in YAML a tab is \"\\t\", in double quotes: delimiter: \"\\t\"".to_owned(),
            false => format!(
                "write a sign, or a few (16 bytes at the most), none of them a letter, digit or line break: {example}"
            ),
        };
        self.say(Diagnostic::error(text.span, "`delimiter` has to be a sign, or a few").help(help));
        None
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        node: &Node,
        key: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let first = words.first().map_or("", |(word, _)| word);
        let text = self.text(node, key, &format!("{key}: {first}"))?;
        let found = words.iter().find(|(word, _)| *word == text.as_str());
        if found.is_none() {
            let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.say(
                Diagnostic::error(
                    text.span.clone(),
                    format!("unknown `{key}`: `{}`", short(&text)),
                )
                .help(format!("write one of: {}", all.join(", "))),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// A list's items.
    pub(crate) fn list<'n>(
        &mut self,
        node: &'n Node,
        key: &str,
        example: &str,
    ) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) => Some(items),
            _ => {
                self.wrong_kind(node, &format!("`{key}`"), "a list", example);
                None
            }
        }
    }

    /// A block with keys of the writer's choice.
    pub(crate) fn map<'n>(
        &mut self,
        node: &'n Node,
        key: &str,
        example: &str,
    ) -> Option<&'n [Entry]> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            _ => {
                self.wrong_kind(node, &format!("`{key}`"), "a block of keys", example);
                None
            }
        }
    }

    /// A list of column names; each may be there once.
    pub(crate) fn names(&mut self, node: &Node, key: &str) -> Option<Vec<Spanned<String>>> {
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

    /// A path, relative to the manifest's folder.
    pub(crate) fn path(
        &mut self,
        node: &Node,
        key: &str,
        example: &str,
    ) -> Option<Spanned<PathBuf>> {
        let text = self.text(node, key, example)?;
        if text.value == "~" || text.value.starts_with("~/") {
            self.say(
                Diagnostic::error(
                    text.span,
                    format!("`{key}`: `~` does not stand for the home folder here"),
                )
                .help("write the whole path, or one relative to the manifest's folder"),
            );
            return None;
        }
        Some(Spanned::new(self.folder.join(&text.value), text.span))
    }

    /// The name of a secret. What was written may be the secret itself, so nothing repeats it.
    pub(crate) fn secret(&mut self, node: &Node, what: &str) -> Option<Spanned<SecretName>> {
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
                format!("{what} should be the name of a secret"),
            )
            .help("write a name like `sales/customer-salt`: 1 to 128 letters, digits, `.`, `_`, `-`, in parts joined by `/`")
            .note("if this is the secret itself, take it out of the file, treat it as known to others, and store a new one with: glovebox secret set NAME"),
        );
        None
    }
}
