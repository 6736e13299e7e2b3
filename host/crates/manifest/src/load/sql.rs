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

/// The query of a step over all rows.
pub(super) const GATHER: Own<Query> = Own {
    read: query,
    words: "text",
    schema: QUERY.schema,
};

fn sql(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<PluginRef>> {
    let query = query(reader, at)?;
    Some(Spanned::new(PluginRef::Sql(query.value), query.span))
}

fn query(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Query>> {
    let written = (QUERY.read)(reader, at)?;
    let query = Query::new(written.value, reader.text, &written.span);
    let first_line = reader.first_line(&written.span);
    Some(Spanned::new(query, first_line))
}
