//! Combinations as numbers of 64 bits: a field for each column's value or group, and the count in the lowest.
//!
//! One column is the *main* one: its values are numbered so that those of a group follow each other at every
//! level. Entries that are kept by its numbers can so be counted piece by piece, since no class is in two groups.

use super::terms::{Term, Terms};
use super::{Node, Over};
use crate::column::Column;

/// Fields of so many bits are looked up together.
const TOGETHER: u32 = 13;
/// The count has so many bits at least.
const LEAST_COUNT: u32 = 8;
/// And no more than this, beyond which nothing is gained.
const MOST_COUNT: u32 = 40;

/// How a combination is packed.
pub(super) struct Packing<'a> {
    quasi: &'a [Column],
    fields: Vec<Field>,
    count_bits: u32,
    /// The column that orders entries; none where there is no column.
    main: usize,
    /// For each value of the main column its place among them, and of each level the groups.
    places: Vec<u32>,
    levels: Vec<Ordered>,
}

#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    bits: u32,
}

/// The groups of the main column at a level, numbered in the order of its values' places.
struct Ordered {
    /// By the place of a value.
    of: Vec<u32>,
    /// What the column numbers them.
    ids: Vec<u32>,
}

/// How the cells of a table are numbered, in which each class of a node has one.
pub(super) struct Cells {
    /// Of each column the factor of its group.
    steps: Vec<u64>,
    groups: Vec<u64>,
    main: usize,
}

/// The entries of cells: of those whose number is less than that of one in the upper columns, and of the rest.
pub(super) struct Entries {
    low: Vec<u64>,
    high: Vec<u64>,
}

impl<'a> Packing<'a> {
    /// None where combinations do not fit, or are of more than quasi-identifiers.
    pub(super) fn new(over: &Over<'a>) -> Option<Self> {
        let quasi = over.quasi;
        if over.entity || !over.sensitive.is_empty() || quasi.is_empty() {
            return None;
        }
        let most = |at: &usize| quasi.get(*at).map(Column::values);
        let main = (0..quasi.len()).rev().max_by_key(most)?;
        let bits =
            |column: &Column| usize::BITS - column.values().saturating_sub(1).leading_zeros();
        let key_bits: u32 = quasi.iter().map(bits).sum();
        let count_bits = 64_u32.checked_sub(key_bits)?.min(MOST_COUNT);
        let k_bits = 64 - over.criteria.k.leading_zeros();
        if count_bits < LEAST_COUNT.max(k_bits) {
            return None;
        }
        let mut fields = vec![Field { shift: 0, bits: 0 }; quasi.len()];
        // The main column's field is the highest.
        let others = (0..quasi.len()).filter(|at| *at != main);
        let others = others.filter_map(|at| Some((at, bits(quasi.get(at)?))));
        let order = side_by_side(others.collect()).chain([main]);
        let mut shift = count_bits;
        for at in order {
            let bits = quasi.get(at).map_or(0, bits);
            if let Some(field) = fields.get_mut(at) {
                *field = Field { shift, bits };
            }
            shift += bits;
        }
        let (places, levels) = ordered(quasi.get(main)?);
        Some(Packing {
            quasi,
            fields,
            count_bits,
            main,
            places,
            levels,
        })
    }

    /// The largest count that an entry can have; more is counted as this.
    pub(super) fn most(&self) -> u64 {
        (1 << self.count_bits) - 1
    }

    pub(super) fn count_bits(&self) -> u32 {
        self.count_bits
    }

    /// Which column is the main one.
    pub(super) fn main(&self) -> usize {
        self.main
    }

    /// For each value of the main column its place.
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// The value's or group's number of the main column in an entry.
    pub(super) fn main_of(&self, entry: u64) -> u32 {
        let shift = self.fields.get(self.main).map_or(0, |field| field.shift);
        // A column has no more values than that.
        u32::try_from(entry.checked_shr(shift).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// What a value adds to an entry, for each column but the main one by its number, and for that by its place.
    pub(super) fn shifts(&self) -> impl Iterator<Item = u32> {
        self.fields.iter().map(|field| field.shift)
    }

    /// For each group of the main column at a level, or value, its group at another.
    pub(super) fn main_up(&self, from: Option<usize>, to: usize) -> Vec<u32> {
        let groups = |level: usize| self.levels.get(level).map_or(&[][..], |level| &level.of);
        match from {
            None => groups(to).to_vec(),
            Some(from) => {
                let mut up: Vec<u32> = Vec::new();
                for (from, to) in groups(from).iter().zip(groups(to)) {
                    if up.len() <= *from as usize {
                        up.push(*to);
                    }
                }
                up
            }
        }
    }

    /// For each group of a column that an entry of this node may have, or value, its group at a level.
    fn up(&self, column: usize, from: Option<usize>, to: usize) -> Vec<u32> {
        match (self.quasi.get(column), from) {
            _ if column == self.main => self.main_up(from, to),
            (Some(column), Some(from)) => column.up(from, to),
            (Some(column), None) => column.group_of(to).to_vec(),
            (None, _) => Vec::new(),
        }
    }

    /// The entries of a node, of entries of another one or of values.
    pub(super) fn packed(&self, from: Option<&Node>, to: &Node) -> Terms<u64> {
        let shifts = self.fields.iter().map(|field| 1_u64 << field.shift.min(63));
        self.terms(from, to, &shifts.collect::<Vec<_>>())
    }

    /// The cells of a node's classes, of which there are not more than numbers of 32 bits.
    pub(super) fn numbered(&self, from: Option<&Node>, to: &Node, cells: &Cells) -> Terms<u32> {
        let Terms(terms) = self.terms(from, to, &cells.steps);
        let small = |cell: u64| u32::try_from(cell).unwrap_or(u32::MAX);
        let terms = terms.into_iter().map(|term| Term {
            shift: term.shift,
            mask: term.mask,
            to: term.to.into_iter().map(small).collect(),
        });
        Terms(terms.collect())
    }

    fn terms(&self, from: Option<&Node>, to: &Node, factors: &[u64]) -> Terms<u64> {
        let mut single: Vec<(Field, Vec<u64>)> = Vec::new();
        let columns = self.fields.iter().zip(to).zip(factors).enumerate();
        for (at, ((field, level), factor)) in columns {
            let from = from.and_then(|from| from.get(at)).copied();
            let up = self.up(at, from, *level).into_iter();
            let mut to: Vec<u64> = up.map(|group| u64::from(group) * factor).collect();
            to.resize(1 << field.bits, 0);
            // What is one group is nothing to add.
            if to.iter().any(|term| *term != 0) {
                single.push((*field, to));
            }
        }
        single.sort_by_key(|(field, _)| field.shift);
        let mut terms: Vec<Term<u64>> = Vec::new();
        let mut bits = 0;
        for (field, to) in single {
            let end = field.shift + field.bits;
            if let Some(last) = terms.last_mut().filter(|last| end - last.shift <= TOGETHER) {
                let gap = field.shift - last.shift - bits;
                let low = last.to.clone();
                let rows = to.iter().map(|high| (high, 1 << gap));
                last.to = rows
                    .flat_map(|(high, again)| std::iter::repeat_n(high, again))
                    .flat_map(|high| low.iter().map(move |low| high + low))
                    .collect();
                bits = end - last.shift;
                last.mask = (1 << bits) - 1;
            } else {
                bits = field.bits;
                terms.push(Term {
                    shift: field.shift,
                    mask: (1 << bits) - 1,
                    to,
                });
            }
        }
        Terms(terms)
    }

    /// The cells of a node, if they have numbers.
    pub(super) fn cells(&self, node: &Node) -> Option<Cells> {
        let columns = self.quasi.iter().zip(node);
        let groups: Vec<u64> = columns
            .map(|(column, level)| column.groups(*level).max(1) as u64)
            .collect();
        let mut steps = vec![0; groups.len()];
        let mut step = 1_u64;
        let order = (0..groups.len()).filter(|at| *at != self.main);
        for at in order.chain([self.main]) {
            *steps.get_mut(at)? = step;
            step = step.checked_mul(*groups.get(at)?)?;
        }
        Some(Cells {
            steps,
            groups,
            main: self.main,
        })
    }

    /// What tells the entry of a cell's class, without its count.
    pub(super) fn entries_of(&self, cells: &Cells) -> Entries {
        // A step is a multiple of those of the columns below it.
        let tables = |step: &&u64| **step + cells.all() / **step;
        let low = cells.steps.iter().min_by_key(tables).copied().unwrap_or(1);
        let entry = |cell: u64| -> u64 {
            let columns = self
                .fields
                .iter()
                .zip(cells.steps.iter().zip(&cells.groups));
            columns
                .map(|(field, (step, groups))| (cell / step % groups) << field.shift.min(63))
                .sum()
        };
        Entries {
            low: (0..low).map(entry).collect(),
            high: (0..cells.all().div_ceil(low))
                .map(|high| entry(high * low))
                .collect(),
        }
    }

    /// The groups of an entry's columns at a node, as the columns number them.
    pub(super) fn key_of(&self, entry: u64, node: &Node, key: &mut Vec<u32>) {
        key.clear();
        for (at, field) in self.fields.iter().enumerate() {
            let group = entry.checked_shr(field.shift).unwrap_or(0) & ((1 << field.bits) - 1);
            let ids = node
                .get(self.main)
                .and_then(|level| self.levels.get(*level));
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a field has less than 32 bits"
            )]
            let group = group as u32;
            key.push(match ids.filter(|_| at == self.main) {
                Some(level) => level.ids.get(group as usize).copied().unwrap_or_default(),
                None => group,
            });
        }
    }
}

impl Entries {
    pub(super) fn of(&self, cell: u64) -> u64 {
        let low = self.low.len() as u64;
        let at = |entries: &[u64], place: u64| {
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            entries.get(place).copied().unwrap_or_default()
        };
        at(&self.high, cell / low) + at(&self.low, cell % low)
    }
}

impl Cells {
    /// How many cells there are of so many groups of the main column.
    pub(super) fn of_main(&self, groups: u32) -> u64 {
        self.step_of_main().saturating_mul(groups.into())
    }

    /// How many cells each group of the main column has.
    pub(super) fn step_of_main(&self) -> u64 {
        self.steps.get(self.main).copied().unwrap_or(1)
    }

    /// How many cells there are.
    pub(super) fn all(&self) -> u64 {
        let groups = self.groups.get(self.main).copied().unwrap_or(1);
        self.step_of_main().saturating_mul(groups)
    }
}

/// The columns in an order in which fields of so many bits can be looked up together, as few times as possible:
/// each where there is room first, the largest before the others.
fn side_by_side(mut columns: Vec<(usize, u32)>) -> impl Iterator<Item = usize> {
    columns.sort_by_key(|(at, bits)| (std::cmp::Reverse(*bits), *at));
    let mut together: Vec<(u32, Vec<usize>)> = Vec::new();
    for (at, bits) in columns {
        match together
            .iter_mut()
            .find(|(used, _)| used + bits <= TOGETHER)
        {
            Some((used, columns)) => {
                *used += bits;
                columns.push(at);
            }
            None => together.push((bits, vec![at])),
        }
    }
    together.into_iter().flat_map(|(_, columns)| columns)
}

/// The places of a column's values, by which groups of every level follow each other, and the groups by them.
fn ordered(column: &Column) -> (Vec<u32>, Vec<Ordered>) {
    let levels = 0..column.levels();
    let groups: Vec<&[u32]> = levels.clone().map(|level| column.group_of(level)).collect();
    let path = |value: usize| {
        let groups = groups.iter().rev();
        groups
            .map(|of| of.get(value).copied().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let mut values: Vec<usize> = (0..column.values()).collect();
    values.sort_by_cached_key(|value| path(*value));
    let mut places = vec![0; values.len()];
    for (place, value) in (0..).zip(&values) {
        if let Some(at) = places.get_mut(*value) {
            *at = place;
        }
    }
    let ordered = levels.map(|level| {
        let mut ordered = Ordered {
            of: Vec::with_capacity(values.len()),
            ids: Vec::new(),
        };
        for value in &values {
            let id = column
                .group_of(level)
                .get(*value)
                .copied()
                .unwrap_or_default();
            if ordered.ids.last() != Some(&id) {
                ordered.ids.push(id);
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "there are fewer than values"
            )]
            ordered.of.push(ordered.ids.len() as u32 - 1);
        }
        ordered
    });
    (places, ordered.collect())
}
