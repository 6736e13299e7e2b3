//! Turns a slice of a row group into batches of the declared columns.
//!
//! Owns the border to the crate that unpacks pages; refuses a slice that has other rows than the
//! footer says.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use glovebox_core::{Batch, Chunk, Decoded, Decoder, Origin, Reject, Schema, SourceError};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::errors::ParquetError;

use super::chunks::Slice;
use super::columns::convert;
use super::file::{Opened, shape};
use super::groups::Group;
use super::source::Files;
use crate::contain::contained;
use crate::rows::{Messages, settle};

/// Decodes chunks.
pub(super) struct ParquetDecoder {
    files: Arc<Files>,
    schema: Schema,
    arrow: SchemaRef,
    messages: Messages,
}

impl ParquetDecoder {
    pub(super) fn new(files: Arc<Files>, schema: &Schema) -> Self {
        ParquetDecoder {
            files,
            schema: schema.clone(),
            arrow: schema.to_arrow(),
            messages: Messages::new(schema, usize::MAX),
        }
    }

    /// A batch of the file's columns as one of ours.
    fn batch(
        &self,
        opened: &Opened,
        found: &RecordBatch,
        origin: Origin,
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<Batch>, arrow_schema::ArrowError> {
        let mut columns = Vec::with_capacity(self.schema.fields.len());
        let mut flaws = Vec::new();
        let mut flawed = Vec::new();
        for (i, (field, place)) in self.schema.fields.iter().zip(&opened.places).enumerate() {
            let column = found.columns().get(*place).ok_or_else(|| {
                arrow_schema::ArrowError::SchemaError("a column is missing".into())
            })?;
            columns.push(convert(column, field, &mut flawed)?);
            flaws.extend(flawed.drain(..).map(|f| (i, f)));
        }
        let count = found.num_rows();
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

impl Decoder for ParquetDecoder {
    fn decode(&mut self, mut chunk: Chunk) -> Result<Decoded, SourceError> {
        let opened = self.files.opened(chunk.part)?;
        let slice = Slice::from_bytes(&chunk.bytes);
        let group = slice.and_then(|s| opened.groups().get(usize::try_from(s.group).ok()?));
        let (Some(slice), Some(meta)) = (slice, group) else {
            return Err(shape(&opened.place, "internal error: a chunk of no group"));
        };
        let damaged = |what: &str| {
            let group = slice.group;
            let problem = format!(
                "row group {group} (counted from 0) {what}; the file is damaged: write or fetch it \
                 anew"
            );
            shape(&opened.place, &problem)
        };
        let (_, batch_rows) = opened.portions(meta);
        let group = Group {
            opened: &opened,
            meta,
        };
        let open = || {
            let selection = RowSelection::from(vec![
                RowSelector::skip(usize::try_from(slice.skip).unwrap_or(usize::MAX)),
                RowSelector::select(usize::try_from(slice.rows).unwrap_or(usize::MAX)),
            ]);
            ParquetRecordBatchReader::try_new_with_row_groups(
                &opened.levels,
                &group,
                batch_rows,
                Some(selection),
            )
        };
        let mut reader = contained(open)
            .ok_or_else(|| damaged("cannot be read"))?
            .map_err(|e| damaged(what(&e)))?;
        let mut decoded = Decoded::default();
        let file = self.files.name(chunk.part);
        let mut row = 0;
        loop {
            // What the crate says of an error may quote a value, so only its kind is told.
            let next = contained(|| reader.next()).ok_or_else(|| damaged("cannot be read"))?;
            let Some(found) = next else {
                break;
            };
            let found = found.map_err(|_| damaged("cannot be read"))?;
            let origin = Origin::contiguous(chunk.first_row + row).in_file(file.clone());
            row += found.num_rows() as u64;
            let built = contained(|| self.batch(&opened, &found, origin, &mut decoded.rejects));
            let batch = built.and_then(Result::ok);
            let batch = batch.ok_or_else(|| damaged("has values that its types do not have"))?;
            decoded.batches.extend(batch);
        }
        if row != slice.rows {
            return Err(damaged("has fewer rows than the footer says"));
        }
        decoded.rejects.append(&mut chunk.rejects);
        Ok(decoded)
    }
}

fn what(error: &ParquetError) -> &'static str {
    match error {
        ParquetError::NYI(_) => "is of a kind that is not read",
        ParquetError::EOF(_) => "ends early",
        _ => "cannot be read",
    }
}
