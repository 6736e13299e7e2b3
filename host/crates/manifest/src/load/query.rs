//! The text of a query.

use serde_json::json;

use crate::block::Reader;
use crate::declare::At;
use crate::diagnostic::Diagnostic;
use crate::kinds::Own;
use crate::span::Spanned;

/// A query longer than this is none.
const MAX_QUERY_LEN: usize = 64 << 10;

/// The text of a query.
pub(super) const QUERY: Own<String> = Own {
    read: query,
    words: "text",
    schema: |_| json!({ "type": "string", "minLength": 1, "maxLength": MAX_QUERY_LEN }),
};

fn query(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let text = reader.any_text(at.node, at.key, &at.example)?;
    // What ends a statement in psql is not part of it.
    let query = text.value.trim().trim_end_matches(';').trim_end();
    if query.is_empty() || query.len() > MAX_QUERY_LEN || query.contains('\0') {
        reader.say(
            Diagnostic::error(
                reader.first_line(&text.span),
                format!("`{}` must have 1 to {MAX_QUERY_LEN} bytes", at.key),
            )
            .help(format!("write: {}", at.example)),
        );
        return None;
    }
    Some(Spanned::new(query.to_owned(), text.span))
}
