//! The queries of steps.

use super::query::QUERY;
use crate::block::Reader;
use crate::declare::At;
use crate::kinds::Own;
use crate::model::{PluginRef, Query};
use crate::span::Spanned;

/// The query of a step.
pub(super) const SQL: Own<PluginRef> = Own {
    read: sql,
    words: "text",
    schema: QUERY.schema,
};

fn sql(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<PluginRef>> {
    let written = (QUERY.read)(reader, at)?;
    let query = Query::new(written.value, reader.text, &written.span);
    let first_line = reader.first_line(&written.span);
    Some(Spanned::new(PluginRef::Sql(query), first_line))
}
