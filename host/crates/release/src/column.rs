//! The values of one column as numbers, and what they become at each level.

use std::cmp::Ordering;

use hashbrown::HashMap;

use crate::hierarchy::{Hierarchy, TOP};

/// The values that occur in a column, numbered as they come. A cell without a value is one of them,
/// equal to itself and to nothing else below the last level.
#[derive(Debug, Clone)]
pub struct Column {
    hierarchy: Hierarchy,
    ids: HashMap<Option<Box<str>>, u32>,
    levels: Vec<Level>,
}

/// The groups of values at one level.
#[derive(Debug, Clone, Default)]
struct Level {
    ids: HashMap<Option<Box<str>>, u32>,
    names: Vec<Option<Box<str>>>,
    /// The group of each value.
    of: Vec<u32>,
}

/// How a column's values follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// As numbers.
    Numbers,
    /// As text, byte by byte.
    Text,
}

impl Column {
    /// A column of which no value is known yet.
    pub fn new(hierarchy: Hierarchy) -> Self {
        let levels = vec![Level::default(); hierarchy.levels()];
        Column {
            hierarchy,
            ids: HashMap::new(),
            levels,
        }
    }

    /// The number of a value; none if its hierarchy does not have it, or there are too many.
    pub fn intern(&mut self, value: Option<&str>) -> Option<u32> {
        if let Some(&id) = self.ids.get(&Key(value)) {
            return Some(id);
        }
        let id = u32::try_from(self.ids.len())
            .ok()
            .filter(|id| *id != u32::MAX)?;
        let last = self.levels.len().checked_sub(1)?;
        let mut names = Vec::with_capacity(self.levels.len());
        for level in 0..=last {
            names.push(match value {
                Some(value) => Some(self.hierarchy.at(value, level)?),
                None if level == last => Some(TOP.into()),
                None => None,
            });
        }
        for (level, name) in self.levels.iter_mut().zip(names) {
            let next = u32::try_from(level.names.len()).ok()?;
            let group = match level.ids.get(&Key(name.as_deref())) {
                Some(&group) => group,
                None => {
                    let name: Option<Box<str>> = name.map(|name| name.into());
                    level.names.push(name.clone());
                    level.ids.insert(name, next);
                    next
                }
            };
            level.of.push(group);
        }
        self.ids.insert(value.map(Into::into), id);
        Some(id)
    }

    /// How many values are known.
    pub fn values(&self) -> usize {
        self.ids.len()
    }

    /// How many bits tell its values apart.
    pub(crate) fn bits(&self) -> u32 {
        usize::BITS - self.values().saturating_sub(1).leading_zeros()
    }

    /// How many levels there are.
    pub fn levels(&self) -> usize {
        self.levels.len()
    }

    /// How many groups a level has.
    pub fn groups(&self, level: usize) -> usize {
        self.levels.get(level).map_or(0, |level| level.names.len())
    }

    /// The group of each value at a level.
    pub fn group_of(&self, level: usize) -> &[u32] {
        self.levels.get(level).map_or(&[], |level| &level.of)
    }

    /// What the groups of a level are called; none is a cell without a value.
    pub fn names(&self, level: usize) -> impl Iterator<Item = Option<&str>> {
        let level = self.levels.get(level);
        level
            .into_iter()
            .flat_map(|level| level.names.iter().map(Option::as_deref))
    }

    /// For each group of a level, the group of a more general one in which it is.
    pub(crate) fn up(&self, from: usize, to: usize) -> Vec<u32> {
        let mut up = vec![0; self.groups(from)];
        for (&from, &to) in self.group_of(from).iter().zip(self.group_of(to)) {
            if let Some(up) = up.get_mut(from as usize) {
                *up = to;
            }
        }
        up
    }

    /// The values in their order, by their numbers: as numbers where all are such, and as text
    /// otherwise. A cell without a value comes first.
    pub fn ordered(&self) -> (Rank, Vec<u32>) {
        let mut values: Vec<(Option<&str>, Option<f64>, u32)> = self
            .ids
            .iter()
            .map(|(value, id)| {
                let number = value.as_deref().and_then(|v| v.parse().ok());
                (value.as_deref(), number, *id)
            })
            .collect();
        let numbers = values
            .iter()
            .all(|(value, number, _)| number.is_some() || value.is_none());
        let rank = if numbers { Rank::Numbers } else { Rank::Text };
        values.sort_by(|(a, x, _), (b, y, _)| match (rank, x, y) {
            (Rank::Numbers, Some(x), Some(y)) => x.partial_cmp(y).unwrap_or(Ordering::Equal),
            _ => a.cmp(b),
        });
        (rank, values.into_iter().map(|(_, _, id)| id).collect())
    }
}

/// A value that is looked up.
#[derive(Hash)]
struct Key<'a>(Option<&'a str>);

impl hashbrown::Equivalent<Option<Box<str>>> for Key<'_> {
    fn equivalent(&self, key: &Option<Box<str>>) -> bool {
        self.0 == key.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_as_they_come_and_grouped_by_level() {
        let mut ages = Column::new(Hierarchy::widths(vec![1, 10]).unwrap());
        let ids: Vec<_> = ["31", "7", "31", "39"].map(|v| ages.intern(Some(v))).into();
        assert_eq!(ids, [Some(0), Some(1), Some(0), Some(2)]);
        assert_eq!(ages.intern(None), Some(3));
        assert_eq!(ages.intern(Some("old")), None);
        assert_eq!(ages.group_of(1), [0, 1, 0, 2]);
        assert_eq!(
            ages.names(1).collect::<Vec<_>>(),
            [Some("30-39"), Some("0-9"), None]
        );
        // Nothing is left of what has no value either.
        assert_eq!(ages.names(2).collect::<Vec<_>>(), [Some("*")]);
        assert_eq!(ages.up(0, 1), [0, 1, 0, 2]);
        assert_eq!(ages.up(1, 2), [0, 0, 0]);
        assert_eq!(ages.ordered(), (Rank::Numbers, vec![3, 1, 0, 2]));
    }
}
