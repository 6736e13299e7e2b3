//! Marks on the columns of a file of which the `parquet` crate does not tell all.

use arrow_schema::Field as ArrowField;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

/// Numbers of fields by which a marked one is known again; what a file has there changes only how
/// its own twelve or sixteen bytes are shown.
pub(super) const INT96: i32 = i32::MIN + 96;
pub(super) const UUID: i32 = i32::MIN + 16;

/// What the crate does not tell of twelve or sixteen bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Int96,
    Uuid,
}

impl Mark {
    pub(super) fn of(field: &ArrowField) -> Option<Mark> {
        let number = field.metadata().get(PARQUET_FIELD_ID_META_KEY)?;
        match number.parse() {
            Ok(INT96) => Some(Mark::Int96),
            Ok(UUID) => Some(Mark::Uuid),
            _ => None,
        }
    }
}
