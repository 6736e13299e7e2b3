//! The leak guard: finds the rows whose masked cell still holds the raw one, whole, in whatever
//! case and with whatever separators.

pub(crate) mod text;
mod values;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::{ArrowError, DataType as ArrowType};
use glovebox_core::{Kept, Spans, Target};

use self::values::Forms;

/// A column that is guarded, and what its step may keep of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    /// Index into the granted fields; in the masks grant.
    pub column: usize,
    /// Which cells may be found whole: what the plugin declared, within what it was granted.
    pub kept: Kept,
}

/// How the cells of a guarded column were masked.
#[derive(Debug, Clone, Copy)]
pub enum Mask<'a> {
    /// By values that the plugin computed.
    Values(&'a ArrayRef),
    /// By null, or by the host with a key: these cells, and no others. What the host made of them
    /// is not looked at: the plugin had no hand in it, and a short cell can stand in a digest by
    /// chance.
    Pointed(&'a Target),
    /// Not at all.
    None,
}

/// The rows, ascending, whose raw cell is found whole in its mask although the step may not keep it.
///
/// # Errors
/// Only for columns of a type that no manifest can name.
pub fn leaks(kept: &Kept, raw: &ArrayRef, mask: Mask<'_>) -> Result<Vec<u32>, ArrowError> {
    if *kept == Kept::Cells {
        return Ok(Vec::new());
    }
    let mut rows = match mask {
        Mask::Values(masked) => values::same_rows(raw, masked, constant(kept))?,
        Mask::Pointed(Target::Cells) => Vec::new(),
        Mask::Pointed(Target::Rows(marks)) => {
            untouched(raw, |row| row < marks.len() && is_marked(marks, row))
        }
        Mask::Pointed(Target::Spans(spans)) => {
            let touched = touched(raw, spans);
            untouched(raw, |row| touched.binary_search(&row).is_ok())
        }
        Mask::None => untouched(raw, |_| false),
    };
    if let Kept::Characters(most) = kept
        && !rows.is_empty()
    {
        let forms = Forms::of(raw)?;
        rows.retain(|&row| {
            let mut letters = 0;
            forms.each(row as usize, &mut |form| {
                letters = letters.max(text::letters(form));
            });
            letters > *most as usize
        });
    }
    Ok(rows)
}

fn constant(kept: &Kept) -> Option<&str> {
    match kept {
        Kept::Constant(text) => Some(text),
        _ => None,
    }
}

fn is_marked(marks: &BooleanArray, row: usize) -> bool {
    marks.is_valid(row) && marks.value(row)
}

/// The rows with a cell that nothing was done to.
fn untouched(raw: &ArrayRef, touched: impl Fn(usize) -> bool) -> Vec<u32> {
    let is_empty = |row: usize| match raw.data_type() {
        ArrowType::Utf8 => raw.as_string::<i32>().value(row).is_empty(),
        ArrowType::Binary => raw.as_binary::<i32>().value(row).is_empty(),
        _ => false,
    };
    (0..raw.len())
        .filter(|&row| raw.is_valid(row) && !touched(row) && !is_empty(row))
        .filter_map(|row| u32::try_from(row).ok())
        .collect()
}

/// The rows, ascending, of which a span takes a letter or digit; of a cell that has none, anything.
fn touched(raw: &ArrayRef, spans: &Spans) -> Vec<usize> {
    let Some(cells) = raw.as_string_opt::<i32>() else {
        return Vec::new();
    };
    let mut touched: Vec<usize> = Vec::new();
    let places = spans.starts.iter().zip(&spans.ends);
    for (&row, (&start, &end)) in spans.rows.iter().zip(places) {
        let row = row as usize;
        if touched.last() == Some(&row) || row >= cells.len() || cells.is_null(row) {
            continue;
        }
        let cell = cells.value(row);
        let span = cell.get(start as usize..end as usize).unwrap_or_default();
        let takes = match text::letters(span) {
            0 => !span.is_empty() && text::letters(cell) == 0,
            _ => true,
        };
        if takes {
            touched.push(row);
        }
    }
    touched
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
