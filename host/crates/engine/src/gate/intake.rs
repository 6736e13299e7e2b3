//! Takes rows in: numbers their values, counts their combinations, and packs them to wait.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Schema as ArrowSchema};
use glovebox_core::{Batch, Encoded, Encoder, Origin, Payload, Reject, SinkError, Violation};
use glovebox_release::{Column, Hierarchy, Histogram};
use hashbrown::HashMap;

use super::cells::{each, texts};
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

    /// Packs a batch behind others; returns its rows.
    fn pack(
        &mut self,
        batch: &Batch,
        rejects: &mut Vec<Reject>,
        packed: &mut Vec<u8>,
    ) -> Result<u64, ArrowError> {
        let Some(waiting) = self.take(batch, rejects)? else {
            return Ok(0);
        };
        let mut writer = StreamWriter::try_new(packed, &waiting.schema())?;
        writer.write(&waiting)?;
        writer.finish()?;
        Ok(waiting.num_rows() as u64)
    }

    fn take(
        &mut self,
        batch: &Batch,
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<RecordBatch>, ArrowError> {
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
        let mut ids: Vec<UInt32Array> = numbers.into_iter().map(UInt32Array::from).collect();
        let mut batch = batch.clone();
        if keep.contains(&false) {
            let keep = BooleanArray::from(keep);
            batch = batch.filter(&keep)?;
            for ids in &mut ids {
                let kept = arrow_select::filter::filter(ids, &keep)?;
                *ids = UInt32Array::from(kept.to_data());
            }
        }
        self.count(&batch, &ids)?;
        (batch.rows() > 0)
            .then(|| waiting(&planned, &batch, ids))
            .transpose()
    }

    fn count(&self, batch: &Batch, ids: &[UInt32Array]) -> Result<(), ArrowError> {
        let entities = match self.planned.entity {
            Some(place) => Some(texts(batch.columns.column(place))?),
            None => None,
        };
        let mut entities = entities.as_ref().map(each);
        let width = ids.len() + if entities.is_some() { 2 } else { 0 };
        let mut local = Histogram::new(width);
        let mut key = Vec::with_capacity(width);
        for row in 0..batch.rows() {
            key.clear();
            key.extend(
                ids.iter()
                    .map(|ids| ids.values().get(row).copied().unwrap_or(UNKNOWN)),
            );
            if let Some(entities) = &mut entities {
                let entity = self.counted.entities.hash_one(entities.next().flatten());
                #[expect(clippy::cast_possible_truncation, reason = "two halves")]
                key.extend([(entity >> 32) as u32, entity as u32]);
            }
            local.add(&key, 1);
        }
        let all = &self.counted.histogram;
        all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .merge(&local);
        Ok(())
    }
}

/// Rows as they wait: numbers in the place of quasi-identifiers, then their own numbers in the source.
fn waiting(
    planned: &PlannedGate,
    batch: &Batch,
    ids: Vec<UInt32Array>,
) -> Result<RecordBatch, ArrowError> {
    let schema = batch.columns.schema();
    let mut fields: Vec<_> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut columns = batch.columns.columns().to_vec();
    for (quasi, ids) in planned.quasi.iter().zip(ids) {
        if let (Some(field), Some(column)) =
            (fields.get_mut(quasi.place), columns.get_mut(quasi.place))
        {
            *field = arrow_schema::Field::new(field.name(), arrow_schema::DataType::UInt32, false);
            *column = Arc::new(ids);
        }
    }
    // It was added behind those that are stored.
    if planned.entity.is_some() && !planned.entity_stored {
        fields.pop();
        columns.pop();
    }
    let rows = 0..batch.rows();
    fields.push(arrow_schema::Field::new(
        "row",
        arrow_schema::DataType::UInt64,
        false,
    ));
    columns.push(Arc::new(UInt64Array::from_iter_values(
        rows.clone().map(|row| batch.origin.row(row)),
    )));
    fields.push(arrow_schema::Field::new(
        "line",
        arrow_schema::DataType::UInt64,
        true,
    ));
    columns.push(Arc::new(
        rows.map(|row| batch.origin.line(row))
            .collect::<UInt64Array>(),
    ));
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)
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
            let rows = self.pack(batch, &mut encoded.rejects, &mut packed);
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
