//! A step's `with:` block as JSON, which the plugin checks.

use std::collections::BTreeMap;

use serde_json::json;

use crate::block::Reader;
use crate::kinds::Own;
use crate::model::With;
use crate::node::{Kind, Node};
use crate::span::{Span, Spanned};

/// The block.
pub(super) const WITH: Own<With> = Own {
    read: |reader, at| {
        reader.map(at.node, at.key, &at.example)?;
        let mut spans = BTreeMap::new();
        places(at.node, &mut String::new(), &mut spans, reader);
        let with = With::new(at.node.to_json(), at.head.clone(), spans);
        Some(Spanned::new(with, at.head.clone()))
    },
    words: "block",
    schema: |_| json!({ "type": "object" }),
};

/// The first line of each part under its JSON Pointer.
fn places(
    node: &Node,
    pointer: &mut String,
    spans: &mut BTreeMap<String, Span>,
    reader: &Reader<'_>,
) {
    if !pointer.is_empty() {
        spans.insert(pointer.clone(), reader.first_line(&node.span));
    }
    let mut inner = |node: &Node, part: &str| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        places(node, pointer, spans, reader);
        pointer.truncate(length);
    };
    match &node.kind {
        Kind::List(items) => {
            for (i, item) in items.iter().enumerate() {
                inner(item, &i.to_string());
            }
        }
        Kind::Map(entries) => entries.iter().for_each(|e| inner(&e.value, &e.key.value)),
        _ => {}
    }
}
