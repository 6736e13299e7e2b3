//! The numbers of a column's values: what a worker knows by itself, without asking those that all know.

use std::sync::{Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use arrow_schema::ArrowError;
use glovebox_release::Column;
use hashbrown::HashMap;

use super::cells::{each, texts};

/// Stands for a value that its hierarchy does not have.
pub(super) const UNKNOWN: u32 = u32::MAX;
/// A worker remembers the numbers of so many values of a column.
const REMEMBERED: usize = 1 << 16;
/// Texts of fewer bytes are looked up as numbers.
const SHORT: usize = 16;

/// Values that were asked for last, by a part of their hash.
const RECENT: usize = 1 << 13;
/// A short value that there is not.
const NONE: u128 = u128::MAX;

/// What a worker knows of a column.
pub(super) struct Known {
    null: Option<u32>,
    /// Whole numbers, and short texts as such.
    short: HashMap<u128, u32>,
    /// Those of them that came last, each in the one place that it may have.
    recent: Vec<(u128, u32)>,
    long: HashMap<Box<str>, u32>,
}

impl Default for Known {
    fn default() -> Self {
        Known {
            null: None,
            short: HashMap::new(),
            recent: vec![(NONE, UNKNOWN); RECENT],
            long: HashMap::new(),
        }
    }
}

impl Known {
    /// The numbers of these cells. What is not known is asked of the column that all share.
    pub(super) fn numbers(
        &mut self,
        cells: &ArrayRef,
        shared: &Mutex<Column>,
    ) -> Result<Vec<u32>, ArrowError> {
        if let Some(cells) = cells.as_primitive_opt::<Int64Type>() {
            return Ok(self.of_whole(cells, shared));
        }
        let texts = texts(cells)?;
        Ok(self.of_texts(&texts, shared))
    }

    fn of_whole(&mut self, cells: &Int64Array, shared: &Mutex<Column>) -> Vec<u32> {
        let values = cells.values().iter().enumerate();
        let numbers = values.map(|(row, value)| {
            if cells.is_null(row) {
                return *self.null.get_or_insert_with(|| intern(shared, None));
            }
            #[expect(clippy::cast_sign_loss, reason = "as different as before")]
            let short = *value as u64;
            self.short(short.into(), || intern(shared, Some(&value.to_string())))
        });
        numbers.collect()
    }

    fn of_texts(&mut self, texts: &StringArray, shared: &Mutex<Column>) -> Vec<u32> {
        let bytes = texts.values().as_slice();
        let starts = texts
            .value_offsets()
            .iter()
            .map(|at| usize::try_from(*at).unwrap_or(0));
        let numbers = each(texts).zip(starts).map(|(text, start)| {
            let Some(text) = text else {
                return *self.null.get_or_insert_with(|| intern(shared, None));
            };
            if text.len() < SHORT {
                let behind = bytes.get(start..).and_then(<[u8]>::first_chunk);
                let short = packed(text.as_bytes(), behind);
                return self.short(short, || intern(shared, Some(text)));
            }
            if let Some(&number) = self.long.get(text) {
                return number;
            }
            let number = intern(shared, Some(text));
            if self.long.len() >= REMEMBERED {
                self.long.clear();
            }
            self.long.insert(text.into(), number);
            number
        });
        numbers.collect()
    }

    fn short(&mut self, value: u128, intern: impl FnOnce() -> u32) -> u32 {
        let place = self.recent.get_mut(place(value));
        if let Some((_, number)) = place.as_deref().filter(|(recent, _)| *recent == value) {
            return *number;
        }
        let number = match self.short.get(&value) {
            Some(number) => *number,
            None => {
                let number = intern();
                if self.short.len() >= REMEMBERED {
                    self.short.clear();
                }
                self.short.insert(value, number);
                number
            }
        };
        if let Some(place) = place {
            *place = (value, number);
        }
        number
    }
}

/// The place of a value among those that came last.
fn place(value: u128) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "both halves are meant")]
    let (low, high) = (value as u64, (value >> 64) as u64);
    let mixed = (low ^ high.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = mixed >> (64 - RECENT.ilog2());
    usize::try_from(place).unwrap_or_default()
}

fn intern(shared: &Mutex<Column>, value: Option<&str>) -> u32 {
    let mut column = shared.lock().unwrap_or_else(PoisonError::into_inner);
    column.intern(value).unwrap_or(UNKNOWN)
}

/// A short text's bytes with their number above them. Where more bytes are `behind` its first, they are read at once.
fn packed(text: &[u8], behind: Option<&[u8; SHORT]>) -> u128 {
    let bytes = match behind {
        Some(behind) => u128::from_le_bytes(*behind) & ((1 << (text.len() * 8)) - 1),
        None => {
            let mut bytes = [0; SHORT];
            bytes
                .iter_mut()
                .zip(text)
                .for_each(|(to, from)| *to = *from);
            u128::from_le_bytes(bytes)
        }
    };
    bytes | (text.len() as u128) << (8 * (SHORT - 1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Date32Array;
    use glovebox_release::Hierarchy;

    use super::*;

    #[test]
    fn equal_values_have_one_number_and_others_another() {
        let column = || Mutex::new(Column::new(Hierarchy::values()));
        let texts = [
            "",
            "a",
            "a\0",
            "12345",
            "fifteen bytes, 0",
            "sixteen bytes, 01",
            "a",
        ];
        let nulls = texts
            .map(Some)
            .into_iter()
            .chain([None, Some("\0"), None, Some("12345")]);
        let cells: ArrayRef = Arc::new(nulls.collect::<StringArray>());
        let (shared, mut known) = (column(), Known::default());
        let numbers = known.numbers(&cells, &shared).unwrap();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 1, 6, 7, 6, 3]);
        // From another worker's batch they are the same.
        let again = Known::default()
            .numbers(&cells.slice(3, 8), &shared)
            .unwrap();
        assert_eq!(again, numbers[3..]);

        let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None, Some(-7), Some(7)]));
        let (shared, mut known) = (column(), Known::default());
        assert_eq!(known.numbers(&whole, &shared).unwrap(), [0, 1, 2, 0]);
        let names = shared.lock().unwrap();
        assert_eq!(
            names.names(0).collect::<Vec<_>>(),
            [Some("7"), None, Some("-7")]
        );

        let dates: ArrayRef = Arc::new(Date32Array::from(vec![1, 2, 1]));
        assert_eq!(
            Known::default().numbers(&dates, &column()).unwrap(),
            [0, 1, 0]
        );
    }
}
