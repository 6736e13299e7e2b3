//! A text of YAML as a tree of values that know their places.

use serde_json::{Number, Value};

use super::span::{Span, Spanned};

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub kind: Kind,
    /// Its place.
    pub span: Span,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A problem has been reported here already.
    Broken,
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A block of keys.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// What it is, in words for a message.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Broken | Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a block of keys",
        }
    }

    /// What it means, without its places.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Broken | Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(entries) => entries
                .iter()
                .map(|e| (e.key.value.clone(), e.value.to_json()))
                .collect(),
        }
    }

    /// Where complaints about it as a block go, if it is an item of a list.
    pub fn first_key(&self) -> Span {
        match &self.kind {
            Kind::Map(entries) => entries.first().map(|e| e.key.span.clone()),
            _ => None,
        }
        .unwrap_or_else(|| self.span.clone())
    }
}
