//! Turns a chunk's lines into batches of the declared columns, and its flawed lines into rejects.
//!
//! Owns the sum `lines that are not blank = rows of batches + rejects`; refuses to put a value into
//! a message.

use std::sync::Arc;

use arrow_schema::{ArrowError, SchemaRef};
use glovebox_core::{Batch, Chunk, Decoded, Decoder, Reject, Schema, SourceError, Violation};

use super::columns::Column;
use super::lines::is_space;
use super::objects::{Columns, Value};
use super::source::Options;
use crate::chunks::too_long;
use crate::input::Inputs;
use crate::rows::{Messages, Places, settle};

/// Decodes chunks.
pub(super) struct JsonDecoder {
    inputs: Arc<Inputs>,
    schema: Schema,
    arrow: SchemaRef,
    columns: Columns,
    max_record: usize,
    batch_rows: usize,
    batch_bytes: usize,
    messages: Messages,
    record_too_long: Violation,
}

impl JsonDecoder {
    pub(super) fn new(options: &Options, schema: &Schema, inputs: Arc<Inputs>) -> Self {
        let sizes = options.sizes();
        JsonDecoder {
            inputs,
            arrow: schema.to_arrow(),
            columns: Columns::new(schema),
            schema: schema.clone(),
            max_record: sizes.max_record,
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes.max(1),
            messages: Messages::new(schema, sizes.max_record),
            record_too_long: too_long(sizes.max_record, sizes.suspect),
        }
    }

    /// Reads a line into the row's values, or says why its row is rejected.
    fn row<'a>(&mut self, line: &'a [u8], row: &mut [Value<'a>]) -> Result<(), Violation> {
        if line.len() > self.max_record {
            return Err(self.record_too_long.clone());
        }
        let text = std::str::from_utf8(line).map_err(|_| {
            self.messages
                .of_row("utf-8", "the line is not UTF-8".into())
        })?;
        self.columns.read(text, row).map_err(|column| {
            let message = format!("the line is no JSON object; see its column {column}");
            self.messages.of_row("json", message)
        })
    }

    fn batch(
        &self,
        places: &Places,
        values: &[Value<'_>],
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<Batch>, ArrowError> {
        let mut columns = Vec::with_capacity(self.schema.fields.len());
        let mut flaws = Vec::new();
        let mut flawed = Vec::new();
        for (place, field) in self.schema.fields.iter().enumerate() {
            let column = Column {
                values,
                width: self.schema.fields.len(),
                place,
            };
            columns.push(column.build(field, &mut flawed)?);
            flaws.extend(flawed.drain(..).map(|f| (place, f)));
        }
        let (count, origin) = (places.len(), places.origin());
        settle(
            &self.arrow,
            columns,
            count,
            origin,
            flaws,
            &self.messages,
            rejects,
        )
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, mut chunk: Chunk) -> Result<Decoded, SourceError> {
        let width = self.schema.fields.len();
        let file = self.inputs.name(chunk.part);
        let mut places = Places::new(chunk.first_row, chunk.first_line.unwrap_or(1), file);
        let mut decoded = Decoded::default();
        let mut values: Vec<Value<'_>> = Vec::new();
        let (mut number, mut gathered) = (0, 0);
        let mut lines = (0..).zip(chunk.bytes.split_inclusive(|&b| b == b'\n'));
        loop {
            let next = lines.next();
            let ended = next.is_none();
            if let Some((at, line)) = next {
                gathered += line.len();
                if !line.iter().all(|&b| is_space(b) || b == b'\n') {
                    let start = values.len();
                    values.resize(start + width, Value::Null);
                    let row = values.get_mut(start..).unwrap_or_default();
                    match self.row(line, row) {
                        Ok(()) => places.push(number, at),
                        Err(violation) => {
                            values.truncate(start);
                            decoded.rejects.push(places.reject(number, at, violation));
                        }
                    }
                    number += 1;
                }
            }
            let full = places.len() >= self.batch_rows || gathered >= self.batch_bytes;
            if full || ended {
                let batch = self
                    .batch(&places, &values, &mut decoded.rejects)
                    .map_err(|e| SourceError::Shape {
                        place: self.inputs.place(chunk.part),
                        problem: format!("internal error: {e}"),
                    })?;
                decoded.batches.extend(batch);
                places.clear();
                values.clear();
                gathered = 0;
            }
            if ended {
                break;
            }
        }
        debug_assert_eq!(u64::from(number), chunk.rows, "both halves count alike");
        decoded.rejects.sort_by_key(|r| r.row);
        decoded.rejects.append(&mut chunk.rejects);
        Ok(decoded)
    }
}
