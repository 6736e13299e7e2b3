//! What may be left of rows: names of groups in the place of numbers, and nothing of classes that are suppressed.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, StringArray, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::filter;
use arrow_select::take::take;
use glovebox_core::{Batch, Schema};
use glovebox_release::{Best, Column};

use super::caps::Caps;
use super::waiting::Rows;
use crate::gated::PlannedGate;

/// So many classes that there could be have a bit each: 32 MiB.
const BITS: u64 = 1 << 28;

/// What becomes of rows at a node.
pub(super) struct General {
    planned: Arc<PlannedGate>,
    schema: SchemaRef,
    /// Of each quasi-identifier the group of each value, and the groups' names.
    groups: Vec<(Vec<u32>, StringArray)>,
    best: Option<Best>,
    caps: Caps,
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

impl General {
    pub(super) fn new(
        planned: &Arc<PlannedGate>,
        schema: &Schema,
        quasi: &[Column],
        (best, caps): (Option<Best>, Caps),
    ) -> Self {
        let levels = best.iter().flat_map(|best| &best.node);
        let groups = quasi.iter().zip(levels).map(|(column, level)| {
            let names = column.names(*level).collect::<StringArray>();
            (column.group_of(*level).to_vec(), names)
        });
        let groups: Vec<_> = groups.collect();
        let counts = groups.iter().map(|(_, names)| names.len());
        // Where only a part of a class may leave, its key is looked up.
        let bits = best.as_ref().filter(|_| caps.is_empty());
        Self {
            schema: planned.after(schema).to_arrow(),
            bits: bits.and_then(|best| Bits::of(best, counts)),
            planned: Arc::clone(planned),
            groups,
            best,
            caps,
        }
    }

    /// What is left of rows, which stood in that file of the source.
    pub(super) fn of(&self, rows: &Rows, file: Option<&Arc<str>>) -> Result<Left, ArrowError> {
        let keep = BooleanArray::from(self.kept(rows));
        let suppressed = keep.len() - keep.values().count_set_bits();
        let some = suppressed > 0;
        let numbers = rows.numbers.iter().map(|numbers| match some {
            true => Ok(UInt32Array::from(filter(numbers, &keep)?.to_data())),
            false => Ok(numbers.clone()),
        });
        let numbers = numbers.collect::<Result<Vec<_>, ArrowError>>()?;
        let mut columns: Vec<Option<ArrayRef>> = Vec::with_capacity(rows.columns.len());
        for column in &rows.columns {
            columns.push(match column {
                Some(column) if some => Some(filter(column, &keep)?),
                column => column.clone(),
            });
        }
        let quasi = self.planned.quasi.iter().zip(&self.groups);
        for ((quasi, (of, names)), numbers) in quasi.zip(&numbers) {
            if let Some(column) = columns.get_mut(quasi.place) {
                let groups = numbers.values().iter().map(|number| group(of, *number));
                *column = Some(take(names, &UInt32Array::from_iter_values(groups), None)?);
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
        let Some(best) = &self.best else {
            return BooleanBuffer::new_unset(rows.count);
        };
        if let Some(bits) = &self.bits {
            return bits.of_rows(rows, &self.groups);
        }
        let verdict = &best.verdict;
        let groups: Vec<&[u32]> = self.groups.iter().map(|(of, _)| of.as_slice()).collect();
        let mut key = Vec::with_capacity(groups.len());
        BooleanBuffer::collect_bool(rows.count, |row| {
            rows.class(row, &groups, &mut key);
            let class = verdict.classes.find(&key);
            let may = class.is_some_and(|class| verdict.kept.get(class) == Some(&true));
            let lets = || self.caps.lets(&key, rows.origin.row(row), rows.entity(row));
            may && (self.caps.is_empty() || lets())
        })
    }
}

fn group(of: &[u32], number: u32) -> u32 {
    of.get(number as usize).copied().unwrap_or_default()
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

    fn of_rows(&self, rows: &Rows, groups: &[(Vec<u32>, StringArray)]) -> BooleanBuffer {
        let mut classes = vec![0_usize; rows.count];
        let columns = self.steps.iter().zip(groups).zip(&rows.numbers);
        for ((step, (of, _)), numbers) in columns {
            for (class, number) in classes.iter_mut().zip(numbers.values()) {
                *class += group(of, *number) as usize * step;
            }
        }
        BooleanBuffer::collect_bool(rows.count, |row| {
            let class = classes.get(row).copied().unwrap_or_default();
            let word = self.kept.get(class / 64).copied().unwrap_or_default();
            word >> (class % 64) & 1 == 1
        })
    }
}
