//! A batch of rows as Arrow columns, and each row's number in its source.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;

/// Where the rows of a batch stood in the source.
///
/// Row `i` of the batch is row `first_row + i` of the source or, once rows have been taken out,
/// `first_row + rows[i]`; the same for lines, which sources without lines leave out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    first_row: u64,
    first_line: Option<u64>,
    rows: Option<Arc<[u32]>>,
    lines: Option<Arc<[u32]>>,
    file: Option<Arc<str>>,
}

impl Origin {
    /// Rows that follow each other from `first_row` on, counted from 0.
    pub fn contiguous(first_row: u64) -> Self {
        Origin {
            first_row,
            ..Origin::default()
        }
    }

    /// Rows at `first_row + rows[i]`; `None` is contiguous.
    pub fn scattered(first_row: u64, rows: Option<Vec<u32>>) -> Self {
        Origin {
            first_row,
            rows: rows.map(Into::into),
            ..Origin::default()
        }
    }

    /// With lines at `first_line + lines[i]`, counted from 1; `None` follows the row numbers.
    pub fn with_lines(mut self, first_line: u64, lines: Option<Vec<u32>>) -> Self {
        self.first_line = Some(first_line);
        self.lines = lines.map(Into::into);
        self
    }

    /// In that file; none where the source has only one.
    pub fn in_file(mut self, file: Option<Arc<str>>) -> Self {
        self.file = file;
        self
    }

    /// The file that the rows stood in, where the source has several.
    pub fn file(&self) -> Option<&Arc<str>> {
        self.file.as_ref()
    }

    /// The number of the first row that the positions count from.
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// The positions counted from [`Origin::first_row`]; `None` is contiguous.
    pub fn positions(&self) -> Option<&[u32]> {
        self.rows.as_deref()
    }

    /// The source's number of row `i` of the batch.
    pub fn row(&self, i: usize) -> u64 {
        self.first_row + offset(self.rows.as_deref(), i)
    }

    /// The source's line of row `i` of the batch, if the source has lines.
    pub fn line(&self, i: usize) -> Option<u64> {
        let first = self.first_line?;
        let lines = self.lines.as_deref().or(self.rows.as_deref());
        Some(first + offset(lines, i))
    }

    /// The origin of the rows that `keep` marks.
    pub fn filter(&self, keep: &BooleanArray) -> Self {
        let pick = |of: Option<&[u32]>| -> Arc<[u32]> {
            keep.values()
                .set_indices()
                .map(|i| u32::try_from(offset(of, i)).unwrap_or(u32::MAX))
                .collect()
        };
        Origin {
            first_row: self.first_row,
            first_line: self.first_line,
            rows: Some(pick(self.rows.as_deref())),
            lines: self.lines.as_deref().map(|l| pick(Some(l))),
            file: self.file.clone(),
        }
    }

    /// The origin of `len` rows from row `start` of the batch on.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let cut =
            |of: &[u32]| -> Arc<[u32]> { of.get(start..start + len).unwrap_or_default().into() };
        let mut part = self.clone();
        match &self.rows {
            Some(rows) => part.rows = Some(cut(rows)),
            None if self.lines.is_none() => {
                part.first_row += start as u64;
                part.first_line = self.first_line.map(|l| l + start as u64);
            }
            None => part.first_row += start as u64,
        }
        part.lines = self.lines.as_deref().map(cut);
        part
    }
}

fn offset(of: Option<&[u32]>, i: usize) -> u64 {
    match of {
        Some(list) => u64::from(list.get(i).copied().unwrap_or(u32::MAX)),
        None => i as u64,
    }
}

/// Rows on their way through the steps.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The cells, column by column.
    pub columns: RecordBatch,
    /// Where the rows stood in the source.
    pub origin: Origin,
}

impl Batch {
    /// A batch of these columns, whose rows stood there.
    pub fn new(columns: RecordBatch, origin: Origin) -> Self {
        Batch { columns, origin }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.columns.num_rows()
    }

    /// The rows that `keep` marks.
    ///
    /// # Errors
    /// When `keep` has another length than the batch.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Batch, ArrowError> {
        Ok(Batch {
            columns: arrow_select::filter::filter_record_batch(&self.columns, keep)?,
            origin: self.origin.filter(keep),
        })
    }

    /// `len` rows from row `start` on, without copying cells.
    pub fn slice(&self, start: usize, len: usize) -> Batch {
        Batch {
            columns: self.columns.slice(start, len),
            origin: self.origin.slice(start, len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_numbers_through_filters_and_cuts() {
        let all = Origin::contiguous(100)
            .with_lines(102, None)
            .in_file(Some("b.csv".into()));
        let odd = all.filter(&BooleanArray::from(vec![
            false, true, false, true, false, true,
        ]));
        assert_eq!((odd.row(0), odd.row(2)), (101, 105));
        assert_eq!(odd.line(1), Some(105));
        let last = odd.slice(2, 1);
        assert_eq!((last.row(0), last.line(0)), (105, Some(107)));
        assert_eq!(last.file().map(|f| &**f), Some("b.csv"));
        assert_eq!(all.slice(4, 2).row(1), 105);
    }

    #[test]
    fn lines_may_run_ahead_of_rows() {
        let all = Origin::contiguous(10).with_lines(20, Some(vec![0, 3, 4]));
        let cut = all.slice(1, 2);
        assert_eq!((cut.row(0), cut.line(0)), (11, Some(23)));
        let kept = cut.filter(&BooleanArray::from(vec![false, true]));
        assert_eq!((kept.row(0), kept.line(0)), (12, Some(24)));
    }
}
