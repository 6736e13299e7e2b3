//! Takes rows in: numbers their values, counts their combinations, and packs them to wait.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow_array::{ArrayRef, BooleanArray, UInt32Array};
use arrow_schema::ArrowError;
use glovebox_core::{Batch, Encoded, Encoder, Origin, Payload, Reject, SinkError, Violation};
use glovebox_release::{Column, Hierarchy, Histogram};
use hashbrown::HashMap;

use super::cells::{each, texts};
use super::waiting::{Packed, halves};
use crate::gated::{Placed, PlannedGate};

/// Stands for a value that its hierarchy does not have.
const UNKNOWN: u32 = u32::MAX;
/// A worker remembers the numbers of so many values of a column.
const REMEMBERED: usize = 1 << 16;

/// What all workers have counted.
pub(super) struct Counted {
    /// The quasi-identifiers, then the sensitive columns.
    columns: Vec<RwLock<Column>>,
    quasi: usize,
    histogram: Mutex<Histogram>,
    /// Numbers entities; two of one number would count as one, so that the gate errs to the safe side.
    entities: RandomState,
}

impl Counted {
    pub(super) fn new(planned: &PlannedGate) -> Self {
        let columns = planned.quasi.iter().chain(&planned.sensitive);
        let columns: Vec<_> = columns
            .map(|c| RwLock::new(Column::new(c.hierarchy.clone())))
            .collect();
        let entity = if planned.entity.is_some() { 2 } else { 0 };
        Counted {
            histogram: Mutex::new(Histogram::new(columns.len() + entity)),
            quasi: planned.quasi.len(),
            columns,
            entities: RandomState::new(),
        }
    }

    /// The quasi-identifiers, the sensitive columns, and the counts; nothing is left.
    pub(super) fn take(&self) -> (Vec<Column>, Vec<Column>, Histogram) {
        let taken = self.columns.iter().map(|column| {
            let mut column = column.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *column, Column::new(Hierarchy::values()))
        });
        let mut quasi: Vec<Column> = taken.collect();
        let sensitive = quasi.split_off(self.quasi);
        let mut histogram = self
            .histogram
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let width = histogram.width();
        (
            quasi,
            sensitive,
            std::mem::replace(&mut *histogram, Histogram::new(width)),
        )
    }
}

/// One worker's.
pub(super) struct Intake {
    planned: Arc<PlannedGate>,
    counted: Arc<Counted>,
    /// What the worker knows of each column's numbers.
    known: Vec<HashMap<Box<str>, u32>>,
    place: String,
}

impl Intake {
    pub(super) fn new(planned: Arc<PlannedGate>, counted: Arc<Counted>, place: String) -> Self {
        Intake {
            known: vec![HashMap::new(); counted.columns.len()],
            planned,
            counted,
            place,
        }
    }

    /// The numbers of a column's values.
    fn numbers(&mut self, at: usize, cells: &ArrayRef) -> Result<Vec<u32>, ArrowError> {
        let (Some(shared), Some(known)) = (self.counted.columns.get(at), self.known.get_mut(at))
        else {
            return Ok(vec![UNKNOWN; cells.len()]);
        };
        let intern = |value: Option<&str>| {
            let mut column = shared.write().unwrap_or_else(PoisonError::into_inner);
            column.intern(value).unwrap_or(UNKNOWN)
        };
        let texts = texts(cells)?;
        let mut null = None;
        let numbers = each(&texts).map(|value| {
            let Some(value) = value else {
                return *null.get_or_insert_with(|| intern(None));
            };
            if let Some(&number) = known.get(value) {
                return number;
            }
            let number = intern(Some(value));
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(value.into(), number);
            number
        });
        Ok(numbers.collect())
    }

    /// Takes a batch in and packs it behind others; returns its rows.
    fn take(
        &mut self,
        batch: &Batch,
        rejects: &mut Vec<Reject>,
        packed: &mut Vec<u8>,
    ) -> Result<u64, ArrowError> {
        let planned = Arc::clone(&self.planned);
        let placed = || planned.quasi.iter().chain(&planned.sensitive);
        let mut numbers = Vec::with_capacity(self.known.len());
        for (at, column) in placed().enumerate() {
            numbers.push(self.numbers(at, batch.columns.column(column.place))?);
        }
        let unknown = |row: usize| -> Option<&Placed> {
            let mut columns = numbers.iter().zip(placed());
            columns
                .find(|(numbers, _)| numbers.get(row) == Some(&UNKNOWN))
                .map(|(_, column)| column)
        };
        let mut keep = vec![true; batch.rows()];
        for (row, keep) in keep.iter_mut().enumerate() {
            if let Some(column) = unknown(row) {
                *keep = false;
                rejects.push(reject(&batch.origin, row, column));
            }
        }
        let mut numbers: Vec<UInt32Array> = numbers.into_iter().map(UInt32Array::from).collect();
        let mut batch = batch.clone();
        if keep.contains(&false) {
            let keep = BooleanArray::from(keep);
            batch = batch.filter(&keep)?;
            for numbers in &mut numbers {
                let kept = arrow_select::filter::filter(numbers, &keep)?;
                *numbers = UInt32Array::from(kept.to_data());
            }
        }
        if batch.rows() == 0 {
            return Ok(0);
        }
        let entities = self.entities(&batch)?;
        self.count(batch.rows(), &numbers, entities.as_deref());
        Packed::new(&planned, batch.columns.num_columns())
            .pack(&batch, numbers, entities, packed)?;
        Ok(batch.rows() as u64)
    }

    /// The entities' numbers, where one is named.
    fn entities(&self, batch: &Batch) -> Result<Option<Vec<u64>>, ArrowError> {
        let Some(place) = self.planned.entity else {
            return Ok(None);
        };
        let texts = texts(batch.columns.column(place))?;
        let hasher = &self.counted.entities;
        Ok(Some(
            each(&texts).map(|entity| hasher.hash_one(entity)).collect(),
        ))
    }

    fn count(&self, rows: usize, numbers: &[UInt32Array], entities: Option<&[u64]>) {
        let width = numbers.len() + if entities.is_some() { 2 } else { 0 };
        let mut local = Histogram::new(width);
        let mut key = Vec::with_capacity(width);
        for row in 0..rows {
            key.clear();
            let cells = numbers.iter().map(|numbers| numbers.values().get(row));
            key.extend(cells.map(|number| number.copied().unwrap_or(UNKNOWN)));
            key.extend(
                entities
                    .and_then(|all| all.get(row))
                    .into_iter()
                    .flat_map(|n| halves(*n)),
            );
            local.add(&key, 1);
        }
        let all = &self.counted.histogram;
        all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .merge(&local);
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
        let mut packed = Vec::new();
        for batch in batches {
            let rows = self.take(batch, &mut encoded.rejects, &mut packed);
            encoded.rows += rows.map_err(|error| SinkError::Internal {
                place: self.place.clone(),
                problem: format!("the gate cannot take rows in: {}", kind(&error)),
            })?;
        }
        // All rows of a chunk are of one file.
        encoded
            .origins
            .extend(batches.first().map(|batch| (batch.origin.slice(0, 0), 0)));
        encoded.payload = Payload::Bytes(packed);
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
