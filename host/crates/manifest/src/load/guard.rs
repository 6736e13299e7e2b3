//! `leak-guard` and `keeps`: which columns are guarded, and what a step may keep.
//! A grant for a column that the step does not mask is an error, since it would have no effect.

use glovebox_core::Kept;
use serde_json::json;

use crate::block::{Block, Reader, short};
use crate::declare::words;
use crate::diagnostic::Diagnostic;
use crate::kinds::Own;
use crate::near::closest;
use crate::node::{Entry, Kind, Node};
use crate::span::Spanned;

words! {
    /// Which masked columns the leak guard looks at: it rejects the rows whose mask holds the raw cell.
    pub enum LeakGuard {
        /// The personal ones.
        Personal = "personal",
        /// Each of them.
        All = "all",
        /// None.
        Off = "off",
    }
}

/// Which cells of a masked column may be found whole in their masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepGrant {
    /// The column; in the step's `masks`.
    pub column: Spanned<String>,
    /// The most that is granted.
    pub kept: Kept,
}

/// A step's `keeps:`.
pub(super) const KEEPS: Own<Vec<KeepGrant>> = Own {
    read: |reader, at| {
        let entries = reader.map(at.node, at.key, &at.example)?;
        let grant = |entry: &Entry| {
            let column = entry.key.clone();
            let kept = kept(reader, &entry.value)?;
            Some(KeepGrant { column, kept })
        };
        let keeps = entries.iter().filter_map(grant).collect();
        Some(Spanned::new(keeps, at.node.span.clone()))
    },
    words: "block",
    schema: |schema| {
        let keeps = schema.define("Keeps", |_| {
            json!({
                "description": "Which cells may be found whole in their masks.",
                "anyOf": [
                    { "const": "nothing", "description": "None." },
                    { "const": "cells", "description": "Any." },
                    {
                        "description": "Those with at most that many letters and digits.",
                        "type": "integer", "minimum": 0, "maximum": u32::MAX,
                    },
                ],
            })
        });
        json!({ "type": "object", "additionalProperties": keeps })
    },
};

/// Complains of grants for what the step does not mask.
pub(super) fn fitting_keeps(reader: &mut Reader<'_>, block: &Block<'_>, masks: &[Spanned<String>]) {
    let Some((
        Node {
            kind: Kind::Map(entries),
            ..
        },
        _,
    )) = block.get("keeps")
    else {
        return;
    };
    // A step that masks nothing is complained about as a whole.
    if masks.is_empty() {
        return;
    }
    for Entry { key: column, .. } in entries {
        if masks.iter().all(|m| m.value != column.value) {
            let near = closest(&column.value, masks.iter().map(|m| m.value.as_str()));
            let help = match near {
                Some(near) => format!("did you mean `{}`?", short(near)),
                None => "name a column of the step's `masks:`, or delete it".to_owned(),
            };
            reader.say(
                Diagnostic::error(
                    column.span.clone(),
                    format!("the step does not mask `{}`", short(&column.value)),
                )
                .help(help),
            );
        }
    }
}

fn kept(reader: &mut Reader<'_>, node: &Node) -> Option<Kept> {
    let kept = match &node.kind {
        Kind::Broken => return None,
        Kind::Number(number) => number
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .map(Kept::Characters),
        Kind::Text(text) if text == "nothing" => Some(Kept::Nothing),
        Kind::Text(text) if text == "cells" => Some(Kept::Cells),
        _ => None,
    };
    if kept.is_none() {
        let span = reader.first_line(&node.span);
        reader.say(
            Diagnostic::error(
                span,
                "this is not something that a step can keep of a column",
            )
            .help(
                "write `nothing`, `cells`, or the largest number of letters and digits of a \
                      cell that may stay whole, like 2",
            ),
        );
    }
    kept
}
