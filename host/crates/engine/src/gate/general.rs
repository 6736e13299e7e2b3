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

use super::caps::Caps;
use super::names::Names;
use super::waiting::Rows;
use crate::gated::PlannedGate;

/// So many classes that there could be have a bit each: 32 MiB.
const BITS: u64 = 1 << 28;

/// The node at which rows leave, if any does, and which of some classes.
pub(super) type Found<'b> = Option<(&'b Best, &'b Caps)>;

/// What becomes of rows at a node.
pub(super) struct General<'b> {
    planned: Arc<PlannedGate>,
    schema: SchemaRef,
    /// Of each quasi-identifier the group of each value, and the groups' names.
    groups: Vec<Names>,
    found: Found<'b>,
    bits: Option<Bits>,
}

/// Whether each class that there could be may leave.
struct Bits {
    /// By how much a class's number grows with a group's, of each column.
    steps: Vec<usize>,
    kept: Vec<u64>,
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
        let counts = groups.iter().map(Names::len);
        // Where only a part of a class may leave, its key is looked up.
        let bits = found.filter(|(_, caps)| !caps.cut_some());
        Self {
            schema: planned.after(schema).to_arrow(),
            bits: bits.and_then(|(best, _)| Bits::of(best, counts)),
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
        if let Some(bits) = &self.bits {
            return bits.of_rows(rows, &self.groups);
        }
        let verdict = &best.verdict;
        let groups: Vec<&[u32]> = self.groups.iter().map(Names::groups).collect();
        let mut key = Vec::with_capacity(groups.len());
        BooleanBuffer::collect_bool(rows.count, |row| {
            rows.class(row, &groups, &mut key);
            let class = verdict.classes.find(&key);
            let may = class.is_some_and(|class| verdict.kept.get(class) == Some(&true));
            may && caps.lets(&key, rows.origin.row(row), rows.entity(row))
        })
    }
}

impl Bits {
    /// None where there could be too many classes.
    fn of(best: &Best, groups: impl Iterator<Item = usize>) -> Option<Self> {
        let mut steps = Vec::new();
        let mut classes = 1_u64;
        for groups in groups {
            steps.push(usize::try_from(classes).ok()?);
            let more = classes.checked_mul(groups.max(1) as u64);
            classes = more.filter(|classes| *classes <= BITS)?;
        }
        let words = usize::try_from(classes.div_ceil(64)).ok()?;
        let mut kept = vec![0_u64; words];
        let verdict = &best.verdict;
        for ((key, _), _) in verdict
            .classes
            .iter()
            .zip(&verdict.kept)
            .filter(|(_, kept)| **kept)
        {
            let groups = key.iter().zip(&steps);
            let class: usize = groups.map(|(group, step)| *group as usize * step).sum();
            if let Some(word) = kept.get_mut(class / 64) {
                *word |= 1 << (class % 64);
            }
        }
        Some(Bits { steps, kept })
    }

    fn of_rows(&self, rows: &Rows, groups: &[Names]) -> BooleanBuffer {
        let mut classes = vec![0_usize; rows.count];
        let columns = self.steps.iter().zip(groups).zip(&rows.numbers);
        for ((step, names), numbers) in columns {
            for (class, number) in classes.iter_mut().zip(numbers.values()) {
                *class += names.group(*number) as usize * step;
            }
        }
        BooleanBuffer::collect_bool(rows.count, |row| {
            let class = classes.get(row).copied().unwrap_or_default();
            let word = self.kept.get(class / 64).copied().unwrap_or_default();
            word >> (class % 64) & 1 == 1
        })
    }
}
