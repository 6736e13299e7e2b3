//! Batches as JSON objects, a line each, keys in the order of the columns.
//! Keys are never omitted: null is `null`.

use std::sync::Arc;

use glovebox_core::{Batch, Encoded, Encoder, Payload, Schema, SinkError};

use crate::values::{Values, any, text_bytes};

/// Encodes batches.
pub(super) struct JsonEncoder {
    schema: Arc<Schema>,
    place: String,
    /// What stands before each value: `{"a":`, `,"b":`.
    keys: Vec<Vec<u8>>,
    /// Size of the last payload, as a guess of the next one's.
    size: usize,
}

impl JsonEncoder {
    pub(super) fn new(schema: Arc<Schema>, place: String) -> Self {
        let keys = (0..)
            .zip(&schema.fields)
            .map(|(i, field)| {
                let mut key = vec![if i == 0 { b'{' } else { b',' }];
                write_text(field.name.as_bytes(), &field.name, &mut key);
                key.push(b':');
                key
            })
            .collect();
        JsonEncoder {
            schema,
            place,
            keys,
            size: 0,
        }
    }

    fn batch(&self, batch: &Batch, out: &mut Vec<u8>) -> Option<()> {
        let columns: Vec<_> = Values::of(&batch.columns, &self.schema)?
            .into_iter()
            .map(|column| (is_plain(&column), column))
            .collect();
        for row in 0..batch.rows() {
            for (key, (plain, column)) in self.keys.iter().zip(&columns) {
                out.extend_from_slice(key);
                if column.is_null(row) {
                    out.extend_from_slice(b"null");
                } else {
                    write_value(column, row, *plain, out);
                }
            }
            out.extend_from_slice(b"}\n");
        }
        Some(())
    }
}

/// Booleans, integers and finite floats are JSON's own. Decimals are strings, since most readers
/// would make them floats; so are `NaN` and `Infinity`, which JSON does not have, dates, times
/// and bytes.
pub(crate) fn write_value(column: &Values<'_>, row: usize, plain: bool, out: &mut Vec<u8>) {
    match column {
        Values::Text(text) if !plain => {
            let text = text.value(row);
            write_text(text.as_bytes(), text, out);
        }
        Values::Boolean(_) | Values::Int64(_) => column.write(row, out),
        Values::Float64(values) if values.value(row).is_finite() => column.write(row, out),
        Values::Bytes(_) => {
            // The backslash of `\x` is one to JSON too.
            out.extend_from_slice(b"\"\\");
            column.write(row, out);
            out.push(b'"');
        }
        _ => {
            out.push(b'"');
            column.write(row, out);
            out.push(b'"');
        }
    }
}

pub(crate) fn write_text(bytes: &[u8], text: &str, out: &mut Vec<u8>) {
    if any(bytes, needs_escape) && serde_json::to_writer(&mut *out, text).is_ok() {
        return;
    }
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

fn needs_escape(b: u8) -> bool {
    (b < 0x20) | (b == b'"') | (b == b'\\')
}

/// Whether no cell of the column needs an escape.
fn is_plain(column: &Values<'_>) -> bool {
    match column {
        Values::Text(text) => !any(text_bytes(text), needs_escape),
        _ => true,
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        let mut out = Vec::with_capacity(self.size + self.size / 8);
        let mut rows = 0;
        for batch in batches {
            self.batch(batch, &mut out)
                .ok_or_else(|| SinkError::Internal {
                    place: self.place.clone(),
                    problem: "a batch has different columns than the sink was opened with".into(),
                })?;
            rows += batch.rows() as u64;
        }
        self.size = out.len();
        Ok(Encoded {
            rows,
            payload: Payload::Bytes(out),
            ..Encoded::default()
        })
    }
}
