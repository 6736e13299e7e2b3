//! Checkpoints of a log, read as any Parquet file of others: contained, in slices, each action as JSON text.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use glovebox_core::{DataType, Field, Schema, Source, SourceError, endings};
use glovebox_delta::{CheckpointRow, Checkpoints, DeltaError};

use super::place::Place;
use crate::input::Inputs;
use crate::parquet::{self, Keys};

/// A column that a checkpoint may do without, where no application has a transaction.
const OPTIONAL: &str = "txn";

impl Checkpoints for Place {
    fn rows(
        &self,
        name: &str,
        columns: &[&str],
        each: &mut dyn FnMut(CheckpointRow<'_>) -> Result<(), DeltaError>,
    ) -> Result<(), DeltaError> {
        let unread = |error: SourceError| {
            DeltaError::Unfit(format!("its checkpoint cannot be read: {error}"))
        };
        let inputs = Inputs::new(self.given(name), endings::PARQUET);
        let (found, _) = parquet::fields(&inputs, &Keys::default()).map_err(unread)?;
        let is_there = |column: &&&str| found.iter().any(|field| *field.name == ***column);
        if let Some(missing) = columns.iter().find(|c| **c != OPTIONAL && !is_there(c)) {
            return Err(DeltaError::Unfit(format!(
                "its checkpoint {name} has no column `{missing}` that can be read; repair or restore the table first"
            )));
        }
        let columns: Vec<&str> = columns.iter().filter(is_there).copied().collect();
        let fields = columns.iter().map(|c| Field::new(*c, DataType::Text));
        let source = parquet::Source::new(
            self.given(name),
            Schema::new(fields.collect()),
            Keys::default(),
        );
        let mut chunks = source.chunks().map_err(unread)?;
        let mut decoder = source.decoder().map_err(unread)?;
        while let Some(chunk) = chunks.next_chunk().map_err(unread)? {
            let decoded = decoder.decode(chunk).map_err(unread)?;
            if !decoded.rejects.is_empty() {
                return Err(DeltaError::Unfit(format!(
                    "its checkpoint {name} has an action that is not as Delta's protocol says; repair or restore the \
                     table first"
                )));
            }
            for batch in decoded.batches {
                for row in 0..batch.rows() {
                    let text = |column: &str| cell(&batch.columns, &columns, column, row);
                    each(CheckpointRow {
                        add: text("add"),
                        meta_data: text("metaData"),
                        protocol: text("protocol"),
                        txn: text("txn"),
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn cell<'b>(batch: &'b RecordBatch, columns: &[&str], column: &str, row: usize) -> Option<&'b str> {
    let at = columns.iter().position(|found| *found == column)?;
    let cells = batch.columns().get(at)?.as_string_opt::<i32>()?;
    cells.is_valid(row).then(|| cells.value(row))
}
