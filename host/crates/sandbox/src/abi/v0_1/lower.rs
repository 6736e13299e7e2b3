//! Passes a batch into a plugin: Arrow buffers, borrowed where possible, copied where a filter or
//! slice has moved them.
//! The engine has already reduced the columns to the grant.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_buffer::{BooleanBuffer, Buffer, OffsetBuffer};
use arrow_schema::DataType as ArrowType;
use glovebox_core::{Batch, Field};

use super::bindings::glovebox::plugin::columns as wit;

pub(super) fn fields(fields: &[Field]) -> Vec<wit::FieldParam<'_>> {
    fields
        .iter()
        .map(|f| wit::FieldParam {
            name: &f.name,
            data_type: super::lower_type(f.data_type),
            nullable: f.nullable,
        })
        .collect()
}

/// A batch with every buffer as the contract wants it.
pub(super) struct Lowered<'a> {
    batch: &'a Batch,
    columns: Vec<Lying<'a>>,
}

struct Lying<'a> {
    values: Values<'a>,
    validity: Option<Buffer>,
}

enum Values<'a> {
    Boolean(Buffer),
    Int64(&'a [i64]),
    Float64(&'a [f64]),
    Decimal(Buffer),
    Text(Cow<'a, [i32]>, &'a [u8]),
    Bytes(Cow<'a, [i32]>, &'a [u8]),
    Date(&'a [i32]),
    Timestamp(&'a [i64]),
    /// No column of the contract; the engine never makes one.
    Unknown,
}

impl<'a> Lowered<'a> {
    pub(super) fn new(batch: &'a Batch) -> Self {
        let columns = batch.columns.columns().iter().map(lay).collect();
        Lowered { batch, columns }
    }

    pub(super) fn columns(&self) -> Vec<wit::ColumnParam<'_>> {
        self.columns
            .iter()
            .map(|column| wit::ColumnParam {
                values: match &column.values {
                    Values::Boolean(bits) => wit::ValuesParam::Boolean(bits.as_slice()),
                    Values::Int64(v) => wit::ValuesParam::Int64(v),
                    Values::Float64(v) => wit::ValuesParam::Float64(v),
                    Values::Decimal(words) => wit::ValuesParam::Decimal(words.typed_data()),
                    Values::Text(offsets, data) => {
                        wit::ValuesParam::Text(wit::VariableWidthParam { offsets, data })
                    }
                    Values::Bytes(offsets, data) => {
                        wit::ValuesParam::Bytes(wit::VariableWidthParam { offsets, data })
                    }
                    Values::Date(v) => wit::ValuesParam::Date(v),
                    Values::Timestamp(v) => wit::ValuesParam::Timestamp(v),
                    Values::Unknown => wit::ValuesParam::Boolean(&[]),
                },
                validity: column.validity.as_ref().map(Buffer::as_slice),
            })
            .collect()
    }

    pub(super) fn batch<'b>(&'b self, columns: &'b [wit::ColumnParam<'b>]) -> wit::Batch<'b> {
        wit::Batch {
            rows: u32::try_from(self.batch.rows()).unwrap_or(u32::MAX),
            first_row: self.batch.origin.first_row(),
            positions: self.batch.origin.positions(),
            columns,
        }
    }
}

fn lay(array: &ArrayRef) -> Lying<'_> {
    let values = match array.data_type() {
        ArrowType::Boolean => Values::Boolean(packed(array.as_boolean().values())),
        ArrowType::Int64 => Values::Int64(array.as_primitive::<Int64Type>().values()),
        ArrowType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values()),
        ArrowType::Decimal128(..) => Values::Decimal(
            array
                .as_primitive::<Decimal128Type>()
                .values()
                .inner()
                .clone(),
        ),
        ArrowType::Utf8 => {
            let text = array.as_string::<i32>();
            let (offsets, data) = variable(text.offsets(), text.values());
            Values::Text(offsets, data)
        }
        ArrowType::Binary => {
            let binary = array.as_binary::<i32>();
            let (offsets, data) = variable(binary.offsets(), binary.values());
            Values::Bytes(offsets, data)
        }
        ArrowType::Date32 => Values::Date(array.as_primitive::<Date32Type>().values()),
        ArrowType::Timestamp(..) => {
            Values::Timestamp(array.as_primitive::<TimestampMicrosecondType>().values())
        }
        _ => Values::Unknown,
    };
    let validity = array
        .nulls()
        .filter(|nulls| nulls.null_count() > 0)
        .map(|nulls| packed(nulls.inner()));
    Lying { values, validity }
}

/// The bits from bit 0 on, in as many bytes as they need.
fn packed(bits: &BooleanBuffer) -> Buffer {
    let bytes = bits.len().div_ceil(8);
    if bits.offset().is_multiple_of(8) {
        bits.inner().slice_with_length(bits.offset() / 8, bytes)
    } else {
        bits.sliced().slice_with_length(0, bytes)
    }
}

/// Offsets that start at 0, and the data that they cover.
fn variable<'a, O: OffsetSizeTrait>(
    offsets: &'a OffsetBuffer<O>,
    data: &'a Buffer,
) -> (Cow<'a, [O]>, &'a [u8])
where
    [O]: ToOwned<Owned = Vec<O>>,
{
    let first = offsets.first().copied().unwrap_or_default();
    let last = offsets.last().copied().unwrap_or_default();
    let covered = data
        .as_slice()
        .get(first.as_usize()..last.as_usize())
        .unwrap_or_default();
    if first == O::default() {
        (Cow::Borrowed(offsets), covered)
    } else {
        (
            Cow::Owned(offsets.iter().map(|&o| o - first).collect()),
            covered,
        )
    }
}
