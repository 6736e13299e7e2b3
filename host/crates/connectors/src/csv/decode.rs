//! Turns a chunk's bytes into batches of the declared columns, and its flawed rows into rejects.
//!
//! Owns the sum `records = rows of batches + rejects`; refuses to put a cell into a message.

use std::sync::{Arc, OnceLock};

use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{ArrowError, SchemaRef};
use glovebox_core::{
    Batch, Chunk, DataType, Decoded, Decoder, Origin, Reject, Schema, SourceError, Violation,
};

use super::chunks::too_long;
use super::columns::{Cells, Column, Flaw, Flawed, Known, Limits};
use super::layout::{Layout, shape};
use super::options::{Checked, Options};
use super::records::{Records, Span};

/// Decodes chunks.
pub(super) struct CsvDecoder {
    place: String,
    schema: Schema,
    arrow: SchemaRef,
    layout: Arc<OnceLock<Layout>>,
    options: Checked,
    limits: Limits,
    batch_rows: usize,
    batch_bytes: usize,
    messages: Messages,
}

impl CsvDecoder {
    pub(super) fn new(
        options: &Options,
        schema: &Schema,
        layout: Arc<OnceLock<Layout>>,
    ) -> Result<Self, SourceError> {
        let checked = options.check()?;
        let (empty, null): (Vec<_>, Vec<_>) = options.null.iter().partition(|t| t.is_empty());
        Ok(CsvDecoder {
            place: options.input.to_string(),
            arrow: schema.to_arrow(),
            schema: schema.clone(),
            layout,
            options: checked,
            limits: Limits {
                empty_is_null: !empty.is_empty(),
                null: null.into_iter().map(|t| t.clone().into_bytes()).collect(),
                max_field: options.max_field,
            },
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes.max(1),
            messages: Messages::new(schema, options.max_field, checked.max_record),
        })
    }

    /// The batch of the rows gathered, without those that have a flaw.
    fn batch(
        &self,
        rows: &Gathered,
        bytes: &[u8],
        known: Known,
        layout: &Layout,
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<Batch>, ArrowError> {
        let count = rows.numbers.len();
        let mut columns = Vec::with_capacity(layout.places.len());
        let mut flaws = Vec::new();
        let mut flawed = Vec::new();
        for (i, (field, place)) in self.schema.fields.iter().zip(&layout.places).enumerate() {
            let column = Column {
                cells: Cells {
                    bytes,
                    spans: &rows.spans,
                    width: layout.places.len(),
                    place: *place,
                },
                nullable: field.nullable,
                limits: &self.limits,
                known,
            };
            columns.push(column.build(field.data_type, &mut flawed)?);
            flaws.extend(flawed.drain(..).map(|f| (i, f)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        if flaws.is_empty() {
            let columns = RecordBatch::try_new_with_options(self.arrow.clone(), columns, &options)?;
            return Ok((count > 0).then(|| Batch::new(columns, rows.origin())));
        }
        let keep = self.reject(rows, flaws, rejects);
        // A null stands where a cell was flawed, so the filter has to come before the schema.
        let kept: Vec<_> = columns
            .iter()
            .map(|c| arrow_select::filter::filter(c, &keep))
            .collect::<Result<_, _>>()?;
        let count = keep.true_count();
        let options = options.with_row_count(Some(count));
        let columns = RecordBatch::try_new_with_options(self.arrow.clone(), kept, &options)?;
        Ok((count > 0).then(|| Batch::new(columns, rows.origin().filter(&keep))))
    }

    /// Rejects the rows that have flaws, each with all of them, and marks the others.
    fn reject(
        &self,
        rows: &Gathered,
        mut flaws: Vec<(usize, Flawed)>,
        rejects: &mut Vec<Reject>,
    ) -> BooleanArray {
        let mut keep = BooleanBufferBuilder::new(rows.numbers.len());
        keep.append_n(rows.numbers.len(), true);
        flaws.sort_by_key(|(_, f)| f.row);
        for of_row in flaws.chunk_by(|(_, a), (_, b)| a.row == b.row) {
            let Some(row) = of_row.first().map(|(_, f)| f.row) else {
                continue;
            };
            keep.set_bit(row, false);
            let origin = rows.origin();
            rejects.push(Reject {
                row: origin.row(row),
                line: origin.line(row),
                violations: of_row
                    .iter()
                    .map(|(column, f)| self.messages.violation(*column, f.flaw))
                    .collect(),
            });
        }
        BooleanArray::new(keep.finish(), None)
    }
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, mut chunk: Chunk) -> Result<Decoded, SourceError> {
        let Some(layout) = self.layout.get() else {
            return Err(shape(
                &self.place,
                "internal error: a chunk was decoded before its source was opened".into(),
            ));
        };
        let mut decoded = Decoded::default();
        let known = Known {
            harmless: chunk.bytes.len() <= self.limits.max_field
                && memchr::memchr(0, &chunk.bytes).is_none()
                && std::str::from_utf8(&chunk.bytes).is_ok(),
        };
        let first_line = chunk.first_line.unwrap_or(1);
        let mut records = Records::new(&mut chunk.bytes, self.options.dialect);
        let mut rows = Gathered::new(chunk.first_row, first_line);
        let mut batch_start = 0;
        let mut number = 0;
        loop {
            let width = rows.spans.len();
            let record = records.next(|field, span| {
                if layout.declared.get(field) == Some(&true) {
                    rows.spans.push(span);
                }
            });
            if let Some(record) = record {
                let violation = if record.end - record.start > self.options.max_record {
                    Some(self.messages.record_too_long.clone())
                } else if record.fields != layout.fields {
                    Some(self.messages.ragged(layout.fields, record.fields))
                } else {
                    None
                };
                if let Some(violation) = violation {
                    rows.spans.truncate(width);
                    decoded.rejects.push(Reject {
                        row: chunk.first_row + u64::from(number),
                        line: Some(first_line + u64::from(record.newlines)),
                        violations: vec![violation],
                    });
                } else {
                    rows.numbers.push(number);
                    rows.lines.push(record.newlines);
                }
                number += 1;
            }
            let end = record.map(|r| r.end);
            let full = rows.numbers.len() >= self.batch_rows
                || end.is_some_and(|end| end - batch_start >= self.batch_bytes);
            if full || end.is_none() {
                let batch = self
                    .batch(&rows, records.bytes(), known, layout, &mut decoded.rejects)
                    .map_err(|e| shape(&self.place, format!("internal error: {e}")))?;
                decoded.batches.extend(batch);
                rows.clear();
            }
            match end {
                None => break,
                Some(end) if full => batch_start = end,
                Some(_) => {}
            }
        }
        debug_assert_eq!(u64::from(number), chunk.rows, "both halves count alike");
        decoded.rejects.sort_by_key(|r| r.row);
        decoded.rejects.append(&mut chunk.rejects);
        Ok(decoded)
    }
}

/// Rows of the next batch.
struct Gathered {
    first_row: u64,
    first_line: u64,
    /// The declared fields of all rows, row by row, in the file's order.
    spans: Vec<Span>,
    /// Row numbers, counted from `first_row`.
    numbers: Vec<u32>,
    /// Lines, counted from `first_line`.
    lines: Vec<u32>,
}

impl Gathered {
    fn new(first_row: u64, first_line: u64) -> Self {
        Gathered {
            first_row,
            first_line,
            spans: Vec::new(),
            numbers: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.spans.clear();
        self.numbers.clear();
        self.lines.clear();
    }

    /// Positions are kept only where rows or lines do not simply follow each other.
    fn origin(&self) -> Origin {
        let row = self.numbers.first().copied().unwrap_or_default();
        let line = self.lines.first().copied().unwrap_or_default();
        let numbers: Vec<u32> = self.numbers.iter().map(|n| n - row).collect();
        let lines: Vec<u32> = self.lines.iter().map(|n| n - line).collect();
        let contiguous = (0..).zip(&numbers).all(|(i, n)| i == *n);
        let in_step = numbers == lines;
        Origin::scattered(
            self.first_row + u64::from(row),
            (!contiguous).then_some(numbers),
        )
        .with_lines(
            self.first_line + u64::from(line),
            (!in_step).then_some(lines),
        )
    }
}

/// The sentences of the source's rules, made once.
struct Messages {
    step: Arc<str>,
    ragged: Arc<str>,
    record_too_long: Violation,
    columns: Vec<ColumnMessages>,
}

struct ColumnMessages {
    name: Arc<str>,
    type_: (Arc<str>, Arc<str>),
    utf8: (Arc<str>, Arc<str>),
    nul: (Arc<str>, Arc<str>),
    too_long: (Arc<str>, Arc<str>),
    null: (Arc<str>, Arc<str>),
}

/// A value of that type, in words.
fn one(data_type: DataType) -> String {
    match data_type {
        DataType::Int64 => "an int64".into(),
        DataType::Bytes => "bytes".into(),
        other => format!("a {other}"),
    }
}

impl Messages {
    fn new(schema: &Schema, max_field: usize, max_record: usize) -> Self {
        let rule = |id: &str, message: String| (Arc::from(id), Arc::from(message));
        let columns = schema
            .fields
            .iter()
            .map(|field| {
                let name = &field.name;
                ColumnMessages {
                    name: name.clone(),
                    type_: rule("type", format!("`{name}` is not {}", one(field.data_type))),
                    utf8: rule("utf-8", format!("`{name}` is not UTF-8")),
                    nul: rule("nul", format!("`{name}` holds a NUL character")),
                    too_long: rule(
                        "too-long",
                        format!("`{name}` is longer than {max_field} bytes (`max-field`)"),
                    ),
                    null: rule("null", format!("`{name}` is null and must not be")),
                }
            })
            .collect();
        Messages {
            step: "source".into(),
            ragged: "ragged".into(),
            record_too_long: too_long(max_record),
            columns,
        }
    }

    fn violation(&self, column: usize, flaw: Flaw) -> Violation {
        let of = self.columns.get(column);
        let (rule, message) = of
            .map(|m| match flaw {
                Flaw::Type => m.type_.clone(),
                Flaw::Utf8 => m.utf8.clone(),
                Flaw::Nul => m.nul.clone(),
                Flaw::TooLong => m.too_long.clone(),
                Flaw::Null => m.null.clone(),
            })
            .unwrap_or_else(|| ("type".into(), "the cell cannot be read".into()));
        Violation {
            step: self.step.clone(),
            column: of.map(|m| m.name.clone()),
            rule,
            message,
        }
    }

    fn ragged(&self, expected: usize, found: usize) -> Violation {
        Violation {
            step: self.step.clone(),
            column: None,
            rule: self.ragged.clone(),
            message: format!("the record has {found} fields and {expected} are expected").into(),
        }
    }
}
