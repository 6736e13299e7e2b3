//! Takes rows in: numbers their values and packs them to wait.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{BooleanArray, StringArray, UInt32Array};
use arrow_schema::{ArrowError, SchemaRef};
use glovebox_core::{Batch, Encoded, Encoder, Origin, Payload, Reject, SinkError, Violation};
use glovebox_release::{Column, Hierarchy};

use super::cells::{each, texts};
use super::hold::{self, Store, Stored};
use super::keys;
use super::numbers::{Known, UNKNOWN};
use super::waiting::Packed;
use crate::gated::{Placed, PlannedGate};

/// What all workers know of values.
pub(super) struct Numbered {
    /// The quasi-identifiers, then the sensitive columns.
    columns: Vec<Mutex<Column>>,
    quasi: usize,
    /// Numbers entities; two of one number would count as one, so that the gate errs to the safe side.
    entities: RandomState,
}

impl Numbered {
    pub(super) fn new(planned: &PlannedGate) -> Self {
        let columns = planned.quasi.iter().chain(&planned.sensitive);
        Numbered {
            columns: columns
                .map(|c| Mutex::new(Column::new(c.hierarchy.clone())))
                .collect(),
            quasi: planned.quasi.len(),
            entities: RandomState::new(),
        }
    }

    /// The quasi-identifiers and the sensitive columns; nothing is left.
    pub(super) fn take(&self) -> (Vec<Column>, Vec<Column>) {
        let taken = self.columns.iter().map(|column| {
            let mut column = column.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *column, Column::new(Hierarchy::values()))
        });
        let mut quasi: Vec<Column> = taken.collect();
        let sensitive = quasi.split_off(self.quasi);
        (quasi, sensitive)
    }
}

/// One worker's.
pub(super) struct Intake {
    planned: Arc<PlannedGate>,
    numbered: Arc<Numbered>,
    /// Where rows wait, once the run is opened.
    store: Option<Arc<Store>>,
    /// What the worker knows of each column's numbers.
    known: Vec<Known>,
    target: Target,
    place: String,
}

/// Who is asked which rows the target can store: its encoder, and the columns that it gets.
pub(super) struct Target {
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) schema: SchemaRef,
}

/// Batches of a chunk, packed.
#[derive(Default)]
struct Chunk {
    rows: Vec<u8>,
    keys: Vec<u8>,
    count: usize,
}

impl Intake {
    pub(super) fn new(
        planned: Arc<PlannedGate>,
        numbered: Arc<Numbered>,
        store: Option<Arc<Store>>,
        target: Target,
        place: String,
    ) -> Self {
        Intake {
            known: numbered.columns.iter().map(|_| Known::default()).collect(),
            planned,
            numbered,
            store,
            target,
            place,
        }
    }

    /// The rows that the target can store, whatever is left of their quasi-identifiers: it is asked before they
    /// are counted, since a class without a row that it refuses then would be another.
    fn storable(&self, batch: &Batch, rejects: &mut Vec<Reject>) -> Result<Batch, SinkError> {
        let arrow = |error: ArrowError| SinkError::Internal {
            place: self.place.clone(),
            problem: format!("the gate cannot take rows in: {}", kind(&error)),
        };
        let mut columns = batch.columns.columns().to_vec();
        for quasi in &self.planned.quasi {
            if let Some(column) = columns.get_mut(quasi.place) {
                *column = Arc::new(StringArray::new_null(batch.rows()));
            }
        }
        if let Some(entity) = self.planned.entity.filter(|_| !self.planned.entity_stored) {
            columns.remove(entity.min(columns.len().saturating_sub(1)));
        }
        let schema = &self.target.schema;
        let asked = super::waiting::batch(schema, columns, batch.rows()).map_err(arrow)?;
        let asked = Batch::new(asked, batch.origin.clone());
        let mut refused = self.target.encoder.unfit(&asked)?;
        let quasi = |name: &str| self.planned.quasi.iter().any(|quasi| *quasi.name == *name);
        refused.retain_mut(|reject| {
            let violations = &mut reject.violations;
            violations.retain(|v| v.column.as_ref().is_none_or(|column| !quasi(column)));
            !violations.is_empty()
        });
        if refused.is_empty() {
            return Ok(batch.clone());
        }
        let rows: HashSet<u64> = refused.iter().map(|reject| reject.row).collect();
        let keep = (0..batch.rows()).map(|row| Some(!rows.contains(&batch.origin.row(row))));
        let kept = batch.filter(&keep.collect()).map_err(arrow)?;
        rejects.extend(refused);
        Ok(kept)
    }

    /// Takes a batch in and packs it behind others.
    fn take(
        &mut self,
        batch: &Batch,
        rejects: &mut Vec<Reject>,
        chunk: &mut Chunk,
    ) -> Result<(), ArrowError> {
        let planned = Arc::clone(&self.planned);
        let placed = || planned.quasi.iter().chain(&planned.sensitive);
        let mut numbers = Vec::with_capacity(self.known.len());
        let columns = self.known.iter_mut().zip(&self.numbered.columns);
        for ((known, shared), column) in columns.zip(placed()) {
            numbers.push(known.numbers(batch.columns.column(column.place), shared)?);
        }
        let unknown = |row: usize| -> Option<&Placed> {
            let mut columns = numbers.iter().zip(placed());
            columns
                .find(|(numbers, _)| numbers.get(row) == Some(&UNKNOWN))
                .map(|(_, column)| column)
        };
        let mut batch = batch.clone();
        let mut keep = Vec::new();
        if numbers.iter().any(|numbers| numbers.contains(&UNKNOWN)) {
            keep.extend((0..batch.rows()).map(|row| match unknown(row) {
                Some(column) => {
                    rejects.push(reject(&batch.origin, row, column));
                    false
                }
                None => true,
            }));
        }
        let mut numbers: Vec<UInt32Array> = numbers.into_iter().map(UInt32Array::from).collect();
        if !keep.is_empty() {
            let keep = BooleanArray::from(keep);
            batch = batch.filter(&keep)?;
            for numbers in &mut numbers {
                let kept = arrow_select::filter::filter(numbers, &keep)?;
                *numbers = UInt32Array::from(kept.to_data());
            }
        }
        if batch.rows() == 0 {
            return Ok(());
        }
        let entities = self.entities(&batch)?;
        keys::pack(&numbers, entities.as_deref(), &mut chunk.keys);
        Packed::new(&planned, batch.columns.num_columns()).pack(&batch, &mut chunk.rows)?;
        chunk.count += batch.rows();
        Ok(())
    }

    /// The entities' numbers, where one is named.
    fn entities(&self, batch: &Batch) -> Result<Option<Vec<u64>>, ArrowError> {
        let Some(place) = self.planned.entity else {
            return Ok(None);
        };
        let texts = texts(batch.columns.column(place))?;
        let hasher = &self.numbered.entities;
        Ok(Some(
            each(&texts).map(|entity| hasher.hash_one(entity)).collect(),
        ))
    }

    /// Puts a chunk's rows where they wait.
    fn store(&self, chunk: Chunk) -> Result<Payload, SinkError> {
        let store = self.store.as_ref().ok_or_else(|| SinkError::Internal {
            place: self.place.clone(),
            problem: "a chunk came before the run was opened".to_owned(),
        })?;
        let put = || {
            Ok(Stored {
                rows: store.rows.put(chunk.rows)?,
                keys: store.keys.put(chunk.keys)?,
                count: chunk.count,
            })
        };
        let stored = put().map_err(|problem| hold::cannot(&problem))?;
        Ok(Payload::Bytes(stored.to_bytes()))
    }
}

fn reject(origin: &Origin, row: usize, column: &Placed) -> Reject {
    Reject {
        row: origin.row(row),
        file: origin.file().cloned(),
        line: origin.line(row),
        violations: vec![Violation {
            step: "release".into(),
            column: Some(Arc::clone(&column.name)),
            rule: "hierarchy".into(),
            message: "its levels do not have this value".into(),
        }],
    }
}

impl Encoder for Intake {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        let mut encoded = Encoded::default();
        let mut chunk = Chunk::default();
        for batch in batches {
            let batch = self.storable(batch, &mut encoded.rejects)?;
            let taken = self.take(&batch, &mut encoded.rejects, &mut chunk);
            taken.map_err(|error| SinkError::Internal {
                place: self.place.clone(),
                problem: format!("the gate cannot take rows in: {}", kind(&error)),
            })?;
        }
        encoded.rejects.sort_by_key(|reject| reject.row);
        encoded.rows = chunk.count as u64;
        // All rows of a chunk are of one file.
        encoded
            .origins
            .extend(batches.first().map(|batch| (batch.origin.slice(0, 0), 0)));
        if chunk.count > 0 {
            encoded.payload = self.store(chunk)?;
        }
        Ok(encoded)
    }
}

/// What went wrong, without a cell: arrow's own words may have one.
pub(super) fn kind(error: &ArrowError) -> &'static str {
    match error {
        ArrowError::IoError(..) => "input or output",
        ArrowError::MemoryError(_) => "memory",
        ArrowError::SchemaError(_) => "schema",
        ArrowError::CastError(_) => "cast",
        _ => "arrow",
    }
}
