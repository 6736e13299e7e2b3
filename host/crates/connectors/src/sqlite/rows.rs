//! Arrow columns in the five types that SQLite stores, on the workers, and as bound values on the
//! writer.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, Field, Schema};
use glovebox_core::{Batch, DataType, Encoded, Encoder, Origin, Payload, Reject, SinkError};
use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;

use super::types::Form;
use crate::calendar;
use crate::database::set_aside::SetAside;

/// 0001-01-01 and 9999-12-31 in days since 1970-01-01: years outside have no text that sorts.
const DAYS: RangeInclusive<i32> = -719_162..=2_932_896;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The first and the last microsecond of these days.
const MICROS: RangeInclusive<i64> =
    *DAYS.start() as i64 * MICROS_PER_DAY..=(*DAYS.end() as i64 + 1) * MICROS_PER_DAY - 1;

/// A column as the table takes it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: Arc<str>,
    pub(super) data_type: DataType,
    /// What it asks of cells beside their type.
    pub(super) form: Form,
    /// Whether the table refuses nulls.
    pub(super) not_null: bool,
}

/// Turns batches into batches of columns that can be bound as they are.
pub(super) struct RowEncoder {
    place: String,
    columns: Vec<Column>,
    /// Whether each row's place in the source follows its cells.
    marked: bool,
}

/// Columns that say where a row stood: its number, its line, its file.
pub(super) const MARKS: usize = 3;

impl RowEncoder {
    pub(super) fn new(place: String, columns: Vec<Column>, marked: bool) -> Self {
        RowEncoder {
            place,
            columns,
            marked,
        }
    }

    fn internal(&self, problem: String) -> SinkError {
        SinkError::Internal {
            place: self.place.clone(),
            problem,
        }
    }

    fn check(&self, batch: &RecordBatch) -> Result<SetAside, SinkError> {
        let mut aside = SetAside::default();
        let all = batch.num_columns() == self.columns.len()
            && self
                .columns
                .iter()
                .zip(batch.columns())
                .all(|(column, cells)| check(column, cells, &mut aside).is_some());
        if all {
            Ok(aside)
        } else {
            Err(self.internal("a batch has different columns than the sink was opened with".into()))
        }
    }

    fn store(&self, batch: &Batch, aside: &SetAside) -> Result<RecordBatch, ArrowError> {
        let kept = if aside.is_empty() {
            batch.columns.clone()
        } else {
            let keep: BooleanArray = (0..batch.rows())
                .map(|row| Some(!aside.contains(row)))
                .collect();
            arrow_select::filter::filter_record_batch(&batch.columns, &keep)?
        };
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut columns = Vec::with_capacity(self.columns.len());
        for (column, cells) in self.columns.iter().zip(kept.columns()) {
            let cells = storable(cells, column.data_type);
            fields.push(Field::new(&*column.name, cells.data_type().clone(), true));
            columns.push(cells);
        }
        if self.marked {
            for (name, cells) in marks(&aside.kept(batch), kept.num_rows()) {
                fields.push(Field::new(name, cells.data_type().clone(), true));
                columns.push(cells);
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

impl Encoder for RowEncoder {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        let mut encoded = Encoded::default();
        let mut payload = Vec::with_capacity(batches.len());
        for batch in batches {
            let aside = self.check(&batch.columns)?;
            let stored = self
                .store(batch, &aside)
                .map_err(|e| self.internal(e.to_string()))?;
            encoded.rows += stored.num_rows() as u64;
            encoded.origins.push((aside.kept(batch), stored.num_rows()));
            encoded.rejects.extend(aside.into_rejects(&batch.origin));
            payload.push(stored);
        }
        encoded.payload = Payload::Batches(payload);
        Ok(encoded)
    }

    fn unfit(&self, batch: &Batch) -> Result<Vec<Reject>, SinkError> {
        let aside = self.check(&batch.columns)?;
        Ok(aside.into_rejects(&batch.origin).collect())
    }
}

fn marks(origin: &Origin, rows: usize) -> [(&'static str, ArrayRef); MARKS] {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let row: Int64Array = (0..rows).map(|i| Some(number(origin.row(i)))).collect();
    let line: Int64Array = (0..rows).map(|i| origin.line(i).map(number)).collect();
    let file = StringArray::from(vec![origin.file().map(|f| &**f); rows]);
    [
        ("row", Arc::new(row)),
        ("line", Arc::new(line)),
        ("file", Arc::new(file)),
    ]
}

/// Sets aside the rows whose cell this column cannot take; none if it is of another type.
fn check(column: &Column, cells: &ArrayRef, aside: &mut SetAside) -> Option<()> {
    if *cells.data_type() != column.data_type.to_arrow() {
        return None;
    }
    let name = &column.name;
    if column.not_null {
        aside.nulls(cells, name);
    }
    column.form.check(cells, name, aside)?;
    match column.data_type {
        DataType::Text => aside.nuls(
            cells.as_string_opt()?,
            name,
            "text with a NUL (U+0000), which SQLite's functions ignore from there on",
        ),
        DataType::Float64 => {
            let values = cells.as_primitive_opt::<Float64Type>()?.values();
            let message = "not a number (NaN), which SQLite would store as a null";
            aside.range(cells, values, name, message, |v| !v.is_nan());
        }
        DataType::Decimal { precision, .. } => {
            aside.digits(cells.as_primitive_opt::<Decimal128Type>()?, precision, name);
        }
        DataType::Date => {
            let values = cells.as_primitive_opt::<Date32Type>()?.values();
            let message = "outside the years 0001 to 9999, which ISO dates can represent";
            aside.range(cells, values, name, message, |day| DAYS.contains(&day));
        }
        DataType::Timestamp => {
            let values = cells
                .as_primitive_opt::<TimestampMicrosecondType>()?
                .values();
            let message = "outside the years 0001 to 9999, which ISO times can represent";
            aside.range(cells, values, name, message, |micro| {
                MICROS.contains(&micro)
            });
        }
        DataType::Boolean | DataType::Int64 | DataType::Bytes => {}
        DataType::Opaque => return None,
    }
    Some(())
}

/// Decimals, dates and times as text; the rest as it is.
fn storable(cells: &ArrayRef, data_type: DataType) -> ArrayRef {
    let text = |show: &dyn Fn(usize) -> String| -> ArrayRef {
        let cells: StringArray = (0..cells.len())
            .map(|row| cells.is_valid(row).then(|| show(row)))
            .collect();
        Arc::new(cells)
    };
    match data_type {
        DataType::Decimal { .. } => match cells.as_primitive_opt::<Decimal128Type>() {
            Some(a) => text(&|row| a.value_as_string(row)),
            None => cells.clone(),
        },
        DataType::Date => match cells.as_primitive_opt::<Date32Type>() {
            Some(a) => text(&|row| date(a.value(row).into())),
            None => cells.clone(),
        },
        DataType::Timestamp => match cells.as_primitive_opt::<TimestampMicrosecondType>() {
            Some(a) => text(&|row| timestamp(a.value(row))),
            None => cells.clone(),
        },
        DataType::Boolean
        | DataType::Int64
        | DataType::Float64
        | DataType::Text
        | DataType::Bytes
        | DataType::Opaque => cells.clone(),
    }
}

fn date(days: i64) -> String {
    let mut text = Vec::with_capacity(10);
    calendar::write_date(days, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Always with six digits of a second, so that the order of the text is the order of time.
fn timestamp(micros: i64) -> String {
    let day = date(micros.div_euclid(MICROS_PER_DAY));
    let rest = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{day}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

/// The values of `rows` of a batch that [`RowEncoder`] made, row by row.
pub(super) fn bind(
    batch: &RecordBatch,
    rows: Range<usize>,
) -> Result<SqliteArguments, BoxDynError> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(rows.len() * batch.num_columns(), 0);
    for row in rows {
        for cells in batch.columns() {
            if cells.is_null(row) {
                arguments.add(None::<i64>)?;
            } else if let Some(a) = cells.as_string_opt::<i32>() {
                arguments.add(a.value(row))?;
            } else if let Some(a) = cells.as_primitive_opt::<Int64Type>() {
                arguments.add(a.value(row))?;
            } else if let Some(a) = cells.as_primitive_opt::<Float64Type>() {
                arguments.add(a.value(row))?;
            } else if let Some(a) = cells.as_boolean_opt() {
                arguments.add(a.value(row))?;
            } else if let Some(a) = cells.as_binary_opt::<i32>() {
                arguments.add(a.value(row))?;
            } else {
                return Err("a column of a type that SQLite does not store".into());
            }
        }
    }
    Ok(arguments)
}
