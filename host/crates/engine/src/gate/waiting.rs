//! The form in which rows wait: columns that are stored as they are, and where the rows stood in the source, in
//! one block, and the numbers of quasi-identifiers, of sensitive values and of entities in another.

use std::io::{self, Cursor};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Schema};
use glovebox_core::{Batch, Origin};
use glovebox_release::Block;
use serde::{Deserialize, Serialize};

use super::hold::{Store, Stored};
use super::keys;
use crate::gated::PlannedGate;

/// Where what stands.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// The columns of quasi-identifiers.
    quasi: Vec<usize>,
    /// How many columns are stored.
    stored: usize,
    sensitive: usize,
    entity: bool,
}

/// Rows that waited.
pub(super) struct Rows {
    /// The columns that are stored, none in the place of a quasi-identifier.
    pub(super) columns: Vec<Option<ArrayRef>>,
    pub(super) origin: Origin,
    /// Numbers of the quasi-identifiers, and what a key has after them.
    pub(super) numbers: Vec<UInt32Array>,
    quasi: usize,
    entity: bool,
    pub(super) count: usize,
}

/// What a batch has beside its columns.
#[derive(Serialize, Deserialize)]
struct Head {
    rows: usize,
    first_row: u64,
    /// Where rows do not follow each other.
    positions: Option<Vec<u32>>,
    first_line: Option<u64>,
    /// Where lines are not as rows are.
    lines: Option<Vec<u32>>,
    /// How many bytes of columns follow.
    columns: usize,
}

impl Packed {
    /// Of rows with so many columns, of which the last is the entity where it is not stored.
    pub(super) fn new(planned: &PlannedGate, columns: usize) -> Self {
        let drops = planned.entity.is_some() && !planned.entity_stored;
        Packed {
            quasi: planned.quasi.iter().map(|quasi| quasi.place).collect(),
            stored: columns - usize::from(drops),
            sensitive: planned.sensitive.len(),
            entity: planned.entity.is_some(),
        }
    }

    /// How many numbers a key has.
    pub(super) fn width(&self) -> usize {
        self.quasi.len() + self.sensitive + if self.entity { 2 } else { 0 }
    }

    /// Packs what is stored of a batch as it is behind others.
    pub(super) fn pack(&self, batch: &Batch, packed: &mut Vec<u8>) -> Result<(), ArrowError> {
        let kept: Vec<usize> = (0..self.stored)
            .filter(|at| !self.quasi.contains(at))
            .collect();
        let mut columns = Vec::new();
        if !kept.is_empty() {
            let kept = batch.columns.project(&kept)?;
            let mut writer = StreamWriter::try_new(&mut columns, &kept.schema())?;
            writer.write(&kept)?;
            writer.finish()?;
        }
        let head = Head::of(batch, columns.len());
        let head = postcard::to_allocvec(&head);
        let head = head.map_err(|_| ArrowError::MemoryError(String::new()))?;
        packed.extend_from_slice(&(head.len() as u64).to_le_bytes());
        packed.extend_from_slice(&head);
        packed.extend_from_slice(&columns);
        Ok(())
    }

    /// The batches of a chunk.
    pub(super) fn unpack(&self, store: &Store, stored: Stored) -> io::Result<Vec<Rows>> {
        let mut block = Block::default();
        let counts = keys::unpack(&store.keys.get(stored.keys)?, self.width(), &mut block)?;
        let columns = block.columns.into_iter().map(Buffer::from);
        let columns: Vec<Buffer> = columns.collect();
        let packed = store.rows.get(stored.rows)?;
        let mut rest = packed.as_slice();
        let mut from = 0;
        let batches = counts.into_iter().map(|count| {
            let numbers = columns.iter().map(|column| {
                let values = ScalarBuffer::new(column.clone(), from, count);
                UInt32Array::new(values, None)
            });
            let numbers = numbers.collect();
            from += count;
            // Arrow's own words may have a cell.
            self.unpack_batch(&mut rest, numbers, count)
                .ok_or_else(|| io::Error::other("rows that waited cannot be unpacked"))
        });
        batches.collect()
    }

    fn unpack_batch(
        &self,
        rest: &mut &[u8],
        numbers: Vec<UInt32Array>,
        count: usize,
    ) -> Option<Rows> {
        let (length, after) = rest.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (head, after) = after.split_at_checked(length)?;
        let head: Head = postcard::from_bytes(head).ok()?;
        let (bytes, after) = after.split_at_checked(head.columns)?;
        *rest = after;
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.stored];
        if !bytes.is_empty() {
            let mut reader = StreamReader::try_new(Cursor::new(bytes), None).ok()?;
            let batch = reader.next()?.ok()?;
            let kept = (0..self.stored).filter(|at| !self.quasi.contains(at));
            for (at, column) in kept.zip(batch.columns()) {
                *columns.get_mut(at)? = Some(Arc::clone(column));
            }
        }
        (head.rows == count).then(|| Rows {
            columns,
            origin: head.origin(),
            numbers,
            quasi: self.quasi.len(),
            entity: self.entity,
            count,
        })
    }
}

impl Head {
    fn of(batch: &Batch, columns: usize) -> Self {
        let origin = &batch.origin;
        let first_line = origin.line(0).filter(|_| batch.rows() > 0);
        let follows = |at: usize| {
            let line = origin.line(at).zip(first_line);
            line.is_none_or(|(line, first)| {
                line.wrapping_sub(first) == origin.row(at).wrapping_sub(origin.row(0))
            })
        };
        let lines = || {
            let offset = |at| {
                origin
                    .line(at)
                    .unwrap_or(0)
                    .wrapping_sub(first_line.unwrap_or(0))
            };
            let offsets = (0..batch.rows()).map(offset);
            offsets
                .map(|offset| u32::try_from(offset).unwrap_or(u32::MAX))
                .collect()
        };
        let as_rows = (0..batch.rows()).all(follows);
        let position =
            |at| u32::try_from(origin.row(at).wrapping_sub(origin.row(0))).unwrap_or(u32::MAX);
        let scattered = origin
            .positions()
            .map(|_| (0..batch.rows()).map(position).collect());
        Head {
            rows: batch.rows(),
            first_row: origin.row(0),
            positions: scattered,
            first_line,
            lines: (!as_rows).then(lines),
            columns,
        }
    }

    fn origin(self) -> Origin {
        let origin = Origin::scattered(self.first_row, self.positions);
        match self.first_line {
            Some(first) => origin.with_lines(first, self.lines),
            None => origin,
        }
    }
}

impl Rows {
    /// The class of a row, by the groups of the numbers.
    pub(super) fn class(&self, row: usize, groups: &[&[u32]], class: &mut Vec<u32>) {
        class.clear();
        for (numbers, groups) in self.numbers.iter().zip(groups) {
            let number = numbers.values().get(row);
            let group = number.and_then(|number| groups.get(*number as usize));
            class.push(group.copied().unwrap_or_default());
        }
    }

    /// What a key has after its class.
    pub(super) fn rest(&self, row: usize, key: &mut Vec<u32>) {
        let rest = self.numbers.iter().skip(self.quasi);
        key.extend(rest.map(|numbers| numbers.values().get(row).copied().unwrap_or_default()));
    }

    /// The entity of a row, where one is named.
    pub(super) fn entity(&self, row: usize) -> Option<u64> {
        let halves = self.numbers.last_chunk::<2>().filter(|_| self.entity)?;
        let [high, low] = halves
            .each_ref()
            .map(|half| half.values().get(row).copied());
        Some(u64::from(high?) << 32 | u64::from(low?))
    }
}

/// So many rows of these columns, of which there may be none.
pub(super) fn batch(
    schema: &Arc<Schema>,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_schema::{DataType, Field};

    use super::*;

    fn batch(origin: Origin) -> Batch {
        let fields = ["age", "price"].map(|name| Field::new(name, DataType::Int64, true));
        let cells: ArrayRef = Arc::new(Int64Array::from(vec![Some(4), None, Some(6)]));
        let columns = vec![Arc::clone(&cells), cells];
        Batch::new(
            RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), columns).unwrap(),
            origin,
        )
    }

    #[test]
    fn rows_come_back_with_their_places_in_the_source() {
        let origins = [
            Origin::contiguous(5),
            Origin::contiguous(5).with_lines(10, None),
            Origin::scattered(2, Some(vec![3, 7, 8])).with_lines(4, Some(vec![6, 10, 19])),
            Origin::scattered(2, Some(vec![3, 7, 8])).with_lines(4, None),
            Origin::contiguous(5).with_lines(10, Some(vec![0, 2, 3])),
        ];
        let packed = Packed {
            quasi: vec![0],
            stored: 2,
            sensitive: 0,
            entity: true,
        };
        let store = Store::create().unwrap();
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        for origin in &origins {
            packed.pack(&batch(origin.clone()), &mut rows).unwrap();
            keys::pack(
                &[UInt32Array::from(vec![0, 1, 2])],
                Some(&[3, 1 << 40, 5]),
                &mut numbers,
            );
        }
        let stored = Stored {
            rows: store.rows.put(rows).unwrap(),
            keys: store.keys.put(numbers).unwrap(),
            count: 15,
        };
        let back = packed.unpack(&store, stored).unwrap();
        assert_eq!(back.len(), origins.len());
        for (back, origin) in back.iter().zip(&origins) {
            for row in 0..3 {
                assert_eq!(back.origin.row(row), origin.row(row));
                assert_eq!(back.origin.line(row), origin.line(row));
            }
            assert!(back.columns[0].is_none());
            assert_eq!(
                back.columns[1].as_ref(),
                Some(batch(origin.clone()).columns.column(1))
            );
            assert_eq!(back.entity(1), Some(1 << 40));
            let (mut class, groups) = (Vec::new(), [&[7, 7, 8][..]]);
            back.class(2, &groups, &mut class);
            back.rest(2, &mut class);
            assert_eq!(class, [8, 0, 5]);
        }
    }
}
