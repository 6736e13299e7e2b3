//! Rows that a table cannot store, rejected before they are sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Decimal128Array, StringArray};
use glovebox_core::{Batch, Origin, Reject, Violation};

/// The rows of one batch that are set aside, and why.
#[derive(Debug, Default)]
pub(crate) struct SetAside {
    rows: BTreeMap<usize, Vec<Violation>>,
}

impl SetAside {
    /// Whether all rows can go.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many cannot.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether this one cannot.
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.rows.contains_key(&row)
    }

    /// Sets a row aside.
    pub(crate) fn add(&mut self, row: usize, column: &Arc<str>, rule: &str, message: &str) {
        self.rows.entry(row).or_default().push(Violation {
            step: "sink".into(),
            column: Some(column.clone()),
            rule: rule.into(),
            message: message.into(),
        });
    }

    /// Rows with a null where the table takes none.
    pub(crate) fn nulls(&mut self, cells: &dyn Array, column: &Arc<str>) {
        if cells.null_count() == 0 {
            return;
        }
        for row in (0..cells.len()).filter(|row| cells.is_null(*row)) {
            self.add(
                row,
                column,
                "not-null",
                "null, and the table's column is NOT NULL",
            );
        }
    }

    /// Rows whose text holds a NUL.
    pub(crate) fn nuls(&mut self, cells: &StringArray, column: &Arc<str>, message: &str) {
        let offsets = cells.value_offsets();
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
            return;
        };
        let bounds = usize::try_from(*first).unwrap_or(0)..usize::try_from(*last).unwrap_or(0);
        // One look at the whole column; nearly always there is nothing to look for in a cell.
        let all = cells.value_data().get(bounds).unwrap_or_default();
        if memchr::memchr(0, all).is_none() {
            return;
        }
        for row in 0..cells.len() {
            if cells.is_valid(row) && cells.value(row).as_bytes().contains(&0) {
                self.add(row, column, "nul", message);
            }
        }
    }

    /// Rows for whose cell `fits` is false.
    pub(crate) fn range<T: Copy>(
        &mut self,
        cells: &dyn Array,
        values: &[T],
        column: &Arc<str>,
        message: &str,
        fits: impl Fn(T) -> bool,
    ) {
        for (row, value) in values.iter().enumerate() {
            if !fits(*value) && cells.is_valid(row) {
                self.add(row, column, "range", message);
            }
        }
    }

    /// Rows whose decimal has more digits than the column's type.
    pub(crate) fn digits(&mut self, cells: &Decimal128Array, precision: u8, column: &Arc<str>) {
        let bound = 10_i128
            .checked_pow(u32::from(precision))
            .unwrap_or(i128::MAX);
        let message = format!("more than {precision} digits");
        self.range(cells, cells.values(), column, &message, |v| {
            v.unsigned_abs() < bound.unsigned_abs()
        });
    }

    /// Where the rows of the batch stood that are not set aside.
    pub(crate) fn kept(&self, batch: &Batch) -> Origin {
        if self.is_empty() {
            return batch.origin.clone();
        }
        let keep: BooleanArray = (0..batch.rows())
            .map(|row| Some(!self.contains(row)))
            .collect();
        batch.origin.filter(&keep)
    }

    /// The rejects, in the order of the rows.
    pub(crate) fn into_rejects(self, origin: &Origin) -> impl Iterator<Item = Reject> {
        self.rows.into_iter().map(|(row, violations)| Reject {
            row: origin.row(row),
            file: origin.file().cloned(),
            line: origin.line(row),
            violations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_in_its_row_of_a_slice_and_not_in_a_null() {
        let all = StringArray::from(vec![Some("\0"), Some("a"), None, Some("b\0"), Some("c")]);
        let mut aside = SetAside::default();
        aside.nuls(&all.slice(1, 3), &"name".into(), "no NUL");
        let rejects: Vec<_> = aside.into_rejects(&Origin::contiguous(10)).collect();
        assert_eq!(rejects.len(), 1);
        assert_eq!(rejects[0].row, 12);
        assert_eq!(&*rejects[0].violations[0].rule, "nul");
    }

    #[test]
    fn a_row_has_one_reject_with_every_reason() {
        let decimals = Decimal128Array::from(vec![Some(999), Some(1000), Some(-1000), None]);
        let mut aside = SetAside::default();
        aside.digits(&decimals, 3, &"price".into());
        aside.nulls(&decimals, &"price".into());
        aside.add(1, &"name".into(), "nul", "no NUL");
        let rejects: Vec<_> = aside.into_rejects(&Origin::contiguous(0)).collect();
        let rules: Vec<Vec<&str>> = rejects
            .iter()
            .map(|r| r.violations.iter().map(|v| &*v.rule).collect())
            .collect();
        assert_eq!(
            rules,
            [vec!["range", "nul"], vec!["range"], vec!["not-null"]]
        );
    }
}
