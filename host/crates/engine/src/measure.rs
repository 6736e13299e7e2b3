//! Measures how likely somebody is found in rows that are there already, by counts; stores nothing.

use std::hash::{BuildHasher, RandomState};

use arrow_schema::ArrowError;
use glovebox_core::{Batch, Source};
use glovebox_release::{Column, Criteria, Hierarchy, Histogram, Over, Risk, Search};

use crate::error::RunError;
use crate::gate::cells::{each, texts};

/// Rows in the making of their measure.
pub struct Measure {
    quasi: Vec<Column>,
    sensitive: Vec<Column>,
    histogram: Histogram,
    entity: bool,
    entities: RandomState,
}

impl Measure {
    /// Of rows with so many quasi-identifiers and sensitive columns.
    #[must_use]
    pub fn new(quasi: usize, sensitive: usize, entity: bool) -> Self {
        let columns = |count| vec![Column::new(Hierarchy::values()); count];
        let width = quasi + sensitive + if entity { 2 } else { 0 };
        Measure {
            quasi: columns(quasi),
            sensitive: columns(sensitive),
            histogram: Histogram::new(width),
            entity,
            entities: RandomState::new(),
        }
    }

    /// Adds a row, or several that are alike: its quasi-identifiers, its sensitive columns, its entity.
    pub fn add<'c>(&mut self, cells: impl IntoIterator<Item = Option<&'c str>>, count: u64) {
        let mut cells = cells.into_iter();
        let columns = self.quasi.iter_mut().chain(&mut self.sensitive);
        // More values than numbers would be in one class, which is said of none by the numbers of rows.
        let numbers = columns
            .zip(&mut cells)
            .map(|(column, cell)| column.intern(cell).unwrap_or(u32::MAX));
        let mut key: Vec<u32> = numbers.collect();
        if self.entity {
            let entity = self.entities.hash_one(cells.next().flatten());
            #[expect(clippy::cast_possible_truncation, reason = "two halves")]
            key.extend([(entity >> 32) as u32, entity as u32]);
        }
        self.histogram.add(&key, count);
    }

    /// Adds all rows of a source; `places` are those of the columns in the order of [`Measure::add`]. Returns
    /// how many could not be read.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn add_source(
        &mut self,
        source: &dyn Source,
        places: &[usize],
        each: &mut dyn FnMut(u64),
    ) -> Result<u64, RunError> {
        let mut chunks = source.chunks()?;
        let mut decoder = source.decoder()?;
        let mut unread = 0;
        while let Some(chunk) = chunks.next_chunk()? {
            let position = chunk.position;
            let decoded = decoder.decode(chunk)?;
            unread += decoded.rejects.len() as u64;
            for batch in &decoded.batches {
                self.add_batch(batch, places)?;
            }
            each(position);
        }
        Ok(unread)
    }

    fn add_batch(&mut self, batch: &Batch, places: &[usize]) -> Result<(), ArrowError> {
        let columns = places
            .iter()
            .filter_map(|place| batch.columns.columns().get(*place));
        let columns = columns.map(texts).collect::<Result<Vec<_>, _>>()?;
        let mut cells: Vec<_> = columns.iter().map(each).collect();
        for _ in 0..batch.rows() {
            self.add(cells.iter_mut().map(|column| column.next().flatten()), 1);
        }
        Ok(())
    }

    /// What they tell.
    #[must_use]
    pub fn risk(&self) -> Risk {
        let over = Over {
            quasi: &self.quasi,
            sensitive: &self.sensitive,
            entity: self.entity,
            counts: &self.histogram,
            criteria: &Criteria::default(),
            suppress_at_most: 0,
            spill: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            stop: &|| false,
        };
        let all = Search::new(over).and_then(|search| search.at(&vec![0; self.quasi.len()]));
        // Counts in memory can always be read.
        all.map_or_else(
            |_| Risk::default(),
            |all| Risk::of(&all.classes, &self.sensitive, &|_| true),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_measured_as_they_come_or_by_their_counts() {
        let rows = [
            ["31", "Ulm", "flu", "a"],
            ["31", "Ulm", "gout", "a"],
            ["31", "Ulm", "flu", "b"],
            ["9", "Bonn", "flu", "c"],
        ];
        let mut one_by_one = Measure::new(2, 1, true);
        let mut without = Measure::new(2, 1, false);
        for row in rows {
            one_by_one.add(row.map(Some), 1);
            without.add(row.map(Some), 1);
        }
        let risk = one_by_one.risk();
        assert_eq!(
            (
                risk.rows,
                risk.classes,
                risk.smallest,
                risk.largest,
                risk.unique
            ),
            (4, 2, 1, 2, 1)
        );
        assert_eq!(risk.sensitive[0].distinct, 1);
        assert_eq!(without.risk().largest, 3);
        let mut counted = Measure::new(2, 1, false);
        for (row, count) in [(rows[0], 2), (rows[1], 1), (rows[3], 1)] {
            counted.add(row.map(Some), count);
        }
        assert_eq!(counted.risk(), without.risk());
    }
}
