//! Rows with a date that text cannot represent: ISO 8601 has four digits for a year, and most
//! readers, including ours, accept no more.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{BooleanArray, RecordBatch};
use glovebox_core::{Batch, DataType, Encoded, Encoder, Reject, Schema, SinkError};

use crate::database::set_aside::SetAside;

/// 0000-01-01 and 9999-12-31 in days since 1970-01-01.
const DAYS: RangeInclusive<i32> = -719_528..=2_932_896;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The first and the last microsecond of these days.
const MICROS: RangeInclusive<i64> =
    *DAYS.start() as i64 * MICROS_PER_DAY..=(*DAYS.end() as i64 + 1) * MICROS_PER_DAY - 1;

/// An encoder of text that sets such rows aside.
pub(crate) struct FourDigits {
    inner: Box<dyn Encoder>,
    schema: Arc<Schema>,
    place: String,
}

impl FourDigits {
    /// `inner`, with the search before it where there is a column to search.
    pub(crate) fn before(
        inner: Box<dyn Encoder>,
        schema: Arc<Schema>,
        place: &str,
    ) -> Box<dyn Encoder> {
        let has_days = schema
            .fields
            .iter()
            .any(|f| matches!(f.data_type, DataType::Date | DataType::Timestamp));
        if !has_days {
            return inner;
        }
        Box::new(FourDigits {
            inner,
            schema,
            place: place.to_owned(),
        })
    }
}

impl Encoder for FourDigits {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        let found: Vec<SetAside> = batches
            .iter()
            .map(|batch| outside(&batch.columns, &self.schema))
            .collect();
        if found.iter().all(SetAside::is_empty) {
            return self.inner.encode(batches);
        }
        let kept: Vec<Batch> = batches
            .iter()
            .zip(&found)
            .map(|(batch, aside)| {
                let keep: BooleanArray = (0..batch.rows())
                    .map(|row| Some(!aside.contains(row)))
                    .collect();
                batch.filter(&keep)
            })
            .collect::<Result<_, _>>()
            .map_err(|e| SinkError::Internal {
                place: self.place.clone(),
                problem: e.to_string(),
            })?;
        let mut encoded = self.inner.encode(&kept)?;
        for (batch, aside) in batches.iter().zip(found) {
            encoded.rejects.extend(aside.into_rejects(&batch.origin));
        }
        encoded.rejects.sort_by_key(|r| r.row);
        Ok(encoded)
    }

    fn unfit(&self, batch: &Batch) -> Result<Vec<Reject>, SinkError> {
        let aside = outside(&batch.columns, &self.schema);
        Ok(aside.into_rejects(&batch.origin).collect())
    }
}

/// The rows that cannot be shown; columns of other types than the schema's are the encoder's to
/// complain about.
fn outside(columns: &RecordBatch, schema: &Schema) -> SetAside {
    let mut aside = SetAside::default();
    for (field, cells) in schema.fields.iter().zip(columns.columns()) {
        if let Some(days) = cells.as_primitive_opt::<Date32Type>() {
            let message = "outside the years 0000 to 9999, which ISO dates can represent";
            aside.range(cells, days.values(), &field.name, message, |day| {
                DAYS.contains(&day)
            });
        } else if let Some(times) = cells.as_primitive_opt::<TimestampMicrosecondType>() {
            let message = "outside the years 0000 to 9999, which ISO times can represent";
            aside.range(cells, times.values(), &field.name, message, |micro| {
                MICROS.contains(&micro)
            });
        }
    }
    aside
}

#[cfg(test)]
mod tests {
    use std::fs;

    use arrow_array::{ArrayRef, Date32Array, Int64Array, TimestampMicrosecondArray};
    use glovebox_core::{Field, FinishedChunk, Job, Origin, Payload, Sink, Totals};

    use super::*;
    use crate::{csv, jsonl};

    fn rows() -> (Schema, Batch) {
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64),
            Field::new("day", DataType::Date),
            Field::new("at", DataType::Timestamp),
        ]);
        let days = [
            Some(-719_529),
            Some(-719_528),
            None,
            Some(2_932_896),
            Some(2_932_897),
            Some(0),
        ];
        let micros = [
            0,
            *MICROS.start(),
            *MICROS.end(),
            0,
            *MICROS.end() + 1,
            *MICROS.start() - 1,
        ];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(1..=6)),
            Arc::new(Date32Array::from(days.to_vec())),
            Arc::new(TimestampMicrosecondArray::from(micros.to_vec()).with_timezone("UTC")),
        ];
        let batch = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
        (schema, Batch::new(batch, Origin::contiguous(10)))
    }

    /// What a sink writes of these rows, and what it rejects: row, column and rule.
    fn written(mut sink: impl Sink, path: &std::path::Path) -> (String, Vec<(u64, String)>) {
        let (schema, batch) = rows();
        sink.open(&Job::default(), &schema).unwrap();
        let unfit = sink.encoder().unfit(&batch).unwrap();
        let encoded = sink.encoder().encode(&[batch]).unwrap();
        assert_eq!(encoded.rejects, unfit);
        assert_eq!(encoded.rows, 3);
        assert!(matches!(encoded.payload, Payload::Bytes(_)));
        let rejects = encoded.rejects.iter().map(|r| {
            let broken = r.violations.iter();
            let broken = broken.map(|v| format!("{} {}", v.column.as_ref().unwrap(), v.rule));
            (r.row, broken.collect::<Vec<_>>().join(", "))
        });
        let rejects = rejects.collect();
        let chunk = FinishedChunk {
            encoded,
            ..FinishedChunk::default()
        };
        sink.write(chunk).unwrap();
        sink.commit(&Totals::default()).unwrap();
        (fs::read_to_string(path).unwrap(), rejects)
    }

    #[test]
    fn days_beyond_four_digits_are_rejected_by_every_file_of_text() {
        let dir = tempfile::tempdir().unwrap();
        let rejected = [
            (10, "day range".to_owned()),
            (14, "day range, at range".to_owned()),
            (15, "at range".to_owned()),
        ];
        let path = dir.path().join("out.csv");
        let sink = csv::Sink::new(&path, csv::Mode::Replace, csv::SinkOptions::default());
        let (text, rejects) = written(sink, &path);
        assert_eq!(rejects, rejected);
        assert_eq!(
            text,
            "n,day,at\n2,0000-01-01,0000-01-01T00:00:00Z\n3,,9999-12-31T23:59:59.999999Z\n\
             4,9999-12-31,1970-01-01T00:00:00Z\n"
        );
        let path = dir.path().join("out.jsonl");
        let sink = jsonl::Sink::new(&path, jsonl::Mode::Replace, jsonl::SinkOptions::default());
        let (text, rejects) = written(sink, &path);
        assert_eq!(rejects, rejected);
        assert_eq!(text.lines().count(), 3);
    }
}
