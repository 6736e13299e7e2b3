//! What may be left of rows: names of groups in the place of numbers, and nothing of classes that are suppressed.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::FilterBuilder;
use glovebox_core::{Batch, Schema};
use glovebox_release::{Best, Column};

use super::bits::Bits;
use super::caps::Caps;
use super::names::Names;
use super::waiting::Rows;
use crate::gated::PlannedGate;

/// The node at which rows leave, if any does, and which of some classes.
pub(super) type Found<'b> = Option<(&'b Best, &'b Caps)>;

/// What becomes of rows at a node.
pub(super) struct General<'b> {
    planned: Arc<PlannedGate>,
    schema: SchemaRef,
    /// Of each quasi-identifier the group of each value, and the groups' names.
    groups: Vec<Names>,
    found: Found<'b>,
    /// Classes of which rows may leave, and those of them of which not all may.
    bits: Option<[Bits; 2]>,
}

/// Rows of which is left what may be.
pub(super) struct Left {
    pub(super) rows: Batch,
    pub(super) suppressed: u64,
}

impl<'b> General<'b> {
    pub(super) fn new(
        planned: &Arc<PlannedGate>,
        schema: &Schema,
        quasi: &[Column],
        found: Found<'b>,
    ) -> Self {
        let levels = found.iter().flat_map(|(best, _)| &best.node);
        let columns = quasi.iter().zip(levels);
        let groups: Vec<Names> = columns
            .map(|(column, level)| Names::of(column, *level))
            .collect();
        let bits = found.and_then(|(best, caps)| {
            let of_values: Vec<&[u32]> = groups.iter().map(Names::groups).collect();
            let verdict = &best.verdict;
            let kept = verdict.classes.iter().zip(&verdict.kept);
            let kept = kept.filter(|(_, kept)| **kept).map(|((key, _), _)| key);
            Some([
                Bits::of(&of_values, kept)?,
                Bits::of(&of_values, caps.cut_classes())?,
            ])
        });
        Self {
            schema: planned.after(schema).to_arrow(),
            bits,
            planned: Arc::clone(planned),
            groups,
            found,
        }
    }

    /// What is left of rows, which stood in that file of the source.
    pub(super) fn of(&self, rows: &Rows, file: Option<&Arc<str>>) -> Result<Left, ArrowError> {
        let keep = BooleanArray::from(self.kept(rows));
        let suppressed = keep.len() - keep.values().count_set_bits();
        let some = suppressed > 0;
        // What is left is looked for once for all columns.
        let left = some.then(|| FilterBuilder::new(&keep).optimize().build());
        let of = |column: &dyn Array| left.as_ref().map(|left| left.filter(column)).transpose();
        let mut columns: Vec<Option<ArrayRef>> = Vec::with_capacity(rows.columns.len());
        for column in &rows.columns {
            columns.push(match column {
                Some(column) => of(column)?.or_else(|| Some(Arc::clone(column))),
                None => None,
            });
        }
        let quasi = self.planned.quasi.iter().zip(&self.groups);
        for ((quasi, names), numbers) in quasi.zip(&rows.numbers) {
            if let Some(column) = columns.get_mut(quasi.place) {
                let left = of(numbers)?;
                let left = left.as_ref().map(|left| left.as_primitive::<UInt32Type>());
                *column = Some(names.texts(left.unwrap_or(numbers))?);
            }
        }
        let origin = rows.origin.clone().in_file(file.cloned());
        let columns = columns.into_iter().flatten().collect();
        let columns = super::waiting::batch(&self.schema, columns, rows.count - suppressed)?;
        let origin = if some { origin.filter(&keep) } else { origin };
        Ok(Left {
            rows: Batch::new(columns, origin),
            suppressed: suppressed as u64,
        })
    }

    /// Which rows are of classes that may leave.
    fn kept(&self, rows: &Rows) -> BooleanBuffer {
        let Some((best, caps)) = self.found else {
            return BooleanBuffer::new_unset(rows.count);
        };
        let groups: Vec<&[u32]> = self.groups.iter().map(Names::groups).collect();
        let mut key = Vec::with_capacity(groups.len());
        let lets = |key: &mut Vec<u32>, row: usize| {
            rows.class(row, &groups, key);
            caps.lets(key, rows.origin.row(row), rows.entity(row))
        };
        if let Some([kept, cut]) = &self.bits {
            let numbers = kept.numbers(rows.count, &rows.numbers);
            return BooleanBuffer::collect_bool(rows.count, |row| {
                let class = numbers.get(row).copied().unwrap_or_default();
                kept.has(class) && (!cut.has(class) || lets(&mut key, row))
            });
        }
        let verdict = &best.verdict;
        BooleanBuffer::collect_bool(rows.count, |row| {
            let lets = lets(&mut key, row);
            let class = verdict.classes.find(&key);
            lets && class.is_some_and(|class| verdict.kept.get(class) == Some(&true))
        })
    }
}
