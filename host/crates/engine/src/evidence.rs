//! What a run leaves to be proven by: what it read and what it wrote, as digests.
//!
//! Of rows in a database there is a digest a chunk, and none a row, whose cells could be found by trying; a
//! chunk's is under a key that stays with the journal.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::ToByteSlice;
use arrow_schema::{DataType, TimeUnit};
use glovebox_core::{ChunkRecord, Digest, Mark, Payload, WrittenFile, hex};
use sha2::{Digest as _, Sha256};

use crate::identity::Key;
use crate::summary::Summary;

/// Before a null, where otherwise a length stands.
const NULL: u64 = u64::MAX;

/// What a run has read and written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// SHA-256 of all that decides what a row becomes, in hexadecimal.
    pub plan: String,
    /// The whole input.
    pub input: Mark,
    /// The chunks, of a sink that keeps a journal, whose key their digests and the input's are under.
    pub chunks: Option<Vec<StoredChunk>>,
    /// The files.
    pub files: Vec<WrittenFile>,
}

/// A chunk as the journal has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredChunk {
    /// The journal's line.
    pub record: ChunkRecord,
    /// Digest of its stored rows as they were handed to the sink; none of a process that was not to prove.
    pub stored: Option<Digest>,
}

impl From<ChunkRecord> for StoredChunk {
    fn from(record: ChunkRecord) -> Self {
        let stored = Summary::from_json(&record.summary).stored;
        StoredChunk {
            stored: stored.and_then(|hex| parse(&hex)),
            record,
        }
    }
}

fn parse(hex: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let digits = hex.as_bytes();
    if digits.len() != 2 * digest.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}

/// The journal's digest of the rows of a chunk as its sink takes them, in hexadecimal.
pub(crate) fn stored(key: &Key, payload: &Payload) -> Option<String> {
    key.stored(digest(payload)?).map(hex)
}

/// SHA-256 of rows in a sink's form, however they were cut into batches; none of columns of a type that no
/// manifest can name.
fn digest(payload: &Payload) -> Option<Sha256> {
    let mut hash = Sha256::new();
    match payload {
        Payload::Empty => {}
        Payload::Bytes(bytes) => hash.update(bytes),
        Payload::Batches(batches) => {
            let columns = batches.first().map_or(0, RecordBatch::num_columns);
            let mut bytes = Vec::new();
            for column in 0..columns {
                let mut cells = Sha256::new();
                for batch in batches {
                    bytes.clear();
                    spell(batch.columns().get(column)?, &mut bytes)?;
                    cells.update(&bytes);
                }
                hash.update(cells.finalize());
            }
        }
    }
    Some(hash)
}

/// Cells with their lengths, so that no two lists of cells are spelt the same.
fn spell(cells: &ArrayRef, out: &mut Vec<u8>) -> Option<()> {
    let mut put = |cell: Option<&[u8]>| match cell {
        Some(cell) => {
            out.extend_from_slice(&(cell.len() as u64).to_be_bytes());
            out.extend_from_slice(cell);
        }
        None => out.extend_from_slice(&NULL.to_be_bytes()),
    };
    match cells.data_type() {
        DataType::Utf8 => {
            let cells = cells.as_string::<i32>();
            cells.iter().for_each(|cell| put(cell.map(str::as_bytes)));
        }
        DataType::Binary => cells.as_binary::<i32>().iter().for_each(put),
        DataType::Boolean => {
            let cells = cells.as_boolean();
            let cells = cells.iter();
            cells.for_each(|cell| put(cell.map(|is| if is { &[1][..] } else { &[0] })));
        }
        DataType::Int64 => numbers::<Int64Type>(cells, put),
        DataType::Float64 => numbers::<Float64Type>(cells, put),
        DataType::Date32 => numbers::<Date32Type>(cells, put),
        DataType::Decimal128(_, _) => numbers::<Decimal128Type>(cells, put),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            numbers::<TimestampMicrosecondType>(cells, put);
        }
        _ => return None,
    }
    Some(())
}

fn numbers<T: ArrowPrimitiveType>(cells: &ArrayRef, mut put: impl FnMut(Option<&[u8]>)) {
    let cells = cells.as_primitive::<T>().iter();
    cells.for_each(|cell| put(cell.as_ref().map(ToByteSlice::to_byte_slice)));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow_array::{Int64Array, StringArray};

    fn rows(from: usize, to: usize) -> RecordBatch {
        let names = StringArray::from(vec![Some("ab"), None, Some(""), Some("c")]);
        let numbers = Int64Array::from(vec![Some(1), Some(2), None, Some(4)]);
        let columns: Vec<(_, ArrayRef)> =
            vec![("name", Arc::new(names)), ("number", Arc::new(numbers))];
        RecordBatch::try_from_iter(columns)
            .unwrap()
            .slice(from, to - from)
    }

    fn of(batches: Vec<RecordBatch>) -> String {
        hex(digest(&Payload::Batches(batches)).unwrap().finalize())
    }

    #[test]
    fn rows_have_one_digest_however_they_are_cut() {
        let whole = of(vec![rows(0, 4)]);
        assert_eq!(of(vec![rows(0, 1), rows(1, 4)]), whole);
        assert_eq!(of(vec![rows(0, 3), rows(3, 3), rows(3, 4)]), whole);
        assert_ne!(of(vec![rows(1, 4), rows(0, 1)]), whole);
        assert_ne!(of(vec![rows(0, 3)]), whole);
    }

    #[test]
    fn a_null_is_not_an_empty_cell_and_cells_do_not_run_together() {
        let text = |cells: Vec<Option<&str>>| {
            let cells: ArrayRef = Arc::new(StringArray::from(cells));
            of(vec![RecordBatch::try_from_iter([("a", cells)]).unwrap()])
        };
        let all = [
            text(vec![Some("ab"), Some("c")]),
            text(vec![Some("a"), Some("bc")]),
            text(vec![Some("abc"), Some("")]),
            text(vec![Some("abc"), None]),
        ];
        let mut distinct = all.to_vec();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_chunk_keeps_its_digest_in_the_journal() {
        let summary = Summary {
            stored: Some(hex([0xab; 32])),
            ..Summary::default()
        };
        let chunk = |summary: String| {
            StoredChunk::from(ChunkRecord {
                summary,
                ..ChunkRecord::default()
            })
        };
        let kept = Summary::revised(&summary.to_json(), &[]);
        assert_eq!(chunk(kept).stored, Some([0xab; 32]));
        for other in ["", "{}", r#"{"steps":[],"stored":"zz"}"#] {
            assert_eq!(chunk(other.into()).stored, None, "{other}");
        }
    }
}
