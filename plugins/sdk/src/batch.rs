//! The view of a batch: its granted columns by field, and the rows' numbers in the source. Nothing
//! is copied: everything borrows the host's buffers.

use crate::bindings::glovebox::plugin::columns::{self, DataType, Field, Values};
use crate::bits::Validity;
use crate::cells::Cells;
use crate::views::{Booleans, Bytes, Decimals, Numbers, Text};

/// Some thousand rows, as the columns that the step was granted.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    fields: &'a [Field],
    batch: &'a columns::Batch,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(fields: &'a [Field], batch: &'a columns::Batch) -> Self {
        Self { fields, batch }
    }

    /// The number of rows; may be 0.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch.rows as usize
    }

    /// For each row of the batch its number in the source, counted from 0. Numbers ascend, with
    /// gaps where earlier steps rejected or filtered rows.
    pub fn row_numbers(&self) -> impl Iterator<Item = u64> + use<'a> {
        let columns::Batch {
            rows,
            first_row,
            ref positions,
            ..
        } = *self.batch;
        (0..rows).map(move |row| {
            let position = match positions {
                Some(positions) => positions.get(row as usize).copied().unwrap_or(row),
                None => row,
            };
            first_row.saturating_add(u64::from(position))
        })
    }

    /// The granted columns, in the order of the fields given to `open`.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Column<'a>> + use<'a> {
        let batch = *self;
        let pairs = self.fields.iter().zip(&self.batch.columns);
        pairs.map(move |(field, column)| Column {
            batch,
            field,
            column,
        })
    }

    /// The column at an index into the fields given to `open`.
    #[must_use]
    pub fn column(&self, index: usize) -> Option<Column<'a>> {
        let (field, column) = (self.fields.get(index)?, self.batch.columns.get(index)?);
        Some(Column {
            batch: *self,
            field,
            column,
        })
    }

    /// The column of a name.
    #[must_use]
    pub fn column_named(&self, name: &str) -> Option<Column<'a>> {
        self.column(self.fields.iter().position(|field| field.name == name)?)
    }
}

/// One column of a batch. Ask it for the view of its type: [`text`](Self::text),
/// [`int64`](Self::int64) and so on.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    batch: Batch<'a>,
    field: &'a Field,
    column: &'a columns::Column,
}

impl<'a> Column<'a> {
    /// Its name, type, and whether it may hold nulls.
    #[must_use]
    pub fn field(&self) -> &'a Field {
        self.field
    }

    /// The batch that it is a column of, for a plugin that looks at others beside it.
    #[must_use]
    pub fn batch(&self) -> Batch<'a> {
        self.batch
    }

    /// The number of rows; may be 0.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch.rows()
    }

    /// Whether the cell of a row is there, for columns of every type.
    #[inline]
    #[must_use]
    pub fn is_present(&self, row: usize) -> bool {
        self.validity().is_present(row)
    }

    /// The cells of a text column; `None` for a column of another type, or one whose buffers do
    /// not hold together.
    #[must_use]
    pub fn text(&self) -> Option<Text<'a>> {
        match &self.column.values {
            Values::Text(cells) => Text::new(cells, self.validity(), self.rows()),
            _ => None,
        }
    }

    /// The cells of a bytes column; `None` as for [`text`](Self::text).
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes<'a>> {
        match &self.column.values {
            Values::Bytes(cells) => Bytes::new(cells, self.validity(), self.rows()),
            _ => None,
        }
    }

    /// The cells of an int64 column; `None` as for [`text`](Self::text).
    #[must_use]
    pub fn int64(&self) -> Option<Numbers<'a, i64>> {
        match &self.column.values {
            Values::Int64(cells) => Numbers::new(cells, self.validity(), self.rows()),
            _ => None,
        }
    }

    /// The cells of a float64 column; `None` as for [`text`](Self::text).
    #[must_use]
    pub fn float64(&self) -> Option<Numbers<'a, f64>> {
        match &self.column.values {
            Values::Float64(cells) => Numbers::new(cells, self.validity(), self.rows()),
            _ => None,
        }
    }

    /// The cells of a date column, in days since 1970-01-01; `None` as for [`text`](Self::text).
    #[must_use]
    pub fn date(&self) -> Option<Numbers<'a, i32>> {
        match &self.column.values {
            Values::Date(cells) => Numbers::new(cells, self.validity(), self.rows()),
            _ => None,
        }
    }

    /// The cells of a timestamp column, in microseconds since 1970-01-01T00:00:00Z; `None` as for
    /// [`text`](Self::text).
    #[must_use]
    pub fn timestamp(&self) -> Option<Numbers<'a, i64>> {
        match &self.column.values {
            Values::Timestamp(cells) => Numbers::new(cells, self.validity(), self.rows()),
            _ => None,
        }
    }

    /// The cells of a decimal column; `None` as for [`text`](Self::text).
    #[must_use]
    pub fn decimal(&self) -> Option<Decimals<'a>> {
        match (&self.column.values, self.field.data_type) {
            (Values::Decimal(words), DataType::Decimal(decimal)) => {
                Decimals::new(words, decimal.scale, self.validity(), self.rows())
            }
            _ => None,
        }
    }

    /// The cells of a boolean column; `None` as for [`text`](Self::text).
    #[must_use]
    pub fn boolean(&self) -> Option<Booleans<'a>> {
        match &self.column.values {
            Values::Boolean(bits) => Booleans::new(bits, self.validity(), self.rows()),
            _ => None,
        }
    }

    /// The cells whatever the column's type; `None` only where the buffers do not hold together.
    #[must_use]
    pub fn cells(&self) -> Option<Cells<'a>> {
        Some(match self.field.data_type {
            DataType::Boolean => Cells::Boolean(self.boolean()?),
            DataType::Int64 => Cells::Int64(self.int64()?),
            DataType::Float64 => Cells::Float64(self.float64()?),
            DataType::Decimal(_) => Cells::Decimal(self.decimal()?),
            DataType::Text => Cells::Text(self.text()?),
            DataType::Bytes => Cells::Bytes(self.bytes()?),
            DataType::Date => Cells::Date(self.date()?),
            DataType::Timestamp => Cells::Timestamp(self.timestamp()?),
        })
    }

    fn validity(&self) -> Validity<'a> {
        Validity(self.column.validity.as_deref())
    }
}
