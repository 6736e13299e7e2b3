//! A column as the text that PostgreSQL shows for it. Casts are not used, since they write some
//! types differently: `inet` gets a `/32`, `boolean` a whole word, and `character(n)` loses its
//! blanks.

/// A quoted column through the output function of its type, whatever that is; null stays null.
///
/// `format` calls that function, and makes an empty text of a null. `IS DISTINCT FROM NULL` asks
/// for the null itself, where `IS NOT NULL` would look into a row.
pub fn written(column: &str) -> String {
    format!("CASE WHEN {column} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {column}) END")
}
