//! Whole columns through a method that is ready.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Int64Array, TimestampMicrosecondArray,
};
use arrow_schema::DataType as ArrowType;
use glovebox_core::{Computed, KeyError, Refusal, Target};

use crate::cipher::Cipher;
use crate::methods::{Offset, Shift};
use crate::text::Cells;

/// Bytes of a mask for which room is made at first.
const WIDTH: usize = 32;

/// A column as text.
pub(crate) fn texts(
    cipher: &Cipher,
    target: &Target,
    column: &ArrayRef,
) -> Result<Computed, KeyError> {
    let cells = Cells::read(column)?;
    cells.check(target)?;
    let mut session = cipher.session()?;
    let computed = cells.masked(target, WIDTH, |value, out| session.mask(value, out))?;
    Ok(Computed {
        tokens: session.into_tokens(),
        ..computed
    })
}

/// A column of numbers as numbers.
pub(crate) fn numbers(
    cipher: &Cipher,
    target: &Target,
    column: &ArrayRef,
) -> Result<Computed, KeyError> {
    let marks = marks(target, column)?;
    let mut refused = Vec::new();
    let numbers = column.as_primitive::<Int64Type>().iter().zip(0..);
    let masked: Int64Array = numbers
        .map(|(number, row)| match number {
            Some(number) if is_marked(marks, row) => cipher
                .number(number)
                .map_err(|refusal| refused.push((row, refusal)))
                .ok(),
            _ => number,
        })
        .collect();
    Ok(Computed {
        column: Arc::new(masked),
        refused,
        tokens: None,
    })
}

/// A column of dates or timestamps, moved by the days of each row's entity.
pub(crate) fn shifted(
    shift: &Shift,
    target: &Target,
    column: &ArrayRef,
    entities: &ArrayRef,
) -> Result<Computed, KeyError> {
    let marks = marks(target, column)?;
    let entities = Cells::read(entities)?;
    let mut refused = Vec::new();
    let column: ArrayRef = match column.data_type() {
        ArrowType::Date32 => {
            let dates = column.as_primitive::<Date32Type>();
            let moved = moved(
                dates.iter(),
                marks,
                &entities,
                shift,
                &mut refused,
                Offset::date,
            );
            Arc::new(Date32Array::from(moved))
        }
        _ => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            let moved = moved(
                times.iter(),
                marks,
                &entities,
                shift,
                &mut refused,
                Offset::timestamp,
            );
            let zone = times.timezone().map(ToOwned::to_owned);
            let moved = TimestampMicrosecondArray::from(moved);
            Arc::new(moved.with_timezone_opt(zone))
        }
    };
    Ok(Computed {
        column,
        refused,
        tokens: None,
    })
}

fn moved<T>(
    cells: impl Iterator<Item = Option<T>>,
    marks: Option<&BooleanArray>,
    entities: &Cells,
    shift: &Shift,
    refused: &mut Vec<(u32, Refusal)>,
    by: fn(Offset, T) -> Result<T, Refusal>,
) -> Vec<Option<T>> {
    let moved = cells.zip(0..).map(|(cell, row)| match cell {
        Some(cell) if is_marked(marks, row) => {
            let entity = usize::try_from(row).ok().and_then(|row| entities.cell(row));
            let entity = entity.filter(|e| !e.is_empty()).ok_or(Refusal::Entity);
            let moved = entity.and_then(|entity| by(shift.offset(entity), cell));
            moved.map_err(|refusal| refused.push((row, refusal))).ok()
        }
        _ => cell,
    });
    moved.collect()
}

/// The rows that are meant; none means all.
fn marks<'a>(target: &'a Target, column: &ArrayRef) -> Result<Option<&'a BooleanArray>, KeyError> {
    let problem = match target {
        Target::Cells => return Ok(None),
        Target::Rows(marks) if marks.len() == column.len() => return Ok(Some(marks)),
        Target::Rows(_) => "the target marks another number of rows than the column has",
        Target::Spans(_) => "spans are byte ranges of text; target cells or rows",
    };
    Err(KeyError::Parameters(problem.into()))
}

fn is_marked(marks: Option<&BooleanArray>, row: u32) -> bool {
    let row = usize::try_from(row).unwrap_or(usize::MAX);
    marks.is_none_or(|marks| row < marks.len() && marks.is_valid(row) && marks.value(row))
}
