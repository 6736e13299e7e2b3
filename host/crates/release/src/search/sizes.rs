//! How large the classes of a node are, where nothing else of them is asked: counted from the smallest known
//! table that is less general.

use std::hash::{BuildHasher, RandomState};
use std::io;

use super::count::{Count, SMALLER};
use super::counted::Small;
use super::packing::Packing;
use super::table::Table;
use super::{Node, Over};
use crate::histogram::Histogram;

/// How much memory is used, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// By the entries of all rows.
    pub(super) rows: usize,
    /// By tables that are kept.
    pub(super) kept: usize,
    /// By what all threads count in.
    pub(super) counting: usize,
}

impl Default for Room {
    fn default() -> Self {
        Room {
            rows: 208 << 20,
            kept: 64 << 20,
            counting: 128 << 20,
        }
    }
}

impl Room {
    /// Where no table is kept, and the classes that are found have values, too.
    pub(super) fn with_values() -> Self {
        Room {
            rows: 112 << 20,
            kept: 0,
            counting: 64 << 20,
        }
    }
}

/// All rows as entries.
pub(super) struct Entries<'a> {
    room: Room,
    packing: Packing<'a>,
    rows: Table,
    seed: u64,
}

/// The classes of nodes.
pub(super) struct Sizes<'s, 'a> {
    over: &'s Over<'a>,
    entries: &'s Entries<'a>,
    kept: Vec<Table>,
    /// Whether what is likely is enough.
    likely: bool,
}

impl<'a> Entries<'a> {
    /// None where there is more to a combination than fits. `counts` are those of each column's values.
    pub(super) fn new(
        over: &Over<'a>,
        counts: &[Vec<u64>],
        room: Room,
    ) -> io::Result<Option<Self>> {
        let Some(packing) = Packing::new(over) else {
            return Ok(None);
        };
        let counts = counts.get(packing.main()).map_or(&[][..], Vec::as_slice);
        let rows = Table::of_rows(over, &packing, counts, room.rows)?;
        Ok(Some(Entries {
            room,
            packing,
            rows,
            seed: RandomState::new().hash_one(0),
        }))
    }
}

impl<'s, 'a> Sizes<'s, 'a> {
    pub(super) fn new(over: &'s Over<'a>, entries: &'s Entries<'a>) -> Self {
        Sizes {
            over,
            entries,
            kept: Vec::new(),
            likely: false,
        }
    }

    /// Whether it is enough from now on that few rows are likely to be of classes that are too small.
    pub(super) fn set_likely(&mut self, likely: bool) {
        self.likely = likely;
    }

    /// Whether more rows of a node are of classes that are too small than may be suppressed.
    pub(super) fn small(&mut self, node: &Node) -> io::Result<Small> {
        let from = self.nearest(node, false);
        let keep = (from.len() / SMALLER).min(self.entries.room.kept / SMALLER / size_of::<u64>());
        let limit = self.over.suppress_at_most;
        let count = Count {
            likely: self.likely,
            ..self.count(from, node, limit, keep, false)
        };
        let counted = count.all()?;
        if let Some(table) = counted.table {
            self.keep(table);
        }
        Ok(counted.small)
    }

    /// The classes of a node with their rows; none where those are too many for entries.
    pub(super) fn exact(&self, node: &Node) -> io::Result<Option<Histogram>> {
        let from = self.nearest(node, true);
        if !from.exact {
            return Ok(None);
        }
        let counted = self.count(from, node, u64::MAX, usize::MAX, true).all()?;
        let classes = counted.table.as_ref().map_or(0, Table::len);
        let mut histogram = Histogram::with_room(self.over.counts.width(), classes);
        let (packing, mut key) = (&self.entries.packing, Vec::new());
        let parts = counted.table.iter().flat_map(|table| &table.parts);
        for entry in parts.flat_map(|part| &part.entries) {
            packing.key_of(*entry, node, &mut key);
            histogram.add_new(&key, entry & packing.most());
        }
        Ok(Some(histogram))
    }

    fn count<'c>(
        &'c self,
        from: &'c Table,
        node: &'c Node,
        limit: u64,
        keep: usize,
        exact: bool,
    ) -> Count<'c> {
        Count {
            over: self.over,
            packing: &self.entries.packing,
            from,
            node,
            limit,
            keep,
            exact,
            likely: false,
            seed: self.entries.seed,
            room: self.entries.room.counting,
        }
    }

    /// The table with the fewest entries of which the node's classes can be made.
    fn nearest(&self, node: &Node, exact: bool) -> &Table {
        let below = |table: &&Table| {
            let levels = table.node.iter().flatten().zip(node);
            (table.exact || !exact) && levels.into_iter().all(|(kept, level)| kept <= level)
        };
        let kept = self.kept.iter().filter(below);
        kept.min_by_key(|table| table.len())
            .unwrap_or(&self.entries.rows)
    }

    /// Keeps what others can be made of, the largest no longer if there is no room for it.
    fn keep(&mut self, table: Table) {
        self.kept.push(table);
        while self.kept.iter().map(Table::size).sum::<usize>() > self.entries.room.kept {
            let sizes = self.kept.iter().map(Table::size).enumerate();
            match sizes.max_by_key(|(_, size)| *size) {
                Some((largest, _)) => drop(self.kept.swap_remove(largest)),
                None => break,
            }
        }
    }
}

#[cfg(test)]
#[path = "sizes_tests.rs"]
mod tests;
