//! Classes with their rows, and with members and sensitive values as far as is asked. Classes have a place by their cell where cells are not many more than entries, and
//! as they come otherwise.

use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::counts::Counts;
use super::marks::{Asked, Marks};
use super::rest::Rest;
use super::told::Told;
use crate::column::Column;

/// So many cells an entry are less work than finding its class.
const CELLS_AN_ENTRY: u64 = 4;
/// So many cells are always.
const FEW_CELLS: u64 = 1 << 12;
/// Bytes that a class takes in its tables, with what these have room for beside it and hold while they grow.
const A_CLASS: usize = 80;

/// Classes of a slice of rows.
pub(super) struct Groups<'c> {
    rest: &'c Rest,
    seed: u64,
    room: usize,
    /// The cells of the slice.
    cells: Range<u64>,
    /// None where classes have their places by their cells.
    sparse: Option<Sparse>,
    rows: Vec<u64>,
    /// What is remembered of the members and values of each class.
    remembered: Vec<u32>,
    marks: Marks,
    /// Members and values that were told apart.
    told: Told,
    /// The rows of each class and value, of each sensitive column of which they are counted.
    counts: Vec<Option<Counts>>,
}

/// Classes as they come.
#[derive(Default)]
struct Sparse {
    places: HashMap<u64, u32, RandomState>,
    cells: Vec<u64>,
}

/// There is more than there is room for.
pub(super) struct Full;

impl<'c> Groups<'c> {
    /// Members are told apart by a hash with a seed, so that nobody can choose some that are alike.
    pub(super) fn new(
        rest: &'c Rest,
        asked: &Asked,
        sensitive: &[Column],
        (seed, room): (u64, usize),
    ) -> Self {
        let counts = asked.counts.iter().zip(sensitive);
        let counts = counts.map(|(asked, column)| asked.then(|| Counts::new(column.values())));
        Groups {
            rest,
            seed,
            room,
            cells: 0..0,
            sparse: None,
            rows: Vec::new(),
            remembered: Vec::new(),
            marks: Marks::new(asked, rest.has_entity(), sensitive),
            told: Told::default(),
            counts: counts.collect(),
        }
    }

    /// Begins anew, with these cells and so many entries.
    pub(super) fn clear(&mut self, cells: Range<u64>, entries: usize) {
        self.rows.clear();
        self.remembered.clear();
        self.told.clear();
        let all = cells.end - cells.start;
        let most = (entries as u64 * CELLS_AN_ENTRY).max(FEW_CELLS);
        let size = size_of::<u64>() + size_of_val(self.marks.first());
        self.cells = cells;
        let dense = all <= most && all <= (self.room / 2 / size) as u64;
        self.sparse = (!dense).then(Sparse::default);
        let places = usize::try_from(all).ok().filter(|_| dense);
        self.rows.resize(places.unwrap_or(0), 0);
        for _ in 0..places.unwrap_or(0) {
            self.remembered.extend_from_slice(self.marks.first());
        }
        let room = self.room / 4 / self.counts.len().max(1);
        for counts in self.counts.iter_mut().flatten() {
            counts.clear(places, room);
        }
    }

    /// Counts an entry, by what it has beside its class.
    pub(super) fn add(&mut self, cell: u64, rest: &[u64]) -> Result<(), Full> {
        let place = match &self.sparse {
            None => usize::try_from(cell - self.cells.start).unwrap_or(usize::MAX),
            Some(sparse) => match sparse.places.get(&cell) {
                Some(place) => *place as usize,
                None => self.begin(cell)?,
            },
        };
        let count = self.rest.count(rest);
        if let Some(rows) = self.rows.get_mut(place) {
            *rows += count;
        }
        let before = self.told.size();
        let width = self.marks.first().len();
        if let Some(marks) = self.remembered.get_mut(place * width..(place + 1) * width) {
            let class = cell.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.seed;
            let entry = (class, rest);
            self.marks.add(marks, entry, self.rest, &mut self.told);
        }
        let mut grown = self.told.size() > before;
        let columns = self.counts.iter_mut().zip(self.rest.values(rest));
        for (counts, value) in columns {
            if let Some(counts) = counts {
                grown |= counts.add(place, value, count);
            }
        }
        match grown {
            true => self.fits(),
            false => Ok(()),
        }
    }

    fn begin(&mut self, cell: u64) -> Result<usize, Full> {
        let place = self.rows.len();
        if let Some(sparse) = &mut self.sparse {
            let numbered = u32::try_from(place).map_err(|_| Full)?;
            sparse.places.insert(cell, numbered);
            sparse.cells.push(cell);
        }
        self.rows.push(0);
        self.remembered.extend_from_slice(self.marks.first());
        self.fits()?;
        Ok(place)
    }

    fn fits(&self) -> Result<(), Full> {
        let a_class = match self.sparse {
            Some(_) => A_CLASS,
            None => size_of::<u64>(),
        };
        let used = self.rows.len() * (a_class + size_of_val(self.marks.first()))
            + self.told.size()
            + self
                .counts
                .iter()
                .flatten()
                .map(Counts::size)
                .sum::<usize>();
        // One class cannot be counted in smaller slices.
        let one = self.cells.end - self.cells.start <= 1;
        match used > self.room && !one {
            true => Err(Full),
            false => Ok(()),
        }
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The cells of classes with their places, in the order of the cells.
    pub(super) fn in_order(&self) -> Vec<(u64, usize)> {
        let cells: &mut dyn Iterator<Item = u64> = match &self.sparse {
            None => &mut self.cells.clone(),
            Some(sparse) => &mut sparse.cells.iter().copied(),
        };
        let classes = cells.zip(&self.rows).enumerate();
        let mut classes: Vec<(u64, usize)> = classes
            .filter(|(_, (_, rows))| **rows > 0)
            .map(|(place, (cell, _))| (cell, place))
            .collect();
        classes.sort_unstable();
        classes
    }

    /// The place of a class.
    pub(super) fn place(&self, cell: u64) -> Option<usize> {
        match &self.sparse {
            None => usize::try_from(cell.checked_sub(self.cells.start)?).ok(),
            Some(sparse) => sparse.places.get(&cell).map(|place| *place as usize),
        }
    }

    /// The rows of each place: none where there is no class.
    pub(super) fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// Whether a class lacks nothing of what was asked.
    pub(super) fn enough(&self, place: usize) -> bool {
        let width = self.marks.first().len();
        let marks = self.remembered.get(place * width..(place + 1) * width);
        let rows = self.rows.get(place).copied().unwrap_or_default();
        marks.is_some_and(|marks| self.marks.enough(marks, rows))
    }

    /// Of a sensitive column the values of each class, by the classes' places, with their rows.
    pub(super) fn values(&self, column: usize) -> Vec<(u32, u32, u64)> {
        let counts = self.counts.get(column).and_then(Option::as_ref);
        counts.map(Counts::values).unwrap_or_default()
    }
}
