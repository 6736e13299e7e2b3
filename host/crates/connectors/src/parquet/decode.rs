//! Turns a slice of a row group into batches of the declared columns.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use glovebox_core::{Batch, Chunk, Decoded, Decoder, Origin, Reject, Schema, SourceError};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::errors::ParquetError;

use super::chunks::Slice;
use super::columns::convert;
use super::file::Opened;
use super::files::Files;
use super::groups::Group;
use super::nested::{MAX_CELL_SIZE, MAX_TEXT_SIZE};
use super::pages::Refusals;
use super::single::Trouble;
use crate::contain::contained;
use crate::rows::{Messages, keep_whole_rows};

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
            messages: Messages::new(schema, usize::MAX).of_nested(MAX_CELL_SIZE),
        }
    }

    /// A batch of the file's columns as one of ours.
    fn batch(
        &self,
        opened: &Opened,
        found: &RecordBatch,
        origin: Origin,
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<Batch>, Trouble> {
        let mut columns = Vec::with_capacity(self.schema.fields.len());
        let mut flaws = Vec::new();
        let mut flawed = Vec::new();
        let declared = self.schema.fields.iter().zip(&opened.columns.declared);
        for (i, (field, (place, there))) in declared.enumerate() {
            let column = found.columns().get(*place).ok_or(Trouble::Arrow)?;
            columns.push(convert(column, there, field, &mut flawed)?);
            flaws.extend(flawed.drain(..).map(|f| (i, f)));
        }
        let count = found.num_rows();
        Ok(keep_whole_rows(
            &self.arrow,
            columns,
            count,
            origin,
            flaws,
            &self.messages,
            rejects,
        )?)
    }
}

impl Decoder for ParquetDecoder {
    fn decode(&mut self, mut chunk: Chunk) -> Result<Decoded, SourceError> {
        let opened = self.files.opened(chunk.part)?;
        let slice = Slice::from_bytes(&chunk.bytes);
        let group = slice.and_then(|s| {
            let number = usize::try_from(s.group).ok()?;
            Some((number, opened.groups().get(number)?))
        });
        let (Some(slice), Some((number, meta))) = (slice, group) else {
            return Err(SourceError::shape(
                &opened.place,
                "internal error: a chunk of no group",
            ));
        };
        let refusals = Refusals::default();
        let of_group = |what: String| {
            let group = slice.group;
            let problem = format!("row group {group} (counted from 0) {what}");
            SourceError::shape(&opened.place, &problem)
        };
        let damaged = |what: &str| match refusals.first() {
            Some(refusal) => of_group(refusal.told()),
            None => of_group(format!(
                "{what}; the file is damaged: write or download it again"
            )),
        };
        let (_, batch_rows) = opened.portions(meta);
        let group = Group {
            opened: &opened,
            number,
            meta,
            refusals: refusals.clone(),
        };
        let open = || {
            let selection = RowSelection::from(vec![
                RowSelector::skip(usize::try_from(slice.skip).unwrap_or(usize::MAX)),
                RowSelector::select(usize::try_from(slice.rows).unwrap_or(usize::MAX)),
            ]);
            ParquetRecordBatchReader::try_new_with_row_groups(
                &opened.columns.levels,
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
            let batch = match built {
                Some(Ok(batch)) => batch,
                Some(Err(Trouble::TooMuch)) => {
                    return Err(of_group(format!(
                        "has lists, maps or structs that make more than {} MiB of JSON text in a \
                        column of one batch; write the file with smaller row groups, or remove \
                        that column from `columns`",
                        MAX_TEXT_SIZE >> 20
                    )));
                }
                Some(Err(Trouble::Arrow)) | None => {
                    return Err(damaged("has values that are invalid for their types"));
                }
            };
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
        ParquetError::NYI(_) => "is of an unsupported kind",
        ParquetError::EOF(_) => "ends early",
        _ => "cannot be read",
    }
}
