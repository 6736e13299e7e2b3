//! The form in which rows wait: those that are stored, with numbers in the place of quasi-identifiers, then the
//! numbers of sensitive values, the entity, and where they stood in the source.

use std::io::{self, Cursor};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use glovebox_core::{Batch, Origin};

use crate::gated::PlannedGate;

/// Where what stands.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// The columns of quasi-identifiers.
    quasi: Vec<usize>,
    /// How many columns are stored; what follows is for the gate.
    stored: usize,
    sensitive: usize,
    entity: bool,
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

    /// Packs a batch behind others. `numbers` are those of the quasi-identifiers, then of the sensitive columns.
    pub(super) fn pack(
        &self,
        batch: &Batch,
        numbers: Vec<UInt32Array>,
        entities: Option<Vec<u64>>,
        packed: &mut Vec<u8>,
    ) -> Result<(), ArrowError> {
        let schema = batch.columns.schema();
        let mut fields: Vec<Field> = schema
            .fields()
            .iter()
            .take(self.stored)
            .map(|f| f.as_ref().clone())
            .collect();
        let mut columns: Vec<ArrayRef> = batch
            .columns
            .columns()
            .iter()
            .take(self.stored)
            .cloned()
            .collect();
        let mut numbers = numbers.into_iter();
        for (&place, numbers) in self.quasi.iter().zip(&mut numbers) {
            if let (Some(field), Some(column)) = (fields.get_mut(place), columns.get_mut(place)) {
                *field = Field::new(field.name(), DataType::UInt32, false);
                *column = Arc::new(numbers);
            }
        }
        let mut add = |name: &str, kind, column: ArrayRef| {
            fields.push(Field::new(name, kind, true));
            columns.push(column);
        };
        for numbers in numbers {
            add("sensitive", DataType::UInt32, Arc::new(numbers));
        }
        if let Some(entities) = entities {
            add(
                "entity",
                DataType::UInt64,
                Arc::new(UInt64Array::from(entities)),
            );
        }
        let rows = 0..batch.rows();
        let numbers = rows.clone().map(|row| batch.origin.row(row));
        add(
            "row",
            DataType::UInt64,
            Arc::new(UInt64Array::from_iter_values(numbers)),
        );
        let lines = rows.map(|row| batch.origin.line(row));
        add(
            "line",
            DataType::UInt64,
            Arc::new(lines.collect::<UInt64Array>()),
        );
        let waiting = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let mut writer = StreamWriter::try_new(packed, &waiting.schema())?;
        writer.write(&waiting)?;
        writer.finish()
    }

    /// The columns that are stored.
    pub(super) fn stored<'b>(&self, batch: &'b RecordBatch) -> &'b [ArrayRef] {
        batch.columns().get(..self.stored).unwrap_or_default()
    }

    /// The numbers of a quasi-identifier.
    pub(super) fn numbers<'b>(
        &self,
        batch: &'b RecordBatch,
        quasi: usize,
    ) -> Option<&'b UInt32Array> {
        let place = self.quasi.get(quasi)?;
        batch
            .columns()
            .get(*place)?
            .as_primitive_opt::<UInt32Type>()
    }

    /// The class of a row, by the groups of the numbers.
    pub(super) fn class(
        &self,
        batch: &RecordBatch,
        row: usize,
        groups: &[&[u32]],
        class: &mut Vec<u32>,
    ) {
        class.clear();
        for (quasi, groups) in groups.iter().enumerate() {
            let number = self
                .numbers(batch, quasi)
                .and_then(|numbers| numbers.values().get(row));
            let group = number.and_then(|number| groups.get(*number as usize));
            class.push(group.copied().unwrap_or_default());
        }
    }

    /// What a key has after its class.
    pub(super) fn rest(&self, batch: &RecordBatch, row: usize, key: &mut Vec<u32>) {
        for sensitive in 0..self.sensitive {
            let column = batch.columns().get(self.stored + sensitive);
            let numbers = column.and_then(|column| column.as_primitive_opt::<UInt32Type>());
            key.push(
                numbers
                    .and_then(|numbers| numbers.values().get(row))
                    .copied()
                    .unwrap_or_default(),
            );
        }
        key.extend(self.entity(batch, row).into_iter().flat_map(halves));
    }

    /// The entity of a row, where one is named.
    pub(super) fn entity(&self, batch: &RecordBatch, row: usize) -> Option<u64> {
        let place = self.stored + self.sensitive;
        let column = batch.columns().get(place).filter(|_| self.entity)?;
        column
            .as_primitive_opt::<UInt64Type>()?
            .values()
            .get(row)
            .copied()
    }

    fn last(batch: &RecordBatch, from_end: usize) -> Option<&UInt64Array> {
        let columns = batch.columns();
        columns
            .get(columns.len().checked_sub(from_end)?)?
            .as_primitive_opt::<UInt64Type>()
    }

    /// The number of a row in the source.
    pub(super) fn row(&self, batch: &RecordBatch, row: usize) -> u64 {
        Self::last(batch, 2)
            .and_then(|rows| rows.values().get(row))
            .copied()
            .unwrap_or_default()
    }

    /// Where the rows stood in the source.
    pub(super) fn origin(&self, batch: &RecordBatch) -> Origin {
        match (Self::last(batch, 2), Self::last(batch, 1)) {
            (Some(rows), Some(lines)) => origin(rows, lines),
            _ => Origin::default(),
        }
    }
}

/// A number in the two halves that a key has.
pub(super) fn halves(number: u64) -> [u32; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    [(number >> 32) as u32, number as u32]
}

/// The batches of a chunk.
pub(super) fn unpacked(bytes: &[u8]) -> impl Iterator<Item = io::Result<RecordBatch>> {
    let mut cursor = Cursor::new(bytes);
    std::iter::from_fn(move || {
        let rest = usize::try_from(cursor.position())
            .ok()
            .and_then(|at| bytes.get(at..))?;
        if rest.is_empty() {
            return None;
        }
        let mut read = || -> Result<Option<RecordBatch>, ArrowError> {
            let mut reader = StreamReader::try_new(&mut cursor, None)?;
            let batch = reader.next().transpose()?;
            // To the end of its stream.
            reader.next().transpose()?;
            Ok(batch)
        };
        let batch = read();
        // Arrow's own words may have a cell.
        batch
            .map_err(|_| io::Error::other("rows that waited cannot be unpacked"))
            .transpose()
    })
}

fn origin(rows: &UInt64Array, lines: &UInt64Array) -> Origin {
    use arrow_array::Array;
    let offsets = |numbers: &UInt64Array| -> (u64, Option<Vec<u32>>) {
        let first = numbers.values().first().copied().unwrap_or_default();
        let offset = |number: &u64| u32::try_from(number - first).unwrap_or(u32::MAX);
        let offsets: Vec<u32> = numbers.values().iter().map(offset).collect();
        let contiguous = offsets.iter().zip(0..).all(|(offset, at)| *offset == at);
        (first, (!contiguous).then_some(offsets))
    };
    let (first, rows) = offsets(rows);
    let origin = Origin::scattered(first, rows.clone());
    match lines.null_count() == 0 && !lines.is_empty() {
        true => {
            let (first, lines) = offsets(lines);
            // Lines follow the rows where nothing is said of them.
            let lines = lines.or_else(|| rows.map(|rows| (0..).take(rows.len()).collect()));
            origin.with_lines(first, lines)
        }
        false => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_places_in_the_source() {
        let rows = |numbers: &[u64]| UInt64Array::from(numbers.to_vec());
        for (numbers, lines) in [
            (vec![5, 6, 7], vec![10, 11, 12]),
            (vec![5, 9, 10], vec![10, 14, 19]),
            (vec![5, 9, 10], vec![10, 11, 12]),
        ] {
            let origin = origin(&rows(&numbers), &rows(&lines));
            for at in 0..3 {
                assert_eq!(
                    (origin.row(at), origin.line(at)),
                    (numbers[at], Some(lines[at]))
                );
            }
        }
        let none = UInt64Array::from(vec![None, None, None]);
        assert_eq!(origin(&rows(&[1, 2, 3]), &none).line(1), None);
    }
}
