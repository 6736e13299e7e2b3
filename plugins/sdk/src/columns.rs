//! Builds new columns directly in the buffers that are returned. A column that the host would
//! refuse cannot be built: offsets rise, text is UTF-8, lengths agree.

use crate::bindings::glovebox::plugin::columns::{Column, Values, VariableWidth};
use crate::bits::{RowMask, ValidityBuilder};

/// A column made by the plugin, with one cell a row of the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct NewColumn(Column);

impl NewColumn {
    /// A text column of one cell a row; `None` is null. See [`TextBuilder`] for one that is built
    /// piece by piece.
    pub fn text(cells: impl IntoIterator<Item = Option<impl AsRef<str>>>) -> Self {
        let cells = cells.into_iter();
        let mut builder = TextBuilder::with_capacity(cells.size_hint().0, 0);
        cells.for_each(|cell| builder.push_option(cell.as_ref().map(AsRef::as_ref)));
        builder.finish()
    }

    /// A bytes column of one cell a row; `None` is null.
    pub fn bytes<'a>(cells: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        let cells = cells.into_iter();
        let mut builder = VariableWidthBuilder::with_capacity(cells.size_hint().0, 0);
        for cell in cells {
            builder.data.extend_from_slice(cell.unwrap_or_default());
            builder.end(cell.is_some());
        }
        let (cells, validity) = builder.finish();
        Self(Column {
            values: Values::Bytes(cells),
            validity,
        })
    }

    /// An int64 column of one cell a row; `None` is null.
    pub fn int64(cells: impl IntoIterator<Item = Option<i64>>) -> Self {
        Self::fixed_width(cells, Values::Int64)
    }

    /// A float64 column of one cell a row; `None` is null.
    pub fn float64(cells: impl IntoIterator<Item = Option<f64>>) -> Self {
        Self::fixed_width(cells, Values::Float64)
    }

    /// A date column of one cell a row, in days since 1970-01-01; `None` is null.
    pub fn date(cells: impl IntoIterator<Item = Option<i32>>) -> Self {
        Self::fixed_width(cells, Values::Date)
    }

    /// A timestamp column of one cell a row, in microseconds since 1970-01-01T00:00:00Z; `None`
    /// is null.
    pub fn timestamp(cells: impl IntoIterator<Item = Option<i64>>) -> Self {
        Self::fixed_width(cells, Values::Timestamp)
    }

    /// A decimal column of one cell a row, in whole numbers of the field's smallest unit (with a
    /// scale of 2, `12.34` is `1234`); `None` is null.
    pub fn decimal(cells: impl IntoIterator<Item = Option<i128>>) -> Self {
        let cells = cells.into_iter();
        let mut words = Vec::with_capacity(cells.size_hint().0 * 2);
        let mut validity = ValidityBuilder::default();
        for cell in cells {
            validity.push(cell.is_some(), words.len() / 2);
            let value = cell.unwrap_or_default() as u128;
            words.extend([value as u64, (value >> 64) as u64]);
        }
        Self(Column {
            values: Values::Decimal(words),
            validity: validity.finish(),
        })
    }

    /// A boolean column of one cell a row; `None` is null.
    pub fn boolean(cells: impl IntoIterator<Item = Option<bool>>) -> Self {
        let cells = cells.into_iter();
        let mut values = RowMask::with_capacity(cells.size_hint().0);
        let mut validity = ValidityBuilder::default();
        for cell in cells {
            validity.push(cell.is_some(), values.rows());
            values.push(cell.unwrap_or_default());
        }
        let values = Values::Boolean(values.into_bytes());
        Self(Column {
            values,
            validity: validity.finish(),
        })
    }

    fn fixed_width<T: Default>(
        cells: impl IntoIterator<Item = Option<T>>,
        values: impl FnOnce(Vec<T>) -> Values,
    ) -> Self {
        let cells = cells.into_iter();
        let mut numbers = Vec::with_capacity(cells.size_hint().0);
        let mut validity = ValidityBuilder::default();
        for cell in cells {
            validity.push(cell.is_some(), numbers.len());
            numbers.push(cell.unwrap_or_default());
        }
        Self(Column {
            values: values(numbers),
            validity: validity.finish(),
        })
    }

    pub(crate) fn from_text(cells: VariableWidth, validity: Option<Vec<u8>>) -> Self {
        Self(Column {
            values: Values::Text(cells),
            validity,
        })
    }

    pub(crate) fn into_inner(self) -> Column {
        self.0
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn inner(&self) -> &Column {
        &self.0
    }
}

/// Builds a text column cell by cell, and a cell piece by piece, with no text in between.
///
/// ```
/// use glovebox_sdk::TextBuilder;
///
/// let mut column = TextBuilder::with_capacity(3, 12);
/// column.push("whole");
/// column.push_null();
/// column.write("in ");
/// column.write("pieces");
/// column.end_cell();
/// let column = column.finish();
/// ```
#[derive(Clone, Debug)]
pub struct TextBuilder(VariableWidthBuilder);

impl TextBuilder {
    /// A column without cells yet, with room for `rows` cells of `bytes` bytes together.
    #[must_use]
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self(VariableWidthBuilder::with_capacity(rows, bytes))
    }

    /// Adds a cell.
    #[inline]
    pub fn push(&mut self, cell: &str) {
        self.write(cell);
        self.end_cell();
    }

    /// Adds a null.
    #[inline]
    pub fn push_null(&mut self) {
        self.0.end(false);
    }

    /// Adds a cell, or a null for `None`.
    #[inline]
    pub fn push_option(&mut self, cell: Option<&str>) {
        match cell {
            Some(cell) => self.push(cell),
            None => self.push_null(),
        }
    }

    /// Adds text to the cell that [`end_cell`](Self::end_cell) will end.
    #[inline]
    pub fn write(&mut self, text: &str) {
        if !text.is_empty() {
            self.0.data.extend_from_slice(text.as_bytes());
        }
    }

    /// Adds a text several times to the cell that [`end_cell`](Self::end_cell) will end.
    #[inline]
    pub fn write_repeated(&mut self, text: &str, times: usize) {
        match text.as_bytes() {
            &[byte] => self.0.data.extend((0..times).map(|_| byte)),
            bytes => (0..times).for_each(|_| self.0.data.extend_from_slice(bytes)),
        }
    }

    /// Ends the cell, which may be empty, and so adds it.
    #[inline]
    pub fn end_cell(&mut self) {
        self.0.end(true);
    }

    /// The column. A cell that was written but not ended is not part of it.
    #[must_use]
    pub fn finish(self) -> NewColumn {
        let (cells, validity) = self.0.finish();
        NewColumn(Column {
            values: Values::Text(cells),
            validity,
        })
    }
}

/// So that `write!(column, "{prefix}{number}")` writes a piece of a cell.
impl std::fmt::Write for TextBuilder {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.write(text);
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct VariableWidthBuilder {
    offsets: Vec<i32>,
    data: Vec<u8>,
    validity: ValidityBuilder,
    end: i32,
}

impl VariableWidthBuilder {
    fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows.saturating_add(1));
        offsets.push(0);
        let (data, validity) = (Vec::with_capacity(bytes), ValidityBuilder::default());
        Self {
            offsets,
            data,
            validity,
            end: 0,
        }
    }

    /// Ends a cell. One that would end past 2 GiB, which Arrow's offsets cannot say, becomes a
    /// null, as does one that is not present; neither leaves bytes behind.
    #[inline]
    fn end(&mut self, present: bool) {
        let end = i32::try_from(self.data.len()).ok().filter(|_| present);
        match end {
            Some(end) => self.end = end,
            None => self.data.truncate(self.end as usize),
        }
        self.validity.push(end.is_some(), self.offsets.len() - 1);
        self.offsets.push(self.end);
    }

    fn finish(mut self) -> (VariableWidth, Option<Vec<u8>>) {
        self.data.truncate(self.end as usize);
        (
            VariableWidth {
                offsets: self.offsets,
                data: self.data,
            },
            self.validity.finish(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_an_offset_more_than_rows_and_no_bytes_of_nulls() {
        let mut column = TextBuilder::with_capacity(4, 0);
        column.push("é");
        column.write("lost");
        column.push_null();
        column.write_repeated("·", 2);
        column.end_cell();
        column.write("not ended");
        let Column { values, validity } = column.finish().into_inner();
        assert_eq!(validity, Some(vec![0b101]));
        let cells = VariableWidth {
            offsets: vec![0, 2, 2, 6],
            data: "é··".into(),
        };
        assert_eq!(values, Values::Text(cells));
    }

    #[test]
    fn an_empty_column_still_has_its_first_offset() {
        let Column { values, validity } = NewColumn::text([] as [Option<&str>; 0]).into_inner();
        assert_eq!(
            values,
            Values::Text(VariableWidth {
                offsets: vec![0],
                data: Vec::new()
            })
        );
        assert_eq!(validity, None);
    }

    #[test]
    fn decimals_are_two_words_low_first() {
        let column = NewColumn::decimal([Some(-1), None, Some(1)]).into_inner();
        let words = vec![u64::MAX, u64::MAX, 0, 0, 1, 0];
        assert_eq!(
            column,
            Column {
                values: Values::Decimal(words),
                validity: Some(vec![0b101])
            }
        );
    }

    #[test]
    fn booleans_are_bits() {
        let column = NewColumn::boolean([Some(true), Some(false), None]).into_inner();
        let expected = Column {
            values: Values::Boolean(vec![1]),
            validity: Some(vec![0b011]),
        };
        assert_eq!(column, expected);
    }
}
