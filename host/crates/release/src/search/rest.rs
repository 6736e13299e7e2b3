//! What an entry has beside its class, as a number of 64 bits: the entity in the highest, a field for each
//! sensitive column's value, and the count in the lowest.

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
}

#[derive(Clone, Copy)]
struct Value {
    shift: u32,
    mask: u64,
}

impl Rest {
    /// None where it does not fit.
    pub(super) fn new(over: &Over<'_>) -> Option<Self> {
        let of_values: Vec<u32> = over.sensitive.iter().map(Column::bits).collect();
        let left = 64_u32.checked_sub(of_values.iter().sum())?;
        let count_bits = match over.entity {
            true => COUNT_OF_ENTITY,
            false => left.min(MOST_COUNT),
        };
        let entity = over.entity.then(|| left.saturating_sub(count_bits));
        if entity.is_some_and(|bits| bits < LEAST_ENTITY)
            || entity.is_none() && count_bits < LEAST_COUNT
        {
            return None;
        }
        let mut shift = count_bits;
        let values = of_values.into_iter().map(|bits| {
            let value = Value {
                shift: shift.min(63),
                mask: (1 << bits) - 1,
            };
            shift += bits;
            value
        });
        Some(Rest {
            quasi: over.quasi.len(),
            values: values.collect(),
            count_bits,
            entity,
        })
    }

    /// The largest count that an entry can have.
    pub(super) fn most(&self) -> u64 {
        (1 << self.count_bits) - 1
    }

    /// What the keys of a block have beside their classes, without their counts.
    pub(super) fn of(&self, block: &Block, rests: &mut Vec<u64>) {
        rests.clear();
        rests.resize(block.keys, 0);
        let mut columns = block.columns.iter().skip(self.quasi);
        for (value, column) in self.values.iter().zip(columns.by_ref()) {
            for (rest, number) in rests.iter_mut().zip(column) {
                *rest |= u64::from(*number) << value.shift;
            }
        }
        let halves = columns.next().zip(columns.next());
        if let Some((bits, (high, low))) = self.entity.zip(halves) {
            for (rest, (high, low)) in rests.iter_mut().zip(high.iter().zip(low)) {
                let entity = mixed(u64::from(*high) << 32 | u64::from(*low));
                *rest |= entity >> (64 - bits) << (64 - bits);
            }
        }
    }

    pub(super) fn count(&self, rest: u64) -> u64 {
        rest & self.most()
    }

    /// The entity, where there is one.
    pub(super) fn entity(&self, rest: u64) -> Option<u64> {
        self.entity.map(|bits| rest >> (64 - bits))
    }

    /// The sensitive values.
    pub(super) fn values(&self, rest: u64) -> impl Iterator<Item = u32> {
        self.values.iter().map(move |value| {
            #[expect(clippy::cast_possible_truncation, reason = "a column's number")]
            let number = (rest >> value.shift & value.mask) as u32;
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
    fn values_and_entities_come_back_and_what_does_not_fit_is_refused() {
        let quasi = [column(2)];
        let (few, many) = (
            [column(5), column(1), column(300)],
            [column(70_000), column(9)],
        );
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
        let rest = Rest::new(&over).unwrap();
        let (mut block, mut rests) = (Block::default(), Vec::new());
        counts.read(0, &mut block).unwrap();
        rest.of(&block, &mut rests);
        let values: Vec<Vec<u32>> = rests.iter().map(|r| rest.values(*r).collect()).collect();
        assert_eq!(values, [[4, 0, 299], [0, 0, 1]]);
        assert!(rest.entity(rests[0]).is_some());
        assert_ne!(rest.entity(rests[0]), rest.entity(rests[1]));
        assert_eq!(rest.count(rests[0] | 3), 3);
        let over = Over {
            sensitive: &many,
            ..over
        };
        assert!(Rest::new(&over).is_none(), "an entity has too few bits");
        let without = Over {
            entity: false,
            ..over
        };
        assert!(Rest::new(&without).is_some_and(|rest| rest.entity(1 << 63).is_none()));
    }
}
