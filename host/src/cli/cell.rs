//! A cell as text, for whoever asked to see it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::array_value_to_string;
use glovebox_core::{DataType, Field};

/// The cell of a row; none is null.
pub(super) fn cell(column: &ArrayRef, field: &Field, row: usize) -> anyhow::Result<Option<String>> {
    if column.is_null(row) {
        return Ok(None);
    }
    if field.data_type == DataType::Opaque {
        return Ok(Some("(opaque)".to_owned()));
    }
    // Arrow's own error may quote the cell.
    array_value_to_string(&shown(column), row)
        .map(Some)
        .map_err(|_| anyhow::anyhow!("internal error: cannot show `{}`", field.name))
}

/// The column as Arrow can show it: of time zones it knows offsets only, unless it carries the
/// whole database of zones.
fn shown(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) => Arc::new(times.clone().with_timezone("+00:00")),
        None => Arc::clone(column),
    }
}
