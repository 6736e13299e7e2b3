//! Type names that mean the same under any search_path.
//! It is one SQL expression, for the catalogue's own columns.

/// The type `oid` with the modifier `modifier`, both SQL, as `format_type` writes it, and with its
/// schema unless that is pg_catalog.
pub(super) fn qualified(oid: &str, modifier: &str) -> String {
    // `format_type` leaves out the schema of a type that search_path leads to; of an array it
    // shows the element's.
    format!(
        "(SELECT CASE WHEN qn.nspname <> 'pg_catalog' AND pg_catalog.pg_type_is_visible(qe.oid) \
         THEN pg_catalog.quote_ident(qn.nspname) || '.' ELSE '' END \
         || pg_catalog.format_type({oid}, {modifier}) \
         FROM pg_catalog.pg_type qt \
         JOIN pg_catalog.pg_type qe ON qe.oid = CASE WHEN qt.typcategory = 'A' \
         AND qt.typelem <> 0 AND qt.typlen = -1 THEN qt.typelem ELSE qt.oid END \
         JOIN pg_catalog.pg_namespace qn ON qn.oid = qe.typnamespace WHERE qt.oid = {oid})"
    )
}
