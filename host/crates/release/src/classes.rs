//! Rows that look the same, by what is left of their values at one node.

use std::sync::Arc;

use crate::histogram::Histogram;

/// The classes of a histogram.
#[derive(Debug, Clone)]
pub struct Classes {
    keys: Arc<Histogram>,
    classes: Vec<Class>,
    shares: Vec<Shares>,
}

/// Rows that look the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Class {
    /// How many there are.
    pub rows: u64,
    /// How many entities they are of; their number where no entity is declared.
    pub members: u64,
}

/// How often each class has each value of a sensitive column.
#[derive(Debug, Clone, Default)]
pub struct Shares {
    /// Where the values of each class begin.
    starts: Vec<usize>,
    values: Vec<(u32, u64)>,
}

/// What a key has after its quasi-identifiers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) quasi: usize,
    pub(crate) sensitive: usize,
    /// Whether the entity follows, in two numbers.
    pub(crate) entity: bool,
}

impl Layout {
    /// The length of a key.
    fn width(self) -> usize {
        self.quasi + self.sensitive + if self.entity { 2 } else { 0 }
    }
}

impl Shares {
    fn new(mut counted: Vec<(u32, u32, u64)>, classes: usize) -> Self {
        counted.sort_unstable();
        let mut shares = Shares::default();
        let mut last = None;
        for (class, value, count) in counted {
            while shares.starts.len() <= class as usize {
                shares.starts.push(shares.values.len());
            }
            match shares.values.last_mut() {
                Some((_, sum)) if last == Some((class, value)) => *sum += count,
                _ => shares.values.push((value, count)),
            }
            last = Some((class, value));
        }
        shares.starts.resize(classes + 1, shares.values.len());
        shares
    }

    /// Adds a class with its values and their counts, by the order of the values.
    pub(crate) fn push(&mut self, values: impl Iterator<Item = (u32, u64)>) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.values.extend(values);
        self.starts.push(self.values.len());
    }

    /// One that has room for those of others.
    pub(crate) fn with_room<'s>(others: impl Iterator<Item = &'s Shares>) -> Self {
        let sizes = others.map(|other| (other.starts.len(), other.values.len()));
        let (starts, values) = sizes.fold((1, 0), |(a, b), (x, y)| (a + x, b + y));
        Shares {
            starts: Vec::with_capacity(starts),
            values: Vec::with_capacity(values),
        }
    }

    /// Adds the classes of another.
    pub(crate) fn append(&mut self, other: Shares) {
        let before = self.values.len();
        let starts = other.starts.iter().map(|start| before + start);
        self.starts
            .extend(starts.skip(usize::from(!self.starts.is_empty())));
        self.values.extend(other.values);
    }

    /// The values of a class with their counts.
    pub fn of(&self, class: usize) -> &[(u32, u64)] {
        let bounds = self.starts.get(class).zip(self.starts.get(class + 1));
        let values = bounds.and_then(|(from, to)| self.values.get(*from..*to));
        values.unwrap_or_default()
    }
}

impl Classes {
    /// The classes of a histogram whose keys are laid out so.
    pub(crate) fn of(histogram: Arc<Histogram>, layout: Layout) -> Self {
        if layout.width() == layout.quasi {
            let classes = histogram.iter().map(|(_, rows)| Class {
                rows,
                members: rows,
            });
            return Classes {
                classes: classes.collect(),
                keys: histogram,
                shares: Vec::new(),
            };
        }
        let mut keys = Histogram::new(layout.quasi);
        let mut classes: Vec<Class> = Vec::new();
        let mut shares = vec![Vec::new(); layout.sensitive];
        let mut members = Vec::new();
        for (key, count) in histogram.iter() {
            let (quasi, rest) = key.split_at_checked(layout.quasi).unwrap_or_default();
            let Some(class) = keys.add(quasi, count) else {
                continue;
            };
            if class == classes.len() {
                classes.push(Class::default());
            }
            if let Some(class) = classes.get_mut(class) {
                class.rows += count;
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a histogram has no more places"
            )]
            let class = class as u32;
            for (shares, &value) in shares.iter_mut().zip(rest) {
                shares.push((class, value, count));
            }
            if layout.entity {
                // Without an allocation: there may be as many as rows.
                let entity = rest.get(layout.sensitive..).and_then(<[u32]>::first_chunk);
                members.push((class, entity.copied().unwrap_or([0; 2])));
            }
        }
        match layout.entity {
            false => classes
                .iter_mut()
                .for_each(|class| class.members = class.rows),
            true => {
                members.sort_unstable();
                members.dedup();
                for (class, _) in members {
                    if let Some(class) = classes.get_mut(class as usize) {
                        class.members += 1;
                    }
                }
            }
        }
        let shares = shares.into_iter();
        Classes {
            shares: shares
                .map(|counted| Shares::new(counted, classes.len()))
                .collect(),
            keys: Arc::new(keys),
            classes,
        }
    }

    /// Classes that were counted elsewhere, in the order of their keys.
    pub(crate) fn made(keys: Arc<Histogram>, classes: Vec<Class>, shares: Vec<Shares>) -> Self {
        Classes {
            keys,
            classes,
            shares,
        }
    }

    /// With what others have of the classes of which `changed` says so, or without those that they do not have.
    #[must_use]
    pub fn changed(&self, others: &Classes, changed: &dyn Fn(&[u32]) -> bool) -> Self {
        let place = |at: usize, key: &[u32]| match changed(key) {
            false => Some((self, at)),
            true => others.find(key).map(|at| (others, at)),
        };
        let all = || {
            self.iter()
                .enumerate()
                .map(|(at, (key, _))| (key, place(at, key)))
        };
        let mut classes: Vec<Class> = Vec::with_capacity(self.len());
        let mut shares = vec![Shares::default(); self.shares.len()];
        for (from, at) in all().filter_map(|(_, place)| place) {
            classes.extend(from.classes.get(at));
            for (shares, of) in shares.iter_mut().zip(&from.shares) {
                shares.push(of.of(at).iter().copied());
            }
        }
        // There may be millions of keys, of which one copy is enough where none is left out.
        let keys = match classes.len() == self.len() {
            true => Arc::clone(&self.keys),
            false => {
                let mut keys = Histogram::with_room(self.keys.width(), classes.len());
                let left = all().filter(|(_, place)| place.is_some());
                for ((key, _), class) in left.zip(&classes) {
                    keys.add_new(key, class.rows);
                }
                Arc::new(keys)
            }
        };
        Classes::made(keys, classes, shares)
    }

    /// The class that has this key.
    pub fn find(&self, key: &[u32]) -> Option<usize> {
        self.keys.find(key)
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The classes, in the order in which they came first.
    pub fn iter(&self) -> impl Iterator<Item = (&[u32], Class)> {
        let keys = self.keys.iter().map(|(key, _)| key);
        keys.zip(self.classes.iter().copied())
    }

    /// How often each class has each value, for each sensitive column.
    pub fn shares(&self) -> &[Shares] {
        &self.shares
    }

    /// The rows of all.
    pub fn rows(&self) -> u64 {
        self.classes.iter().map(|class| class.rows).sum()
    }

    /// Of each value of a sensitive column its share in the rows of the classes that are kept.
    pub(crate) fn all(
        &self,
        shares: &Shares,
        values: usize,
        kept: impl Fn(usize) -> bool,
    ) -> Vec<f64> {
        let mut counts = vec![0_u64; values];
        for class in (0..self.len()).filter(|class| kept(*class)) {
            for &(value, count) in shares.of(class) {
                if let Some(sum) = counts.get_mut(value as usize) {
                    *sum += count;
                }
            }
        }
        shares_of(&counts)
    }
}

/// Of each value its share in the rows of all.
pub(crate) fn shares_of(counts: &[u64]) -> Vec<f64> {
    let rows: u64 = counts.iter().sum();
    let share = |&count: &u64| count as f64 / rows.max(1) as f64;
    counts.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_entities_and_values_are_counted_by_class() {
        let layout = Layout {
            quasi: 1,
            sensitive: 1,
            entity: true,
        };
        let mut histogram = Histogram::new(4);
        for (key, count) in [
            ([7, 0, 1, 1], 2),
            ([7, 1, 1, 1], 1),
            ([7, 1, 1, 2], 4),
            ([8, 1, 1, 2], 1),
        ] {
            histogram.add(&key, count);
        }
        let classes = Classes::of(Arc::new(histogram), layout);
        let found: Vec<_> = classes.iter().map(|(key, class)| (key[0], class)).collect();
        let class = |rows, members| Class { rows, members };
        assert_eq!(found, [(7, class(7, 2)), (8, class(1, 1))]);
        let [shares] = classes.shares() else {
            panic!("one column")
        };
        assert_eq!(shares.of(0), [(0, 2), (1, 5)]);
        assert_eq!(shares.of(1), [(1, 1)]);
        assert_eq!(classes.all(shares, 3, |_| true), [0.25, 0.75, 0.0]);
        assert_eq!(classes.all(shares, 2, |class| class == 1), [0.0, 1.0]);
    }

    #[test]
    fn what_changed_of_classes_is_taken_from_others() {
        let layout = Layout {
            quasi: 1,
            sensitive: 1,
            entity: false,
        };
        let classes = |keys: &[[u32; 2]]| {
            let mut histogram = Histogram::new(2);
            for key in keys {
                histogram.add(key, 1);
            }
            Classes::of(Arc::new(histogram), layout)
        };
        let all = classes(&[[7, 0], [7, 1], [8, 1], [9, 0], [9, 0]]);
        let others = classes(&[[9, 2], [7, 0]]);
        let changed = all.changed(&others, &|key| key != [8] && key != [7]);
        let rows: Vec<_> = changed
            .iter()
            .map(|(key, class)| (key[0], class.rows))
            .collect();
        assert_eq!(rows, [(7, 2), (8, 1), (9, 1)]);
        let values: Vec<_> = (0..3)
            .map(|at| changed.shares()[0].of(at).to_vec())
            .collect();
        assert_eq!(values, [vec![(0, 1), (1, 1)], vec![(1, 1)], vec![(2, 1)]]);
        assert_eq!(all.changed(&others, &|key| key == [8]).len(), 2);
    }

    #[test]
    fn without_a_quasi_identifier_all_rows_are_one_class() {
        let mut histogram = Histogram::new(0);
        histogram.add(&[], 3);
        let classes = Classes::of(Arc::new(histogram), Layout::default());
        assert_eq!((classes.len(), classes.rows()), (1, 3));
    }
}
