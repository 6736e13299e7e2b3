//! Turns a chunk's objects into batches of the declared columns, and flawed ones into rejects.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{ArrowError, SchemaRef};
use glovebox_core::{
    Batch, Chunk, Decoded, Decoder, Formats, Reject, Schema, SourceError, Violation,
};

use super::columns::Column;
use super::layout::{Layout, Shared};
use super::objects::{Broken, Columns, Value};
use super::options::{Options, paths};
use crate::chunks::too_long;
use crate::formats::spelling;
use crate::input::Inputs;
use crate::rows::{Messages, Places, keep_whole_rows};

/// Decodes chunks.
pub(super) struct JsonDecoder {
    inputs: Arc<Inputs>,
    shared: Arc<Shared>,
    schema: Schema,
    arrow: SchemaRef,
    formats: Vec<Formats>,
    columns: Columns,
    max_record: usize,
    batch_rows: usize,
    batch_bytes: usize,
    messages: Messages,
    record_too_long: Violation,
}

impl JsonDecoder {
    pub(super) fn new(
        options: &Options,
        schema: &Schema,
        inputs: Arc<Inputs>,
        shared: Arc<Shared>,
    ) -> Result<Self, SourceError> {
        let sizes = options.sizes(Layout::Lines);
        let paths = paths(schema)?;
        Ok(JsonDecoder {
            inputs,
            shared,
            arrow: schema.to_arrow(),
            columns: Columns::new(&paths),
            schema: schema.clone(),
            formats: options.formats.clone(),
            max_record: sizes.max_record,
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes.max(1),
            messages: Messages::new(schema, sizes.max_record)
                .with_formats(schema, &options.formats),
            record_too_long: too_long(sizes.max_record, sizes.suspect),
        })
    }

    /// Reads a record into the row's values, or says why its row is rejected. `first_line` is
    /// where it begins.
    fn row<'a>(
        &mut self,
        record: &'a [u8],
        layout: Layout,
        first_line: u64,
        row: &mut [Value<'a>],
    ) -> Result<(), Violation> {
        if record.len() > self.max_record {
            return Err(match layout {
                Layout::Lines => self.record_too_long.clone(),
                Layout::Brackets => too_long(self.max_record, layout.suspect()),
            });
        }
        let it = match layout {
            Layout::Lines => "the line",
            Layout::Brackets => "the text here",
        };
        let text = std::str::from_utf8(record)
            .map_err(|_| self.messages.of_row("utf-8", format!("{it} is not UTF-8")))?;
        self.columns.read(text, row).map_err(|broken| {
            let Broken { line, column } = broken;
            let place = match (layout, line) {
                (Layout::Lines, _) => format!("its column {column}"),
                (Layout::Brackets, 1) => format!("its byte {column}"),
                (Layout::Brackets, _) => {
                    format!("line {}, column {column}", first_line + line as u64 - 1)
                }
            };
            let message = format!("{it} is not a JSON object; see {place}");
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
                spelling: spelling(&self.formats, place, field.data_type),
            };
            columns.push(column.build(field, &mut flawed)?);
            flaws.extend(flawed.drain(..).map(|f| (place, f)));
        }
        let (count, origin) = (places.len(), places.origin());
        keep_whole_rows(
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
    fn records(&self, chunk: &Chunk, rows: &[u64]) -> BTreeMap<u64, Vec<u8>> {
        let Some(layout) = self.shared.layout(chunk.part) else {
            return BTreeMap::new();
        };
        let records = (chunk.first_row..).zip(layout.records(&chunk.bytes));
        let wanted = records.filter(|(row, _)| rows.binary_search(row).is_ok());
        wanted
            .map(|(row, (_, record))| (row, record.to_vec()))
            .collect()
    }

    fn decode(&mut self, mut chunk: Chunk) -> Result<Decoded, SourceError> {
        let internal = |problem: String| SourceError::Shape {
            place: self.inputs.place(chunk.part),
            problem: format!("internal error: {problem}"),
        };
        let Some(layout) = self.shared.layout(chunk.part) else {
            let problem = "a chunk was decoded before its source was opened";
            return Err(internal(problem.into()));
        };
        let width = self.schema.fields.len();
        let file = self.inputs.name(chunk.part);
        let first_line = chunk.first_line.unwrap_or(1);
        let mut places = Places::new(chunk.first_row, first_line, file);
        let mut decoded = Decoded::default();
        let mut values: Vec<Value<'_>> = Vec::new();
        let (mut number, mut gathered) = (0, 0);
        let mut records = layout.records(&chunk.bytes);
        loop {
            let next = records.next();
            let ended = next.is_none();
            if let Some((at, record)) = next {
                gathered += record.len();
                let start = values.len();
                values.resize(start + width, Value::Absent);
                let row = values.get_mut(start..).unwrap_or_default();
                match self.row(record, layout, first_line + u64::from(at), row) {
                    Ok(()) => places.push(number, at),
                    Err(violation) => {
                        values.truncate(start);
                        decoded.rejects.push(places.reject(number, at, violation));
                    }
                }
                number += 1;
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
        if number > 0 {
            self.shared.meet(self.columns.met());
        }
        decoded.rejects.sort_by_key(|r| r.row);
        decoded.rejects.append(&mut chunk.rejects);
        Ok(decoded)
    }
}
