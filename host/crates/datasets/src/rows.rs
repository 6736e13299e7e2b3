//! Rows of either database as Arrow columns, checked against what is declared.
//! A cell of another type is an error, since it would be served as a wrong value.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use glovebox_core::DataType;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, TypeInfo, ValueRef};

use super::{Cell, Column};
use glovebox_connectors::cell;

/// A row that cells can be taken out of.
pub(super) trait Cells {
    /// The cell at a place, as a column of that type stores it; none if it is of another type.
    fn cell(&self, place: usize, data_type: DataType) -> Option<Cell>;

    /// The same of a column of text, without a copy: the inner option is NULL.
    fn text(&self, place: usize) -> Option<Option<&str>>;
}

impl Cells for SqliteRow {
    fn cell(&self, place: usize, data_type: DataType) -> Option<Cell> {
        let value = self.try_get_raw(place).ok()?;
        if value.is_null() {
            return Some(Cell::Null);
        }
        let class = value.type_info();
        let class = class.name();
        let text = || match class {
            "TEXT" => self.try_get_unchecked::<&str, _>(place).ok(),
            _ => None,
        };
        let whole = || match class {
            "INTEGER" | "BOOLEAN" => self.try_get_unchecked::<i64, _>(place).ok(),
            _ => None,
        };
        Some(match data_type {
            DataType::Boolean => match whole()? {
                0 => Cell::Boolean(false),
                1 => Cell::Boolean(true),
                _ => return None,
            },
            DataType::Int64 => Cell::Int64(whole()?),
            DataType::Float64 => match class {
                "REAL" | "INTEGER" => Cell::Float64(self.try_get_unchecked::<f64, _>(place).ok()?),
                _ => return None,
            },
            DataType::Decimal { .. } => Cell::Decimal(text()?.to_owned()),
            DataType::Text => Cell::Text(self.text(place)??.to_owned()),
            DataType::Bytes => match class {
                "BLOB" => Cell::Bytes(self.try_get_unchecked::<Vec<u8>, _>(place).ok()?),
                _ => return None,
            },
            DataType::Date => Cell::Date(cell::date(text()?.as_bytes())?),
            DataType::Timestamp => Cell::Timestamp(cell::timestamp(text()?.as_bytes())?),
            DataType::Opaque => return None,
        })
    }

    fn text(&self, place: usize) -> Option<Option<&str>> {
        let value = self.try_get_raw(place).ok()?;
        match value.type_info().name() {
            _ if value.is_null() => Some(None),
            "TEXT" => self.try_get_unchecked::<&str, _>(place).ok().map(Some),
            _ => None,
        }
    }
}

impl Cells for PgRow {
    fn cell(&self, place: usize, data_type: DataType) -> Option<Cell> {
        Some(
            match data_type {
                DataType::Boolean => self
                    .try_get::<Option<bool>, _>(place)
                    .ok()?
                    .map(Cell::Boolean),
                DataType::Int64 => self.try_get::<Option<i64>, _>(place).ok()?.map(Cell::Int64),
                DataType::Float64 => self
                    .try_get::<Option<f64>, _>(place)
                    .ok()?
                    .map(Cell::Float64),
                DataType::Decimal { .. } => self
                    .try_get::<Option<String>, _>(place)
                    .ok()?
                    .map(Cell::Decimal),
                DataType::Text => self.text(place)?.map(|text| Cell::Text(text.to_owned())),
                DataType::Bytes => self
                    .try_get::<Option<Vec<u8>>, _>(place)
                    .ok()?
                    .map(Cell::Bytes),
                DataType::Date => self.try_get::<Option<i32>, _>(place).ok()?.map(Cell::Date),
                DataType::Timestamp => self
                    .try_get::<Option<i64>, _>(place)
                    .ok()?
                    .map(Cell::Timestamp),
                DataType::Opaque => return None,
            }
            .unwrap_or(Cell::Null),
        )
    }

    fn text(&self, place: usize) -> Option<Option<&str>> {
        self.try_get(place).ok()
    }
}

/// A column being filled.
enum Builder {
    Boolean(BooleanBuilder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8, u8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(data_type: DataType, rows: usize) -> Self {
        match data_type {
            DataType::Boolean => Builder::Boolean(BooleanBuilder::with_capacity(rows)),
            DataType::Int64 => Builder::Int64(Int64Builder::with_capacity(rows)),
            DataType::Float64 => Builder::Float64(Float64Builder::with_capacity(rows)),
            DataType::Decimal { precision, scale } => Builder::Decimal(
                Decimal128Builder::with_capacity(rows).with_data_type(data_type.to_arrow()),
                precision,
                scale,
            ),
            DataType::Text => Builder::Text(StringBuilder::with_capacity(rows, rows * 16)),
            DataType::Bytes | DataType::Opaque => {
                Builder::Bytes(BinaryBuilder::with_capacity(rows, rows * 16))
            }
            DataType::Date => Builder::Date(Date32Builder::with_capacity(rows)),
            DataType::Timestamp => Builder::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(rows)
                    .with_data_type(data_type.to_arrow()),
            ),
        }
    }

    /// None if the cell is of another type.
    fn push(&mut self, cell: Cell) -> Option<()> {
        match (self, cell) {
            (Builder::Boolean(b), Cell::Boolean(v)) => b.append_value(v),
            (Builder::Int64(b), Cell::Int64(v)) => b.append_value(v),
            (Builder::Float64(b), Cell::Float64(v)) => b.append_value(v),
            (Builder::Decimal(b, precision, scale), Cell::Decimal(v)) => {
                b.append_value(cell::decimal(v.as_bytes(), *precision, *scale)?);
            }
            (Builder::Text(b), Cell::Text(v)) => b.append_value(v),
            (Builder::Bytes(b), Cell::Bytes(v)) => b.append_value(v),
            (Builder::Date(b), Cell::Date(v)) => b.append_value(v),
            (Builder::Timestamp(b), Cell::Timestamp(v)) => b.append_value(v),
            (builder, Cell::Null) => match builder {
                Builder::Boolean(b) => b.append_null(),
                Builder::Int64(b) => b.append_null(),
                Builder::Float64(b) => b.append_null(),
                Builder::Decimal(b, ..) => b.append_null(),
                Builder::Text(b) => b.append_null(),
                Builder::Bytes(b) => b.append_null(),
                Builder::Date(b) => b.append_null(),
                Builder::Timestamp(b) => b.append_null(),
            },
            _ => return None,
        }
        Some(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Builder::Boolean(mut b) => Arc::new(b.finish()),
            Builder::Int64(mut b) => Arc::new(b.finish()),
            Builder::Float64(mut b) => Arc::new(b.finish()),
            Builder::Decimal(mut b, ..) => Arc::new(b.finish()),
            Builder::Text(mut b) => Arc::new(b.finish()),
            Builder::Bytes(mut b) => Arc::new(b.finish()),
            Builder::Date(mut b) => Arc::new(b.finish()),
            Builder::Timestamp(mut b) => Arc::new(b.finish()),
        }
    }
}

/// The rows as columns; else the name of the column that does not fit.
pub(super) fn batch<R: Cells>(rows: &[R], columns: &[&Column]) -> Result<RecordBatch, String> {
    let mut arrays = Vec::with_capacity(columns.len());
    let mut fields = Vec::with_capacity(columns.len());
    for (place, column) in columns.iter().enumerate() {
        let mut builder = Builder::new(column.data_type, rows.len());
        for row in rows {
            let pushed = match &mut builder {
                // Most cells are text, and this way is copied once.
                Builder::Text(builder) => row.text(place).map(|text| builder.append_option(text)),
                _ => row
                    .cell(place, column.data_type)
                    .and_then(|cell| builder.push(cell)),
            };
            pushed.ok_or_else(|| column.name.clone())?;
        }
        fields.push(Field::new(&*column.name, column.data_type.to_arrow(), true));
        arrays.push(builder.finish());
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|_| columns.first().map_or_else(String::new, |c| c.name.clone()))
}
