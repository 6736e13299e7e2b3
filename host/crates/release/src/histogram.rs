//! How often each combination of numbers occurs.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Keys of a fixed length, each with how often it was counted.
#[derive(Debug, Clone)]
pub struct Histogram {
    width: usize,
    keys: Vec<u32>,
    counts: Vec<u64>,
    /// The places of keys, once one is looked for.
    table: OnceLock<HashTable<u32>>,
    hasher: RandomState,
}

impl Histogram {
    /// One of keys of this length, which has none.
    pub fn new(width: usize) -> Self {
        Histogram {
            width,
            keys: Vec::new(),
            counts: Vec::new(),
            table: OnceLock::new(),
            hasher: RandomState::default(),
        }
    }

    /// One that has room for so many keys.
    pub(crate) fn with_room(width: usize, keys: usize) -> Self {
        Histogram {
            keys: Vec::with_capacity(width * keys),
            counts: Vec::with_capacity(keys),
            ..Histogram::new(width)
        }
    }

    /// Counts a key so often more; returns its place. A key of another length is not counted.
    pub fn add(&mut self, key: &[u32], count: u64) -> Option<usize> {
        if key.len() != self.width {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        if let Some(place) = self.place(hash, key) {
            *self.counts.get_mut(place)? += count;
            return Some(place);
        }
        let place = u32::try_from(self.counts.len()).ok()?;
        let (keys, width, hasher) = (&self.keys, self.width, &self.hasher);
        let table = self.table.get_mut()?;
        table.insert_unique(hash, place, |&place| {
            hasher.hash_one(key_at(keys, width, place))
        });
        self.keys.extend_from_slice(key);
        self.counts.push(count);
        Some(place as usize)
    }

    /// Counts a key that was not counted yet.
    pub(crate) fn add_new(&mut self, key: &[u32], count: u64) {
        self.table.take();
        self.keys.extend_from_slice(key);
        self.counts.push(count);
    }

    fn places(&self) -> &HashTable<u32> {
        self.table.get_or_init(|| {
            let mut table = HashTable::with_capacity(self.counts.len());
            let hash = |place| self.hasher.hash_one(key_at(&self.keys, self.width, place));
            for place in (0..).take(self.counts.len()) {
                table.insert_unique(hash(place), place, |&place| hash(place));
            }
            table
        })
    }

    /// The place of a key that was counted.
    pub fn find(&self, key: &[u32]) -> Option<usize> {
        self.place(self.hasher.hash_one(key), key)
    }

    fn place(&self, hash: u64, key: &[u32]) -> Option<usize> {
        let same = |&place: &u32| key_at(&self.keys, self.width, place) == key;
        self.places().find(hash, same).map(|&place| place as usize)
    }

    /// How many different keys there are.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The length of its keys.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The keys with their counts, in the order in which they came first.
    pub fn iter(&self) -> impl Iterator<Item = (&[u32], u64)> {
        // Without a column every row is alike.
        let keys = (0..self.counts.len()).map(|at| {
            let key = self.keys.get(at * self.width..(at + 1) * self.width);
            key.unwrap_or_default()
        });
        keys.zip(self.counts.iter().copied())
    }

    /// Some keys behind each other, from this place on, and their counts.
    pub(crate) fn slice(&self, from: usize, most: usize) -> (&[u32], &[u64]) {
        let to = (from + most).min(self.len());
        let keys = self.keys.get(from * self.width..to * self.width);
        (
            keys.unwrap_or_default(),
            self.counts.get(from..to).unwrap_or_default(),
        )
    }

    /// Bytes that it holds.
    pub fn size(&self) -> usize {
        self.keys.capacity() * size_of::<u32>()
            + self.counts.capacity() * size_of::<u64>()
            + self.table.get().map_or(0, HashTable::capacity) * (size_of::<u32>() + 1)
    }
}

fn key_at(keys: &[u32], width: usize, place: u32) -> &[u32] {
    let start = place as usize * width;
    keys.get(start..start + width).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_as_a_map_does(keys in prop::collection::vec(([0_u32..6, 0..6], 1_u64..9), 0..200)) {
            let mut histogram = Histogram::new(2);
            let mut map = BTreeMap::new();
            for (key, count) in &keys {
                histogram.add(key, *count);
                *map.entry(key.to_vec()).or_insert(0) += count;
            }
            prop_assert_eq!(histogram.len(), map.len());
            prop_assert_eq!(histogram.total(), map.values().sum::<u64>());
            let found: BTreeMap<_, _> = histogram.iter().map(|(k, n)| (k.to_vec(), n)).collect();
            prop_assert_eq!(&found, &map);
        }
    }

    #[test]
    fn keys_that_were_not_looked_for_are_found() {
        let mut histogram = Histogram::with_room(2, 3);
        for key in [[1, 2], [2, 1], [0, 0]] {
            histogram.add_new(&key, 4);
        }
        assert_eq!(histogram.find(&[2, 1]), Some(1));
        assert_eq!(histogram.add(&[0, 0], 1), Some(2));
        assert_eq!(histogram.add(&[9, 9], 1), Some(3));
        assert_eq!((histogram.find(&[9, 9]), histogram.total()), (Some(3), 14));
    }

    #[test]
    fn a_key_of_another_length_is_not_counted() {
        let mut histogram = Histogram::new(2);
        assert_eq!(histogram.add(&[1], 1), None);
        assert!(histogram.is_empty());
    }
}
