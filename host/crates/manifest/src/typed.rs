//! YAML files beside the manifest, read into types of serde's by the same rules as a manifest.
//!
//! Owns the place of whatever is wrong, and of what a type asks to be [`Placed`]; refuses what a
//! manifest may not use either: anchors, aliases, tags, doubled keys.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer,
    MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::block::{closest, short};
use super::diagnostic::Diagnostic;
use super::model::Span;
use super::units;
use super::yaml::{self, Entry, Kind, Node};
use glovebox_core::DataType;

/// What a type says to be told its place.
const PLACED: &str = "$glovebox::Placed";
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
        let key = (problems.len() < MOST).then(|| take_out(&mut root, &span));
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
const MOST: usize = 50;

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
        units::NotAType::Decimal => "`decimal` needs its digits, like decimal(12,2)".into(),
        units::NotAType::Unknown(Some(meant)) => {
            format!("there is no type `{text}`; did you mean `{meant}`?")
        }
        units::NotAType::Unknown(None) => format!(
            "there is no type `{text}`; the types are: {}(12,2)",
            units::TYPES.join(", ")
        ),
    })
}

/// A length of time as a manifest writes it.
///
/// # Errors
/// What to write instead.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    units::duration(text).ok_or_else(|| units::TIME_HELP.into())
}

/// A size as a manifest writes it, in bytes.
///
/// # Errors
/// What to write instead.
pub fn size(text: &str) -> Result<u64, String> {
    units::size(text).ok_or_else(|| units::SIZE_HELP.into())
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

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Its place in the text.
    pub span: Span,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Placed<T>;

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
                Ok(Placed {
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
pub struct Ordered<T>(pub Vec<(Placed<String>, T)>);

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

/// What serde complains about, and where.
#[derive(Debug)]
struct Wrong {
    message: String,
    span: Option<Span>,
}

impl Wrong {
    /// The innermost place stays.
    fn at(mut self, span: &Span) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Wrong {
            message: message.to_string(),
            span: None,
        }
    }
}

/// The three parts of a [`Placed`].
fn placed<'de, V: Visitor<'de>>(
    span: &Span,
    value: Part<'_>,
    visitor: V,
) -> Result<V::Value, Wrong> {
    let parts = [
        (START, Part::Number(span.start)),
        (END, Part::Number(span.end)),
        (VALUE, value),
    ];
    visitor.visit_map(MapDeserializer::new(parts.into_iter()))
}

enum Part<'n> {
    Number(usize),
    Key(Key<'n>),
    Node(At<'n>),
}

impl<'de> IntoDeserializer<'de, Wrong> for Part<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Part<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Part::Number(n) => visitor.visit_u64(n as u64),
            Part::Key(key) => key.deserialize_any(visitor),
            Part::Node(at) => at.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Part::Node(at) => at.deserialize_option(visitor),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self {
            Part::Node(at) => at.deserialize_struct(name, fields, visitor),
            other => other.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A key of a block, as it is read.
#[derive(Clone, Copy)]
struct Key<'n> {
    name: &'n str,
    span: &'n Span,
}

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor
            .visit_str(self.name)
            .map_err(|wrong: Wrong| wrong.at(self.span))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        placed(self.span, Part::Key(self), visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A node of the tree, and where keys that nobody knows are complained of.
#[derive(Clone, Copy)]
struct At<'n> {
    node: &'n Node,
    strange: &'n RefCell<Vec<Diagnostic>>,
}

impl<'n> At<'n> {
    fn of(self, node: &'n Node) -> At<'n> {
        At { node, ..self }
    }

    /// The keys and values of a block whose keys are these. One that is none of them is read as the
    /// one that was probably meant, so that what is in it is looked at, or passed over.
    fn known(self, entries: &'n [Entry], fields: &'static [&'static str]) -> Block<'n> {
        let is_there = |field: &str| entries.iter().any(|e| e.key.value == field);
        let mut read: Vec<(Key<'n>, &'n Node)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let span = &entry.key.span;
            let written = entry.key.value.as_str();
            if fields.contains(&written) {
                read.push((
                    Key {
                        name: written,
                        span,
                    },
                    &entry.value,
                ));
                continue;
            }
            let free = fields.iter().copied().filter(|field| !is_there(field));
            let free = free.filter(|field| !read.iter().any(|(key, _)| key.name == *field));
            let near = closest(written, free);
            let taken = || closest(written, fields.iter().copied());
            let help = match (near, near.is_none().then(taken).flatten()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, Some(taken)) => {
                    format!("did you mean `{taken}`? It is there already; delete one of them")
                }
                (None, None) => format!("the keys here are: {}", fields.join(", ")),
            };
            let problem = format!("unknown key `{}`", short(written));
            let problem = Diagnostic::error(span.clone(), problem).help(help);
            self.strange.borrow_mut().push(problem);
            if let Some(name) = near {
                read.push((Key { name, span }, &entry.value));
            }
        }
        Block {
            entries: read.into_iter(),
            at: self,
            value: None,
        }
    }
}

impl<'de> IntoDeserializer<'de, Wrong> for At<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for At<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let visited = match &self.node.kind {
            Kind::Broken | Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(n), _, _) => visitor.visit_u64(n),
                (_, Some(n), _) => visitor.visit_i64(n),
                (_, _, n) => visitor.visit_f64(n.unwrap_or(f64::NAN)),
            },
            Kind::Text(text) => visitor.visit_str(text),
            Kind::List(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.iter().map(|item| self.of(item))))
            }
            Kind::Map(entries) => {
                let entries = entries.iter().map(|entry| {
                    let key = Key {
                        name: &entry.key.value,
                        span: &entry.key.span,
                    };
                    (key, &entry.value)
                });
                visitor.visit_map(Block {
                    entries: entries.collect::<Vec<_>>().into_iter(),
                    at: self,
                    value: None,
                })
            }
        };
        visited.map_err(|wrong: Wrong| wrong.at(&self.node.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if name == PLACED {
            return placed(&self.node.span, Part::Node(self), visitor);
        }
        match &self.node.kind {
            Kind::Map(entries) => visitor
                .visit_map(self.known(entries, fields))
                .map_err(|wrong: Wrong| wrong.at(&self.node.span)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Kind::Text(text) = &self.node.kind else {
            let found = self.node.describe();
            return Err(de::Error::custom(format_args!(
                "a word is due, not {found}"
            )))
            .map_err(|wrong: Wrong| wrong.at(&self.node.span));
        };
        visitor
            .visit_enum(text.as_str().into_deserializer())
            .map_err(|wrong: Wrong| wrong.at(&self.node.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// The keys and values of a block.
struct Block<'n> {
    entries: std::vec::IntoIter<(Key<'n>, &'n Node)>,
    at: At<'n>,
    value: Option<&'n Node>,
}

impl<'de> MapAccess<'de> for Block<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(key)
            .map(Some)
            .map_err(|wrong| wrong.at(key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let Some(node) = self.value.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(self.at.of(node))
            .map_err(|wrong| wrong.at(&node.span))
    }
}

#[cfg(test)]
#[path = "typed_tests.rs"]
mod tests;
