//! Cells in the notation of case files: one text per cell, for expected and actual values.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray};
use arrow_cast::display::array_value_to_string;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use glovebox_core::DataType;
use serde_json::Value;

/// Arrow reads and shows times of this zone without a table of zones; its name for it is `UTC`.
const UTC: &str = "+00:00";

/// A column of what was written, or the first row that is wrong and why.
pub(crate) fn column(cells: &[&Value], data_type: DataType) -> Result<ArrayRef, (usize, String)> {
    let texts = cells
        .iter()
        .enumerate()
        .map(|(row, cell)| text_of(cell, data_type).map_err(|problem| (row, problem)))
        .collect::<Result<Vec<Option<String>>, _>>()?;
    if data_type == DataType::Bytes {
        let bytes: Vec<Option<Vec<u8>>> = texts
            .iter()
            .map(|text| text.as_deref().and_then(bytes))
            .collect();
        return Ok(Arc::new(BinaryArray::from_iter(bytes)));
    }
    for (row, text) in texts.iter().enumerate() {
        if let Some(text) = text
            && cast(vec![Some(text.clone())], data_type).is_none()
        {
            return Err((row, format!("{text:?} is not a value of type {data_type}")));
        }
    }
    cast(texts, data_type).ok_or_else(|| (0, format!("is not a column of type {data_type}")))
}

/// The cell of a row as its notation; none is null.
pub(crate) fn shown(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    if let Some(bytes) = column.as_binary_opt::<i32>() {
        return Some(glovebox_core::hex(bytes.value(row)));
    }
    if let Some(text) = column.as_string_opt::<i32>() {
        return Some(text.value(row).to_owned());
    }
    let times = column.as_primitive_opt::<TimestampMicrosecondType>();
    let times = times.map(|times| times.clone().with_timezone(UTC));
    let column = match &times {
        Some(times) => times as &dyn Array,
        None => column,
    };
    // A column that was checked has a value there; what cannot be shown must still differ.
    Some(array_value_to_string(column, row).unwrap_or_else(|_| "(cannot be shown)".into()))
}

/// A cell for a message: null as it is, text in quotes with control characters escaped.
pub(crate) fn quoted(cell: Option<&str>, data_type: DataType) -> String {
    match (cell, data_type) {
        (None, _) => "null".into(),
        (Some(text), DataType::Text | DataType::Bytes) => format!("{text:?}"),
        (Some(text), _) => text.to_owned(),
    }
}

fn text_of(cell: &Value, data_type: DataType) -> Result<Option<String>, String> {
    let text = match (cell, data_type) {
        (Value::Null, _) => return Ok(None),
        (Value::Bool(value), DataType::Boolean) => value.to_string(),
        (Value::Number(number), DataType::Int64) if number.is_i64() => number.to_string(),
        (Value::Number(number), DataType::Float64 | DataType::Decimal { .. }) => number.to_string(),
        (Value::String(text), DataType::Int64 | DataType::Boolean) => {
            return Err(format!("{text:?} is text; write it without quotes"));
        }
        (Value::String(text), DataType::Float64) if text.parse::<f64>().is_ok() => text.clone(),
        (Value::String(text), DataType::Float64) => {
            return Err(format!("{text:?} is not a number"));
        }
        (Value::String(text), DataType::Bytes) if bytes(text).is_some() => text.clone(),
        (Value::String(text), DataType::Bytes) => {
            return Err(format!(
                "{text:?} is not an even number of hexadecimal digits"
            ));
        }
        (Value::String(text), _) => text.clone(),
        (Value::Number(number), DataType::Text | DataType::Bytes) => {
            return Err(format!(
                "{number} is a number; put it in quotes: \"{number}\""
            ));
        }
        (Value::Bool(value), DataType::Text) => {
            return Err(format!(
                "{value} is not text; put it in quotes: \"{value}\""
            ));
        }
        (other, _) => return Err(format!("{other} is not a value of type {data_type}")),
    };
    if let DataType::Decimal { scale, .. } = data_type {
        let digits = text.split_once('.').map_or(0, |(_, after)| after.len());
        if digits > usize::from(scale) {
            return Err(format!(
                "{text} has more than {scale} digits after the point"
            ));
        }
    }
    Ok(Some(text))
}

fn cast(texts: Vec<Option<String>>, data_type: DataType) -> Option<ArrayRef> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let to = match data_type {
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        other => other.to_arrow(),
    };
    let column = cast_with_options(&StringArray::from(texts), &to, &strict).ok()?;
    Some(
        match column.as_primitive_opt::<TimestampMicrosecondType>() {
            Some(times) => Arc::new(times.clone().with_timezone("UTC")),
            None => column,
        },
    )
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_type_reads_as_it_shows() {
        let decimal = DataType::Decimal {
            precision: 12,
            scale: 2,
        };
        for (cell, data_type, due) in [
            (json!("ä"), DataType::Text, "ä"),
            (json!(-7), DataType::Int64, "-7"),
            (json!(true), DataType::Boolean, "true"),
            (json!(1.5), decimal, "1.50"),
            (json!("1.5"), decimal, "1.50"),
            (json!("00FF"), DataType::Bytes, "00ff"),
            (json!("2026-01-31"), DataType::Date, "2026-01-31"),
            (
                json!("2026-01-31T12:00:00.5Z"),
                DataType::Timestamp,
                "2026-01-31T12:00:00.500Z",
            ),
            (json!("NaN"), DataType::Float64, "NaN"),
        ] {
            let column = column(&[&cell, &Value::Null], data_type).unwrap();
            assert_eq!(shown(&column, 0).as_deref(), Some(due));
            assert_eq!(shown(&column, 1), None);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let decimal = DataType::Decimal {
            precision: 4,
            scale: 2,
        };
        for (cell, data_type) in [
            (json!(7), DataType::Text),
            (json!("7"), DataType::Int64),
            (json!(1.5), DataType::Int64),
            (json!("1.555"), decimal),
            (json!(1234), decimal),
            (json!("0"), DataType::Bytes),
            (json!("yesterday"), DataType::Date),
            (json!([1]), DataType::Text),
        ] {
            assert!(column(&[&cell], data_type).is_err(), "{cell}");
        }
    }
}
