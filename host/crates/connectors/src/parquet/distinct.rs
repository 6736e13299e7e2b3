//! Which columns a dictionary would not make shorter: it holds each value once, and a place in it for each row.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

/// Rows that are looked at, of all batches alike.
const SAMPLE: usize = 32 << 10;

/// Whether more than three quarters of a column's values are there once, as far as a sample shows.
pub(super) fn is_mostly_distinct(batches: &[RecordBatch], column: usize) -> bool {
    let by = RandomState::new();
    // Two values of one hash are rare enough for a guess.
    let mut seen = HashSet::new();
    let mut values = 0;
    let of_each = SAMPLE.div_ceil(batches.len().max(1));
    for batch in batches {
        let Some(cells) = batch.columns().get(column) else {
            continue;
        };
        let cells = cells.slice(0, cells.len().min(of_each));
        each(&cells, &by, |hash| {
            values += 1;
            seen.insert(hash);
        });
    }
    seen.len() * 4 > values * 3
}

/// The hash of each cell that is there, of the types that have dictionaries.
fn each(cells: &dyn Array, by: &RandomState, mut take: impl FnMut(u64)) {
    fn all<T: Hash>(
        cells: impl Iterator<Item = Option<T>>,
        by: &RandomState,
        take: &mut dyn FnMut(u64),
    ) {
        cells.flatten().for_each(|cell| take(by.hash_one(cell)));
    }
    let take = &mut take;
    match cells.data_type() {
        DataType::Utf8 => all(cells.as_string::<i32>().iter(), by, take),
        DataType::Binary => all(cells.as_binary::<i32>().iter(), by, take),
        DataType::Int64 => all(cells.as_primitive::<Int64Type>().iter(), by, take),
        DataType::Date32 => all(cells.as_primitive::<Date32Type>().iter(), by, take),
        DataType::Decimal128(..) => all(cells.as_primitive::<Decimal128Type>().iter(), by, take),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = cells.as_primitive::<TimestampMicrosecondType>();
            all(times.iter(), by, take);
        }
        DataType::Float64 => {
            let floats = cells.as_primitive::<Float64Type>().iter();
            all(floats.map(|cell| cell.map(f64::to_bits)), by, take);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;
    use crate::parquet::tests::{batch, store_by};
    use crate::parquet::{Compression, Sink};

    #[test]
    fn only_a_column_whose_values_repeat_is_written_with_a_dictionary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.parquet");
        store_by(Sink::new(&path, Compression::Zstd), &[batch(5_000)]);
        let file = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let columns = file.metadata().row_group(0).columns();
        let with_dictionary = columns
            .iter()
            .filter(|c| c.dictionary_page_offset().is_some());
        let names: Vec<&str> = with_dictionary.map(|c| c.column_descr().name()).collect();
        assert_eq!(names, ["text"]);
    }

    #[test]
    fn a_column_is_mostly_distinct_where_three_of_four_values_are() {
        let batches = |of: &dyn Fn(usize) -> ArrayRef| {
            let batch = |at: usize| RecordBatch::try_from_iter([("a", of(at))]).unwrap();
            (0..16).map(|i| batch(i * 4096)).collect::<Vec<_>>()
        };
        let numbers = |most: usize| {
            let of = |at: usize| {
                let numbers = (at..at + 4096).map(|i| (i % 3 > 0).then_some((i % most) as i64));
                Arc::new(numbers.collect::<Int64Array>()) as ArrayRef
            };
            is_mostly_distinct(&batches(&of), 0)
        };
        assert!(numbers(usize::MAX));
        assert!(!numbers(5_000));
        let texts = |at: usize| {
            let texts = (at..at + 4096).map(|i| i.to_string());
            Arc::new(StringArray::from_iter_values(texts)) as ArrayRef
        };
        assert!(is_mostly_distinct(&batches(&texts), 0));
        let zeros = |_: usize| Arc::new(Float64Array::from(vec![0.0; 4096])) as ArrayRef;
        assert!(!is_mostly_distinct(&batches(&zeros), 0));
        assert!(!is_mostly_distinct(&batches(&zeros), 1));
        assert!(!is_mostly_distinct(&[], 0));
    }
}
