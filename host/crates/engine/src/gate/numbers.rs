//! The numbers of a column's values: what a worker knows by itself, without asking those that all know.

use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use arrow_schema::ArrowError;
use glovebox_release::Column;
use hashbrown::HashMap;

use super::cells::texts;

/// Stands for a value that its hierarchy does not have.
pub(super) const UNKNOWN: u32 = u32::MAX;
/// A worker remembers the numbers of so many values of a column.
const REMEMBERED: usize = 1 << 16;
/// Values that were asked for last, by a part of their hash.
const RECENT: usize = 1 << 13;

/// What a worker knows of a column.
#[derive(Default)]
pub(super) struct Known {
    null: Option<u32>,
    /// Whole numbers, or texts of fewer than 8 bytes as such.
    tiny: Remembered<u64>,
    /// Texts of fewer than 16 bytes as numbers.
    short: Remembered<u128>,
    long: HashMap<Box<str>, u32>,
}

/// Values that are numbers, with those that came last in the two places that each may have.
#[derive(Default)]
struct Remembered<K> {
    recent: Vec<(K, u32)>,
    all: HashMap<K, u32>,
}

/// A number of 64 or 128 bits.
trait Value: Copy + Default + Eq + Hash {
    /// The place of a value among those that came last.
    fn place(self) -> usize;
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
        let of = |known: &mut Remembered<u64>, value: i64| {
            #[expect(clippy::cast_sign_loss, reason = "as different as before")]
            let tiny = value as u64;
            known.number(tiny, || intern(shared, Some(&value.to_string())))
        };
        if cells.null_count() == 0 {
            let values = cells.values().iter();
            return values.map(|value| of(&mut self.tiny, *value)).collect();
        }
        let numbers = cells.iter().map(|value| match value {
            Some(value) => of(&mut self.tiny, value),
            None => *self.null.get_or_insert_with(|| intern(shared, None)),
        });
        numbers.collect()
    }

    fn of_texts(&mut self, texts: &StringArray, shared: &Mutex<Column>) -> Vec<u32> {
        let bytes = texts.values().as_slice();
        let at = |offset: &i32| usize::try_from(*offset).unwrap_or(0);
        let bounds = texts.value_offsets().windows(2).enumerate();
        let nulls = texts.nulls();
        let numbers = bounds.map(|(row, bounds)| {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                return *self.null.get_or_insert_with(|| intern(shared, None));
            }
            let [start, end] = bounds else { return UNKNOWN };
            let (start, length) = (at(start), at(end).saturating_sub(at(start)));
            let ask = || intern(shared, Some(texts.value(row)));
            // More bytes than the text's are read at once, where there are such behind it.
            let behind = bytes.get(start..).unwrap_or_default();
            if length < size_of::<u64>() {
                let bytes = behind.first_chunk().map_or_else(
                    || u64::from_le_bytes(padded(behind, length)),
                    |bytes| u64::from_le_bytes(*bytes) & ((1 << (length * 8)) - 1),
                );
                return self.tiny.number(bytes | (length as u64) << 56, ask);
            }
            if length < size_of::<u128>() {
                let bytes = u128::from_le_bytes(padded(behind, length));
                return self.short.number(bytes | (length as u128) << 120, ask);
            }
            let text = texts.value(row);
            if let Some(&number) = self.long.get(text) {
                return number;
            }
            let number = ask();
            if self.long.len() >= REMEMBERED {
                self.long.clear();
            }
            self.long.insert(text.into(), number);
            number
        });
        numbers.collect()
    }
}

impl<K: Value> Remembered<K> {
    #[inline]
    fn number(&mut self, value: K, ask: impl FnOnce() -> u32) -> u32 {
        let place = value.place();
        for place in [place, place ^ 1] {
            // A place in which nothing was yet tells of no value.
            if let Some((recent, number)) = self.recent.get(place)
                && *recent == value
                && *number != UNKNOWN
            {
                return *number;
            }
        }
        self.look_up(value, ask)
    }

    #[inline(never)]
    fn look_up(&mut self, value: K, ask: impl FnOnce() -> u32) -> u32 {
        let number = match self.all.get(&value) {
            Some(number) => *number,
            None => {
                let number = ask();
                if self.all.len() >= REMEMBERED {
                    self.all.clear();
                }
                self.all.insert(value, number);
                number
            }
        };
        if self.recent.is_empty() {
            self.recent.resize(RECENT, (K::default(), UNKNOWN));
        }
        // The one that was in its first place stays in the second.
        let (first, second) = (value.place(), value.place() ^ 1);
        if let Some(before) = self.recent.get(first).copied() {
            if let Some(place) = self.recent.get_mut(second) {
                *place = before;
            }
            if let Some(place) = self.recent.get_mut(first) {
                *place = (value, number);
            }
        }
        number
    }
}

impl Value for u64 {
    fn place(self) -> usize {
        let place = self.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECENT.ilog2());
        usize::try_from(place).unwrap_or_default()
    }
}

impl Value for u128 {
    fn place(self) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "both halves are meant")]
        let (low, high) = (self as u64, (self >> 64) as u64);
        (low ^ high.rotate_left(32)).place()
    }
}

fn intern(shared: &Mutex<Column>, value: Option<&str>) -> u32 {
    let mut column = shared.lock().unwrap_or_else(PoisonError::into_inner);
    column.intern(value).unwrap_or(UNKNOWN)
}

/// The first bytes, so many, and nothing behind them.
fn padded<const N: usize>(bytes: &[u8], length: usize) -> [u8; N] {
    let mut padded = [0; N];
    let text = padded.iter_mut().zip(bytes).take(length);
    text.for_each(|(to, from)| *to = *from);
    padded
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
            "7 bytes",
            "8 bytes.",
            "fifteen bytes,0",
            "sixteen bytes, 0",
            "more than sixteen",
            "a",
        ];
        let nulls = texts
            .map(Some)
            .into_iter()
            .chain([None, Some("\0"), None, Some("12345")]);
        let cells: ArrayRef = Arc::new(nulls.collect::<StringArray>());
        let (shared, mut known) = (column(), Known::default());
        let numbers = known.numbers(&cells, &shared).unwrap();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 9, 10, 9, 3]);
        // From another worker's batch they are the same.
        let again = Known::default()
            .numbers(&cells.slice(3, 11), &shared)
            .unwrap();
        assert_eq!(again, numbers[3..]);

        let whole: ArrayRef = Arc::new(Int64Array::from(vec![
            Some(7),
            None,
            Some(-1),
            Some(7),
            Some(0),
        ]));
        let (shared, mut known) = (column(), Known::default());
        assert_eq!(known.numbers(&whole, &shared).unwrap(), [0, 1, 2, 0, 3]);
        let names = shared.lock().unwrap();
        assert_eq!(
            names.names(0).collect::<Vec<_>>(),
            [Some("7"), None, Some("-1"), Some("0")]
        );

        let dates: ArrayRef = Arc::new(Date32Array::from(vec![1, 2, 1]));
        assert_eq!(
            Known::default().numbers(&dates, &column()).unwrap(),
            [0, 1, 0]
        );
    }
}
