//! Reads what the leak guard has to know: which columns it looks at, and what a step may keep.
//!
//! Refuses a grant for a column that the step does not mask, since it would promise nothing.

use glovebox_core::Kept;

use crate::block::{Reader, closest, short};
use crate::diagnostic::Diagnostic;
use crate::model::{KeepGrant, LeakGuard, Spanned};
use crate::yaml::{Kind, Node};

/// `leak-guard:`, the manifest's or a step's.
pub(super) fn leak_guard(reader: &mut Reader<'_>, node: &Node) -> Option<LeakGuard> {
    match &node.kind {
        Kind::Text(text) if text == "personal" => Some(LeakGuard::Personal),
        Kind::Text(text) if text == "all" => Some(LeakGuard::All),
        Kind::Text(text) if text == "off" => Some(LeakGuard::Off),
        Kind::Broken => None,
        _ => {
            let span = reader.first_line(&node.span);
            reader.say(
                Diagnostic::error(span, "the leak guard cannot be set to this")
                    .help("write one of: personal, all, off"),
            );
            None
        }
    }
}

/// A step's `keeps:`.
pub(super) fn keeps(
    reader: &mut Reader<'_>,
    node: &Node,
    masks: &[Spanned<String>],
) -> Vec<KeepGrant> {
    let Some(entries) = reader.map(node, "keeps", "keeps: { postcode: 2 }") else {
        return Vec::new();
    };
    let mut keeps = Vec::with_capacity(entries.len());
    for entry in entries {
        let column = &entry.key;
        // A step that masks nothing is complained about as a whole.
        if !masks.is_empty() && masks.iter().all(|m| m.value != column.value) {
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
        if let Some(kept) = kept(reader, &entry.value) {
            keeps.push(KeepGrant {
                column: column.clone(),
                kept,
            });
        }
    }
    keeps
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
            Diagnostic::error(span, "this is nothing that a step can keep of a column")
                .help("write `nothing`, `cells`, or the most letters and digits of a cell that may stay whole, like 2"),
        );
    }
    kept
}
