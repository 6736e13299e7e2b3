//! How often each combination occurs, in memory while there are not too many, and in a file beyond that.

use std::io;
use std::ops::ControlFlow;

use glovebox_release::{Base, Histogram};

use super::hold::Blocks;

/// So many combinations are counted in memory: of six columns some 130 MiB.
const IN_MEMORY: usize = 3 << 20;
/// Bytes of a block in the file, about.
const BLOCK: usize = 1 << 20;

/// Counts of all workers.
pub(super) struct Counts {
    memory: Histogram,
    in_memory: usize,
    file: Option<Blocks>,
    total: u64,
    keys: usize,
}

impl Counts {
    pub(super) fn new(width: usize) -> Self {
        Counts {
            memory: Histogram::new(width),
            in_memory: IN_MEMORY,
            file: None,
            total: 0,
            keys: 0,
        }
    }

    /// Adds what a worker has counted.
    pub(super) fn add(&mut self, counted: &Histogram) -> io::Result<()> {
        for (key, count) in counted.iter() {
            self.memory.add(key, count);
            self.total += count;
        }
        match self.memory.len() > self.in_memory {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Blocks::create()?),
        };
        let width = self.memory.width();
        let mut block = Vec::with_capacity(BLOCK);
        for (key, count) in self.memory.iter() {
            for number in key {
                block.extend_from_slice(&number.to_le_bytes());
            }
            block.extend_from_slice(&count.to_le_bytes());
            if block.len() >= BLOCK {
                file.put(std::mem::replace(&mut block, Vec::with_capacity(BLOCK)))?;
            }
        }
        file.put(block)?;
        self.keys += self.memory.len();
        self.memory = Histogram::new(width);
        Ok(())
    }
}

impl Base for Counts {
    fn width(&self) -> usize {
        self.memory.width()
    }

    fn total(&self) -> u64 {
        self.total
    }

    fn len(&self) -> usize {
        self.keys + self.memory.len()
    }

    fn each(&self, each: &mut dyn FnMut(&[u32], u64) -> ControlFlow<()>) -> io::Result<()> {
        let mut done = ControlFlow::Continue(());
        for (key, count) in self.memory.iter() {
            done = each(key, count);
            if done.is_break() {
                return Ok(());
            }
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut key = vec![0; self.width()];
        file.each(&mut |block| {
            for entry in block.chunks_exact(self.width() * size_of::<u32>() + size_of::<u64>()) {
                let (numbers, rest) = entry.as_chunks::<4>();
                debug_assert!(rest.is_empty());
                for (part, number) in key.iter_mut().zip(numbers) {
                    *part = u32::from_le_bytes(*number);
                }
                let count = entry
                    .last_chunk::<8>()
                    .map_or(0, |count| u64::from_le_bytes(*count));
                done = each(&key, count);
                if done.is_break() {
                    break;
                }
            }
            Ok(done)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_in_the_file_counts_as_what_is_in_memory() {
        let mut counts = Counts {
            in_memory: 10,
            ..Counts::new(2)
        };
        let mut expected: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        for round in 0..20_u32 {
            let mut counted = Histogram::new(2);
            for key in 0..7 {
                let key = [key * round % 13, key];
                counted.add(&key, 2);
                *expected.entry(key.to_vec()).or_default() += 2;
            }
            counts.add(&counted).unwrap();
        }
        assert!(counts.file.is_some());
        let mut found: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        let mut keys = 0;
        let all = counts.each(&mut |key, count| {
            keys += 1;
            *found.entry(key.to_vec()).or_default() += count;
            ControlFlow::Continue(())
        });
        all.unwrap();
        assert_eq!(found, expected);
        assert_eq!((keys, counts.total()), (counts.len(), 280));
        let mut first = 0;
        let some = counts.each(&mut |_, _| {
            first += 1;
            if first == 12 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        some.unwrap();
        assert_eq!(first, 12);
    }
}
