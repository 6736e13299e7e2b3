//! Rows on their way into a table: those with a null where it takes none are set aside.

use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_schema::SchemaRef;
use glovebox_core::{Batch, Encoded, Encoder, Reject, Schema, SinkError};

use crate::database::set_aside::SetAside;
use crate::parquet::Columns;

/// Hands on the rows that a table takes.
pub(super) struct Rows {
    columns: Columns,
    /// The columns without nulls, by their places.
    not_null: Vec<(usize, Arc<str>)>,
}

impl Rows {
    pub(super) fn new(
        place: String,
        arrow: Option<SchemaRef>,
        schema: &Schema,
        not_null: &[bool],
    ) -> Self {
        let places = schema.fields.iter().zip(not_null).enumerate();
        let not_null = places.filter(|(_, (_, not_null))| **not_null);
        Rows {
            columns: Columns { place, arrow },
            not_null: not_null
                .map(|(i, (f, _))| (i, Arc::clone(&f.name)))
                .collect(),
        }
    }

    fn aside(&self, batch: &Batch) -> SetAside {
        let mut aside = SetAside::default();
        for (at, name) in &self.not_null {
            if let Some(cells) = batch.columns.columns().get(*at) {
                aside.nulls(cells, name);
            }
        }
        aside
    }
}

impl Encoder for Rows {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        if self.not_null.is_empty() {
            return self.columns.encode(batches);
        }
        let (mut kept, mut rejects) = (Vec::with_capacity(batches.len()), Vec::new());
        for batch in batches {
            let aside = self.aside(batch);
            if aside.is_empty() {
                kept.push(batch.clone());
                continue;
            }
            let keep: BooleanArray = (0..batch.rows())
                .map(|row| Some(!aside.contains(row)))
                .collect();
            let filtered = batch.filter(&keep).map_err(|_| SinkError::Internal {
                place: self.columns.place.clone(),
                problem: "rows cannot be set aside".into(),
            })?;
            kept.push(filtered);
            rejects.extend(aside.into_rejects(&batch.origin));
        }
        let encoded = self.columns.encode(&kept)?;
        Ok(Encoded { rejects, ..encoded })
    }

    fn unfit(&self, batch: &Batch) -> Result<Vec<Reject>, SinkError> {
        Ok(self.aside(batch).into_rejects(&batch.origin).collect())
    }
}
