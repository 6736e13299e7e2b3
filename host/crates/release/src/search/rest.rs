//! What an entry has beside its class, as numbers of 64 bits: in the first the entity in the highest bits, a field for
//! each sensitive column's value, and the count in the lowest; in more the values for which it has no room.

use super::Over;
use crate::base::Block;
use crate::column::Column;

/// The count of an entry with an entity has so many bits; what is counted more often is several entries.
const COUNT_OF_ENTITY: u32 = 4;
/// The count has so many bits otherwise, at least and at most.
const LEAST_COUNT: u32 = 8;
const MOST_COUNT: u32 = 40;
/// And an entity at least. Entities that are alike in these count as one, so that the search errs to the safe
/// side; the members of the node that is found are counted by this number, too.
const LEAST_ENTITY: u32 = 40;

/// How what is beside a class is packed.
pub(super) struct Rest {
    quasi: usize,
    values: Vec<Value>,
    count_bits: u32,
    /// How many bits the entity has, where there is one.
    entity: Option<u32>,
    /// How many numbers it is.
    numbers: usize,
}

#[derive(Clone, Copy)]
struct Value {
    word: usize,
    shift: u32,
    mask: u64,
}

impl Rest {
    pub(super) fn new(over: &Over<'_>) -> Self {
        let least = match over.entity {
            true => COUNT_OF_ENTITY + LEAST_ENTITY,
            false => LEAST_COUNT,
        };
        // Of each number the bits that are left, and those of the values in it.
        let mut left = vec![64 - least];
        let mut used = vec![0];
        let mut values = Vec::new();
        for bits in over.sensitive.iter().map(Column::bits) {
            let word = left.iter().position(|left| *left >= bits);
            let word = word.unwrap_or_else(|| {
                left.push(64);
                used.push(0);
                left.len() - 1
            });
            if let Some((left, used)) = left.get_mut(word).zip(used.get_mut(word)) {
                values.push(Value {
                    word,
                    shift: *used,
                    mask: (1 << bits) - 1,
                });
                *left -= bits;
                *used += bits;
            }
        }
        let first = 64 - used.first().copied().unwrap_or(0);
        let count_bits = match over.entity {
            true => COUNT_OF_ENTITY,
            false => first.min(MOST_COUNT),
        };
        // The count is below the first number's.
        for value in values.iter_mut().filter(|value| value.word == 0) {
            value.shift += count_bits;
        }
        // A value of one kind has no bits, wherever it is.
        values
            .iter_mut()
            .for_each(|value| value.shift = value.shift.min(63));
        Rest {
            quasi: over.quasi.len(),
            values,
            count_bits,
            entity: over.entity.then(|| first - count_bits),
            numbers: used.len(),
        }
    }

    /// How many numbers it is.
    pub(super) fn numbers(&self) -> usize {
        self.numbers
    }

    /// The largest count that an entry can have.
    pub(super) fn most(&self) -> u64 {
        (1 << self.count_bits) - 1
    }

    /// Puts what the keys of a block have beside their classes, without their counts, at the end of their entries, which
    /// have so many numbers.
    pub(super) fn of(&self, block: &Block, numbers: usize, entries: &mut [u64]) {
        let first = numbers.saturating_sub(self.numbers);
        let mut columns = block.columns.iter().skip(self.quasi);
        for (value, column) in self.values.iter().zip(columns.by_ref()) {
            let places = entries.iter_mut().skip(first + value.word);
            for (rest, number) in places.step_by(numbers.max(1)).zip(column) {
                *rest |= u64::from(*number) << value.shift;
            }
        }
        let halves = columns.next().zip(columns.next());
        if let Some((bits, (high, low))) = self.entity.zip(halves) {
            let places = entries.iter_mut().skip(first).step_by(numbers.max(1));
            for (rest, (high, low)) in places.zip(high.iter().zip(low)) {
                let entity = mixed(u64::from(*high) << 32 | u64::from(*low));
                *rest |= entity >> (64 - bits) << (64 - bits);
            }
        }
    }

    pub(super) fn count(&self, rest: &[u64]) -> u64 {
        rest.first().map_or(0, |first| first & self.most())
    }

    /// Whether there is an entity.
    pub(super) fn has_entity(&self) -> bool {
        self.entity.is_some()
    }

    /// The entity, where there is one.
    pub(super) fn entity(&self, rest: &[u64]) -> Option<u64> {
        let (bits, first) = self.entity.zip(rest.first())?;
        Some(first >> (64 - bits))
    }

    /// The sensitive values.
    pub(super) fn values(&self, rest: &[u64]) -> impl Iterator<Item = u32> {
        self.values.iter().map(move |value| {
            let number = rest.get(value.word).copied().unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, reason = "a column's number")]
            let number = (number >> value.shift & value.mask) as u32;
            number
        })
    }
}

/// A number whose bits each depend on all of that one's; no two have the same.
pub(super) fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ number >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ number >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Base;
    use crate::criteria::Criteria;
    use crate::hierarchy::Hierarchy;
    use crate::histogram::Histogram;

    fn column(values: u32) -> Column {
        let mut column = Column::new(Hierarchy::values());
        (0..values).for_each(|value| assert!(column.intern(Some(&value.to_string())).is_some()));
        column
    }

    #[test]
    fn values_and_entities_come_back() {
        let quasi = [column(2)];
        let few = [column(5), column(1), column(300)];
        let mut counts = Histogram::new(6);
        counts.add(&[1, 4, 0, 299, 7, 9], 1);
        counts.add(&[0, 0, 0, 1, 7, 8], 3);
        let criteria = Criteria::default();
        let over = Over {
            quasi: &quasi,
            sensitive: &few,
            entity: true,
            counts: &counts,
            criteria: &criteria,
            suppress_at_most: 0,
            spill: None,
            threads: 1,
            stop: &|| false,
        };
        let rest = Rest::new(&over);
        assert_eq!(rest.numbers(), 1);
        let mut block = Block::default();
        counts.read(0, &mut block).unwrap();
        // Behind a class of one number.
        let mut entries = vec![0; 4];
        rest.of(&block, 2, &mut entries);
        assert_eq!((entries[0], entries[2]), (0, 0));
        let rests = [[entries[1]], [entries[3]]];
        let values: Vec<Vec<u32>> = rests.iter().map(|r| rest.values(r).collect()).collect();
        assert_eq!(values, [[4, 0, 299], [0, 0, 1]]);
        assert!(rest.entity(&rests[0]).is_some());
        assert_ne!(rest.entity(&rests[0]), rest.entity(&rests[1]));
        assert_eq!(rest.count(&[rests[0][0] | 3]), 3);
        let without = Over {
            entity: false,
            ..over
        };
        let rest = Rest::new(&without);
        assert!(!rest.has_entity() && rest.entity(&[1 << 63]).is_none());
    }

    #[test]
    fn what_does_not_fit_is_in_more_numbers() {
        let many = [column(70_000), column(9), column(1), column(70_000)];
        let mut counts = Histogram::new(6);
        counts.add(&[69_999, 8, 0, 69_998, 7, 9], 1);
        let criteria = Criteria::default();
        for (entity, numbers) in [(true, 2), (false, 1)] {
            let over = Over {
                quasi: &[],
                sensitive: &many,
                entity,
                counts: &counts,
                criteria: &criteria,
                suppress_at_most: 0,
                spill: None,
                threads: 1,
                stop: &|| false,
            };
            let rest = Rest::new(&over);
            assert_eq!(rest.numbers(), numbers);
            let mut block = Block::default();
            counts.read(0, &mut block).unwrap();
            let mut entries = vec![0; numbers];
            rest.of(&block, numbers, &mut entries);
            let values: Vec<u32> = rest.values(&entries).collect();
            assert_eq!(values, [69_999, 8, 0, 69_998]);
            assert_eq!(rest.entity(&entries).is_some(), entity);
            assert_eq!(rest.count(&entries), 0);
        }
    }
}
