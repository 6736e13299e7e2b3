//! The tree of a YAML text as serde reads it.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{END, PLACED, START, VALUE};
use crate::block::short;
use crate::diagnostic::Diagnostic;
use crate::near::closest;
use crate::node::{Entry, Kind, Node};
use crate::span::Span;

/// What serde complains about, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) span: Option<Span>,
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

/// The three parts of a [`Spanned`].
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
pub(super) struct At<'n> {
    pub(super) node: &'n Node,
    pub(super) strange: &'n RefCell<Vec<Diagnostic>>,
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
                    format!("did you mean `{taken}`? That key is already here; delete one of them")
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
                "expected a word, not {found}"
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
