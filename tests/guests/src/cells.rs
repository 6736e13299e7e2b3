//! Columns in the contract's layout, read and written cell by cell.

use crate::{Batch, Column, Values, VariableWidth};

/// The cells of a text column; nulls are empty.
pub fn text_cells(column: &Column) -> Vec<String> {
    let Values::Text(text) = &column.values else {
        return Vec::new();
    };
    text.offsets
        .iter()
        .zip(text.offsets.iter().skip(1))
        .map(|(&start, &end)| {
            let bytes = text.data.get(start as usize..end as usize);
            String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
        })
        .collect()
}

/// The rows that have a text cell `poison`.
pub fn poisoned(batch: &Batch) -> Vec<u32> {
    (0..batch.rows)
        .filter(|&row| {
            let is_poison = |c: &Column| {
                text_cells(c)
                    .get(row as usize)
                    .is_some_and(|t| t == "poison")
            };
            batch.columns.iter().any(is_poison)
        })
        .collect()
}

/// Whether any text cell is `poison`.
pub fn has_poison(batch: &Batch) -> bool {
    !poisoned(batch).is_empty()
}

/// Offsets and data of these cells.
pub fn variable<T: AsRef<[u8]>>(cells: impl IntoIterator<Item = T>) -> VariableWidth {
    let (mut offsets, mut data) = (vec![0], Vec::new());
    for cell in cells {
        data.extend_from_slice(cell.as_ref());
        offsets.push(data.len() as i32);
    }
    VariableWidth { offsets, data }
}

/// A text column without nulls.
pub fn text<T: AsRef<[u8]>>(cells: impl IntoIterator<Item = T>) -> Column {
    Column {
        values: Values::Text(variable(cells)),
        validity: None,
    }
}

/// A column of integers without nulls.
pub fn int64(cells: impl IntoIterator<Item = i64>) -> Column {
    Column {
        values: Values::Int64(cells.into_iter().collect()),
        validity: None,
    }
}
