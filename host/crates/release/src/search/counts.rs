//! The rows of each class and value of a sensitive column: a number for each where there are few values, and as they
//! come otherwise.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Bytes that a counted value takes, with what the table has room for beside it and holds while it grows.
const A_VALUE: usize = 52;

#[derive(Default)]
pub(super) struct Counts {
    /// How many values there are.
    values: usize,
    /// Of each class the rows of each value; none where they are counted as they come.
    each: Vec<u64>,
    sparse: HashMap<u64, u64, RandomState>,
}

impl Counts {
    /// Of so many values.
    pub(super) fn new(values: usize) -> Self {
        Counts {
            values,
            ..Counts::default()
        }
    }

    /// Begins anew: of so many places, where that is known, in so many bytes.
    pub(super) fn clear(&mut self, places: Option<usize>, room: usize) {
        self.each.clear();
        self.sparse.clear();
        let all = places.and_then(|places| places.checked_mul(self.values));
        if let Some(all) = all.filter(|all| *all <= room / size_of::<u64>()) {
            self.each.resize(all, 0);
        }
    }

    /// Counts a value; tells whether that took more memory.
    pub(super) fn add(&mut self, place: usize, value: u32, count: u64) -> bool {
        if let Some(rows) = self.each.get_mut(place * self.values + value as usize) {
            *rows += count;
            return false;
        }
        let before = self.sparse.len();
        *self.sparse.entry(pair(place, value)).or_insert(0) += count;
        self.sparse.len() > before
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        self.each.len() * size_of::<u64>() + self.sparse.len() * A_VALUE
    }

    /// The values of each class, by the classes' places, with their rows.
    pub(super) fn values(&self) -> Vec<(u32, u32, u64)> {
        let each = self.each.chunks(self.values.max(1)).zip(0..);
        let each = each.flat_map(|(counts, place)| {
            let counts = counts.iter().zip(0..).filter(|(count, _)| **count > 0);
            counts.map(move |(count, value)| (place, value, *count))
        });
        let sparse = self.sparse.iter().map(|(pair, count)| parts(*pair, *count));
        let mut values: Vec<(u32, u32, u64)> = each.chain(sparse).collect();
        if !self.sparse.is_empty() {
            values.sort_unstable();
        }
        values
    }
}

/// A class and a value. There are fewer places than numbers of 32 bits.
fn pair(place: usize, value: u32) -> u64 {
    (place as u64) << 32 | u64::from(value)
}

#[expect(clippy::cast_possible_truncation, reason = "two halves")]
fn parts(pair: u64, count: u64) -> (u32, u32, u64) {
    ((pair >> 32) as u32, pair as u32, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_alike_whether_there_is_a_number_for_each_or_not() {
        for room in [0, 1 << 10] {
            let mut counts = Counts::new(3);
            counts.clear(Some(4), room);
            let added = [(3, 2, 5), (0, 1, 1), (3, 0, 2), (0, 1, 7)];
            let grown = added.map(|(place, value, count)| counts.add(place, value, count));
            assert_eq!(grown, [true, true, true, false].map(|new| new && room == 0));
            assert_eq!(counts.values(), [(0, 1, 8), (3, 0, 2), (3, 2, 5)]);
            assert!(counts.size() >= 3 * size_of::<u64>());
            counts.clear(None, room);
            assert!(counts.values().is_empty());
        }
    }
}
