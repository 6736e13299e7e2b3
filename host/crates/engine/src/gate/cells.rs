//! The cells of a column as the texts that hierarchies are about.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};

/// A column's cells as text; null stays null.
pub(crate) fn texts(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    match column.as_string_opt::<i32>() {
        Some(texts) => Ok(texts.clone()),
        None => Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone()),
    }
}

/// The cells, one by one.
pub(crate) fn each(texts: &StringArray) -> impl Iterator<Item = Option<&str>> {
    (0..texts.len()).map(|row| texts.is_valid(row).then(|| texts.value(row)))
}
