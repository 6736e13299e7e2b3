//! The numbers by which rows are searched: of each batch and column as many bytes as its largest number needs.

use std::io;
use std::sync::Arc;

use arrow_array::UInt32Array;
use glovebox_release::{Base, Block};

use super::hold::{Store, Stored, Waiting};

/// Packs the numbers of a batch's rows behind those of others.
pub(super) fn pack(numbers: &[UInt32Array], entities: Option<&[u64]>, packed: &mut Vec<u8>) {
    for numbers in numbers {
        pack_column(numbers.values(), packed);
    }
    if let Some(entities) = entities {
        let (high, low): (Vec<u32>, Vec<u32>) = entities.iter().copied().map(halves).unzip();
        pack_column(&high, packed);
        pack_column(&low, packed);
    }
}

/// A number in the two halves that a key has.
fn halves(number: u64) -> (u32, u32) {
    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    ((number >> 32) as u32, number as u32)
}

fn pack_column(numbers: &[u32], packed: &mut Vec<u8>) {
    packed.extend_from_slice(&(numbers.len() as u64).to_le_bytes());
    match numbers.iter().max().copied().unwrap_or(0) {
        0..=0xff => pack_in::<1>(numbers, packed),
        0x100..=0xffff => pack_in::<2>(numbers, packed),
        _ => pack_in::<4>(numbers, packed),
    }
}

/// As many of the lowest bytes of each number; into room that is there already, which is several times faster.
fn pack_in<const BYTES: usize>(numbers: &[u32], packed: &mut Vec<u8>) {
    packed.push(u8::try_from(BYTES).unwrap_or_default());
    let from = packed.len();
    packed.resize(from + numbers.len() * BYTES, 0);
    let places = packed.get_mut(from..).unwrap_or_default();
    for (place, number) in places.as_chunks_mut::<BYTES>().0.iter_mut().zip(numbers) {
        if let Some(bytes) = number.to_le_bytes().first_chunk() {
            *place = *bytes;
        }
    }
}

/// Puts the columns of all batches behind each other; tells how many rows each batch has.
pub(super) fn unpack(bytes: &[u8], width: usize, block: &mut Block) -> io::Result<Vec<usize>> {
    block.columns.resize_with(width, Vec::new);
    block.columns.iter_mut().for_each(Vec::clear);
    let mut rows = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut of_batch = 0;
        for column in &mut block.columns {
            of_batch = unpack_column(&mut rest, column)
                .ok_or_else(|| io::Error::other("numbers that waited cannot be unpacked"))?;
        }
        rows.push(of_batch);
    }
    block.keys = rows.iter().sum();
    block.counts = None;
    Ok(rows)
}

fn unpack_column(rest: &mut &[u8], column: &mut Vec<u32>) -> Option<usize> {
    let (rows, after) = rest.split_first_chunk()?;
    let rows = usize::try_from(u64::from_le_bytes(*rows)).ok()?;
    let (size, after) = after.split_first()?;
    let (bytes, after) = after.split_at_checked(rows.checked_mul(usize::from(*size))?)?;
    match size {
        1 => column.extend(bytes.iter().map(|byte| u32::from(*byte))),
        2 => column.extend(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|two| u32::from(u16::from_le_bytes(*two))),
        ),
        4 => column.extend(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|four| u32::from_le_bytes(*four)),
        ),
        _ => return None,
    }
    *rest = after;
    Some(rows)
}

/// The keys of all rows that wait.
pub(super) struct Keys {
    store: Arc<Store>,
    chunks: Vec<Stored>,
    width: usize,
    rows: usize,
}

impl Keys {
    pub(super) fn new(store: &Arc<Store>, chunks: &[Waiting], width: usize) -> Self {
        let chunks: Vec<Stored> = chunks.iter().filter_map(|waiting| waiting.stored).collect();
        Keys {
            store: Arc::clone(store),
            width,
            rows: chunks.iter().map(|stored| stored.count).sum(),
            chunks,
        }
    }
}

impl Base for Keys {
    fn width(&self) -> usize {
        self.width
    }

    fn total(&self) -> u64 {
        self.rows as u64
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn blocks(&self) -> usize {
        self.chunks.len()
    }

    fn read(&self, number: usize, block: &mut Block) -> io::Result<()> {
        let stored = self.chunks.get(number);
        let stored = stored.ok_or_else(|| io::Error::other("there is no such chunk"))?;
        unpack(&self.store.keys.get(stored.keys)?, self.width, block)?;
        // Without a column all rows are alike.
        block.keys = stored.count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_whatever_their_size() {
        let batches = [
            [vec![1, 255], vec![0, 256]],
            [vec![7, 7], vec![65_536, u32::MAX]],
        ];
        let mut packed = Vec::new();
        for batch in &batches {
            let numbers: Vec<UInt32Array> = batch.iter().cloned().map(UInt32Array::from).collect();
            pack(&numbers, Some(&[9 << 32 | 1, 2]), &mut packed);
        }
        let mut block = Block::default();
        assert_eq!(unpack(&packed, 4, &mut block).unwrap(), [2, 2]);
        assert_eq!(block.keys, 4);
        let expected = [
            vec![1, 255, 7, 7],
            vec![0, 256, 65_536, u32::MAX],
            vec![9, 0, 9, 0],
            vec![1, 2, 1, 2],
        ];
        assert_eq!(block.columns, expected);
        assert!(unpack(&packed[..packed.len() - 1], 4, &mut block).is_err());
    }
}
