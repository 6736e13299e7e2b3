//! Other YAML files, read into serde types by the same rules as a manifest.
//! As in a manifest, anchors, aliases, tags and duplicate keys are refused.

mod tree;

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use glovebox_core::DataType;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::diagnostic::Diagnostic;
use super::node::{Kind, Node};
use super::units;
use super::yaml;
use crate::span::{Span, Spanned};
use tree::At;

/// What a type says to be told its place.
const PLACED: &str = "$glovebox::Spanned";
const START: &str = "start";
const END: &str = "end";
const VALUE: &str = "value";

/// Reads a text; `what` names the kind of file in messages, with its article.
///
/// # Errors
/// What is wrong, each at its place: everything of YAML, or all keys that the type does not have and
/// every value that does not do, as far as one does not hide another.
pub fn typed<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Vec<Diagnostic>> {
    let yaml::Parsed { root, mut problems } = yaml::parse(text);
    for problem in &mut problems {
        problem.message = problem.message.replace("a manifest", what);
        problem.help = problem.help.take().map(|h| h.replace("a manifest", what));
    }
    let Some(mut root) = root.filter(|_| problems.is_empty()) else {
        if problems.is_empty() {
            problems.push(Diagnostic::error(0..0, "the file is empty"));
        }
        return Err(problems);
    };
    let mut taken_out = Vec::new();
    loop {
        let strange = RefCell::default();
        let at = At {
            node: &root,
            strange: &strange,
        };
        let read = T::deserialize(at);
        let strange = strange.into_inner();
        let wrong = match read {
            Ok(read) if strange.is_empty() && problems.is_empty() => return Ok(read),
            Ok(_) => {
                problems.extend(strange);
                break;
            }
            Err(wrong) => wrong,
        };
        let span = wrong.span.clone().unwrap_or_else(|| root.span.clone());
        // What is missed since it was taken out has been complained of.
        let missed = taken_out
            .iter()
            .any(|key| wrong.message == format!("missing field `{key}`"));
        if !missed {
            let problem = Diagnostic::error(first_line(text, span.clone()), wrong.message);
            problems.push(problem);
        }
        let key = (problems.len() < MAX_PROBLEMS).then(|| take_out(&mut root, &span));
        match key.flatten() {
            // Without it, the rest may be read.
            Some(key) => taken_out.push(key),
            None => {
                problems.extend(strange);
                break;
            }
        }
    }
    problems.sort_by_key(|p| p.span.start);
    problems.dedup();
    Err(problems)
}

/// As many values that do not do are looked for at most.
const MAX_PROBLEMS: usize = 50;

/// Takes the entry or item with that value out of the tree; its key, or that of the list.
fn take_out(node: &mut Node, span: &Span) -> Option<String> {
    match &mut node.kind {
        Kind::Map(entries) => {
            let found = entries
                .iter()
                .position(|e| e.value.span == *span || e.key.span == *span);
            if let Some(found) = found {
                return Some(entries.remove(found).key.value);
            }
            entries
                .iter_mut()
                .find_map(|entry| take_out(&mut entry.value, span))
        }
        Kind::List(items) => {
            if let Some(found) = items.iter().position(|item| item.span == *span) {
                items.remove(found);
                return Some(String::new());
            }
            items.iter_mut().find_map(|item| take_out(item, span))
        }
        _ => None,
    }
}

/// A column's type as a manifest writes it.
///
/// # Errors
/// What to write instead.
pub fn data_type(text: &str) -> Result<DataType, String> {
    units::data_type(text).map_err(|not| match not {
        units::NotAType::Decimal => "`decimal` needs its numbers of digits, like \
                                    decimal(12,2)"
            .into(),
        units::NotAType::Unknown(Some(meant)) => {
            format!("there is no type `{text}`; did you mean `{meant}`?")
        }
        units::NotAType::Unknown(None) => format!(
            "there is no type `{text}`; the types are: {}(12,2)",
            units::TYPES.join(", ")
        ),
    })
}

/// Where a key of a text stands, or the last one on the way to it that is there: keys by name, items
/// of a list by number.
pub fn place(text: &str, path: &[&str]) -> Span {
    let Some(root) = yaml::parse(text).root else {
        return 0..0;
    };
    let (mut node, mut span) = (&root, 0..0);
    for step in path {
        let next = match &node.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|entry| entry.key.value == *step)
                .map(|entry| (&entry.value, entry.key.span.clone())),
            Kind::List(items) => {
                let item = step.parse::<usize>().ok().and_then(|n| items.get(n));
                item.map(|item| (item, item.span.clone()))
            }
            _ => None,
        };
        match next {
            Some(next) => (node, span) = next,
            None => break,
        }
    }
    first_line(text, span)
}

/// The first line of a place, which is where a reader begins.
fn first_line(text: &str, span: Span) -> Span {
    let covered = text.get(span.clone()).unwrap_or_default();
    let line = covered.lines().next().unwrap_or_default();
    span.start..span.start + line.len()
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // The reader below gives these three, in this order.
                let (mut start, mut end, mut value) = (0, 0, None);
                while let Some(part) = map.next_key::<String>()? {
                    match part.as_str() {
                        START => start = map.next_value()?,
                        END => end = map.next_value()?,
                        _ => value = Some(map.next_value()?),
                    }
                }
                let value = value.ok_or_else(|| de::Error::missing_field(VALUE))?;
                Ok(Spanned {
                    value,
                    span: start..end,
                })
            }
        }

        deserializer.deserialize_struct(PLACED, &[START, END, VALUE], Parts(PhantomData))
    }
}

/// A block whose keys keep their order and places.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordered<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Ordered(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a block of keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
#[path = "typed_tests.rs"]
mod tests;
