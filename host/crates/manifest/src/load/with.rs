//! Reads a step's `with:` block as JSON, for the plugin to judge.
//!
//! Owns the places of its parts, so that a plugin's complaint can be shown where it belongs;
//! refuses nothing but what is no block.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::block::Reader;
use crate::model::{Span, With};
use crate::yaml::{Kind, Node};

/// The block.
pub(super) fn with(reader: &mut Reader<'_>, node: &Node, head: Span) -> With {
    let mut spans = BTreeMap::new();
    if !matches!(node.kind, Kind::Map(_)) {
        reader.wrong_kind(node, "`with`", "a block of keys", "with: { prefix: cust }");
        return With::new(Value::Object(serde_json::Map::new()), head, spans);
    }
    let value = json(node, &mut String::new(), &mut spans, reader);
    With::new(value, head, spans)
}

/// The node as JSON, and the first line of each part under its JSON Pointer.
fn json(
    node: &Node,
    pointer: &mut String,
    spans: &mut BTreeMap<String, Span>,
    reader: &Reader<'_>,
) -> Value {
    if !pointer.is_empty() {
        spans.insert(pointer.clone(), reader.first_line(&node.span));
    }
    let mut inner = |node: &Node, part: &str| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        let value = json(node, pointer, spans, reader);
        pointer.truncate(length);
        value
    };
    match &node.kind {
        Kind::Broken | Kind::Null => Value::Null,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Number(number) => Value::Number(number.clone()),
        Kind::Text(text) => Value::String(text.clone()),
        Kind::List(items) => {
            let numbered = items.iter().enumerate();
            Value::Array(numbered.map(|(i, n)| inner(n, &i.to_string())).collect())
        }
        Kind::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|e| (e.key.value.clone(), inner(&e.value, &e.key.value)))
                .collect(),
        ),
    }
}
