//! The rows on which a plugin is tested: columns from literals, read back as plain values.

use crate::bindings::glovebox::plugin::columns::{self, DataType, DecimalType, Field, Values};
use crate::columns::NewColumn;
use crate::{Batch, RowMask};

/// Rows by columns. Add columns of equal length, each from one literal a row: `"a"`, `Some("a")`
/// or `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub(super) fields: Vec<Field>,
    pub(super) batch: columns::Batch,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// For each type a method that adds a column of it, and one that reads it back.
macro_rules! columns {
    ($($type:literal, $add:ident, $get:ident, $cell:ty, $data_type:expr;)*) => {$(
        #[doc = concat!("Adds a ", $type, " column.")]
        #[must_use]
        #[track_caller]
        pub fn $add<C: Into<Option<$cell>>>(
            self,
            name: &str,
            cells: impl IntoIterator<Item = C>,
        ) -> Self {
            let cells: Vec<Option<$cell>> = cells.into_iter().map(Into::into).collect();
            let rows = cells.len();
            self.add(name, $data_type, rows, NewColumn::$add(cells))
        }

        #[doc = concat!("The cells of a ", $type, " column. Panics if there is none of the name.")]
        #[must_use]
        #[track_caller]
        pub fn $get(&self, name: &str) -> Vec<Option<$cell>> {
            match self.view().column_named(name).and_then(|column| column.$add()) {
                Some(cells) => cells.iter().collect(),
                None => panic!(concat!("there is no ", $type, " column `{}`"), name),
            }
        }
    )*};
}

impl Table {
    /// A table without columns. Its rows are rows 0, 1, 2 … of the source, unless
    /// [`at_rows`](Self::at_rows) says otherwise.
    #[must_use]
    pub fn new() -> Self {
        let batch = columns::Batch {
            rows: 0,
            first_row: 0,
            positions: None,
            columns: Vec::new(),
        };
        Self {
            fields: Vec::new(),
            batch,
        }
    }

    /// Says which rows of the source these are: `first` plus each of the ascending `positions`.
    #[must_use]
    pub fn at_rows(mut self, first: u64, positions: Option<&[u32]>) -> Self {
        self.batch.first_row = first;
        self.batch.positions = positions.map(<[u32]>::to_vec);
        self
    }

    columns! {
        "boolean", boolean, get_boolean, bool, DataType::Boolean;
        "int64", int64, get_int64, i64, DataType::Int64;
        "float64", float64, get_float64, f64, DataType::Float64;
        "date", date, get_date, i32, DataType::Date;
        "timestamp", timestamp, get_timestamp, i64, DataType::Timestamp;
    }

    /// Adds a text column.
    #[must_use]
    #[track_caller]
    pub fn text<'c, C>(self, name: &str, cells: impl IntoIterator<Item = C>) -> Self
    where
        C: Into<Option<&'c str>>,
    {
        let cells: Vec<Option<&str>> = cells.into_iter().map(Into::into).collect();
        let rows = cells.len();
        self.add(name, DataType::Text, rows, NewColumn::text(cells))
    }

    /// Adds a bytes column.
    #[must_use]
    #[track_caller]
    pub fn bytes<'c, C>(self, name: &str, cells: impl IntoIterator<Item = C>) -> Self
    where
        C: Into<Option<&'c [u8]>>,
    {
        let cells: Vec<Option<&[u8]>> = cells.into_iter().map(Into::into).collect();
        let rows = cells.len();
        self.add(name, DataType::Bytes, rows, NewColumn::bytes(cells))
    }

    /// Adds a decimal column of 38 digits, `scale` of them after the point, from whole numbers of
    /// its smallest unit.
    #[must_use]
    #[track_caller]
    pub fn decimal<C>(self, name: &str, scale: u8, cells: impl IntoIterator<Item = C>) -> Self
    where
        C: Into<Option<i128>>,
    {
        let cells: Vec<Option<i128>> = cells.into_iter().map(Into::into).collect();
        let data_type = DataType::Decimal(DecimalType {
            precision: 38,
            scale,
        });
        let rows = cells.len();
        self.add(name, data_type, rows, NewColumn::decimal(cells))
    }

    /// The cells of a text column. Panics if there is none of the name.
    #[must_use]
    #[track_caller]
    pub fn get_text(&self, name: &str) -> Vec<Option<&str>> {
        match self
            .view()
            .column_named(name)
            .and_then(|column| column.text())
        {
            Some(cells) => cells.iter().collect(),
            None => panic!("there is no text column `{name}`"),
        }
    }

    /// The cells of a bytes column. Panics if there is none of the name.
    #[must_use]
    #[track_caller]
    pub fn get_bytes(&self, name: &str) -> Vec<Option<&[u8]>> {
        match self
            .view()
            .column_named(name)
            .and_then(|column| column.bytes())
        {
            Some(cells) => cells.iter().collect(),
            None => panic!("there is no bytes column `{name}`"),
        }
    }

    /// The cells of a decimal column, in whole numbers of its smallest unit. Panics if there is
    /// none of the name.
    #[must_use]
    #[track_caller]
    pub fn get_decimal(&self, name: &str) -> Vec<Option<i128>> {
        match self
            .view()
            .column_named(name)
            .and_then(|column| column.decimal())
        {
            Some(cells) => cells.iter().collect(),
            None => panic!("there is no decimal column `{name}`"),
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch.rows as usize
    }

    /// The names, types and nullability of the columns.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The table as a plugin sees a batch.
    #[must_use]
    pub fn view(&self) -> Batch<'_> {
        Batch::new(&self.fields, &self.batch)
    }

    #[track_caller]
    fn add(mut self, name: &str, data_type: DataType, rows: usize, column: NewColumn) -> Self {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let first = self.fields.is_empty();
        assert!(
            first || self.batch.rows == rows,
            "column `{name}` has {rows} rows"
        );
        self.batch.rows = rows;
        self.put(
            Field {
                name: name.to_owned(),
                data_type,
                nullable: true,
            },
            column,
        );
        self
    }

    /// Puts a column in the place of one of its name, or behind all others.
    pub(super) fn put(&mut self, field: Field, column: NewColumn) {
        let column = column.into_inner();
        let place = self
            .fields
            .iter()
            .position(|other| other.name == field.name);
        let place =
            place.and_then(|at| self.fields.get_mut(at).zip(self.batch.columns.get_mut(at)));
        match place {
            Some(place) => (*place.0, *place.1) = (field, column),
            None => {
                self.fields.push(field);
                self.batch.columns.push(column);
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        let mut names = self.fields.iter();
        self.batch
            .columns
            .retain(|_| names.next().is_none_or(|field| field.name != name));
        self.fields.retain(|field| field.name != name);
    }

    /// Keeps some rows, as the host does after a transformer.
    pub(super) fn keep(&mut self, rows: &RowMask) {
        let numbers: Vec<u64> = self.view().row_numbers().collect();
        let all = RowMask::all(self.rows(), true);
        let columns = self
            .view()
            .columns()
            .map(|column| pick(&column, rows, &all))
            .collect();
        self.batch.columns = columns;
        self.batch.rows = rows.count() as u32;
        let first = self.batch.first_row;
        let kept = numbers.iter().enumerate().filter(|(row, _)| rows.get(*row));
        self.batch.positions = Some(kept.map(|(_, number)| (number - first) as u32).collect());
    }

    /// Makes some cells of a column null, as the host does after a masker.
    pub(super) fn nullify(&mut self, name: &str, rows: &RowMask) {
        let all = RowMask::all(self.rows(), true);
        let present = (0..self.rows()).map(|row| !rows.get(row)).collect();
        let place = self.fields.iter().position(|field| field.name == name);
        let nullified = self
            .view()
            .column_named(name)
            .map(|column| pick(&column, &all, &present));
        let place = place.and_then(|at| self.batch.columns.get_mut(at));
        if let (Some(place), Some(nullified)) = (place, nullified) {
            *place = nullified;
        }
    }
}

/// The cells of rows in `keep`, null where the row is not in `present`.
fn pick(column: &crate::Column<'_>, keep: &RowMask, present: &RowMask) -> columns::Column {
    fn cells<T>(
        cells: impl Iterator<Item = Option<T>>,
        keep: &RowMask,
        present: &RowMask,
    ) -> Vec<Option<T>> {
        let rows = cells.enumerate().filter(|(row, _)| keep.get(*row));
        rows.map(|(row, cell)| cell.filter(|_| present.get(row)))
            .collect()
    }
    macro_rules! typed {
        ($($name:ident)*) => {
            $(if let Some(view) = column.$name() {
                return NewColumn::$name(cells(view.iter(), keep, present)).into_inner();
            })*
        };
    }
    typed!(boolean int64 float64 decimal text bytes date timestamp);
    columns::Column {
        values: Values::Int64(Vec::new()),
        validity: None,
    }
}
