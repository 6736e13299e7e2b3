//! Reads the words by which a sink may take away more than it brings.
//!
//! Refuses them in modes that take nothing away.

use super::optional;
use crate::block::{Block, Reader, short};
use crate::diagnostic::Diagnostic;
use crate::model::Mode;

/// Whether a run without a row may replace those that are there.
pub(super) fn replace_with_nothing(reader: &mut Reader<'_>, block: &Block<'_>, mode: Mode) -> bool {
    const KEY: &str = "replace-with-nothing";
    if let Some((_, span)) = block.get(KEY)
        && mode != Mode::Replace
    {
        reader.say(
            Diagnostic::error(span, format!("`{KEY}` belongs to mode replace"))
                .help("delete it: in the other modes a run without rows takes none away"),
        );
    }
    optional(block, KEY, |node| reader.boolean(node, KEY)).is_some_and(|does| does.value)
}

/// Whether other tables may change by what hangs on this one.
pub(super) fn side_effects(reader: &mut Reader<'_>, block: &Block<'_>, mode: Mode) -> bool {
    const KEY: &str = "side-effects";
    let Some((node, span)) = block.get(KEY) else {
        return false;
    };
    if mode == Mode::Append {
        reader.say(
            Diagnostic::error(
                span,
                format!("`{KEY}` belongs to the modes replace and upsert"),
            )
            .help("delete it: mode append takes no rows away"),
        );
        return false;
    }
    let Some(text) = reader.text(node, KEY, "side-effects: allow") else {
        return false;
    };
    match text.value.as_str() {
        "allow" => true,
        "refuse" => false,
        other => {
            reader.say(
                Diagnostic::error(
                    text.span.clone(),
                    format!("unknown value `{}` of `{KEY}`", short(other)),
                )
                .help(
                    "write side-effects: refuse, or side-effects: allow to let foreign keys, triggers and rules of the table change others",
                ),
            );
            false
        }
    }
}
