//! Combinations as numbers of 64 bits: a field for each column's value or group, and the count in the lowest.
//!
//! One column is the *main* one: its values are numbered so that those of a group follow each other at every
//! level. Entries that are kept by its numbers can so be counted piece by piece, since no class is in two groups.
//!
//! Where more is asked than the size of classes, or a class does not fit, an entry is several numbers: those of its class,
//! without a count, and those of the rest.

use super::cells::{Cells, Entries, Hashes};
use super::rest::Rest;
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
    /// How many numbers a class is.
    words: usize,
    count_bits: u32,
    /// The column that orders entries; none where there is no column.
    main: usize,
    /// For each value of the main column its place among them, and of each level the groups.
    places: Vec<u32>,
    levels: Vec<Ordered>,
    /// What an entry has beside its class, where it is several numbers.
    rest: Option<Rest>,
}

/// Where a column's value or group is.
#[derive(Clone, Copy, Default)]
pub(super) struct Field {
    /// Which of a class's numbers it is in.
    pub(super) word: usize,
    pub(super) shift: u32,
    pub(super) bits: u32,
}

/// The groups of the main column at a level, numbered in the order of its values' places.
struct Ordered {
    /// By the place of a value.
    of: Vec<u32>,
    /// What the column numbers them.
    ids: Vec<u32>,
}

impl<'a> Packing<'a> {
    /// With a count beside the class. None where combinations do not fit, or are of more than quasi-identifiers.
    pub(super) fn new(over: &Over<'a>) -> Option<Self> {
        if over.entity || !over.sensitive.is_empty() {
            return None;
        }
        let count_bits = left(over.quasi)?.min(MOST_COUNT);
        let k_bits = 64 - over.criteria.k.leading_zeros();
        if count_bits < LEAST_COUNT.max(k_bits) {
            return None;
        }
        Self::above(over.quasi, count_bits, None)
    }

    /// With all that is asked of a class in further numbers. None where there is no column.
    pub(super) fn with_rest(over: &Over<'a>) -> Option<Self> {
        Self::above(over.quasi, 0, Some(Rest::new(over)))
    }

    /// The classes in the bits above those of a count, and in more numbers where those do not suffice.
    fn above(quasi: &'a [Column], count_bits: u32, rest: Option<Rest>) -> Option<Self> {
        let most = |at: &usize| quasi.get(*at).map(Column::values);
        let main = (0..quasi.len()).rev().max_by_key(most)?;
        let mut fields = vec![Field::default(); quasi.len()];
        // The main column's field is the highest.
        let others = (0..quasi.len()).filter(|at| *at != main);
        let others = others.filter_map(|at| Some((at, quasi.get(at)?.bits())));
        let order = side_by_side(others.collect()).chain([main]);
        let (mut word, mut shift) = (0, count_bits);
        for at in order {
            let bits = quasi.get(at).map_or(0, Column::bits);
            if shift + bits > u64::BITS {
                (word, shift) = (word + 1, 0);
            }
            if let Some(field) = fields.get_mut(at) {
                *field = Field { word, shift, bits };
            }
            shift += bits;
        }
        let (places, levels) = ordered(quasi.get(main)?);
        Some(Packing {
            quasi,
            fields,
            words: word + 1,
            count_bits,
            main,
            places,
            levels,
            rest,
        })
    }

    /// What an entry has beside its class, where it is several numbers.
    pub(super) fn rest(&self) -> Option<&Rest> {
        self.rest.as_ref()
    }

    /// How many numbers an entry is.
    pub(super) fn numbers(&self) -> usize {
        self.words + self.rest.as_ref().map_or(0, Rest::numbers)
    }

    /// How many numbers a class is.
    pub(super) fn words(&self) -> usize {
        self.words
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

    /// In which of an entry's numbers each column's value is added, and how far up: of each but the main one by its
    /// number, and of that by its place.
    pub(super) fn shifts(&self) -> impl Iterator<Item = (usize, u32)> {
        let fields = self.fields.iter();
        fields.map(|field| (field.word, field.shift.min(63)))
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
        let shifts: Vec<u32> = self.shifts().map(|(_, shift)| shift).collect();
        let term = |column: usize, group: u32| {
            u64::from(group) << shifts.get(column).copied().unwrap_or_default()
        };
        self.terms(from, to, &term)
    }

    /// The cells of a node's classes, of values.
    pub(super) fn celled(&self, to: &Node, cells: &Cells) -> Terms<u64> {
        self.terms(None, to, &|column, group| cells.term(column, group))
    }

    /// The cells of a node's classes, of which there are not more than numbers of 32 bits.
    pub(super) fn numbered(&self, from: Option<&Node>, to: &Node, cells: &Cells) -> Terms<u32> {
        let Terms(terms) = self.terms(from, to, &|column, group| cells.term(column, group));
        let small = |cell: u64| u32::try_from(cell).unwrap_or(u32::MAX);
        let terms = terms.into_iter().map(|term| Term {
            word: term.word,
            shift: term.shift,
            mask: term.mask,
            to: term.to.into_iter().map(small).collect(),
        });
        Terms(terms.collect())
    }

    fn terms(
        &self,
        from: Option<&Node>,
        to: &Node,
        term: &dyn Fn(usize, u32) -> u64,
    ) -> Terms<u64> {
        let mut single: Vec<(Field, Vec<u64>)> = Vec::new();
        for (at, (field, level)) in self.fields.iter().zip(to).enumerate() {
            let from = from.and_then(|from| from.get(at)).copied();
            let up = self.up(at, from, *level).into_iter();
            let mut to: Vec<u64> = up.map(|group| term(at, group)).collect();
            to.resize(1 << field.bits, 0);
            // What is one group is nothing to add.
            if to.iter().any(|term| *term != 0) {
                single.push((*field, to));
            }
        }
        single.sort_by_key(|(field, _)| (field.word, field.shift));
        let mut terms: Vec<Term<u64>> = Vec::new();
        let mut bits = 0;
        for (field, to) in single {
            let end = field.shift + field.bits;
            let together =
                |last: &&mut Term<u64>| last.word == field.word && end - last.shift <= TOGETHER;
            if let Some(last) = terms.last_mut().filter(together) {
                let gap = field.shift - last.shift - bits;
                let low = last.to.clone();
                let rows = to.iter().map(|high| (high, 1 << gap));
                last.to = rows
                    .flat_map(|(high, again)| std::iter::repeat_n(high, again))
                    .flat_map(|high| low.iter().map(move |low| high.wrapping_add(*low)))
                    .collect();
                bits = end - last.shift;
                last.mask = (1 << bits) - 1;
            } else {
                bits = field.bits;
                terms.push(Term {
                    word: field.word,
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
        Some(Cells::new(steps, groups, self.main))
    }

    /// The cells of a node, if they have numbers, and hashes otherwise.
    pub(super) fn told(&self, node: &Node, hashes: Hashes) -> Cells {
        self.cells(node).unwrap_or_else(|| Cells::hashed(hashes))
    }

    /// Of each column where an entry has its value, and the group of each value at a node, as the column numbers it.
    pub(super) fn groups_at(&self, node: &Node) -> Vec<(Field, Vec<u32>)> {
        let columns = self.fields.iter().zip(node).enumerate();
        let columns = columns.map(|(at, (field, level))| {
            let mut groups = self.up(at, None, *level);
            if let Some(ordered) = self.levels.get(*level).filter(|_| at == self.main) {
                for group in &mut groups {
                    *group = ordered
                        .ids
                        .get(*group as usize)
                        .copied()
                        .unwrap_or_default();
                }
            }
            (*field, groups)
        });
        columns.collect()
    }

    /// What tells the entry of a cell's class, without its count.
    pub(super) fn entries_of(&self, cells: &Cells) -> Entries {
        Entries::new(cells, &|cell| {
            let columns = self.fields.iter().zip(cells.groups_of(cell));
            columns
                .map(|(field, group)| u64::from(group) << field.shift.min(63))
                .sum()
        })
    }

    /// The groups of a cell's columns at a node, as the columns number them.
    pub(super) fn key_in(&self, cells: &Cells, cell: u64, node: &Node, key: &mut Vec<u32>) {
        key.clear();
        key.extend(cells.groups_of(cell));
        self.name_main(node, key);
    }

    /// Puts the number that the main column has for its group in the place of that by places.
    fn name_main(&self, node: &Node, key: &mut [u32]) {
        let level = node
            .get(self.main)
            .and_then(|level| self.levels.get(*level));
        if let Some((level, group)) = level.zip(key.get_mut(self.main)) {
            *group = level.ids.get(*group as usize).copied().unwrap_or_default();
        }
    }

    /// The groups of an entry's columns at a node, as the columns number them.
    pub(super) fn key_of(&self, entry: u64, node: &Node, key: &mut Vec<u32>) {
        key.clear();
        key.extend(self.fields.iter().map(|field| {
            let group = entry.checked_shr(field.shift).unwrap_or(0) & ((1 << field.bits) - 1);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a field has less than 32 bits"
            )]
            let group = group as u32;
            group
        }));
        self.name_main(node, key);
    }
}

/// The bits that classes leave of 64.
fn left(quasi: &[Column]) -> Option<u32> {
    64_u32.checked_sub(quasi.iter().map(Column::bits).sum())
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
