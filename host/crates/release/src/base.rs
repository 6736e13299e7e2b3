//! Counts of combinations, wherever they are: in blocks, which several threads may read.

use std::io;
use std::ops::ControlFlow;

use crate::histogram::Histogram;

/// Keys of a histogram in a block.
const BLOCK: usize = 1 << 16;

/// Keys with counts. A key may come more than once; its counts are added up.
pub trait Base: Sync {
    /// The length of its keys.
    fn width(&self) -> usize;

    /// The sum of all counts.
    fn total(&self) -> u64;

    /// How many keys there are, with those that come again.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many blocks there are.
    fn blocks(&self) -> usize;

    /// Puts the block of that number in the place of what `block` holds.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, number: usize, block: &mut Block) -> io::Result<()>;
}

/// Some of the keys, by column.
#[derive(Debug, Default)]
pub struct Block {
    /// How many keys there are.
    pub keys: usize,
    /// Each place of a key, of all of them.
    pub columns: Vec<Vec<u32>>,
    /// How often each was counted; once, where there is nothing.
    pub counts: Option<Vec<u64>>,
}

impl Block {
    /// The counts of all keys, in their order.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> {
        let counts = self.counts.as_deref();
        (0..self.keys).map(move |at| counts.map_or(1, |all| all.get(at).copied().unwrap_or(0)))
    }
}

/// Where entries wait for which there is no room in memory.
pub trait Spill: Sync {
    /// Puts entries there; returns where.
    ///
    /// # Errors
    /// When there is no room either.
    fn put(&self, entries: &[u64]) -> io::Result<usize>;

    /// Puts the entries from there behind others.
    ///
    /// # Errors
    /// When they cannot be read.
    fn get(&self, place: usize, entries: &mut Vec<u64>) -> io::Result<()>;
}

/// Hands each key with its count to `each` until that has had enough.
pub(crate) fn each(
    base: &dyn Base,
    each: &mut dyn FnMut(&[u32], u64) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut block = Block::default();
    let mut key = vec![0; base.width()];
    for number in 0..base.blocks() {
        base.read(number, &mut block)?;
        for (at, count) in block.counts().enumerate() {
            for (part, column) in key.iter_mut().zip(&block.columns) {
                *part = column.get(at).copied().unwrap_or_default();
            }
            if each(&key, count).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Base for Histogram {
    fn width(&self) -> usize {
        Histogram::width(self)
    }

    fn total(&self) -> u64 {
        Histogram::total(self)
    }

    fn len(&self) -> usize {
        Histogram::len(self)
    }

    fn blocks(&self) -> usize {
        self.len().div_ceil(BLOCK)
    }

    fn read(&self, number: usize, block: &mut Block) -> io::Result<()> {
        let (keys, counts) = self.slice(number * BLOCK, BLOCK);
        block.keys = counts.len();
        block.counts = Some(counts.to_vec());
        block.columns.resize_with(self.width(), Vec::new);
        for (place, column) in block.columns.iter_mut().enumerate() {
            column.clear();
            column.extend(keys.iter().skip(place).step_by(self.width().max(1)));
        }
        Ok(())
    }
}
