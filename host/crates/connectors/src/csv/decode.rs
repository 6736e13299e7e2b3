//! Turns a chunk's bytes into batches of the declared columns, and its flawed rows into rejects.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{ArrowError, SchemaRef};
use glovebox_core::{
    Batch, Chunk, Decoded, Decoder, Formats, Reject, Schema, SourceError, Violation,
};

use super::columns::{Cells, Column, Known, Limits};
use super::dialect::Dialect;
use super::encoding;
use super::layout::{Layout, Layouts};
use super::options::{Checked, Options, Ragged};
use super::records::{Records, Span};
use crate::chunks::too_long;
use crate::formats::spelling;
use crate::input::Inputs;
use crate::rows::{Messages, Places, keep_whole_rows};

/// Decodes chunks.
pub(super) struct CsvDecoder {
    inputs: Arc<Inputs>,
    schema: Schema,
    arrow: SchemaRef,
    formats: Vec<Formats>,
    layouts: Arc<Layouts>,
    options: Checked,
    limits: Limits,
    batch_rows: usize,
    batch_bytes: usize,
    messages: Messages,
    ragged: Ragged,
    wrong_quotes: Violation,
    record_too_long: Violation,
}

/// What is said of a cell that is no text.
fn text_problem(options: &Options) -> String {
    match encoding::foreign(options.encoding) {
        Some(encoding) => format!("is not {}", encoding.name()),
        None => "is not UTF-8; if the file has another encoding, set it, like \
                 `encoding: windows-1252`"
            .into(),
    }
}

/// What is said of a record whose quotes are wrong.
fn wrong_quotes(options: &Options) -> Violation {
    let quote = char::from(options.quote.unwrap_or(b'"'));
    Violation {
        step: "source".into(),
        column: None,
        rule: "quote".into(),
        message: format!(
            "a `{quote}` is unclosed or misplaced, or the line may be part of such a record; if \
            quotes are ordinary text write `quote: none`; `quotes: lenient` reads the \
                 line anyway"
        )
        .into(),
    }
}

impl CsvDecoder {
    pub(super) fn new(
        options: &Options,
        schema: &Schema,
        inputs: Arc<Inputs>,
        layouts: Arc<Layouts>,
    ) -> Result<Self, SourceError> {
        let checked = options.check()?;
        let (empty, null): (Vec<_>, Vec<_>) = options.null.iter().partition(|t| t.is_empty());
        Ok(CsvDecoder {
            inputs,
            arrow: schema.to_arrow(),
            schema: schema.clone(),
            formats: options.formats.clone(),
            layouts,
            options: checked,
            limits: Limits {
                empty_is_null: !empty.is_empty(),
                null: null.into_iter().map(|t| t.clone().into_bytes()).collect(),
                quoted_is_text: options.quote.filter(|_| !options.null_quoted),
                padded: options.ragged.pads(),
                max_field: options.max_field,
            },
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes.max(1),
            ragged: options.ragged,
            messages: Messages::new(schema, options.max_field)
                .of_text(&text_problem(options))
                .with_formats(schema, &options.formats),
            wrong_quotes: wrong_quotes(options),
            record_too_long: too_long(checked.sizes.max_record, checked.sizes.suspect),
        })
    }

    fn ragged(&self, expected: usize, found: usize) -> Violation {
        let help = match (found < expected, self.ragged.pads() || self.ragged.cuts()) {
            (_, true) => "",
            (true, false) => "; `ragged: pad` fills short records with nulls",
            (false, false) => "; `ragged: cut` drops extra fields",
        };
        let message = format!("the record has {found} fields but {expected} are expected{help}");
        self.messages.of_row("ragged", message)
    }

    /// The batch of the rows gathered, without those that have a flaw.
    fn batch(
        &self,
        places: &Places,
        spans: &[Span],
        bytes: &[u8],
        known: Known,
        layout: &Layout,
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<Batch>, ArrowError> {
        let mut columns = Vec::with_capacity(layout.places.len());
        let mut flaws = Vec::new();
        let mut flawed = Vec::new();
        for (i, (field, place)) in self.schema.fields.iter().zip(&layout.places).enumerate() {
            let column = Column {
                cells: Cells {
                    bytes,
                    spans,
                    width: layout.places.len(),
                    place: *place,
                },
                nullable: field.nullable,
                spelling: spelling(&self.formats, i, field.data_type),
                limits: &self.limits,
                known,
            };
            columns.push(column.build(field.data_type, &mut flawed)?);
            flaws.extend(flawed.drain(..).map(|f| (i, f)));
        }
        keep_whole_rows(
            &self.arrow,
            columns,
            places.len(),
            places.origin(),
            flaws,
            &self.messages,
            rejects,
        )
    }
}

impl CsvDecoder {
    fn dialect(&self, layout: &Layout) -> Dialect {
        Dialect {
            blank_rows: layout.fields == 1,
            ..self.options.dialect
        }
    }

    fn known(&self, bytes: &[u8]) -> Known {
        Known {
            harmless: bytes.len() <= self.limits.max_field
                && memchr::memchr(0, bytes).is_none()
                && std::str::from_utf8(bytes).is_ok(),
        }
    }
}

impl Decoder for CsvDecoder {
    fn records(&self, chunk: &Chunk, rows: &[u64]) -> BTreeMap<u64, Vec<u8>> {
        let Some(layout) = self.layouts.get(chunk.part) else {
            return BTreeMap::new();
        };
        // Reading closes fields up in place.
        let mut bytes = chunk.bytes.clone();
        let most = self.options.sizes.max_record;
        let mut records = Records::new(&mut bytes, self.dialect(&layout), most);
        let mut found = BTreeMap::new();
        let mut row = chunk.first_row;
        while let Some(record) = records.next(|_, _| {}) {
            if rows.binary_search(&row).is_ok() {
                let bytes = chunk.bytes.get(record.start..record.end);
                let bytes = bytes.unwrap_or_default().trim_ascii_end();
                found.insert(row, bytes.to_vec());
            }
            row += 1;
        }
        found
    }

    fn decode(&mut self, mut chunk: Chunk) -> Result<Decoded, SourceError> {
        let internal = |problem: String| {
            let place = self.inputs.place(chunk.part);
            SourceError::shape(place, format!("internal error: {problem}"))
        };
        let Some(layout) = self.layouts.get(chunk.part) else {
            return Err(internal(
                "a chunk was decoded before its source was opened".into(),
            ));
        };
        let mut decoded = Decoded::default();
        let known = self.known(&chunk.bytes);
        let first_line = chunk.first_line.unwrap_or(1);
        let most = self.options.sizes.max_record;
        let mut records = Records::new(&mut chunk.bytes, self.dialect(&layout), most);
        let file = self.inputs.name(chunk.part);
        let mut places = Places::new(chunk.first_row, first_line, file);
        // The declared fields of all rows, row by row, in the file's order.
        let mut spans: Vec<Span> = Vec::new();
        let mut batch_start = 0;
        let mut number = 0;
        loop {
            let width = spans.len();
            let record = records.next(|field, span| {
                if layout.declared.get(field) == Some(&true) {
                    spans.push(span);
                }
            });
            if let Some(record) = record {
                let violation = if record.long {
                    Some(self.record_too_long.clone())
                } else if record.fields == layout.fields {
                    None
                } else if record.fields == 0 {
                    Some(self.wrong_quotes.clone())
                } else if record.fields < layout.fields && self.ragged.pads() {
                    spans.resize(width + layout.places.len(), Span::MISSING);
                    None
                } else if record.fields > layout.fields && self.ragged.cuts() {
                    None
                } else {
                    Some(self.ragged(layout.fields, record.fields))
                };
                if let Some(violation) = violation {
                    spans.truncate(width);
                    let reject = places.reject(number, record.newlines, violation);
                    decoded.rejects.push(reject);
                } else {
                    places.push(number, record.newlines);
                }
                number += 1;
            }
            let end = record.map(|r| r.end);
            let full = places.len() >= self.batch_rows
                || end.is_some_and(|end| end - batch_start >= self.batch_bytes);
            if full || end.is_none() {
                let rejects = &mut decoded.rejects;
                let batch = self
                    .batch(&places, &spans, records.bytes(), known, &layout, rejects)
                    .map_err(|e| internal(e.to_string()))?;
                decoded.batches.extend(batch);
                places.clear();
                spans.clear();
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
